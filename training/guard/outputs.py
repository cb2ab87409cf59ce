"""What a model says before any cut: the highest logit of each head over a text's windows, and their number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from langchain_prodkit.guard import EmbeddedClassifier
from langchain_prodkit.guard.windows import window_spans

__all__ = ["outputs"]

Floats = NDArray[np.float64]


def outputs(detector: EmbeddedClassifier, texts: Sequence[str]) -> tuple[Floats, NDArray[np.int64]]:
    """Give one row of logits (`user`, `document`) for each text, and its windows; no window gives -20."""
    highest = np.full((len(texts), 2), -20.0)
    counts = np.zeros(len(texts), dtype=np.int64)
    window, stride = detector._sizes()
    for owner, text in enumerate(texts):
        encoded = detector._encode([piece.text for piece in detector._pieces(owner, text)])
        jobs = [
            (number, start, end)
            for number, found in enumerate(encoded)
            if found.ids
            for start, end in window_spans(len(found.ids), window, stride)
        ]
        for _, logits in detector._all_logits(encoded, jobs):
            highest[owner] = np.maximum(highest[owner], logits)
            counts[owner] += 1
    return highest, counts

# ruff: noqa: SLF001 - the steps between text and score are the subject
"""What a model says before any cut: each head's highest logit over a text's windows, and their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from langchain_prodkit.guard import EmbeddedClassifier, NgramClassifier, ngram
from langchain_prodkit.guard.normalize import readings
from langchain_prodkit.guard.windows import window_spans

__all__ = ["outputs"]

Floats = NDArray[np.float64]
NOTHING = -20.0


def outputs(
    detector: EmbeddedClassifier | NgramClassifier, texts: Sequence[str]
) -> tuple[Floats, NDArray[np.int64]]:
    """Give one row of logits (`user`, `document`) for each text, and its windows; no window gives -20."""
    highest = np.full((len(texts), 2), NOTHING)
    counts = np.zeros(len(texts), dtype=np.int64)
    for owner, text in enumerate(texts):
        for logits in (
            _by_ngrams(detector, text)
            if isinstance(detector, NgramClassifier)
            else _by_classifier(detector, text)
        ):
            highest[owner] = np.maximum(highest[owner], logits)
            counts[owner] += 1
    return highest, counts


def _by_classifier(detector: EmbeddedClassifier, text: str) -> Iterator[Sequence[float]]:
    window, stride = detector._sizes()
    encoded = detector._encode([piece.text for piece in detector._pieces(0, text, readings(text))])
    jobs = [
        (number, start, end)
        for number, found in enumerate(encoded)
        if found.ids
        for start, end in window_spans(len(found.ids), window, stride)
    ]
    for _, logits in detector._all_logits(encoded, jobs):
        yield logits


def _by_ngrams(detector: NgramClassifier, text: str) -> Iterator[Sequence[float]]:
    for form in readings(text):
        found = ngram.tokens(form.text)
        if found:
            spans = ngram.window_spans(len(found), detector._windows)
            yield from zip(*detector._logits(found, spans), strict=True)

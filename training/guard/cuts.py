"""Where a head's cut lies, from its outputs on texts of sources it has not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.guard.rows import Row

__all__ = ["calibrated", "weighted_quantile"]

ENOUGH: Final = 300
"""Rows that a bin of window counts must hold."""
BINS: Final = ((1, 1), (2, 4), (5, 12), (13, 40), (41, 10_000))


def weighted_quantile(values: NDArray[Any], weight: NDArray[Any], q: float) -> float:
    """Give the smallest value that at most `1 - q` of the weight lies above."""
    order = np.argsort(values)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(values[order][min(int(np.searchsorted(share, q)), len(values) - 1)])


def calibrated(
    rows: Sequence[Row], outputs: Mapping[str, tuple[NDArray[np.float32], NDArray[np.int64]]]
) -> dict[str, dict[str, float]]:
    """Fit cut, rise and slope of each head on the harmless rows, each source weighing alike."""
    harmless = np.array([not row.is_attack for row in rows])
    sources = Counter((row.source, row.is_document) for row in rows if not row.is_attack)
    weight = np.array([sources.get((row.source, row.is_document), 1) ** -0.5 for row in rows])
    document = np.array([row.is_document for row in rows])
    found = {}
    for head, (out, counts) in outputs.items():
        mine = harmless & (counts > 0) & (document if head == "document" else ~document)
        points = []
        for low, high in BINS:
            here = mine & (counts >= low) & (counts <= high)
            if here.sum() >= ENOUGH:
                points.append(
                    (
                        np.log(np.median(counts[here])),
                        weighted_quantile(out[here], weight[here], 0.99),
                        here.sum(),
                    )
                )
        xs, ys, ns = (np.array(column) for column in zip(*points, strict=True))
        rise = max(float(np.polyfit(xs, ys, 1, w=np.sqrt(ns))[0]), 0.0) if len(points) > 1 else 0.0
        level = out - rise * np.log(np.maximum(counts, 1))
        cut = weighted_quantile(level[mine], weight[mine], 0.99)
        both = harmless & (counts > 0)
        wide = weighted_quantile(level[both], weight[both], 0.995)
        found[head] = {"cut": cut, "rise": rise, "slope": 1.0, "auto_cut": max(cut, wide)}
    return found

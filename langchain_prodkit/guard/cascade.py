"""The default detectors, their calibrated cuts, and a function that gives bare scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal

from langchain_prodkit.guard.heuristics import HeuristicDetector
from langchain_prodkit.guard.verdict import Detector, Source

__all__ = ["OPERATING_POINTS", "OperatingPoint", "default_detectors", "score_texts"]

OperatingPoint = Literal["precise", "balanced", "sensitive"]

OPERATING_POINTS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        source: MappingProxyType({"precise": 0.6, "balanced": 0.5, "sensitive": 0.3})
        for source in ("auto", "user", "document", "tool")
    }
)
"""Cuts for the default detectors, by source.

Share of harmless rows that reach each cut, and of attacks caught, on the development rows (4,124
harmless, many with the words of attacks, and 2,073 attacks) / on 40,000 training rows, which the
signatures were written against:

| cut | harmless | attacks caught |
| --- | --- | --- |
| `precise` 0.6 | 0.02 % / 0.03 % | 38 % / 69 % |
| `balanced` 0.5 | 0.05 % / 0.04 % | 50 % / 77 % |
| `sensitive` 0.3 | 0.12 % / 1.05 % | 55 % / 81 % |

Signatures cannot spend the 1 % and 5 % of false alarms that `balanced` and `sensitive` allow: most
text scores 0. Some rules were changed after false alarms on development rows, and words of some
languages were known from the generator of those rows, so the figures there are better than those that
new text will show. There was too little tool output to give each source its own cuts.
"""


@lru_cache(maxsize=1)
def default_detectors() -> tuple[Detector, ...]:
    """Give the detectors that a guard uses when it is told none."""
    return (HeuristicDetector(),)


def score_texts(texts: Sequence[str], *, source: Source = "auto") -> list[float]:
    """Score texts with the default detectors: 0 harmless .. 1 attack, 0.5 = balanced."""
    scores = [0.0] * len(texts)
    for detector in default_detectors():
        for index, score in enumerate(detector.score(texts, source=source)):
            scores[index] = max(scores[index], score.value)
    return scores

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

Measured on 40,000 rows (24,167 harmless, 3,692 harmless ones with the words of attacks) and 6,197
other ones of the development half: at `precise` 0.01-0.03 % of harmless rows are flagged, at
`balanced` 0.05-0.06 % and none with the words of attacks, at `sensitive` 0.1-0.9 % (2.6 % of those with
the words). Signatures are rarely wrong, so every point stays below the 0.1 %, 1 % and 5 % that it allows;
the three sources differ too little to get cuts of their own.
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

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
        source: MappingProxyType({"precise": 0.8, "balanced": 0.5, "sensitive": 0.35})
        for source in ("auto", "user", "document", "tool")
    }
)


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

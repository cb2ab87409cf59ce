"""Judge untrusted text (user input, retrieved documents, tool output) for prompt injection.

`InjectionGuardRunnable` is the piece that stands in a chain; `score_texts` gives bare numbers;
`HeuristicDetector` is the layer that ships today. Names are resolved on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names

if TYPE_CHECKING:
    from langchain_prodkit.guard.cascade import OPERATING_POINTS, default_detectors, score_texts
    from langchain_prodkit.guard.conduct import ConductTracker
    from langchain_prodkit.guard.conduct_record import Conduct
    from langchain_prodkit.guard.conduct_redis import RedisConductStore
    from langchain_prodkit.guard.conduct_store import ConductStore, MemoryConductStore
    from langchain_prodkit.guard.heuristics import HeuristicDetector
    from langchain_prodkit.guard.identifier import IdentifierDetector
    from langchain_prodkit.guard.runnable import InjectionGuardRunnable
    from langchain_prodkit.guard.verdict import Detector, Reason, Score, Source, Verdict

__all__ = [
    "OPERATING_POINTS",
    "Conduct",
    "ConductStore",
    "ConductTracker",
    "Detector",
    "HeuristicDetector",
    "IdentifierDetector",
    "InjectionGuardRunnable",
    "MemoryConductStore",
    "Reason",
    "RedisConductStore",
    "Score",
    "Source",
    "Verdict",
    "default_detectors",
    "score_texts",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "OPERATING_POINTS": "cascade",
        "Conduct": "conduct_record",
        "ConductStore": "conduct_store",
        "ConductTracker": "conduct",
        "Detector": "verdict",
        "HeuristicDetector": "heuristics",
        "IdentifierDetector": "identifier",
        "InjectionGuardRunnable": "runnable",
        "MemoryConductStore": "conduct_store",
        "Reason": "verdict",
        "RedisConductStore": "conduct_redis",
        "Score": "verdict",
        "Source": "verdict",
        "Verdict": "verdict",
        "default_detectors": "cascade",
        "score_texts": "cascade",
    },
)

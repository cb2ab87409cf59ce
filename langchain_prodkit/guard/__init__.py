"""Judge untrusted text (user input, retrieved documents, tool output) for prompt injection.

`InjectionGuardRunnable` is the piece that stands in a chain; `score_texts` gives bare numbers;
`Cascade` holds the layers that both use when they are told none. Names are resolved on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names

if TYPE_CHECKING:
    from langchain_prodkit.guard.answer import OutputVerdict
    from langchain_prodkit.guard.calibration import Calibration
    from langchain_prodkit.guard.canary import Canary, Fingerprint
    from langchain_prodkit.guard.cascade import OPERATING_POINTS, Cascade, default_detectors, score_texts
    from langchain_prodkit.guard.classifier import EmbeddedClassifier
    from langchain_prodkit.guard.conduct import ConductTracker
    from langchain_prodkit.guard.conduct_record import Conduct
    from langchain_prodkit.guard.conduct_redis import RedisConductStore
    from langchain_prodkit.guard.conduct_store import ConductStore, MemoryConductStore
    from langchain_prodkit.guard.heuristics import HeuristicDetector
    from langchain_prodkit.guard.identifier import IdentifierDetector
    from langchain_prodkit.guard.judge import JudgeDetector
    from langchain_prodkit.guard.model_age import ModelAgeWarning, warn_if_superseded
    from langchain_prodkit.guard.ngram import NgramClassifier
    from langchain_prodkit.guard.output import ScopeGuard
    from langchain_prodkit.guard.purpose import Scope, scoped_prompt
    from langchain_prodkit.guard.relevance import RelevanceGate
    from langchain_prodkit.guard.rewrite import QueryRewriter
    from langchain_prodkit.guard.runnable import InjectionGuardRunnable
    from langchain_prodkit.guard.spotlight import Spotlight, delimit
    from langchain_prodkit.guard.topics import LexicalEmbeddings
    from langchain_prodkit.guard.transformer import TransformersClassifier
    from langchain_prodkit.guard.verdict import Detector, Reason, Score, Source, Verdict

__all__ = [
    "OPERATING_POINTS",
    "Calibration",
    "Canary",
    "Cascade",
    "Conduct",
    "ConductStore",
    "ConductTracker",
    "Detector",
    "EmbeddedClassifier",
    "Fingerprint",
    "HeuristicDetector",
    "IdentifierDetector",
    "InjectionGuardRunnable",
    "JudgeDetector",
    "LexicalEmbeddings",
    "MemoryConductStore",
    "ModelAgeWarning",
    "NgramClassifier",
    "OutputVerdict",
    "QueryRewriter",
    "Reason",
    "RedisConductStore",
    "RelevanceGate",
    "Scope",
    "ScopeGuard",
    "Score",
    "Source",
    "Spotlight",
    "TransformersClassifier",
    "Verdict",
    "default_detectors",
    "delimit",
    "scoped_prompt",
    "score_texts",
    "warn_if_superseded",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "OPERATING_POINTS": "cascade",
        "Calibration": "calibration",
        "Canary": "canary",
        "Cascade": "cascade",
        "Conduct": "conduct_record",
        "ConductStore": "conduct_store",
        "ConductTracker": "conduct",
        "Detector": "verdict",
        "EmbeddedClassifier": "classifier",
        "Fingerprint": "canary",
        "HeuristicDetector": "heuristics",
        "IdentifierDetector": "identifier",
        "InjectionGuardRunnable": "runnable",
        "JudgeDetector": "judge",
        "LexicalEmbeddings": "topics",
        "MemoryConductStore": "conduct_store",
        "ModelAgeWarning": "model_age",
        "NgramClassifier": "ngram",
        "OutputVerdict": "answer",
        "QueryRewriter": "rewrite",
        "Reason": "verdict",
        "RedisConductStore": "conduct_redis",
        "RelevanceGate": "relevance",
        "Scope": "purpose",
        "ScopeGuard": "output",
        "Score": "verdict",
        "Source": "verdict",
        "Spotlight": "spotlight",
        "TransformersClassifier": "transformer",
        "Verdict": "verdict",
        "default_detectors": "cascade",
        "delimit": "spotlight",
        "scoped_prompt": "purpose",
        "score_texts": "cascade",
        "warn_if_superseded": "model_age",
    },
)

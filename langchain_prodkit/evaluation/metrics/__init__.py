"""Metrics that need no network and no model: what an answer looks like, and what it cost."""

from __future__ import annotations

from langchain_prodkit.evaluation.metrics.cost import Latency, ModelCalls, TimeToFirstToken, Tokens
from langchain_prodkit.evaluation.metrics.metric import Metric, Score
from langchain_prodkit.evaluation.metrics.outcome import EmptyAnswer, Failure, Refusal
from langchain_prodkit.evaluation.metrics.overlap import ExactMatch, RougeL
from langchain_prodkit.evaluation.metrics.readability import (
    AutomatedReadability,
    FleschKincaid,
    WordCount,
)

__all__ = [
    "AutomatedReadability",
    "EmptyAnswer",
    "ExactMatch",
    "Failure",
    "FleschKincaid",
    "Latency",
    "Metric",
    "ModelCalls",
    "Refusal",
    "RougeL",
    "Score",
    "TimeToFirstToken",
    "Tokens",
    "WordCount",
    "default_metrics",
]


def default_metrics() -> tuple[Metric, ...]:
    """Give every metric that runs anywhere; one that lacks what it needs on a row is skipped there."""
    return (
        Failure(),
        EmptyAnswer(),
        Refusal(),
        WordCount(),
        AutomatedReadability(),
        FleschKincaid(),
        ExactMatch(),
        RougeL(),
        Latency(),
        TimeToFirstToken(),
        Tokens(),
        ModelCalls(),
    )

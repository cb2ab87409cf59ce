"""Metrics that need no network and no model: what an answer looks like, and what it cost."""

from __future__ import annotations

from langchain_prodkit.evaluation.metrics.cost import Cost, Latency, ModelCalls, TimeToFirstToken, Tokens
from langchain_prodkit.evaluation.metrics.duplicates import DuplicateAnswer
from langchain_prodkit.evaluation.metrics.function import AsyncFunctionMetric, FunctionMetric
from langchain_prodkit.evaluation.metrics.groundedness import Groundedness, claim_support
from langchain_prodkit.evaluation.metrics.metric import Metric, Score
from langchain_prodkit.evaluation.metrics.named import metric_named
from langchain_prodkit.evaluation.metrics.outcome import EmptyAnswer, Failure, Refusal
from langchain_prodkit.evaluation.metrics.overlap import ExactMatch, RougeL
from langchain_prodkit.evaluation.metrics.readability import (
    AutomatedReadability,
    FleschKincaid,
    WordCount,
)
from langchain_prodkit.evaluation.metrics.relevance import AnswerRelevance
from langchain_prodkit.evaluation.metrics.retrieval import RetrievalNDCG, RetrievalPrecision, RetrievalRecall
from langchain_prodkit.evaluation.metrics.toxicity import Toxicity
from langchain_prodkit.evaluation.metrics.upgrades import EvaluateModule, TextClassifier

__all__ = [
    "AnswerRelevance",
    "AsyncFunctionMetric",
    "AutomatedReadability",
    "Cost",
    "DuplicateAnswer",
    "EmptyAnswer",
    "EvaluateModule",
    "ExactMatch",
    "Failure",
    "FleschKincaid",
    "FunctionMetric",
    "Groundedness",
    "Latency",
    "Metric",
    "ModelCalls",
    "Refusal",
    "RetrievalNDCG",
    "RetrievalPrecision",
    "RetrievalRecall",
    "RougeL",
    "Score",
    "TextClassifier",
    "TimeToFirstToken",
    "Tokens",
    "Toxicity",
    "WordCount",
    "claim_support",
    "default_metrics",
    "metric_named",
]


def default_metrics() -> tuple[Metric, ...]:
    """Give every metric that runs anywhere; one that lacks what it needs on a row is skipped there."""
    return (
        Failure(),
        EmptyAnswer(),
        Refusal(),
        DuplicateAnswer(),
        Toxicity(),
        WordCount(),
        AutomatedReadability(),
        FleschKincaid(),
        ExactMatch(),
        RougeL(),
        RetrievalPrecision(),
        RetrievalRecall(),
        RetrievalNDCG(),
        Groundedness(),
        Latency(),
        TimeToFirstToken(),
        Tokens(),
        ModelCalls(),
    )

"""Metrics by name: for command lines and files of settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.metrics.cost import Cost, Latency, ModelCalls, TimeToFirstToken, Tokens
from langchain_prodkit.evaluation.metrics.duplicates import DuplicateAnswer
from langchain_prodkit.evaluation.metrics.metric import Metric
from langchain_prodkit.evaluation.metrics.outcome import EmptyAnswer, Failure, Refusal
from langchain_prodkit.evaluation.metrics.overlap import ExactMatch, RougeL
from langchain_prodkit.evaluation.metrics.readability import AutomatedReadability, FleschKincaid, WordCount
from langchain_prodkit.evaluation.metrics.relevance import AnswerRelevance
from langchain_prodkit.evaluation.metrics.retrieval import RetrievalNDCG, RetrievalPrecision, RetrievalRecall
from langchain_prodkit.evaluation.metrics.toxicity import Toxicity
from langchain_prodkit.evaluation.metrics.upgrades import EvaluateModule, TextClassifier

__all__ = ["metric_named"]


def _tokens(kind: Any) -> Callable[..., Metric]:
    return lambda **options: Tokens(kind, **options)


def _groundedness(**options: Any) -> Metric:
    # Only here: it comes with word lists that other metrics do without.
    from langchain_prodkit.evaluation.metrics.groundedness import Groundedness  # noqa: PLC0415

    return Groundedness(**options)


_OWN: Final[dict[str, Callable[..., Metric]]] = {
    "answer_relevance": AnswerRelevance,
    "ari_grade": AutomatedReadability,
    "cost_usd": Cost,
    "duplicate_answer": DuplicateAnswer,
    "empty_answer": EmptyAnswer,
    "exact_match": ExactMatch,
    "failure": Failure,
    "flesch_kincaid_grade": FleschKincaid,
    "groundedness": _groundedness,
    "input_tokens": _tokens("input_tokens"),
    "latency_ms": Latency,
    "model_calls": ModelCalls,
    "output_tokens": _tokens("output_tokens"),
    "refusal": Refusal,
    "rouge_l": RougeL,
    "total_tokens": _tokens("total_tokens"),
    "toxicity": Toxicity,
    "ttft_ms": TimeToFirstToken,
    "words": WordCount,
}
_AT_K: Final[dict[str, Callable[..., Metric]]] = {
    "retrieval_ndcg_at_": RetrievalNDCG,
    "retrieval_precision_at_": RetrievalPrecision,
    "retrieval_recall_at_": RetrievalRecall,
}
_K: Final = re.compile(r"(\w+_at_)([1-9][0-9]{0,4})")


def metric_named(name: str, /, **options: Any) -> Metric:
    """Give a metric by the name that it has in reports, or an upgrade by where it comes from.

    - `rouge_l`, `toxicity`, `retrieval_recall_at_5`, ...: ours;
    - `evaluate:bertscore`: a module of the library `evaluate`, from its cache, a folder or the hub;
    - `transformers:unitary/toxic-bert`: a text classifier in a folder or in the local cache of the hub;
    - `mlflow:exact_match`: one of `mlflow.metrics`.

    What an upgrade needs is looked for when the first row is scored; where it is not there, every row is
    skipped and says so.

    Args:
        name: The name.
        options: Arguments of the metric, such as `prices=` of `cost_usd` or `label=` of a classifier.

    Raises:
        ConfigurationError: There is no metric of that name, or it does not take the options.
        MissingExtraError: The name is of an MLflow metric, and MLflow is not installed.
    """
    try:
        made = _made(name, options)
    except TypeError:
        raise ConfigurationError(f"metric {name!r} does not take these options, or needs others") from None
    if made is None:
        raise ConfigurationError(
            f"no metric is called {name!r}; there are {', '.join(sorted(_OWN))}, "
            f"{', '.join(f'{start}<k>' for start in sorted(_AT_K))}, "
            "evaluate:<module>, transformers:<model> and mlflow:<metric>"
        )
    return made


def _made(name: str, options: dict[str, Any]) -> Metric | None:
    kind, is_upgrade, rest = name.partition(":")
    if is_upgrade and rest:
        if kind == "evaluate":
            return EvaluateModule(rest, **options)
        if kind == "transformers":
            return TextClassifier(rest, **options)
        return _of_mlflow(rest, options) if kind == "mlflow" else None
    if name in _OWN:
        return _OWN[name](**options)
    found = _K.fullmatch(name)
    return _AT_K[found[1]](int(found[2]), **options) if found and found[1] in _AT_K else None


def _of_mlflow(name: str, options: dict[str, Any]) -> Metric | None:
    make = getattr(require("mlflow.metrics", extra="eval"), name, None)
    if name.startswith("_") or not callable(make):
        return None
    # Only here: it imports what imports this package.
    from langchain_prodkit.evaluation.mlflow_scorers import from_mlflow_metric  # noqa: PLC0415

    return from_mlflow_metric(make(**options))

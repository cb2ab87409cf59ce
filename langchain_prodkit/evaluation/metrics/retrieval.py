"""Metrics of what was retrieved: are the right documents there, and at the top?

Which documents are right stands in the row: `metadata["relevant_ids"]` (or `relevant_ids` in an `expected`
that is a mapping), a list of ids, or of documents with an id or a text. All three metrics count as
`mlflow.metrics.precision_at_k`, `recall_at_k` and `ndcg_at_k` do, so the numbers compare.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.record import Context, EvalRecord

__all__ = ["RetrievalNDCG", "RetrievalPrecision", "RetrievalRecall"]

_RELEVANT: Final = ("relevant_ids", "relevant_documents", "expected_documents", "expected_retrieved_context")
"""The last one is what MLflow calls it in the expectations of `mlflow.genai.evaluate`."""
_IDS: Final = ("id", "doc_id", "document_id", "chunk_id", "doc_uri", "source")
_TEXTS: Final = ("text", "page_content", "content")


@dataclass(frozen=True, slots=True)
class _AtK:
    """What the three have in common: the first `k` documents, tools left out."""

    k: int = 5

    def __post_init__(self) -> None:
        given: Any = self.k
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise ConfigurationError("k is a whole number, 1 or more")

    @property
    def needs(self) -> frozenset[str]:
        """An answer, so that a row that was never run is no miss."""
        return frozenset({"output"})

    @property
    def higher_is_better(self) -> bool | None:
        """Higher is better."""
        return True

    def score(self, row: EvalRecord) -> Score:
        """Compare what was retrieved with what is relevant; skipped where either is not known."""
        relevant = _relevant(row)
        if relevant is None:
            return Score(skipped="no relevant_ids")
        documents = [context for context in row.contexts if context.kind == "document"]
        # Only of a recorded run it is known that nothing was retrieved.
        if not documents and row.model_calls is None:
            return Score(skipped="no contexts")
        return Score(self._value([_identity(one, relevant) for one in documents[: self.k]], relevant))

    def _value(self, found: Sequence[str], relevant: frozenset[str]) -> float:
        raise NotImplementedError  # pragma: no cover - abstract


@dataclass(frozen=True, slots=True)
class RetrievalPrecision(_AtK):
    """The share of the first `k` documents that are relevant, 0 to 1; 0 where none was retrieved."""

    @property
    def name(self) -> str:
        """With its `k`."""
        return f"retrieval_precision_at_{self.k}"

    def _value(self, found: Sequence[str], relevant: frozenset[str]) -> float:
        return sum(one in relevant for one in found) / len(found) if found else 0.0


@dataclass(frozen=True, slots=True)
class RetrievalRecall(_AtK):
    """The share of the relevant documents that are among the first `k`, 0 to 1.

    Where none is relevant: 1 if none was retrieved, else 0.
    """

    @property
    def name(self) -> str:
        """With its `k`."""
        return f"retrieval_recall_at_{self.k}"

    def _value(self, found: Sequence[str], relevant: frozenset[str]) -> float:
        if not relevant:
            return 0.0 if found else 1.0
        return len(relevant.intersection(found)) / len(relevant)


@dataclass(frozen=True, slots=True)
class RetrievalNDCG(_AtK):
    """How near the top the relevant ones stand among the first `k` documents, 0 to 1.

    Normalised discounted cumulative gain with gains of 0 and 1. The best order is one of as many documents
    as were retrieved; a relevant document that is missing is counted by `RetrievalRecall`. Where none is
    relevant: 1 if none was retrieved, else 0.
    """

    @property
    def name(self) -> str:
        """With its `k`."""
        return f"retrieval_ndcg_at_{self.k}"

    def _value(self, found: Sequence[str], relevant: frozenset[str]) -> float:
        if not found or not relevant:
            return 0.0 if found or relevant else 1.0
        hits = [one in relevant for one in found]
        # A document retrieved twice counts twice, in what is reached and in what could be.
        repeats = sum(hits) - len(relevant.intersection(found))
        best = min(len(relevant) + repeats, len(found))
        reached = math.fsum(_gain(rank) for rank, is_hit in enumerate(hits) if is_hit)
        return reached / math.fsum(_gain(rank) for rank in range(best))


def _gain(rank: int) -> float:
    return 1 / math.log2(rank + 2)


def _relevant(row: EvalRecord) -> frozenset[str] | None:
    """Give keys of the relevant documents; None where nobody wrote them down."""
    places: list[Mapping[str, Any]] = [row.metadata]
    if isinstance(row.expected, Mapping):
        places.append(row.expected)
    for place in places:
        for name in _RELEVANT:
            given = place.get(name)
            if given is not None:
                items = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
                return frozenset(_key(item) for item in items)
    return None


def _key(item: Any) -> str:
    if isinstance(item, Mapping):
        for name in _IDS:
            if item.get(name) is not None:
                return f"id {item[name]}"
        for name in _TEXTS:
            if isinstance(item.get(name), str):
                return _text_key(item[name])
        raise ValueError("a relevant document has neither an id nor a text")
    return f"id {item}"


def _identity(context: Context, relevant: frozenset[str]) -> str:
    """Give the key by which the document is known to be relevant, else its own."""
    ids = [context.id, *(context.metadata.get(name) for name in _IDS)]
    keys = [f"id {one}" for one in ids if one is not None]
    keys.append(_text_key(context.text))
    return next((key for key in keys if key in relevant), keys[0])


def _text_key(text: str) -> str:
    return f"text {' '.join(text.split())}"

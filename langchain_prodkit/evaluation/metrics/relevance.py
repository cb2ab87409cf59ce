"""Whether an answer is about what was asked, by the meaning of both."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.embeddings import Embeddings

from langchain_prodkit.errors import ConfigurationError, EvaluationError, MissingExtraError
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.metrics.readability import is_latin
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["AnswerRelevance"]


class _Embedded:
    """The embedded model, made when first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Embeddings | None = None

    def get(self) -> Embeddings:
        with self._lock:
            if self._model is None:
                # Only here: its module brings pydantic models that other metrics do without.
                from langchain_prodkit.evaluation.embeddings import MiniLMEmbeddings  # noqa: PLC0415

                self._model = MiniLMEmbeddings()
            return self._model


@dataclass(frozen=True, slots=True)
class AnswerRelevance:
    """How close question and answer are in meaning: the cosine of their vectors, 0 (or less) to 1.

    A question and an answer to it are around 0.4 to 0.8 with the embedded model, an answer to something
    else below 0.3. Says nothing about truth: a wrong answer on the subject is relevant.

    Without `embeddings=` the embedded `MiniLMEmbeddings` are used, which read English. Every row is
    skipped, with the reason, where extra `embeddings` is not installed; with the embedded model so is a
    row in another script than Latin.

    Raises:
        ConfigurationError: `embeddings` is not a LangChain `Embeddings`.
    """

    embeddings: Embeddings | None = field(default=None, repr=False)
    """Any LangChain embeddings; a remote one is sent the questions and answers."""
    name: str = "answer_relevance"
    needs: frozenset[str] = frozenset({"input", "output"})
    higher_is_better: bool | None = True
    _embedded: _Embedded = field(default_factory=_Embedded, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.embeddings is not None and not isinstance(self.embeddings, Embeddings):
            raise ConfigurationError(
                f"embeddings= takes a LangChain Embeddings, not a {type(self.embeddings).__name__}"
            )

    def score(self, row: EvalRecord) -> Score:
        """Compare one row's question with its answer."""
        return self.score_all([row])[0]

    def score_all(self, rows: Sequence[EvalRecord]) -> list[Score]:
        """Compare every row's question with its answer; each text is read once.

        Raises:
            EvaluationError: The embeddings gave another number of vectors than texts.
        """
        model = self.embeddings
        if model is None:
            try:
                model = self._embedded.get()
            except MissingExtraError as error:
                return [Score(skipped=f"needs {error.command}, or embeddings=")] * len(rows)
        pairs = [(row.question.strip(), row.answer.strip()) for row in rows]
        reasons = [self._why_not(question, answer) for question, answer in pairs]
        texts = list(
            dict.fromkeys(
                text for pair, why_not in zip(pairs, reasons, strict=True) if not why_not for text in pair
            )
        )
        vectors = model.embed_documents(texts) if texts else []
        if len(vectors) != len(texts):
            raise EvaluationError("the embeddings gave another number of vectors than texts")
        known = dict(zip(texts, vectors, strict=True))
        return [
            Score(skipped=why_not) if why_not else _cosine(known[question], known[answer])
            for (question, answer), why_not in zip(pairs, reasons, strict=True)
        ]

    def _why_not(self, question: str, answer: str) -> str | None:
        if not question or not answer:
            return "no text"
        if self.embeddings is None and not (is_latin(question) and is_latin(answer)):
            return "not in Latin script"
        return None


def _cosine(left: Sequence[Any], right: Sequence[Any]) -> Score:
    if len(left) != len(right):
        return Score(error="vectors of different lengths")
    length = math.sqrt(math.fsum(x * x for x in left)) * math.sqrt(math.fsum(x * x for x in right))
    if not (math.isfinite(length) and length > 0):
        return Score(error="no vector with a direction")
    return Score(math.fsum(x * y for x, y in zip(left, right, strict=True)) / length)

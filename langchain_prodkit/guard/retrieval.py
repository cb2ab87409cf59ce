"""Documents for a question, each with a number that says how near it lies: higher is nearer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from langchain_core.documents import Document
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.vectorstores import VectorStore, VectorStoreRetriever

from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import ConfigurationError, GuardError
from langchain_prodkit.guard.calibration import cosine, finite
from langchain_prodkit.guard.topics import checked_vector

__all__ = ["Retrieval", "Scored"]

Scored = tuple[Document, float]
_CLOSE: Final = 0.01


class Retrieval:
    """One body for everything that can retrieve."""

    def __init__(
        self,
        source: Any,
        *,
        embeddings: Any,
        k: int,
        search_kwargs: Mapping[str, Any],
        scores: Literal["auto", "similarity", "distance"],
        score_key: str | None,
    ) -> None:
        """Look at what `source` is.

        Raises:
            ConfigurationError: It retrieves nothing, or its documents cannot be measured.
        """
        self._search_kwargs = {"k": k, **search_kwargs}
        if isinstance(source, VectorStoreRetriever):
            self._search_kwargs = {**self._search_kwargs, **source.search_kwargs}
            # Its own cut would hide what the gate measures.
            self._search_kwargs.pop("score_threshold", None)
            source = source.vectorstore
        if not isinstance(source, VectorStore | Runnable):
            raise ConfigurationError(
                "a relevance gate takes a vector store, a retriever or a Runnable, not a "
                f"{type(source).__qualname__}"
            )
        if not isinstance(source, VectorStore) and embeddings is None and score_key is None:
            raise ConfigurationError(
                "this retriever gives no scores: pass embeddings= to measure its documents "
                "(LexicalEmbeddings() compares words without a model), or score_key= where it "
                "puts a score into their metadata"
            )
        self._source = source
        self._embeddings = embeddings
        self._score_key = score_key
        self._has_relevance = scores == "auto"
        self._is_distance = None if scores == "auto" else scores == "distance"

    def steps(self, question: str, config: RunnableConfig) -> Steps[list[Scored]]:
        """Retrieve for one question; a body for a driver.

        Raises:
            GuardError: Something other than documents with finite scores came back.
        """
        if isinstance(self._source, VectorStore):
            found = yield from self._searched(self._source, question)
        else:
            documents = yield Call(self._source.invoke, self._source.ainvoke, question, config)
            found = yield from self._measured(question, documents)
        return [(document, finite(score, of="the retriever")) for document, score in found]

    def _searched(self, store: VectorStore, question: str) -> Steps[list[Scored]]:
        if self._has_relevance:
            try:
                found = yield Call(
                    store.similarity_search_with_relevance_scores,
                    store.asimilarity_search_with_relevance_scores,
                    question,
                    **self._search_kwargs,
                )
                return _checked(found)
            except NotImplementedError:
                self._has_relevance = False
        try:
            found = yield Call(
                store.similarity_search_with_score,
                store.asimilarity_search_with_score,
                question,
                **self._search_kwargs,
            )
        except NotImplementedError:
            documents = yield Call(
                store.similarity_search, store.asimilarity_search, question, **self._search_kwargs
            )
            return (yield from self._measured(question, documents))
        scored = _checked(found)
        is_distance = self._is_distance
        if is_distance is None:
            is_distance = yield from self._reads_as_distance(question, scored)
        return (
            [(document, 1 / (1 + max(score, 0.0))) for document, score in scored] if is_distance else scored
        )

    def _reads_as_distance(self, question: str, scored: Sequence[Scored]) -> Steps[bool]:
        """Stores give the nearest first: falling numbers are similarities, rising ones distances."""
        if not scored:
            return False
        first, last = scored[0][1], scored[-1][1]
        if first != last:
            self._is_distance = first < last
            return self._is_distance
        measured = yield from self._measured(question, [scored[0][0]])
        return abs(measured[0][1] - first) > _CLOSE

    def _measured(self, question: str, documents: Any) -> Steps[list[Scored]]:
        """Score documents that came without scores."""
        if not isinstance(documents, list) or not all(isinstance(item, Document) for item in documents):
            raise GuardError("the retriever gave something else than a list of documents")
        if self._score_key is not None:
            return [(document, document.metadata.get(self._score_key)) for document in documents]
        model = self._embeddings or getattr(self._source, "embeddings", None)
        if model is None:
            raise ConfigurationError(
                "this vector store gives no scores that can be read: pass embeddings=, or say "
                "scores='similarity' or scores='distance'"
            )
        if not documents:
            return []
        query = checked_vector((yield Call(model.embed_query, model.aembed_query, question)))
        texts = [document.page_content for document in documents]
        vectors = yield Call(model.embed_documents, model.aembed_documents, texts)
        if len(vectors) != len(documents):
            raise GuardError("the embeddings did not give one vector for each document")
        return [
            (document, cosine(query, checked_vector(vector)))
            for document, vector in zip(documents, vectors, strict=True)
        ]


def _checked(found: Any) -> list[Scored]:
    pairs = list(found)
    if not all(isinstance(pair, tuple) and isinstance(pair[0], Document) for pair in pairs):
        raise GuardError("the vector store gave something else than documents with scores")
    return [(document, finite(score, of="the vector store")) for document, score in pairs]

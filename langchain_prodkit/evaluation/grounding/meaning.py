"""How near a claim is to a passage in meaning, by vectors of sentences or of tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import mul
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from langchain_prodkit._extras import require
from langchain_prodkit.evaluation.grounding.claims import FUNCTION
from langchain_prodkit.evaluation.grounding.source import Passage

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

__all__ = ["SENTENCE_FEATURES", "TOKEN_FEATURES", "SentenceMeanings", "TokenMeanings", "meanings_for"]

SENTENCE_FEATURES: Final = ("near_best", "near_pair", "near_second")
"""Cosines of the claim with the nearest sentence, the nearest two in a row, and the second nearest."""
TOKEN_FEATURES: Final = (
    *SENTENCE_FEATURES,
    "token_mean",
    "token_least",
    "token_two_least",
    "token_best_mean",
    "token_best_least",
    "token_back",
    "token_far",
)
"""The same, and how near the tokens of the claim are to their nearest in passage and best sentence."""
_FAR: Final = 0.5
_PROBES: Final = (
    "The bridge was built in the last century.",
    "Add a pinch of salt to the soup.",
    "Our office is closed on public holidays.",
    "Whales breathe air through their blowholes.",
    "The court dismissed the appeal.",
    "Press the button to restart the device.",
)
"""Sentences that have nothing to do with each other: how near they are is a model's zero."""


@runtime_checkable
class HasTokens(Protocol):
    """Embeddings that also give a vector for each token."""

    def embed_tokens(self, texts: Sequence[str]) -> Sequence[Any]:
        """Give for each text its `offsets` and `vectors`."""
        ...


class SentenceMeanings:
    """Cosines of whole sentences, by any embeddings; models differ in their zero, which is taken off."""

    head: Final = "sentences"

    def __init__(self, embeddings: Embeddings) -> None:
        """Take the embeddings; nothing is computed yet."""
        self._embeddings = embeddings
        self._vectors: dict[str, list[float]] = {}
        self._zero: float | None = None

    def learn(self, texts: Iterable[str]) -> None:
        """Compute the vectors of texts, once each, in one call."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if self._zero is None:
            new += _PROBES
        if not new:
            return
        for text, vector in zip(new, self._embeddings.embed_documents(new), strict=True):
            self._vectors[text] = _unit(vector)
        if self._zero is None:
            probes = [self._vectors[probe] for probe in _PROBES]
            pairs = [_dot(a, b) for i, a in enumerate(probes) for b in probes[i + 1 :]]
            self._zero = min(0.95, sum(pairs) / len(pairs))

    def compare(self, claim: str, passage: Passage) -> dict[str, float]:
        """Give `SENTENCE_FEATURES`; what is asked about must have been learnt."""
        mine = self._vectors[claim]
        theirs = [self._vectors[sentence.text] for sentence in passage.sentences]
        near = [self._scaled(_dot(mine, vector)) for vector in theirs]
        pairs = [
            self._scaled(_dot(mine, _unit([a + b for a, b in zip(one, two, strict=True)])))
            for one, two in pairwise(theirs)
        ]
        order = sorted(near, reverse=True)
        return {
            "near_best": order[0],
            "near_pair": max(pairs, default=order[0]),
            "near_second": order[1] if len(order) > 1 else 0.0,
        }

    def _scaled(self, cosine: float) -> float:
        zero = self._zero or 0.0
        return (cosine - zero) / (1 - zero)


class TokenMeanings:
    """Cosines of tokens where they stand, by `MiniLMEmbeddings`."""

    head: Final = "tokens"

    def __init__(self, embeddings: HasTokens) -> None:
        """Take the embeddings; nothing is computed yet."""
        self._embeddings = embeddings
        self._numpy = require("numpy", extra="embeddings")
        self._tokens: dict[str, tuple[Any, Any]] = {}
        self._offsets: dict[str, Sequence[tuple[int, int]]] = {}

    def learn(self, texts: Iterable[str]) -> None:
        """Compute the vectors of texts, once each, in one call."""
        new = [text for text in dict.fromkeys(texts) if text not in self._tokens]
        if not new:
            return
        for text, found in zip(new, self._embeddings.embed_tokens(new), strict=True):
            states = self._numpy.asarray(found.vectors, dtype=self._numpy.float32)
            lengths = self._numpy.linalg.norm(states, axis=1, keepdims=True)
            self._tokens[text] = (states / self._numpy.maximum(lengths, 1e-9), states.sum(axis=0))
            self._offsets[text] = found.offsets

    def compare(self, claim: str, passage: Passage) -> dict[str, float]:
        """Give `TOKEN_FEATURES`; what is asked about must have been learnt."""
        numpy = self._numpy
        units, whole = self._tokens[claim]
        parts = [self._tokens[sentence.text] for sentence in passage.sentences]
        if not len(units) or not all(len(part) for part, _ in parts):
            return dict.fromkeys(TOKEN_FEATURES, 0.0)
        near = [self._cosine(whole, other) for _, other in parts]
        pairs = [self._cosine(whole, one + two) for (_, one), (_, two) in pairwise(parts)]
        best = max(range(len(near)), key=near.__getitem__)
        rows = [
            row
            for row, (start, end) in enumerate(self._offsets[claim])
            if claim[start:end].casefold() not in FUNCTION and claim[start:end].isalnum()
        ] or [0]
        mine = units[rows]
        nearest = numpy.sort((mine @ numpy.concatenate([part for part, _ in parts]).T).max(axis=1))
        in_best = (mine @ parts[best][0].T).max(axis=1)
        order = sorted(near, reverse=True)
        values = (
            order[0],
            max(pairs, default=order[0]),
            order[1] if len(order) > 1 else 0.0,
            nearest.mean(),
            nearest[0],
            nearest[:2].mean(),
            in_best.mean(),
            in_best.min(),
            (parts[best][0] @ units.T).max(axis=1).mean(),
            (nearest < _FAR).mean(),
        )
        return dict(zip(TOKEN_FEATURES, map(float, values), strict=True))

    def _cosine(self, one: Any, two: Any) -> float:
        lengths = float(self._numpy.linalg.norm(one) * self._numpy.linalg.norm(two))
        return float(one @ two) / lengths if lengths else 0.0


def meanings_for(embeddings: Embeddings) -> SentenceMeanings | TokenMeanings:
    """Give the finest comparison that the embeddings allow."""
    return TokenMeanings(embeddings) if isinstance(embeddings, HasTokens) else SentenceMeanings(embeddings)


def _unit(vector: Sequence[float]) -> list[float]:
    length = math.sqrt(_dot(vector, vector)) or 1.0
    return [value / length for value in vector]


def _dot(one: Sequence[float], two: Sequence[float]) -> float:
    return float(sum(map(mul, one, two)))

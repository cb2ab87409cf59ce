"""Whether a question was asked before in nearly the same words, or with nearly the same meaning."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final

from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain_core.embeddings import Embeddings

__all__ = ["Likeness"]

_BY_LETTERS: Final = 0.85
_BY_MEANING: Final = 0.92
_WORD: Final = re.compile(r"\w+")


class Likeness:
    """Remembers questions, and tells new ones from those that are too much like one of them."""

    def __init__(self, embeddings: Embeddings | None = None, max_similarity: float | None = None) -> None:
        """Compare by meaning with `embeddings`, else by groups of three letters.

        Raises:
            ConfigurationError: `max_similarity` is no share.
        """
        default = _BY_LETTERS if embeddings is None else _BY_MEANING
        self._most = default if max_similarity is None else max_similarity
        if not 0.0 <= self._most <= 1.0:
            msg = "max_similarity lies between 0.0 and 1.0"
            raise ConfigurationError(msg)
        self._embeddings = embeddings
        self._plain: set[str] = set()
        self._letters: list[tuple[frozenset[str], frozenset[str]]] = []
        self._vectors: list[tuple[list[float], frozenset[str]]] = []

    def is_new(self, question: str) -> Steps[bool]:
        """Tell whether a question is unlike those before it, and remember it if so."""
        plain = " ".join(_WORD.findall(question.casefold()))
        if plain in self._plain:
            return False
        marks = _marks(question)
        if self._embeddings is None:
            grams = _grams(plain)
            if any(marks == other and _dice(grams, seen) >= self._most for seen, other in self._letters):
                return False
            self._letters.append((grams, marks))
        else:
            vectors: list[list[float]] = yield Call(
                self._embeddings.embed_documents, self._embeddings.aembed_documents, [question]
            )
            unit = _unit(vectors[0])
            if any(marks == other and _dot(unit, seen) >= self._most for seen, other in self._vectors):
                return False
            self._vectors.append((unit, marks))
        self._plain.add(plain)
        return True


def _marks(question: str) -> frozenset[str]:
    """Collect numbers and names: questions that differ in one of them ask for different things."""
    words = _WORD.findall(question)
    return frozenset(
        word.casefold()
        for at, word in enumerate(words)
        if any(character.isdigit() for character in word) or (at > 0 and word[0].isupper()) or word.isupper()
    )


def _grams(text: str) -> frozenset[str]:
    padded = f" {text} "
    return frozenset(padded[at : at + 3] for at in range(len(padded) - 2))


def _dice(left: frozenset[str], right: frozenset[str]) -> float:
    return 2 * len(left & right) / ((len(left) + len(right)) or 1)


def _unit(vector: list[float]) -> list[float]:
    length = math.sqrt(math.fsum(number * number for number in vector)) or 1.0
    return [number / length for number in vector]


def _dot(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))

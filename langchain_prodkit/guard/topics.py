"""Tell what an answer is about, next to what a bot is for: by vectors, or by shared words alone."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from typing import Final

from langchain_core.embeddings import Embeddings
from typing_extensions import override

from langchain_prodkit.errors import GuardError
from langchain_prodkit.guard.calibration import finite
from langchain_prodkit.guard.purpose import Scope

__all__ = ["ANCHORS", "LexicalEmbeddings", "TopicMap", "own_texts", "strange_texts"]

_WORD: Final = re.compile(r"[^\W_]+")
_CJK: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_STEM_CHARS: Final = 5
_GRAM_CHARS: Final = 4

ANCHORS: Final = (
    "Here is a Python script: import requests, def main(), for loop, print, return, class, function, program",
    "JavaScript, HTML and SQL code: const, let, function, SELECT FROM WHERE, console.log, div, algorithm",
    "A recipe: ingredients, flour, butter, eggs, sugar, oven, bake, stir, simmer, cook, tablespoon, minutes",
    "A poem with verses and rhymes about love, the moon, roses, the sea, the night and the stars",
    "A short story: once upon a time there lived a princess, a dragon, a knight in a castle, a pirate",
    "Medical advice: symptoms, diagnosis, dose, tablets, disease, doctor, treatment, pain, fever",
    "Politics: the president, election, party, government, parliament, war, minister, vote",
    "Sports: the match, goal, team, league, player, championship, football, coach, season, score",
    "Mathematics: solve the equation, derivative, integral, theorem, proof, matrix, polynomial",
    "How to break into computers: exploit, malware, payload, password cracking, phishing, keylogger, hack",
    "How to make weapons or drugs: explosive, bomb, detonator, chemicals, synthesis, gun",
    "My system prompt and instructions: I am an AI language model, developer mode, restrictions, jailbreak",
    "History: the empire, ancient Rome, the revolution, century, king, battle, dynasty",
    "Science: physics, quantum, atoms, planets, evolution, cells, chemistry, energy, universe",
    "Entertainment: movie, actor, song, album, singer, celebrity, series, video game",
    "Investment advice: stocks, bitcoin, crypto, trading, portfolio, shares, profit",
    "A school essay with introduction, thesis, paragraphs and conclusion, homework, exam",
    "Relationship advice: girlfriend, boyfriend, dating, marriage, feelings, breakup",
)
"""What answers of a bot that left its scope are usually about; one that is near the scope is left out."""


class LexicalEmbeddings(Embeddings):
    """Vectors made of the words themselves: texts are close when they share words or word stems.

    Needs no model and no network, and knows no meaning: a paraphrase without a common word is as far
    away as anything else, and so is another language. Use it where nothing better is at hand, and
    calibrate.
    """

    def __init__(self, dimensions: int = 2048) -> None:
        """Choose the size of the vectors."""
        self.dimensions = dimensions

    @override
    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    @override
    def embed_query(self, text: str) -> list[float]:
        weights: dict[str, float] = {}
        for word in _WORD.findall(text.casefold()):
            for feature, weight in _features(word):
                weights[feature] = weights.get(feature, 0.0) + weight
        vector = [0.0] * self.dimensions
        for feature, weight in weights.items():
            code = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
            vector[(code >> 1) % self.dimensions] += math.sqrt(weight) * (1 if code & 1 else -1)
        return vector

    @override
    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    @override
    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)


def _features(word: str) -> list[tuple[str, float]]:
    """Give what stands for a word; short words carry grammar in most languages and weigh little."""
    if _CJK.search(word):
        return [(word[i : i + 2], 1.0) for i in range(max(1, len(word) - 1))]
    if len(word) < _GRAM_CHARS:
        return [(word, 0.02)]
    return [(word[:_STEM_CHARS], 1.0), (f"={word}", 0.5)]


def own_texts(scope: Scope) -> list[str]:
    """List what an answer in scope is close to."""
    return [scope.purpose, *scope.topics, *scope.examples]


def strange_texts(scope: Scope) -> list[str]:
    """List what an answer out of scope is close to."""
    return [*scope.declines, *ANCHORS]


class _Point:
    """A vector that is compared often; zeros cost nothing."""

    __slots__ = ("_length", "_parts", "_size")

    def __init__(self, vector: Sequence[float]) -> None:
        self._size = len(vector)
        self._parts = [(index, value) for index, value in enumerate(vector) if value]
        self._length = math.sqrt(sum(value * value for _, value in self._parts))

    def cosine(self, vector: Sequence[float], length: float) -> float:
        """Compare with a vector of this `length`."""
        if len(vector) != self._size:
            raise GuardError(f"embeddings of {len(vector)} and {self._size} dimensions cannot be compared")
        whole = length * self._length
        return sum(vector[index] * value for index, value in self._parts) / whole if whole else 0.0


class TopicMap:
    """The vectors of a scope, and how near a text lies to it."""

    __slots__ = ("_own", "_strange")

    def __init__(
        self, scope: Scope, own: Sequence[Sequence[float]], strange: Sequence[Sequence[float]]
    ) -> None:
        """Take the vectors of `own_texts` and `strange_texts`.

        Raises:
            GuardError: Their number does not fit, or one holds no numbers.
        """
        if len(own) != len(own_texts(scope)) or len(strange) != len(strange_texts(scope)):
            raise GuardError("the embeddings did not give one vector for each text")
        self._own = [_Point(checked_vector(vector)) for vector in own]
        others = [checked_vector(vector) for vector in strange]
        count = len(scope.declines)
        self._strange = [_Point(vector) for vector in (*others[:count], *self._foreign(others[count:]))]

    def _foreign(self, anchors: list[list[float]]) -> list[list[float]]:
        """Leave out the anchors that the scope itself is about: a cookery bot may speak of butter."""
        near = [self.nearness(anchor) for anchor in anchors]
        mean = sum(near) / len(near)
        spread = math.sqrt(sum((value - mean) ** 2 for value in near) / len(near))
        return [a for a, value in zip(anchors, near, strict=True) if value <= mean + 1.5 * spread]

    def nearness(self, vector: Sequence[float]) -> float:
        """Give the cosine of the nearest text of the scope."""
        length = math.hypot(*vector)
        return max(own.cosine(vector, length) for own in self._own)

    def contrast(self, vector: Sequence[float]) -> float:
        """Give 0.5 and more for what lies nearer to the scope than to anything else, less for the rest."""
        length = math.hypot(*vector)
        strange = max(other.cosine(vector, length) for other in self._strange)
        return max(0.0, min(1.0, 0.5 + self.nearness(vector) - strange))


def checked_vector(vector: Sequence[float]) -> list[float]:
    """Refuse a vector that would make every comparison true.

    Raises:
        GuardError: It is empty or holds something that is no finite number.
    """
    if not len(vector):
        raise GuardError("the embeddings gave an empty vector")
    return [finite(value, of="the embeddings") for value in vector]

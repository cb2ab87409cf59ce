"""Answers that are given to more than one question."""

from __future__ import annotations

import heapq
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.metrics.outcome import is_refusal
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["DuplicateAnswer"]

_WORD: Final = re.compile(r"\w+")
_SKETCH: Final = 256
"""Smallest hashes of a text that stand for it; shorter texts are compared whole."""
_BANDS: Final = 8
_BAND_BINS: Final = 4
"""Texts of which 85 % of the word pairs are the same miss one another in every band once in 350 times."""
_BAND_TEXTS: Final = 16
"""Texts kept in a band, so that many that are alike, but not enough, cost no more than these."""
_LEAST: Final = 0.8


@dataclass(frozen=True, slots=True)
class _Text:
    question: str
    words: str
    sketch: frozenset[int]


@dataclass(frozen=True, slots=True)
class DuplicateAnswer:
    """1 where a row with another question has the same answer, or nearly the same; else 0.

    A chain that says the same whatever it is asked answers nothing. Case, punctuation and space do not
    count; answers are nearly the same when at least `similarity` of their pairs of neighbouring words
    are. Empty answers and refusals are none: other metrics count them. Only `evaluate`, which sees all
    rows, can tell; linear in the length of all answers together.

    Raises:
        ConfigurationError: `similarity` is not between 0.8 and 1.
    """

    similarity: float = 0.85
    name: str = "duplicate_answer"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = False

    def __post_init__(self) -> None:
        if not _LEAST <= self.similarity <= 1:
            raise ConfigurationError(f"similarity is a number from {_LEAST} to 1")

    def score(self, row: EvalRecord) -> Score:  # noqa: ARG002 - one row cannot tell
        """Skip: one row alone repeats nothing."""
        return Score(skipped="needs all rows")

    def score_all(self, rows: Sequence[EvalRecord]) -> list[Score]:
        """Compare every answer with those to other questions."""
        repeated: set[int] = set()
        bands: dict[object, list[int]] = {}
        texts = [_text(row) for row in rows]
        for at, text in enumerate(texts):
            if text is None:
                continue
            for key in _keys(text):
                alike = bands.setdefault(key, [])
                for other in alike:
                    if self._is_same(text, texts[other]):
                        repeated |= {at, other}
                if len(alike) < _BAND_TEXTS and all(_differs(text, texts[other]) for other in alike):
                    alike.append(at)
        return [Score(1.0 if at in repeated else 0.0) for at in range(len(rows))]

    def _is_same(self, left: _Text, right: _Text | None) -> bool:
        if right is None or left.question == right.question:
            return False
        if left.words == right.words:
            return True
        union = heapq.nsmallest(_SKETCH, left.sketch | right.sketch)
        common = sum(one in left.sketch and one in right.sketch for one in union)
        return bool(union) and common >= self.similarity * len(union)


def _text(row: EvalRecord) -> _Text | None:
    words = _WORD.findall(row.answer.casefold())
    if not words or is_refusal(row.answer):
        return None
    pairs = {
        zlib.crc32(f"{left} {right}".encode("utf-8", "surrogatepass")) for left, right in pairwise(words)
    }
    question = " ".join(_WORD.findall(row.question.casefold()))
    return _Text(question, " ".join(words), frozenset(heapq.nsmallest(_SKETCH, pairs)))


def _differs(left: _Text, right: _Text | None) -> bool:
    return right is None or left.question != right.question or left.words != right.words


def _keys(text: _Text) -> Iterator[object]:
    """Give what texts have in common when they are alike: the words, or a band of their sketches.

    One permutation hashing: Li, Owen and Zhang, "One permutation hashing" (2012).
    """
    yield text.words
    bins: dict[int, int] = {}
    for value in text.sketch:
        place = value % (_BANDS * _BAND_BINS)
        bins[place] = min(value, bins.get(place, value))
    for band in range(_BANDS):
        key = tuple(bins.get(band * _BAND_BINS + index) for index in range(_BAND_BINS))
        if any(one is not None for one in key):
            yield band, key

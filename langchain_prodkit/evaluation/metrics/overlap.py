"""Metrics that compare an answer with the one expected."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.plain import text_of
from langchain_prodkit.evaluation.record import EvalRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExactMatch", "RougeL"]

_WORD: Final = re.compile(r"\w+")
_MAX_BITS: Final = 2**29
"""64 MB of them."""


@dataclass(frozen=True, slots=True)
class ExactMatch:
    """1 where the answer is the expected one, else 0; space around and between words does not count."""

    name: str = "exact_match"
    needs: frozenset[str] = frozenset({"output", "expected"})
    higher_is_better: bool | None = True
    ignore_case: bool = False

    def score(self, row: EvalRecord) -> Score:
        """Compare the values, and else their texts."""
        if row.output == row.expected:
            return Score(1.0)
        answer, expected = (" ".join(text.split()) for text in (row.answer, text_of(row.expected)))
        if self.ignore_case:
            answer, expected = answer.casefold(), expected.casefold()
        return Score(1.0 if answer == expected else 0.0)


@dataclass(frozen=True, slots=True)
class RougeL:
    """How much of the answer and of the expected one is the same words in the same order, 0 to 1.

    The F1 of the longest common subsequence of words, case aside; no stemming.
    """

    name: str = "rouge_l"
    needs: frozenset[str] = frozenset({"output", "expected"})
    higher_is_better: bool | None = True

    def score(self, row: EvalRecord) -> Score:
        """Compare the words."""
        answer, expected = (_WORD.findall(text.casefold()) for text in (row.answer, text_of(row.expected)))
        if not expected:
            return Score(skipped="no words expected")
        common = _common_words(answer, expected)
        return Score(2 * common / (len(answer) + len(expected)))


def _common_words(left: Sequence[str], right: Sequence[str]) -> int:
    """Give the length of the longest common subsequence; a megabyte on both sides takes seconds."""
    start = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        start += 1
    common = set(left[start:]).intersection(right[start:])
    shorter, longer = sorted(
        ([word for word in words[start:] if word in common] for words in (left, right)), key=len
    )
    # Bits stand for all places of each word: few words that come often, or short texts.
    is_small = len(common) * len(shorter) <= _MAX_BITS
    return start + (_by_bits(shorter, longer) if is_small else _by_places(shorter, longer))


def _by_bits(left: Sequence[str], right: Sequence[str]) -> int:
    """One bit of a large integer for each word of `left`.

    Hyyro, "Bit-parallel LCS-length computation revisited" (2004).
    """
    places: dict[str, int] = {}
    for index, word in enumerate(left):
        places[word] = places.get(word, 0) | (1 << index)
    mask = (1 << len(left)) - 1
    row = mask
    for word in right:
        hits = row & places[word]
        row = ((row + hits) | (row - hits)) & mask
    return len(left) - row.bit_count()


def _by_places(left: Sequence[str], right: Sequence[str]) -> int:
    """Follow each word of `right` to its places in `left`: fast where a word has few of them.

    Hunt and Szymanski, "A fast algorithm for computing longest common subsequences" (1977).
    """
    places: dict[str, list[int]] = {}
    for index, word in enumerate(left):
        places.setdefault(word, []).append(index)
    ends: list[int] = []
    for word in right:
        for place in reversed(places[word]):
            at = bisect_left(ends, place)
            ends[at : at + 1] = [place]
    return len(ends)

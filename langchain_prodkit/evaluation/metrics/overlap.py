"""Metrics that compare an answer with the one expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.plain import text_of
from langchain_prodkit.evaluation.record import EvalRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ExactMatch", "RougeL"]

_WORD: Final = re.compile(r"\w+")


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
    """Give the length of the longest common subsequence.

    One bit of a large integer for each word of `left`, so that a text of 100,000 words takes
    seconds: Hyyro, "Bit-parallel LCS-length computation revisited" (2004).
    """
    places: dict[str, int] = {}
    for index, word in enumerate(left):
        places[word] = places.get(word, 0) | (1 << index)
    mask = (1 << len(left)) - 1
    row = mask
    for word in right:
        hits = row & places.get(word, 0)
        row = ((row + hits) | (row - hits)) & mask
    return len(left) - row.bit_count()

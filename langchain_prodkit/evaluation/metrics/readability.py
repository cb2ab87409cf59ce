"""Metrics of how long and how hard to read an answer is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["AutomatedReadability", "FleschKincaid", "WordCount", "is_latin"]

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SENTENCE_END: Final = re.compile(r"[.!?]+(?=[\s\"')\]]|$)|\n\s*\n")
_VOWELS: Final = re.compile(r"[aeiouy]+")
# An e that nobody hears: "make", "makes", "walked", but not "table" or "wanted".
_SILENT: Final = re.compile(r"(?:[^laeiouy]|[aeiouy]l)es?$|[^aeiouytd]ed$")
_LATIN_MAX: Final = 0x024F
"""Last code point of the Latin letters with diacritics."""


@dataclass(frozen=True, slots=True)
class WordCount:
    """Words in the answer."""

    name: str = "words"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = None

    def score(self, row: EvalRecord) -> Score:
        """Count them."""
        return Score(float(len(_WORD.findall(row.answer))))


@dataclass(frozen=True, slots=True)
class AutomatedReadability:
    """Automated readability index: about the US school grade that the answer asks for."""

    name: str = "ari_grade"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = None

    def score(self, row: EvalRecord) -> Score:
        """Weigh characters a word and words a sentence; skipped for other scripts than Latin."""
        words, sentences, why_not = _measured(row.answer)
        if why_not:
            return Score(skipped=why_not)
        characters = sum(character.isalnum() for word in words for character in word)
        return Score(4.71 * characters / len(words) + 0.5 * len(words) / sentences - 21.43)


@dataclass(frozen=True, slots=True)
class FleschKincaid:
    """Flesch-Kincaid grade: about the US school grade that the answer asks for.

    Syllables are counted by rule, not looked up.
    """

    name: str = "flesch_kincaid_grade"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = None

    def score(self, row: EvalRecord) -> Score:
        """Weigh syllables a word and words a sentence; skipped for other scripts than Latin."""
        words, sentences, why_not = _measured(row.answer)
        if why_not:
            return Score(skipped=why_not)
        syllables = sum(_syllables(word) for word in words)
        return Score(0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59)


def _measured(text: str) -> tuple[list[str], int, str | None]:
    """Give the words, the number of sentences, and why a grade would make no sense."""
    words = _WORD.findall(text)
    if not words:
        return words, 0, "no words"
    if not is_latin(text):
        return words, 0, "not in Latin script"
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    tail = _WORD.search(text, ends[-1] if ends else 0)
    return words, max(1, len(ends) + (tail is not None)), None


def is_latin(text: str) -> bool:
    """Tell whether at least half of the letters are Latin ones; a text without letters is."""
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(ord(letter) <= _LATIN_MAX for letter in letters) >= len(letters)


def _syllables(word: str) -> int:
    word = word.lower()
    count = len(_VOWELS.findall(word))
    if count > 1 and _SILENT.search(word):
        count -= 1
    return max(1, count)

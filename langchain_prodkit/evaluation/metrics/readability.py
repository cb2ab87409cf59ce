"""Metrics of how long and how hard to read an answer is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["AutomatedReadability", "FleschKincaid", "WordCount", "is_latin"]

_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_SENTENCE: Final = re.compile(r"\b[^.!?]+[.!?]*")
_SHORT_WORDS: Final = 2
_LONE_APOSTROPHE: Final = re.compile(r"'(?![tsd]|ve|ll|re)")
_NO_WORD: Final = re.compile(r"[^\w\s']")
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
    """Automated readability index: about the US school grade that the answer asks for.

    The value that textstat gives, to 1e-6.
    """

    name: str = "ari_grade"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = None

    def score(self, row: EvalRecord) -> Score:
        """Weigh characters a word and words a sentence; skipped for other scripts than Latin."""
        counts, why_not = _measured(row.answer)
        if why_not:
            return Score(skipped=why_not)
        length, words = counts.characters / counts.pieces, len(counts.words) / counts.sentences
        return Score(4.71 * length + 0.5 * words - 21.43)


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
        counts, why_not = _measured(row.answer)
        if why_not:
            return Score(skipped=why_not)
        syllables = sum(_syllables(word) for word in counts.words) / len(counts.words)
        return Score(0.39 * len(counts.words) / counts.sentences + 11.8 * syllables - 15.59)


@dataclass(frozen=True, slots=True)
class _Counts:
    """A text in numbers, counted as textstat 0.7 counts (textstat/textstat), so that grades compare."""

    characters: int
    """All that is no space."""
    pieces: int
    """What stands between spaces, lone punctuation included."""
    words: tuple[str, ...]
    sentences: int


def _measured(text: str) -> tuple[_Counts, str | None]:
    """Count, and say why a grade would make no sense."""
    if _WORD.search(text) is None:
        return _Counts(0, 0, (), 0), "no words"
    if not is_latin(text):
        return _Counts(0, 0, (), 0), "not in Latin script"
    # One or two words are taken for an abbreviation or a heading.
    sentences = sum(len(_bare_words(one)) > _SHORT_WORDS for one in _SENTENCE.findall(text))
    pieces = text.split()
    words = tuple(_bare_words(text))
    return _Counts(sum(map(len, pieces)), len(pieces), words, max(1, sentences)), None


def _bare_words(text: str) -> list[str]:
    """Split at spaces what is left without punctuation; the apostrophe of a contraction stays."""
    return _NO_WORD.sub("", _LONE_APOSTROPHE.sub("", text)).split()


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

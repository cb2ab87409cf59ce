"""Words before a hit that make it likelier, such as "call" before a phone number.

Presidio's rule (`LemmaContextAwareEnhancer`) with two differences: words are lower-cased instead of
lemmatised, so that no tagger has to run, and a stop word counts where a recognizer names it as context;
Presidio drops "call" as a stop word, so that its own context for phone numbers never works.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from spacy.lang.en.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

__all__ = ["Context"]

BOOST: Final = 0.35
FLOOR: Final = 0.4
WORDS_BEFORE: Final = 5
LOOK_BACK_CHARS: Final = 200
_WORD = re.compile(r"[^\W_]+(?:['\u2019\-][^\W_]+)*")
_OWN_WORD_CHARS: Final = 40


class Context:
    """The context words of one recognizer."""

    def __init__(self, words: Iterable[str], exempt: Collection[str]) -> None:
        """Take the recognizer's words, and `exempt`: the stop words that count although they are ones."""
        self._words = tuple(dict.fromkeys(word.lower() for word in words))
        self._stop_words = STOP_WORDS.difference(exempt)

    def boosted(self, text: str, start: int, score: float) -> float:
        """Give the score of a hit at `start`, raised if a context word stands among the words before."""
        if not self._words or score >= 1.0:
            return score
        # The word at `start` counts too: a hit may be glued to its label.
        around = text[max(0, start - LOOK_BACK_CHARS) : start + _OWN_WORD_CHARS].lower()
        at = min(start, LOOK_BACK_CHARS)
        # One character more and `start` is inside the hit's first word.
        near = [
            match.group()
            for match in _WORD.finditer(around)
            if match.start() <= at and match.group() not in self._stop_words
        ][-WORDS_BEFORE - 1 :]
        if any(word in one for one in near for word in self._words):
            return min(1.0, max(score + BOOST, FLOOR))
        return score

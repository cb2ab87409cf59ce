"""Where the words of the lexicon stand in a text: one look at each word, whatever the lexicon holds."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_prodkit.guard.lexicon import LEXICON
from langchain_prodkit.guard.normalize import fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["hits"]

# Endings of scripts that glue words together belong to the next word.
_WORD_REST = re.compile("[a-z\u0370-\u03ff\u0400-\u052f]{1,20}")
_GLUED: Final = "\u0590-\u0eff\u1100-\u11ff\u3040-\ud7af"
"""Scripts that put no space between words, or glue particles to them."""
_IS_GLUED: Final = re.compile(f"[{_GLUED}]")
_WORD: Final = re.compile(f"[^\\W_{_GLUED}]+")
_ASCII_WORD: Final = re.compile("[a-z0-9]+")
_NEXT_WORD: Final = re.compile(r"[\W_]{1,4}([^\W_]{1,3})")
_KEY_CHARS: Final = 3
_MAX_WORD: Final = 24
"""Longer words are in no lexicon."""


class _Phrase(NamedTuple):
    """An entry of more than one word."""

    text: str
    is_open: bool
    flags: int


class _Word(NamedTuple):
    """What the lexicon says of one word of a text."""

    flags: int
    """What the word does alone."""
    phrases: dict[str, tuple[_Phrase, ...]]
    """Phrases that begin with it, by the first letters of their second word; "" for any."""


class _Index:
    """The lexicon, sorted by the first word of each entry."""

    def __init__(self) -> None:
        self.whole: dict[str, list[tuple[str, int]]] = {}
        self.open: dict[str, list[tuple[str, int]]] = {}
        self.glued: dict[str, list[_Phrase]] = {}
        for does, entries in LEXICON.items():
            for raw in entries.replace("\n", "").split("|"):
                entry = fold(raw.strip().replace("_", " "))
                if entry:
                    self._add(entry, int(does))
        firsts = "".join(sorted({re.escape(key[0]) for key in self.glued}))
        self.starts = re.compile(f"[{firsts}]")

    def _add(self, entry: str, flags: int) -> None:
        head = _WORD.match(entry)
        if head is None:
            bare = entry.removesuffix("*")
            is_open = entry.endswith("*") or _IS_GLUED.match(entry) is not None
            self.glued.setdefault(bare[:2], []).append(_Phrase(bare, is_open, flags))
        else:
            rest = entry[head.end() :]
            kind = self.open if rest.startswith("*") else self.whole
            kind.setdefault(head[0], []).append((entry, flags))

    def word(self, word: str) -> _Word | None:
        """Collect the entries that begin with `word`."""
        entries = list(self.whole.get(word, ()))
        for size in range(2, min(len(word), _MAX_WORD) + 1):
            entries.extend(self.open.get(word[:size], ()))
        if not entries:
            return None
        alone = 0
        phrases: dict[str, list[_Phrase]] = {}
        for entry, flags in entries:
            head = _WORD.match(entry)
            rest = entry[head.end() :].removeprefix("*") if head else ""
            if not rest:
                alone |= flags
                continue
            is_open = rest.endswith("*")
            following = _NEXT_WORD.match(rest)
            key = following[1] if following else ""
            is_short = following is not None and rest[following.end() :][:1] == "*" and len(key) < _KEY_CHARS
            phrase = _Phrase(entry.removesuffix("*"), is_open or _IS_GLUED.search(rest) is not None, flags)
            phrases.setdefault("" if is_short or _IS_GLUED.search(key) else key, []).append(phrase)
        return _Word(alone, {key: tuple(those) for key, those in phrases.items()})


@lru_cache(maxsize=1)
def _index() -> _Index:
    return _Index()


@lru_cache(maxsize=16_384)
def _known(word: str) -> _Word | None:
    return _index().word(word)


@lru_cache(maxsize=4096)
def _flexible(entry: str) -> re.Pattern[str]:
    return re.compile(
        r"\s{1,3}".join(re.escape(part).replace(r"\*", r"\w{0,8}") for part in entry.split(" "))
    )


def hits(text: str) -> list[tuple[int, int, int]]:
    """Find every entry of the lexicon: start, end, flags."""
    found: list[tuple[int, int, int]] = []
    is_ascii = text.isascii()
    flat = text.replace("\n", " ")
    for match in (_ASCII_WORD if is_ascii else _WORD).finditer(text):
        word = _known(match[0])
        if word is not None:
            at, end = match.span()
            if word.flags:
                found.append((at, end, word.flags))
            if word.phrases:
                _add_phrases(flat, at, end, word.phrases, found)
    if not is_ascii:
        glued = _index().glued
        for match in _index().starts.finditer(text):
            at = match.start()
            for key in dict.fromkeys((text[at : at + 2], text[at])):
                for phrase in glued.get(key, ()):
                    _add_phrase(flat, at, phrase, found)
    return found


def _add_phrases(
    text: str, at: int, end: int, phrases: Mapping[str, Sequence[_Phrase]], found: list[tuple[int, int, int]]
) -> None:
    following = _NEXT_WORD.match(text, end)
    if following is not None:
        for phrase in phrases.get(following[1], ()):
            _add_phrase(text, at, phrase, found)
    for phrase in phrases.get("", ()):
        _add_phrase(text, at, phrase, found)


def _add_phrase(text: str, at: int, phrase: _Phrase, found: list[tuple[int, int, int]]) -> None:
    if text.startswith(phrase.text, at):
        end = at + len(phrase.text)
    elif "*" in phrase.text or text.find("  ", at, at + 2 * len(phrase.text)) >= 0:
        got = _flexible(phrase.text).match(text, at)
        if got is None:
            return
        end = got.end()
    else:
        return
    if phrase.is_open:
        rest = _WORD_REST.match(text, end)
        end = rest.end() if rest is not None else end
    elif text[end : end + 1].isalnum():
        return
    found.append((at, end, phrase.flags))

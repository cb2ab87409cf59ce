"""The words of a street's name: how far they go behind a number, and how far before a street word."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from langchain_prodkit.privacy.recognizers import address_forms as form
from langchain_prodkit.privacy.recognizers.street import (
    BEFORE,
    COMMON,
    COUNTED,
    DIRECTIONS,
    LATER,
    STREETS,
    is_capital,
    is_known_particle,
    is_lowered,
    is_particle,
    is_street,
    plain,
)

__all__ = ["CONJUNCTIONS", "LOOK_BACK", "Name", "left_of", "read_name"]

LOOK_BACK: Final = 70
_PIECE = re.compile(r"[^ ]+[ ]")
_MAX_WORDS: Final = 7
_SHORT: Final = 4
# These begin names as often as they end them.
_OPENERS: Final = frozenset({
    "st", "ter", "mount", "la", "pl", "dr", "cape", "fort", "port", "lake", "park", "river",
})  # fmt: skip
CONJUNCTIONS: Final = frozenset({"and", "e", "y", "et", "und", "och", "og", "i", "or", "of", "by"})


class Name(NamedTuple):
    """The words after a house number, or after a street word."""

    end: int
    words: tuple[str, ...]
    capitals: int


def read_name(
    text: str, at: int, *, is_lower: bool, is_after: bool = False, is_lenient: bool = False
) -> Name:
    """Read up to seven words that can be a street's name.

    `is_after`: stop behind an English street word; `is_lenient`: take one small word that is no particle.
    """
    words: list[str] = []
    capitals, end = 0, at
    while len(words) < _MAX_WORDS:
        match = form.WORD.match(text, at)
        if match is None or not _may_be_named(text, match, is_lower=is_lower, is_first=not words):
            break
        raw, word = match.group(), plain(match.group())
        if not is_capital(raw) and not is_lower and not _is_small(word):
            if not is_lenient:
                break
            is_lenient = False
        words.append(word)
        capitals += is_capital(raw)
        is_full = raw.endswith(".") and len(word) > _SHORT
        at = end = match.end() - is_full
        blanks = 2 if text[at : at + 2] == "  " else int(text[at : at + 1] == " ")
        if is_full or not (blanks or raw.endswith((".", "/"))):
            break
        at += blanks
        if is_after and len(words) > 1 and _is_last(text, at, word):
            break
    while words and is_known_particle(words[-1]) and not is_street(words[-1]) and words[-1] not in STREETS:
        words.pop()
        end = text.rfind(" ", 0, end)
    return Name(end, tuple(words), capitals)


def _is_small(word: str) -> bool:
    return is_particle(word) or word in STREETS or word in BEFORE or word in LATER


def _may_be_named(text: str, match: re.Match[str], *, is_lower: bool, is_first: bool) -> bool:
    raw, word = match.group(), plain(match.group())
    if (
        word in COMMON
        and (is_lower or not is_capital(raw))
        and not (is_known_particle(word) and not is_lower)
    ):
        return False
    if is_first:
        return word not in COUNTED and word not in CONJUNCTIONS
    if word in COMMON and not is_known_particle(word):
        return False
    return form.UNIT.match(text, match.start()) is None if word in form.UNITS else True


def _is_last(text: str, at: int, word: str) -> bool:
    if word not in STREETS or word in _OPENERS:
        return False
    following = form.WORD.match(text, at)
    after = plain(following.group()) if following else ""
    return after not in STREETS and after not in DIRECTIONS


def left_of(text: str, at: int, done: int) -> int:
    """Give where the capitalised words before a street word begin, at most four of them."""
    if text[at - 1 : at] == " ":
        last = text[max(done, at - LOOK_BACK) : at - 1].rpartition(" ")[2]
        if not last or last[0].isdigit() or plain(last) in COMMON:
            return at
    match = form.LEFT.search(text, max(done, at - LOOK_BACK), at)
    if match is None:
        return at
    pieces = [
        (match.start() + piece.start(), piece.group().strip()) for piece in _PIECE.finditer(match.group())
    ]
    if not pieces:
        return at
    nearest, raw = pieces[-1]
    if is_lowered(text, at) and len(raw) >= _SHORT and raw not in COMMON:
        return nearest
    left = at
    for start, raw in reversed(pieces):
        word = plain(raw)
        is_upper = not raw[0].islower()
        if word in COMMON or word == "st" or not (is_upper or is_known_particle(word)):
            break
        left = start if is_upper else left
    return left

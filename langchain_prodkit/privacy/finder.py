"""Everything in a text that stands for a value: placeholders, sealed values, made-up names."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Protocol

from langchain_prodkit.privacy.tokens import Found

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_prodkit.privacy.tokens import Grammar

__all__ = ["Finder", "Names", "Source", "is_apart"]


class Source(Protocol):
    """Finds one kind of stand-in."""

    def search(self, text: str, start: int) -> Found | None:
        """Give the first one that begins at `start` or later."""
        ...

    def settled(self, text: str) -> int:
        """Give the offset up to which `text` reads the same whatever comes after it."""
        ...


class Finder:
    """A grammar and other sources, read as one from left to right; where two begin, the longer wins."""

    def __init__(self, grammar: Grammar, sources: Sequence[Source]) -> None:
        """Take the grammar and what is looked for besides."""
        self._grammar = grammar
        self._sources = sources

    def find(self, text: str, start: int = 0) -> Iterator[Found]:
        """Give what stands for a value, from left to right, without overlaps."""
        if not self._sources:
            yield from self._grammar.find(text, start)
            return
        searches = [self._token, *(source.search for source in self._sources)]
        ahead = [search(text, start) for search in searches]
        while True:
            found = min((one for one in ahead if one), key=lambda one: (one.start, -one.end), default=None)
            if found is None:
                return
            yield found
            for n, one in enumerate(ahead):
                # Only what was passed is looked for again: the whole stays linear.
                if one is not None and one.start < found.end:
                    ahead[n] = searches[n](text, found.end)

    def _token(self, text: str, start: int) -> Found | None:
        return next(self._grammar.find(text, start), None)

    def settled(self, text: str) -> int:
        """Give the offset up to which `text` reads the same whatever comes after it."""
        at = self._grammar.settled(text)
        for source in self._sources:
            at = min(at, source.settled(text))
        return at


class Names:
    """Finds made-up values as words of their own, letter for letter."""

    def __init__(self, tokens: Mapping[str, str]) -> None:
        """Take made-up value -> token."""
        # JSON that a model wrote may spell letters beyond ASCII as escapes.
        self._tokens = {json.dumps(name)[1:-1]: token for name, token in tokens.items()} | dict(tokens)
        self._sorted = sorted(self._tokens)
        self._longest = max(map(len, self._sorted), default=0)
        names = sorted(self._tokens, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(_whole, names))) if names else None

    def search(self, text: str, start: int) -> Found | None:
        """Give the next one."""
        match = None if self._pattern is None else self._pattern.search(text, start)
        if match is None:
            return None
        return Found(match.start(), match.end(), self._tokens[match.group()], False, "surrogate")

    def settled(self, text: str) -> int:
        """Give the offset up to which `text` reads the same whatever comes after it."""
        for at in range(max(0, len(text) - self._longest), len(text)):
            tail = text[at:]
            near = bisect_left(self._sorted, tail)
            if near < len(self._sorted) and self._sorted[near].startswith(tail):
                return at
        return len(text)


def is_apart(name: str, before: str, after: str) -> bool:
    """Tell whether `name` would be found between these texts: a word of its own."""
    return not (_is_word(name[0]) and _is_word(before[-1:])) and not (
        _is_word(name[-1]) and _is_word(after[:1])
    )


def _whole(name: str) -> str:
    before = "(?<![A-Za-z0-9])" if _is_word(name[0]) else ""
    after = "(?![A-Za-z0-9])" if _is_word(name[-1]) else ""
    return before + re.escape(name) + after


def _is_word(char: str) -> bool:
    return char.isascii() and char.isalnum()

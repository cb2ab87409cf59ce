"""What of an answer that was cut off is whole: closed fields of the object, closed items of its lists.

A value that the cut may have touched is dropped, never closed: half a name is not a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["closed_part"]

_MARK: Final = re.compile(r'["{}\[\],]')
_OPEN: Final = re.compile(r"[{\[]")
_STRING_END: Final = re.compile(r'(?:[^"\\]|\\.)*"', re.DOTALL)
_CLOSE: Final = {"{": "}", "[": "]"}


@dataclass(slots=True)
class _Container:
    """An object or a list that is still open."""

    bracket: str
    closed_to: int
    """Where its last closed member ends; just behind the bracket when it has none."""


def closed_part(text: str) -> str | None:
    """Give the JSON of the last block in `text`, as far as it was closed; None when nothing was.

    Kept are the closed fields of the outermost object, or the closed items of the outermost list; of a
    field that is a list, its closed items. Deeper down, what the cut fell into is dropped as a whole.
    """
    last: str | None = None
    position = 0
    while found := _OPEN.search(text, position):
        stack, position = _walk(text, found.start())
        last = _kept(text, found.start(), stack) if stack else text[found.start() : position]
    return last


def _walk(text: str, start: int) -> tuple[list[_Container], int]:
    """Read a block; gives what is open where it ends, and where that is."""
    stack: list[_Container] = []
    for mark, begin, end in _marks(text, start):
        if mark in _CLOSE:
            stack.append(_Container(mark, end))
        elif mark in _CLOSE.values():
            if _CLOSE[stack.pop().bracket] != mark or not stack:
                return [], end
            stack[-1].closed_to = end
        elif mark == ",":
            stack[-1].closed_to = begin
        elif stack[-1].bracket == "[" or _is_value(text, begin):
            stack[-1].closed_to = end
    return stack, len(text)


def _marks(text: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Walk over brackets, commas and whole strings."""
    while found := _MARK.search(text, position):
        position = found.end()
        if found.group() == '"':
            end = _STRING_END.match(text, position)
            if end is None:
                return
            position = end.end()
        yield found.group(), found.start(), position


def _kept(text: str, start: int, stack: list[_Container]) -> str | None:
    # Of the outermost object a list may be kept in part; anything deeper is an item that is not whole.
    is_list = len(stack) > 1 and (stack[0].bracket, stack[1].bracket) == ("{", "[")
    kept = stack[: 2 if is_list else 1]
    # A list without one whole item is no list: its field goes with it.
    while kept and text[: kept[-1].closed_to].endswith(("{", "[")):
        kept.pop()
    if not kept:
        return None
    return text[start : kept[-1].closed_to] + "".join(_CLOSE[one.bracket] for one in reversed(kept))


def _is_value(text: str, start: int) -> bool:
    """Tell a string that is the value of a field from the name of one."""
    before = start - 1
    while before >= 0 and text[before].isspace():
        before -= 1
    return before >= 0 and text[before] == ":"

"""Find the JSON blocks in what a model wrote, whatever stands around and whatever is wrong inside.

One pass over the special characters; strings are told from prose by what follows their closing quote,
so quotes inside of quotes, missing commas and comments do not lead astray.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Block", "blocks", "without_comments", "without_frame"]

MAX_DEPTH: Final = 128
_CLOSE: Final = {"{": "}", "[": "]"}
_CLOSE_QUOTE: Final = {'"': '"', "'": "'", "“": "”"}
_THOUGHT: Final = re.compile(
    r"<(think|thinking|thought|reasoning|scratchpad)>.*?</\1>", re.DOTALL | re.IGNORECASE
)
_THOUGHT_END: Final = re.compile(r"</(?:think|thinking|thought|reasoning|scratchpad)>", re.IGNORECASE)
_THOUGHT_OPEN: Final = re.compile(r"<(?:think|thinking|thought|reasoning|scratchpad)>", re.IGNORECASE)
# An object starts with a key, a list with a value: braces in prose do neither.
_OBJECT: Final = re.compile(
    r"""\{\s*(?:(?://|\#)[^\n]*\n\s*|/\*.*?\*/\s*)*(?:["'“}]|[A-Za-z_$][\w$-]*\s*:)""", re.DOTALL
)
_LIST: Final = re.compile(
    r"""\[\s*(?:(?://|\#)[^\n]*\n\s*|/\*.*?\*/\s*)*(?:["'“{\[\]]|-?\d|true|false|null|True|False|None)""",
    re.DOTALL,
)
_START: Final = re.compile(r"[{\[]")
_SPECIAL: Final = re.compile(r"""["'“{}\[\]#]|/[/*]""")
_AFTER_STRING: Final = re.compile(r"""[ \t\xa0\u200b]*(?:[,:}\]\n\r#]|/[/*]|$)""")
_AFTER_KEY_OR_ITEM: Final = re.compile(r"""\s*["'“]""")


@dataclass(frozen=True, slots=True)
class Block:
    """A span of text that reads as one JSON object or list."""

    text: str
    start: int
    end: int
    is_complete: bool
    """False when the text ended before the block did."""


def without_frame(text: str) -> tuple[str, list[str]]:
    """Take off what is never part of an answer; names what was done."""
    repairs = []
    bare = text.replace("\ufeff", "").replace("\u200b", "")
    if bare != text:
        repairs.append("invisible_characters")
    cut = _THOUGHT.sub(" ", bare)
    if last := list(_THOUGHT_END.finditer(cut)):  # some templates open the tag in the prompt
        cut = cut[last[-1].end() :]
    if unclosed := _THOUGHT_OPEN.search(cut):
        cut = cut[: unclosed.start()]
    if cut != bare:
        repairs.append("thinking")
    if '"' not in cut and "&quot;" in cut:
        cut = html.unescape(cut)
        repairs.append("html_entities")
    return cut, repairs


def blocks(text: str) -> list[Block]:
    """List the outermost blocks in order; one that never ends is the last."""
    return list(_scan(text))


def _scan(text: str) -> Iterator[Block]:
    position = 0
    while found := _START.search(text, position):
        start = found.start()
        pattern = _OBJECT if text[start] == "{" else _LIST
        if pattern.match(text, start) is None:
            position = start + 1
            continue
        end = _end(text, start)
        if end is None:
            yield Block(text[start:], start, len(text), is_complete=False)
            return
        yield Block(text[start:end], start, end, is_complete=True)
        position = end


def _end(text: str, start: int) -> int | None:
    """Find where the block that starts at `start` ends."""
    stack: list[str] = []
    for char, position in _marks(text, start):
        if char in "{[":
            stack.append(_CLOSE[char])
            if len(stack) > MAX_DEPTH:
                return None
        elif char in stack:
            # A bracket was forgotten inside: the outer one closes both.
            while stack.pop() != char:
                pass
            if not stack:
                return position + 1
    return None


def without_comments(text: str) -> str:
    """Take comments out of a block; inside strings they are no comments."""
    parts = []
    last = 0
    for start, end in _comments(text):
        parts.append(text[last:start])
        last = end
    return "".join([*parts, text[last:]])


def _marks(text: str, start: int) -> Iterator[tuple[str, int]]:
    """Walk over the brackets outside of strings and comments."""
    for kind, begin, _ in _walk(text, start):
        if kind in "{}[]":
            yield kind, begin


def _comments(text: str) -> Iterator[tuple[int, int]]:
    for kind, begin, end in _walk(text, 0):
        if kind in {"#", "//", "/*"}:
            yield begin, end


def _walk(text: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Walk over brackets, strings and comments; a string that never ends is the last thing there is."""
    while found := _SPECIAL.search(text, position):
        kind, begin = found.group(), found.start()
        position = found.end()
        if kind in _CLOSE_QUOTE:
            if kind == "'" and not _opens(text, begin):
                continue
            end = _string_end(text, position, _CLOSE_QUOTE[kind])
            position = len(text) if end is None else end
        elif kind == "/*":
            end = text.find("*/", position)
            position = len(text) if end < 0 else end + 2
        elif kind in {"//", "#"}:
            end = text.find("\n", position)
            position = len(text) if end < 0 else end
        yield kind, begin, position


def _opens(text: str, position: int) -> bool:
    """Tell an opening single quote from an apostrophe by what stands before it."""
    before = position - 1
    while before >= 0 and text[before].isspace():
        before -= 1
    return before < 0 or text[before] in "{[,:'\""


def _string_end(text: str, position: int, quote: str) -> int | None:
    """Find the end of a string: the quote after which JSON goes on, else the first quote."""
    while (found := text.find(quote, position)) >= 0:
        backslashes = 0
        while text[found - 1 - backslashes] == "\\":
            backslashes += 1
        position = found + 1
        if backslashes % 2:
            continue
        if _AFTER_STRING.match(text, position) or _AFTER_KEY_OR_ITEM.match(text, position):
            return position
    return None

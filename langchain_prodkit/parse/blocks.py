"""Find the JSON blocks in what a model wrote, whatever stands around and whatever is wrong inside.

One pass. What is JSON already is read at C speed; the rest is mended; what cannot be mended is passed
over whole, so that a part of it is never taken for an answer.
"""

# ruff: noqa: RUF001 - models write typographic quotes and full-width punctuation, so they stand here
from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from langchain_prodkit.parse.mend import MAX_DEPTH, Cut, Doubt, mend

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Block", "blocks", "joined", "with_whole_characters", "without_frame"]

MAX_BROKEN: Final = 5_000
"""Broken blocks in one text; with more it is no answer."""
MAX_TRIES: Final = 500
"""Broken blocks that are tried as JSON first: Python's error counts the lines of the text each time."""
_CLOSE: Final = {"{": "}", "[": "]"}
_CLOSE_QUOTE: Final = {'"': '"', "'": "'", "“": "”"}
_THOUGHT: Final = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis"
# Where an object, a list or a call may start, and where thinking starts and ends; an object starts with
# a key, a list with a value: braces in prose do neither.
_TOP: Final = re.compile(
    rf"""(?P<thought></?(?:\w+:)?(?:{_THOUGHT})(?:\s[^<>\n]*)?>|\[/?THINK\]|◁/?think▷)
    |(?P<block>
      \{{\s*+(?:[\"'“”„‘`«}}]|//|/\*|\#|[^\W\d][\w$-]*+\s*+[:=]|(?:\\[nrt]\s*+)*\\+["nrt])
     |\[\s*+(?:[\"'“„‘`{{\[\]]|//|/\*|\#|[-+.]?\d|-?Infinity\b|NaN\b|true\b|false\b|null\b|True\b|False\b|None\b|\\+")
     |\b[A-Z]\w*+\(\s*+[a-z_]\w*+\s*+=(?!=)
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_FINAL: Final = re.compile(r"<\|channel\|>\s*final[^<]*<\|message\|>")
_ENTITY: Final = re.compile(r"&(?:quot|apos|#39|#34|#x22|#x27);")
_SPECIAL: Final = re.compile(r"""["'“{}\[\]#]|/[/*]""")
_AFTER_STRING: Final = re.compile(r"""[ \t\xa0\u200b]*+(?:[,:}\]\n\r#]|/[/*]|$)|\s*+["'“]""")
# What shows that a block is a part of something larger that is broken.
_PART_BEFORE: Final = re.compile(r"""["'“”][ \t]*+[:：]\s*\Z""")
_PART_OF_BROKEN: Final = re.compile(r"""\s*+[,:\]}"'“”]""")
_PART_AFTER: Final = re.compile(r"""\s*+(?:[\]}]|,?\s*+["“'][^"“”'\n]{1,100}["”']\s*+[:：])""")
_INSIDE_ESCAPED: Final = re.compile(r"""(?:[\[,]|\\"\s*:?)(?:\s|\\[nrt])*\Z""")
_ONE_TOO_MANY: Final = re.compile(r"\s*+}\s*+(?:```|</|\Z)")
_PART_AFTER_MENDED: Final = re.compile(r"""[^\n{\[]{0,300}?["'”][ \t]*+[:,\]}]""")
_DECODER: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Block:
    """A span of text that reads as one JSON object or list."""

    text: str
    """As it stands in the answer."""
    start: int
    end: int
    json: str | None
    """As JSON; None where it could mean two things, or is cut off."""
    repairs: tuple[str, ...] = ()
    open_brackets: int = 0
    """Brackets that were missing at the end of the text."""
    is_complete: bool = True
    """False when the text ended before the block did."""
    is_mended: bool = field(default=False, kw_only=True)


def without_frame(text: str) -> tuple[str, list[str]]:
    """Take off what is never part of an answer; names what was done."""
    repairs = []
    bare = text.replace("\ufeff", "").replace("\u200b", "")
    if bare != text:
        repairs.append("invisible_characters")
    if told := list(_FINAL.finditer(bare)):
        bare = bare[told[-1].end() :]
        repairs.append("thinking")
    if '"' not in bare and _ENTITY.search(bare):
        bare = html.unescape(bare)
        repairs.append("html_entities")
    return bare, repairs


def with_whole_characters(text: str) -> str:
    """Put the halves of surrogate pairs together; a half that stands alone stays one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return text


def blocks(text: str) -> tuple[list[Block], bool]:
    """List the outermost blocks outside of thinking in order, and whether there was thinking.

    One that never ends is the last.
    """
    found: list[Block] = []
    thought = False
    position = broken = 0
    while top := _TOP.search(text, position):
        if top.group("thought"):
            thought = True
            position = top.end()
            if "/" in top.group()[:2]:
                found.clear()  # some templates open the tag in the prompt
            elif (position := _thought_end(text, top)) < 0:
                break
            continue
        if broken > MAX_BROKEN:
            found.append(_cut_off(text, top.start()))
            break
        block = _block(text, top.start(), is_json=broken < MAX_TRIES)
        broken += block.json is None or block.is_mended
        if block.json is None and (closing := _last_closing(block.text)):
            # The block began in a thought that broke off in the middle of it.
            thought = True
            found.clear()
            position = block.start + closing
            continue
        if found and found[-1].json is None and _PART_OF_BROKEN.match(text, found[-1].end):
            block = replace(block, json=None)
        found.append(block)
        if not block.is_complete:
            break
        position = block.end
    return found, thought


def joined(found: list[Block]) -> Block:
    """Make one list of several objects."""
    rows = "[" + ",".join(block.json or "" for block in found) + "]"
    repairs = tuple(dict.fromkeys(name for block in found for name in block.repairs))
    return Block(rows, found[0].start, found[-1].end, rows, repairs, is_mended=True)


def _thought_end(text: str, opened: re.Match[str]) -> int:
    tag = opened.group().split()[0].rstrip(">")
    closing = tag[0] + "/" + tag[1:]
    # Names of tags in prose are a line of text, so a search without case costs one pass.
    found = re.compile(re.escape(closing) + r"\s*>?", re.IGNORECASE).search(text, opened.end())
    return found.end() if found else -1


def _last_closing(text: str) -> int:
    end = 0
    for found in _TOP.finditer(text) if "</" in text or "/THINK" in text else ():
        if found.group("thought") and "/" in found.group()[:2]:
            end = found.end()
    return end


def _cut_off(text: str, start: int) -> Block:
    return Block(text[start:], start, len(text), None, is_complete=False)


def _block(text: str, start: int, *, is_json: bool) -> Block:
    try:
        end = _DECODER.raw_decode(text, start)[1] if is_json else start
    except ValueError:
        end = start
    except RecursionError:
        return _cut_off(text, start)
    if end > start:
        block_text = text[start:end]
        return Block(block_text, start, end, None if _is_part(text, start, end) else block_text)
    escaped = re.compile(r'[{\[](?:\s|\\[nrt])*+\\+"').match(text, start)
    if escaped:
        block = _escaped(text, start)
        is_inner = _INSIDE_ESCAPED.search(text[max(0, start - 100) : start])
        return replace(block, json=None) if is_inner else block
    try:
        mended = mend(text, start)
    except Cut:
        return _cut_off(text, start)
    except Doubt:
        end_found = _end(text, start)
        end = len(text) if end_found is None else end_found
        return Block(text[start:end], start, end, None, is_complete=end_found is not None)
    is_part = _is_part(text, start, mended.end) or _PART_AFTER_MENDED.match(text, mended.end)
    return Block(
        text[start : mended.end],
        start,
        mended.end,
        None if is_part else mended.json,
        mended.repairs,
        mended.open_brackets,
        is_complete=not mended.open_brackets,
        is_mended=True,
    )


def _is_part(text: str, start: int, end: int) -> bool:
    """Tell a part of something larger that is broken; braces of a template around it are none."""
    before = text[max(0, start - 100) : start]
    if _PART_BEFORE.search(before):
        return True
    if before.rstrip()[-1:] == "{" and text[end : end + 20].lstrip()[:1] == "}":
        return False
    return _PART_AFTER.match(text, end) is not None and not _ONE_TOO_MANY.match(text, end)


def _escaped(text: str, start: int) -> Block:
    r"""Read a block whose quotes are all written `\"`, inside of quotes or without."""
    end = len(text)
    if text[start - 1 : start] == '"':
        try:
            inner, end = json.decoder.scanstring(text, start, False)  # type: ignore[attr-defined]
        except ValueError:
            return _cut_off(text, start)
    else:
        inner = re.sub(r'\\(["nrt\\])', lambda found: _PLAIN_OF.get(found[1], found[1]), text[start:])
    try:
        _, length = _DECODER.raw_decode(inner)
        json_text = inner[:length]
    except (ValueError, RecursionError):
        return _cut_off(text, start)
    if end == len(text):  # unescaped to the end of the text; the rest has no more to say
        rest = inner[length:]
        if _TOP.search(rest):
            return _cut_off(text, start)
    return Block(text[start:end], start, end, json_text, ("escaped_quotes",))


_PLAIN_OF: Final = {"n": "\n", "r": "\r", "t": "\t"}


# -- where a block that cannot be mended ends ---------------------------------------------------


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


def _marks(text: str, position: int) -> Iterator[tuple[str, int]]:
    """Walk over the brackets outside of strings and comments; a string without end is the last."""
    while found := _SPECIAL.search(text, position):
        kind, begin = found.group(), found.start()
        position = found.end()
        if kind in "{}[]":
            yield kind, begin
        elif kind in _CLOSE_QUOTE:
            if kind == "'" and not _opens(text, begin):
                continue
            end = _string_end(text, position, _CLOSE_QUOTE[kind])
            position = len(text) if end is None else end
        else:
            end_mark = "*/" if kind == "/*" else "\n"
            end = text.find(end_mark, position)
            position = len(text) if end < 0 else end + len(end_mark)


def _opens(text: str, position: int) -> bool:
    """Tell an opening single quote from an apostrophe by what stands before it."""
    return text[max(0, position - 20) : position].rstrip()[-1:] in tuple("{[,:'\"(")


def _string_end(text: str, position: int, quote: str) -> int | None:
    """Find the end of a string: the quote after which JSON goes on."""
    while (found := text.find(quote, position)) >= 0:
        backslashes = 0
        while text[found - 1 - backslashes] == "\\":
            backslashes += 1
        position = found + 1
        if backslashes % 2 == 0 and _AFTER_STRING.match(text, position):
            return position
    return None

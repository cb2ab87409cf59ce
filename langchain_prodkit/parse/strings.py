"""Find where a string that a model wrote ends, and write it as JSON; quotes inside need not be escaped.

A quote ends a string when the text goes on as JSON goes on after it. Where that could be said of two
quotes, or the quotes inside are not in pairs, there is no telling, and the string is refused.
"""

# ruff: noqa: RUF001 - models write typographic quotes and full-width punctuation, so they stand here
from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["COMMENT", "KEYS", "QUOTES", "REMARK", "Cut", "Doubt", "String", "literal", "read_string"]


class Doubt(Exception):  # noqa: N818 - a verdict, caught where the block is read
    """The text could mean two things."""


class Cut(Exception):  # noqa: N818 - a verdict, caught where the block is read
    """The text ends in the middle of a value."""


class String(NamedTuple):
    """A string in a text."""

    json: str
    """As JSON, quotes included."""
    end: int
    """Position behind the closing quote."""
    repairs: tuple[str, ...]


MAX_INNER: Final = 200
"""Quotes inside of one string; with more there is no telling, and a bound keeps time linear."""
COMMENT: Final = r"(?://|\#|/\*)"
REMARK: Final = r"/\*(?:[^*]|\*(?!/)){0,2000}+\*/"
"""A comment that ends on the line or not; the bound keeps time linear."""
QUOTES: Final = {'"': '"', "'": "'", "`": "`", "“": '”“"', "”": '”"', "„": '”“"', "‘": "’‘'", "«": "»"}
"""What opens a string, and what may close it."""
_KEYISH: Final = (
    r"""(?:"[^"\\\n]*+"|'[^'\\\n]*+'|[“„][^”"\n]*+[”"“]|‘[^’\n]*+’|`[^`\n]*+`|[^\W\d][\w$-]*+["”]?|\d++)"""
    r"[ \t]*+(?:[:：]|=>|=(?!=))"
)
_ITEMISH: Final = r"""(?:["'“‘`{\[(]|[-+.]?\d|(?:true|false|null|True|False|None|NaN)\b|\.\.\.|…)"""
_ENDS: Final = r"(?:```|</|\Z)"
# After a value in an object, and after an item of a list: beyond doubt, and if no quotes are inside.
_AFTER_VALUE: Final = re.compile(
    rf"(?:\s|{REMARK})*+(?:[,，;](?:[\s,，;]|{REMARK}|(?://|\#)[^\n]*+\n)*+"
    rf"(?:{_KEYISH}|[}}\])]|\.\.\.|…|{COMMENT}|\Z)|[}}\])])"
)
_AFTER_ITEM: Final = re.compile(
    rf"(?:\s|{REMARK})*+(?:[,，;][\s,，;]*+(?:{_ITEMISH}|[\])]|{COMMENT}|\Z)|[\])])"
)
_MAYBE_AFTER_VALUE: Final = re.compile(rf"\s*+{_ENDS}|\s++(?:{COMMENT}|{_KEYISH})")
_MAYBE_AFTER_ITEM: Final = re.compile(rf"\s*+(?:{_ENDS}|[}}{{\[]|[,，]\s*+\w)|\s++(?:{COMMENT}|[\"'“‘])")
_CLOSED_IN_PROSE: Final = re.compile(r"""\s*+[}\])]++[ \t]*+[\w"'“]""")
_COLON: Final = re.compile(r"\s*+[:：]")
_PLUS: Final = re.compile(r"""\s*+\+\s*+["'`]""")
_NEXT: Final = {
    opener: re.compile(rf"\\.|[{re.escape(closers)}]", re.DOTALL) for opener, closers in QUOTES.items()
}
_PLAIN: Final = re.compile(r'"[^"\\\x00-\x1f]*+"')
_UNPLAIN: Final = re.compile(
    r"""\\(?:(u[0-9a-fA-F]{4}|["\\/bfnrt])|(x[0-9a-fA-F]{2})|(.?))|([\x00-\x1f"])""", re.DOTALL
)
KEYS: Final = {
    opener: re.compile(
        rf"{opener}([^{closers}\\\n]*+(?:\\.[^{closers}\\\n]*+)*+)[{closers}]\s*+([:：]|=>|=(?!=))"
    )
    for opener, closers in QUOTES.items()
}
"""A quoted key with its colon, by the opening quote."""


def read_string(text: str, start: int, *, is_item: bool) -> String:
    """Read the string that opens at `start`, an item of a list or a value in an object.

    Raises:
        Doubt: Two quotes could be its end.
        Cut: It has no end.
    """
    quote = text[start]
    if quote == '"' and text.startswith('"""', start):
        return _tripled(text, start)
    sure, maybe = (_AFTER_ITEM, _MAYBE_AFTER_ITEM) if is_item else (_AFTER_VALUE, _MAYBE_AFTER_VALUE)
    following = _NEXT[quote]
    inner = unpaired = 0
    position = start + 1
    while found := following.search(text, position):
        begin, position = found.span()
        if found.group()[0] == "\\":
            continue
        if sure.match(text, position) and not (inner and _CLOSED_IN_PROSE.match(text, position)):
            if unpaired % 2 or (inner and _is_quoted_twice(text, start, begin)):
                raise Doubt
            return _string(text, start, begin, position, has_inner=bool(inner))
        if not inner and maybe.match(text, position):
            return _string(text, start, begin, position, has_inner=False)
        if _PLUS.match(text, position) or (quote not in "'‘`" and _COLON.match(text, position)):
            raise Doubt
        inner += 1
        unpaired += not _is_mark(text, begin)
        if inner > MAX_INNER:
            raise Doubt
    if inner:
        raise Doubt
    raise Cut


def _is_mark(text: str, position: int) -> bool:
    """Tell an apostrophe or an inch from a quote: neither comes in pairs."""
    before, after = text[position - 1], text[position + 1 : position + 2]
    if text[position] in "'’‘":
        return before.isalnum() and after.isalnum()
    return before.isdigit() and not after.isalnum() and after != text[position]


def _is_quoted_twice(text: str, start: int, end: int) -> bool:
    return end - start > 1 and text[start + 1] == text[start] and text[end - 1] == text[start]


def _tripled(text: str, start: int) -> String:
    end = text.find('"""', start + 3)
    if end < 0:
        raise Cut
    if text.startswith('"', end + 3):
        raise Doubt
    return String(literal(text[start + 3 : end])[0], end + 3, ("quotes",))


def _string(text: str, start: int, end: int, after: int, *, has_inner: bool) -> String:
    if not has_inner and _PLAIN.fullmatch(text, start, after):
        return String(text[start:after], after, ())
    json, repairs = literal(text[start + 1 : end], text[start])
    if text[start] != '"':
        repairs.insert(0, "quotes")
    if has_inner and text[start] == '"':
        repairs.append("inner_quotes")
    return String(json, after, tuple(repairs))


def literal(body: str, quote: str = '"') -> tuple[str, list[str]]:
    """Write what stands between two quotes as a JSON string."""
    repairs: dict[str, None] = {}

    def write(found: re.Match[str]) -> str:
        known, code, other, raw = found.groups()
        if known is not None:
            return found.group()
        if raw is not None:
            if raw != '"':
                repairs["control_characters"] = None
            return '\\"' if raw == '"' else f"\\u{ord(raw):04x}"
        if code is not None and quote == "'":  # as Python writes it
            return f"\\u00{code[1:]}"
        if other in {"'", "\n"}:
            if other == "\n" or quote == '"':
                repairs["escape"] = None
            return "'" if other == "'" else ""
        repairs["escape"] = None
        # A backslash that JSON does not know stands for itself.
        return "\\\\" + (code or other)

    return f'"{_UNPLAIN.sub(write, body)}"', list(repairs)

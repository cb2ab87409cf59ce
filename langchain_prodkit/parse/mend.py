"""Write broken JSON as JSON, in one pass and without a guess.

Every character of the text is either carried over or dropped for a named reason (a comment, a comma
too many); nothing is added but quotes, commas, colons and brackets that can only stand in one place.
"""

# ruff: noqa: RUF001 - models write typographic quotes and full-width punctuation, so they stand here
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from langchain_prodkit.parse.strings import KEYS, QUOTES, REMARK, Cut, Doubt, literal, read_string

__all__ = ["MAX_DEPTH", "Cut", "Doubt", "Mended", "mend"]

MAX_DEPTH: Final = 128
_SPACE = r"[ \t\r\n]*+"
_NUMBER = r"-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][-+]?\d++)?+"
_SCALAR = rf'(?:"[^"\\\x00-\x1f]*+"|{_NUMBER}|true|false|null)'
# Runs of what is right already are carried over at once.
_MEMBERS: Final = re.compile(
    rf'(?:{_SPACE}"[^"\\\x00-\x1f]*+"{_SPACE}:{_SPACE}{_SCALAR}{_SPACE},(?={_SPACE}"[^"\\\n]*+"{_SPACE}:))++'
)
_MEMBER: Final = re.compile(rf'{_SPACE}("[^"\\\x00-\x1f]*+"{_SPACE}:{_SPACE}{_SCALAR}){_SPACE}(?=\}})')
_OPEN: Final = re.compile(rf'{_SPACE}("[^"\\\x00-\x1f]*+"{_SPACE}:){_SPACE}(?=[{{\[])')
_ITEMS: Final = re.compile(rf'(?:{_SPACE}{_SCALAR}{_SPACE},(?={_SPACE}["\d\-]))++')
_ITEM: Final = re.compile(rf"{_SPACE}({_SCALAR}){_SPACE}(?=\])")
_SKIP: Final = re.compile(r"(?:[\s\u200b\u200c\u2060\ufeff]|\\[nrt](?![A-Za-z]))*+")
_BARE_KEY: Final = re.compile(r"""([^\W\d][\w$-]*+|\$[\w$-]*+|\d++)(["”])?\s*+([:：]|=>|=(?!=))""")
_ELLIPSIS: Final = re.compile(r"\.\.\.+|…")
_CALL: Final = re.compile(r"[^\W\d][\w.]*+\((?=\s*+[^\W\d]\w*+\s*+=(?!=))")
_EXACT: Final = re.compile(rf"({_NUMBER})(?=[ \t]*+(?:[,，}}\]\r\n;)]|//|\#|/\*|```|</|\Z))")
_GROUPED: Final = re.compile(
    r"""[$€£¥]?[-+]?\d{1,3}(?:,\d{3})++(?:\.\d++)?+"""
    rf"""(?=(?:[ \t]|{REMARK})*+(?:[}}\r\n]|,(?:\s|{REMARK})*+(?:["'“\n}}]|[^\W\d]\w*+\s*+:)))"""
)
_BARE: Final = re.compile(
    r"""(?:[^,，;{}\[\]()"“”`<\\\n\r:#/ \t]|[ \t]++(?![\#/])|:(?=\S)|/(?!\*)|\#(?=\w))++"""
)
_AFTER_BARE: Final = re.compile(
    r"""[ \t]*+(?:[}\]),，;\r\n]|```|</|\Z)|[ \t]++(?:\#|//|/\*)|\s*+["'“][^"'“”\n]*+["'”]\s*+:"""
)
_WORDS: Final = {
    **{word: word.lower() for word in ("true", "false", "null", "True", "False", "TRUE", "FALSE", "NULL")},
    **dict.fromkeys(("None", "undefined", "Null", "nil"), "null"),
    **dict.fromkeys(("NaN", "nan", "-NaN"), "NaN"),
    **dict.fromkeys(("Infinity", "inf", "+Infinity", "Inf"), "Infinity"),
    **dict.fromkeys(("-Infinity", "-inf", "-Inf"), "-Infinity"),
}
_SAME_IN_JSON: Final = frozenset({"true", "false", "null", "NaN", "Infinity", "-Infinity"})
_LOOSE_NUMBER: Final = re.compile(r"([-+]?)(\d[\d_]*+|(?=\.\d))(?:(\.)(\d*+))?([eE][-+]?\d++)?")
_REMARKS: Final = re.compile(rf"(?:\s|{REMARK})*+")
_CLOSERS: Final = {"{": "}", "[": "]", "(": ")"}


@dataclass(frozen=True, slots=True)
class Mended:
    """A block as JSON."""

    json: str
    end: int
    repairs: tuple[str, ...]
    open_brackets: int
    """Brackets that were missing at the end of the text; 0 for a block that was complete."""


def mend(text: str, start: int) -> Mended:
    """Mend the block that opens at `start`.

    Raises:
        Doubt: It could mean two things.
        Cut: It ends in the middle of a value.
    """
    return _Mender(text).run(start)


class _Mender:
    """One pass over one block."""

    __slots__ = ("_out", "_position", "_repairs", "_separated", "_stack", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._out: list[str] = []
        self._repairs: dict[str, None] = {}
        self._stack: list[str] = []
        self._position = 0
        self._separated = True

    def run(self, start: int) -> Mended:
        self._position = start
        if (call := _CALL.match(self._text, start)) is not None:
            self._repairs["python_call"] = None
            self._position = call.end() - 1
            self._push("}", ")")
        else:
            self._push("}" if self._text[start] == "{" else "]", _CLOSERS[self._text[start]])
        while self._stack:
            if self._is_clean():
                continue
            self._skip()
            if self._position >= len(self._text) or self._text.startswith(("```", "</"), self._position):
                return self._unclosed()
            self._element()
        return Mended("".join(self._out[:-1]), self._position, tuple(self._repairs), 0)

    # Output ends in a comma after every value; closing a bracket takes it back.

    def _push(self, kind: str, closer: str) -> None:
        if len(self._stack) >= MAX_DEPTH:
            raise Doubt
        self._out.append("{" if kind == "}" else "[")
        # A tuple closes with ")", a call is an object that does; both are told apart by two letters.
        self._stack.append(kind + closer)
        self._separated = True
        self._position += 1

    def _pop(self) -> None:
        kind = self._stack.pop()[0]
        if self._out[-1] == ",":
            self._out[-1] = kind
        else:
            self._out.append(kind)
        self._out.append(",")
        self._separated = False

    def _put(self, *parts: str) -> None:
        self._out.extend(parts)
        self._out.append(",")
        self._separated = False

    def _is_clean(self) -> bool:
        """Carry over what needs no mending."""
        if not self._separated and self._out[-1] == ",":
            return False
        text, position = self._text, self._position
        in_object = self._stack[-1][0] == "}"
        if found := (_MEMBERS if in_object else _ITEMS).match(text, position):
            self._out += (found.group()[:-1], ",")
            self._position = position = found.end()
            self._separated = True
        if in_object and (opened := _OPEN.match(text, position)):
            self._out.append(opened.group(1))
            self._position = opened.end()
            bracket = text[self._position]
            self._push(_CLOSERS[bracket], _CLOSERS[bracket])
            return True
        if last := (_MEMBER if in_object else _ITEM).match(text, position):
            self._put(last.group(1))
            self._position = last.end()
        return last is not None or found is not None

    def _skip(self) -> None:
        text = self._text
        while True:
            self._position = _SKIP.match(text, self._position).end()  # type: ignore[union-attr]
            if text.startswith(("//", "#"), self._position):
                end = text.find("\n", self._position)
            elif text.startswith("/*", self._position):
                end = text.find("*/", self._position + 2)
                end = end + 2 if end >= 0 else end
            else:
                return
            self._repairs["comment"] = None
            self._position = len(text) if end < 0 else end

    def _element(self) -> None:
        char = self._text[self._position]
        if char in ",，;":
            if self._separated or char != ",":
                self._repairs["extra_comma" if self._separated else "comma"] = None
            self._separated = True
            self._position += 1
        elif char in "}])":
            self._close(char)
        elif ellipsis := _ELLIPSIS.match(self._text, self._position):
            self._elide(ellipsis.end())
        else:
            if not self._separated:
                self._repairs["missing_comma"] = None
            if self._stack[-1][0] == "}":
                self._member()
            elif len(self._stack) > 1 and self._stack[-2][0] == "}" and self._key_here() is not None:
                self._repairs["missing_bracket"] = None
                self._pop()
            else:
                self._value(is_item=True)

    def _close(self, char: str) -> None:
        if self._separated and self._out[-1] == ",":
            self._repairs["extra_comma"] = None
        depth = next((n for n, frame in enumerate(reversed(self._stack)) if frame[1] == char), None)
        self._position += 1
        if depth is None:
            raise Doubt
        if depth:
            frames = self._stack[-depth - 1 :]
            if any(inner[0] == outer[0] == "]" for outer, inner in pairwise(frames)):
                raise Doubt  # of lists in lists, either may be the one that was not closed
            self._repairs["missing_bracket"] = None
        for _ in range(depth + 1):
            self._pop()

    def _elide(self, end: int) -> None:
        """Drop the dots that stand for "and so on" at the end, after something that was said."""
        after = _SKIP.match(self._text, end).end()  # type: ignore[union-attr]
        if self._out[-1] != "," or self._text[after : after + 1] not in tuple("}],"):
            raise Doubt
        if self._text[after] == ",":
            after = _SKIP.match(self._text, after + 1).end()  # type: ignore[union-attr]
            if self._text[after : after + 1] not in tuple("}]"):
                raise Doubt
        self._repairs["ellipsis"] = None
        self._separated = False
        self._position = after

    def _key_here(self) -> tuple[str, int, str] | None:
        """Read a key and its colon: the key as JSON, where it ends, what the colon was."""
        text, position = self._text, self._position
        pattern = KEYS.get(text[position])
        if pattern is not None:
            if found := pattern.match(text, position):
                if text[position] != '"':
                    self._repairs["quotes"] = None
                return literal(found.group(1), text[position])[0], found.end(), found.group(2)
        elif found := _BARE_KEY.match(text, position):
            self._repairs["quotes" if found.group(2) else "unquoted_key"] = None
            return json.dumps(found.group(1)), found.end(), found.group(3)
        return None

    def _member(self) -> None:
        found = self._key_here()
        if found is None:
            raise Cut if _is_cut_key(self._text, self._position) else Doubt
        key, self._position, colon = found
        if colon != ":" and self._stack[-1] != "})":
            self._repairs["colon"] = None
        self._out += (key, ":")
        self._skip()
        if self._position >= len(self._text):
            raise Cut
        self._value(is_item=False)

    def _value(self, *, is_item: bool) -> None:
        text, position = self._text, self._position
        char = text[position]
        if char in QUOTES:
            json_text, self._position, repairs = read_string(text, position, is_item=is_item)
            self._repairs.update(dict.fromkeys(repairs))
            self._put(json_text)
        elif char in "{[(":
            if char == "(":
                self._repairs["python_tuple"] = None
            self._push("}" if char == "{" else "]", _CLOSERS[char])
        elif not is_item and (grouped := _GROUPED.match(text, position)):
            self._position = grouped.end()
            self._put(json.dumps(grouped.group()))
        elif found := _EXACT.match(text, position):
            self._number(found.group(1), found.end())
        elif call := _CALL.match(text, position):
            self._repairs["python_call"] = None
            self._position = call.end() - 1
            self._push("}", ")")
        else:
            self._bare()

    def _number(self, written: str, end: int) -> None:
        if end >= len(self._text):
            raise Cut  # there may have been more digits
        self._position = end
        self._put(written)

    def _bare(self) -> None:
        """Read a value without quotes: a word of Python or JavaScript, a number in another form, text."""
        found = _BARE.match(self._text, self._position)
        if found is None:
            raise Doubt
        end = found.end()
        written = found.group().strip()
        word = _WORDS.get(written)
        is_remarked = word is not None and self._text.startswith("/*", end)
        if not is_remarked and not _AFTER_BARE.match(self._text, end):
            raise Doubt
        if word is not None:
            if written not in _SAME_IN_JSON:
                self._repairs["literal"] = None
            self._position = end
            self._put(word)
        elif number := _LOOSE_NUMBER.fullmatch(written):
            if (strict := _strict(number)) != written:
                self._repairs["number_syntax"] = None
            self._number(strict, end)
        elif end >= len(self._text):
            raise Cut
        else:
            if "/*" in written or _ELLIPSIS.search(written):
                raise Doubt
            if self._text[end] in ",，;" and self._stack[-1][0] == "}":
                self._expect_member(end + 1)
            self._repairs["unquoted_value"] = None
            self._position = end
            self._put(json.dumps(written, ensure_ascii=False))

    def _expect_member(self, position: int) -> None:
        """Refuse text with a comma in it: it may be more of the value."""
        after = _REMARKS.match(self._text, position).end()  # type: ignore[union-attr]
        after = _SKIP.match(self._text, after).end()  # type: ignore[union-attr]
        pattern = KEYS.get(self._text[after : after + 1], _BARE_KEY)
        if self._text[after : after + 1] not in {"}", ""} and not pattern.match(self._text, after):
            raise Doubt

    def _unclosed(self) -> Mended:
        """Add the brackets that are missing at the end, where nothing else can be."""
        # A list that was only just opened has as many items as the text says: whether that is an answer
        # is for the schema to say.
        if self._separated and not (self._out[-1] == "[" and self._text.endswith("[")):
            raise Cut
        count = len(self._stack)
        self._repairs["unclosed"] = None
        while self._stack:
            self._pop()
        # What closes a fence or a tag after it was not cut off: only the brackets were forgotten.
        open_brackets = count if self._position >= len(self._text) else 0
        return Mended("".join(self._out[:-1]), self._position, tuple(self._repairs), open_brackets)


def _is_cut_key(text: str, position: int) -> bool:
    return '"' not in text[position + 1 : position + 200] and len(text) - position < 200  # noqa: PLR2004


def _strict(number: re.Match[str]) -> str:
    sign, whole, _, fraction, exponent = number.groups()
    whole = whole.replace("_", "")
    if len(whole) > 1 and whole.startswith("0") and fraction is None:
        return json.dumps(number.group())  # 007 is a name as much as a number
    written = ("-" if sign == "-" else "") + (whole.lstrip("0") or "0")
    if fraction is not None:
        written += f".{fraction or '0'}"
    return written + (exponent or "")

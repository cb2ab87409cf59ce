"""Answers without JSON: one word for a choice, lines of `key: value`, an element for every field.

They have no brackets that show where they end, so an answer that may have been cut off is refused.
"""

# ruff: noqa: RUF001 - models write typographic quotes and full-width punctuation, so they stand here
from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.parse.keys import normal, resolved

if TYPE_CHECKING:
    from langchain_prodkit.parse.shape import Shape

__all__ = ["plain_values"]

MAX_CHARS: Final = 100_000
_MAX_WORD_CHARS: Final = 200
_MARKS: Final = "*_`\"'“”‘’"
_LINE: Final = re.compile(
    r"""[ \t]*(?:[-*•+][ \t]+|\d+[.)][ \t]+)?[*_`"']{0,3}([A-Za-z][\w \-.]{0,60}?)[*_`"']{0,3}[ \t]*
        (?:[:：][*_`"']{0,3}(?:[ \t]+|$)|=[ \t])[ \t]*(.*)""",
    re.VERBOSE,
)
_ITEM: Final = re.compile(r"[ \t]+[-*•+][ \t]+(.*)|[-*•+][ \t]+(.*)")
_ELEMENT: Final = re.compile(r"<([A-Za-z]\w{0,60})>([^<>]*)</\1>")
_WORDS: Final = {"true": True, "false": False, "null": None, "none": None, "~": None}


def plain_values(text: str, shape: Shape) -> list[tuple[Any, str]]:
    """Read what a text without JSON says, with the name of the form that it was written in.

    The values are those of the type itself, not of the object that it travels in.
    """
    stripped = text.strip()
    if len(stripped) > MAX_CHARS or not stripped:
        return []
    if shape.key is None:
        fields = resolved({}, shape.schema, shape.defs).get("properties", {})
        required = set(shape.schema.get("required", ()))
        names = {normal(name): name for name in fields}
        if len(names) < len(fields) or not fields:
            return []
        return [
            (value, form)
            for form, value in (("key_values", _lines(text, names)), ("elements", _elements(text, names)))
            if value and required <= value.keys()
        ]
    return [(value, "bare_text") for value in _words(stripped, shape)]


def _words(text: str, shape: Shape) -> list[Any]:
    schema = resolved(None, shape.schema, shape.defs)
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const", "format", "pattern"}:
        return [text] if not text.startswith(("{", "[", '"', "```")) else []
    word = text.strip(_MARKS + " \n").removesuffix(".").strip(_MARKS)
    if schema.get("type") in {"object", "array"} or len(word) > _MAX_WORD_CHARS or "\n" in word:
        return []
    return [word]


def _lines(text: str, names: dict[str, str]) -> dict[str, Any] | None:
    """Read one field a line; lists as items below; the last line must be followed by something."""
    found: dict[str, Any] = {}
    last = ""
    ended = False
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if item := _ITEM.fullmatch(line) if last and isinstance(found[last], list) else None:
            found[last].append(_value(item[1] or item[2]))
            continue
        field = _LINE.fullmatch(line)
        name = names.get(normal(field[1])) if field else None
        if name is None or field is None:
            if found and line.strip():
                after_blank = not lines[number - 1].strip()
                ended = ended or after_blank or line.strip().startswith(("```", "---", "</"))
                if not ended:
                    return None  # it may be more of the value above
            continue
        if ended or name in found:
            return None
        last = name
        found[name] = _value(field[2]) if field[2].strip() else []
    if not found or _LINE.fullmatch(lines[-1]) or _ITEM.fullmatch(lines[-1]):
        return None
    return None if any(value == [] for value in found.values()) else found


def _value(written: str) -> Any:
    text = written.strip().removesuffix(",").strip()
    for mark in ("**", "`", '"', "'"):
        if len(text) > 2 * len(mark) and text.startswith(mark) and text.endswith(mark):
            return text[len(mark) : -len(mark)]
    if text[:1] in {"[", "{"}:
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return _WORDS.get(text.casefold(), text)


def _elements(text: str, names: dict[str, str]) -> dict[str, Any] | None:
    """Read one element a field, each once and without elements inside."""
    found: dict[str, Any] = {}
    for element in _ELEMENT.finditer(text):
        name = names.get(normal(element[1]))
        if name is None:
            continue
        if name in found:
            return None
        found[name] = html.unescape(element[2].strip())
    return found

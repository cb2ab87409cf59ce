"""A short string that matches a regular expression, for `pattern` in a JSON schema."""

from __future__ import annotations

import re

# The only parser of Python's regular expressions; there is no public one (same in 3.11 to 3.13).
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_CATEGORIES = {
    "CATEGORY_DIGIT": "0",
    "CATEGORY_NOT_DIGIT": "a",
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_SPACE": "a",
    "CATEGORY_WORD": "a",
    "CATEGORY_NOT_WORD": " ",
}
_CANDIDATES = "aA0 -_.bB1~!"
_MAX_REPEATS = 1000


def string_matching(pattern: str, *, min_length: int = 0) -> str | None:
    """Build the plainest string that `pattern` finds, or None where that is beyond us.

    Repeats are taken as often as they must, or more often when `min_length` (characters) asks.
    Patterns Python cannot read, and most with look-around or back references, give None.
    """
    try:
        tree = parser.parse(pattern)
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError):
        return None
    for extra in (0, min_length, max(0, min_length - 1), 1):
        try:
            text = _sequence(tree, {}, extra)
        except (LookupError, RecursionError):
            return None
        if len(text) >= min_length and compiled.search(text):
            return text
    return None


def _sequence(items: Any, groups: dict[int, str], extra: int) -> str:
    return "".join(_item(str(op), argument, groups, extra) for op, argument in items)


def _item(op: str, argument: Any, groups: dict[int, str], extra: int) -> str:  # noqa: PLR0911 - one way a kind
    if op == "LITERAL":
        return chr(argument)
    if op == "NOT_LITERAL":
        return next(c for c in _CANDIDATES if ord(c) != argument)
    if op == "ANY":
        return "a"
    if op == "IN":
        return _one_of(argument)
    if op == "BRANCH":
        return _sequence(argument[1][0], groups, extra)
    if op == "SUBPATTERN":
        text = _sequence(argument[3], groups, extra)
        groups[argument[0]] = text
        return text
    if op == "GROUPREF":
        return groups[argument]
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, items = argument
        times = min(int(low) + extra, int(high), max(int(low), _MAX_REPEATS))
        return "".join(_sequence(items, groups, 0) for _ in range(min(times, _MAX_REPEATS)))
    if op == "ATOMIC_GROUP":
        return _sequence(argument, groups, extra)
    return ""  # anchors and look-around take no room


def _one_of(choices: Any) -> str:
    """Choose a character of a class such as `[a-z_]` or `[^"]`."""
    negated = str(choices[0][0]) == "NEGATE"
    if not negated:
        op, argument = str(choices[0][0]), choices[0][1]
        if op == "LITERAL":
            return chr(argument)
        if op == "RANGE":
            return chr(argument[0])
        return _CATEGORIES[str(argument)]
    return next(c for c in _CANDIDATES if not any(_covers(str(op), arg, c) for op, arg in choices[1:]))


def _covers(op: str, argument: Any, character: str) -> bool:
    if op == "LITERAL":
        return bool(ord(character) == argument)
    if op == "RANGE":
        return bool(argument[0] <= ord(character) <= argument[1])
    name = str(argument).removeprefix("CATEGORY_")
    kind = name.removeprefix("NOT_")
    covers: bool = {
        "DIGIT": character.isdigit(),
        "SPACE": character.isspace(),
        "WORD": character.isalnum() or character == "_",
    }[kind]
    return covers is not name.startswith("NOT_")

"""Check that mending the syntax of a text neither added nor lost a word of it.

A repair library always answers; where it had to guess, the words of its value are not those of the
text. Compared are words and numbers in order, so quotes, commas and brackets are free to change.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_conserved"]

_TOKEN: Final = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[^\W\d]\w*|\w+")
_NUMBER: Final = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|([nrtbf])|(.))", re.DOTALL)
_EMPTY: Final = re.compile(r'(?<!["\\])""(?!")|(?<![\'\\])\'\'(?!\')|“”')
_SAME: Final = {"none": "null", "infinity": "inf"}


def is_conserved(value: Any, source: str) -> bool:
    """Tell whether `value` holds every word of `source`, in order, and nothing else."""
    leaves = list(_leaves(value))
    if sum(leaf == "" for leaf in leaves) > len(_EMPTY.findall(source)):
        return False
    if any(isinstance(leaf, str) and leaf.startswith("`") != leaf.endswith("`") for leaf in leaves):
        return False
    return list(_words(_unescaped(source))) == [word for leaf in leaves for word in _words(_text(leaf))]


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _text(leaf: Any) -> str:
    if isinstance(leaf, str):
        return leaf
    return "null" if leaf is None else str(leaf)


def _unescaped(source: str) -> str:
    def decode(found: re.Match[str]) -> str:
        if code := found.group(1):
            return chr(int(code, 16))
        return " " if found.group(2) else str(found.group(3))

    decoded = _ESCAPE.sub(decode, source)
    return decoded.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _words(text: str) -> Iterator[str]:
    for token in _TOKEN.findall(text):
        if _NUMBER.fullmatch(token):
            # 1.50, 1.5 and 15e-1 are one number, wherever they stand.
            yield repr(float(token))
        else:
            word = token.casefold()
            yield _SAME.get(word, word)

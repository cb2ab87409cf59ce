"""One leaf on its way: the texts that a detector must see, and how to put new ones back."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.privacy.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_prodkit._text import Leaf

__all__ = ["NUMBER", "Draft", "plain", "value_of"]

NUMBER: Final = "\x1f"
"""In front of a stored value: it was a number, and alone in its place it comes back as one."""
MIN_DIGITS: Final = 7
"""Numbers with fewer digits count things; nobody's card, account or phone is that short."""
SURE: Final = 0.6
"""What a pattern of bare digits must score (its context words included) to hide a number."""
# Digits that could be anything: a number of rows, a time stamp.
_VAGUE = frozenset({
    "PHONE_NUMBER", "URL", "DATE_TIME", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_PASSPORT", "US_ITIN",
    "PERSON", "LOCATION", "ORGANIZATION", "NRP", "STREET_ADDRESS",
})  # fmt: skip
# Where these lead to a text, its `name` is not a speaker's.
_INSIDE = frozenset({
    "content", "additional_kwargs", "tool_calls", "invalid_tool_calls", "tool_call_chunks", "page_content",
    "metadata",
})  # fmt: skip
# A program reads it by this name: hidden, nobody would find it again.
_FIELD = re.compile(r"[a-z_][A-Za-z0-9_]*|[A-Z][A-Z0-9_]*")


class _Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class Draft:
    """A leaf, taken apart."""

    def __init__(self, leaf: Leaf) -> None:
        """Take JSON into its strings and numbers, anything else as it is."""
        self.leaf = leaf
        self.is_name = (
            leaf.role in {"user", "system", "ai", "tool"}
            and leaf.path[-1:] == ("name",)
            and not leaf.is_key
            and _INSIDE.isdisjoint(leaf.path)
        )
        self._tree: Any = None
        if leaf.is_json:
            try:
                self._tree = json.loads(leaf.text, parse_int=_Number, parse_float=_Number)
            except (ValueError, RecursionError):
                self._tree = None
        self.is_parsed = self._tree is not None
        self.texts: list[str] = list(_strings(self._tree)) if self.is_parsed else [leaf.text]
        self._label = _label(leaf) if leaf.is_number else ""

    @property
    def is_read(self) -> bool:
        """Tell whether it may hold personal data at all; names of fields and short numbers do not."""
        if self.leaf.is_key:
            return not is_field(self.leaf.text)
        return not self.leaf.is_number or sum(map(str.isdigit, self.leaf.text)) >= MIN_DIGITS

    def seen(self) -> list[str]:
        """Give what the detector shall see: a name in words, a number behind the name of its field."""
        if self.is_name:
            return [self.leaf.text.replace("_", " ")]
        return [self._label + text for text in self.texts]

    def found(self, spans: Sequence[Sequence[Span]]) -> list[list[Span]]:
        """Give the spans of `seen` as spans of `texts`."""
        if not self.leaf.is_number:
            return [list(one) for one in spans]
        start = len(self._label)
        end = start + len(self.leaf.text)
        return [
            [
                Span(0, end - start, span.entity, span.score)
                for span in spans[0]
                if span.start <= start and span.end >= end and _is_sure(span)
            ]
        ]

    def path(self, n: int) -> tuple[str | int, ...]:
        """Say where the n-th of `texts` stands; a key that may be personal is a `*`."""
        path = tuple(step if isinstance(step, int) or is_field(step) else "*" for step in self.leaf.path)
        return (*path, "<key>") if self.leaf.is_key else (*path, n) if self.is_parsed else path

    def text(self, new: Sequence[str]) -> Any:
        """Give the leaf with `new` in the place of `texts`; JSON stays JSON, digits for a number a number."""
        if self.leaf.is_number and new[0].isascii() and new[0].isdigit():
            return int(new[0])
        if not self.is_parsed:
            return new[0]
        if list(new) == self.texts:
            return self.leaf.text
        return _written(self._tree, iter(new))


def plain(value: str) -> str:
    """Give a stored value as text."""
    return value.removeprefix(NUMBER)


def value_of(value: str) -> Any:
    """Give a stored value as what it was: a text, or a number."""
    if not value.startswith(NUMBER):
        return value
    text = value.removeprefix(NUMBER)
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def is_field(name: str) -> bool:
    """Tell whether a key is the name of a field, as programs write them, and not data itself."""
    return _FIELD.fullmatch(name) is not None


def _label(leaf: Leaf) -> str:
    names = [step for step in leaf.path if isinstance(step, str)]
    return f"{names[-1].replace('_', ' ')}: " if names and not leaf.is_key else ""


def _is_sure(span: Span) -> bool:
    return span.entity not in _VAGUE or (span.score >= SURE and span.entity == "PHONE_NUMBER")


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
            if not is_field(key):
                yield key
            yield from _strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value)


def _written(node: Any, new: Iterator[str]) -> str:
    if isinstance(node, _Number):
        text = next(new)
        return text if text == node else json.dumps(text, ensure_ascii=False)
    if isinstance(node, str):
        return json.dumps(next(new), ensure_ascii=False)
    if isinstance(node, dict):
        items = [
            f"{json.dumps(key) if is_field(key) else _written(key, new)}: {_written(value, new)}"
            for key, value in node.items()
        ]
        return "{" + ", ".join(items) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(_written(value, new) for value in node) + "]"
    return json.dumps(node)

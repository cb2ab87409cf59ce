"""Put placeholders into texts: pure string work between a detector and a vault."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import RedactionError
from langchain_prodkit.privacy.span import Span, without_overlaps
from langchain_prodkit.privacy.tokens import LITERAL, Grammar, entity_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from langchain_prodkit._text import Leaf
    from langchain_prodkit.privacy.operators import Operators
    from langchain_prodkit.privacy.vault import Scope, Vault

__all__ = ["Draft", "Writer", "checked", "with_known"]

MIN_KNOWN_CHARS: Final = 3
"""Shorter values are looked for by the detector only: they stand in too many other words."""

# Where these lead to a text, its `name` is not a speaker's.
_INSIDE = frozenset({
    "content", "additional_kwargs", "tool_calls", "invalid_tool_calls", "tool_call_chunks", "page_content",
    "metadata",
})  # fmt: skip


class _Number(str):
    """A JSON number as it was written."""

    __slots__ = ()


class Draft:
    """One leaf on its way: the texts that a detector must see, and how to put new ones back."""

    def __init__(self, leaf: Leaf) -> None:
        """Take the leaf apart: JSON into its strings and numbers, anything else as it is."""
        self.leaf = leaf
        self.is_name = (
            leaf.role in {"user", "system", "ai", "tool"}
            and leaf.path[-1:] == ("name",)
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

    def text(self, new: Sequence[str]) -> str:
        """Give the leaf's text with `new` in the place of `texts`; JSON stays JSON."""
        if not self.is_parsed:
            return new[0]
        if list(new) == self.texts:
            return self.leaf.text
        return _written(self._tree, iter(new))


def _strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for key, value in node.items():
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
        items = [f"{_written(key, new)}: {_written(value, new)}" for key, value in node.items()]
        return "{" + ", ".join(items) + "}"
    if isinstance(node, list):
        return "[" + ", ".join(_written(value, new) for value in node) + "]"
    return json.dumps(node)


class Writer:
    """Writes redacted texts for one scope and counts what it hid."""

    def __init__(self, vault: Vault, scope: Scope, grammar: Grammar, operators: Operators) -> None:
        """Hold what every text of one value shares."""
        self._vault = vault
        self._scope = scope
        self._grammar = grammar
        self._operators = operators
        self.counts: Counter[str] = Counter()

    def text(self, text: str, spans: Sequence[Span], *, is_json: bool = False) -> str:
        """Replace `spans` in one pass, and escape whatever else could be read as a placeholder."""
        parts: list[str] = []
        literal: list[str] = []

        def flush() -> None:
            # Joined first: two halves around a removed value must not make a placeholder.
            parts.append(self._escaped("".join(literal)))
            literal.clear()

        at = 0
        for span in spans:
            literal.append(text[at : span.start])
            value = text[span.start : span.end]
            entity = entity_name(span.entity)
            self.counts[entity] += 1
            written = self._operators.apply(span.entity, value)
            if written is None:
                flush()
                parts.append(self._placeholder(entity, _unescaped(value) if is_json else value))
            else:
                literal.append(json.dumps(written, ensure_ascii=False)[1:-1] if is_json else written)
            at = span.end
        literal.append(text[at:])
        flush()
        return "".join(parts)

    def name(self, text: str, spans: Sequence[Span]) -> str:
        """Replace a speaker's name, whole, by a token without brackets: providers allow no `<` there."""
        if not spans:
            found = next(self._grammar.find(text), None)
            return text if found is None else self._token(LITERAL, text)
        entity = entity_name(spans[0].entity)
        self.counts[entity] += 1
        written = self._operators.apply(spans[0].entity, text)
        return self._token(entity, text) if written is None else written

    def _escaped(self, text: str) -> str:
        parts: list[str] = []
        at = 0
        for found in self._grammar.find(text):
            parts += (text[at : found.start], self._placeholder(LITERAL, text[found.start : found.end]))
            at = found.end
        parts.append(text[at:])
        return "".join(parts)

    def _token(self, entity: str, value: str) -> str:
        return self._vault.token_for(self._scope, entity, value)

    def _placeholder(self, entity: str, value: str) -> str:
        return self._grammar.placeholder(self._token(entity, value))


def _unescaped(value: str) -> str:
    """Read a piece of a JSON string; the value is stored as it will be shown."""
    try:
        read = json.loads(f'"{value}"')
    except ValueError:
        return value
    return read if isinstance(read, str) else value


def with_known(
    texts: Sequence[str], found: Sequence[Sequence[Span]], held: Collection[tuple[str, str]]
) -> list[list[Span]]:
    """Add every place where a value stands that is known already, from `held` or from another text.

    A model of language finds a name in a sentence and misses it in a list or in JSON; what was
    personal once in a conversation stays so. Values match whole, letter for letter.
    """
    known = {value: entity for entity, value in held if entity != LITERAL}
    for text, spans in zip(texts, found, strict=True):
        known |= {text[span.start : span.end]: span.entity for span in spans}
    values = [value for value in known if len(value) >= MIN_KNOWN_CHARS]
    result = []
    for text, spans in zip(texts, found, strict=True):
        covered = {(span.start, span.end) for span in spans}
        extra = [
            Span(start, start + len(value), known[value], 1.0)
            for value in values
            for start in _whole(text, value)
            if (start, start + len(value)) not in covered
        ]
        result.append(without_overlaps(text, [*spans, *extra]) if extra else list(spans))
    return result


def _whole(text: str, value: str) -> Iterator[int]:
    """Give where `value` stands in `text` as a word of its own."""
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        # Borders are ASCII ones, see tokens.py.
        is_open = start == 0 or not (_is_ascii_word(text[start - 1]) and _is_ascii_word(value[0]))
        if is_open and (end == len(text) or not (_is_ascii_word(text[end]) and _is_ascii_word(value[-1]))):
            yield start
        start = text.find(value, end)


def _is_ascii_word(char: str) -> bool:
    return char.isascii() and char.isalnum()


def checked(texts: Sequence[str], found: Any, entities: Collection[str] | None) -> list[list[Span]]:
    """Check a detector's answer before anything relies on it.

    Raises:
        RedactionError: It is not one list of spans inside the text for each text, or a span bears an
            entity that the detector did not declare.
    """
    try:
        answer = [[Span(*span) for span in spans] for spans in found]
        is_sound = len(answer) == len(texts) and all(
            0 <= span.start < span.end <= len(text)
            for text, spans in zip(texts, answer, strict=False)
            for span in spans
        )
    except TypeError:
        is_sound = False
    if not is_sound:
        raise RedactionError("the detector did not answer with spans inside each text; nothing was sent")
    if entities is not None:
        known = {entity_name(entity) for entity in entities}
        if any(entity_name(span.entity) not in known for spans in answer for span in spans):
            raise RedactionError(
                "the detector found an entity that it does not list in `entities`; nothing was sent"
            )
    return [without_overlaps(text, spans) for text, spans in zip(texts, answer, strict=True)]

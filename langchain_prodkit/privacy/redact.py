"""Put placeholders into texts: pure string work between a detector and a vault."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import RedactionError
from langchain_prodkit.privacy.draft import NUMBER, Draft, plain
from langchain_prodkit.privacy.finder import is_apart
from langchain_prodkit.privacy.report import Hidden
from langchain_prodkit.privacy.sealed import Sealed
from langchain_prodkit.privacy.span import Span, without_overlaps
from langchain_prodkit.privacy.tokens import LITERAL, SURROGATE, Grammar, entity_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from langchain_prodkit.privacy.finder import Finder
    from langchain_prodkit.privacy.operators import Operators

__all__ = ["Writer", "checked", "with_known"]

MIN_KNOWN_CHARS: Final = 3
"""Shorter values are looked for by the detector only: they stand in too many other words."""


@dataclass(frozen=True, slots=True)
class _Want:
    """A place that waits for the token of a value."""

    entity: str
    value: str
    kind: str = ""
    """The detector's name of the entity, where a made-up value may stand instead; else empty."""
    is_bare: bool = False
    is_json: bool = False


class Writer:
    """Writes redacted texts for one scope: first what is wanted of the vault, then the texts."""

    def __init__(self, grammar: Grammar, finder: Finder, operators: Operators) -> None:
        """Hold what every text of one value shares; `finder` knows all that must be escaped."""
        self._grammar = grammar
        self._finder = finder
        self._operators = operators
        self._plans: list[list[list[str | _Want]]] = []
        self.counts: Counter[str] = Counter()
        """Entity -> how often it was hidden."""
        self.hidden: list[Hidden] = []
        """Where, in the order of the texts."""

    def plan(self, draft: Draft, spans: Sequence[Sequence[Span]]) -> None:
        """Work out what becomes of the texts of one leaf."""
        if draft.is_name:
            plans = [self._name(draft, spans[0])]
        elif draft.leaf.is_number:
            plans = [self._number(draft, spans[0])]
        else:
            is_json = draft.leaf.is_json and not draft.is_parsed
            plans = [
                self._text(draft, n, text, found, is_json=is_json)
                for n, (text, found) in enumerate(zip(draft.texts, spans, strict=True))
            ]
        self._plans.append(plans)

    def wants(self) -> list[tuple[str, str]]:
        """Give the entities and values that need tokens, each once."""
        return list(dict.fromkeys((want.entity, want.value) for want in self._wanted()))

    def casting(self) -> list[_Want]:
        """Give the places where made-up values may stand."""
        return [want for want in self._wanted() if want.kind]

    def texts(
        self, drafts: Sequence[Draft], tokens: Mapping[tuple[str, str], str], cast: Mapping[str, str]
    ) -> list[Any]:
        """Write every leaf, once the vault has given the tokens and a cast its made-up values."""
        written = []
        for draft, plans in zip(drafts, self._plans, strict=True):
            written.append(draft.text([self._joined(plan, tokens, cast) for plan in plans]))
        return written

    def _joined(
        self,
        plan: Sequence[str | _Want],
        tokens: Mapping[tuple[str, str], str],
        cast: Mapping[str, str],
    ) -> str:
        parts = [one for one in plan if one]
        text: list[str] = []
        for n, part in enumerate(parts):
            if isinstance(part, str):
                text.append(part)
                continue
            token = tokens[part.entity, part.value]
            name = cast.get(token, "") if part.kind else ""
            after = parts[n + 1] if n + 1 < len(parts) else ""
            if name and is_apart(name, text[-1] if text else "", after if isinstance(after, str) else ""):
                text.append(json.dumps(name, ensure_ascii=False)[1:-1] if part.is_json else name)
            else:
                text.append(token if part.is_bare else self._grammar.placeholder(token))
        return "".join(text)

    def _wanted(self) -> Iterator[_Want]:
        for plans in self._plans:
            for plan in plans:
                yield from (one for one in plan if isinstance(one, _Want))

    def _text(
        self, draft: Draft, n: int, text: str, spans: Sequence[Span], *, is_json: bool
    ) -> list[str | _Want]:
        """Replace `spans` in one pass, and escape whatever else could be read as a placeholder."""
        parts: list[str | _Want] = []
        literal: list[str] = []

        def flush() -> None:
            # Joined first: two halves around a removed value must not make a placeholder.
            parts.extend(self._escaped("".join(literal)))
            literal.clear()

        at = 0
        for span in spans:
            literal.append(text[at : span.start])
            value = text[span.start : span.end]
            entity = self._noted(draft, n, span)
            written = self._operators.apply(span.entity, value)
            if written is None:
                flush()
                kind = span.entity if self._operators.surrogate(span.entity) else ""
                parts.append(_Want(entity, _unescaped(value) if is_json else value, kind, is_json=is_json))
            elif isinstance(written, Sealed):
                flush()
                parts.append(written)
            else:
                literal.append(json.dumps(written, ensure_ascii=False)[1:-1] if is_json else written)
            at = span.end
        literal.append(text[at:])
        flush()
        return parts

    def _name(self, draft: Draft, spans: Sequence[Span]) -> list[str | _Want]:
        """Replace a speaker's name, whole, by a token without brackets: providers allow no `<` there."""
        text = draft.leaf.text
        if not spans:
            found = next(self._finder.find(text), None)
            return [text if found is None else _Want(LITERAL, text, is_bare=True)]
        entity = self._noted(draft, 0, Span(0, len(text), spans[0].entity, spans[0].score))
        written = self._operators.apply(spans[0].entity, text)
        return [_Want(entity, text, is_bare=True) if written is None else written]

    def _number(self, draft: Draft, spans: Sequence[Span]) -> list[str | _Want]:
        """Replace a number whole; what it was is noted with it, so that it comes back as one."""
        text = draft.leaf.text
        if not spans:
            return [text]
        entity = self._noted(draft, 0, Span(0, len(text), spans[0].entity, spans[0].score))
        written = self._operators.apply(spans[0].entity, text)
        if written is not None:
            return [written]
        kind = spans[0].entity if self._operators.surrogate(spans[0].entity) else ""
        return [_Want(entity, NUMBER + text, kind)]

    def _noted(self, draft: Draft, n: int, span: Span) -> str:
        entity = entity_name(span.entity)
        self.counts[entity] += 1
        self.hidden.append(Hidden(draft.path(n), span.start, span.end, entity))
        return entity

    def _escaped(self, text: str) -> Iterator[str | _Want]:
        at = 0
        for found in self._finder.find(text):
            yield text[at : found.start]
            yield _Want(LITERAL, text[found.start : found.end])
            at = found.end
        yield text[at:]


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
    known = {plain(value): entity for entity, value in held if entity not in {LITERAL, SURROGATE}}
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

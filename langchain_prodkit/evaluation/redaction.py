"""Take personal data out of records before they leave memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.record import Context, EvalRecord, Feedback

__all__ = ["Redactor", "SpanDetector", "redacted", "redactor"]


class SpanLike(Protocol):
    """Where personal data stands in a text."""

    @property
    def start(self) -> int:
        """First character."""
        ...

    @property
    def end(self) -> int:
        """One past the last character."""
        ...

    @property
    def entity(self) -> str:
        """What it is, e.g. `PERSON`."""
        ...


class SpanDetector(Protocol):
    """Finds personal data; `langchain_prodkit.privacy.PresidioDetector` is one."""

    def detect(self, texts: Sequence[str]) -> Sequence[Sequence[SpanLike]]:
        """List the spans of each text."""
        ...


Redactor: TypeAlias = Callable[[str], str] | SpanDetector
Rewrite: TypeAlias = Callable[[Sequence[str]], Sequence[str]]

# What a run is called by machines: no person wrote it, and metrics and joins need it whole.
_KEPT = frozenset({"id", "models", "error", "error_code", "flags"})


def redactor(redact: Redactor) -> Rewrite:
    """Make one function over lists of texts out of either form of redactor.

    Raises:
        ConfigurationError: `redact` is neither a callable nor has `.detect(texts)`.
    """
    detect = getattr(redact, "detect", None)
    if callable(detect):

        def by_spans(texts: Sequence[str]) -> list[str]:
            found = detect(texts)
            return [_masked(text, spans) for text, spans in zip(texts, found, strict=True)]

        return by_spans
    if callable(redact):

        def by_text(texts: Sequence[str]) -> list[str]:
            return [redact(text) for text in texts]

        return by_text
    msg = "redact= takes a callable from str to str, or an object with .detect(texts)"
    raise ConfigurationError(msg)


def redacted(record: EvalRecord, rewrite: Rewrite) -> EvalRecord:
    """Give `record` with every text rewritten, the keys of mappings that look like text included."""
    values = {
        item.name: getattr(record, item.name) for item in dataclasses.fields(record) if item.name not in _KEPT
    }
    texts = list(dict.fromkeys(_texts(values)))
    new = rewrite(texts)
    if len(new) != len(texts) or not all(type(text) is str for text in new):
        raise TypeError
    return dataclasses.replace(record, **_rewritten(values, dict(zip(texts, new, strict=True))))


def _masked(text: str, spans: Sequence[SpanLike]) -> str:
    pieces: list[str] = []
    done = 0
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.start >= done:
            pieces += (text[done : span.start], f"<{span.entity}>")
        # A span that overlaps the one before it hides its rest too.
        done = max(done, span.end)
    return "".join((*pieces, text[done:]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from (value,) if value else ()
    elif isinstance(value, dict):
        yield from (key for key in value if not key.isidentifier())
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Context):
        yield from _texts((value.text, value.id, value.metadata))
    elif isinstance(value, Feedback):
        yield from _texts((value.value, value.rationale, value.source))


def _rewritten(value: Any, new: dict[str, str]) -> Any:
    if isinstance(value, str):
        return new.get(value, value)
    if isinstance(value, dict):
        return {
            (key if key.isidentifier() else new.get(key, key)): _rewritten(item, new)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return type(value)(_rewritten(item, new) for item in value)
    if isinstance(value, Context):
        return dataclasses.replace(
            value,
            text=_rewritten(value.text, new),
            id=_rewritten(value.id, new),
            metadata=_rewritten(value.metadata, new),
        )
    if isinstance(value, Feedback):
        return dataclasses.replace(
            value,
            value=_rewritten(value.value, new),
            rationale=_rewritten(value.rationale, new),
            source=_rewritten(value.source, new),
        )
    return value

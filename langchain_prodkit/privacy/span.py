"""What a detector is asked and what it answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Detector", "Span", "readable", "without_overlaps"]

_SURROGATE = re.compile("[\ud800-\udfff]")


class Span(NamedTuple):
    """Where personal data stands in a text; never the text itself."""

    start: int
    """Offset of the first character."""
    end: int
    """Offset after the last character."""
    entity: str
    """The kind, in Presidio's names: `PERSON`, `EMAIL_ADDRESS`, ..."""
    score: float
    """0.0 unlikely .. 1.0 certain."""


@runtime_checkable
class Detector(Protocol):
    """Finds personal data; any object with these two methods can stand in for `PresidioDetector`.

    A detector may also have `entities`, the names that its spans can bear. Without it every
    upper-case `NAME_1` in a text has to be treated as a possible placeholder.
    """

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, sorted and without overlaps."""
        ...

    async def adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Do what `detect` does, without holding up the event loop."""
        ...


# A statistical model is sure that there is something and unsure where it ends.
_STATISTICAL = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "DATE_TIME"})
# Digits that are also something more telling are rarely just a phone number.
_VAGUE = frozenset({"PHONE_NUMBER", "URL", "US_BANK_NUMBER", "US_DRIVER_LICENSE"})


def readable(text: str) -> str:
    """Give `text` with a stand-in for each lone surrogate: UTF-8, and so spaCy, knows none."""
    return _SURROGATE.sub("\ufffd", text)


def without_overlaps(text: str, spans: Sequence[Span]) -> list[Span]:
    """Cover every character that any span covers, each once, sorted by position.

    Spans of one entity that overlap become one. Otherwise patterns win over the statistical model, and
    longer spans over shorter ones; what a loser covers beyond the winner stays, if it holds a letter or
    a digit.
    """
    if len(spans) < 2:  # noqa: PLR2004 - nothing can overlap
        return list(spans)
    taken = bytearray(len(text))
    kept: list[Span] = []
    for span in sorted(_united(spans), key=_rank):
        at = span.start
        while at < span.end:
            if taken[at]:
                at += 1
                continue
            end = taken.find(1, at, span.end)
            end = span.end if end < 0 else end
            piece = text[at:end]
            if at == span.start and end == span.end:
                kept.append(span)
            elif any(char.isalnum() for char in piece):
                start = at + len(piece) - len(piece.lstrip())
                kept.append(Span(start, start + len(piece.strip()), span.entity, span.score))
            taken[at:end] = b"\1" * (end - at)
            at = end
    return sorted(kept)


def _united(spans: Sequence[Span]) -> list[Span]:
    united: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.entity, span.start)):
        last = united[-1] if united else None
        if last is not None and last.entity == span.entity and span.start < last.end:
            end, score = max(last.end, span.end), max(last.score, span.score)
            united[-1] = Span(last.start, end, span.entity, score)
        else:
            united.append(span)
    return united


def _rank(span: Span) -> tuple[bool, int, bool, float, int, str]:
    return (
        span.entity in _STATISTICAL,
        span.start - span.end,
        span.entity in _VAGUE,
        -span.score,
        span.start,
        span.entity,
    )

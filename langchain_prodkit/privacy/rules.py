"""What the caller decides: the score that counts, values that are never personal, values that always are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy.deny import DenyList
from langchain_prodkit.privacy.span import Span, without_overlaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Rules", "checked_thresholds"]


class Rules:
    """Applied to what a detector finds, before one of two overlapping spans has to give way."""

    def __init__(
        self,
        *,
        thresholds: Mapping[str, float],
        allow_list: Iterable[str],
        deny_list: Mapping[str, Sequence[str]],
    ) -> None:
        """Take the settings of a detector."""
        self._thresholds = dict(thresholds)
        self._allowed = frozenset(allow_list)
        self._denied = DenyList(deny_list) if any(deny_list.values()) else None

    def kept(self, text: str, spans: Iterable[Span]) -> list[Span]:
        """Give the spans that count, with those of listed values, which always do."""
        kept = [
            span
            for span in set(spans)
            if span.score >= self._thresholds.get(span.entity, 0.0)
            and not (self._allowed and text[span.start : span.end] in self._allowed)
        ]
        if self._denied is not None:
            kept += self._denied.spans(text)
        return kept

    def final(self, text: str, spans: Iterable[Span]) -> list[Span]:
        """Give the spans that count, sorted and without overlaps."""
        return without_overlaps(text, self.kept(text, spans))


def checked_thresholds(thresholds: Mapping[str, float] | None) -> dict[str, float]:
    """Give entity -> lowest score.

    Raises:
        ConfigurationError: A score lies outside 0..1.
    """
    if any(not 0 <= score <= 1 for score in (thresholds or {}).values()):
        raise ConfigurationError("thresholds are scores between 0 and 1")
    return dict(thresholds or {})

"""Interop: an anonymizer of langchain-experimental in the place of a detector."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy.span import Span, readable, without_overlaps

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AnonymizerDetector", "as_detector"]


class AnonymizerDetector:
    """Takes the analyzer and the fields of a `PresidioAnonymizer` or `PresidioReversibleAnonymizer`.

    Its operators and its own mapping, which knows no users, are not used.
    """

    def __init__(self, anonymizer: Any) -> None:
        """Read the settings of `anonymizer` as they are now."""
        self._analyzer = anonymizer._analyzer  # noqa: SLF001 - it has no public name for it
        self._language = anonymizer.supported_languages[0]
        supported = set(self._analyzer.get_supported_entities(self._language))
        self.entities: tuple[str, ...] = tuple(sorted(supported.intersection(anonymizer.analyzed_fields)))

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, as the anonymizer's analyzer finds them."""
        return [self._spans(text) for text in texts]

    async def adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Do what `detect` does, in a thread."""
        return await asyncio.to_thread(self.detect, texts)

    def _spans(self, text: str) -> list[Span]:
        if not text.strip() or not self.entities:
            return []
        results = self._analyzer.analyze(
            readable(text), language=self._language, entities=list(self.entities)
        )
        spans = [Span(one.start, one.end, one.entity_type, one.score) for one in results]
        return without_overlaps(text, spans)


def as_detector(detector: Any) -> Any:
    """Accept a detector as it is, and an anonymizer of langchain-experimental through its analyzer.

    Raises:
        ConfigurationError: It is neither.
    """
    if callable(getattr(detector, "detect", None)):
        return detector
    if hasattr(detector, "_analyzer") and hasattr(detector, "analyzed_fields"):
        return AnonymizerDetector(detector)
    msg = (
        f"a detector needs detect(texts) -> list of lists of Span (and adetect); a "
        f"{type(detector).__qualname__} has none and is no anonymizer of langchain-experimental"
    )
    raise ConfigurationError(msg)

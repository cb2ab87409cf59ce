"""The base of recognizers that scan a text themselves: a few results, and next to no work without one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from presidio_analyzer import AnalysisExplanation, LocalRecognizer, RecognizerResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Hit", "ScanRecognizer"]


class Hit(NamedTuple):
    """Where something stands, what it is and how sure that is."""

    start: int
    """Offset of the first character."""
    end: int
    """Offset after the last character."""
    entity: str
    """The kind, in Presidio's names."""
    score: float
    """0.0 unlikely .. 1.0 certain."""


class ScanRecognizer(LocalRecognizer):
    """A Presidio recognizer whose subclass gives `hits`; usable in any `AnalyzerEngine`."""

    ENTITIES: ClassVar[tuple[str, ...]] = ()
    """What the subclass finds."""
    CONTEXT: ClassVar[tuple[str, ...]] = ()
    """Words nearby that raise a score, by Presidio's own rule."""

    def __init__(
        self, supported_language: str = "en", supported_entities: Sequence[str] | None = None
    ) -> None:
        """Take the language, and those of `ENTITIES` that are wanted; all of them by default."""
        super().__init__(
            supported_entities=list(self.ENTITIES if supported_entities is None else supported_entities),
            supported_language=supported_language,
            context=list(self.CONTEXT),
            name=type(self).__name__,
        )

    def load(self) -> None:
        """Load nothing before the first text that needs it."""

    @abstractmethod
    def hits(self, text: str) -> Iterable[Hit]:
        """Find everything this recognizer knows; entities that nobody asked for are dropped later."""

    def analyze(self, text: str, entities: Sequence[str], nlp_artifacts: Any = None) -> list[Any]:  # noqa: ARG002 - Presidio's signature
        """Give one result for each hit of an entity that is asked for and supported."""
        name = type(self).__name__
        wanted = set(self.supported_entities).intersection(entities or self.supported_entities)
        return [
            RecognizerResult(
                entity_type=hit.entity,
                start=hit.start,
                end=hit.end,
                score=hit.score,
                analysis_explanation=AnalysisExplanation(recognizer=name, original_score=hit.score),
                recognition_metadata={
                    RecognizerResult.RECOGNIZER_NAME_KEY: name,
                    RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                },
            )
            for hit in self.hits(text)
            if hit.entity in wanted
        ]

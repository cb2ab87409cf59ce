"""Places by the words beside them: where people fly, live, work and were born, and after "City:"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import regex  # type: ignore[import-untyped]
from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from langchain_prodkit.privacy.recognizers.name import capitalised
from langchain_prodkit.privacy.words import is_acronym, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["NamedPlaceRecognizer", "named_places"]

_MOVING: Final = (
    r"(?:(?:flew|fly|flies|flying|flown|flights?|travel(?:l?ed|l?ing|s)?|trips?|mov(?:ed?|es|ing)|drove"
    r"|relocat(?:ed?|ing)|driv(?:e|es|ing)|journey|tickets?|trains?|bus|went|going|return(?:ed|ing)?"
    r"|(?:been|sent|shipped|headed|deported|transferred|posted)) (?:back )?to"
    r"|(?:liv(?:e|es|ed|ing)|born|raised|grew up|grow up|based|locat(?:ed|ion)|resid(?:es?|ed|ing)|situated"
    r"|stay(?:s|ed|ing)?|work(?:s|ed|ing)?|arriv(?:e|es|ed|ing)|land(?:s|ed|ing)?|stores?|offices?|branch"
    r"|home|house|apartment|hotel|restaurant|university|school|hospital|weather|police|mayor|citizens|died"
    r"|buried|vacation|holidays?|currently|downtown) (?:is )?(?:in|near|at|of)"
    r"|(?:city|town|village|state|province|capital|county|district|republic|kingdom|island|people|outskirts"
    r"|suburb|mayor|port|hometown|region|embassy) (?:of|in)"
    r"|(?:i'm|i am|he is|he's|she is|she's|they are|we are|comes?|came|coming|originally|hails?|native)"
    r" (?:from|of|to)"
    r"|visit(?:ed|s|ing)?|leav(?:e|es|ing) for|left for|home city|hometown|welcome to)"
)
_LABEL: Final = (
    r"(?:^|[\n,;|\t] ?|  )(?:place of birth|birth ?place|city|town|country|state|province|county|region"
    r"|location|where|destination|origin|nationality|hometown|residence|place|venue)[ \t]*[:=][ \t]*"
)
_BEFORE: Final = regex.compile(rf"(?:\b{_MOVING} (?:the )?|{_LABEL})\Z")
_LAST: Final = frozenset({
    "to", "in", "near", "at", "of", "from", "for", "the", "city", "hometown", "visit", "visited", "visits",
    "visiting",
})  # fmt: skip
_SCORE: Final = 0.6
REACH: Final = 40
"""Characters before a place that are looked at."""


def named_places(text: str) -> Iterator[tuple[int, int, float]]:
    """Give start, end and score of each place that stands where places stand."""
    for starts, end in capitalised(text):
        start = starts[0] if starts else end
        first = text[start:end].split(None, 1)[:1]
        if not first or is_plain(first[0]) or is_acronym(first[0]):
            continue
        before = text[max(0, start - REACH) : start].lower()
        words = before.split()
        if words and (words[-1] in _LAST or words[-1][-1] in ":=") and _BEFORE.search(before) is not None:
            yield start, end, _SCORE


class NamedPlaceRecognizer(EntityRecognizer):
    """Finds places by the words beside them: "flew to", "lives in", "City:"."""

    def __init__(self, supported_language: str = "en", supported_entity: str = "LOCATION") -> None:
        """Take the language and the entity that results bear."""
        super().__init__(
            supported_entities=[supported_entity],
            supported_language=supported_language,
            name="NamedPlaceRecognizer",
        )

    def load(self) -> None:
        """Need nothing."""

    def analyze(
        self,
        text: str,
        entities: list[str],
        nlp_artifacts: Any = None,  # noqa: ARG002 - Presidio's signature
    ) -> list[RecognizerResult]:
        """Give the places of `text`."""
        entity = self.supported_entities[0]
        if entity not in entities:
            return []
        why = AnalysisExplanation("NamedPlaceRecognizer", _SCORE, pattern_name="place")
        return [
            RecognizerResult(entity, start, end, score, analysis_explanation=why)
            for start, end, score in named_places(text)
        ]

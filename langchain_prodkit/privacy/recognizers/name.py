"""Names that are introduced as names, which a small language model misses among commas."""

from __future__ import annotations

import re

from presidio_analyzer import Pattern, PatternRecognizer

__all__ = ["IntroducedNameRecognizer"]

_WORD = r"\p{Lu}[\p{L}'\u2019\-]*\p{L}"
_CALLED = r"\b(?i:my (?:full )?name is|my name['\u2019]s|i am called|i['\u2019]m called)"
_NAMES = rf"{_WORD}(?:[ \u00a0](?:{_WORD}|\p{{Lu}}\.)){{0,3}}"
# "This is" introduces many things: two capitalised words, and then a pause or a place.
_FULL = rf"{_WORD}(?:[ \u00a0](?:{_WORD}|\p{{Lu}}\.)){{1,3}}(?=,| here\b| speaking\b| from\b| calling\b|\.)"


class IntroducedNameRecognizer(PatternRecognizer):
    """Finds the name after "my name is", "I am called" and the like, and after "this is" at a start."""

    PATTERNS = (
        Pattern("named", rf"(?<={_CALLED} ){_NAMES}", 0.8),
        Pattern("this is", rf"(?<=(?:^|[.!?] )(?i:(?:hello|hi|hey),? )?[Tt]his is ){_FULL}", 0.7),
    )

    def __init__(self, supported_language: str = "en", supported_entity: str = "PERSON") -> None:
        """Read capital letters as what they are: Presidio ignores case unless told otherwise."""
        super().__init__(
            supported_entity=supported_entity,
            patterns=list(self.PATTERNS),
            supported_language=supported_language,
            name="IntroducedNameRecognizer",
            global_regex_flags=re.DOTALL | re.MULTILINE,
        )

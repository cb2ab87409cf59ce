"""Phone numbers: one scan for candidates, then phonenumbers on each of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import phonenumbers
from presidio_analyzer import AnalysisExplanation, LocalRecognizer, RecognizerResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["TelephoneRecognizer"]

FORMATTED: Final = 0.7
"""The score of digits grouped as phone numbers are; a context word raises it to 1.0."""
BARE: Final = 0.4
"""The score of digits in a row, which may number anything: Presidio's score for every phone."""
_CANDIDATE = re.compile(
    r"(?<![\w.:/#@%=&\-])(?<!\d,)"
    r"(?:\+[ ]?\d|\(\+?\d|\d)(?:[ \u00a0.\-/()]{0,2}\d){5,16}"
    r"(?:[ ]?(?:x|ext\.?|extension|#)[ ]?\d{1,6})?"
    r"(?![\dA-Za-z@%]|[.,:/\-]\d)"
)
_NOT_A_PHONE = re.compile(
    r"\d{1,4}[./\-]\d{1,2}[./\-]\d{1,4}"  # a date
    r"|\d{3}[ \-]\d{2}[ \-]\d{4}"  # a social security number
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # an IP address
    r"|(?:\d{4}[ \-]?){3}\d{1,7}"  # a card
    r"|\d{5}-\d{3,4}"  # a postcode
    r"|\d{6,}/\d+"  # a fraction
)
_HOUSE = re.compile(r"\d{1,7} \d{1,5}(?= [^\W\d_])")
_PREFIX = re.compile(r"\+|\(\+|00[1-9]")
_MIN_DIGITS: Final = 7
_MIN_BARE: Final = 9


# Not "PhoneRecognizer": Presidio finds recognizers by the name of their class among all subclasses.
class TelephoneRecognizer(LocalRecognizer):
    """Finds phone numbers of the given regions, and of any country with a `+` prefix."""

    CONTEXT = ("phone", "number", "telephone", "cell", "cellphone", "mobile", "call", "tel", "fax", "전화")

    def __init__(
        self,
        supported_language: str = "en",
        supported_entity: str = "PHONE_NUMBER",
        regions: Sequence[str] = ("US", "GB", "DE", "FR", "KR", "IN", "AU", "BR"),
    ) -> None:
        """Take the regions whose national formats are known."""
        self.regions = tuple(regions)
        super().__init__(
            supported_entities=[supported_entity],
            supported_language=supported_language,
            context=list(self.CONTEXT),
            name="TelephoneRecognizer",
        )

    def load(self) -> None:
        """Load nothing: phonenumbers brings its tables."""

    def analyze(
        self,
        text: str,
        entities: list[str],  # noqa: ARG002 - Presidio's signature
        nlp_artifacts: Any = None,  # noqa: ARG002
    ) -> list[Any]:
        """Give one result for each candidate that some region accepts."""
        name = type(self).__name__
        return [
            RecognizerResult(
                entity_type=self.supported_entities[0],
                start=start,
                end=end,
                score=score,
                analysis_explanation=AnalysisExplanation(recognizer=name, original_score=score),
                recognition_metadata={
                    RecognizerResult.RECOGNIZER_NAME_KEY: name,
                    RecognizerResult.RECOGNIZER_IDENTIFIER_KEY: self.id,
                },
            )
            for start, end, score in self._found(text)
        ]

    def _found(self, text: str) -> Iterator[tuple[int, int, float]]:
        for match in _CANDIDATE.finditer(text):
            raw = match.group()
            digits = sum(map(str.isdigit, raw))
            if digits < (_MIN_BARE if raw.isdigit() else _MIN_DIGITS):
                continue
            # Two numbers before a word are a postcode or a flat, a house number and its street.
            if _NOT_A_PHONE.fullmatch(raw) or _HOUSE.match(text, match.start()) or not self._is_known(raw):
                continue
            end = match.end() - (len(raw) - len(raw.rstrip(" (")))
            yield match.start(), end, BARE if raw.isdigit() else FORMATTED

    def _is_known(self, raw: str) -> bool:
        regions = ("ZZ",) if _PREFIX.match(raw) else self.regions
        raw = re.sub(r"^\(?00(?=[1-9])", "+", raw) if regions == ("ZZ",) else raw
        is_bare = raw.isdigit()
        for region in regions:
            try:
                number = phonenumbers.parse(raw, region)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(number) or (
                not is_bare and phonenumbers.is_possible_number(number)
            ):
                return True
        return False

"""Street addresses: a number, a street and, where they follow, unit, town, state, postcode, country."""

from __future__ import annotations

from presidio_analyzer import Pattern, PatternRecognizer

__all__ = ["StreetAddressRecognizer"]

_WORD = r"[A-ZÀ-ÖØ-Þ][\w'’.\-]*"
_NUMBER = r"(?<![\w.,/$€£\-])\d{1,5}[A-Za-z]?(?:[/\-]\d{1,4})?"
_TYPE = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter"
    r"|Way|Close|Crescent|Cres|Circle|Cir|Parkway|Pkwy|Highway|Hwy|Row|Walk|Gardens|Gdns|Grove|Hill|Mews|Park"
    r"|Rapids|Plaza|Loop|Trail|Trl|Quay|Alley|Bypass|Turnpike|Route|Path|Green|Rise|View)"
)
_UNIT = r"(?:[ ,\n]{1,3}(?:(?i:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Room|Rm|Box)\.?|\#)[ ]?\w{1,6})"
_TAIL = (
    rf"(?:[ ,\n]{{1,3}}{_WORD}(?:[ \-]{_WORD}){{0,3}})?"
    r"(?:,?[ \n]{1,2}(?:[A-Z]{2}|[A-Z][a-z]+))?"
    r"(?:[ ,\n]{1,3}(?:\d{5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}))?"
)
_STREET = rf"{_NUMBER}[ ](?:[NSEW]\.?[ ])?(?:{_WORD}[ ]){{1,4}}{_TYPE}\b\.?{_UNIT}?{_TAIL}"


class StreetAddressRecognizer(PatternRecognizer):  # type: ignore[misc]
    """Finds street addresses written in the US, the UK and in number-street-town-postcode form."""

    PATTERNS = (Pattern("street", _STREET, 0.6),)

    def __init__(self, supported_language: str = "en", supported_entity: str = "STREET_ADDRESS") -> None:
        """Take the language and the entity that results bear."""
        super().__init__(
            supported_entity=supported_entity,
            patterns=list(self.PATTERNS),
            supported_language=supported_language,
            name="StreetAddressRecognizer",
            global_regex_flags=0,
        )

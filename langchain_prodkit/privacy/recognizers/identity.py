"""Numbers of identity papers and dates of birth, which only the words before them tell from other numbers.

Formats: US Social Security Administration (no area 000, 666 or 9xx, no group 00, no serial 0000), IRS (ITIN:
9xx with groups 50-65, 70-88, 90-92, 94-99), HMRC (national insurance numbers). Licences and passports differ
by state and decade, so any letters and digits count behind a word that names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["BirthDateRecognizer", "IdentityNumberRecognizer"]

CERTAIN: Final = 0.85
LIKELY: Final = 0.6
_GATE = re.compile(r"\d[ \-.]?\d[ \-.]?\d")
_SOCIAL = re.compile(r"(?<![\w.\-])(\d{3})([\- .\u2010-\u2015])(\d{2})\2(\d{4})(?![\w]|[\-.]\d)")
_NATIONAL = re.compile(
    r"(?<![A-Za-z0-9\-])(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]"
    r"[ ]?\d{2}[ ]?\d{2}[ ]?\d{2}[ ]?[A-D](?![A-Za-z0-9\-])"
)
_NUMBER = r"(?:[ ](?:card|id))?(?:[ ]?(?:numbers?|num\.?|no\.?|nr\.?|\#))?"
_LINK = (
    r"(?:[ ]?[:=\#\u2013\-][ ]?|[ ]\(|[ ](?:is|was|are|reads|of)[ ]?:?[ ]|['\u2019]s[ ]"
    r"|[.,?][ ](?:it['\u2019]?s|it[ ]is)[ ]|\s)"
)
_LABEL = re.compile(
    r"(?<![A-Za-z])(?:"
    r"(?P<US_DRIVER_LICENSE>(?:driv(?:er['\u2019]?s?|ers['\u2019]|ing)[ ](?:licen[cs]e|permit)"
    rf"|licen[cs]e(?=[ ](?:num|no\b|\#))|dln?(?=[ ]?[:\#])){_NUMBER})"
    rf"|(?P<US_PASSPORT>passport{_NUMBER})"
    rf"|(?P<US_ITIN>(?:itin|(?:individual[ ]tax(?:payer)?|taxpayer)[ ]id(?:entification)?){_NUMBER})"
    rf"|(?P<US_SSN>(?:ssn|social[ ]security|social){_NUMBER})"
    rf"){_LINK}{{1,2}}",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"(?:[A-Za-z]{0,6}|[A-Z]{1,3}[ \-])\d[\dA-Za-z]{0,17}"
    r"(?:[\- ]\d[\dA-Za-z]{0,7}){0,5}(?![A-Za-z0-9@]|[.,:/]\d)"
)
_NINE = re.compile(r"\d{3}[\- .]?\d{2}[\- .]?\d{4}(?![A-Za-z0-9])")
_MIN_DIGITS: Final = 5
_MAX_CHARS: Final = 26

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_BORN = re.compile(
    r"(?<![A-Za-z])(?:date[ ]of[ ]birth|birth[ ]?date|birth[ ]?day|d\.?o\.?b\b\.?|born|geburtsdatum|geboren"
    r"|fecha[ ]de[ ]nacimiento|date[ ]de[ ]naissance|data[ ]di[ ]nascita|data[ ]de[ ]nascimento"
    r"|geboortedatum)"
    r"(?![A-Za-z])|생년월일|생일",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?<![\w.\-/])(?:"
    rf"\d{{1,2}}(?:st|nd|rd|th)?[ \-.](?:of[ ])?{_MONTH}[ \-,]{{1,2}}\d{{2,4}}"
    rf"|{_MONTH}[ ]\d{{1,2}}(?:st|nd|rd|th)?,?[ ]\d{{2,4}}"
    r"|\d{1,4}([./\-][ ]?)\d{1,2}\1\d{1,4}"
    r"|\d{4}년[ ]?\d{1,2}월[ ]?\d{1,2}일"
    r")(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_GAP_CHARS: Final = 40


class IdentityNumberRecognizer(ScanRecognizer):
    """Finds social security, tax, passport, licence and national insurance numbers."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("US_SSN", "US_ITIN", "US_PASSPORT", "US_DRIVER_LICENSE", "UK_NINO")
    CONTEXT: ClassVar[tuple[str, ...]] = ("ssn", "social", "security", "itin", "tax", "insurance", "nino")

    def hits(self, text: str) -> Iterator[Hit]:
        """Find what its form tells, and what the word before it tells."""
        if _GATE.search(text) is None:
            return
        taken: set[int] = set()
        for match in _LABEL.finditer(text):
            entity = str(match.lastgroup)
            form = _NINE if entity in {"US_SSN", "US_ITIN"} else _VALUE
            value = form.match(text, match.end())
            if value is not None and _is_number(value.group()):
                taken.add(value.start())
                yield Hit(value.start(), value.end(), entity, CERTAIN)
        for match in _SOCIAL.finditer(text):
            found = _social(match)
            if found is not None and found.start not in taken:
                yield found
        for match in _NATIONAL.finditer(text):
            yield Hit(match.start(), match.end(), "UK_NINO", LIKELY)


class BirthDateRecognizer(ScanRecognizer):
    """Finds the date after "born", "date of birth" and the like; other dates are nobody's."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("DATE_OF_BIRTH",)

    def hits(self, text: str) -> Iterator[Hit]:
        """Look behind each word of birth for a date in the same line."""
        for match in _BORN.finditer(text):
            stop = text.find("\n", match.end(), match.end() + _GAP_CHARS)
            stop = match.end() + _GAP_CHARS if stop < 0 else stop
            found = _DATE.search(text, match.end(), stop)
            if found is not None:
                yield Hit(found.start(), found.end(), "DATE_OF_BIRTH", CERTAIN)


def _is_number(value: str) -> bool:
    return len(value) <= _MAX_CHARS and sum(map(str.isdigit, value)) >= _MIN_DIGITS


def _social(match: re.Match[str]) -> Hit | None:
    area, _, group, serial = match.groups()
    if group == "00" or serial == "0000" or area in {"000", "666"}:
        return None
    score = CERTAIN if match.group(2) != " " else LIKELY
    if area[0] != "9":
        return Hit(match.start(), match.end(), "US_SSN", score)
    number = int(group)
    is_tax = 50 <= number <= 65 or 70 <= number <= 88 or 90 <= number <= 92 or number >= 94  # noqa: PLR2004
    return Hit(match.start(), match.end(), "US_ITIN", score) if is_tax else None

"""Phone numbers: one scan for candidates, then phonenumbers on each of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

import phonenumbers

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["TelephoneRecognizer"]

LABELLED: Final = 0.75
"""The score of digits beside a word such as "phone" or "fax"."""
FORMATTED: Final = 0.7
"""The score of digits grouped as phone numbers are; a context word raises it to 1.0."""
BARE: Final = 0.4
"""The score of digits in a row, which may number anything: Presidio's score for every phone."""
_CANDIDATE = re.compile(
    r"(?<![\w.:/#@%=&\-])(?<!\d,)"
    r"(?:\+[ ]?\d|\(\+?\d|\d)(?:[ \u00a0.\-/()]{0,2}\d){5,16}"
    r"(?:,?[ ]?(?:x|ext\.?|extn\.?|extension|durchwahl|poste|;ext=|\#)[ ]?\d{1,6})?"
    r"(?![\dA-Za-z@%]|[.,:/\-]\d)"
)
_NOT_A_DATE_OR_ID = re.compile(
    r"\d{1,4}[./\-]\d{1,2}[./\-]\d{1,4}"  # a date
    r"|\d{3}[ \-]\d{2}[ \-]\d{4}"  # a social security number
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # an IP address
    r"|(?:\d{4}[ \-]?){3}\d{4}"  # a card
    r"|\d{1,4}\.\d+(?:/\d+)?"  # a decimal, a document identifier
)
_NOT_A_PHONE = re.compile(
    r"\d{1,4}[./\-]\d{1,2}[./\-]\d{1,4}"  # a date
    r"|\d{3}[ \-]\d{2}[ \-]\d{4}"  # a social security number
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # an IP address
    r"|(?:\d{4}[ \-]?){3}\d{1,7}"  # a card
    r"|\d{5}-\d{3,4}"  # a postcode
    r"|\d{6,}/\d+"  # a fraction
    r"|97[89][ \-]?(?:\d[ \-]?){9}\d"  # an ISBN
    r"|\d{1,3}(?:[ ]000)+|[1-9]\d{0,2}(?:[ .]\d{3}){2,}"  # a number in thousands
    r"|\d{4}[ \-/]\d{4}[ \-/]?"  # two years, or two times
    r"|(?:19|20)\d{2}[ \-/](?:19|20)\d{2}"
    r"|(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[ \-]\d+"  # a date and a running number
)
_HOUSE = re.compile(r"\d{1,7} \d{1,5}(?= [^\W\d_])")
_PREFIX = re.compile(r"\+|\(\+|00[1-9]")
# The shape of the North American plan (three, three and four digits, neither group from 0 or 1) is
# the commonest by far, and saves the tables.
_AMERICAN = re.compile(
    r"(?:1[ .\-]|\+1[ .\-]?)?(?:\([2-9]\d{2}\)[ .\-]?|[2-9]\d{2}[ .\-])[2-9]\d{2}[ .\-]\d{4}"
    r"(?:[ ,]{0,2}[xedp;\#].{0,20})?"
)
_TRUNK = re.compile(r"\(?0\d|\(")
_BARE_NATIONAL = re.compile(r"0\d{8,11}|1?[2-9]\d{2}[2-9]\d{6}|[6-9]\d{9}")
_SAID_BEFORE = re.compile(
    r"(?:\b(?:(?:tele)?phone|tel|mobile|cell(?:phone)?|fax|call(?:ed|ing|s)?|dial(?:ed|ling|ing)?|ring"
    r"|whats ?app|sms|text(?:ed|ing)?(?: me| us| him| her| them)?|hotline|helpline|landline"
    r"|pager|voicemail|handy|mobil|reach (?:me|us|him|her|them|out)|contact"
    r"|téléphone|tel[eé]fono|telefone?|celular|cellulare|portable|phn?)"
    r"|☎|📞|전화|휴대폰|핸드폰|연락처|팩스)[^\d\n;!?]{0,24}$",
    re.IGNORECASE,
)
_SAID_AFTER = re.compile(
    r"[ \t\-\u2013:(/,]{0,3}"
    r"(?:office|fax|home|mobile|cell|work|tel|phone|direct|main|voice|after hours|whatsapp)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"(?:\b(?:card|account|acct|order|ticket|invoice|reference|ref|serial|isbn|issn|tracking|case|claim|policy"
    r"|patient|member|customer|client|employee|student|transaction|request|trace|session|build|commit|revision"
    r"|id|uuid|sku|upc|ean|asin|licen[cs]e|passport|ssn|itin|security|routing|swift|iban|vat|tax|ein|bank|port"
    r"|pid|timestamp|epoch|seed|hash|key|total|sum|amount|price|cost|about|approximately|roughly|over|under"
    r"|than|exactly|least|most|between)\b[^\d\n;!?]{0,16}|[=*^<>\u00d7\u00f7§$€£¥₩]\s{0,2})$",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"[ ](?:(?!(?:is|was|as|this|has|does|always|sometimes|please|thanks|unless|perhaps|us|yes)\b)"
    r"[a-z]{2,20}s\b"
    r"|(?:total|percent|won|yen|million|billion|people|kg|km|kb|mb|gb|ms|usd|eur|krw)\b)"
    r"|[ ]?(?:%|°|€|\$|£|원|명|개|건)"
)
_REACH: Final = 48
_MIN_DIGITS: Final = 7
_MIN_LABELLED: Final = 6
_MIN_BARE: Final = 9


# Not "PhoneRecognizer": Presidio finds recognizers by the name of their class among all subclasses.
class TelephoneRecognizer(ScanRecognizer):
    """Finds phone numbers of the given regions, and of any country with a `+` prefix."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("PHONE_NUMBER",)
    CONTEXT: ClassVar[tuple[str, ...]] = (
        "phone", "telephone", "cell", "cellphone", "mobile", "call", "tel", "fax", "whatsapp", "전화",
    )  # fmt: skip

    def __init__(
        self,
        supported_language: str = "en",
        supported_entity: str = "PHONE_NUMBER",
        regions: Sequence[str] = ("US", "GB", "DE", "FR", "KR", "IN", "AU", "BR"),
    ) -> None:
        """Take the regions whose national formats are known."""
        self.regions = tuple(regions)
        super().__init__(supported_language, [supported_entity])

    def hits(self, text: str) -> Iterator[Hit]:
        """Give each candidate that some region accepts, or that a word beside it says is a phone."""
        for match in _CANDIDATE.finditer(text):
            raw = match.group().rstrip(" (")
            end = match.start() + len(raw)
            raw = raw.removeprefix("(") if raw.count("(") > raw.count(")") else raw
            start = end - len(raw)
            score = self._score(text, raw, start, end)
            if score:
                yield Hit(start, end, self.supported_entities[0], score)

    def _score(self, text: str, raw: str, start: int, end: int) -> float:
        """Weigh one candidate: 0.0 is no phone number."""
        if _AMERICAN.fullmatch(raw):
            return FORMATTED
        if _NOT_A_DATE_OR_ID.fullmatch(raw) or _COUNTED.match(text, end):
            return 0.0
        digits = sum(map(str.isdigit, raw))
        before = text[max(0, start - _REACH) : start]
        if digits >= _MIN_LABELLED and (_SAID_BEFORE.search(before) or _SAID_AFTER.match(text, end)):
            return LABELLED
        is_global = _PREFIX.match(raw) is not None
        is_enough = digits >= (_MIN_BARE if raw.isdigit() else _MIN_DIGITS) and not _NOT_A_PHONE.fullmatch(
            raw
        )
        is_house = digits < _MIN_BARE and _HOUSE.match(text, start) is not None
        if (
            is_house
            or not is_enough
            or (not is_global and not _is_national(raw, before))
            or not self._is_known(raw)
        ):
            return 0.0
        return BARE if raw.isdigit() else FORMATTED

    def _is_known(self, raw: str) -> bool:
        is_global = _PREFIX.match(raw) is not None
        raw = re.sub(r"^\(?00(?=[1-9])", "+", raw) if is_global else raw
        # What is grouped like a phone number may have a number that nobody was given yet.
        is_loose = is_global or (_TRUNK.match(raw) is not None and not raw.isdigit())
        for region in ("ZZ",) if is_global else self.regions:
            try:
                number = phonenumbers.parse(raw, region)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(number) or (is_loose and phonenumbers.is_possible_number(number)):
                return True
        return False


def _is_national(raw: str, before: str) -> bool:
    """Say whether digits without a country code may be a phone number where they stand."""
    if _NUMBERED.search(before):
        return False
    return not raw.isdigit() or _BARE_NATIONAL.fullmatch(raw) is not None

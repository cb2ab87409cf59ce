"""Korean numbers: resident, foreigner, business, passport, licence and account, before any particle.

Korean writes its particles onto the word, so none of these ends at a word border; digits end them.
Formats: Resident Registration Act, enforcement rules (date, gender and century digit, six digits, without
a check sum since October 2020); National Tax Service (business numbers); Ministry of Foreign Affairs
(passports, with a letter in the middle since December 2021); Korean National Police (licences).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["KoreanNumberRecognizer"]

CERTAIN: Final = 0.95
LIKELY: Final = 0.7
_DASH = r"[ ]?[\-\u2010-\u2015\u2212\uff0d~.][ ]?"
_GATE = re.compile(r"\d{6}|\d{3}\D{1,3}\d\d\D{1,3}\d{5}|[A-Za-z]\d{3}[A-Za-z]\d{4}")
_HANGUL = re.compile("[가-힣]")
_RRN = re.compile(
    rf"(?<![\d\-])(\d{{2}})(\d{{2}})(\d{{2}})({_DASH}|[ ])?([0-9])"
    r"(\d{6}|[*xX•●○]{6}|\d[*xX•●○]{5})(?![\d]|-\d)"
)
_RESIDENT = re.compile(
    r"주민|외국인\s?등록|외국인\s?번호|생년|resident|registration\s+n|\bRRN\b|\bFRN\b|\bARC\b", re.IGNORECASE
)
_COMPANY = re.compile(r"법인|corporat", re.IGNORECASE)
_BRN = re.compile(rf"(?<![\d\-.])(\d{{3}})({_DASH})(\d{{2}})({_DASH})(\d{{5}})(?![\d]|-\d)")
_BRN_BARE = re.compile(r"(?<![\d\-.])\d{10}(?![\d]|-\d)")
_BUSINESS = re.compile(r"사업자|business", re.IGNORECASE)
_PASSPORT = re.compile(r"(?<![A-Za-z0-9])[A-Za-z](?:\d{3}[A-Za-z]\d{4}|\d{8}|[A-Za-z]\d{7})(?![A-Za-z0-9])")
_PASSPORT_TYPES = frozenset("MSRODGTP")
_TRAVEL = re.compile(r"여권|passport", re.IGNORECASE)
_REGION = r"(?:서울|부산|경기|강원|충북|충남|전북|전남|경북|경남|제주|대구|인천|광주|대전|울산)"
_LICENCE = re.compile(
    rf"(?<![\d\-])(?:{_REGION}[ ]?(?:{_DASH})?)?(1[1-9]|2[0-8]){_DASH}(\d{{2}}){_DASH}(\d{{6}})"
    rf"{_DASH}(\d{{2}})(?![\d]|-\d)"
    rf"|(?<![\d\-]){_REGION}[ ]?(?:{_DASH})?\d{{2}}{_DASH}\d{{6}}{_DASH}\d{{2}}(?![\d]|-\d)"
)
_LICENCE_BARE = re.compile(r"(?<![\d\-.])(?:1[1-9]|2[0-8])(?:[ ]\d{2}[ ]\d{6}[ ]\d{2}|\d{10})(?![\d]|-\d)")
_DRIVING = re.compile(r"면허|licen[cs]e", re.IGNORECASE)
_ACCOUNT = re.compile(
    r"(?<![\d\-.])\d{2,6}(?:[ ]?-[ ]?\d{1,8}){1,4}(?![\d]|-\d)|(?<![\d\-.])\d{10,14}(?![\d]|-\d)"
)
_BANK = re.compile(r"계좌|통장|입금|송금|예금|은행|뱅크|농협|수협|신협|새마을금고|우체국|이체", re.IGNORECASE)
_ACCOUNT_DIGITS: Final = range(10, 15)
_BEFORE_CHARS: Final = 24
_DAYS: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class KoreanNumberRecognizer(ScanRecognizer):
    """Finds Korean personal numbers, with any particle behind them.

    A form that numbers much else (thirteen digits in a row, an old passport) needs a word that says what
    it is, or its check digit; an account number always needs one, as there are no other marks.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = (
        "KR_RRN", "KR_FRN", "KR_BRN", "KR_PASSPORT", "KR_DRIVER_LICENSE", "KR_BANK_ACCOUNT",
    )  # fmt: skip

    def hits(self, text: str) -> Iterator[Hit]:
        """Find every number, in one pass a kind; a text without digits in a row costs one scan."""
        if _GATE.search(text) is None:
            return
        is_korean = self.supported_language == "ko" or _HANGUL.search(text) is not None
        yield from _residents(text)
        yield from _businesses(text)
        yield from _passports(text, is_korean=is_korean)
        yield from _licences(text)
        if is_korean:
            yield from _accounts(text)


def _said(word: re.Pattern[str], text: str, start: int) -> bool:
    return word.search(text, max(0, start - _BEFORE_CHARS), start) is not None


def _residents(text: str) -> Iterator[Hit]:
    for match in _RRN.finditer(text):
        _, month, day, dash, century, _ = match.groups()
        if not (0 < int(month) <= len(_DAYS) and 0 < int(day) <= _DAYS[int(month) - 1]):
            continue
        start = match.start()
        is_named = _said(_RESIDENT, text, start)
        if _said(_COMPANY, text, start) and not is_named:
            continue
        if not (dash or "").strip() and not is_named and not _is_resident_sum(match.group()):
            continue
        entity = "KR_FRN" if century in "5678" else "KR_RRN"
        yield Hit(start, match.end(), entity, CERTAIN if dash or is_named else LIKELY)


def _is_resident_sum(number: str) -> bool:
    digits = [int(char) for char in number if char.isdigit()]
    if len(digits) != 13:  # noqa: PLR2004 - masked
        return False
    total = sum(digit * (2 + index % 8) for index, digit in enumerate(digits[:-1]))
    extra = 2 if digits[6] in {5, 6, 7, 8} else 0
    return (11 - total % 11 + extra) % 10 == digits[-1]


def _businesses(text: str) -> Iterator[Hit]:
    for match in _BRN.finditer(text):
        digits = match[1] + match[3] + match[5]
        yield Hit(match.start(), match.end(), "KR_BRN", CERTAIN if _is_business_sum(digits) else LIKELY)
    for match in _BRN_BARE.finditer(text):
        if _said(_BUSINESS, text, match.start()):
            yield Hit(match.start(), match.end(), "KR_BRN", CERTAIN)


def _is_business_sum(number: str) -> bool:
    digits = [int(char) for char in number]
    total = sum(digit * weight for digit, weight in zip(digits, (1, 3, 7, 1, 3, 7, 1, 3, 5), strict=False))
    return (10 - (total + digits[8] * 5 // 10) % 10) % 10 == digits[9]


def _passports(text: str, *, is_korean: bool) -> Iterator[Hit]:
    for match in _PASSPORT.finditer(text):
        number, start = match.group(), match.start()
        is_new = number[4].isalpha() and number[4] not in "oO"
        if _said(_TRAVEL, text, start):
            yield Hit(start, match.end(), "KR_PASSPORT", CERTAIN)
        elif number[0] in _PASSPORT_TYPES and number[1].isdigit() and (is_new or is_korean):
            yield Hit(start, match.end(), "KR_PASSPORT", LIKELY if is_new and is_korean else 0.4)


def _licences(text: str) -> Iterator[Hit]:
    for match in _LICENCE.finditer(text):
        yield Hit(match.start(), match.end(), "KR_DRIVER_LICENSE", CERTAIN)
    for match in _LICENCE_BARE.finditer(text):
        if _said(_DRIVING, text, match.start()):
            yield Hit(match.start(), match.end(), "KR_DRIVER_LICENSE", CERTAIN)


def _accounts(text: str) -> Iterator[Hit]:
    if _BANK.search(text) is None:
        return
    for match in _ACCOUNT.finditer(text):
        number = match.group()
        digits = re.sub(r"\D", "", number)
        is_mobile = re.match(r"01[016789]|0[2-6]", digits) is not None and len(digits) in {9, 10, 11}
        if len(digits) in _ACCOUNT_DIGITS and not is_mobile and _said(_BANK, text, match.start()):
            yield Hit(match.start(), match.end(), "KR_BANK_ACCOUNT", LIKELY)

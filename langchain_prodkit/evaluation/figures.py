"""The numbers in a text, each with the values that it may stand for."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["figures", "worded"]

_FIGURE: Final = re.compile(
    # Groups of three between blanks ("1 200") are one number; other blanks part two.
    r"(\d{1,3}(?:[\u00a0\u202f ]\d{3})+(?!\d)|\d+(?:[.,'\u2019]\d+)*)"
    r"(?:\s?(?:(k|m|mn|bn|thousand|million|billion|trillion)(?![^\W\d_])|(천|만|억|조)))?",
    re.IGNORECASE,
)
_LIST_NUMBER: Final = re.compile(r"^[ \t]*(?:\(?\d{1,3}[.)]|\[\d{1,3}\])(?=\s)|\[\d{1,3}\]", re.MULTILINE)
"""`1.` and `2)` at the start of a line, and `[3]`, which points to a source."""
_SCALES: Final = {
    "k": 3, "thousand": 3, "m": 6, "mn": 6, "million": 6, "bn": 9, "billion": 9, "trillion": 12,
    "천": 3, "만": 4, "억": 8, "조": 12,
}  # fmt: skip
_COUNTED: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
)  # fmt: skip
_WORDS: Final = {word: Decimal(value) for value, word in enumerate(_COUNTED)} | {
    "thirty": Decimal(30), "forty": Decimal(40), "fifty": Decimal(50), "sixty": Decimal(60),
    "seventy": Decimal(70), "eighty": Decimal(80), "ninety": Decimal(90), "hundred": Decimal(100),
    "thousand": Decimal(1000), "dozen": Decimal(12), "twice": Decimal(2), "once": Decimal(1),
}  # fmt: skip
_MONTHS: Final = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH: Final = re.compile(
    # "May 1" and "1st of May", but not "you may".
    rf"(\d(?:st|nd|rd|th)?[ ](?:of[ ])?)?\b({'|'.join(_MONTHS)})[a-z]*\b(\.?[ ]\d)?",
    re.IGNORECASE,
)
_MONTH_NAMES: Final = {
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december", "sept", *_MONTHS,
}  # fmt: skip
_WORD: Final = re.compile(r"[a-z]+(?:-[a-z]+)?")
_MAX_DIGITS: Final = 60
"""Longer rows of digits are compared as they stand."""


def figures(text: str, *, is_answer: bool = False) -> set[frozenset[Decimal | str]]:
    """Give the numbers that a text writes in digits, each as the set of values it may mean.

    `1.200` may be 1.2 or 1200. In an answer list numbers (`2.` at the start of a line, `[3]`) are left out.
    """
    if is_answer:
        text = _LIST_NUMBER.sub(" ", text)
    return {
        _readings(part, scale or counter)
        for digits, scale, counter in set(_FIGURE.findall(text))
        for part in _parts(re.sub("[\u00a0\u202f '\u2019]", "", digits))
    }


def worded(text: str) -> set[Decimal]:
    """Give the numbers that a text writes in words, and those of the months in its dates."""
    words = set(_WORD.findall(text.lower()))
    found = {value for word in words if (value := _of_word(word)) is not None}
    if not words.isdisjoint(_MONTH_NAMES):
        found |= {
            Decimal(_MONTHS.index(match[2].lower()) + 1)
            for match in _MONTH.finditer(text)
            if match[1] or match[3]
        }
    return found


def _of_word(word: str) -> Decimal | None:
    known = _WORDS.get(word.lower())
    if known is not None or "-" not in word:
        return known
    tens, _, ones = word.lower().partition("-")
    if tens in _WORDS and ones in _WORDS:
        return _WORDS[tens] + _WORDS[ones]
    return None


def _parts(digits: str) -> list[str]:
    """Take dates and versions (`1.5.2024`) apart; a number stays whole."""
    numbers = re.split("[.,]", digits)
    marks = [mark for mark in digits if mark in ".,"]
    if len(marks) < 2:  # noqa: PLR2004
        return [digits]
    groups = numbers[1:] if marks[-1] == marks[0] else numbers[1:-1]
    is_one = len(set(marks[:-1])) == 1 and all(len(group) == 3 for group in groups)  # noqa: PLR2004
    return [digits] if is_one else numbers


def _readings(digits: str, scale: str | None) -> frozenset[Decimal | str]:
    if len(digits) > _MAX_DIGITS:
        return frozenset({digits})
    head, _, tail = digits.replace(",", ".").rpartition(".")
    forms = {head.replace(".", "") + tail} if not head or len(tail) == 3 else set()  # noqa: PLR2004
    if head and (head.count(".") == 0 or len(tail) != 3 or ("." in digits and "," in digits)):  # noqa: PLR2004
        forms.add(f"{head.replace('.', '')}.{tail}")
    values = {Decimal(form).normalize() for form in forms}
    if scale:
        values |= {value.scaleb(_SCALES[scale.lower()]).normalize() for value in values}
    return frozenset(values)

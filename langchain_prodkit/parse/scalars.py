"""The same number, date or nothing in another form; what could be two values is none."""

# ruff: noqa: RUF001 - models write typographic quotes and signs, so they stand here
from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

__all__ = ["NULLS", "date", "number", "percentage"]

NULLS: Final = frozenset({"null", "none", "nil", "undefined", "n/a"})
"""Words for nothing, where the type allows nothing and no text."""

_MONEY: Final = r"(?:[$€£¥₩₹]|USD|EUR|GBP|CHF|JPY|KRW|CAD|AUD)"
_AMOUNT: Final = re.compile(
    rf"(?:{_MONEY}\s?)?(?P<sign>[-+−]?)(?:{_MONEY}\s?)?"
    r"(?:(?P<english>\d{1,3}(?:,\d{3})+(?:\.\d*)?)|(?P<swiss>\d{1,3}(?:['’_\u00a0\u202f]\d{3})+(?:\.\d*)?)"
    r"|(?P<european>\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,})|(?P<plain>\d+(?:\.\d*)?|\.\d+))"
    rf"(?:\s?{_MONEY})?(?:\s?(?P<unit>[A-Za-zµ°]{{3,20}})\.?)?"
)
_PERCENT: Final = re.compile(r"([-+]?\d+(?:\.\d+)?)\s?%")
_MONTHS: Final = (
    "january february march april may june july august september october november december".split()  # noqa: SIM905
)
_MONTH: Final = rf"(?P<month>{'|'.join(_MONTHS)}|{'|'.join(name[:3] for name in _MONTHS)}|sept)\.?"
_DAY: Final = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_DATES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})",
        rf"{_DAY}\s+(?:of\s+)?{_MONTH},?\s+(?P<year>\d{{4}})",
        rf"{_MONTH}\s+{_DAY},?\s+(?P<year>\d{{4}})",
    )
)


def number(text: str, field: str) -> int | Decimal | None:
    """Read a number with thousands separators, a currency, or the unit that the field's name holds."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or not _is_unit_of(found["unit"], field):
        return None
    digits = found["plain"] or re.sub(r"[,'’_\u00a0\u202f]", "", found["english"] or found["swiss"] or "")
    if found["european"]:
        digits = found["european"].replace(".", "").replace(",", ".")
    sign = "-" if found["sign"] in {"-", "−"} else ""
    exact = Decimal(sign + digits)
    return int(exact) if "." not in digits else exact


def _is_unit_of(unit: str | None, field: str) -> bool:
    """Tell whether `unit` is what a field such as `duration_minutes` counts in."""
    if unit is None:
        return True
    said = unit.casefold().rstrip("s")
    words = re.split(r"[_\W\d]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", field).casefold())
    return any(len(said) > 2 and word.rstrip("s") in {said, said + "ute", said + "ond"} for word in words)  # noqa: PLR2004


def percentage(text: str, field: str, *, is_fraction: bool) -> Decimal | None:
    """Read `85%` as 0.85 where only a fraction fits, as 85 where the field is said to be in percent."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        return None
    if is_fraction:
        return Decimal(found[1]) / 100
    named = re.search(r"percent|pct", field, re.IGNORECASE)
    return Decimal(found[1]) if named else None


def date(text: str) -> str | None:
    """Write a date in ISO form, where day and month cannot be mistaken for one another."""
    for pattern in _DATES:
        if found := pattern.fullmatch(text.strip()):
            month = found["month"].casefold()
            told = int(month) if month.isdigit() else [name[:3] for name in _MONTHS].index(month[:3]) + 1
            return f"{found['year']}-{told:02d}-{int(found['day']):02d}"
    return None

"""Amounts, dates and times as a text says them: "90 minutes" is "an hour and a half"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from langchain_prodkit.evaluation.grounding.claims import Word, listed
from langchain_prodkit.evaluation.grounding.units import (
    ADVERBS,
    AFTERWARDS,
    AT_LEAST,
    AT_MOST,
    CURRENCY,
    MONTHS,
    MULTIPLES,
    ORDINALS,
    PARTS,
    PERIODS,
    SCALES,
    SIMPLE,
    UNITS,
    WEEKDAYS,
)

__all__ = ["Quantity", "quantities"]

_NUMERAL: Final = re.compile(r"\d+(?:,\d{3})+(?:\.\d+)?$|\d+(?:\.\d+)?$|\d+,\d+$")
_CLOCK: Final = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)$")
_DATE: Final = re.compile(r"(\d{1,2})[./](\d{1,2})(?:[./](\d{2,4}))?$")
_DAY: Final = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?$")
_YEAR: Final = re.compile(r"(?:1\d|20)\d\d$|2100$", re.ASCII)
_BEFORE_YEARS: Final = listed("in since of from until by and to before after between around ( - ,")
_BEFORE_MONTHS: Final = listed("in of from to until since mid early late between and - last next")
_NO_PERIOD: Final = listed("times once twice percent % days hours euros hour day")
"""After them "a week" is no amount of time: 5 euros a week."""
_DAYS_IN_MONTH, _MONTHS_IN_YEAR, _NOON = 31, 12, 12


@dataclass(frozen=True, slots=True)
class Quantity:
    """An amount, brought to the base unit of its kind."""

    kind: str
    """What is measured: time (seconds), length (metres), share (of 1), count, year, clock (minutes), ..."""
    value: float
    unit: str
    """The word of the unit; for a count, the stem of what is counted."""
    bound: int
    """1 where the text says at least or more, -1 where it says at most or less, else 0."""
    start: int
    end: int
    """Words from `start` up to `end`."""


def quantities(found: Sequence[Word]) -> list[Quantity]:
    """Read the amounts of a sentence, from left to right."""
    lows = [word.low for word in found]
    read: list[Quantity] = []
    place = 0
    while place < len(lows):
        quantity = _read(lows, found, place)
        if quantity is None:
            place += 1
        else:
            read.append(quantity)
            place = max(quantity.end, place + 1)
    return read


def _read(lows: list[str], found: Sequence[Word], at: int) -> Quantity | None:
    return _calendar(lows, at) or _frequency(lows, at) or _amount(lows, found, at)


def _calendar(lows: list[str], at: int) -> Quantity | None:
    """Read a weekday, a time of the day, a date, a month or a year."""
    low = lows[at]
    following = lows[at + 1] if at + 1 < len(lows) else ""
    if low in WEEKDAYS:
        return Quantity("weekday", float(WEEKDAYS[low]), "weekday", 0, at, at + 1)
    return (
        _clock(lows, at, following)
        or _date(lows, at, following)
        or _month(lows, at, following)
        or _year(lows, at)
    )


def _clock(lows: list[str], at: int, following: str) -> Quantity | None:
    if clock := _CLOCK.match(lows[at]):
        hours = int(clock[1])
        hours += _NOON if following == "pm" and hours < _NOON else 0
        end = at + 1 + (following in {"am", "pm"})
        return Quantity("clock", hours * 60.0 + int(clock[2]), "clock", _bound(lows, at, at + 1), at, end)
    value = SIMPLE[lows[at]] if lows[at] in SIMPLE else _plain(lows[at])
    if value is None or following not in {"am", "pm", "o'clock"}:
        return None
    hour = value % _NOON + (_NOON if following == "pm" else 0)
    return Quantity("clock", hour * 60, "clock", _bound(lows, at, at + 1), at, at + 2)


def _date(lows: list[str], at: int, following: str) -> Quantity | None:
    low = lows[at]
    if (date := _DATE.match(low)) and (date[3] or "/" in low):
        day, month = int(date[1]), int(date[2])
        if 1 <= month <= _MONTHS_IN_YEAR and 1 <= day <= _DAYS_IN_MONTH:
            return Quantity("date", month * 100.0 + day, "date", _bound(lows, at, at + 1), at, at + 1)
    numeral = _DAY.match(low)
    if numeral and following in MONTHS:
        return Quantity(
            "date", MONTHS[following] * 100.0 + int(numeral[1]), "date", _bound(lows, at, at + 1), at, at + 2
        )
    return None


def _month(lows: list[str], at: int, following: str) -> Quantity | None:
    low = lows[at]
    if low not in MONTHS or (low == "may" and not _is_month(lows, at)):
        return None
    day = _DAY.match(following)
    if day and int(day[1]) <= _DAYS_IN_MONTH:
        return Quantity(
            "date", MONTHS[low] * 100.0 + int(day[1]), "date", _bound(lows, at, at + 1), at, at + 2
        )
    return Quantity("month", float(MONTHS[low]), "month", 0, at, at + 1)


def _year(lows: list[str], at: int) -> Quantity | None:
    low = lows[at]
    following = lows[at + 1] if at + 1 < len(lows) else ""
    if not _YEAR.match(low) or following in UNITS:
        return None
    before = lows[at - 1] if at else ""
    if before not in _BEFORE_YEARS and before not in MONTHS:
        return None
    return Quantity(
        "year", float(low), "year", 0 if before == "from" else _bound(lows, at, at + 1), at, at + 1
    )


def _is_month(lows: list[str], at: int) -> bool:
    """Tell the month of May from what may be."""
    before = lows[at - 1] if at else ""
    has_day = before.isdecimal() or (at + 1 < len(lows) and lows[at + 1].isdecimal())
    return has_day or before in _BEFORE_MONTHS


def _frequency(lows: list[str], at: int) -> Quantity | None:
    """Read how often something happens, as times a day."""
    low = lows[at]
    if low in ADVERBS:
        return Quantity("rate", ADVERBS[low], "rate", 0, at, at + 1)
    following = lows[at + 1] if at + 1 < len(lows) else ""
    if low in {"every", "each"} and following in PERIODS:
        return Quantity("rate", PERIODS[following], "rate", 0, at, at + 2)
    times, end = _number(lows, at)
    if low in {"once", "twice", "thrice"}:
        times, end = MULTIPLES[low], at + 1
    elif times is None or end >= len(lows) or lows[end] != "times":
        return None
    else:
        end += 1
    while end < len(lows) and lows[end] in {"in", "a", "an", "per", "each", "every"} and end + 1 < len(lows):
        if lows[end + 1] in PERIODS:
            return Quantity(
                "rate", times * PERIODS[lows[end + 1]], "rate", _bound(lows, at, end), at, end + 2
            )
        end += 1
    if end < len(lows) and lows[end] in {"as", "the", "more", "less"}:
        return Quantity("share", times, "times", 0, at, end)
    return Quantity("count", times, "time", _bound(lows, at, end), at, end)


def _amount(lows: list[str], found: Sequence[Word], at: int) -> Quantity | None:
    low = lows[at]
    if low in MULTIPLES:
        return Quantity("share", MULTIPLES[low], "times", 0, at, at + 1)
    start = at
    if low in CURRENCY:
        value, end = _number(lows, at + 1)
        if value is not None:
            return Quantity(CURRENCY[low], value, low, _bound(lows, at, end), at, end)
    value, end = _number(lows, at)
    if value is not None:
        return _measured(value, lows, found, start, end)
    following = lows[at + 1] if at + 1 < len(lows) else ""
    is_one = low in {"a", "an"} and UNITS.get(following, ("",))[0] == "time"
    if is_one and lows[at - 1 if at else 0] not in _NO_PERIOD:
        return _measured(1.0, lows, found, start, at + 1)
    if low in ORDINALS and not (low == "second" and at and lows[at - 1] in SIMPLE):
        return Quantity("ordinal", ORDINALS[low], "ordinal", 0, at, at + 1)
    return None


def _measured(value: float, lows: list[str], found: Sequence[Word], start: int, end: int) -> Quantity:
    """Put a number together with its unit, or with what it counts."""
    bound = _bound(lows, start, end)
    unit_at = end
    while unit_at < len(lows) and lows[unit_at] in {
        "-",
        "of",
        "an",
        "a",
        "working",
        "business",
        "full",
        "whole",
    }:
        unit_at += 1
    unit = lows[unit_at] if unit_at < len(lows) else ""
    if unit in UNITS and not (unit in {"s", "m"} and not lows[end - 1].isdigit()):
        kind, factor = UNITS[unit]
        stop = unit_at + 1
        # "an hour and a half", "two years and three months"
        if lows[stop : stop + 3] == ["and", "a", "half"]:
            value, stop = value + 0.5, stop + 3
        bound = bound or _bound(lows, start, stop)
        return Quantity(kind, value * factor, unit, bound, start, stop)
    if value < 1 or any(low in PARTS for low in lows[start:end]):
        return Quantity("share", value, "share", bound, start, end)
    counted = next((word.stem for word in found[end : end + 3] if word.is_content), "")
    return Quantity("count", value, counted, bound, start, end)


def _number(lows: list[str], at: int) -> tuple[float | None, int]:  # noqa: C901 - one walk, one state
    """Read the longest number that starts at a word; (None, at) where there is none."""
    total = current = 0.0
    place, seen = at, False
    if at + 1 < len(lows) and lows[at] in {"a", "an", "one"}:
        if lows[at + 1] in PARTS:
            return PARTS[lows[at + 1]], at + 2
        if lows[at + 1] in SCALES:
            current, place, seen = 1.0, at + 1, True
    while place < len(lows):
        low = lows[place]
        plain = None if seen else _plain(low)
        if plain is not None:
            current, seen = plain, True
        elif low in SIMPLE and (not seen or _takes(current, SIMPLE[low])):
            current, seen = current + SIMPLE[low], True
        elif low in SCALES and (seen or low == "dozen"):
            if low in {"m", "k"} and not lows[place - 1][0].isdigit():
                break
            current, seen = (current or 1.0) * SCALES[low], True
            if SCALES[low] >= SCALES["thousand"]:
                total, current = total + current, 0.0
        elif low in PARTS and (seen or low not in ORDINALS):
            return ((total + current) if seen else 1.0) * PARTS[low], place + 1
        elif seen and lows[place : place + 3] == ["and", "a", "half"]:
            return total + current + 0.5, place + 3
        elif not (
            seen and _joins(low, current, total) and lows[place + 1 : place + 2] and lows[place + 1] in SIMPLE
        ):
            break
        place += 1
    return (total + current, place) if seen else (None, at)


def _takes(current: float, more: float) -> bool:
    """Whether a number goes on with another: "hundred five", "twenty five"."""
    is_ten = current % 10 == 0 and current % 100 >= SIMPLE["twenty"]
    return (current % 100 == 0 and more < SCALES["hundred"]) or (is_ten and more < SIMPLE["ten"])


def _joins(mark: str, current: float, total: float) -> bool:
    """Whether "twenty-five" or "a hundred and five" goes on."""
    if mark == "-":
        return current % 100 >= SIMPLE["twenty"] and current % 10 == 0
    return mark == "and" and ((current % 100 == 0 and current > 0) or (total > 0 and not current))


def _plain(low: str) -> float | None:
    """Read figures: 4,200 and 0.80 and 3,5."""
    if not low[0].isdigit() or not _NUMERAL.match(low):
        return None
    if "," in low and not re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", low):
        low = low.replace(",", ".")
    try:
        return float(low.replace(",", ""))
    except ValueError:
        return None


def _bound(lows: list[str], start: int, end: int) -> int:
    before = " ".join(lows[max(0, start - 3) : start])
    after = " ".join(lows[end : end + 3])
    for phrase, side in AFTERWARDS.items():
        if after.startswith(phrase):
            return side
    best, side = 0, 0
    for phrases, sign in ((AT_LEAST, 1), (AT_MOST, -1)):
        for phrase in phrases:
            if len(phrase) > best and before.endswith(phrase) and (" " + before).endswith(" " + phrase):
                best, side = len(phrase), sign
    return side

"""The words of amounts: numbers, parts, units, months, how often, at least and at most."""

from __future__ import annotations

from typing import Final

__all__ = [
    "ADVERBS",
    "AFTERWARDS",
    "AT_LEAST",
    "AT_MOST",
    "CURRENCY",
    "DAY_S",
    "MONTHS",
    "MULTIPLES",
    "ORDINALS",
    "PARTS",
    "PERIODS",
    "SCALES",
    "SIMPLE",
    "UNITS",
    "WEEKDAYS",
    "YEAR_S",
]

DAY_S: Final = 86_400.0
YEAR_S: Final = 365.25 * DAY_S
MONTH_S: Final = YEAR_S / 12


def _table(text: str) -> dict[str, float]:
    """Read "value: word word" lines."""
    lines = (line.split(":") for line in text.strip().splitlines())
    return {word: float(value) for value, words in lines for word in words.split()}


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


_ONES: Final = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
fifteen sixteen seventeen eighteen nineteen"""
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
SIMPLE: Final = {
    **{word: float(value) for value, word in enumerate(_ONES.split())},
    **{word: 10.0 * (place + 2) for place, word in enumerate(_TENS.split())},
}
SCALES: Final = _table("""
12: dozen
1e2: hundred hundreds
1e3: thousand thousands k
1e6: million millions m
1e9: billion billions bn
1e12: trillion
""")
PARTS: Final = {
    word: 1 / value
    for word, value in _table("""
2: half halves halved \u00bd
3: third thirds
4: quarter quarters \u00bc
5: fifth fifths
6: sixth
8: eighth
10: tenth tenths
""").items()
} | {"\u00be": 0.75}
_ORDER: Final = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth"
ORDINALS: Final = {word: float(value) for value, word in enumerate(_ORDER.split(), 1)}
MULTIPLES: Final = _table("""
1: once
2: twice double doubled doubles twofold
3: thrice triple tripled threefold
4: quadruple quadrupled
""")
_UNIT_TABLES: Final = {
    "time": f"""
0.001: ms millisecond milliseconds
1: second seconds sec secs s
60: minute minutes min mins
3600: hour hours h hr hrs
{DAY_S}: day days night nights
{7 * DAY_S}: week weeks
{14 * DAY_S}: fortnight fortnights
{MONTH_S}: month months
{YEAR_S}: year years
{10 * YEAR_S}: decade decades
{100 * YEAR_S}: century centuries
""",
    "length": """
0.001: mm millimetre millimetres millimeter millimeters
0.01: cm centimetre centimetres centimeter centimeters
1: metre metres meter meters
1000: km kilometre kilometres kilometer kilometers
1609.344: mile miles
0.0254: inch inches
0.3048: foot feet ft
0.9144: yard yards
""",
    "mass": """
1e-6: mg milligram milligrams
1e-3: g gram grams gramme grammes
1: kg kilo kilos kilogram kilograms
1e3: tonne tonnes ton tons
0.4536: pound pounds lb lbs
0.02835: ounce ounces oz
""",
    "volume": """
0.001: ml millilitre millilitres milliliter milliliters
0.01: cl centilitre centilitres
1: litre litres liter liters
3.785: gallon gallons
""",
    "energy": "1: wh\n1e3: kwh\n1e6: mwh\n1e9: gwh\n1e12: twh",
    "power": """
1: watt watts
1e3: kw kilowatt kilowatts
1e6: mw megawatt megawatts
1e9: gw gigawatt gigawatts
""",
    "data": """
1e3: kb kilobyte kilobytes
1e6: mb megabyte megabytes
1e9: gb gigabyte gigabytes
1e12: tb terabyte terabytes
""",
    "degree": "1: degree degrees \u00b0",
    "euro": "1: euro euros eur \u20ac\n0.01: cent cents",
    "dollar": "1: dollar dollars usd $",
    "gbp": "1: \u00a3 gbp sterling",
    "yen": "1: yen jpy",
    "won": "1: won krw",
    "franc": "1: franc francs chf",
    "share": "0.01: percent % pct percentage",
}
UNITS: Final = {
    word: (kind, factor) for kind, text in _UNIT_TABLES.items() for word, factor in _table(text).items()
}
CURRENCY: Final = {"$": "dollar", "\u20ac": "euro", "\u00a3": "gbp"}
_MONTH_NAMES: Final = """january february march april may june july august september october november
december"""
MONTHS: Final = {
    form: number
    for number, name in enumerate(_MONTH_NAMES.split(), 1)
    for form in (name, name[:3])
    if form != "mar"
} | {"sept": 9}
_WEEK: Final = "monday tuesday wednesday thursday friday saturday sunday"
WEEKDAYS: Final = {form: number for number, name in enumerate(_WEEK.split()) for form in (name, name + "s")}
PERIODS: Final = {
    "hour": 24.0,
    **dict.fromkeys(("day", "night", "morning", "evening", "afternoon"), 1.0),
    "week": 1 / 7,
    "month": 12 / 365.25,
    "year": 1 / 365.25,
}
"""How often a day something happens that happens once a period."""
ADVERBS: Final = {
    "hourly": 24.0,
    "daily": 1.0,
    "nightly": 1.0,
    "weekly": PERIODS["week"],
    "monthly": PERIODS["month"],
    **dict.fromkeys(("yearly", "annually", "annual"), PERIODS["year"]),
}
AT_LEAST: Final = _phrases(
    """at least, more than, over, above, minimum of, no less than, not less than, no fewer than, exceeds,
    exceed, exceeding, longer than, older than, warmer than, greater than, from, higher than, upwards of,
    beyond, a minimum of, larger than, later than, after"""
)
AT_MOST: Final = _phrases(
    """at most, less than, under, below, up to, fewer than, no more than, not more than, maximum of, within,
    no longer than, younger than, colder than, lower than, a maximum of, not exceed, cannot exceed,
    shorter than, smaller than, earlier than, before, until"""
)
AFTERWARDS: Final = {
    **dict.fromkeys(
        _phrases("or more, or longer, or older, and older, at least, or above, or over, at the earliest"), 1
    ),
    **dict.fromkeys(
        _phrases("or less, or fewer, at most, at the latest, or younger, or under, or below"), -1
    ),
}

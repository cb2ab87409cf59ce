"""The words that make a line an address: street words of some thirty languages, small words, countries.

English street words follow USPS Publication 28, appendix C1; countries follow ISO 3166-1 in English use.
The lists stand in `street_words.txt`.
"""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Final

__all__ = [
    "ALONE", "BEFORE", "BEFORE_ALONE", "COMMON", "COUNTED", "COUNTRIES", "DIRECTIONS", "ENDINGS",
    "ENDINGS_ALONE", "LATER", "STREETS", "is_capital", "is_known_particle", "is_lowered", "is_particle",
    "is_street", "is_year", "plain",
]  # fmt: skip


def _sections() -> dict[str, list[str]]:
    text = files("langchain_prodkit.privacy.recognizers").joinpath("street_words.txt").read_text("utf-8")
    sections: dict[str, list[str]] = {}
    for block in text.split("\n\n"):
        title, _, words = block.strip().partition("\n")
        by = " | " if "|" in words else None
        sections[title.strip("[]")] = [" ".join(word.split()) for word in words.replace("\n", " ").split(by)]
    return sections


_WORDS = _sections()
STREETS: Final = frozenset(_WORDS["after"])
"""English street words, which follow the name."""
ALONE: Final = frozenset(_WORDS["alone"])
"""Those that make a capitalised name a street without any number."""
BEFORE: Final = frozenset(_WORDS["before"])
"""Street words that precede the name, as in most Romance and Slavic languages."""
BEFORE_ALONE: Final = frozenset(_WORDS["before alone"])
"""Those that need no number, only a capitalised name."""
LATER: Final = frozenset(_WORDS["later"])
"""Street words that follow the name as words, with the house number after them."""
ENDINGS: Final = tuple(_WORDS["ending"])
"""What street names of one word end in; a house number follows."""
ENDINGS_ALONE: Final = tuple(_WORDS["ending alone"])
"""Those that need no number."""
DIRECTIONS: Final = frozenset(_WORDS["direction"])
COUNTED: Final = frozenset(_WORDS["counted"])
"""What follows a number that is no house number: months, currencies, measures."""
COMMON: Final = frozenset(_WORDS["common"])
"""Words that end an address and never begin a name."""
COUNTRIES: Final = frozenset(_WORDS["country"])
"""Names of countries, in lower case."""
_SURE = STREETS - frozenset(_WORDS["weak"])
_PARTICLES = frozenset(_WORDS["particle"])
_ELIDED = re.compile(r"(?:[dl]|dell|nell|sull|dall|all|un|qu)['\u2019][^\W\d_a-zà-öø-ÿ]|[a-zà-ÿ]-?[A-ZÀ-Þ]")
_SMALL: Final = 3
_LONG: Final = 5
_AROUND: Final = 40


def plain(word: str) -> str:
    """Give a word as the lists have it: in lower case, without the dot of an abbreviation."""
    return word.lower().rstrip("./")


def is_street(word: str) -> bool:
    """Say whether a plain word is a street word, or ends in one."""
    if word in _SURE or word in BEFORE or word in LATER:
        return True
    return len(word) >= _LONG and word.endswith(ENDINGS)


def is_capital(raw: str) -> bool:
    """Say whether a word begins with a capital, behind an elided article or not."""
    return not raw[0].islower() or _ELIDED.match(raw) is not None


def is_particle(word: str) -> bool:
    """Say whether a plain word may stand small inside a name: "de", "of", or anything as short."""
    return word in _PARTICLES or (len(word) <= _SMALL and word not in COMMON and word not in COUNTED)


def is_known_particle(word: str) -> bool:
    """Say whether a plain word is one of the particles that are listed."""
    return word in _PARTICLES


def is_lowered(text: str, at: int) -> bool:
    """Say whether the text around `at` has no capitals, so that names cannot be told by them."""
    return not any(map(str.isupper, text[max(0, at - _AROUND) : at + _AROUND]))


def is_year(number: str) -> bool:
    """Say whether a number is likely a year."""
    digits = number.strip(" ,.")
    return len(digits) == len("2000") and digits.isdigit() and digits[:2] in {"19", "20"}

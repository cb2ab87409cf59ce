"""Street addresses, which Presidio knows nothing of: whatever order and language they are written in.

A core makes an address (a number with a street word, a unit, a box, a corner, or a number after words such as
"lives at"); a tail of units, towns, states, postcodes and countries follows over commas, line ends and known
forms only, so that the sentence after an address stays readable. Every look ahead and back is bounded, so the
time is linear in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from langchain_prodkit.privacy.recognizers import address_forms as form
from langchain_prodkit.privacy.recognizers.address_name import (
    CONJUNCTIONS,
    LOOK_BACK,
    Name,
    left_of,
    read_name,
)
from langchain_prodkit.privacy.recognizers.address_tail import is_coded, tail, unit_after
from langchain_prodkit.privacy.recognizers.postcode import postcodes
from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer
from langchain_prodkit.privacy.recognizers.street import (
    ALONE,
    BEFORE,
    BEFORE_ALONE,
    ENDINGS,
    ENDINGS_ALONE,
    LATER,
    STREETS,
    is_lowered,
    is_street,
    is_year,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StreetAddressRecognizer"]

CERTAIN: Final = 0.7
LIKELY: Final = 0.6
POSSIBLE: Final = 0.5
_ANCHOR = re.compile(r"\w+")
_THOUSANDS = re.compile(r",?[ ]\d{3}$")
_LISTED = re.compile(r",\s+$")
_SHORT: Final = 4
_SMALL: Final = 2
_PRECISE: Final = 3
_HOUSE_CHARS: Final = 5
_NO, _PLACE, _ADDRESS = 0, 1, 2
_CORNERS: Final = frozenset({"the", "corner", "intersection", "junction", "crossing"})
_BOXES: Final = frozenset("pugbcarhlm")
_MILITARY: Final = frozenset({"apo", "fpo", "dpo"})
# What is numbered and is no house: "Chapter 5", "Windows 11".
_SERIES: Final = frozenset({
    "version", "windows", "python", "chapter", "section", "page", "figure", "table", "step", "level", "gate",
    "room", "grade", "phase", "type", "class", "act", "article", "part", "day", "top", "episode", "season",
    "volume", "issue", "line", "row", "column", "question", "exercise", "unit", "model", "series", "group",
    "team", "zone", "covid", "formula", "channel", "radio", "platform", "terminal", "flight", "bus",
    "number", "no", "nr",
})  # fmt: skip


class _Core(NamedTuple):
    start: int
    end: int
    score: float


class StreetAddressRecognizer(ScanRecognizer):
    """Finds street addresses with units, boxes, towns, postcodes and countries where they follow."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("STREET_ADDRESS",)

    def hits(self, text: str) -> Iterator[Hit]:
        """Find every address once; addresses and postcodes that overlap become one."""
        entity = self.supported_entities[0]
        spans = list(_fields(text))
        if form.DIGIT.search(text) is not None:
            spans += (_Core(*found) for found in postcodes(text))
        last: _Core | None = None
        for span in sorted(spans):
            if last is not None and span.start < last.end:
                last = _Core(last.start, max(last.end, span.end), max(last.score, span.score))
                continue
            if last is not None:
                yield Hit(last.start, last.end, entity, last.score)
            last = span
        if last is not None:
            yield Hit(last.start, last.end, entity, last.score)


def _fields(text: str) -> Iterator[_Core]:
    """Walk over the words; each can begin one address, and the next is looked for behind it."""
    done = 0
    for anchor in _ANCHOR.finditer(text):
        if anchor.start() < done:
            continue
        is_number = anchor.group()[0].isdigit()
        core = _at_number(text, anchor, done) if is_number else _at_word(text, anchor, done)
        if core is None:
            continue
        start = _joined(text, core.start, done)
        begin = start
        for done in tail(text, core.end, is_lower=text[core.start : core.end].islower()):
            mark = form.MARK.match(text, begin) if begin > start else None
            yield _Core(mark.end() if mark else begin, done, core.score)
            begin = done


def _joined(text: str, start: int, done: int) -> int:
    """Give where an address begins that is one street and another, as corners are written."""
    if text[start].isdigit() or text[max(0, start - 2) : start] not in {"d ", "& "}:
        return start
    match = form.STREET_AND.search(text, max(done, start - LOOK_BACK), start)
    return match.start(1) if match else start


def _at_number(text: str, anchor: re.Match[str], done: int) -> _Core | None:
    """Read an address from its first number, or a name from the number behind it."""
    at = anchor.start()
    core = _by_number(text, at) if at == 0 or text[at - 1] in form.FREE else None
    if core is None and text[at - 1 : at] == " ":
        core = _by_last_number(text, at, anchor.end(), done)
    return core


def _by_number(text: str, at: int, cue: int = _NO) -> _Core | None:
    unit = form.UNIT.match(text, at)
    numbers = form.NUMBERS.match(text, at)
    if numbers is None or (unit is not None and unit.end() >= numbers.end()):
        return None
    box = form.BOX.match(text, numbers.end())
    if box is not None:
        return _Core(at, box.end(), CERTAIN)
    first = form.WORD.match(text, numbers.end())
    if first is None:
        return None
    is_lower = not first.group()[0].isupper() and is_lowered(text, numbers.end())
    for is_lenient in (False,) if is_lower else (False, True):
        name = read_name(text, numbers.end(), is_lower=is_lower, is_after=True, is_lenient=is_lenient)
        core = (
            _numbered(text, numbers, name, cue, is_lower=is_lower, is_lenient=is_lenient)
            if name.words
            else None
        )
        if core is not None:
            return core
    return None


def _numbered(
    text: str, numbers: re.Match[str], name: Name, cue: int, *, is_lower: bool, is_lenient: bool
) -> _Core | None:
    """Weigh a number with a name; it needs something that tells it from other numbers."""
    at, words = numbers.start(), name.words
    house = form.HOUSE.match(text, name.end) if text[name.end : name.end + 1] == " " else None
    streets = _has_street(words) and CONJUNCTIONS.isdisjoint(words[1:])
    if house and is_year(house.group()) and not streets and not unit_after(text, house.end()):
        house = None
    end = _house_end(text, house) if house else name.end
    if unit_after(text, end) is not None or (streets and (name.capitals or is_lower)):
        return _Core(at, end, CERTAIN)
    is_precise = len(numbers.group(1)) >= _PRECISE
    many = bool(numbers.group(2))
    if is_lenient and not (house and many):
        return None
    cue = cue or _cue(text[max(0, at - LOOK_BACK) : at])
    is_named = len(words) > 1 and words[-1] in STREETS and CONJUNCTIONS.isdisjoint(words)
    if is_named and (cue or many or is_precise or is_coded(text, end)):
        return _Core(at, end, LIKELY)
    if is_lower:
        return _Core(at, end, POSSIBLE) if cue == _ADDRESS and (many or house) else None
    if not name.capitals:
        return None
    return _capitalised(text, _Core(at, end, LIKELY), numbers, name, cue, is_house=house is not None)


def _capitalised(
    text: str, core: _Core, numbers: re.Match[str], name: Name, cue: int, *, is_house: bool
) -> _Core | None:
    """Weigh a number with capitalised words that hold no street word."""
    is_series = CONJUNCTIONS.union(_SERIES).intersection(name.words) or _LISTED.search(numbers.group())
    if is_series and cue != _ADDRESS:
        return None
    many = bool(numbers.group(2))
    is_precise = len(numbers.group(1)) >= _PRECISE and not _THOUSANDS.match(numbers.group(2))
    if many and (cue or is_precise):
        return core
    if is_year(numbers.group(1)):
        return None
    if is_house and cue:
        return core
    is_ended = name.capitals > 1 and form.ENDS.match(text, core.end) is not None
    if cue == _ADDRESS or (cue == _PLACE and is_ended and is_coded(text, core.end)):
        return core._replace(score=POSSIBLE)
    return None


def _has_street(words: tuple[str, ...]) -> bool:
    if len(words) == 1:
        return len(words[0]) > _HOUSE_CHARS and words[0].endswith(ENDINGS) and words[0] not in BEFORE
    return any(map(is_street, words))


def _house_end(text: str, house: re.Match[str]) -> int:
    """Give where a house number ends; a full stop behind it may end a sentence."""
    is_sentence = text[house.end() - 1] == "." and form.SENTENCE.match(text, house.end()) is not None
    return house.end() - is_sentence


def _by_last_number(text: str, at: int, end: int, done: int) -> _Core | None:
    """Read a name without a street word and the house number after it, where the text says what it is."""
    if end - at > _HOUSE_CHARS or is_year(text[at:end]):
        return None
    left = left_of(text, at, done)
    if left == at or plain(text[left:at].rsplit(maxsplit=1)[-1]) in _SERIES:
        return None
    begin = _joined(text, left, done)
    is_told = form.LIVES.search(text, max(0, begin - LOOK_BACK), begin) is not None
    if not is_told and form.WEAK_CUE.search(text, max(0, begin - 8), begin):
        is_told = unit_after(text, end) is not None
    return _Core(left, end, POSSIBLE) if is_told else None


def _at_word(text: str, anchor: re.Match[str], done: int) -> _Core | None:
    """Read an address from a street word, a unit, a box or a corner."""
    at, stop, word = anchor.start(), anchor.end(), anchor.group().lower()
    core: _Core | None = None
    if word[0] in _BOXES or word in _MILITARY:
        core = _box(text, at, word)
    if core is None and word in _CORNERS and (corner := form.CORNER.match(text, at)):
        core = _corner(text, at, corner.end())
    if core is None and word in form.UNITS:
        core = _unit(text, at)
    if core is None and word in BEFORE:
        core = _before(text, at, stop, word)
    if core is None and word in ALONE:
        core = _after(text, at, stop, word, done)
    if core is None and (word in LATER or (len(word) > _SHORT and word.endswith(ENDINGS))):
        core = _ended(text, at, stop, word, done)
    return core


def _box(text: str, at: int, word: str) -> _Core | None:
    if word in _MILITARY:
        military = form.MILITARY.match(text, at)
        return _Core(at, military.end(), CERTAIN) if military else None
    box = form.BOX.match(text, at)
    if box is None or (word == "box" and text[at - 1 : at] != "\n"):
        return None
    return _Core(at, (form.MILITARY.match(text, box.end()) or box).end(), CERTAIN)


def _unit(text: str, at: int) -> _Core | None:
    unit = form.UNIT.match(text, at)
    if unit is None or form.DIGIT.search(unit.group()) is None:
        return None
    gap = form.BREAK.match(text, unit.end()) or form.BLANK.match(text, unit.end())
    inner = gap.end() if gap else unit.end()
    core = _by_number(text, inner, _ADDRESS) if text[inner : inner + 1].isdigit() else None
    if core is not None:
        return _Core(at, core.end, CERTAIN)
    return _Core(at, unit.end(), POSSIBLE) if form.SURE_UNIT.match(text, at) else None


def _before(text: str, at: int, stop: int, word: str) -> _Core | None:
    """Read a street word with the name behind it: "Calle Mayor 7", "ul. Posejdona 90"."""
    has_dot = text[stop : stop + 1] in {".", "/"}
    stop += has_dot
    has_blank = text[stop : stop + 1] == " "
    is_sure = len(word) > _SMALL or has_dot
    if not is_sure or not (has_dot or has_blank):
        return None
    is_lower = is_lowered(text, stop)
    name = read_name(text, stop + has_blank, is_lower=is_lower)
    if not name.words or not (name.capitals or is_lower):
        return None
    house = form.HOUSE.match(text, name.end)
    if house and (word in BEFORE_ALONE or not is_year(house.group())):
        return _Core(at, _house_end(text, house), LIKELY)
    return _Core(at, name.end, POSSIBLE) if word in BEFORE_ALONE and name.capitals else None


def _after(text: str, at: int, stop: int, word: str, done: int) -> _Core | None:
    """Read an English street word with the capitalised name before it: "on Abbey Road"."""
    left = left_of(text, at, done)
    if left == at or (text[at].islower() and form.DIGIT.search(text, stop, stop + 8) is None):
        return None
    is_short = len(word) <= _SHORT and text[stop : stop + 1] == "."
    stop += is_short and form.SENTENCE.match(text, stop + 1) is None
    house = form.HOUSE.match(text, stop)
    return _Core(left, house.end() if house and not is_year(house.group()) else stop, POSSIBLE)


def _ended(text: str, at: int, stop: int, word: str, done: int) -> _Core | None:
    """Read a name that ends in a street word, and the house number: "Hauptstr. 5", "Kossuth utca 12."."""
    has_dot = text[stop : stop + 1] == "."
    left = left_of(text, at, done)
    is_named = left != at or (word not in LATER and not text[at].islower())
    if not is_named:
        return None
    house = form.HOUSE.match(text, stop + has_dot)
    if house is None or is_year(house.group()):
        is_sure = not text[at].islower() and word not in LATER and word.endswith(ENDINGS_ALONE)
        return _Core(left, stop, POSSIBLE) if is_sure else None
    return _Core(left, _house_end(text, house), LIKELY)


def _corner(text: str, at: int, start: int) -> _Core | None:
    """Read the two streets of a corner."""
    first = _street_at(text, start)
    if first is None:
        return None
    both = form.TWO_STREETS.search(text, start, first + len(" and "))
    joint = both or form.JOINT.match(text, first)
    if joint is None:
        return None
    return _Core(at, _street_at(text, joint.end()) or joint.start(), LIKELY)


def _street_at(text: str, at: int) -> int | None:
    numbers = form.CORNER_NUMBERS.match(text, at)
    at = numbers.end() if numbers else at
    name = read_name(text, at, is_lower=is_lowered(text, at))
    house = form.HOUSE.match(text, name.end) if name.words else None
    return (house.end() if house else name.end) if name.words else None


def _cue(before: str) -> int:
    """Say what the words before a number promise: an address, a place, nothing."""
    if form.STRONG_CUE.search(before) is not None:
        return _NO if form.NOT_POSTAL.search(before) is not None else _ADDRESS
    return _PLACE if form.WEAK_CUE.search(before) is not None else _NO

"""Street addresses, which Presidio knows nothing of: whatever order and language they are written in.

A core makes an address (a number with a street word, a unit, a box, a corner, or a number after words such as
"lives at"); a tail of units, towns, states, postcodes and countries follows over commas, line ends and known
forms only, so that the sentence after an address stays readable. Every look ahead and back is bounded, so the
time is linear in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from langchain_prodkit.privacy.recognizers.postcode import CODE, STATE, postcodes
from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer
from langchain_prodkit.privacy.recognizers.street import (
    AFTER,
    BEFORE,
    BEFORE_ALONE,
    COMMON,
    COUNTRIES,
    DIRECTIONS,
    ENDINGS,
    ENDINGS_ALONE,
    LATER,
    NOT_A_STREET,
    PARTICLES,
    STREETS,
    STREETS_ALONE,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["StreetAddressRecognizer"]

_DIGIT = re.compile(r"\d")
_ANCHOR = re.compile(r"\w+")
_FREE = frozenset(" \n\t\r(\"'[:,;>|-#*\u00a0“‘/")
_NUMBERS = re.compile(
    r"(\d{1,6}[A-Za-z]?(?:[/\-]\d{1,5}[A-Za-z]?)?(?:[ ]?(?:bis|ter|quater))?)"
    r"((?:,?[ ]\d{1,6}[A-Za-z]?(?:[/\-]\d{1,4}[A-Za-z]?)?(?=[ ,])){0,2}),?[ ]{1,2}(?=\w)"
)
_WORD = re.compile(
    r"(?:[^\W\d_][\w'\u2019\u00b4`\-]{0,40}\.?(?:/(?=[ ]|\w))?|\d{1,3}(?:st|nd|rd|th|º|ª|°|er)\b)"
)
_HOUSE = re.compile(
    r",?[ ]{1,2}(?:(?:n[°ºo]?\.?|nr\.?|no\.?|\#|№|д\.?|km)[ ]?)?\d{1,5}(?:[ ]?[A-Za-z](?:[ ]\d{1,3})?)?(?:[/\-]\d{1,5}[A-Za-z]?)?"
    r"(?<![,][ ]\d{5})\.?(?![\w@]|[.,:]\d)(?:[ ](?:N|S|E|W|NE|NW|SE|SW|North|South|East|West)\b\.?)?",
    re.IGNORECASE,
)
_UNIT = re.compile(
    r"(?:(?:apartment|apt|appartement|appt|suite|ste|unit|flat|room|building|bldg|block|tower|villa|bloco|apto|kat)"
    r"\.?[ ]?(?:no\.?|nº|n°|number|\#)?[ ]?(?:[A-Z]?-?\d{1,5}[A-Z]?(?:[/\-]\d{1,4})?|(?<=[ ])[A-Z])"
    r"|(?:rm|floor|fl|lot|trailer|dept|penthouse|ph|piso|puerta|depto|dpto|departamento|interno|int|scala|sc|wohnung"
    r"|whg|lok|lokal|m|mieszkanie|bât|bâtiment|étage|bus|level|shop|office|plot|sector|phase|house|door|quadra|sala"
    r"|daire|byt|emelet|em)(?:\.[ ]?|[ ])(?:no\.?|nº|n°|\#)?[ ]?\d{1,5}[A-Z]?(?:[/\-]\d{1,4})?"
    r"|\#[ ]?\d{1,5}[A-Z]?|\d{1,3}(?:st|nd|rd|th)[ ]floor|(?:ground|first|second|third|top)[ ]floor|basement"
    r"|\d{1,2}(?:er|e|ème)[ ]étage|\d{1,2}[.º°ª][ ]?(?:[A-Z]|stock|og|izq|dcha|piso|emelet)"
    r")\b\.?",
    re.IGNORECASE,
)
_FIELD = re.compile(r"[?|;\u2022\u00b7]")
_SURE_UNIT = re.compile(r"(?:apartment|apt|suite|ste|flat)\b", re.IGNORECASE)
_BOX = re.compile(
    r"\b(?:(?:p\.?[ ]?o\.?|post[ ]office|postal|gpo|g\.p\.o\.|postbus|postboks|box)[ ]?(?:box|bag)?[ ]?(?:no\.?|\#|number)?[ ]?\d{1,7}"
    r"|(?:private|locked|mail)[ ]bag[ ](?:[A-Z]?\d{1,5})|postfach[ ]\d[\d ]{1,7}\d|(?:apartado(?:[ ]de[ ]correos)?|casilla(?:[ ]postal)?"
    r"|casella postale|caixa postal|bo[iî]te postale|skrytka pocztowa|bp|b\.p\.|c\.p\.)[ ](?:n[°º][ ]?)?\d{1,6}"
    r"|(?:psc|cmr|unit|rr|hc)[ ]?\d{1,5},?[ ]box[ ]\d{1,6}|us[a-z]{1,5}[ ][^\W\d_]{2,20}(?=\n))"
    r"(?!\w|[.,:]\d)",
    re.IGNORECASE,
)
_MILITARY = re.compile(
    r",?\s{0,3}\b(?:APO|FPO|DPO),?[ ](?:A[AEP]|[A-Z]{2})[ ]\d{5}(?:-\d{4})?\b", re.IGNORECASE
)
_CORNER = re.compile(r"\b(?:the[ ])?(?:corner|intersection|junction|crossing)[ ]of[ ]", re.IGNORECASE)
_JOIN = re.compile(r"[ ]{1,2}(?:and|&|und|y|et|e|i|with)[ ]")
_BREAK = re.compile(
    r"(?:(?<=\d)\.(?=\s{0,3}[,\n]))?[ \t]{0,4}(?:,[ \t]{0,4}\n?|\n[ \t]{0,12},?|\r\n[ \t]{0,12},?)[ \t]{0,12}"
)
_BLANK = re.compile(r"[ \t]{1,3}(?:-[ ]|–[ ]|\()?")
_MARK = re.compile(r"\s{0,3}(?:\?{2,4}|[|;\u2022\u00b7/\u2013\u2014]|-)\s{1,2}")
_ENDS = re.compile(r"[ \t]*(?:$|[,.;:!?\n\r)\]\"'”’<|]|[-–—][ ]|\d|\\)")
_STRONG = re.compile(
    r"(?:\b(?:address(?:es)?|addr|adresse|direcci[oó]n|indirizzo|endereço|adres|anschrift|domicile|residence|residing"
    r"|lives?|lived|living|resides?|resided|located|situated|moved|relocated|headquartered|based|deliver(?:y|ed)?"
    r"|ship(?:ped|ping)?|mail(?:ed)?|sen[dt]|home|house|apartment|office|offices|store|shop|restaurant|hotel|station"
    r"|property|premises|meet|meeting|visit|wohnt|wohnhaft|habite|vive|abita|mora|street|bus|parcel|package|letter)\b"
    r"[^.\n?!;@]{0,40}?(?:[ ](?:at|on|in|to|is|was|as|are|with|of|from|near|into|for|following)|[:=?]|address|addr|->)"
    r"[ ]?(?:the[ ]following|now|currently|:)?\s{0,3}|\bvalidate the following\?\s*)$",
    re.IGNORECASE,
)
_LIVES = re.compile(
    r"(?:\b(?:(?:lives?|lived|living|resides?|residing|located|situated|wohnt|habite|vive|abita)[ ](?:now[ ])?(?:at|on|in|à|in der)"
    r"|(?:station|stop|office|store|shop|restaurant|house|home|entrance|hotel|clinic|school|church|museum|bank)[ ]is[ ](?:now[ ])?(?:at|on|in)"
    r"|(?:enter|turn|park|exit|walk|drive)[ ](?:at|on|onto|into|down|along|off))[ ]"
    r"|\b(?:address|addr|street|adresse|direcci[oó]n|indirizzo|endereço|adres|anschrift)(?:[ ]is|:|=)\s{1,8})$",
    re.IGNORECASE,
)
_AND = re.compile(
    r"(?:(?:^|[\n:?!>|]|\bat|\bon|\bto|\bof|\bwith)[ \t]{0,8})((?:[^\W\d_a-zà-öø-ÿ][\w'\u2019\-]{0,30}\.?[ ]){1,3}(?:\d{1,5}\.?[ ])?(?:and|&)[ ])$"
)
_COUNTED = frozenset(
    "version windows python chapter section page figure table step level gate room grade phase type class act article"
    " part day top episode season volume issue line row column question exercise unit model series group team zone"
    " covid formula channel radio platform terminal flight bus line number no nr".split()
)
_NO_POSTAL = re.compile(
    r"\b(?:ip|mac|e-?mail|mail|web|wallet|memory|bitcoin|btc|ethernet|host)[ \-]address", re.IGNORECASE
)
_WEAK = re.compile(
    r"(?:\b(?:at|on|to|in|near|from|of|is|by|opposite|behind|off|into|c/o)[ ]|[:>|\u2022][ ]{0,4}|\n[ \t]{0,12}|^\s*)$",
    re.IGNORECASE,
)
_LEFT = re.compile(r"(?:[^\W\d_][\w'\u2019\-]{0,30}\.?[ \-]){1,4}$")
_ELIDED = re.compile(r"(?:[dl]|dell|nell|sull|dall|all|un|qu)['\u2019][^\W\d_a-zà-öø-ÿ]|[a-zà-ÿ]-?[A-ZÀ-Þ]")
_SMALL: Final = 3
_MAX_WORDS: Final = 7
_MAX_TAIL: Final = 10
_LOOK_BACK: Final = 70
_TOWN_WORDS: Final = 5
_PRECISE_DIGITS: Final = 3


class _Name(NamedTuple):
    """The words after a house number, or after a street word."""

    end: int
    words: tuple[str, ...]
    capitals: int


class StreetAddressRecognizer(ScanRecognizer):
    """Finds street addresses with units, boxes, towns, postcodes and countries where they follow."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("STREET_ADDRESS",)

    def hits(self, text: str) -> Iterator[Hit]:
        """Find every address once; a text without digits and street words costs one scan."""
        entity = self.supported_entities[0]
        spans = list(_cores(text))
        if _DIGIT.search(text) is not None:
            spans += postcodes(text)
        spans.sort()
        last: tuple[int, int, float] | None = None
        for start, end, score in spans:
            if last is not None and start < last[1]:
                last = (last[0], max(last[1], end), max(last[2], score))
                continue
            if last is not None:
                yield Hit(last[0], last[1], entity, last[2])
            last = (start, end, score)
        if last is not None:
            yield Hit(last[0], last[1], entity, last[2])


def _cores(text: str) -> Iterator[tuple[int, int, float]]:
    done = 0
    for anchor in _ANCHOR.finditer(text):
        at, word = anchor.start(), anchor.group()
        if at < done:
            continue
        found: tuple[int, int, float] | None = None
        if word[0].isdigit():
            if at == 0 or text[at - 1] in _FREE:
                found = _by_number(text, at)
            if found is None and text[at - 1 : at] == " ":
                found = _by_last_number(text, at, anchor.end(), done)
        else:
            found = _by_word(text, at, anchor.end(), word.lower(), done)
        if found is not None:
            start, end, score = found
            start = _joined(text, start, done)
            ends = _tail(text, end, is_lower=text[start:end].islower())
            for begin, done in zip([start, *ends], ends, strict=False):
                mark = _MARK.match(text, begin) if begin > start else None
                yield mark.end() if mark else begin, done, score


def _joined(text: str, start: int, done: int) -> int:
    """Give where an address begins that is one street and another, as corners are written."""
    if text[start].isdigit() or text[max(0, start - 2) : start] not in {"d ", "& "}:
        return start
    match = _AND.search(text, max(done, start - _LOOK_BACK), start)
    return match.start(1) if match else start


def _kind(word: str) -> str:
    """Give the bare lower-case form of a word as the lists have it."""
    return word.lower().rstrip("./")


def _is_capital(raw: str) -> bool:
    return not raw[0].islower() or _ELIDED.match(raw) is not None


def _is_particle(word: str) -> bool:
    return word in PARTICLES or (len(word) <= _SMALL and word not in COMMON and word not in NOT_A_STREET)


def _is_street(word: str) -> bool:
    return word in AFTER or word in BEFORE or word in LATER or (len(word) > 4 and word.endswith(ENDINGS))


def _name(text: str, at: int, *, is_lower: bool, after: bool, is_lenient: bool = False) -> _Name:
    """Read up to seven words that can be a street's name; `after`: stop behind an English street word."""
    words: list[str] = []
    capitals, end = 0, at
    while len(words) < _MAX_WORDS:
        match = _WORD.match(text, at)
        if match is None:
            break
        raw = match.group()
        word = _kind(raw)
        is_capital = _is_capital(raw)
        if not is_capital and not (_is_particle(word) or word in STREETS or word in BEFORE or word in LATER):
            if word in COMMON or not (is_lower or is_lenient):
                break
            is_lenient = False
        if word in COMMON and (word not in PARTICLES or is_lower) and words:
            break
        if word in NOT_A_STREET and not words:
            return _Name(at, (), 0)
        if words and word in _UNITS and _UNIT.match(text, at):
            break
        if is_lower and word in COMMON:
            break
        words.append(word)
        capitals += is_capital
        is_full = raw.endswith(".") and len(word) > 4
        end = match.end() - is_full
        at = end
        if is_full:
            break
        if raw.endswith("/"):
            pass
        elif text[at : at + 1] == " ":
            at += 2 if text[at + 1 : at + 2] == " " else 1
        elif not raw.endswith("."):
            break
        if (
            after
            and len(words) > 1
            and word in STREETS
            and word
            not in {"st", "ter", "mount", "la", "pl", "dr", "cape", "fort", "port", "lake", "park", "river"}
        ):
            following = _WORD.match(text, at)
            nxt = _kind(following.group()) if following else ""
            if nxt not in STREETS and nxt not in DIRECTIONS:
                break
    while words and words[-1] in PARTICLES and not _is_street(words[-1]) and words[-1] not in STREETS:
        words.pop()
        end = text.rfind(" ", 0, end)
    return _Name(end, tuple(words), capitals)


def _by_number(text: str, at: int) -> tuple[int, int, float] | None:
    """Read an address from its first number; it needs something that tells it from other numbers."""
    unit = _UNIT.match(text, at)
    numbers = _NUMBERS.match(text, at)
    if numbers is None or (unit is not None and unit.end() >= numbers.end()):
        return None
    first = _WORD.match(text, numbers.end())
    box = _BOX.match(text, numbers.end())
    if box is not None:
        return at, box.end(), 0.7
    if first is None:
        return None
    is_lower = not first.group()[0].isupper() and _lowered(text, numbers.end())
    for is_lenient in (False, True):
        name = _name(text, numbers.end(), is_lower=is_lower, after=True, is_lenient=is_lenient)
        found = _numbered(text, at, numbers, name, is_lower=is_lower, is_lenient=is_lenient)
        if found is not None or is_lower:
            return found
    return None


def _numbered(
    text: str, at: int, numbers: re.Match[str], name: _Name, *, is_lower: bool, is_lenient: bool
) -> tuple[int, int, float] | None:
    if not name.words or name.words[0] in NOT_A_STREET:
        return None
    house = _HOUSE.match(text, name.end) if text[name.end : name.end + 1] == " " else None
    streets = _has_street(name.words)
    is_house = house and (streets or not _is_year(house.group()) or _unit_after(text, house.end()))
    end = house.end() if house and is_house else name.end
    end = end - 1 if house and text[end - 1] == "." and _starts_sentence(text, end) else end
    has_unit = _unit_after(text, end) is not None
    many = bool(numbers.group(2))
    words = name.words
    if (streets and (name.capitals or is_lower)) or has_unit:
        return at, end, 0.7
    if is_lenient and not (house and many):
        return None
    before = text[max(0, at - _LOOK_BACK) : at]
    cue = _cue(before)
    weak_street = len(words) > 1 and words[-1] in STREETS
    if weak_street and (cue or many or len(numbers.group(1)) >= _PRECISE_DIGITS or _coded(text, end)):
        return at, end, 0.6
    if is_lower:
        return (at, end, 0.5) if cue == 2 and (many or house) else None
    if not name.capitals:
        return None
    if house and end == house.end() and (cue or not many) and not _is_year(numbers.group(1)):
        return at, end, 0.6
    if (
        many
        and (cue or len(numbers.group(1)) >= _PRECISE_DIGITS)
        and not re.match(r",?[ ]\d{3}$", numbers.group(2))
    ):
        return at, end, 0.6
    if many and cue:
        return at, end, 0.6
    if cue == 2 and not _is_year(numbers.group(1)):
        return at, end, 0.5
    if (
        cue == 1 and name.capitals > 1 and not _is_year(numbers.group(1)) and _ENDS.match(text, end)
    ) and _coded(text, end):
        return at, end, 0.5
    return None


def _has_street(words: tuple[str, ...]) -> bool:
    if len(words) == 1:
        return len(words[0]) > 5 and words[0].endswith(ENDINGS) and words[0] not in BEFORE
    return any(map(_is_street, words))


def _by_last_number(text: str, at: int, end: int, done: int) -> tuple[int, int, float] | None:
    """Read a name without a street word and the house number after it, where the text says what it is."""
    if _is_year(text[at:end]) or end - at > 5:
        return None
    left = _left(text, at, done)
    if left == at or _kind(text[left:at].split()[-1]) in _COUNTED:
        return None
    begin = _joined(text, left, done)
    if _LIVES.search(text, max(0, begin - _LOOK_BACK), begin) or (
        _WEAK.search(text, max(0, begin - 8), begin) and _unit_after(text, end) is not None
    ):
        return left, end, 0.5
    return None


def _by_word(text: str, at: int, stop: int, word: str, done: int) -> tuple[int, int, float] | None:
    """Read an address from a street word, a unit, a box or a corner."""
    first = word[0]
    if first in "pugbcarhlm" and (box := _BOX.match(text, at)) is not None:
        if word != "box" or text[box.end() - 1].isdigit() and text[at - 1 : at] == "\n":
            military = _MILITARY.match(text, box.end())
            return at, (military or box).end(), 0.7
    if word in {"apo", "fpo", "dpo"} and (military := _MILITARY.match(text, at)) is not None:
        return at, military.end(), 0.7
    if word in {"the", "corner", "intersection", "junction", "crossing"} and (
        corner := _CORNER.match(text, at)
    ):
        return _corner(text, at, corner.end())
    unit = _UNIT.match(text, at) if word in _UNITS else None
    if unit is not None and any(map(str.isdigit, unit.group())):
        gap = _BREAK.match(text, unit.end()) or _BLANK.match(text, unit.end())
        inner = gap.end() if gap else unit.end()
        found = _by_number(text, inner) if text[inner : inner + 1].isdigit() else None
        if found is not None:
            return at, found[1], 0.7
        if _SURE_UNIT.match(text, at):
            return at, unit.end(), 0.5
        return None
    is_capital = text[at].isupper() or not text[at].islower()
    if word in BEFORE:
        found = _before(text, at, stop, word)
        if found is not None:
            return found
    if word in STREETS_ALONE and (is_capital or _DIGIT.search(text, stop, stop + 8)):
        found = _after(text, at, stop, word, done)
        if found is not None:
            return found
    if len(word) > 4 and word.endswith(ENDINGS) or word in LATER:
        return _ended(text, at, stop, word, done)
    return None


_UNITS: Final = frozenset(
    "apartment apt appartement appt suite ste unit flat room rm floor building bldg block lot trailer plot house door shop".split()
)


def _before(text: str, at: int, stop: int, word: str) -> tuple[int, int, float] | None:
    has_dot = text[stop : stop + 1] in {".", "/"}
    stop += has_dot
    if word in {"c"} and not has_dot:
        return None
    if text[stop : stop + 1] == " ":
        stop += 1
    elif not has_dot:
        return None
    is_lower = _lowered(text, stop)
    name = _name(text, stop, is_lower=is_lower, after=False)
    if not name.words or not (name.capitals or is_lower):
        return None
    house = _HOUSE.match(text, name.end)
    if house and not (_is_year(house.group()) and word not in BEFORE_ALONE):
        is_sentence = text[house.end() - 1] == "." and _starts_sentence(text, house.end())
        if len(word) > 2 or has_dot:
            return at, house.end() - is_sentence, 0.6
    if word in BEFORE_ALONE and name.capitals and (len(word) > 2 or has_dot):
        return at, name.end, 0.5
    return None


def _after(text: str, at: int, stop: int, word: str, done: int) -> tuple[int, int, float] | None:
    left = _left(text, at, done)
    if left == at:
        return None
    stop += text[stop : stop + 1] == "." and len(word) <= 4 and not _starts_sentence(text, stop + 1)
    house = _HOUSE.match(text, stop)
    return left, house.end() if house and not _is_year(house.group()) else stop, 0.5


def _ended(text: str, at: int, stop: int, word: str, done: int) -> tuple[int, int, float] | None:
    is_capital = not text[at].islower()
    stop += text[stop : stop + 1] == "."
    house = _HOUSE.match(text, stop)
    is_whole = word in LATER
    left = _left(text, at, done)
    if is_whole and left == at:
        return None
    if house is None or _is_year(house.group()):
        is_sure = is_capital and not is_whole and word.endswith(ENDINGS_ALONE)
        return (left, stop - (text[stop - 1] == "."), 0.5) if is_sure else None
    if not is_capital and left == at:
        return None
    is_sentence = text[house.end() - 1] == "." and _starts_sentence(text, house.end())
    return left, house.end() - is_sentence, 0.6


def _left(text: str, at: int, done: int) -> int:
    """Give where the capitalised words before a street word begin, at most four of them."""
    start = max(done, at - _LOOK_BACK)
    match = _LEFT.search(text, start, at) if at > start else None
    if match is None:
        return at
    pieces = list(re.finditer(r"[^ ]+[ ]", match.group()))
    left = at
    if _lowered(text, at) and len(pieces[-1].group()) > 4 and pieces[-1].group().strip() not in COMMON:
        return match.start() + pieces[-1].start()
    for piece in reversed(pieces):
        raw = piece.group().strip()
        word = _kind(raw)
        if (
            word in COMMON
            or word in {"st"}
            or not (raw[0].isupper() or not raw[0].islower() or word in PARTICLES)
        ):
            break
        if raw[0].isupper() or not raw[0].islower():
            left = match.start() + piece.start()
    return left


def _corner(text: str, at: int, start: int) -> tuple[int, int, float] | None:
    end = start
    for turn in range(2):
        number = re.compile(r"(?:\d{1,6}[ ]){0,2}").match(text, end)
        begin = number.end() if number else end
        name = _name(text, begin, is_lower=_lowered(text, begin), after=False)
        words, stop = name.words, name.end
        joint = None
        if turn == 0 and "and" in words:
            joint = re.compile(r"[ ]and[ ]").search(text, begin, stop + 5)
        if not words:
            return None if turn == 0 else (at, end, 0.6)
        if joint is not None:
            end = joint.end()
            continue
        house = _HOUSE.match(text, stop)
        end = house.end() if house else stop
        join = _JOIN.match(text, end) or re.compile(r"[ ]St\.?[ ]and[ ]").match(text, end)
        if turn == 0:
            if join is None:
                return None
            end = join.end()
    return at, end, 0.6


def _unit_after(text: str, at: int) -> re.Match[str] | None:
    gap = re.compile(r"[ \t]{0,3}(?:[,.;|/\u2022\u00b7]|\?{2,4})?[ \t]{0,3}\n?[ \t]{0,12}").match(text, at)
    return _UNIT.match(text, gap.end()) if gap is not None and gap.end() > at else None


def _tail(text: str, end: int, *, is_lower: bool) -> list[int]:
    """Take what belongs to an address after its core: units, towns, states, postcodes, countries.

    Gives an end for each field, where fields are set apart by bars or the like, and the last one.
    """
    ends: list[int] = []
    kept, has_code = end, False
    is_open = _COMMA_CODE.search(text, max(0, end - 8), end) is not None
    for _ in range(_MAX_TAIL):
        unit = _unit_after(text, end)
        if unit is not None:
            if (mark := _MARK.match(text, end)) and _FIELD.search(mark.group()):
                ends.append(end)
            kept = end = unit.end()
            is_open = True
            continue
        gap, is_break = _MARK.match(text, end) or _BREAK.match(text, end), True
        if gap is None:
            gap, is_break = _BLANK.match(text, end), False
        if gap is None:
            break
        if gap.re is _MARK and kept == end and _FIELD.search(gap.group()):
            ends.append(end)
        at = gap.end()
        code = CODE.match(text, at)
        if code is not None and _DIGIT.search(code.group()):
            if has_code or _MORE.match(text, code.end()):
                break
            kept = end = code.end()
            is_open = has_code = True
            continue
        state = STATE.match(text, at)
        if (
            state is not None
            and (state.group().isupper() or _kind(state.group()) not in COMMON)
            and state.group().lower() not in {"st", "and"}
        ):
            kept = end = state.end()
            is_open = True
            continue
        if not (is_break or is_open):
            # the town may follow the house number directly, where a postcode follows it
            town = _town(text, at, is_lower=is_lower)
            if town is None or not _coded(text, town):
                break
            end = town
            continue
        town = _town(text, at, is_lower=is_lower)
        if town is None:
            break
        is_line = "\n" in gap.group() or "\r" in gap.group()
        if (
            is_line
            and _country(text, at) is None
            and not re.compile(r"[ \t]*(?:,?\s*$|[,\n\r]|\d|[A-Z]{2,3}\b|$)").match(text, town)
        ):
            if not _coded(text, town):
                break
        kept = end = town
        is_open = False
    return ends if ends and ends[-1] == kept else [*ends, kept]


def _town(text: str, at: int, *, is_lower: bool) -> int | None:
    """Read a town, district, state or country; what follows must be an end or a small word."""
    country = _country(text, at)
    if country is not None:
        return country
    pos, end, count = at, at, 0
    while count < _TOWN_WORDS:
        match = _WORD.match(text, pos)
        if match is None:
            break
        raw = match.group()
        word = _kind(raw)
        is_capital = _is_capital(raw)
        if word in COMMON and word not in PARTICLES:
            break
        if not is_capital and not is_lower and not _is_particle(word):
            break
        end, count = match.end(), count + 1
        if raw.endswith(".") and len(word) > 3:
            end -= 1
            break
        if text[end : end + 1] == " ":
            pos = end + (2 if text[end + 1 : end + 2] == " " else 1)
        elif text[end : end + 1] == "/":
            pos = end + 1
        else:
            break
    if count == 0:
        return None
    while (
        (cut := text.rfind(" ", at, end)) > at
        and text[cut + 1].islower()
        and _is_particle(_kind(text[cut + 1 : end]))
    ):
        end = cut
    if re.compile(r"[ ]?\([^\W\d_]{3,20}\)").match(text, end):
        end = text.index(")", end) + 1
    if (district := re.compile(r"[ ]\d{1,2}(?=[ ]?[,\n])").match(text, end)) is not None:
        end = district.end()
    if _ENDS.match(text, end) or STATE.match(text, end + 1):
        return end
    following = re.compile(r"[ ]{1,2}([^\W\d_]+)").match(text, end)
    if following is None:
        return None
    word = following.group(1)
    if word.lower() in COMMON or (
        word.islower() and len(word) <= _SMALL and _ENDS.match(text, following.end())
    ):
        return end
    return None


def _country(text: str, at: int) -> int | None:
    match = re.compile(r"(?:the[ ])?((?:[^\W\d_][\w.\-]{0,20}[ ]?){1,4})", re.IGNORECASE).match(text, at)
    if match is None:
        return None
    words = match.group(1).rstrip(" .")
    start = match.start(1)
    while words:
        if words.lower() in COUNTRIES:
            end = start + len(words)
            bracket = re.compile(r"[ ]\([^\W\d_]{3,20}\)").match(text, end)
            return bracket.end() if bracket else end
        words = words.rpartition(" ")[0]
    return None


def _coded(text: str, at: int) -> bool:
    """Say whether a postcode follows soon: over a town, a state, a comma or a line end."""
    return _SOON.match(text, at) is not None


_COMMA_CODE = re.compile(r", \d{4}$")
_MORE = re.compile(r"[ .\-]{0,2}[(\d]")
_SOON = re.compile(
    r"(?:[ ,\n\t]{1,4}[^\W\d_][\w'\u2019\-.]{0,25}){0,5}[ ,\n\t\-]{1,6}(?:\d{4,6}(?:-\d{3,4})?|\d{3}[ ]\d{2,3}|[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2})(?!\w|[.,:/]\d)"
)


def _cue(before: str) -> int:
    """Say what the words before a number promise: 2 an address, 1 a place, 0 nothing."""
    if _STRONG.search(before) is not None:
        return 0 if _NO_POSTAL.search(before) is not None else 2
    return 1 if _WEAK.search(before) is not None else 0


def _lowered(text: str, at: int) -> bool:
    """Say whether the line around `at` is written without capitals, where names cannot be told by them."""
    return not any(map(str.isupper, text[max(0, at - 30) : at + 40]))


def _is_year(number: str) -> bool:
    digits = number.strip(" ,.")
    return len(digits) == 4 and digits.isdigit() and digits[:2] in {"19", "20"}


def _starts_sentence(text: str, at: int) -> bool:
    return re.compile(r"\s*(?:$|\s[A-ZÀ-ÞА-Я])").match(text, at) is not None

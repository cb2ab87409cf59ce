"""What a model found, mended: cut to the name, joined with the rest of it, and found again elsewhere.

A small model is right about where a name is and careless about where it ends: it swallows the next line's
label, stops before an initial, and takes a headline for a company.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from langchain_prodkit.privacy.span import Span
from langchain_prodkit.privacy.words import is_acronym, is_common, is_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["handles", "lookalikes", "mended", "repeated", "settled"]

_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019\-][^\W\d_]+)*")
_LINE: Final = re.compile(r"[\n\r\t]+|\\n|  +")
_OPENING: Final = re.compile(r"([^\W\d_]+)[ ]+")
_RUN: Final = re.compile(r"\S+")
_BLANK: Final = re.compile(r"\s")
_LINK: Final = re.compile(r"://|www\.|\w@\w+\.\w")
_EDGE: Final = " '\"\u201c\u201d\u2018\u2019`()[]{}<>*_#@:;,!?|/\\&+=~-\u2013\u2014\u2026"
_HEAD: Final = re.compile(
    r"(?:(?:the|an?|this|that|my|our|your|his|her|their|hi|hey|hello|dear|thanks|thank you|rt|dr|mrs?|ms"
    r"|miss|prof|sir|madam|mx|i am|i['\u2019]m|about|with|from|and|for|at|in|on|of|by|to|says?|said)"
    r"\b\.?[ ]+)+(?=[\w@])",
    re.IGNORECASE,
)
_TAIL: Final = re.compile(
    r"(?:\\?['\u2019][sS]|(?<=s)['\u2019]"
    r"|[ ]+(?:and|or|of|the|a|an|in|on|at|to|for|with|by|from|is|was|has|&))+$"
)
_ABBREVIATION: Final = re.compile(
    r"(?:^|[ .\-])(?:[A-ZÀ-ÖØ-Þ]|Jr|Sr|Inc|Ltd|Co|Corp|St|Bros|LLC|Esq|Ph\.D)\.$"
)
_COMPANY: Final = re.compile(
    r"\b(?:Inc|Ltd|LLC|LLP|PLC|plc|Corp|Co|GmbH|AG|KG|SE|SA|S\.A|SpA|BV|NV|AB|Oy|AS|Pty|Pte|Limited"
    r"|Corporation|Company|Group|Holdings?|Partners|Associates|Sons|Bros|Brothers|Bank|Trust|Insurance"
    r"|Foundation|Institute|University|College|School|Academy|Hospital|Clinic|Ministry|Department|Agency"
    r"|Council|Committee|Airlines?|Airways|Motors|Pharma|Labs?|Studios?|Technologies|Systems|Solutions"
    r"|Consulting|Ventures)\b"
)
_CODE: Final = re.compile(r"[_(){}<>=]|\w\.\w{2}|::")
_HUMP: Final = re.compile(r"[A-Z]?[a-z]+")
_INITIAL: Final = r"[^\W\d_a-zß-öø-ÿ]\."
_PART: Final = r"[^\W\d_a-zß-öø-ÿ][^\W\d_]*(?:['\u2019\-][^\W\d_]+)*"
_PARTICLE: Final = r"(?:de|da|del|della|di|van|von|der|den|ter|la|le|el|al|bin|ibn|dos|du|zu)"
_AFTER: Final = re.compile(rf"[ ](?:{_INITIAL}[ ])*(?:{_PARTICLE}[ ]){{0,2}}({_PART})")
_BEFORE: Final = re.compile(rf"(?<![\w'\u2019@#])({_PART})[ ](?:{_INITIAL}[ ])*(?:{_PARTICLE}[ ]){{0,2}}$")
# "@ada_b", but neither the host of an address nor a decorator of a program.
_HANDLE: Final = re.compile(
    r"(?<![\w.@/])@([A-Za-z]\w*)(?![\w(/@]|\.\w|-\w|[ \t]*\n[ \t]*(?:def|class|async|@)\b)"
)
_CAPITALISED: Final = re.compile(r"(?<![\w@#/.'\u2019\-])[A-ZÀ-ÖØ-Þ][^\W\d_A-Z]{2,}(?![\w/@]|\.\w)")
_HANDLE_SCORE: Final = 0.5
_LOOKALIKE_SCORE: Final = 0.3
_REPEATED: Final = frozenset({"LOCATION", "ORGANIZATION"})
MAX_PARTS: Final = 3
MIN_REPEATED: Final = 3
"""A shorter part of a name is not looked for elsewhere."""
REACH: Final = 60
"""Characters before a name that are looked at."""


def mended(text: str, spans: Iterable[Span]) -> list[Span]:
    """Give the spans cut at line ends, links and possessives, without everyday words, with whole names."""
    kept: list[Span] = []
    for span in spans:
        for start, end in _pieces(text, span.start, span.end):
            if _is_name(text, start, end, span.entity):
                kept.append(_whole(text, Span(start, end, span.entity, span.score)))
    return kept


def repeated(text: str, spans: Sequence[Span]) -> Iterator[Span]:
    """Give the other places where a name that stands in `spans` occurs, alone or with the rest of it."""
    wanted = {word: span for span in reversed(spans) for word in _parts(text[span.start : span.end], span)}
    lower = text.lower()
    if not wanted or len(lower) != len(text):
        return
    for word, span in wanted.items():
        at = lower.find(word)
        while at >= 0:
            end = at + len(word)
            is_whole = not (at and lower[at - 1].isalnum()) and not (end < len(text) and lower[end].isalnum())
            if is_whole and not any(one.start <= at and end <= one.end for one in spans):
                yield Span(at, end, span.entity, span.score)
            at = lower.find(word, end)


def _parts(value: str, span: Span) -> Iterator[str]:
    """Give what of a name can stand for it elsewhere, in small letters."""
    words = _WORD.findall(value)
    if span.entity == "PERSON":
        for word in words:
            if len(word) >= MIN_REPEATED and not is_common(word):
                yield word.lower()
    elif span.entity in _REPEATED and len(value) > MIN_REPEATED and not all(map(is_common, words)):
        yield value.lower()


def settled(spans: Iterable[Span], placed: Sequence[Span]) -> list[Span]:
    """Give all; one of `spans` that touches one of `placed`, which stand where they must, is of its kind."""
    kept = list(placed)
    for span in spans:
        over = next((one for one in placed if one.start < span.end and span.start < one.end), None)
        kept.append(span if over is None else span._replace(entity=over.entity))
    return kept


def handles(text: str) -> Iterator[Span]:
    """Give the names by which people are called on social networks, without their `@`."""
    if "@" in text:
        for found in _HANDLE.finditer(text):
            if not is_common(found[1]):
                yield Span(found.start(1), found.end(1), "PERSON", _HANDLE_SCORE)


def lookalikes(text: str, spans: Sequence[Span]) -> list[Span]:
    """Give the capitalised words outside of `spans` that are no everyday words."""
    return [
        Span(found.start(), found.end(), "PERSON", _LOOKALIKE_SCORE)
        for found in _CAPITALISED.finditer(text)
        if not (is_plain(found.group()) or is_acronym(found.group()))
        and not any(one.start <= found.start() and found.end() <= one.end for one in spans)
    ]


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    cuts = [(found.start(), found.end()) for found in _LINE.finditer(text, start, end)]
    cuts += _links(text, start, end)
    at = start
    for left, right in [*sorted(cuts), (end, end)]:
        if left > at:
            piece = _trimmed(text, at, min(left, end))
            if piece is not None:
                yield piece
        at = max(at, right)


def _links(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Give the web and mail addresses that a span touches, also where they begin or end outside of it."""
    while start and not text[start - 1].isspace():
        start -= 1
    after = _BLANK.search(text, end)
    runs = _RUN.finditer(text, start, after.start() if after else len(text))
    return [(run.start(), run.end()) for run in runs if _LINK.search(run.group()) is not None]


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    while True:
        before = (start, end)
        while (start < end and text[start] in _EDGE) or (start < end and text[start] == "."):
            start += 1
        while start < end and text[end - 1] in _EDGE:
            end -= 1
        if start < end and text[end - 1] == "." and _ABBREVIATION.search(text, start, end) is None:
            end -= 1
        head = _HEAD.match(text, start, end)
        if head is not None:
            start = head.end()
        tail = _TAIL.search(text, start, end)
        if tail is not None:
            end = tail.start()
        if start < end and _is_start(text, start):
            start = _after_opening(text, start, end)
        if start >= end:
            return None
        if (start, end) == before:
            return start, end


def _after_opening(text: str, start: int, end: int) -> int:
    """Step over the everyday word that opens a sentence before a name: "Regarding Ada Byron"."""
    opening = _OPENING.match(text, start, end)
    if opening is None or not is_plain(opening[1]):
        return start
    rest = _WORD.findall(text, opening.end(), end)
    return start if all(is_plain(word) for word in rest) else opening.end()


def _is_name(text: str, start: int, end: int, entity: str) -> bool:
    value = text[start:end]
    words = _WORD.findall(value)
    if not any(len(word) > 1 for word in words) or _CODE.search(value) is not None:
        return False
    if all(is_acronym(word) or _is_compound(word) for word in words):
        return False
    if entity == "ORGANIZATION":
        is_everyday = all(is_common(word) or is_acronym(word) for word in words)
        return not is_everyday or _COMPANY.search(value) is not None
    if not all(is_plain(word) for word in words):
        return True
    return entity == "DATE_TIME" or (
        entity != "NRP" and len(words) > 1 and not value.islower() and not _is_start(text, start)
    )


def _is_compound(word: str) -> bool:
    """Say whether `word` is made like the names in a program: KeyError, DataFrame."""
    parts = _HUMP.findall(word)
    return len(parts) > 1 and "".join(parts) == word and all(map(is_common, parts))


def _is_start(text: str, start: int) -> bool:
    before = text[max(0, start - REACH) : start].rstrip(" '\"\u201c(*_>#-")
    return not before or before[-1] in ".!?:\n"


def _whole(text: str, span: Span) -> Span:
    """Take in the capitalised words and initials beside a name that are no everyday words."""
    start, end, entity, score = span
    if entity not in {"PERSON", "LOCATION", "ORGANIZATION"} or text[start:end].islower():
        return span
    for _ in range(MAX_PARTS):
        found = _AFTER.match(text, end)
        if found is None or is_plain(found[1]) or is_acronym(found[1]):
            break
        end = found.end()
    for _ in range(MAX_PARTS):
        found = _BEFORE.search(text, max(0, start - REACH), start)
        if found is None or is_common(found[1]) or is_acronym(found[1]):
            break
        start = found.start()
    return Span(start, end, entity, score)

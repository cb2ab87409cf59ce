# ruff: noqa: E501, RUF001, PLR2004 - characters and code points are the subject
"""Undo what hides an attack from a reader of characters, and keep the way back to the original.

`readings` gives every form of a text that is worth judging: the folded text itself (NFKC, lower
case, no accents, no invisible characters, Latin letters for their look-alikes), then what appears
when letters are drawn together, digits are read as letters, swapped letters are put in order, or
base64, base32, hex, binary, URL and character escapes, rot13 and reversed text are undone, nested up
to `MAX_DEPTH` times. A decoding
is kept only when its result reads as text. `Reading.span` leads back to the original characters.

Time and memory are linear in the text: every pattern is anchored or bounded, no reading is longer
than the text it was made from, and there are at most `MAX_READINGS` of them. Where little of a long
text is encoded, its reading holds what was decoded and `AROUND_CHARS` on either side.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from bisect import bisect_right
from collections import deque
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from langchain_prodkit.guard import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["MAX_DEPTH", "MAX_READINGS", "Reading", "fold", "readings"]

MAX_DEPTH: Final = 4
"""Encodings inside encodings that are undone; deeper ones end with the reason `nested_encoding`."""
MAX_READINGS: Final = 16
"""Forms of one text that are judged at most."""
ENOUGH_WORDS: Final = 2
"""So many words must come out of a disguise that changes single words."""
AROUND_CHARS: Final = 1_600
"""What stands this close to a decoded part is judged together with it once more."""


class Reading:
    """One form of a text, and where each part of it stands in the original."""

    __slots__ = ("_locate", "_parent", "depth", "encoding", "hidden", "text")

    def __init__(
        self,
        text: str,
        encoding: str = "",
        *,
        parent: Reading | None = None,
        locate: Callable[[int, int], tuple[int, int]] | None = None,
        depth: int = 0,
        hidden: bool = False,
    ) -> None:
        """Hold `text`; `locate` maps a span of it to a span of `parent`, or it has the same length."""
        self.text = text
        self.encoding = encoding
        self.depth = depth
        self.hidden = hidden
        """Part of it was written so that people cannot see it."""
        self._parent = parent
        self._locate = locate

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Say which characters of the original the characters `start:end` come from."""
        if self._locate is not None:
            start, end = self._locate(start, end)
        return self._parent.span(start, end) if self._parent is not None else (start, end)


class _Fold(dict[int, str]):
    """A table for `str.translate` that learns each character the first time it meets it."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code))
        return folded


def _folded(char: str) -> str:
    if char in "\t\r\x0b\x0c\u2028\u2029\u3000\xa0":
        return "\n" if char in "\u2028\u2029" else " "
    if char in _SPECIAL:
        return _SPECIAL[char]
    if unicodedata.category(char) in {"Cf", "Cc", "Cs"} and char != "\n":
        return ""
    if _is_filler(ord(char)):
        return ""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", char).lower())
    kept = "".join(c for c in apart if not (unicodedata.combining(c) and _is_accent(ord(c))))
    text = unicodedata.normalize("NFKC", kept)
    return "".join(_SPECIAL.get(c, c) for c in text)


def _is_filler(code: int) -> bool:
    return (
        code in {0x115F, 0x1160, 0x3164, 0xFFA0, 0x17B4, 0x17B5, 0x0640, 0x2800}
        or 0xFE00 <= code <= 0xFE0F
        or 0xE0000 <= code <= 0xE0FFF
    )


def _is_accent(code: int) -> bool:
    """Marks that people leave out when they type; vowel signs of Indic scripts and Thai stay."""
    return (
        0x0300 <= code <= 0x036F
        or 0x0591 <= code <= 0x05C7
        or 0x064B <= code <= 0x065F
        or 0x1AB0 <= code <= 0x1AFF
        or 0x1DC0 <= code <= 0x1DFF
        or 0x20D0 <= code <= 0x20FF
        or code == 0x0670
    )


GAP: Final = "\n\n"
_SPECIAL: Final = {
    "ı": "i", "ł": "l", "đ": "d", "ø": "o", "ß": "ss", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ς": "σ",
    "’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "「": '"', "」": '"', "『": '"', "』": '"',
    "–": "-", "—": "-", "‐": "-", "‑": "-", "−": "-", "。": ".", "！": "!", "？": "?", "：": ":", "，": ",",
    "ا": "ا", "أ": "ا", "إ": "ا", "آ": "ا", "ى": "ي", "ة": "ه",
}  # fmt: skip
_FOLD: Final = _Fold()

_LOOK_ALIKES: Final = str.maketrans(
    "аеорсухіјѕһԁԛԝѵӏкмтвнпгьзбαονικρτυχηεγωβσμζօոսհɑɡʀɪɴʏʟʜʙɢᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜱꜰ",
    "aeopcyxijshdqwvlkmtbhnrbzbaovikptuxneywbomzonuhagrinylhbgacdejkmoptuvwzsf",
)
_FOREIGN = re.compile("[\u0250-\u02af\u0370-\u03ff\u0400-\u052f\u0531-\u0587\u1d00-\u1d7f\ua730\ua731]")
_WORD = re.compile(r"[^\W\d_]+")
# Pieces that only make sense together: Hangul written as single jamo, kana with a separate mark.
_JOINED = re.compile(
    "[\u1100-\u115e][\u1161-\u11a7][\u11a8-\u11ff]?|[\u3041-\u30ff\uff66-\uff9d][\u3099\u309a\uff9e\uff9f]|.",
    re.DOTALL,
)
_NEEDS_JOIN = re.compile("[\u1100-\u11ff\u3099\u309a\uff9e\uff9f]")


def fold(text: str) -> str:
    """Write `text` the way signatures are written; looks at no context, so it is cheap."""
    if _NEEDS_JOIN.search(text):
        text = "".join(unicodedata.normalize("NFKC", piece) for piece in _JOINED.findall(text))
    return text.translate(_FOLD)


def readings(text: str) -> Iterator[Reading]:
    """Yield the forms of `text` that are worth judging, the plain one first."""
    original = Reading(text)
    waiting: deque[Reading] = deque([original])
    seen = {text}
    count = 0
    while waiting:
        raw = waiting.popleft()
        plain = _plain(raw)
        words = set(_WORD.findall(plain.text))
        for reading in (plain, *_drawn_together(plain), *_leet(plain), *_unscrambled(plain, words)):
            yield reading
            count += 1
            if count >= MAX_READINGS:
                return
        if raw.depth == MAX_DEPTH:
            continue
        for child in _undone(raw, plain, words):
            if child.text not in seen:
                seen.add(child.text)
                waiting.append(child)


def _plain(raw: Reading) -> Reading:
    text = fold(raw.text)
    if _FOREIGN.search(text):
        text = _unmasked(text)
    locate = None
    if not raw.text.isascii() or len(text) != len(raw.text):
        locate = _fold_map(raw.text)
    return Reading(text, raw.encoding, parent=raw, locate=locate, depth=raw.depth, hidden=raw.hidden)


def _fold_map(text: str) -> Callable[[int, int], tuple[int, int]]:
    # Measured when the first span is asked for: most texts never need it.
    news: list[int] = []  # where each piece ends in the folded text
    olds: Sequence[int] = ()  # and in the original

    def locate(start: int, end: int) -> tuple[int, int]:
        nonlocal olds
        if not news:
            if _NEEDS_JOIN.search(text):
                pieces = _JOINED.findall(text)
                olds = list(accumulate(map(len, pieces)))
                news.extend(accumulate(len(fold(piece)) for piece in pieces))
            else:
                olds = range(1, len(text) + 1)
                news.extend(accumulate(map(len, map(_FOLD.__getitem__, map(ord, text)))))
        last = len(news) - 1
        a = min(bisect_right(news, start), last)
        b = min(bisect_right(news, max(start, end - 1)), last)
        return (olds[a - 1] if a else 0), olds[b]

    return locate


def _unmasked(text: str) -> str:
    """Give Latin letters to words that mix scripts, or wear another script inside a Latin text."""
    foreign = len(_FOREIGN.findall(text))
    latin = sum(map(str.isascii, _WORD.findall(text)))
    is_latin_text = latin * 3 > foreign

    def word(match: re.Match[str]) -> str:
        old = match[0]
        if old.isascii() or not _FOREIGN.search(old):
            return old
        new = old.translate(_LOOK_ALIKES)
        has_latin = any("a" <= c <= "z" for c in old)
        return new if new.isascii() and (has_latin or is_latin_text) else old

    return _WORD.sub(word, text)


# One separator after every character, spaces included ("I_g_n_o_r_e_ _a_l_l"), or single letters.
_SPREAD = re.compile(
    r"(?<!\S)\S([ ._\-*|·/~+,])(?:(?!\1).\1|\1\1){6,}\S?|(?<![^\W_])[^\W_](?:[ ._\-*|·/~+][^\W_]){2,}(?![^\W_])",
    re.DOTALL,
)
_KEY_WORDS = re.compile(
    "(ignore|disregard|forget|override|bypass|reveal|repeat|print|show|output|instructions?|prompts?|previous|prior|"
    "above|system|rules|guidelines|everything|password|developer|mode|you are now|youarenow|your|all|the|and|secret|"
    "hidden|restrictions|filters|without|pretend|act as|from now on)"
)


def _drawn_together(plain: Reading) -> Iterator[Reading]:
    if _SPREAD.search(plain.text) is None:
        return

    def joined(match: re.Match[str]) -> str | None:
        run = match[0]
        separator = run[1]
        if match[1] is not None:
            word = run[::2]
            if " " not in word.strip():
                word = word.replace(separator, " ")
        else:
            word = "".join(c for c in run if c.isalnum())
        if len(word) >= 16 and " " not in word:
            word = " ".join(_KEY_WORDS.sub(r" \1 ", word).split())
        return word if any(c.isalpha() for c in word) else None

    spliced = _spliced(plain, _SPREAD, joined, "spaced")
    if spliced is not None:
        yield spliced


_LEET = str.maketrans("013457@$!|", "oieastasil")
_LEET_HINT = re.compile(r"[013457@$!|](?<=[a-z].)[a-z]")
_LEET_WORD = re.compile(
    r"(?<![\w@$!|])(?=[a-z013457@$!|]*[a-z])(?=[a-z@$!|]*[013457@$!|])[a-z013457@$!|]{2,24}(?![\w@$])"
)


def _leet(plain: Reading) -> Iterator[Reading]:
    if len(_LEET_HINT.findall(plain.text)) < ENOUGH_WORDS:
        return
    words = 0

    def word(match: re.Match[str]) -> str:
        nonlocal words
        old = match[0]
        tail = old.rstrip("!|")
        new = re.sub("11|ll|1l", "ll", tail).translate(_LEET) if tail else old
        words += new in decode.COMMON
        return new + old[len(tail) :]

    reading = _spliced(plain, _LEET_WORD, word, "leet")
    if reading is not None and words >= ENOUGH_WORDS:
        yield reading


_PLAIN_WORD = re.compile("[a-z]{4,14}")


def _unscrambled(plain: Reading, words: set[str]) -> Iterator[Reading]:
    """Yield the text with the letters of its words in order, where several are not."""
    meant = {word: right for word in words if (right := decode.unscrambled(word)) is not None}
    if len(meant) < ENOUGH_WORDS:
        return
    reading = _spliced(plain, _PLAIN_WORD, lambda match: meant.get(match[0]), "scrambled")
    if reading is not None:
        yield reading


def _undone(raw: Reading, plain: Reading, words: set[str]) -> Iterator[Reading]:
    """Yield what `raw` says once one layer of encoding is taken away."""
    depth = raw.depth + 1
    is_ascii = raw.text.isascii()
    for kind, pattern, decoded in decode.TOKENS:
        if kind == "hidden" and is_ascii:
            continue
        child = _spliced(raw, pattern, decoded, kind, depth=depth)
        if child is not None:
            child.hidden = raw.hidden or kind == "hidden"
            yield child
    if not words.isdisjoint(decode.ROT13_WORDS) and decode.ROT13.search(plain.text):
        text = codecs.encode(raw.text, "rot13")
        yield Reading(text, _named(raw, "rot13"), parent=raw, depth=depth, hidden=raw.hidden)
    if not words.isdisjoint(decode.REVERSED_WORDS) and decode.REVERSED.search(plain.text):
        size = len(raw.text)
        yield Reading(
            raw.text[::-1],
            _named(raw, "reversed"),
            parent=raw,
            locate=lambda start, end: (size - end, size - start),
            depth=depth,
            hidden=raw.hidden,
        )


def _named(reading: Reading, kind: str) -> str:
    return f"{reading.encoding}+{kind}" if reading.encoding else kind


def _spliced(
    parent: Reading,
    pattern: re.Pattern[str],
    decoded: Callable[[re.Match[str]], str | None],
    kind: str,
    *,
    depth: int | None = None,
) -> Reading | None:
    """Put in place of every match what it decodes to; None when nothing could be decoded."""
    if pattern.search(parent.text) is None:
        return None  # most texts, and setting up the rest would cost as much as the search
    return _splice(parent, pattern, decoded, kind, parent.depth if depth is None else depth)


def _splice(
    parent: Reading,
    pattern: re.Pattern[str],
    decoded: Callable[[re.Match[str]], str | None],
    kind: str,
    depth: int,
) -> Reading | None:
    parts: list[str] = []
    starts: list[int] = []  # where a run begins in the new text
    origins: list[tuple[int, int, bool]] = []  # its span in the parent, and whether it was decoded
    at = new = 0

    def add(text: str, start: int, end: int, *, is_decoded: bool) -> None:
        nonlocal new
        if text:
            parts.append(text)
            starts.append(new)
            origins.append((start, end, is_decoded))
            new += len(text)

    def keep(start: int, end: int, *, is_first: bool = False, is_last: bool = False) -> None:
        """Copy what stands between two decoded parts, or only its ends when it is long."""
        head = 0 if is_first else AROUND_CHARS
        tail = 0 if is_last else AROUND_CHARS
        if end - start <= 2 * AROUND_CHARS:
            add(parent.text[start:end], start, end, is_decoded=False)
            return
        add(parent.text[start : start + head], start, start + head, is_decoded=False)
        add(GAP, start + head, end - tail, is_decoded=True)
        add(parent.text[end - tail : end], end - tail, end, is_decoded=False)

    for match in pattern.finditer(parent.text):
        text = decoded(match)
        if text is None:
            continue
        start, end = match.span()
        keep(at, start, is_first=at == 0)
        add(text, start, end, is_decoded=True)
        at = end
    if at == 0:
        return None
    keep(at, len(parent.text), is_last=True)

    def locate(start: int, end: int) -> tuple[int, int]:
        if not starts:
            return 0, len(parent.text)
        a = max(bisect_right(starts, start) - 1, 0)
        b = max(bisect_right(starts, max(start, end - 1)) - 1, 0)
        first, last = origins[a], origins[b]
        low = first[0] if first[2] else first[0] + start - starts[a]
        high = last[1] if last[2] else last[0] + end - starts[b]
        return low, high

    return Reading(
        "".join(parts),
        _named(parent, kind),
        parent=parent,
        locate=locate,
        depth=depth,
        hidden=parent.hidden,
    )

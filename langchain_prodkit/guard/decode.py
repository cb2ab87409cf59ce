# ruff: noqa: PLR2004 - code points are the subject
"""Encodings that can stand inside a text: how each one looks, and what it says.

Every decoder answers None unless its result reads as text, so keys, hashes, pictures and part
numbers stay what they are.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from functools import lru_cache
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "COMMON",
    "REVERSED",
    "REVERSED_WORDS",
    "ROT13",
    "ROT13_WORDS",
    "TOKENS",
    "reads_as_text",
    "unscrambled",
]

MIN_CHARS: Final = 5
"""Shorter results say too little to be an attack."""
WORDS_SHARE: Final = 0.65
"""Letters and blanks in what reads as text, at least; the rest is digits and punctuation."""

_KEYS = (
    "ignore", "instruction", "instructions", "previous", "system", "prompt", "rules", "everything", "above",
    "disregard", "forget", "password", "assistant", "reveal", "without", "please", "always", "should",
    "would", "this", "that", "with", "your", "you", "the", "and", "what", "from", "are", "all", "only",
    "never", "answer",
)  # fmt: skip


COMMON: Final = frozenset({
    *_KEYS, "a", "access", "act", "about", "admin", "any", "as", "before", "but", "bypass", "can", "code",
    "commands", "constraints", "conversation", "data", "developer", "directives", "disable", "do", "enable",
    "every", "filter", "filters", "follow", "following", "for", "give", "guidelines", "have", "hidden", "how",
    "i", "in", "initial", "instead", "is", "it", "key", "language", "leak", "me", "message", "mode", "model",
    "my", "new", "no", "not", "now", "obey", "of", "on", "original", "output", "override", "pretend", "print",
    "prior", "prompts", "repeat", "reply", "respond", "restrictions", "role", "safety", "say", "secret",
    "secrets", "send", "show", "start", "stop", "tell", "text", "them", "to", "told", "translate", "user",
    "was", "were", "will", "word", "words", "write",
})  # fmt: skip
"""Words that a disguised attack is likely to be made of."""


def _written(change: Callable[[str], str]) -> tuple[frozenset[str], re.Pattern[str]]:
    """Give the common words in a disguise, and a pattern for two of them close together."""
    disguised = {change(word) for word in _KEYS} - COMMON
    words = "|".join(sorted(disguised, key=len, reverse=True))
    one = rf"\b(?:{words})\b"
    return frozenset(disguised), re.compile(one + rf"[^\n]{{0,60}}?{one}")


ROT13_WORDS, ROT13 = _written(lambda word: codecs.encode(word, "rot13"))
REVERSED_WORDS, REVERSED = _written(lambda word: word[::-1])

_SCRAMBLED_CHARS: Final = 4
_REAL_WORDS: Final = frozenset({
    "spot", "post", "nerve", "lures", "trail", "form", "demo", "sued", "lets",
})  # fmt: skip


def _letters(word: str) -> str:
    return "".join(sorted(word))


_SCRAMBLED: Final = {_letters(word): word for word in sorted(COMMON) if len(word) >= _SCRAMBLED_CHARS}


@lru_cache(maxsize=16_384)
def unscrambled(word: str) -> str | None:
    """Give the common word that `word` is with letters swapped; None for any other."""
    if not _SCRAMBLED_CHARS <= len(word) <= 14 or word in COMMON or word in _REAL_WORDS:
        return None
    meant = _SCRAMBLED.get(_letters(word))
    if meant is None or (word[0] != meant[0] and word[1::-1] + word[2:] != meant):
        return None
    return meant


def reads_as_text(text: str) -> bool:
    """Tell whether people or models would read `text` as words rather than as data."""
    if len(text) < MIN_CHARS:
        return False
    words = sum(c.isalpha() or c in " \n" for c in text)
    return words >= WORDS_SHARE * len(text) and all(c.isprintable() or c in "\n\t\r" for c in text)


def _from_bytes(data: bytes) -> str | None:
    try:
        text = data.decode("utf-16-le" if data[1:4:2] == b"\0\0" else "utf-8")
    except UnicodeDecodeError:
        return None
    return text if reads_as_text(text) else None


def _base64(match: re.Match[str]) -> str | None:
    token = "".join(match[0].split()).rstrip("=").replace("-", "+").replace("_", "/")
    if len(token) % 4 == 1:
        token = token[:-1]
    try:
        return _from_bytes(base64.b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        return None


def _base32(match: re.Match[str]) -> str | None:
    token = match[0].rstrip("=")
    try:
        return _from_bytes(base64.b32decode(token + "=" * (-len(token) % 8)))
    except (binascii.Error, ValueError):
        return None


def _hex(match: re.Match[str]) -> str | None:
    digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", match[0])
    return _from_bytes(bytes.fromhex(digits)) if len(digits) % 2 == 0 else None


def _binary(match: re.Match[str]) -> str | None:
    bits = re.sub(r"[^01]", "", match[0])
    return _from_bytes(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)))


def _url(match: re.Match[str]) -> str | None:
    text = unquote(match[0])
    return None if "\ufffd" in text else text


def _escape(match: re.Match[str]) -> str | None:
    code = int(match[1] or match[2], 16)
    return chr(code) if 0x20 <= code < 0xD800 or code == 0x0A else None


def _entity(match: re.Match[str]) -> str | None:
    text = unescape(match[0])
    return None if text == match[0] else text


def _hidden(match: re.Match[str]) -> str | None:
    run = match[0]
    if run.startswith("\U0001f3f4"):
        return None  # the flags of England, Scotland and Wales are written with tag characters
    first = ord(run[0])
    if 0xE0000 <= first <= 0xE007F:
        text = "".join(chr(ord(c) - 0xE0000) for c in run if 0xE0020 <= ord(c) < 0xE007F)
        return f" {text} " if text else None
    if first in range(0xFE00, 0xFE10) or first in range(0xE0100, 0xE01F0):
        data = bytes(ord(c) - 0xFE00 if ord(c) < 0xFE10 else ord(c) - 0xE0100 + 16 for c in run)
    else:
        # Letters begin with a 0 bit, so the character that comes first writes 0.
        bits = "".join("0" if c == run[0] else "1" for c in run if c in "\u200b\u200c\u200d")
        data = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8))
    text = _from_bytes(data) or ""
    return f" {text} " if text else None


TOKENS: Final[tuple[tuple[str, re.Pattern[str], Callable[[re.Match[str]], str | None]], ...]] = (
    (
        "hidden",
        re.compile(
            "\U0001f3f4[\U000e0020-\U000e007f]+|[\U000e0000-\U000e007f]+|[\ufe00-\ufe0f\U000e0100-\U000e01ef]{5,}"
            "|[\u200b\u200c\u200d]{32,}"
        ),
        _hidden,
    ),
    (
        "hex",
        re.compile(
            r"[\\0-9a-fA-F](?:(?<=\\)x[0-9a-fA-F]{2}|(?<![0-9A-Za-z].)(?:(?<=0)x[0-9a-fA-F]{2}|(?<!\\)[0-9a-fA-F]))"
            r"(?:[ :,-]?(?:0x|\\x)?[0-9a-fA-F]{2}){7,}"
        ),
        _hex,
    ),
    ("binary", re.compile(r"[01]{8}(?:[ ,-]?[01]{8}){3,}"), _binary),
    ("base32", re.compile(r"[A-Z2-7](?<![A-Za-z0-9].)[A-Z2-7]{15,}={0,6}(?![A-Za-z0-9])"), _base32),
    (
        "base64",
        re.compile(
            r"[A-Za-z0-9+/_-](?<![A-Za-z0-9+/_-].)[A-Za-z0-9+/_-]{15,}(?:\r?\n[A-Za-z0-9+/_-]{16,})*={0,2}"
        ),
        _base64,
    ),
    ("url", re.compile(r"%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*"), _url),
    ("escape", re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})"), _escape),
    ("entity", re.compile(r"&(?:#\d{2,6}|#x[0-9a-fA-F]{2,5}|[a-zA-Z]{2,8});"), _entity),
)

# ruff: noqa: PLR2004 - shares of letters and code points are the subject
"""Ways to write a text so that it reads the same to a person, or to a model, and differently to a filter."""

from __future__ import annotations

import base64
import codecs
import random
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["ENCODINGS", "encoded", "noisy"]

_LOOK_ALIKES: Final = dict(
    zip(
        "aeopcxyisj",
        map(chr, (0x430, 0x435, 0x43E, 0x440, 0x441, 0x445, 0x443, 0x456, 0x455, 0x458)),
        strict=True,
    )
)
_LEET: Final = {"a": "4", "e": "3", "i": "1", "o": "0", "s": "5", "t": "7", "g": "9", "b": "8"}
_INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad"
_EMOJI: Final = [
    chr(code) for code in (*range(0x1F600, 0x1F640), *range(0x1F400, 0x1F43F), *range(0x1F30D, 0x1F320))
]
_KEYS: Final = {
    "a": "qs", "e": "wr", "i": "uo", "n": "bm", "o": "ip", "r": "et", "s": "ad", "t": "ry", "l": "k",
    "h": "gj",
}  # fmt: skip
_ASKED: Final = ("", "", "Decode this: ", "What does it say? ", "msg=", "My friend sent me this: ", "data:")


def _base64(rng: random.Random, text: str) -> str:
    return rng.choice(_ASKED) + base64.b64encode(text.encode()).decode()


def _base32(rng: random.Random, text: str) -> str:
    return rng.choice(_ASKED) + base64.b32encode(text.encode()).decode()


def _hex(rng: random.Random, text: str) -> str:
    is_parted = rng.random() < 0.4
    asked = rng.choice(_ASKED)
    return asked + (text.encode().hex(rng.choice((" ", ":", "-"))) if is_parted else text.encode().hex())


def _rot13(rng: random.Random, text: str) -> str:
    return rng.choice(_ASKED) + codecs.encode(text, "rot13")


def _url(rng: random.Random, text: str) -> str:
    share = rng.choice((0.3, 0.95))
    return "".join(
        f"%{byte:02X}" if byte in b" %" or byte > 126 or rng.random() < share else chr(byte)
        for byte in text.encode()
    )


def _reversed(rng: random.Random, text: str) -> str:
    if rng.random() < 0.3:
        return " ".join(word[::-1] for word in text.split(" "))
    return rng.choice(("", "Backwards: ")) + text[::-1]


def _leet(rng: random.Random, text: str) -> str:
    return "".join(_LEET.get(c.lower(), c) if rng.random() < 0.7 else c for c in text)


def _spaced(rng: random.Random, text: str) -> str:
    mark = rng.choice((" ", " ", ".", "-", "_", "*"))
    return mark.join(text[:160])


def _hidden(rng: random.Random, text: str) -> str:
    share = rng.choice((0.15, 0.4, 0.8))
    return "".join(c + (rng.choice(_INVISIBLE) if rng.random() < share else "") for c in text)


def _look_alike(rng: random.Random, text: str) -> str:
    share = rng.choice((0.2, 0.5, 0.9))
    return "".join(_LOOK_ALIKES.get(c, c) if rng.random() < share else c for c in text)


def _wide(rng: random.Random, text: str) -> str:
    share = rng.choice((0.5, 1.0))
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" and rng.random() < share else c for c in text)


def _marked(rng: random.Random, text: str) -> str:
    share = rng.choice((0.2, 0.6))
    return "".join(
        c + (chr(rng.randint(0x300, 0x36F)) if c.isalpha() and rng.random() < share else "") for c in text
    )


def _tagged(rng: random.Random, text: str) -> str:
    seen = rng.choice(
        ("Nice weather!", "ok", "Please rate this photo.", "Thanks for the help", "Lunch?", "See below.")
    )
    return seen + "".join(chr(0xE0000 + ord(c)) for c in text if ord(c) < 0x7F)


def _emoji(rng: random.Random, text: str) -> str:
    words = text.split(" ")
    return " ".join(word + (rng.choice(_EMOJI) if rng.random() < 0.4 else "") for word in words)


def _case(rng: random.Random, text: str) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        return text.upper()
    if kind == 1:
        return text.lower()
    if kind == 2:
        return text.title()
    return "".join(rng.choice((c.upper(), c.lower())) for c in text)


def _typos(rng: random.Random, text: str) -> str:
    chars = list(text)
    for _ in range(max(1, len(chars) // rng.choice((8, 14, 25)))):
        at = rng.randrange(max(len(chars) - 1, 1))
        kind = rng.randrange(4)
        if kind == 0 and at + 1 < len(chars):
            chars[at], chars[at + 1] = chars[at + 1], chars[at]
        elif kind == 1:
            chars[at] *= 2
        elif kind == 2 and chars[at] != " ":
            chars[at] = ""
        else:
            near = _KEYS.get(chars[at].lower())
            chars[at] = rng.choice(near) if near else chars[at]
    return "".join(chars)


def _glued(rng: random.Random, text: str) -> str:
    return "".join(
        c if c != " " or rng.random() < 0.5 else rng.choice(("", "  ", "\n", "_", "\u00a0")) for c in text
    )


ENCODINGS: Final[Mapping[str, Callable[[random.Random, str], str]]] = {
    "base64": _base64,
    "base32": _base32,
    "hex": _hex,
    "rot13": _rot13,
    "url": _url,
    "reversed": _reversed,
    "leet": _leet,
    "spaced": _spaced,
    "hidden": _hidden,
    "look_alike": _look_alike,
    "wide": _wide,
    "marked": _marked,
    "tagged": _tagged,
    "emoji": _emoji,
    "case": _case,
    "typos": _typos,
    "glued": _glued,
}
"""By name: the text in another writing, as the source of chance decides."""
NOISE: Final = ("case", "typos", "emoji", "leet", "glued", "look_alike", "hidden", "marked")


def encoded(rng: random.Random, name: str, text: str) -> str:
    """Write `text` in one of the `ENCODINGS`."""
    return ENCODINGS[name](rng, text)


def noisy(rng: random.Random, text: str) -> str:
    """Write `text` as a careless or evasive person would."""
    return ENCODINGS[rng.choice(NOISE)](rng, text)

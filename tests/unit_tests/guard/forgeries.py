# ruff: noqa: ARG005, E501, RUF001 - look-alike characters are the subject
"""Ways to write a word so that somebody takes it for what it is not, made for these tests."""

from __future__ import annotations

import base64
import codecs
import html
import random
import unicodedata
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

LOOK_ALIKES: Final = {
    "u": "υսцᑌ", "n": "ոпᑎ", "t": "тτᎢ", "r": "гᖇ", "s": "ѕᔕ", "e": "еεᎬ", "d": "ԁᗪ", "a": "аα", "o": "оο", "i": "іι",
    "c": "сϲ", "p": "рρ", "x": "хχ", "y": "уγ", "k": "κк", "<": "＜‹⟨〈«", ">": "＞›⟩〉»", "-": "‐–—_", "/": "／∕⁄",
}  # fmt: skip
STYLES: Final = ("MATHEMATICAL BOLD", "MATHEMATICAL SCRIPT", "MATHEMATICAL MONOSPACE", "FULLWIDTH LATIN")
INVISIBLE: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e"
LEET: Final = {"a": "4", "e": "3", "o": "0", "s": "5", "t": "7", "i": "1", "l": "1", "g": "9", "b": "8"}


def _styled(text: str, style: str) -> str:
    kind = "SMALL LETTER" if style.startswith("FULL") else "SMALL"
    out = []
    for char in text.lower():
        try:
            out.append(unicodedata.lookup(f"{style} {kind} {char.upper()}"))
        except KeyError:
            out.append(char)
    return "".join(out)


def _each(change: Callable[[str, random.Random], str]) -> Callable[[str, random.Random], str]:
    return lambda text, rng: "".join(change(char, rng) for char in text)


def _wrapped(text: str, rng: random.Random) -> str:
    code = base64.b64encode(text.encode()).decode()
    width = rng.choice([16, 20, 24])
    return "\n".join(code[i : i + width] for i in range(0, len(code), width))


DISGUISES: Final[dict[str, Callable[[str, random.Random], str]]] = {
    "plain": lambda text, rng: text,
    "case": _each(lambda char, rng: rng.choice([char.upper(), char.lower()])),
    "look-alikes": _each(lambda char, rng: rng.choice([char, *LOOK_ALIKES.get(char.lower(), char)])),
    "styled": lambda text, rng: _styled(text, rng.choice(STYLES)),
    "invisible": _each(lambda char, rng: char + rng.choice(["", *INVISIBLE])),
    "accents": _each(lambda char, rng: char + rng.choice(["", "\u0301", "\u0336", "\u0323\u0308"])),
    "spaced": _each(lambda char, rng: char + rng.choice([" ", ".", "_", "\n", " - "])),
    "lines": lambda text, rng: "\n".join(text),
    "leet": _each(lambda char, rng: LEET.get(char.lower(), char)),
    "reversed": lambda text, rng: text[::-1],
    "rot13": lambda text, rng: codecs.encode(text, "rot13"),
    "base64": lambda text, rng: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text, rng: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "base64 in lines": _wrapped,
    "base64 twice": lambda text, rng: base64.b64encode(base64.b64encode(text.encode())).decode(),
    "base32": lambda text, rng: base64.b32encode(text.encode()).decode(),
    "hex": lambda text, rng: (
        text.encode().hex(rng.choice(["", " ", ":"]) or " ") if rng.random() < 0.5 else text.encode().hex()
    ),
    "binary": lambda text, rng: " ".join(f"{ord(char):08b}" for char in text),
    "decimal": lambda text, rng: " ".join(str(ord(char)) for char in text),
    "url": lambda text, rng: "".join(f"%{byte:02X}" for byte in text.encode()),
    "url, what needs it": lambda text, rng: quote(text, safe=""),
    "entities": lambda text, rng: "".join(f"&#{ord(char)};" for char in text),
    "entities, what needs it": lambda text, rng: html.escape(text),
    "escapes": lambda text, rng: "".join(f"\\u{ord(char):04x}" for char in text),
    "tag characters": lambda text, rng: "".join(chr(0xE0000 + ord(char)) for char in text),
}


def disguised(name: str, text: str, rng: random.Random) -> str:
    """Write `text` in the way called `name`."""
    return DISGUISES[name](text, rng)

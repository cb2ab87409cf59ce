# ruff: noqa: E501, RUF001 - look-alike characters are the subject
"""Write a text with nothing left but what a reader takes its letters and digits for.

Case, spaces, punctuation, accents and invisible characters go; a letter of any script or style that
looks like a Latin one becomes it. Two texts that a person or a model would read as the same word have
the same skeleton. Letters of scripts that look like nothing Latin stay as they are.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["leet", "outline", "skeleton"]

_LOOK_ALIKES: Final = {
    "a": "аαаӓӑᎪꓮⲁᗩ卂₳∀", "b": "ЬьвβᏴꓐⲃᗷ乃฿₿", "c": "сϲⅽᏟꓚⲥᑕ匚¢₵⊂", "d": "ԁժᎠꓓᗪᗞ∂", "e": "еєҽεᎬꓰⲉᗴ乇€∈℮",
    "f": "ϝꓝᖴ千", "g": "ԍցᏀꓖ₲Ꮆ", "h": "һнհᎻꓧⲏᕼ卄Η", "i": "іιɩᎥꓲⲓ丨¡", "j": "јϳᎫꓙᒍﾌ", "k": "кκᏦꓗⲕҜҝ₭",
    "l": "ӏլᏞꓡᒪㄥ£ⅼ", "m": "мᎷꓟⲙᗰ爪Μⅿ₥", "n": "пηոռᑎꓠⲛ几₦∩Ν", "o": "оοօσθѳᎾꓳⲟㄖ", "p": "рρᏢꓑⲣᑭ卩₱", "q": "ԛզ",
    "r": "гяᎡᏒꓣᖇ尺ґⲅ", "s": "ѕςᏚꓢᔕ丂₴Տ", "t": "тτᎢꓔⲧㄒ丅†₮", "u": "υμսцҵᑌꓴㄩ∪ʋ", "v": "ѵνᏙꓦᐯ", "w": "шщԝωᎳꓪᗯ山₩",
    "x": "хχⅹꓫⲭ乂×", "y": "уұүγᎽꓬⲩㄚ¥Υ", "z": "ζᏃꓜ乙",
}  # fmt: skip
_LETTER_OF: Final = {char: letter for letter, chars in _LOOK_ALIKES.items() for char in chars}
# "LATIN SMALL LETTER N WITH HOOK", "LATIN LETTER SMALL CAPITAL N", "TAG LATIN SMALL LETTER N", ...
_NAMED = re.compile(r"(?:LATIN|REGIONAL INDICATOR|MODIFIER LETTER|TAG ).* ([A-Z])(?: WITH .*)?$")
_OPENING = re.compile(r"LESS-THAN|LEFT.*(?:ANGLE|BRACKET)|PRECEDES")
_CLOSING = re.compile(r"GREATER-THAN|RIGHT.*(?:ANGLE|BRACKET)|SUCCEEDS")


class _Bones(dict[int, str]):
    """A table for `str.translate` that learns each character the first time it meets it."""

    def __missing__(self, code: int) -> str:
        bones = self[code] = _bones(chr(code))
        return bones


class _Outline(dict[int, str]):
    """As `_Bones`, and brackets of every kind stay as `<` and `>`."""

    def __missing__(self, code: int) -> str:
        bones = self[code] = _bracket(chr(code)) or _BONES[code]
        return bones


def _bones(char: str) -> str:  # noqa: PLR0911 - one line a kind
    if char.isascii():
        return char.lower() if char.isalnum() else ""
    if char in _LETTER_OF:
        return _LETTER_OF[char]
    plain = unicodedata.normalize("NFKC", char)
    if plain != char:
        return "".join(map(_bones, plain))
    folded = char.casefold()
    if folded != char:
        return "".join(map(_bones, folded)) if len(folded) > 1 or folded.casefold() == folded else folded
    named = _NAMED.search(unicodedata.name(char, ""))
    if named:
        return named[1].lower()
    apart = unicodedata.normalize("NFD", char)
    if apart != char and not "\uac00" <= char <= "\ud7a3":
        return "".join(_bones(part) for part in apart if not unicodedata.combining(part))
    return char if char.isalnum() else ""


def _bracket(char: str) -> str:
    if char in "|¦｜ᐸ﹤":
        return "<"
    if char == "ᐳ":
        return ">"
    if char.isalnum():
        return ""
    name = unicodedata.name(char, "")
    return "<" if _OPENING.search(name) else ">" if _CLOSING.search(name) else ""


_BONES: Final = _Bones()
_OUTLINE: Final = _Outline()
_LEET_SIGNS: Final = str.maketrans("013456789@$!|+€£", "oleasgtbgaslltel")
_LEET_SAME: Final = str.maketrans("i", "l")


def skeleton(text: str) -> str:
    """Give the letters and digits of `text` as a reader sees them."""
    return text.translate(_BONES)


def outline(text: str) -> str:
    """Give the skeleton of `text` with brackets: `<` for one that opens, `>` for one that closes."""
    return text.translate(_OUTLINE)


def leet(text: str) -> str:
    """Give the skeleton of `text` with digits and signs read as letters, i and l taken for the same."""
    return text.translate(_LEET_SIGNS).translate(_BONES).translate(_LEET_SAME)

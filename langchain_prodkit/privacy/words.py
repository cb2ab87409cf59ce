"""Which words are everyday English, and what a text would look like with its capitals put right.

A statistical model leans on capitals: it is blind to `jane doe` and sees names all over a headline. The
lists are data beside this file: `common.txt` holds what documentation, questions and conversations under
permissive licences mostly write in lower case, `also_names.txt` everyday words that people are called,
`not_names.txt` abbreviations, products, days and months. None is a list of names taken from people.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Final

__all__ = ["is_acronym", "is_common", "is_plain", "recased"]

_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
# A screaming word: long enough not to be an acronym.
_LOUD: Final = re.compile(r"(?<![\w@#/.])[A-ZÀ-ÖØ-Þ]{5,}(?![\w@/])")
# In these places an everyday word that people are called is a name.
_INTRODUCED: Final = re.compile(
    r"\b((?:name is|name's|i am|i'm|dear|hi|hello|hey|mrs?\.?|ms\.?|dr\.?|friend|husband|wife|son|daughter"
    r"|brother|sister|mother|father|boss|partner|colleague) )(\w+)\b",
    re.IGNORECASE,
)
_CONTRACTED: Final = frozenset({"s", "t", "m", "re", "ve", "ll", "d"})
_UPPER_SHARE: Final = 0.55


@cache
def _listed(name: str) -> frozenset[str]:
    file = files("langchain_prodkit.privacy").joinpath("vocabulary", f"{name}.txt")
    return frozenset(file.read_text("utf-8").split())


def is_common(word: str) -> bool:
    """Say whether `word`, in any case, is an everyday word, names such as Mark and Rose included."""
    common = _listed("common")
    lower = word.lower().replace("\u2019", "'")
    if lower in common:
        return True
    stem, _, tail = lower.partition("'")
    return bool(tail) and stem in common and tail in _CONTRACTED


def is_plain(word: str) -> bool:
    """Say whether `word`, as it is written, can hardly be a name."""
    return is_common(word) and (word.islower() or word.lower() not in _listed("also_names"))


def is_acronym(word: str) -> bool:
    """Say whether `word` is an abbreviation or product of computing or chat, or a day or a month."""
    return word in _listed("not_names")


def recased(text: str) -> str | None:
    """Give `text` with small everyday words and a capital on the others, or None if its case is usual.

    Unusual is a text without capitals, one in capitals only, and a long word in capitals among others.
    The answer has the same length as `text`.
    """
    letters = sum(map(str.isalpha, text))
    capitals = sum(map(str.isupper, text))
    if letters < 3:  # noqa: PLR2004 - no name is shorter
        return None
    if capitals > _UPPER_SHARE * letters:
        new = _WORD.sub(lambda found: _usual(found.group()), text)
    elif capitals <= 0.01 * letters or _is_small(text):
        new = _WORD.sub(lambda found: _raised(found.group()), text)
    else:
        new = _LOUD.sub(lambda found: _usual(found.group()), text)
    if new != text:
        new = _INTRODUCED.sub(lambda found: found[1] + _titled(found[2]), new)
    return new if new != text and len(new) == len(text) else None


def _is_small(text: str) -> bool:
    """Say whether sentences and the word I start small: capitals stand for little."""
    first = _WORD.search(text)
    return first is not None and first.group().islower() and not re.search(r"[.!?] [A-Z]|\bI\b", text)


def _titled(word: str) -> str:
    return word[0].upper() + word[1:] if word in _listed("also_names") else word


def _usual(word: str) -> str:
    if not word.isupper() or is_acronym(word):
        return word
    return (
        word.lower()
        if is_common(word) and word.lower() not in _listed("also_names")
        else word[0] + word[1:].lower()
    )


def _raised(word: str) -> str:
    if word == "i" or word.startswith("i'"):
        return "I" + word[1:]
    return word if not word.islower() or is_common(word) or len(word) < 3 else word[0].upper() + word[1:]  # noqa: PLR2004

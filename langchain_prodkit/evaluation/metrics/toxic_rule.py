"""What a rule for toxic language is, and the words that rules are made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ToxicRule", "any_of", "toxic_rule", "toxic_words"]

_WORDS: Final = Path(__file__).with_name("toxic_words.txt")
_NAME: Final = re.compile(r"\[(\w+)\]")


@dataclass(frozen=True, slots=True)
class ToxicRule:
    """What is looked for in a sentence."""

    kind: str
    weight: float
    """0 to 1; from 0.5 on the sentence is toxic by this rule alone."""
    words: frozenset[str]
    """One of them must be in the sentence, else the pattern is not tried."""
    stems: tuple[str, ...]
    """Or a word that begins with one of these."""
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None
    """What makes the sentence harmless."""


def toxic_words() -> dict[str, frozenset[str]]:
    """Read the word list: name of a group -> its words, those with a `*` as they stand."""
    lists: dict[str, set[str]] = {}
    current: set[str] = set()
    for line in _WORDS.read_text(encoding="utf-8").splitlines():
        if name := _NAME.fullmatch(line):
            current = lists.setdefault(name[1], set())
        elif not line.startswith("#"):
            current.update(line.split())
    return {name: frozenset(found) for name, found in lists.items()}


def any_of(words: frozenset[str]) -> str:
    """Give a pattern for any of the words, the longest first."""
    patterns = (re.escape(word.removesuffix("*")) + r"\w*" * word.endswith("*") for word in words)
    return "(?:" + "|".join(sorted(patterns, key=len, reverse=True)) + ")"


def toxic_rule(
    kind: str, weight: float, words: str | frozenset[str], pattern: str, unless: str | None = None
) -> ToxicRule:
    """Make a rule; `words` may be a text of words with spaces between them."""
    needed = frozenset(words.split()) if isinstance(words, str) else words
    return ToxicRule(
        kind,
        weight,
        frozenset(word for word in needed if not word.endswith("*")),
        tuple(sorted(word.removesuffix("*") for word in needed if word.endswith("*"))),
        re.compile(pattern),
        None if unless is None else re.compile(unless),
    )

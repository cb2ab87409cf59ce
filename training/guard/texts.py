# ruff: noqa: PLR2004 - shares of chance
"""Rows as the classifier will read them, and the noise that both labels are trained under."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from langchain_prodkit.guard.ngram import NgramClassifier
from langchain_prodkit.guard.normalize import fold, readings
from langchain_prodkit.guard.windows import readable
from training.guard.rows import Row

__all__ = ["Text", "noisy", "prepared"]

LONGEST: Final = 8_000
LONG: Final = 350
"""From this many characters on it matters where in the text the attack stands."""
STRETCH: Final = 240
_ENCODED: Final = re.compile("enc_|encoded|obfusc")


@dataclass(frozen=True, slots=True)
class Text:
    """One reading of a row."""

    text: str
    row: Row
    hot: int | None
    """Where in a long attack its middle stands; None when the text is short or harmless."""


def prepared(rows: Iterable[Row], finder: NgramClassifier) -> Iterator[Text]:
    """Give the readings of each row that its label holds for.

    `finder` says where in a long text the attack stands; it was trained on these rows, so it knows.
    """
    for row in rows:
        forms = [form for form in readings(row.text) if form.text]
        if not forms:
            continue
        decoded = [form.text for form in forms if form.encoding]
        plain, _ = readable(row.text, forms[0])
        if not row.is_attack:
            # What is decoded from harmless texts, often by accident, is judged too.
            found = [plain, *decoded[-1:]]
        elif decoded and _ENCODED.search(row.category):
            found = decoded[-1:]
        else:
            found = [plain]
        for text in found:
            kept = text[:LONGEST]
            hot = None
            if row.is_attack and len(kept) > LONG:
                is_known = row.place is not None and text == row.text
                hot = sum(row.place or ()) // 2 if is_known else _hottest(kept, finder)
            yield Text(kept, row, hot)


def _hottest(text: str, finder: NgramClassifier) -> int:
    starts = range(0, len(text) - STRETCH // 2, STRETCH // 2)
    heat = finder.heat([text[start : start + STRETCH] for start in starts])
    return starts[heat.index(max(heat))] + STRETCH // 2


def noisy(text: str, rng: random.Random) -> str:
    """Write a text as people and machines do: three in four stay as they are."""
    chance = rng.random()
    if chance < 0.75:
        return text
    if chance < 0.86:
        return fold(text)
    if chance < 0.90:
        return rng.choice((str.upper, str.lower, str.title, str.swapcase))(text)
    if chance < 0.92:
        return "".join(c.upper() if rng.random() < 0.5 else c.lower() for c in text)
    if chance < 0.96:
        return _mistyped(text, rng)
    return re.sub(" ", lambda _: rng.choice((" ", " ", "  ", "\n", " \n")), text)


def _mistyped(text: str, rng: random.Random) -> str:
    """Swap, drop or double letters of about one word in eight."""
    words = text.split(" ")
    for index, word in enumerate(words):
        if len(word) > 3 and rng.random() < 0.125:
            at = rng.randrange(1, len(word) - 1)
            a, b = word[at], word[at + 1]
            words[index] = word[:at] + rng.choice((b + a, a, a + a + b)) + word[at + 2 :]
    return " ".join(words)

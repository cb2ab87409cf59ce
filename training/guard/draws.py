# ruff: noqa: PLR2004 - shares of chance
"""What the network sees, batch by batch: kinds in fixed shares, sources by the root of their size."""

from __future__ import annotations

import bisect
import itertools
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from tokenizers import Tokenizer

from training.guard.texts import Text, noisy
from training.guard.vocabulary import CLOSE, OPEN

__all__ = ["SHARES", "Draw", "Draws"]

SHARES: Final = {
    "real": 0.11,
    "made": 0.10,
    "injected": 0.11,
    "implanted": 0.13,
    "tasked": 0.06,
    "asked": 0.15,
    "composed": 0.11,
    "clean": 0.18,
    "remarked": 0.05,
}
"""Attacks that people wrote, attacks that generators wrote, documents with an attack, clean documents
that get one here, clean documents that get a plain task; what users asked for, what generators say users
ask for, clean documents, and clean documents that get a request between people."""
WEIGHTS: Final = {
    "real": (1.0, 1.0),
    "made": (1.0, 1.0),
    "injected": (0.0, 1.0),
    "implanted": (0.0, 1.0),
    "tasked": (0.0, 1.0),
    "asked": (1.0, 0.5),
    "composed": (1.0, 0.5),
    "clean": (0.4, 1.0),
    "remarked": (0.4, 1.0),
}
"""How much each kind counts for the heads `user` and `document`. A document with an instruction says
nothing about users; a user's attack is one in a document too."""
HARMLESS: Final = frozenset({"asked", "composed", "clean", "remarked"})
PUT: Final = frozenset({"implanted", "tasked", "remarked"})
"""Kinds that are put into a clean document here."""
ALONE: Final = frozenset({"real", "made", "asked", "composed"})
"""Kinds that users write."""
HARD: Final = 1.6
"""How much more a group of harmless texts with attack words is drawn."""
LONGEST_NOTE: Final = 300
"""Up to so many characters an attack is put into a clean document, or something harmless beside a text."""
CHUNK: Final = 20
"""Batches that are drawn together and sorted by length."""
EDGE: Final = 16
MARGIN: Final = 24
"""So many tokens at least the middle of an attack is away from the ends of its window."""
_HARD = re.compile("trigger|_pair|quoted|hard_negative|security|safety|roleplay|harmless")
_PUT_ONLY = re.compile("note_(task|remark)")
"""What is an attack, or stands for something harmless, only inside a document."""
_REQUEST = re.compile(
    r"(please |can you |could you )?(what|who|how|why|when|where|which|write|give|tell|list|explain|describe"
    r"|create|find|translate|make|suggest|summari[sz]e|show|compare|calculate|generate|name|draft|add|convert|classify|rewrite)"
    r"\b",
    re.IGNORECASE,
)
PIECED: Final = 0.35
"""How many of the clean documents get a piece of another one: a change of subject is no attack."""
ASKED_SHARE: Final = 0.3
"""How many of the plain tasks are taken from what people asked a model for."""
ANYWHERE: Final = 0.4
"""How many notes stand in the middle of a sentence rather than between two."""
SHORTER: Final = 0.4
"""How many windows of long texts are shorter than they could be: a text is cut evenly when it is read."""
SHORTEST: Final = 64
_GAP = re.compile(r"\s+")
_BREAK = re.compile(r"(?<=[.!?\u3002\uff01\uff1f])\s+|\n+")


@dataclass(frozen=True, slots=True)
class Draw:
    """One window of one text."""

    ids: list[int]
    is_attack: bool
    weights: tuple[float, float]


class _Pool:
    """Texts, each drawn as often as its weight says."""

    def __init__(self, texts: Sequence[Text]) -> None:
        counts = Counter(_group(text) for text in texts)
        self.texts = texts
        each = (counts[_group(text)] ** -0.5 * (HARD if _is_hard(text) else 1.0) for text in texts)
        self.sums = list(itertools.accumulate(each))

    def draw(self, rng: random.Random) -> Text:
        """Draw one."""
        return self.texts[bisect.bisect(self.sums, rng.random() * self.sums[-1])]


class Draws:
    """Batches of windows; batch `n` is the same whenever it is asked for."""

    def __init__(
        self, texts: Sequence[Text], words: Tokenizer, *, window: int, batch: int, seed: int
    ) -> None:
        """Sort the texts into kinds."""
        kinds: dict[str, list[Text]] = {kind: [] for kind in SHARES}
        notes = []
        for text in texts:
            row = text.row
            if _PUT_ONLY.match(row.category):
                kinds["tasked" if row.is_attack else "remarked"].append(text)
                continue
            if not row.is_attack:
                kinds["clean" if row.is_document else "composed" if row.is_composed else "asked"].append(text)
            elif row.is_document:
                kinds["injected"].append(text)
            else:
                kinds["real" if row.is_real else "made"].append(text)
            if row.is_attack and len(text.text) < LONGEST_NOTE:
                notes.append(text)
        kinds["implanted"] = notes
        kinds["requests"] = [
            text
            for text in kinds["asked"]
            if len(text.text) < LONGEST_NOTE and text.row.lang == "en" and _REQUEST.match(text.text)
        ]
        self.pools = {kind: _Pool(found) for kind, found in kinds.items() if found}
        self.shares = {kind: share for kind, share in SHARES.items() if kind in self.pools}
        self.words, self.room, self.batch, self.seed = words, window - 2, batch, seed
        self._chunk: tuple[int, list[list[Draw]]] = (-1, [])

    def __getitem__(self, number: int) -> list[Draw]:
        """Give a batch; its texts are of like length."""
        chunk, index = divmod(number, CHUNK)
        if self._chunk[0] != chunk:
            rng = random.Random(self.seed * 1_000_003 + chunk)  # noqa: S311 - order, not secrecy
            kinds = rng.choices(list(self.shares), list(self.shares.values()), k=CHUNK * self.batch)
            drawn = sorted((self._drawn(kind, rng) for kind in kinds), key=lambda one: len(one.ids))
            batches = [drawn[at : at + self.batch] for at in range(0, len(drawn), self.batch)]
            rng.shuffle(batches)
            self._chunk = (chunk, batches)
        return self._chunk[1][index]

    def _drawn(self, kind: str, rng: random.Random) -> Draw:
        is_asked = kind == "tasked" and rng.random() < ASKED_SHARE
        text = self.pools["requests" if is_asked else kind].draw(rng)
        hot: int | None
        if kind in PUT:
            shown, hot = self._implanted(text, rng)
        elif kind == "clean" and rng.random() < PIECED:
            shown, hot = self._implanted(replace(text, text=_piece(text.text, rng)), rng)[0], None
        else:
            shown, hot = self._written(text, kind, rng), text.hot
        found = self.words.encode(shown, add_special_tokens=False)
        ids = found.ids
        room = rng.randint(SHORTEST, self.room) if rng.random() < SHORTER else self.room
        if len(ids) > room:
            start = self._start(found.offsets, hot, kind, room, rng)
            ids = ids[start : start + room]
        return Draw([OPEN, *ids, CLOSE], kind not in HARMLESS, WEIGHTS[kind])

    def _written(self, text: Text, kind: str, rng: random.Random) -> str:
        """Give a text with noise, now and then with something harmless beside it."""
        shown = text.text
        if text.hot is None and kind in ALONE and len(shown) < LONGEST_NOTE and rng.random() < 0.1:
            shown = self._beside(shown, rng)
        noise = noisy(shown, rng)
        return shown if text.hot is not None and abs(len(noise) - len(shown)) > EDGE else noise

    def _start(
        self, offsets: Sequence[tuple[int, int]], hot: int | None, kind: str, room: int, rng: random.Random
    ) -> int:
        """Choose where the window begins: so that it holds the attack, anywhere in a harmless text."""
        last = len(offsets) - room
        if hot is None:
            return 0 if kind in {"real", "made", "injected"} else rng.randint(0, last)
        if kind == "real" and rng.random() < 0.25:
            return rng.choice((0, rng.randint(0, last)))
        middle = bisect.bisect(offsets, (hot, hot))
        return min(max(middle - rng.randint(MARGIN, room - MARGIN), 0), last)

    def _beside(self, shown: str, rng: random.Random) -> str:
        """Put something harmless before or after it."""
        other = self.pools["asked"].draw(rng).text[:LONGEST_NOTE]
        between = rng.choice((" ", "\n", "\n\n"))
        return other + between + shown if rng.random() < 0.5 else shown + between + other

    def _implanted(self, note: Text, rng: random.Random) -> tuple[str, int]:
        """Put an attack, a task or a remark into a part of a clean document."""
        whole = self.pools["clean"].draw(rng).text
        size = rng.randint(80, 380)
        at = rng.randint(0, max(len(whole) - size, 0))
        part = whole[at : at + size]
        is_anywhere = rng.random() < ANYWHERE
        gaps = (_GAP if is_anywhere else _BREAK).finditer(part)
        place = rng.choice([0, len(part), *(match.end() for match in gaps)])
        between = " " if is_anywhere else rng.choice((" ", "\n", "\n\n"))
        attack = noisy(note.text, rng)
        before = part[:place].rstrip() + between if place else ""
        after = between + part[place:].lstrip() if place < len(part) else ""
        return before + attack + after, len(before) + len(attack) // 2


def _piece(whole: str, rng: random.Random) -> str:
    """Take a few sentences or lines of a document."""
    breaks = [0, *(match.end() for match in _BREAK.finditer(whole))]
    start = rng.choice(breaks)
    return whole[start : start + rng.randint(60, LONGEST_NOTE)]


def _group(text: Text) -> tuple[str, ...]:
    """Texts that share a group share its weight; own texts of each language are a group of their own."""
    row = text.row
    return (*row.group, row.lang) if row.category.startswith("own_tongue") else row.group


def _is_hard(text: Text) -> bool:
    row = text.row
    return not row.is_attack and row.source != "own" and _HARD.search(row.category) is not None

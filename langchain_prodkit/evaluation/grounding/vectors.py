"""How near two words are in meaning, and how much a word says; a table of 13,000 word stems."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import mul
from pathlib import Path
from typing import Final

__all__ = ["FOLDER", "WordTable"]

FOLDER: Final = Path(__file__).parent / "model"
SIZE: Final = 48
PREFIX: Final = 5
_SHORTEST: Final = 4
_RELATED: Final = 0.85
"""How near words are that begin alike."""
_COMPOUND: Final = 0.7
REMEMBERED: Final = 200_000
"""Pairs whose nearness is kept."""
_FREQUENT, _RARE = 50, 8_000


@dataclass(frozen=True, slots=True)
class WordTable:
    """Vectors of word stems, frequent ones first."""

    ranks: Mapping[str, int] = field(repr=False)
    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    _near: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, raw: bytes) -> WordTable:
        """Read what the training wrote: the stems, a zero, then `SIZE` signed bytes a stem."""
        stems, _, table = zlib.decompress(raw).partition(b"\0")
        names = stems.decode().split("\n")
        rows = memoryview(table).cast("b")
        vectors = []
        for start in range(0, len(names) * SIZE, SIZE):
            row = rows[start : start + SIZE].tolist()
            length = math.sqrt(sum(map(mul, row, row))) or 1.0
            vectors.append(tuple(value / length for value in row))
        return cls({name: place for place, name in enumerate(names)}, tuple(vectors))

    def nearness(self, one: str, two: str) -> float:
        """Give the cosine of two stems, 1 for the same; 0 where one is not in the table."""
        if one == two:
            return 1.0
        key = (one, two) if one < two else (two, one)
        found = self._near.get(key)
        if found is None:
            found = self._computed(one, two)
            if len(self._near) >= REMEMBERED:
                self._near.clear()
            self._near[key] = found
        return found

    def _computed(self, one: str, two: str) -> float:
        left, right = self.ranks.get(one), self.ranks.get(two)
        near = 0.0
        if left is not None and right is not None:
            near = max(0.0, sum(map(mul, self.vectors[left], self.vectors[right])))
        if len(one) >= PREFIX and len(two) >= PREFIX and one[:PREFIX] == two[:PREFIX]:
            return max(near, _RELATED)
        if left is None or right is None:
            short, long = sorted((one, two), key=len)
            # Parts of compounds: "newsletter" and "letter".
            if len(short) > _SHORTEST and (long.startswith(short) or long.endswith(short)):
                return _COMPOUND
        return near

    def weight(self, stem: str) -> float:
        """Give how much a word says: 0.35 for the most frequent to 1 for rare and unknown ones."""
        rank = self.ranks.get(stem)
        if rank is None:
            return 1.0
        return min(1.0, 0.35 + 0.65 * math.log1p(rank / _FREQUENT) / math.log1p(_RARE / _FREQUENT))

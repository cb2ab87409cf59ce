"""Paired statistics: how surely the scores of the same rows fell, and what drop could have been seen.

The test is the paired bootstrap (Efron & Tibshirani 1993, "An Introduction to the Bootstrap", 16.4; for
comparing two systems on one test set: Koehn 2004, W04-3250): rows are drawn again with replacement, and p
is the share of draws without a drop, draws right on the border counting half (mid-p, Lancaster 1961).
Several metrics share one chance of a false alarm (Holm 1979), in which metrics that cannot reach
significance take no part (Tarone 1990).
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Any, Final

__all__ = ["Drop", "Resampler", "detectable_drop", "holm"]

POWER: Final = 0.8
"""How often a drop of the size called detectable is found."""

_MOST_PICKS: Final = 20_000_000
"""Beyond so many picked rows in all, fewer draws are made."""
_LEAST_DRAWS: Final = 2_000
_BLOCK: Final = 1_000_000
_WORD: Final = 32
_SAME: Final = 1e-9
"""Of the largest difference: sums that are closer differ by rounding only."""


@dataclass(frozen=True, slots=True)
class Drop:
    """What the differences of one metric say; negative is worse."""

    mean: float
    variance: float
    p: float
    """How likely draws like these are without a drop beyond the one tolerated."""
    low: float
    """The interval of the mean holds its true value but for `alpha` on either side."""
    high: float
    floor: float
    """The smallest p that any outcome with as many changed rows could have had."""


class Resampler:
    """Draws rows again, the same way on every machine, with numpy or without it."""

    def __init__(self, *, draws: int, seed: int) -> None:
        """Set how often to draw, and the seed."""
        self._draws = draws
        self._seed = seed
        self._numpy = _numpy()
        # The draws of the last number of rows: most metrics have as many.
        self._kept: dict[int, list[Any]] = {}

    def drop(self, gaps: Sequence[float], *, tolerated: float, alpha: float) -> Drop:
        """Test whether the mean of `gaps` lies below `-tolerated`; there is at least one gap."""
        n = len(gaps)
        mean = fmean(gaps)
        variance = fmean([(gap - mean) ** 2 for gap in gaps])
        changed = n if tolerated else sum(gap != 0 for gap in gaps)
        if not changed:
            return Drop(mean, variance, 1.0, 0.0, 0.0, 1.0)
        # Rows that only noise changed go either way like coins: nothing is rarer than all the same way.
        floor = 0.5 ** (changed + 1) if changed < 64 else 0.0  # noqa: PLR2004 - below any alpha
        means = sorted(self._means(gaps))
        near = _SAME * max(map(abs, gaps))
        above = sum(value + tolerated > near for value in means)
        level = sum(abs(value + tolerated) <= near for value in means)
        p = (1 + above + level / 2) / (1 + len(means))
        low, high = _quantile(means, alpha), _quantile(means, 1 - alpha)
        return Drop(mean, variance, min(1.0, max(p, floor)), low, high, floor)

    def _means(self, gaps: Sequence[float]) -> list[float]:
        n = len(gaps)
        draws = max(min(self._draws, _MOST_PICKS // n), min(self._draws, _LEAST_DRAWS))
        if n not in self._kept:
            self._kept = {n: list(self._picks(n, draws))}
        means: list[float] = []
        for picks in self._kept[n]:
            if self._numpy is None:
                take = gaps.__getitem__
                means += [sum(map(take, picks[at : at + n])) / n for at in range(0, len(picks), n)]
            else:
                values = self._numpy.asarray(gaps, dtype=float)[picks]
                means += values.reshape(-1, n).mean(axis=1).tolist()
        return means

    def _picks(self, n: int, draws: int) -> Iterator[Any]:
        """Give the places that are drawn, a block of draws at a time."""
        step = max(1, _BLOCK // n)
        sizes = [min(step, draws - done) * n for done in range(0, draws, step)]
        if self._numpy is None:
            stream = random.Random(self._seed)  # noqa: S311 - statistics
            for size in sizes:
                words = array("I", stream.randbytes(size * array("I").itemsize))
                yield array("I", [word * n >> _WORD for word in words])
            return
        # The same generator, seeded the same way, gives the same words.
        numbers = self._numpy.random.RandomState([self._seed])
        for size in sizes:
            wide = numbers.randint(0, 1 << _WORD, size=size, dtype="uint32").astype("uint64")
            yield (wide * self._numpy.uint64(n) >> self._numpy.uint64(_WORD)).astype("int32")


def detectable_drop(*, n: int, variance: float, width: float, alpha: float) -> float | None:
    """Give the smallest drop that `n` pairs show with probability `POWER`; None for scores without width.

    The normal approximation of the paired test, with the variance seen so far and what a drop would add to
    it: rows fall by up to `width`, and those that differ already cannot fall once more.
    """
    if width <= 0:
        return None
    z = NormalDist().inv_cdf(1 - alpha) + NormalDist().inv_cdf(POWER)
    noise = min(variance / width**2, 1.0)
    slope = z * z * (1 - noise)
    root = math.sqrt(slope * slope + 4 * (n + z * z) * z * z * noise)
    return width * min(1.0, (slope + root) / (2 * (n + z * z)))


def holm(drops: Mapping[str, Drop], alpha: float) -> dict[str, float]:
    """Give the p of each metric, adjusted so that one false alarm in all has chance `alpha`."""
    able = sorted((name for name in drops if drops[name].floor <= alpha), key=lambda name: drops[name].p)
    adjusted = {name: drop.p for name, drop in drops.items()}
    highest = 0.0
    for place, name in enumerate(able):
        highest = max(highest, min(1.0, drops[name].p * (len(able) - place)))
        adjusted[name] = highest
    return adjusted


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def _numpy() -> Any:
    try:
        import numpy as np  # noqa: PLC0415 - quicker where it is installed, never needed
    except ImportError:
        return None
    return np

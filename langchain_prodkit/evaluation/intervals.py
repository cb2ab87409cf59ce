"""How far a mean can be trusted: 95 % confidence intervals, the same on every machine and day."""

from __future__ import annotations

import math
import random
from array import array
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Resampling", "interval", "wilson"]

Z: Final = 1.959963984540054
"""The normal quantile that leaves 2.5 % on either side."""
DRAWS: Final = 2000
"""Resamples of the bootstrap."""
MOST_RESAMPLED: Final = 200
"""Beyond so many rows the bootstrap's own expansion is used: the same interval, at no cost."""

_SEED: Final = 20_240_229
_TAIL: Final = 0.025
_WORD: Final = 32


class Resampling:
    """The bootstrap's draws, made once for each number of rows and used for every metric."""

    def __init__(self) -> None:
        """Start with no draws."""
        self._draws: dict[int, array[int]] = {}

    def means(self, values: Sequence[float]) -> list[float]:
        """Give the mean of each resample of `values`, in ascending order."""
        n = len(values)
        if n not in self._draws:
            words = array("I", random.Random(_SEED).randbytes(DRAWS * n * array("I").itemsize))  # noqa: S311
            self._draws[n] = array("I", [word * n >> _WORD for word in words])
        draws = self._draws[n]
        take = values.__getitem__
        return sorted(sum(map(take, draws[at : at + n])) / n for at in range(0, DRAWS * n, n))


def interval(
    values: Sequence[float], draws: Resampling, *, is_share: bool = True
) -> tuple[float, float] | None:
    """Give the 95 % interval of the mean of `values`; None below two.

    Where all are 0 or 1 and `is_share` it is Wilson's for a share (Wilson 1927), which is right for small
    numbers and never empty at 0 and 1. Else it is the percentile bootstrap's (Efron 1979), seeded, and beyond
    `MOST_RESAMPLED` rows its second-order expansion (Hall 1992, "The Bootstrap and Edgeworth Expansion").
    """
    n = len(values)
    if n < 2:  # noqa: PLR2004 - one number has no spread
        return None
    low, high = min(values), max(values)
    if is_share and {low, high} <= {0.0, 1.0} and all(value in {0.0, 1.0} for value in values):
        return wilson(sum(values), n)
    if low == high:
        return low, high
    if not math.isfinite(high - low) or not math.isfinite(n * max(abs(low), abs(high))):
        return None
    if n > MOST_RESAMPLED:
        return _expanded(values, high - low)
    means = draws.means(values)
    return _quantile(means, _TAIL), _quantile(means, 1 - _TAIL)


def wilson(successes: float, n: int) -> tuple[float, float]:
    """Give Wilson's 95 % interval of a share; `n` is at least 1."""
    share = successes / n
    spread = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    middle = share + Z * Z / (2 * n)
    scale = 1 + Z * Z / n
    low, high = (middle - spread) / scale, (middle + spread) / scale
    return (0.0 if share == 0 else max(low, 0.0)), (1.0 if share == 1 else min(high, 1.0))


def _expanded(values: Sequence[float], scale: float) -> tuple[float, float]:
    n = len(values)
    mean = math.fsum(values) / n
    # In units of the range, so that no square of a large number overflows.
    gaps = [(value - mean) / scale for value in values]
    sigma = math.sqrt(math.fsum(gap * gap for gap in gaps) / n)
    skewness = math.fsum(gap**3 for gap in gaps) / n / sigma**3
    error = sigma * scale / math.sqrt(n)
    shift = (Z * Z - 1) * skewness / (6 * math.sqrt(n))
    return max(mean + error * (shift - Z), min(values)), min(mean + error * (shift + Z), max(values))


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)

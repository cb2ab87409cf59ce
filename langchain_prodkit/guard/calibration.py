"""Put a cut where the user's own examples say it belongs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from langchain_prodkit.errors import ConfigurationError, GuardError

__all__ = ["Calibration", "calibrated", "cosine", "finite"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Where a cut was put, and what it does to the examples it was put by."""

    cut: float
    """Scores below it are refused."""
    kept: float
    """Share of the examples in scope that reach it."""
    refused: float | None
    """Share of the examples out of scope that stay below it; None when there were none."""
    in_scope: int
    """Examples in scope."""
    out_of_scope: int
    """Examples out of scope."""


def calibrated(in_scope: Sequence[float], out_of_scope: Sequence[float], *, keep: float) -> Calibration:
    """Choose the cut that tells the two apart best while it keeps at least `keep` of `in_scope`.

    Without `out_of_scope` it lies just below the lowest score that has to be kept.

    Raises:
        ConfigurationError: There is no example in scope, or `keep` is no share.
    """
    if not in_scope:
        raise ConfigurationError("calibrate() needs examples in scope: at least one, better fifty")
    if not 0 < keep <= 1:
        raise ConfigurationError(f"keep is {keep}: a share above 0 and up to 1")
    wanted, others = sorted(in_scope), sorted(out_of_scope)
    may_lose = math.floor((1 - keep) * len(wanted) + 1e-9)
    highest = wanted[may_lose]
    if not others:
        return Calibration(highest, _share(wanted, highest), None, len(wanted), 0)
    best = (-1.0, 0.0, highest)
    values = sorted({*wanted, *others})
    for below, value in zip([values[0] - 1e-9, *values], values, strict=False):
        if value > highest:
            break
        gain = _share(wanted, value) + 1 - _share(others, value)
        # Between two equally good places, the one in the wider gap will hold for new questions.
        best = max(best, (round(gain, 9), value - below, (value + below) / 2))
    cut = best[2]
    return Calibration(cut, _share(wanted, cut), 1 - _share(others, cut), len(wanted), len(others))


def _share(values: Sequence[float], cut: float) -> float:
    return sum(value >= cut for value in values) / len(values)


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Give the cosine of two vectors; 0.0 when one has no length.

    Raises:
        GuardError: Their sizes differ.
    """
    if len(a) != len(b):
        raise GuardError(f"embeddings of {len(a)} and {len(b)} dimensions cannot be compared")
    length = math.sqrt(math.fsum(x * x for x in a) * math.fsum(x * x for x in b))
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / length if length else 0.0


def finite(value: object, *, of: str) -> float:
    """Give a score as a number, or refuse it.

    Raises:
        GuardError: It is not finite.
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise GuardError(f"{of} gave something that is no finite number; nothing was let through")
    return number

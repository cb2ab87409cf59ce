"""`Threshold`: what one metric must reach."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from langchain_prodkit.errors import ConfigurationError

__all__ = ["Threshold"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """What one metric must reach, whatever it was before.

    With `on="ci_low"` it passes when the whole 95 % interval of the mean is on the right side of the bound,
    fails when the mean is on the wrong side, and is inconclusive in between. With `on="mean"` only the mean
    counts, so that chance decides near the bound.

    Raises:
        ConfigurationError: There is no bound, or the bounds exclude each other.
    """

    min: float | None = None
    """The mean must not be lower."""
    max: float | None = None
    """The mean must not be higher."""
    on: Literal["ci_low", "mean"] = "ci_low"
    """What must clear the bound: the end of the interval that is nearer to it, or the mean."""

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.min, self.max) if bound is not None]
        if not bounds or not all(map(math.isfinite, bounds)) or bounds != sorted(bounds):
            msg = "a threshold needs min=, max= or both as finite numbers, and min must not exceed max"
            raise ConfigurationError(msg)
        if self.on not in {"ci_low", "mean"}:
            msg = 'on= of a threshold is "ci_low" or "mean"'
            raise ConfigurationError(msg)

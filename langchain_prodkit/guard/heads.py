"""A classifier's two heads: from raw output to a score, where 0.5 is the balanced cut for any length.

The highest of many windows is higher by chance alone: a long harmless text would be flagged where a
short one is not. So the cut rises with the number of windows, and the score says how far above or
below it the highest window lies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from langchain_prodkit.guard.verdict import Source

__all__ = ["HEADS", "HeadCalibration", "heads_of"]

HEADS: Final = ("user", "document")
"""What a classifier is asked: is it an attack by a user, is it an instruction inside a document."""

_HEADS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "user": ("user",),
    "document": ("document",),
    "tool": ("document",),
    "auto": HEADS,
}


@dataclass(frozen=True, slots=True)
class HeadCalibration:
    """How one head's highest logit over `n` windows becomes a score.

    score = sigmoid(slope * (logit - cut - rise * ln(n))), never decreasing in the logit.
    """

    cut: float
    """The logit that 1 % of harmless texts of one window reach."""
    rise: float = 0.0
    """How much that logit grows each time the number of windows grows by the factor e."""
    slope: float = 1.0
    """How fast scores leave 0.5."""
    auto_cut: float | None = None
    """`cut` where both heads judge, which raises more false alarms than one; None for the same."""
    auto_rise: float | None = None
    """`rise` where both heads judge: from a higher cut less is left to rise; None for the same."""

    def __post_init__(self) -> None:
        """Refuse what would turn scores around or make them NaN."""
        numbers = (self.cut, self.rise, self.slope, self.auto_cut or 0.0, self.auto_rise or 0.0)
        if not all(map(math.isfinite, numbers)) or self.slope <= 0 or min(self.rise, numbers[-1]) < 0:
            raise ValueError("a calibration needs finite numbers, slope above 0 and rise from 0 up")

    def score(self, logit: float, windows: int = 1, *, source: Source = "user") -> float:
        """Turn the highest logit of `windows` windows into a score 0..1."""
        cut, rise = self.cut, self.rise
        if source == "auto":
            cut = cut if self.auto_cut is None else self.auto_cut
            rise = rise if self.auto_rise is None else self.auto_rise
        z = self.slope * (logit - cut - rise * math.log(max(windows, 1)))
        if z >= 0:
            return 1.0 / (1.0 + math.exp(-min(z, 700.0)))
        e = math.exp(max(z, -700.0))
        return e / (1.0 + e)

    @classmethod
    def from_card(cls, data: Mapping[str, Any]) -> HeadCalibration:
        """Read it from a model card; other keys are for people."""
        auto = [None if data.get(name) is None else float(data[name]) for name in ("auto_cut", "auto_rise")]
        return cls(
            float(data["cut"]), float(data.get("rise", 0.0)), float(data.get("slope", 1.0)), auto[0], auto[1]
        )


def heads_of(source: Source) -> tuple[str, ...]:
    """Say which heads judge a source; tool results are documents, `auto` takes the higher of both."""
    return _HEADS_OF[source]

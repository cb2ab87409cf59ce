"""How much may go now: a level that rises all the time.

Nothing here reads a clock, sleeps or locks: every method takes `now_s`, seconds of a clock of which
going back counts as standing still.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

__all__ = ["BURST_S", "Bucket", "Cost"]

BURST_S: Final = 0.5
"""How much may go at once, in seconds of the rate, when nothing is learned.

A provider's own bucket is unknown and may be as small as one second's worth ("600 a minute" enforced
as 10 a second); bursting a whole minute into such a one is what draws refusals. The other half of
that second absorbs how unevenly requests arrive: a busy event loop holds them up and then sends them
together.
"""
# Floating point: who waited exactly as long as needed must not find an epsilon missing.
_EPSILON: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call takes off the limit."""

    requests: int = 1
    tokens: int = 0
    """Prompt and answer together."""


class Bucket:
    """A level that rises by `per_minute / 60` a second up to `capacity`; starts full.

    The level may go below zero: by a debt (`take` of more than there is) that later refills pay.
    """

    __slots__ = ("_at_s", "_bound", "_ceiling", "_level", "capacity", "flow", "given", "per_minute", "rate")

    def __init__(
        self,
        per_minute: float,
        *,
        burst_s: float = BURST_S,
        level: float | None = None,
        is_bound: bool = False,
    ) -> None:
        """Hold `burst_s` seconds' worth, but never less than one; `level` None starts full.

        `is_bound` keeps to a minute's worth and the rate even where `put` says that there is more.
        """
        self.per_minute = per_minute
        self.rate = per_minute / 60.0
        self.capacity = max(1.0, self.rate * burst_s)
        self._ceiling = self.capacity
        self._level = self.capacity if level is None else level
        self._at_s = -math.inf
        self._bound = max(1.0, per_minute) if is_bound else math.inf
        self.flow = 0.0
        """What came in less what was taken, since the start: differences of it date a level."""
        self.given = 0.0
        """What was given back by answers that used less than reserved, since the start."""

    def level(self, now_s: float) -> float:
        """Say what can be taken now; negative while a debt is open."""
        if now_s > self._at_s:
            if self._at_s != -math.inf:
                came = (now_s - self._at_s) * self.rate
                risen = min(self._level + came, max(self._level, self._ceiling))
                self.flow += risen - self._level
                self._level = risen
                self._bound = min(self._bound + came, max(self._bound, self.per_minute))
            self._at_s = now_s
        return min(self._level, self._bound)

    def save_for(self, amount: float, now_s: float) -> None:
        """Let the level rise to `amount`, when that is over the capacity; 0 ends the saving."""
        self.level(now_s)
        self._ceiling = max(self.capacity, amount)
        self._shift(min(self._level, self._ceiling))

    def wait_s(self, amount: float, now_s: float) -> float:
        """Say how long until `amount` is there: 0.0 for now."""
        missing = amount - self.level(now_s)
        return missing / self.rate if missing > _EPSILON else 0.0

    def take(self, amount: float, now_s: float) -> None:
        """Lower the level; a negative `amount` gives back, never past what the bucket holds."""
        self.level(now_s)
        self._shift(min(self._ceiling, self._level - amount))
        if self._bound != math.inf:
            self._bound = min(max(self.per_minute, self._bound), self._bound - amount)

    def give(self, amount: float, now_s: float, *, is_believed: bool) -> None:
        """Note what a call did not use; the level rises only where the provider gives it back too."""
        self.level(now_s)
        self.given += amount
        if is_believed:
            self._level = max(self._level, min(self._ceiling, self._level + amount))
            if self._bound != math.inf:
                self._bound = min(max(self.per_minute, self._bound), self._bound + amount)

    def drain(self, amount: float, until_s: float, now_s: float) -> None:
        """Lower the level so that at `until_s` no more than `amount` will be there."""
        self.put(min(self.level(now_s), amount - (until_s - now_s) * self.rate), now_s)

    def put(self, level: float, now_s: float) -> None:
        """Correct the level to what the provider says it is; no taking, no giving."""
        self.level(now_s)
        self._level = min(level, self._ceiling)

    def resize(self, per_minute: float, capacity: float, now_s: float) -> None:
        """Go on with another rate and another size."""
        self.level(now_s)
        self.per_minute = per_minute
        self.rate = per_minute / 60.0
        saving = self._ceiling if self._ceiling > self.capacity else 0.0
        self.capacity = max(1.0, capacity)
        self._ceiling = max(self.capacity, saving)

    def _shift(self, level: float) -> None:
        self.flow += level - self._level
        self._level = level

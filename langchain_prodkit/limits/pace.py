"""The rate of a provider that refuses without saying what its limit is.

A refusal is a moment at which its bucket was empty. What it took between two such moments is what came
in meanwhile, so the rate is known better with every refusal; between them it is raised a little, so that
there will be one when the limit is higher than it seems.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from langchain_prodkit.limits.bucket import Bucket

__all__ = ["Pace"]

_LOOKBACK_S: Final = 60.0
_SURE_S: Final = 1.0
_SURE_TURNS: Final = 6
_OFTEN: Final = 2
_SLOW_GROWTH: Final = 0.05
_FAST_GROWTH: Final = 1.0
_LEAST_PER_MINUTE: Final = 1.0


class Pace:
    """Lowers a bucket's rate on refusals, and lets it recover up to what was told."""

    def __init__(self, most_per_minute: float) -> None:
        """Never go above `most_per_minute`, which may be infinite."""
        self._most = most_per_minute
        self._taken = 0.0
        self._turns = 0
        self._empty: deque[tuple[float, float, int]] = deque()
        self._is_sure = False
        self._at_s = -math.inf
        self._is_lowered = False

    def took(self, amount: float) -> None:
        """Count what a turn took, or (below 0) what the provider refused of it."""
        self._taken += amount
        self._turns += 1 if amount > 0 else -1

    def refused(self, bucket: Bucket, times: int, now_s: float) -> bool:
        """Set the rate after a refusal, the `times`-th without an answer; tells whether it changed."""
        while self._empty and self._empty[0][0] < now_s - _LOOKBACK_S:
            self._empty.popleft()
        is_first = not self._empty
        per_minute = bucket.per_minute
        if self._empty:
            since_s, taken, turns = self._empty[0]
            if now_s - since_s >= _SURE_S and self._turns - turns >= _SURE_TURNS:
                per_minute = (self._taken - taken) / (now_s - since_s) * 60.0
                self._is_sure = True
        if (times > _OFTEN and not self._is_sure) or (is_first and math.isinf(self._most)):
            per_minute = bucket.per_minute / 2.0
        if not self._is_sure and times > 1:
            # What it took before this one it took from a level that nobody knew.
            self._empty.clear()
        self._empty.append((now_s, self._taken, self._turns))
        self._at_s = now_s
        per_minute = max(_LEAST_PER_MINUTE, min(per_minute, self._most))
        is_changed = per_minute != bucket.per_minute
        self._is_lowered |= is_changed
        if is_changed:
            bucket.resize(per_minute, per_minute / 60.0, now_s)
        return is_changed

    def recover(self, bucket: Bucket, now_s: float) -> None:
        """Raise the rate for the time without a refusal."""
        if not self._is_lowered or now_s <= self._at_s:
            return
        growth = _SLOW_GROWTH if self._is_sure else _FAST_GROWTH
        per_minute = min(self._most, bucket.per_minute * (1.0 + growth * min(1.0, now_s - self._at_s)))
        self._at_s = now_s
        bucket.resize(per_minute, per_minute / 60.0, now_s)

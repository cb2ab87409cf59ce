"""Where the provider's level stands, from what its headers said at moments that nobody knows exactly.

A header is written when a request arrives at some providers and when its answer leaves at others;
some give back the tokens that an answer did not use and some do not. Meanwhile other calls are under
way, and answers overtake one another. So four beliefs are kept side by side, one for each combination.
Each knows how far the provider's level is from what our own bookkeeping says; the right one finds the
same distance every time, the others a different one. In force is the lowest level of all that have not
been refuted.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from langchain_prodkit.limits.bucket import Bucket

__all__ = ["Gauge", "Stand"]

# A header may count a call that was still on its way to the provider: of some headers in a row the
# lowest is the true one.
_REMEMBERED: Final = 3
_FORGETTING: Final = 0.8
_REFUTED_FACTOR: Final = 2.0
_REFUTED_MARGIN: Final = 0.6
# "7 remaining" is anything from 7 to below 8.
_ROUNDING: Final = 1.0


class Stand(NamedTuple):
    """A bucket's counters at one moment."""

    flow: float
    given: float


class _Belief:
    __slots__ = ("at_answer", "distances", "error", "gives_back")

    def __init__(self, *, at_answer: bool, gives_back: bool) -> None:
        self.at_answer = at_answer
        self.gives_back = gives_back
        self.distances: deque[float] = deque(maxlen=_REMEMBERED)
        self.error = 0.0

    def stand(self, now: Stand, then: Stand) -> float:
        at = now if self.at_answer else then
        return at.flow + (at.given if self.gives_back else 0.0)


class Gauge:
    """Puts a bucket at the level that headers make likely."""

    def __init__(self) -> None:
        """Believe nothing yet."""
        self._beliefs = [
            _Belief(at_answer=at_answer, gives_back=gives_back)
            for gives_back in (False, True)
            for at_answer in (False, True)
        ]
        self._cost = 1.0
        self.gives_back: bool | None = None
        """Whether the provider gives back what is not used, by the belief in force."""

    def read(self, bucket: Bucket, remaining: float, then: Stand, cost: float, now_s: float) -> None:
        """Take in that `remaining` was left, some time between the turn (`then`) and now."""
        bucket.level(now_s)
        now = Stand(bucket.flow, bucket.given)
        self._cost += 0.2 * (max(1.0, cost) - self._cost)
        for belief in self._beliefs:
            found = remaining - belief.stand(now, then)
            if belief.distances:
                believed = min(belief.distances)
                off = max(0.0, found - believed, believed - found - _ROUNDING)
                belief.error = _FORGETTING * belief.error + (1.0 - _FORGETTING) * min(10.0, off / self._cost)
            belief.distances.append(found)
        self._apply(bucket, now, now_s)

    def start(self, bucket: Bucket, level: float) -> None:
        """Begin again from a level that is known."""
        now = Stand(bucket.flow, bucket.given)
        for belief in self._beliefs:
            belief.distances.clear()
            belief.distances.append(level - belief.stand(now, now))

    def _apply(self, bucket: Bucket, now: Stand, now_s: float) -> None:
        least = min(belief.error for belief in self._beliefs)
        most = least * _REFUTED_FACTOR + _REFUTED_MARGIN
        level, believed = min(
            (
                (belief.stand(now, now) + min(belief.distances), belief)
                for belief in self._beliefs
                if belief.error <= most
            ),
            key=lambda pair: pair[0],
        )
        self.gives_back = believed.gives_back
        bucket.put(level, now_s)

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
_REMEMBERED: Final = 5
_OUTLIERS: Final = 2
_FORGETTING: Final = 0.6
_REFUTED_FACTOR: Final = 2.0
_REFUTED_MARGIN: Final = 0.3
# How long a call is on its way to the provider, beside what it waits for its caller.
_TRANSIT_S: Final = 0.04
_LONGEST_TRANSIT_S: Final = 0.5
_LATE_FACTOR: Final = 2.0
# The tokens of a call are an estimate, and the provider counts some more or less.
_GUESSED_SHARE: Final = 0.02
# "7 remaining" is anything from 7 to below 8.
_ROUNDING: Final = 1.0


class Stand(NamedTuple):
    """A bucket's counters at one moment."""

    flow: float
    given: float


class _Belief:
    __slots__ = ("at_answer", "distances", "error", "gives_back", "most")

    def __init__(self, *, at_answer: bool, gives_back: bool) -> None:
        self.at_answer = at_answer
        self.gives_back = gives_back
        self.distances: deque[float] = deque(maxlen=_REMEMBERED)
        self.most = 0.0
        self.error = 0.0

    def found(self, least: float, most: float, cost: float) -> None:
        """Take in that the distance is between the two."""
        if self.distances:
            off = max(0.0, least - self.most, self.distances[-1] - most) / cost
            self.error = _FORGETTING * self.error + (1.0 - _FORGETTING) * min(10.0, off)
        self.distances.append(least)
        self.most = most

    @property
    def distance(self) -> float:
        """The greatest that the last ones allow but for one, who may be wrong."""
        ranked = sorted(self.distances)
        return min(ranked[-2] if len(ranked) > _OUTLIERS else ranked[0], self.most)

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
        self._late_s = 0.0
        self._turns: deque[tuple[float, float]] = deque()
        self.gives_back: bool | None = None
        """Whether the provider gives back what is not used, by the belief in force."""

    def read(self, bucket: Bucket, remaining: float, then: Stand, cost: float, now_s: float) -> None:
        """Take in that `remaining` was left, some time between the turn (`then`) and now."""
        bucket.level(now_s)
        now = Stand(bucket.flow, bucket.given)
        self._cost += 0.2 * (max(1.0, cost) - self._cost)
        on_its_way = self._on_its_way(now_s)
        guessed = _GUESSED_SHARE * self._cost if cost > 1.0 else 0.0
        for belief in self._beliefs:
            most = remaining + _ROUNDING - belief.stand(now, then)
            # Either some are not in it yet, or it had more time to refill than since the turn.
            unsure = on_its_way if belief.at_answer else bucket.rate * self._transit_s
            belief.found(most - _ROUNDING - unsure - guessed, most, self._cost)
        self._apply(bucket, now, now_s)

    def took(self, amount: float, now_s: float) -> None:
        """Note a turn: for a moment the provider may not know of it."""
        self._turns.append((now_s, amount))
        self._on_its_way(now_s)

    def delayed(self, late_s: float) -> None:
        """Note how long after its turn a caller made its call."""
        self._late_s = max(late_s, 0.9 * self._late_s)

    @property
    def _transit_s(self) -> float:
        return min(_LONGEST_TRANSIT_S, _TRANSIT_S + _LATE_FACTOR * self._late_s)

    def _on_its_way(self, now_s: float) -> float:
        since_s = now_s - self._transit_s
        while self._turns and self._turns[0][0] < since_s:
            self._turns.popleft()
        return sum(amount for _, amount in self._turns)

    def start(self, bucket: Bucket, level: float) -> None:
        """Begin again from a level that is known."""
        now = Stand(bucket.flow, bucket.given)
        for belief in self._beliefs:
            belief.distances.clear()
            belief.distances.append(level - belief.stand(now, now))
            belief.most = belief.distances[-1] + _ROUNDING

    def _apply(self, bucket: Bucket, now: Stand, now_s: float) -> None:
        least = min(belief.error for belief in self._beliefs)
        most = least * _REFUTED_FACTOR + _REFUTED_MARGIN
        level, believed = min(
            (
                (belief.stand(now, now) + belief.distance, belief)
                for belief in self._beliefs
                if belief.error <= most
            ),
            key=lambda pair: pair[0],
        )
        self.gives_back = believed.gives_back
        bucket.put(level, now_s)

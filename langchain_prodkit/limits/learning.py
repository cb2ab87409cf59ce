"""What answers and refusals teach: the provider's level, limit and burst.

The provider's bucket is somewhere else: how full it is, and how large, is known only from what its
headers say and from what it refuses. Until the first word of it calls go one at a time, at the rate
that was told; then the level is ridden as the provider states it, and corrected by every answer.

Numbers that were told are the most that is ever used: headers lower them, and raise them again, no
further.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from langchain_prodkit.limits.bucket import Bucket, Cost
from langchain_prodkit.limits.gauge import Gauge, Stand
from langchain_prodkit.limits.pace import Pace

if TYPE_CHECKING:
    from langchain_prodkit.limits.protocol import BucketReading, Reading
    from langchain_prodkit.limits.turnstile import Ticket, Turnstile

__all__ = ["Learning", "Mark"]

ASSUMED_BURST_S: Final = 1.0
"""What a provider that says nothing is taken to allow at once, in seconds of the rate; found out little
by little, one call more than the rate for each answer."""
_VENTURE_S: Final = 0.02
# With no limits known, calls go as fast as a processor sends them until the provider has spoken: a
# refusal comes at once, an answer takes its time.
_FIRST_CALLS: Final = 64
_FIRST_GAP_S: Final = 0.001
_NEXT_GAP_S: Final = 0.005
_KINDS: Final = ("requests", "tokens")
_REMEMBERED_SIZES: Final = 5
# How far over the limit remaining and reset may add up, by rounding.
_TOLERANCE: Final = 1.05
_MINUTE_S: Final = 60.0


class Mark(NamedTuple):
    """Where everything stood when a call had its turn."""

    number: int
    """How many had theirs before."""
    epoch: int
    """How many times the provider had refused by then."""
    requests: Stand
    tokens: Stand


class Learning:
    """Corrects the buckets of one turnstile; attach it right after both are made."""

    def __init__(self, *, headroom: float = 0.0, is_careful: bool = True) -> None:
        """Leave `headroom` of what the provider states; `is_careful` starts with a single call."""
        self._share = 1.0 - headroom
        self._is_careful = is_careful
        self._turnstile: Turnstile
        self._told: dict[str, float | None] = {}
        self._gauges: dict[str, Gauge] = {}
        self._sizes: dict[str, deque[float]] = {}
        self._paces: dict[str, Pace] = {}
        self._taken = dict.fromkeys(_KINDS, 0)
        self._ventured = dict.fromkeys(_KINDS, 0.0)
        self._venture_from = 0
        self._epoch = 0
        self._again = 0
        self._is_open = False
        self._first_s = -math.inf
        self.is_changed = False
        """Whether a limit in force is another one than was told."""

    def attach(self, turnstile: Turnstile) -> None:
        """Take over the buckets, which hold what the user told; None is not told."""
        self._turnstile = turnstile
        for kind in _KINDS:
            bucket = self._bucket(kind)
            self._told[kind] = bucket.per_minute if bucket is not None else None
        self._is_open = any(self._told.values())

    @property
    def gives_back(self) -> bool | None:
        """Whether the provider gives back unused tokens; None while nobody knows."""
        gauge = self._gauges.get("tokens")
        return gauge.gives_back if gauge is not None else None

    def wait_s(self, now_s: float) -> float | None:
        """Say how long the careful start with no limits known makes callers wait; None: it is over."""
        if self._turnstile.granted == 0 and self._is_careful:
            return 0.0
        if self._is_open:
            return None
        sent = self._turnstile.granted
        gap_s = _FIRST_GAP_S * min(sent, _FIRST_CALLS) + _NEXT_GAP_S * max(0, sent - _FIRST_CALLS)
        return max(0.0, self._first_s + gap_s - now_s)

    def before(self, cost: Cost, now_s: float) -> None:
        """Prepare a turn: there is room for the first one, whatever it costs."""
        if self._turnstile.granted == 0 and self._is_careful:
            self._first_s = now_s
            for kind in _KINDS:
                bucket = self._bucket(kind)
                if bucket is not None:
                    bucket.put(max(bucket.level(now_s), _amount(cost, kind)), now_s)

    def granted(self, ticket: Ticket, now_s: float) -> None:
        """Note where the buckets stand after a turn."""
        for kind in _KINDS:
            self._taken[kind] += _amount(ticket.cost, kind)
        ticket.mark = Mark(
            self._turnstile.granted, self._epoch, self._stand("requests", now_s), self._stand("tokens", now_s)
        )
        for kind, pace in self._paces.items():
            bucket = self._bucket(kind)
            if bucket is not None:
                pace.took(_amount(ticket.cost, kind))
                pace.recover(bucket, now_s)
        for kind, gauge in self._gauges.items():
            gauge.took(_amount(ticket.cost, kind), now_s)

    def taken_up(self, late_s: float) -> None:
        """Note how long after its turn a caller made its call."""
        for gauge in self._gauges.values():
            gauge.delayed(late_s)

    def admitted(self, ticket: Ticket, reading: Reading | None, now_s: float) -> None:
        """Learn from a call that the provider took."""
        self._is_open = True
        mark = ticket.mark
        if mark is None:
            return
        is_fresh = mark.epoch == self._epoch
        if is_fresh:
            self._again = 0
        if reading is None:
            if not self._gauges and not self._epoch and self._is_careful:
                self._venture(ticket.cost, mark, now_s)
            return
        for kind in _KINDS:
            said: BucketReading | None = getattr(reading, kind)
            if said is None:
                continue
            bucket = self._limit(kind, said, now_s)
            if bucket is None or said.remaining is None:
                continue
            gauge = self._gauges.setdefault(kind, Gauge())
            # What was sent before a refusal stood in another line.
            if is_fresh:
                stand = mark.requests if kind == "requests" else mark.tokens
                gauge.read(bucket, said.remaining, stand, _amount(ticket.cost, kind), now_s)
            self._resize(kind, bucket, said, now_s)

    def refused(self, ticket: Ticket, hold_s: float | None, reading: Reading | None, now_s: float) -> bool:
        """Learn from a refusal; tells whether the buckets now know when the next one may go."""
        mark = ticket.mark
        is_new = mark is None or mark.epoch == self._epoch
        self._epoch += 1
        self._is_open = True
        if is_new:
            self._again += 1
        known = False
        for kind in _KINDS:
            said: BucketReading | None = getattr(reading, kind) if reading is not None else None
            pace = self._paces.get(kind)
            if pace is not None:
                pace.took(-_amount(ticket.cost, kind))
            if said is None:
                continue
            bucket = self._limit(kind, said, now_s)
            if bucket is None or said.remaining is None:
                continue
            self._resize(kind, bucket, said, now_s)
            amount = _amount(ticket.cost, kind)
            level = said.remaining
            if level < amount:
                known = True
                exact = amount - (hold_s or 0.0) * bucket.rate
                if hold_s is not None and level <= exact < level + 1.0:
                    level = exact
                level -= self._owed(amount)
            bucket.put(min(bucket.level(now_s), level) if is_new or level < amount else level, now_s)
            self._gauges.setdefault(kind, Gauge()).start(bucket, level)
        if known:
            return True
        return self._refused_bare(ticket.cost, hold_s, is_new=is_new, now_s=now_s)

    def _refused_bare(self, cost: Cost, hold_s: float | None, *, is_new: bool, now_s: float) -> bool:
        """Learn from a refusal that says nothing but, at most, for how long."""
        turnstile = self._turnstile
        kinds = [kind for kind in _KINDS if self._bucket(kind) is not None]
        if not kinds:
            elapsed_s = max(0.05, now_s - self._first_s)
            per_minute = max(1.0, (turnstile.granted / elapsed_s) * _MINUTE_S)
            turnstile.requests = Bucket(per_minute, burst_s=ASSUMED_BURST_S, level=0.0)
            self._paces["requests"] = Pace(math.inf)
            kinds = ["requests"]
        # Of two it is the one with less to spare.
        kind = min(kinds, key=lambda one: self._spare_s(one, cost, now_s))
        bucket = self._bucket(kind)
        if bucket is None:
            return False
        amount = _amount(cost, kind)
        pace = self._paces.setdefault(kind, Pace(self._told[kind] or math.inf))
        if is_new:
            self.is_changed |= pace.refused(bucket, self._again, now_s)
        if hold_s is not None:
            return False
        # It was below the cost.
        bucket.put(min(bucket.level(now_s), -self._owed(amount)), now_s)
        return True

    def _owed(self, amount: float) -> float:
        """Say what to add to what is missing: refusals in a row may each have cost something too."""
        return amount * 2.0 ** min(6, self._again - 2) if self._again > 1 else 0.0

    def _limit(self, kind: str, said: BucketReading, now_s: float) -> Bucket | None:
        """Put the stated limit in force, where it is lower than what was told or nothing was."""
        bucket, told = self._bucket(kind), self._told[kind]
        stated = said.per_minute * self._share if said.per_minute else None
        if bucket is None:
            if stated is None:
                return None
            bucket = Bucket(stated, burst_s=ASSUMED_BURST_S, level=0.0, is_bound=True)
            bucket.level(now_s)
            # What has gone already is on its way, or in what the provider says.
            bucket.flow = float(-self._taken[kind])
            setattr(self._turnstile, kind, bucket)
            self.is_changed = True
            return bucket
        if stated is not None and kind not in self._paces:
            in_force = stated if told is None else min(told, stated)
            if in_force != bucket.per_minute:
                bucket.resize(in_force, bucket.capacity * in_force / bucket.per_minute, now_s)
                self.is_changed = in_force != told
        return bucket

    def _resize(self, kind: str, bucket: Bucket, said: BucketReading, now_s: float) -> None:
        """Learn how much the provider's bucket holds: what is left, and what comes until it is full."""
        if said.remaining is None:
            return
        size = said.remaining
        if said.reset_s is not None:
            # Rounded up to seconds, where it is told in seconds.
            is_coarse = said.reset_s >= 1.0 and said.reset_s == math.floor(said.reset_s)
            whole = size + max(0.0, said.reset_s - is_coarse) * bucket.rate / self._share
            limit = said.per_minute or bucket.per_minute
            # More than a minute's worth is the end of a fixed window, or of a longer one.
            if whole <= limit * _TOLERANCE + 1.0:
                size = whole
        sizes = self._sizes.setdefault(kind, deque(maxlen=_REMEMBERED_SIZES))
        sizes.append(size)
        bucket.resize(bucket.per_minute, max(sizes), now_s)

    def _venture(self, cost: Cost, mark: Mark, now_s: float) -> None:
        """Allow a little more than the rate: the provider took what was sent, and says no limits."""
        if mark.number < self._venture_from:
            return
        self._venture_from = self._turnstile.granted + 1
        for kind in _KINDS:
            bucket = self._bucket(kind)
            if bucket is not None:
                more = max(float(_amount(cost, kind)), bucket.rate * _VENTURE_S)
                more = min(more, bucket.rate * ASSUMED_BURST_S - self._ventured[kind])
                if more > 0.0:
                    self._ventured[kind] += more
                    bucket.put(bucket.level(now_s) + more, now_s)

    def _bucket(self, kind: str) -> Bucket | None:
        return self._turnstile.requests if kind == "requests" else self._turnstile.tokens

    def _stand(self, kind: str, now_s: float) -> Stand:
        bucket = self._bucket(kind)
        if bucket is None:
            return Stand(float(-self._taken[kind]), 0.0)
        bucket.level(now_s)
        return Stand(bucket.flow, bucket.given)

    def _spare_s(self, kind: str, cost: Cost, now_s: float) -> float:
        bucket = self._bucket(kind)
        return math.inf if bucket is None else (bucket.level(now_s) - _amount(cost, kind)) / bucket.rate


def _amount(cost: Cost, kind: str) -> int:
    return cost.requests if kind == "requests" else cost.tokens

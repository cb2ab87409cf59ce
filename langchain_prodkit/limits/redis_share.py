"""A process's own part of a shared limit, for as long as the shared one cannot be reached."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final, final

from langchain_prodkit.limits.redis_script import BUCKETS, Answer, Level

if TYPE_CHECKING:
    from langchain_prodkit.limits.bucket import Cost
    from langchain_prodkit.limits.protocol import Reading
    from langchain_prodkit.limits.redis_script import Ask, Limits

__all__ = ["Share"]

_RECOVERY_S: Final = 4.0
_SLOWEST: Final = 1.0 / 64.0
_NUMBERS: Final = itertools.count()


@final
class _Part:
    """One bucket's part: a level that rises up to `capacity`, and falls below zero by bookings."""

    __slots__ = ("capacity", "level", "rate", "taken")

    def __init__(self, rate: float, capacity: float, level: float) -> None:
        self.rate = rate
        # Even a small part of the burst lets one request go.
        self.capacity = max(1.0, capacity)
        self.level = min(level, self.capacity)
        self.taken = 0.0


@final
class Share:
    """Does what the script does, with a fixed part of its rates and the clock of this process."""

    def __init__(self, limits: Limits, last: Answer | None, part: float, now_s: float) -> None:
        """Take `part` (0..1) of what `last` said, or of `limits` if nobody ever answered.

        Starts empty after an answer: what the others are about to use is theirs.
        """
        self.epoch = f"own{next(_NUMBERS)}"
        self._part = part
        self._told = limits.rates()
        self._headroom = limits.headroom
        self._burst_s = limits.assumed_burst_s
        self._at_s = now_s
        self._pace = 1.0
        self._shifted_s = 0.0
        self._refusals = 0
        self.hold_until_s = now_s
        self._parts: dict[str, _Part] = {}
        if last is None:
            for name, rate in self._told.items():
                self._limit(name, rate, level=float("inf"))
        else:
            self.hold_until_s += last.held_s
            self._pace = min(1.0, last.pace)
            for name, bucket in last.buckets.items():
                if bucket.rate is not None:
                    self._limit(name, bucket.rate, level=0.0)

    def trip(self, ask: Ask, now_s: float) -> Answer:
        """Answer as the server would."""
        self._pass(now_s)
        if ask.epoch == self.epoch:
            self._give("requests", ask.given_requests)
            self._give("tokens", ask.given_tokens + ask.unused_tokens - ask.over_tokens)
        for note in ask.notes:
            self._learn(note.reading)
        if ask.refusal is not None:
            self._refusals += ask.refusal.count
            self._hold(ask.refusal.until_s, ask.refusal.cost, now_s)
            if ask.refusal.bare_at_s is not None:
                self._pace = max(_SLOWEST, self._pace / 2)
                for part in self._parts.values():
                    part.level = min(part.level, 0.0)
        waits, ahead_s = self._book(ask, now_s)
        return Answer(
            epoch=self.epoch,
            now=now_s,
            held_s=max(0.0, self.hold_until_s - now_s),
            shifted_s=self._shifted_s,
            paid_s=self._wait_s(None, now_s),
            pace=self._pace,
            processes=1,
            refusals=self._refusals,
            buckets={
                name: Level(level=part.level, taken=part.taken, rate=part.rate, capacity=part.capacity)
                for name, part in self._parts.items()
            },
            ahead_s=ahead_s,
            waits=tuple(waits),
        )

    def _limit(self, name: str, rate: float, *, level: float) -> None:
        rate *= self._part
        self._parts[name] = _Part(rate, rate * self._burst_s, level)

    def _pass(self, now_s: float) -> None:
        passed_s = max(0.0, now_s - self._at_s)
        self._at_s = now_s
        self._pace = min(1.0, self._pace + passed_s / _RECOVERY_S)
        for part in self._parts.values():
            part.level = min(part.capacity, part.level + passed_s * part.rate * self._pace)

    def _give(self, name: str, amount: float) -> None:
        if part := self._parts.get(name):
            part.level = min(part.capacity, part.level + amount)

    def _learn(self, reading: Reading) -> None:
        for name in BUCKETS:
            seen = getattr(reading, name)
            if seen is None:
                continue
            if seen.per_minute:
                rate = seen.per_minute * (1.0 - self._headroom) / 60.0
                rate = min(rate, self._told.get(name, rate))
                if name not in self._parts:
                    self._limit(name, rate, level=0.0)
                self._parts[name].rate = rate * self._part
            if name in self._parts and seen.remaining is not None:
                self._parts[name].level = min(self._parts[name].level, seen.remaining)

    def _hold(self, until_s: float | None, cost: Cost, now_s: float) -> None:
        if until_s is None:
            return
        held_s = max(now_s, self.hold_until_s)
        longer_s = max(0.0, until_s - held_s)
        self.hold_until_s = max(self.hold_until_s, until_s)
        self._shifted_s += longer_s
        for name, part in self._parts.items():
            drained = getattr(cost, name) - max(0.0, until_s - now_s) * part.rate
            part.level = min(part.level - longer_s * part.rate, drained)

    def _book(self, ask: Ask, now_s: float) -> tuple[list[float], float]:
        waits: list[float] = []
        is_first = ask.is_first
        for cost, within_s in ask.items:
            costs = {name: float(getattr(cost, name)) for name in BUCKETS}
            wait_s = self._wait_s(costs, now_s)
            if within_s is not None and wait_s > within_s:
                waits.append(-1.0)
                continue
            if wait_s > ask.horizon_s and not is_first:
                return waits, wait_s - ask.horizon_s
            for name, part in self._parts.items():
                part.level -= costs[name]
                part.taken += costs[name]
            waits.append(wait_s)
            is_first = False
        return waits, 0.0

    def _wait_s(self, costs: dict[str, float] | None, now_s: float) -> float:
        wait_s = max(0.0, self.hold_until_s - now_s)
        for name, part in self._parts.items():
            if costs is None or costs[name] > 0.0:
                missing = (costs[name] if costs else 0.0) - part.level
                wait_s = max(wait_s, missing / (part.rate * self._pace))
        return wait_s

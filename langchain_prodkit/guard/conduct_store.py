"""Where conduct is kept: the protocol of a store, and one in the memory of the process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

from pydantic import ConfigDict, Field, PrivateAttr

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.guard.conduct_record import Baseline, Conduct, Look, Record, Rules

__all__ = ["ConductStore", "MemoryConductStore"]

_SWEEP: Final = 4


@runtime_checkable
class ConductStore(Protocol):
    """Keeps conduct by user; every method is one atomic step. Users arrive as hashes, queries as looks.

    Raises `ConductStoreError` when it cannot be reached.
    """

    def observe(self, user: str, look: Look, rules: Rules) -> Conduct:
        """Count one query; a barred user's changes nothing."""
        ...

    async def aobserve(self, user: str, look: Look, rules: Rules) -> Conduct:
        """Count one query without blocking the event loop."""
        ...

    def strike(self, user: str, strikes: int, rules: Rules) -> Conduct:
        """Add strikes; a barred user gets none."""
        ...

    async def astrike(self, user: str, strikes: int, rules: Rules) -> Conduct:
        """Add strikes without blocking the event loop."""
        ...

    def ban(self, user: str, seconds: float | None, rules: Rules) -> Conduct:
        """Ban for so many seconds; None for good."""
        ...

    async def aban(self, user: str, seconds: float | None, rules: Rules) -> Conduct:
        """Ban without blocking the event loop."""
        ...

    def pardon(self, user: str, rules: Rules) -> Conduct:
        """Forget everything about a user."""
        ...

    async def apardon(self, user: str, rules: Rules) -> Conduct:
        """Forget everything about a user without blocking the event loop."""
        ...


class MemoryConductStore(Rebuilt):
    """Keeps conduct in the memory of this process; other processes know nothing of it.

    At most `max_users` are remembered, the ones seen last; barred users are kept apart, so that nobody
    washes a bar away with a flood of new names. A copy starts empty.
    """

    max_users: int = Field(default=100_000, ge=1)
    """Users remembered, and barred users besides; about 2 KB each."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _users: OrderedDict[str, tuple[float, Record]] = PrivateAttr(default_factory=OrderedDict)
    _barred: OrderedDict[str, Record] = PrivateAttr(default_factory=OrderedDict)
    _baseline: Baseline = PrivateAttr(default_factory=Baseline)
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _clock: Callable[[], float] = PrivateAttr(default=time.monotonic)

    def observe(self, user: str, look: Look, rules: Rules) -> Conduct:
        """Count one query; a barred user's changes nothing."""
        return self._do(user, rules, lambda record, now_s: record.observe(look, self._baseline, now_s, rules))

    async def aobserve(self, user: str, look: Look, rules: Rules) -> Conduct:
        """Count one query; memory needs no waiting."""
        return self.observe(user, look, rules)

    def strike(self, user: str, strikes: int, rules: Rules) -> Conduct:
        """Add strikes; a barred user gets none."""
        return self._do(user, rules, lambda record, now_s: record.strike(strikes, now_s, rules))

    async def astrike(self, user: str, strikes: int, rules: Rules) -> Conduct:
        """Add strikes; memory needs no waiting."""
        return self.strike(user, strikes, rules)

    def ban(self, user: str, seconds: float | None, rules: Rules) -> Conduct:
        """Ban for so many seconds; None for good."""

        def bar(record: Record, now_s: float) -> Conduct:
            record.bar("ban", seconds, now_s)
            return record.conduct(now_s)

        return self._do(user, rules, bar)

    async def aban(self, user: str, seconds: float | None, rules: Rules) -> Conduct:
        """Ban; memory needs no waiting."""
        return self.ban(user, seconds, rules)

    def pardon(self, user: str, rules: Rules) -> Conduct:  # noqa: ARG002 - the protocol's
        """Forget everything about a user."""
        with self._lock:
            self._users.pop(user, None)
            self._barred.pop(user, None)
        return Conduct()

    async def apardon(self, user: str, rules: Rules) -> Conduct:
        """Forget everything about a user; memory needs no waiting."""
        return self.pardon(user, rules)

    def __len__(self) -> int:
        """Count the users remembered, barred ones included."""
        with self._lock:
            return len(self._users) + len(self._barred)

    def _do(self, user: str, rules: Rules, act: Callable[[Record, float], Conduct]) -> Conduct:
        with self._lock:
            now_s = self._clock()
            record = self._barred.pop(user, None) or self._users.pop(user, (0.0, Record()))[1]
            conduct = act(record, now_s)
            if record.barred:
                self._barred[user] = record
            else:
                self._users[user] = (now_s, record)
            self._sweep(now_s, rules)
            return conduct

    def _sweep(self, now_s: float, rules: Rules) -> None:
        """Drop a few whose time is over, then whoever is too many."""
        for _ in range(_SWEEP):
            oldest = next(iter(self._users.items()), None)
            if oldest is None or now_s - oldest[1][0] < rules.forget_s:
                break
            del self._users[oldest[0]]
        for _ in range(_SWEEP):
            first = next(iter(self._barred.items()), None)
            if first is None or now_s < first[1].until_s:
                break
            self._users[first[0]] = (now_s, self._barred.pop(first[0]))  # its strikes still count
        while len(self._users) > self.max_users:
            self._users.popitem(last=False)
        while len(self._barred) > self.max_users:
            self._barred.popitem(last=False)

"""Those of one process who wait for a shared limit, in order."""

from __future__ import annotations

import heapq
import itertools
import math
import os
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, final

from langchain_prodkit.limits.redis_script import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_prodkit.limits.bucket import Cost
    from langchain_prodkit.limits.protocol import Reading
    from langchain_prodkit.limits.redis_script import Answer

__all__ = ["Line", "Stamp", "Ticket", "stamps"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """How the shared counts stood when a ticket was booked."""

    epoch: str
    offset_s: float
    """What the clock of whoever booked it shows more than ours."""
    taken: dict[str, float] = field(default_factory=dict)
    back: dict[str, float] = field(default_factory=dict)
    unsent: dict[str, float] = field(default_factory=dict)
    """What of `taken` may reach the provider later than the ticket itself."""


@final
class Ticket:
    """One caller's place: in the line, then booked, then gone."""

    __slots__ = (
        "cost", "error", "expires_s", "granted_s", "is_first", "is_try", "pid", "priority", "reading",
        "stamp", "state", "turn_s", "wake",
    )  # fmt: skip

    def __init__(
        self, cost: Cost, priority: int, expires_s: float | None, *, is_try: bool, is_first: bool
    ) -> None:
        self.cost = cost
        self.priority = priority
        self.expires_s = expires_s
        self.is_try = is_try
        """Whether its caller goes now or not at all."""
        self.is_first = is_first
        """Whether it stands at the head of its priority, instead of the end."""
        self.pid = os.getpid()
        """The process it belongs to."""
        self.state: Literal["waiting", "booked", "granted", "expired", "failed", "done"] = "waiting"
        self.error: BaseException | None = None
        """Why it failed."""
        self.turn_s = math.inf
        """When it may go; known once it is booked."""
        self.granted_s = math.inf
        self.stamp: Stamp | None = None
        self.reading: Reading | None = None
        """What the provider's answer said of its limits."""
        self.wake: Callable[[], Any] | None = None
        """How its caller is told that the state has changed."""

    def left_s(self, now_s: float) -> float | None:
        """Say how long its caller still waits; None for as long as it takes."""
        if self.is_try:
            return 0.0
        return None if self.expires_s is None else max(0.0, self.expires_s - now_s)


def stamps(booked: Sequence[Ticket], answer: Answer, now_s: float) -> list[Stamp]:
    """Work out how the counts stood after each of the bookings that `answer` made."""
    # The counts in the answer are those after the last one.
    taken = {name: answer.bucket(name).taken for name in BUCKETS}
    back = {name: answer.bucket(name).back for name in BUCKETS}
    unsent = dict(answer.open)
    for ticket in booked:
        for name in BUCKETS:
            taken[name] -= getattr(ticket.cost, name)
    made: list[Stamp] = []
    for ticket in booked:
        for name in BUCKETS:
            taken[name] += getattr(ticket.cost, name)
        made.append(Stamp(answer.epoch, answer.now - now_s, dict(taken), back, dict(unsent)))
        for name in BUCKETS:
            unsent[name] += getattr(ticket.cost, name)
    return made


@final
class Line:
    """Waiting tickets: higher priorities first, equal ones in order of arrival."""

    __slots__ = ("_deadlines", "_lines", "_numbers", "_size")

    def __init__(self) -> None:
        self._lines: dict[int, OrderedDict[Ticket, None]] = {}
        self._deadlines: list[tuple[float, int, Ticket]] = []
        self._numbers = itertools.count()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Ticket]:
        for line in self._lines.values():
            yield from line

    def join(self, ticket: Ticket) -> None:
        """Put `ticket` in its place."""
        if ticket.priority not in self._lines:
            self._lines[ticket.priority] = OrderedDict()
            self._lines = dict(sorted(self._lines.items(), reverse=True))
        self._lines[ticket.priority][ticket] = None
        if ticket.is_first:
            self._lines[ticket.priority].move_to_end(ticket, last=False)
        if ticket.expires_s is not None:
            heapq.heappush(self._deadlines, (ticket.expires_s, next(self._numbers), ticket))
        self._size += 1

    def leave(self, ticket: Ticket) -> None:
        """Take `ticket` out, whether it goes, is booked or gave up."""
        line = self._lines[ticket.priority]
        del line[ticket]
        if not line:
            del self._lines[ticket.priority]
        self._size -= 1

    def next_deadline_s(self) -> float:
        """Say when the first caller, in line or booked, runs out of time."""
        while self._deadlines and self._deadlines[0][2].state not in {"waiting", "booked"}:
            heapq.heappop(self._deadlines)
        # Those who left early would stay in memory for as long as they had wanted to wait.
        if len(self._deadlines) > 2 * self._size + 64:
            self._deadlines = [row for row in self._deadlines if row[2].state in {"waiting", "booked"}]
            heapq.heapify(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else math.inf

    def late(self, now_s: float) -> Iterator[Ticket]:
        """Give those who have run out of time."""
        while self.next_deadline_s() <= now_s:
            yield heapq.heappop(self._deadlines)[2]

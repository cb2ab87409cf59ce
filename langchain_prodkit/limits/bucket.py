"""The arithmetic of a limit: who may go now, who waits, and until when.

Nothing here reads a clock, sleeps or locks: every method takes `now_s`, seconds of a clock that
never goes back, and the limiter around it decides how to wait.

What is promised: in any stretch of `t` seconds, what was taken (less what was given back) is at most
`rate * t + max(burst, largest single request)`. Turns are first come, first served within a priority,
so a large request at the head of the line cannot be overtaken for ever by small ones: while it waits,
the buckets save up for it.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import RequestTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BURST_S", "Bucket", "Cost", "Ticket", "Turnstile"]

BURST_S: Final = 0.5
"""How much may go at once, in seconds of the rate.

A provider's own bucket is unknown and may be as small as one second's worth ("600 a minute" enforced
as 10 a second); bursting a whole minute into such a one is what draws refusals. The other half of
that second absorbs how unevenly requests arrive: a busy event loop holds them up and then sends them
together.
"""
WITHOUT_REFUNDS_S: Final = 60.0
"""How long nothing is given back after a refusal: maybe the provider does not give back either."""
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

    __slots__ = ("_at_s", "_ceiling", "_level", "capacity", "per_minute", "rate")

    def __init__(self, per_minute: float, *, burst_s: float = BURST_S) -> None:
        """Hold `burst_s` seconds' worth, but never less than one."""
        self.per_minute = per_minute
        self.rate = per_minute / 60.0
        self.capacity = max(1.0, self.rate * burst_s)
        self._ceiling = self.capacity
        self._level = self.capacity
        self._at_s = -math.inf

    def level(self, now_s: float) -> float:
        """Say what can be taken now; negative while a debt is open."""
        if now_s > self._at_s:
            if self._at_s != -math.inf:
                self._level = min(self._ceiling, self._level + (now_s - self._at_s) * self.rate)
            self._at_s = now_s
        return self._level

    def save_for(self, amount: float, now_s: float) -> None:
        """Let the level rise to `amount`, when that is over the capacity; 0 ends the saving."""
        self.level(now_s)
        self._ceiling = max(self.capacity, amount)
        self._level = min(self._level, self._ceiling)

    def wait_s(self, amount: float, now_s: float) -> float:
        """Say how long until `amount` is there: 0.0 for now."""
        missing = amount - self.level(now_s)
        return missing / self.rate if missing > _EPSILON else 0.0

    def take(self, amount: float, now_s: float) -> None:
        """Lower the level; a negative `amount` gives back, never past what the bucket holds."""
        self._level = min(self._ceiling, self.level(now_s) - amount)

    def drain(self, amount: float, until_s: float, now_s: float) -> None:
        """Lower the level so that at `until_s` no more than `amount` will be there."""
        self._level = min(self.level(now_s), amount - (until_s - now_s) * self.rate)


class Ticket:
    """One caller's place: in the line, then past it, then done."""

    __slots__ = ("cost", "expires_s", "granted_s", "priority", "state", "wake")

    def __init__(self, cost: Cost, priority: int, expires_s: float | None) -> None:
        """Stand at the end of the line of `priority`."""
        self.cost = cost
        self.priority = priority
        self.expires_s = expires_s
        self.granted_s = math.inf
        """When its turn came."""
        self.state = "waiting"
        """"waiting" -> "granted" -> "done", or "waiting" -> "expired" | "done"."""
        self.wake: Callable[[], Any] | None = None
        """How the limiter tells the caller that the state has changed."""


class Turnstile:
    """The line and the buckets: requests and tokens are taken both or neither."""

    def __init__(
        self, requests: Bucket | None, tokens: Bucket | None, *, max_concurrency: int | None = None
    ) -> None:
        """Guard with either bucket, both or none, and at most `max_concurrency` calls under way."""
        self.requests = requests
        self.tokens = tokens
        self.max_concurrency = max_concurrency
        self.hold_until_s = -math.inf
        self.waiting = 0
        self.in_flight = 0
        self.granted = self.refusals = 0
        self._lines: dict[int, OrderedDict[Ticket, None]] = {}
        self._deadlines: list[tuple[float, int, Ticket]] = []
        self._numbers = itertools.count()
        self._refunds_from_s = -math.inf

    def join(
        self,
        cost: Cost,
        now_s: float,
        *,
        priority: int = 0,
        timeout_s: float | None = None,
        is_first: bool = False,
    ) -> Ticket:
        """Stand in line, at its end or (`is_first`) its head; higher priorities go first.

        `advance` says who may go.

        Raises:
            RequestTooLargeError: The request is larger than what the limit allows in a whole minute.
        """
        if self.tokens is not None and cost.tokens > self.tokens.per_minute:
            raise RequestTooLargeError(tokens=cost.tokens, limit=math.floor(self.tokens.per_minute))
        expires_s = None if timeout_s is None else now_s + timeout_s
        ticket = Ticket(cost, priority, expires_s)
        if expires_s is not None:
            heapq.heappush(self._deadlines, (expires_s, next(self._numbers), ticket))
        if priority not in self._lines:
            self._lines[priority] = OrderedDict()
            self._lines = dict(sorted(self._lines.items(), reverse=True))
        self._lines[priority][ticket] = None
        if is_first:
            self._lines[priority].move_to_end(ticket, last=False)
        self.waiting += 1
        return ticket

    def advance(self, now_s: float) -> list[Ticket]:
        """Let through everybody whose turn it is; returns those granted or expired."""
        changed = []
        while (head := self._head()) is not None and self._wait_s(head, now_s) <= 0.0:
            if self.requests is not None:
                self.requests.take(head.cost.requests, now_s)
            if self.tokens is not None:
                self.tokens.take(head.cost.tokens, now_s)
            self._leave_line(head, "granted")
            head.granted_s = now_s
            self.in_flight += 1
            self.granted += 1
            changed.append(head)
        while self._deadlines and (
            self._deadlines[0][2].state != "waiting" or self._deadlines[0][0] <= now_s
        ):
            ticket = heapq.heappop(self._deadlines)[2]
            if ticket.state == "waiting":
                self._leave_line(ticket, "expired")
                changed.append(ticket)
        if changed:
            # The saving was for a head that is gone.
            self._save(self._head(), now_s)
        return changed

    def next_s(self, now_s: float) -> float | None:
        """Say when to call `advance` again; None: only once somebody joins, leaves or is done."""
        head = self._head()
        if head is None:
            return None
        wait_s = self._wait_s(head, now_s)
        times = [] if math.isinf(wait_s) else [now_s + wait_s]
        if self._deadlines:
            times.append(self._deadlines[0][0])
        return min(times, default=None)

    def settle(self, ticket: Ticket, used_tokens: int | None, now_s: float) -> None:
        """End a call that was answered: give back what it did not use, or take what it used more."""
        if not self._finish(ticket) or self.tokens is None or used_tokens is None:
            return
        over = used_tokens - ticket.cost.tokens
        if over > 0 or now_s >= self._refunds_from_s:
            self.tokens.take(over, now_s)

    def refuse(self, ticket: Ticket, hold_s: float, now_s: float) -> None:
        """End a call that the provider refused: nobody goes for `hold_s`, then one by one.

        What the refused call took stays taken. The provider knows the level better than we do: when
        the hold ends there is room for this one call and no more, so waiters do not come back as a
        herd.
        """
        if not self._finish(ticket):
            return
        self.refusals += 1
        self.hold_until_s = max(self.hold_until_s, now_s + hold_s)
        self._refunds_from_s = now_s + WITHOUT_REFUNDS_S
        if self.requests is not None:
            self.requests.drain(ticket.cost.requests, self.hold_until_s, now_s)
        if self.tokens is not None:
            self.tokens.drain(ticket.cost.tokens, self.hold_until_s, now_s)

    def cancel(self, ticket: Ticket, now_s: float) -> None:
        """Forget a caller: out of the line, or, if granted but not sent, everything given back."""
        if ticket.state == "waiting":
            self._leave_line(ticket, "done")
            self._save(self._head(), now_s)
            # A deadline left behind would keep the ticket alive for as long as it was to last.
            if len(self._deadlines) > 2 * self.waiting:
                self._deadlines = [row for row in self._deadlines if row[2].state == "waiting"]
                heapq.heapify(self._deadlines)
        elif self._finish(ticket):
            self.granted -= 1
            if self.requests is not None:
                self.requests.take(-ticket.cost.requests, now_s)
            if self.tokens is not None:
                self.tokens.take(-ticket.cost.tokens, now_s)

    def _head(self) -> Ticket | None:
        for line in self._lines.values():
            for ticket in line:
                return ticket
        return None

    def _wait_s(self, head: Ticket, now_s: float) -> float:
        if self.max_concurrency is not None and self.in_flight >= self.max_concurrency:
            return math.inf
        self._save(head, now_s)
        wait_s = self.hold_until_s - now_s
        if self.requests is not None:
            wait_s = max(wait_s, self.requests.wait_s(head.cost.requests, now_s))
        if self.tokens is not None:
            wait_s = max(wait_s, self.tokens.wait_s(head.cost.tokens, now_s))
        return wait_s

    def _save(self, head: Ticket | None, now_s: float) -> None:
        cost = head.cost if head is not None else Cost(requests=0)
        if self.requests is not None:
            self.requests.save_for(cost.requests, now_s)
        if self.tokens is not None:
            self.tokens.save_for(cost.tokens, now_s)

    def _leave_line(self, ticket: Ticket, state: str) -> None:
        line = self._lines[ticket.priority]
        del line[ticket]
        if not line:
            del self._lines[ticket.priority]
        ticket.state = state
        self.waiting -= 1

    def _finish(self, ticket: Ticket) -> bool:
        if ticket.state != "granted":
            return False
        ticket.state = "done"
        self.in_flight -= 1
        return True

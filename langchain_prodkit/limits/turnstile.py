"""Who goes now, who waits, and until when: the line before the buckets.

Nothing here reads a clock, sleeps or locks: every method takes `now_s`, seconds of a clock of which
going back counts as standing still, and the limiter around it decides how to wait.

What is promised: in any stretch of `t` seconds, what was taken (less what was given back) is at most
`rate * t + max(burst, largest single request)`. Turns are first come, first served within a priority,
so a large request at the head of the line cannot be overtaken for ever by small ones: while it waits,
the buckets save up for it. Higher priorities go first, but after `PATIENCE` turns of others one is
that of the line passed over longest.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import RequestTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.limits.bucket import Bucket, Cost
    from langchain_prodkit.limits.learning import Learning, Mark
    from langchain_prodkit.limits.protocol import Reading

__all__ = ["PATIENCE", "STAGGER_S", "Ticket", "Turnstile"]

PATIENCE: Final = 8
"""Turns of others after which a line of lower priority has one."""
WITHOUT_REFUNDS_S: Final = 60.0
"""How long nothing is given back after a refusal: maybe the provider does not give back either."""
# Without a word from the provider: longer for every refusal in a row.
_FIRST_HOLD_S: Final = 0.5
_LONGEST_HOLD_S: Final = 30.0
STAGGER_S: Final = 2.0
"""How long after a hold those who waited go one by one, at twice the rate at most."""
_STAGGER_SPEED: Final = 2.0
_STAGGER_GAP_S: Final = 0.01
_HAND_S: Final = 0.1
_GONE: Final = object()


class Ticket:
    """One caller's place: in the line, then past it, then done."""

    __slots__ = ("cost", "expires_s", "granted_s", "is_heard", "mark", "priority", "state", "wake")

    def __init__(self, cost: Cost, priority: int, expires_s: float | None) -> None:
        """Stand at the end of the line of `priority`."""
        self.cost = cost
        self.priority = priority
        self.expires_s = expires_s
        self.granted_s = math.inf
        """When its turn came."""
        self.state = "waiting"
        """"waiting" -> "granted" -> "done", or "waiting" -> "expired" | "oversize" | "done"."""
        self.wake: Callable[[], Any] | None = None
        """How the limiter tells the caller that the state has changed."""
        self.mark: Mark | None = None
        """Where the buckets stood at its turn."""
        self.is_heard = False
        """Whether the provider's answer to it has been learned from."""


class Turnstile:
    """The line and the buckets: requests and tokens are taken both or neither."""

    def __init__(
        self,
        requests: Bucket | None,
        tokens: Bucket | None,
        *,
        max_concurrency: int | None = None,
        learning: Learning | None = None,
        handful: int | None = None,
    ) -> None:
        """Guard with either bucket, both or none, and at most `max_concurrency` calls under way.

        `learning` corrects the buckets by what the provider says and refuses. With `handful` no more than
        so many turns are given before the callers, who may be busy, have taken them up: what has been
        given but is not on its way yet is what the provider knows nothing of.
        """
        self.requests = requests
        self.tokens = tokens
        self.max_concurrency = max_concurrency
        self.learning = learning
        self.hold_until_s = -math.inf
        self.waiting = 0
        self.in_flight = 0
        self.granted = self.refusals = self.answered = 0
        self._handful = handful
        self._in_hand: OrderedDict[Ticket, None] = OrderedDict()
        self._lines: dict[int, OrderedDict[Ticket, None]] = {}
        self._passed_over: dict[int, int] = {}
        self._deadlines: list[tuple[float, int, Ticket]] = []
        self._numbers = itertools.count()
        self._refunds_from_s = -math.inf
        self._refused_in_a_row = 0
        self._last_turn_s = -math.inf
        self._staggered_until_s = -math.inf
        self._now_s = -math.inf

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
        if self._is_oversize(cost):
            raise RequestTooLargeError(tokens=cost.tokens, limit=self.most_tokens or 0)
        expires_s = None if timeout_s is None else self._clock(now_s) + timeout_s
        ticket = Ticket(cost, priority, expires_s)
        if expires_s is not None:
            heapq.heappush(self._deadlines, (expires_s, next(self._numbers), ticket))
        if priority not in self._lines:
            self._lines[priority] = OrderedDict()
            self._lines = dict(sorted(self._lines.items(), reverse=True))
            self._passed_over[priority] = 0
        self._lines[priority][ticket] = None
        if is_first:
            self._lines[priority].move_to_end(ticket, last=False)
        self.waiting += 1
        return ticket

    @property
    def most_tokens(self) -> int | None:
        """The largest request that can ever pass; None for any."""
        return None if self.tokens is None else math.floor(self.tokens.per_minute)

    def advance(self, now_s: float) -> list[Ticket]:
        """Let through everybody whose turn it is; returns those granted, expired or found oversize."""
        now_s = self._clock(now_s)
        changed = []
        while (head := self._head()) is not None and self._wait_s(head, now_s) <= 0.0:
            self._let_through(head, now_s)
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
        now_s = self._clock(now_s)
        wait_s = self._wait_s(head, now_s)
        times = []
        if not math.isinf(wait_s):
            # Late on a clock, a wait may be smaller than its smallest step: the timer must still move on.
            step_s = math.nextafter(now_s, math.inf) if wait_s > 0.0 else now_s
            times.append(max(now_s + wait_s, step_s))
        if self._deadlines:
            times.append(self._deadlines[0][0])
        return min(times, default=None)

    def take_up(self, ticket: Ticket, now_s: float) -> None:
        """Note that a caller knows of its turn, and makes its call now."""
        if self._in_hand.pop(ticket, _GONE) is None and self.learning is not None:
            self.learning.taken_up(self._clock(now_s) - ticket.granted_s)

    def admitted(self, ticket: Ticket, now_s: float, *, reading: Reading | None = None) -> None:
        """Learn that the provider took a call whose answer is still coming."""
        if ticket.state == "granted":
            self._hear(ticket, reading, self._clock(now_s))

    def settle(
        self, ticket: Ticket, used_tokens: int | None, now_s: float, *, reading: Reading | None = None
    ) -> None:
        """End a call: give back what it did not use, or take what it used more.

        None for `used_tokens` is a call that failed without a refusal: all of it stays taken.
        """
        if not self._finish(ticket):
            return
        now_s = self._clock(now_s)
        if self.tokens is not None and used_tokens is not None:
            over = used_tokens - ticket.cost.tokens
            if over > 0:
                self.tokens.take(over, now_s)
            elif over < 0:
                self.tokens.give(-over, now_s, is_believed=self._gives_back(now_s))
        if used_tokens is not None or reading is not None:
            self._hear(ticket, reading, now_s)

    def refuse(
        self, ticket: Ticket, hold_s: float | None, now_s: float, *, reading: Reading | None = None
    ) -> None:
        """End a call that the provider refused: nobody goes for `hold_s`, then one by one.

        What the refused call took stays taken, unless the provider's word says otherwise: it knows the
        level better than we do. Without such a word, when the hold ends there is room for this one call
        and no more, so waiters do not come back as a herd. None for `hold_s` is a provider that did not
        say for how long.
        """
        if not self._finish(ticket):
            return
        now_s = self._clock(now_s)
        self.refusals += 1
        self._refused_in_a_row += 1
        self._refunds_from_s = now_s + WITHOUT_REFUNDS_S
        is_known = self.learning is not None and self.learning.refused(ticket, hold_s, reading, now_s)
        if hold_s is None and not is_known:
            doublings = min(10, self._refused_in_a_row - 1)
            hold_s = min(_LONGEST_HOLD_S, _FIRST_HOLD_S * 2.0**doublings)
        self.hold_until_s = max(self.hold_until_s, now_s + (hold_s or 0.0))
        self._staggered_until_s = self.hold_until_s + STAGGER_S
        if not is_known:
            if self.requests is not None:
                self.requests.drain(ticket.cost.requests, self.hold_until_s, now_s)
            if self.tokens is not None:
                self.tokens.drain(ticket.cost.tokens, self.hold_until_s, now_s)

    def cancel(self, ticket: Ticket, now_s: float) -> None:
        """Forget a caller: out of the line, or, if granted but not sent, everything given back."""
        now_s = self._clock(now_s)
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

    def _clock(self, now_s: float) -> float:
        """Give a time that never goes back, whatever the clock does."""
        self._now_s = max(self._now_s, now_s)
        return self._now_s

    def _is_oversize(self, cost: Cost) -> bool:
        return self.tokens is not None and cost.tokens > self.tokens.per_minute

    def _gives_back(self, now_s: float) -> bool:
        is_learned = self.learning.gives_back if self.learning is not None else None
        return now_s >= self._refunds_from_s if is_learned is None else is_learned

    def _hear(self, ticket: Ticket, reading: Reading | None, now_s: float) -> None:
        self._refused_in_a_row = 0
        if ticket.is_heard:
            return
        ticket.is_heard = True
        self.answered += 1
        if self.learning is not None:
            self.learning.admitted(ticket, reading, now_s)

    def _head(self) -> Ticket | None:
        if not self._lines:
            return None
        first = next(iter(self._lines))
        if len(self._lines) > 1:
            longest = max(self._lines, key=self._passed_over.__getitem__)
            if self._passed_over[longest] >= PATIENCE:
                first = longest
        return next(iter(self._lines[first]))

    def _wait_s(self, head: Ticket, now_s: float) -> float:
        if self.max_concurrency is not None and self.in_flight >= self.max_concurrency:
            return math.inf
        if self._is_oversize(head.cost):
            return 0.0
        hand_s = 0.0
        if self._handful is not None and len(self._in_hand) >= self._handful:
            # One who does not come holds up the others, in other threads too, no longer than this.
            hand_s = next(iter(self._in_hand)).granted_s + _HAND_S - now_s
            if hand_s <= 0.0:
                self._in_hand.popitem(last=False)
        self._save(head, now_s)
        wait_s = max(0.0, hand_s, self.hold_until_s - now_s)
        if self.learning is not None and (careful_s := self.learning.wait_s(now_s)) is not None:
            return max(wait_s, careful_s)
        level_s = gap_s = 0.0
        for bucket, amount in ((self.requests, head.cost.requests), (self.tokens, head.cost.tokens)):
            if bucket is not None:
                level_s = max(level_s, bucket.wait_s(amount, now_s))
                gap_s = max(gap_s, amount / bucket.rate / _STAGGER_SPEED)
        if now_s < self._staggered_until_s:
            level_s = max(level_s, self._last_turn_s + (gap_s or _STAGGER_GAP_S) - now_s)
        return max(wait_s, level_s)

    def _let_through(self, head: Ticket, now_s: float) -> None:
        if self._is_oversize(head.cost):
            # Known only since somebody else's answer told the limit.
            self._leave_line(head, "oversize")
            return
        if self.learning is not None:
            self.learning.before(head.cost, now_s)
        if self.requests is not None:
            self.requests.take(head.cost.requests, now_s)
        if self.tokens is not None:
            self.tokens.take(head.cost.tokens, now_s)
        self._leave_line(head, "granted")
        for priority in self._lines:
            self._passed_over[priority] += priority != head.priority
        head.granted_s = self._last_turn_s = now_s
        self.in_flight += 1
        self.granted += 1
        if self._handful is not None:
            self._in_hand[head] = None
        if self.learning is not None:
            self.learning.granted(head, now_s)

    def _save(self, head: Ticket | None, now_s: float) -> None:
        if self.requests is not None:
            self.requests.save_for(head.cost.requests if head is not None else 0, now_s)
        if self.tokens is not None:
            self.tokens.save_for(head.cost.tokens if head is not None else 0, now_s)

    def _leave_line(self, ticket: Ticket, state: str) -> None:
        line = self._lines[ticket.priority]
        del line[ticket]
        if state == "granted":
            self._passed_over[ticket.priority] = 0
        if not line:
            del self._lines[ticket.priority]
            del self._passed_over[ticket.priority]
        ticket.state = state
        self.waiting -= 1

    def _finish(self, ticket: Ticket) -> bool:
        if ticket.state != "granted":
            return False
        ticket.state = "done"
        self.in_flight -= 1
        self._in_hand.pop(ticket, None)
        return True

"""The one thread that carries a process's bookings to the shared limit and brings turns back.

Everything that is said to it, from any thread, any event loop and the garbage collector, is a message
in a queue whose `put` never waits; so the state behind it needs no lock. While the server answers, a
trip books the next tenth of a second for the callers at the head of the line, and takes along what has
been settled since the last one. When it does not, the process goes on with its part of the limit.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, final

from langchain_prodkit.errors import ConfigurationError, LimitConflictError, LimitError, RequestTooLargeError
from langchain_prodkit.limits.redis_line import Line, Ticket, stamps
from langchain_prodkit.limits.redis_parcel import Parcel
from langchain_prodkit.limits.redis_route import Route
from langchain_prodkit.limits.redis_script import Answer, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.limits.bucket import Cost
    from langchain_prodkit.limits.protocol import Reading
    from langchain_prodkit.limits.redis_link import Link

__all__ = ["Counts", "Courier"]

_FRESH_S: Final = 0.1
"""A turn is looked at again, half-way to it, until it is closer than this: others may be held, or have
given back."""
_ARRIVAL_S: Final = 0.25
"""How long a request may take to reach the provider after its turn."""
_MOST_ITEMS: Final = 256
_UNTRIED_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Counts:
    """How things stand, as the courier sees them."""

    waiting: int
    in_flight: int
    granted: int
    refusals: int
    is_degraded: bool
    outages: int
    processes: int
    held_s: float
    answer: Answer | None
    age_s: float
    """Since `answer`."""


@final
class Courier:
    """Line, bookings and trips of one limiter in one process."""

    def __init__(
        self,
        link: Callable[[], Link],
        limits: Limits,
        *,
        max_concurrency: int | None,
        learn_limits: bool,
        share: float | None,
    ) -> None:
        """Talk over the connection that `link` makes; nothing is sent before somebody asks."""
        self._make_link = link
        self.limits = limits
        self._max_concurrency = max_concurrency
        self._learn_limits = learn_limits
        self._fixed_share = share
        self._open()

    def _open(self) -> None:
        self._pid = os.getpid()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._inbox: SimpleQueue[tuple[Callable[..., None], tuple[Any, ...]]] = SimpleQueue()
        self._route = Route(self._make_link(), self.limits, self._fixed_share)
        self._joins = self._handled = 0
        self._line = Line()
        self._booked: list[Ticket] = []
        self._sent: deque[Ticket] = deque()
        self._in_flight = self._granted = self._refusals = 0
        self._parcel = Parcel()
        self._answer: Answer | None = None
        self._answered_s = -math.inf
        self._look_s = math.inf
        self._untried_s = -math.inf
        rates = self.limits.rates()
        self._most_tokens = rates["tokens"] * 60.0 if "tokens" in rates else math.inf
        # How many may be under way while nobody has said what the limit is.
        self._window = math.inf if rates or not self._learn_limits else 1.0
        self._is_closing = False

    # What callers do, on their own threads.

    def join(
        self,
        cost: Cost,
        priority: int,
        timeout_s: float | None,
        wake: Callable[[], Any],
        *,
        is_first: bool = False,
    ) -> Ticket:
        """Stand in line; `wake` is called, from the courier's thread, when the wait is over."""
        if os.getpid() != self._pid:
            # Forked: the thread stayed with the parent.
            self._open()
        if cost.tokens > self._most_tokens:
            raise RequestTooLargeError(tokens=cost.tokens, limit=math.floor(self._most_tokens))
        expires_s = None if timeout_s is None else time.monotonic() + max(0.0, timeout_s)
        is_try = timeout_s is not None and timeout_s <= 0.0
        ticket = Ticket(cost, priority, None if is_try else expires_s, is_try=is_try, is_first=is_first)
        ticket.wake = wake
        with self._starting:
            self._joins += 1
            self._inbox.put((self._joined, (ticket,)))
            if self._thread is None:
                self._start()
        return ticket

    def settle(self, ticket: Ticket, used_tokens: int | None, reading: Reading | None) -> None:
        """See `Lease`."""
        self._tell(self._settled, ticket, used_tokens, reading)

    def admit(self, ticket: Ticket, reading: Reading | None) -> None:
        """See `Lease.admitted`."""
        if reading is not None:
            self._tell(self._noted, ticket, reading)

    def refuse(self, ticket: Ticket, retry_after_s: float | None, reading: Reading | None) -> None:
        """See `Lease`."""
        until_s = None if retry_after_s is None else time.monotonic() + retry_after_s
        self._tell(self._refused, ticket, until_s, reading)

    def cancel(self, ticket: Ticket) -> None:
        """Forget a caller, wherever it stands; what was taken for it goes back."""
        self._tell(self._cancelled, ticket)

    def _tell(self, what: Callable[..., None], ticket: Ticket, *args: Any) -> None:
        # A child has nothing to do with what its parent had asked for before the fork.
        if ticket.pid == os.getpid():
            self._inbox.put((what, (ticket, *args)))

    def counts(self) -> Counts:
        """Say how things stand, after all that was said before; a busy courier is not waited for."""
        if self._thread is not None and os.getpid() == self._pid:
            read = threading.Event()
            self._inbox.put((read.set, ()))
            read.wait(0.05)
        now_s = time.monotonic()
        answer = self._answer
        age_s = now_s - self._answered_s
        return Counts(
            waiting=len(self._line) + len(self._booked),
            in_flight=self._in_flight,
            granted=self._granted,
            refusals=self._refusals,
            is_degraded=self._route.share is not None,
            outages=self._route.outages,
            processes=answer.processes if answer else 1,
            held_s=max(0.0, answer.held_s - age_s) if answer else 0.0,
            answer=answer,
            age_s=age_s,
        )

    def close(self, *, timeout_s: float | None) -> None:
        """Take a last trip and end; whoever still waits is told."""
        thread = self._thread
        if thread is None or os.getpid() != self._pid:
            return
        self._inbox.put((self._closing, ()))
        if timeout_s is not None:
            thread.join(timeout_s)

    # What follows runs on the courier's thread alone.

    def _run(self) -> None:
        try:
            while not self._is_closing:
                self._turn()
            self._leave()
        except BaseException as error:
            self._fail_all(LimitError(f"the limiter's thread ended by a {type(error).__name__}"))
            raise
        finally:
            with self._starting:
                self._thread = None
                self._is_closing = False
                if self._joins > self._handled:
                    # Somebody joined between the last look and now.
                    self._start()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="prodkit-redis-limiter", daemon=True)
        self._thread.start()

    def _turn(self) -> None:
        due_s = self._due_s(time.monotonic())
        try:
            wait_s = None if math.isinf(due_s) else max(0.0, due_s - time.monotonic())
            do, args = self._inbox.get(timeout=wait_s)
            do(*args)
            for _ in range(self._inbox.qsize()):
                do, args = self._inbox.get_nowait()
                do(*args)
        except Empty:
            pass
        now_s = time.monotonic()
        for ticket in self._line.late(now_s):
            self._withdraw(ticket, "expired")
        self._let_go(now_s)
        if now_s >= min(self._parcel.due_s, self._look_s) or self._may_book_s(now_s) <= now_s:
            self._trip(now_s)
            self._let_go(time.monotonic())

    def _due_s(self, now_s: float) -> float:
        turn_s = min((ticket.turn_s for ticket in self._booked), default=math.inf)
        return min(
            turn_s, self._parcel.due_s, self._look_s, self._line.next_deadline_s(), self._may_book_s(now_s)
        )

    def _may_book_s(self, now_s: float) -> float:
        """Say when the head of the line is to be booked; infinity while it cannot be."""
        if not self._line or self._room() < 1:
            return math.inf
        if not self._booked:
            return max(now_s, self._untried_s)
        last_s = max(ticket.turn_s for ticket in self._booked)
        return max(self._untried_s, last_s - self._route.horizon_s / 2)

    def _room(self) -> float:
        most = self._window if self._max_concurrency is None else min(self._window, self._max_concurrency)
        return most - self._in_flight - len(self._booked)

    def _joined(self, ticket: Ticket) -> None:
        self._handled += 1
        if ticket.is_try:
            is_blocked = any(other.priority >= ticket.priority for other in self._line)
            if is_blocked or self._booked or self._room() < 1:
                self._end(ticket, "expired")
                return
        self._line.join(ticket)

    def _cancelled(self, ticket: Ticket) -> None:
        if ticket.state == "granted":
            self._finish(ticket)
            self._granted -= 1
            self._parcel.give(ticket, time.monotonic())
        else:
            self._withdraw(ticket, "done")

    def _settled(self, ticket: Ticket, used_tokens: int | None, reading: Reading | None) -> None:
        if not self._finish(ticket):
            return
        if self._window < math.inf:
            self._window *= 2.0
        now_s = time.monotonic()
        if used_tokens is not None:
            self._parcel.correct(ticket, used_tokens, now_s)
        self._note(ticket, reading, now_s)

    def _refused(self, ticket: Ticket, until_s: float | None, reading: Reading | None) -> None:
        if not self._finish(ticket):
            return
        self._refusals += 1
        now_s = time.monotonic()
        self._note(ticket, reading, now_s)
        self._parcel.refuse(ticket, until_s, is_bare=reading is None, now_s=now_s)

    def _noted(self, ticket: Ticket, reading: Reading) -> None:
        if ticket.state == "granted":
            self._note(ticket, reading, time.monotonic())

    def _note(self, ticket: Ticket, reading: Reading | None, now_s: float) -> None:
        # What was said when a stream began is not news when it ends.
        if reading is not None and self._learn_limits and reading != ticket.reading:
            ticket.reading = reading
            self._parcel.note(ticket, reading, now_s)

    def _closing(self) -> None:
        self._is_closing = True

    def _finish(self, ticket: Ticket) -> bool:
        if ticket.state != "granted":
            return False
        ticket.state = "done"
        self._in_flight -= 1
        return True

    def _withdraw(self, ticket: Ticket, state: Any, error: BaseException | None = None) -> None:
        if ticket.state == "waiting":
            self._line.leave(ticket)
        elif ticket.state == "booked":
            self._booked.remove(ticket)
            self._parcel.give(ticket, time.monotonic())
        else:
            return
        ticket.error = error
        self._end(ticket, state)

    def _end(self, ticket: Ticket, state: Any) -> bool:
        """Tell the caller that its wait is over; False if nobody is there any more."""
        ticket.state = state
        try:
            if ticket.wake is not None and state != "done":
                ticket.wake()
        except RuntimeError:
            # The event loop it waited in is closed.
            return False
        return True

    def _fail_all(self, error: BaseException) -> None:
        for ticket in [*self._line, *self._booked]:
            self._withdraw(ticket, "failed", error)

    def _let_go(self, now_s: float) -> None:
        """Grant every booked ticket whose turn it is."""
        for ticket in [ticket for ticket in self._booked if ticket.turn_s <= now_s]:
            self._booked.remove(ticket)
            ticket.granted_s = now_s
            self._in_flight += 1
            self._granted += 1
            self._sent.append(ticket)
            if not self._end(ticket, "granted"):
                self._cancelled(ticket)

    def _trip(self, now_s: float) -> None:
        """Carry everything there is to tell, and book the head of the line."""
        tickets = self._head(now_s)
        items = [(ticket.cost, ticket.left_s(now_s)) for ticket in tickets]
        while self._sent and self._sent[0].granted_s < now_s - _ARRIVAL_S:
            self._sent.popleft()
        ask = self._parcel.pack(
            items,
            now_s=now_s,
            horizon_s=self._route.horizon_s,
            is_first=not self._booked,
            unsent=[*self._booked, *(ticket for ticket in self._sent if ticket.state == "granted")],
        )
        try:
            answer = self._route.trip(ask, now_s)
        except (ConfigurationError, LimitConflictError) as error:
            self._look_s = math.inf
            self._fail_all(error)
            return
        self._book(tickets, answer)

    def _head(self, now_s: float) -> list[Ticket]:
        if self._may_book_s(now_s) > now_s:
            return []
        most = min(_MOST_ITEMS, self._room())
        if self._answer is not None:
            bucket = self._answer.bucket("requests")
            if bucket.rate is not None:
                ahead = 2 * bucket.rate * self._route.horizon_s + max(0.0, bucket.level)
                most = min(most, 2 + math.ceil(ahead))
        tickets: list[Ticket] = []
        for ticket in self._line:
            if len(tickets) >= most:
                break
            tickets.append(ticket)
        return tickets

    def _book(self, tickets: list[Ticket], answer: Answer) -> None:
        """Take home what a trip has brought."""
        now_s = time.monotonic()
        previous, self._answer, self._answered_s = self._answer, answer, now_s
        self._parcel.epoch = answer.epoch
        for ticket in self._booked:
            # A booking of another state was paid for there: its turn stays.
            if previous is not None and ticket.stamp is not None and ticket.stamp.epoch == answer.epoch:
                ticket.turn_s += answer.shifted_s - previous.shifted_s
                ticket.turn_s = min(ticket.turn_s, now_s + answer.paid_s)
        booked = [(ticket, wait) for ticket, wait in zip(tickets, answer.waits, strict=False) if wait >= 0.0]
        made = stamps([ticket for ticket, _ in booked], answer, now_s)
        for (ticket, wait_s), stamp in zip(booked, made, strict=True):
            self._line.leave(ticket)
            ticket.state = "booked"
            ticket.turn_s = now_s + wait_s
            ticket.stamp = stamp
            self._booked.append(ticket)
        for ticket in tickets:
            if ticket.is_try and ticket.state == "waiting":
                self._withdraw(ticket, "expired")
        self._untried_s = now_s + (answer.ahead_s if booked or answer.ahead_s else _UNTRIED_S)
        remaining_s = min((ticket.turn_s for ticket in self._booked), default=math.inf) - now_s
        self._look_s = now_s + remaining_s / 2 if _FRESH_S < remaining_s < math.inf else math.inf
        if any(bucket.rate is not None for bucket in answer.buckets.values()):
            self._window = math.inf
        rate = answer.bucket("tokens").rate
        if rate is not None and self._route.share is None:
            self._most_tokens = rate * 60.0

    def _leave(self) -> None:
        self._fail_all(LimitError("the limiter was closed while calls waited for it"))
        self._route.leave(replace(self._parcel.pack((), now_s=time.monotonic()), is_leaving=True))
        self._look_s = math.inf

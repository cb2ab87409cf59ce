"""Permits for calls: the contract of a limiter, and the one that keeps its levels in this process."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Final, final

from pydantic import ConfigDict, PrivateAttr

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import LimitTimeoutError, RequestTooLargeError
from langchain_prodkit.limits.bucket import BURST_S, Bucket, Cost
from langchain_prodkit.limits.caller import check_numbers, wake
from langchain_prodkit.limits.dispatcher import Dispatcher
from langchain_prodkit.limits.learning import ASSUMED_BURST_S, Learning
from langchain_prodkit.limits.protocol import LimiterStatistics
from langchain_prodkit.limits.turnstile import Ticket, Turnstile

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.limits.protocol import Lease, Reading

__all__ = ["LocalLimiter"]


LATE: Final = "no permit within the time the caller had; give it more, or send fewer calls at once"
# Older than this, a permit is not used but asked for again.
_LATE_S: Final = 0.05
# Turns given at the same time: as many as a busy event loop sends in a moment.
_HANDFUL: Final = 4


class LocalLimiter(Rebuilt):
    """Keeps calls under requests and tokens per minute, for all threads and event loops of a process.

    Both are taken together or not at all, from buckets that refill all the time. Share one instance
    between the chat models that share a limit. A copy (`deepcopy`, pickle) is built afresh from the same
    arguments and counts on its own; so does a forked process.

    How full the provider's own buckets are, and how large, is learned from what its answers and refusals
    say (`learn_limits`), and so are limits that nobody told; until then calls go one by one, at the rate
    that was told. What was told is the most that is ever used.
    """

    requests_per_minute: float | None = None
    """None for no limit."""
    tokens_per_minute: float | None = None
    """Prompt and answer together; None for no limit."""
    max_concurrency: int | None = None
    """Calls under way at the same time; None for any number."""
    headroom: float = 0.0
    """Share of both rates left unused: 0.0 none, 0.1 a tenth."""
    burst_s: float | None = None
    """What may go at once from the start, in seconds of the rate; one request, and the largest one, always
    may. None: what the provider is found to allow, up to a minute's worth, or half a second's worth
    where nothing is learned."""
    learn_limits: bool = True
    """Whether the provider's headers and refusals correct the two rates, never upwards, and find those that
    are None."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _dispatcher: Dispatcher = PrivateAttr()

    def __init__(
        self,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_concurrency: int | None = None,
        headroom: float = 0.0,
        burst_s: float | None = None,
        learn_limits: bool = True,
    ) -> None:
        """Start with full buckets, or, where the burst is to be learned, with a single call.

        Raises:
            ConfigurationError: A number is zero, negative or not finite.
        """
        check_numbers(
            headroom,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_concurrency=max_concurrency,
            burst_s=burst_s,
        )
        super().__init__(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_concurrency=max_concurrency,
            headroom=headroom,
            burst_s=burst_s,
            learn_limits=learn_limits,
        )
        self._dispatcher = Dispatcher(self._turnstile)

    def _turnstile(self) -> Turnstile:
        learning: Learning | None = None
        if self.learn_limits:
            learning = Learning(headroom=self.headroom, is_careful=self.burst_s is None)
        turnstile = Turnstile(
            self._bucket(self.requests_per_minute, 1.0),
            self._bucket(self.tokens_per_minute, 0.0),
            max_concurrency=self.max_concurrency,
            learning=learning,
            handful=_HANDFUL,
        )
        if learning is not None:
            learning.attach(turnstile)
        return turnstile

    def _bucket(self, per_minute: float | None, careful_level: float) -> Bucket | None:
        if per_minute is None:
            return None
        in_force = per_minute * (1.0 - self.headroom)
        if not self.learn_limits or self.burst_s is not None:
            burst_s = self.burst_s if self.burst_s is not None else BURST_S
            return Bucket(in_force, burst_s=burst_s, is_bound=self.learn_limits)
        return Bucket(in_force, burst_s=ASSUMED_BURST_S, level=careful_level, is_bound=True)

    async def reserve(self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None) -> Lease:
        """Wait for `cost` to fit; see `RateLimiter`."""
        # Many tasks started together do all that comes before this line first; permits given out
        # meanwhile would be used at once at the end of it, with those of the time it took.
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        place = _Place(self._dispatcher, cost, priority, timeout_s)
        while True:
            woken = loop.create_future()
            ticket = place.take(partial(wake, loop, woken))
            if ticket.state == "waiting":
                try:
                    await woken
                except BaseException:
                    place.leave(ticket)
                    raise
            if (lease := place.lease(ticket)) is not None:
                return lease

    def reserve_sync(self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None) -> Lease:
        """Wait for `cost` to fit; see `RateLimiter`."""
        place = _Place(self._dispatcher, cost, priority, timeout_s)
        while True:
            woken = threading.Event()
            ticket = place.take(woken.set)
            try:
                if ticket.state == "waiting":
                    # Ctrl-C arrives here: waiting for an event can be interrupted.
                    woken.wait()
            except BaseException:
                place.leave(ticket)
                raise
            if (lease := place.lease(ticket)) is not None:
                return lease

    def statistics(self) -> LimiterStatistics:
        """Say how things stand now."""
        return self._dispatcher.read(_statistics)


@final
class _LocalLease:
    """A permit of a `LocalLimiter`."""

    __slots__ = ("_dispatcher", "_ticket")

    def __init__(self, dispatcher: Dispatcher, ticket: Ticket) -> None:
        self._dispatcher = dispatcher
        self._ticket = ticket

    def admitted(self, *, reading: Reading | None = None) -> None:
        self._dispatcher.end(partial(Turnstile.admitted, reading=reading), self._ticket)

    def settle(self, used_tokens: int | None = None, *, reading: Reading | None = None) -> None:
        self._dispatcher.end(partial(Turnstile.settle, reading=reading), self._ticket, used_tokens)

    def refused(self, retry_after_s: float | None = None, *, reading: Reading | None = None) -> None:
        self._dispatcher.end(partial(Turnstile.refuse, reading=reading), self._ticket, retry_after_s)

    def cancel(self) -> None:
        self._dispatcher.end(Turnstile.cancel, self._ticket)


@final
class _Place:
    """A caller's way to a lease: through the line once, or twice if it was late at its turn."""

    def __init__(self, dispatcher: Dispatcher, cost: Cost, priority: int, timeout_s: float | None) -> None:
        self._dispatcher = dispatcher
        self._cost = cost
        self._priority = priority
        self._timeout_s = timeout_s
        self._since_s = time.monotonic()
        self._was_late = False

    def take(self, wake: Callable[[], None]) -> Ticket:
        timeout_s = self._timeout_s
        if timeout_s is not None and self._was_late:
            timeout_s = max(0.0, self._since_s + timeout_s - time.monotonic())
        return self._dispatcher.join(self._cost, self._priority, timeout_s, wake, is_first=self._was_late)

    def leave(self, ticket: Ticket) -> None:
        self._dispatcher.end(Turnstile.cancel, ticket)

    def lease(self, ticket: Ticket) -> Lease | None:
        """Make the lease of a ticket whose wait is over; None: too late, stand in line again.

        While an event loop is busy, permits pile up for its waiters, who would then all go at the
        same moment: more than the burst. So an old one goes back, to where no more than a burst is
        kept, and its holder comes first.
        """
        if ticket.state == "oversize":
            raise RequestTooLargeError(tokens=self._cost.tokens, limit=self._dispatcher.most_tokens())
        if ticket.state != "granted":
            raise LimitTimeoutError(LATE)
        if not self._was_late and time.monotonic() - ticket.granted_s > _LATE_S:
            self._was_late = True
            self.leave(ticket)
            return None
        self._dispatcher.end(Turnstile.take_up, ticket)
        return _LocalLease(self._dispatcher, ticket)


def _statistics(turnstile: Turnstile, now_s: float) -> LimiterStatistics:
    return LimiterStatistics(
        waiting=turnstile.waiting,
        in_flight=turnstile.in_flight,
        granted=turnstile.granted,
        refusals=turnstile.refusals,
        requests_level=turnstile.requests.level(now_s) if turnstile.requests else None,
        tokens_level=turnstile.tokens.level(now_s) if turnstile.tokens else None,
        held_s=max(0.0, turnstile.hold_until_s - now_s),
        answered=turnstile.answered,
        requests_per_minute=turnstile.requests.per_minute if turnstile.requests else None,
        tokens_per_minute=turnstile.tokens.per_minute if turnstile.tokens else None,
        is_learned=turnstile.learning is not None and turnstile.learning.is_changed,
    )

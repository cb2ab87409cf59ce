"""Permits for calls, counted on a server that many processes and hosts share."""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any, Final, final

from pydantic import ConfigDict, PrivateAttr, SecretStr
from typing_extensions import override

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import ConfigurationError, LimitTimeoutError
from langchain_prodkit.limits.bucket import Cost
from langchain_prodkit.limits.caller import check_numbers, wake
from langchain_prodkit.limits.protocol import LimiterStatistics
from langchain_prodkit.limits.redis_courier import Courier
from langchain_prodkit.limits.redis_link import Link, check_url
from langchain_prodkit.limits.redis_script import BUCKETS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.limits.protocol import Lease, Reading
    from langchain_prodkit.limits.redis_line import Ticket

__all__ = ["RedisLimiter"]

# Older than this, a permit is not used but asked for again.
_LATE_S: Final = 0.05


class RedisLimiter(Rebuilt):
    """Keeps calls under requests and tokens per minute, for all processes and hosts that share a key.

    Both are taken together or not at all, in one step on the server and by its clock, first come, first
    served over all processes. What a provider's answer says of its limits, and the hold of a refusal,
    hold for everybody. One thread in each process talks to the server; callers never do, so `settle` is
    as quick as with `LocalLimiter`, and event loops are not held up.

    When the server is slow, gone or restarted, no call is lost: the process goes on with its share of
    the limit, says so once in a warning of the logger `langchain_prodkit.limits`
    (`prodkit.limiter_degraded`), and returns by itself.

    All processes of a key must be told the same numbers, `headroom` and `burst_s` included; another set
    raises `LimitConflictError` at the first call. A key that nobody has used for 10 minutes is forgotten.
    A copy (`deepcopy`, pickle) and a forked process take part in the same limit. A pickle holds the url
    with its password; `dumps` writes it as the secret `PRODKIT_REDIS_URL`.
    """

    url: SecretStr
    """`redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, or `unix://`."""
    key: str
    """Names the limit: one for each provider account and model, say `"openai:gpt-4o-mini"`."""
    requests_per_minute: float | None = None
    """None for whatever the provider's answers say."""
    tokens_per_minute: float | None = None
    """Prompt and answer together; None for whatever the provider's answers say."""
    max_concurrency: int | None = None
    """Calls under way at the same time in each process; None for any number."""
    headroom: float = 0.0
    """Share of both rates left unused: 0.0 none, 0.1 a tenth."""
    burst_s: float | None = None
    """What may go at once from the start, in seconds of the rate; one request, and the largest one, always
    may. None: what the provider is found to allow, and half a second's worth until it has said."""
    learn_limits: bool = True
    """Whether to follow what the provider's answers say of its limits; never past the numbers above."""
    share: float | None = None
    """Part of the limit (0..1) for this process while the server is away; None for an equal part for
    each process that was active last."""
    timeout_s: float = 0.5
    """The longest that the server may take to answer, in seconds, before it counts as away."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _courier: Courier = PrivateAttr()

    def __init__(
        self,
        url: str | SecretStr,
        key: str,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_concurrency: int | None = None,
        headroom: float = 0.0,
        burst_s: float | None = None,
        learn_limits: bool = True,
        share: float | None = None,
        timeout_s: float = 0.5,
    ) -> None:
        """Describe the limit; the first call connects.

        Raises:
            ConfigurationError: The url cannot be used, or a number makes no sense.
            MissingExtraError: The extra `redis` is not installed.
        """
        address = _checked(url, key)
        numbers = {
            "requests_per_minute": requests_per_minute,
            "tokens_per_minute": tokens_per_minute,
            "max_concurrency": max_concurrency,
            "burst_s": burst_s,
            "timeout_s": timeout_s,
            "share": share,
        }
        check_numbers(headroom, **numbers)
        if share is not None and share > 1.0:
            raise ConfigurationError("share is the part of the limit for one process: above 0, up to 1.0")
        super().__init__(
            url=SecretStr(address), key=key, headroom=headroom, learn_limits=learn_limits, **numbers
        )
        limits = Limits(requests_per_minute, tokens_per_minute, headroom, burst_s)
        courier = Courier(
            partial(Link, address, key, limits, timeout_s=timeout_s, learns=learn_limits),
            limits,
            max_concurrency=max_concurrency,
            learn_limits=learn_limits,
            share=share,
        )
        self._courier = courier
        weakref.finalize(self, courier.close, timeout_s=None).atexit = False

    async def reserve(self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None) -> Lease:
        """Wait for `cost` to fit; see `RateLimiter`.

        Raises:
            RequestTooLargeError: It never fits.
            LimitTimeoutError: It did not fit within `timeout_s` seconds; 0.0 asks whether it fits now.
            LimitConflictError: The key holds a limit with other numbers.
            ConfigurationError: The server will never serve this limiter: a password it does not take.
        """
        # Many tasks started together do all that comes before this line first.
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        place = _Place(self._courier, cost, priority, timeout_s)
        while True:
            woken = loop.create_future()
            ticket = place.take(partial(wake, loop, woken))
            try:
                await woken
            except BaseException:
                self._courier.cancel(ticket)
                raise
            if (lease := place.lease(ticket)) is not None:
                return lease

    def reserve_sync(self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None) -> Lease:
        """Wait for `cost` to fit; see `reserve`."""
        place = _Place(self._courier, cost, priority, timeout_s)
        while True:
            woken = threading.Event()
            ticket = place.take(woken.set)
            try:
                # Ctrl-C arrives here: waiting for an event can be interrupted.
                woken.wait()
            except BaseException:
                self._courier.cancel(ticket)
                raise
            if (lease := place.lease(ticket)) is not None:
                return lease

    def statistics(self) -> LimiterStatistics:
        """Say how things stand: callers and calls of this process, levels of the shared limit.

        The levels are those of the last trip to the server, with what has flowed in since.
        """
        counts = self._courier.counts()

        answer = counts.answer
        told = self._courier.limits.rates()
        rates = {name: answer.bucket(name).rate if answer else told.get(name) for name in BUCKETS}

        def level(name: str) -> float | None:
            bucket = answer.bucket(name) if answer else None
            if answer is None or bucket is None or bucket.rate is None or bucket.capacity is None:
                return None
            return min(bucket.capacity, bucket.level + counts.age_s * bucket.rate * answer.pace)

        def per_minute(name: str) -> float | None:
            rate = rates[name]
            return None if rate is None else rate * 60.0 * (answer.pace if answer else 1.0)

        return LimiterStatistics(
            waiting=counts.waiting,
            in_flight=counts.in_flight,
            granted=counts.granted,
            refusals=counts.refusals,
            requests_level=level("requests"),
            tokens_level=level("tokens"),
            held_s=counts.held_s,
            requests_per_minute=per_minute("requests"),
            tokens_per_minute=per_minute("tokens"),
            is_learned=any(rate is not None and rate != told.get(name) for name, rate in rates.items())
            or (answer is not None and answer.pace != 1.0),
        )

    @property
    def is_degraded(self) -> bool:
        """Whether the server is away and this process counts its own share."""
        return self._courier.counts().is_degraded

    @property
    def active_processes(self) -> int:
        """How many processes used the key in the 30 seconds before the last trip, this one included."""
        return self._courier.counts().processes

    def close(self) -> None:
        """Give back what is booked, hang up and end the thread; callers in line get a `LimitError`.

        Not needed at the end of a program. A call after it opens everything again.
        """
        self._courier.close(timeout_s=2.0 * self.timeout_s + 1.0)

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {"url": "PRODKIT_REDIS_URL"}


@final
class _RedisLease:
    """A permit of a `RedisLimiter`."""

    __slots__ = ("_courier", "_ticket")

    def __init__(self, courier: Courier, ticket: Ticket) -> None:
        self._courier = courier
        self._ticket = ticket

    def admitted(self, *, reading: Reading | None = None) -> None:
        self._courier.admit(self._ticket, reading)

    def settle(self, used_tokens: int | None = None, *, reading: Reading | None = None) -> None:
        self._courier.settle(self._ticket, used_tokens, reading)

    def refused(self, retry_after_s: float | None = None, *, reading: Reading | None = None) -> None:
        self._courier.refuse(self._ticket, retry_after_s, reading)

    def cancel(self) -> None:
        self._courier.cancel(self._ticket)


@final
class _Place:
    """A caller's way to a lease: through the line once, or twice if it was late at its turn."""

    def __init__(self, courier: Courier, cost: Cost, priority: int, timeout_s: float | None) -> None:
        self._courier = courier
        self._cost = cost
        self._priority = priority
        self._timeout_s = timeout_s
        self._since_s = time.monotonic()
        self._was_late = False

    def take(self, wake: Callable[[], Any]) -> Ticket:
        timeout_s = self._timeout_s
        if timeout_s is not None and self._was_late:
            timeout_s = max(0.0, self._since_s + timeout_s - time.monotonic())
        return self._courier.join(self._cost, self._priority, timeout_s, wake, is_first=self._was_late)

    def lease(self, ticket: Ticket) -> _RedisLease | None:
        """Make the lease of a ticket whose wait is over; None: too late, stand in line again.

        While an event loop is busy, permits pile up for its waiters, who would then all go at the same
        moment: more than the burst.
        """
        if ticket.error is not None:
            raise ticket.error
        if ticket.state != "granted":
            raise LimitTimeoutError(
                "no permit within the time the caller had; give it more, or send fewer calls at once"
            )
        if not self._was_late and time.monotonic() - ticket.granted_s > _LATE_S:
            self._was_late = True
            self._courier.cancel(ticket)
            return None
        return _RedisLease(self._courier, ticket)


def _checked(url: object, key: object) -> str:
    address = url.get_secret_value() if isinstance(url, SecretStr) else url
    if not isinstance(address, str):
        raise ConfigurationError("url of a RedisLimiter is a text, as in redis://host:6379/0")
    if not isinstance(key, str) or not key or set(key) & set("{}"):
        raise ConfigurationError("key of a RedisLimiter is a text of one or more characters, without braces")
    check_url(address)
    return address

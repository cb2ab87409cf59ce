"""The contract of a limiter, and what a provider says of its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from langchain_prodkit.limits.bucket import Cost

__all__ = ["BucketReading", "Lease", "LimiterStatistics", "RateLimiter", "Reading"]


@dataclass(frozen=True, slots=True)
class BucketReading:
    """One limit as the provider's headers state it at one moment; None for what they leave out."""

    per_minute: float | None = None
    """What may be used a minute."""
    remaining: float | None = None
    """What could go at once."""
    reset_s: float | None = None
    """Seconds until the bucket is full again; `remaining + reset_s * per_minute / 60` is its size."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer, or one refusal, says of the provider's limits."""

    requests: BucketReading | None = None
    tokens: BucketReading | None = None


class Lease(Protocol):
    """The right to make one call; end it with exactly one of the three, later ones do nothing."""

    def admitted(self, *, reading: Reading | None = None) -> None:
        """Say, at most once, that a stream has begun: its permit stands, what it used is not yet known.

        `reading` is what the headers said. Optional, for the limiter to learn before a long answer
        ends: `settle` follows, with the same reading or none.
        """
        ...

    def settle(self, used_tokens: int | None = None, *, reading: Reading | None = None) -> None:
        """End a call that was made; `used_tokens` corrects the reservation, None lets it stand.

        `reading` is what the provider said of its limits in the answer's headers, None for nothing.
        Returns at once, from any thread and any event loop: a limiter that has to talk to a store does
        it later.
        """
        ...

    def refused(self, retry_after_s: float | None = None, *, reading: Reading | None = None) -> None:
        """End a call that the provider refused: nobody goes for `retry_after_s` seconds.

        None is a refusal that did not say for how long; the limiter then finds out. `reading` as in
        `settle`: refusals carry limits too.
        """
        ...

    def cancel(self) -> None:
        """Give everything back: the call was never sent."""
        ...


@runtime_checkable
class RateLimiter(Protocol):
    """Hands out the right to make a call, when it fits in the limit."""

    async def reserve(self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None) -> Lease:
        """Wait for `cost` to fit; higher priorities go first, equal ones in order of arrival.

        Raises:
            RequestTooLargeError: It never fits.
            LimitTimeoutError: It did not fit within `timeout_s` seconds.
        """
        ...

    def reserve_sync(self, cost: Cost, *, priority: int = 0, timeout_s: float | None = None) -> Lease:
        """Do the same from synchronous code, in the same line as everybody else."""
        ...

    def statistics(self) -> LimiterStatistics:
        """Say how things stand now."""
        ...


@dataclass(frozen=True, slots=True)
class LimiterStatistics:
    """A limiter at one moment."""

    waiting: int
    """Callers in line."""
    in_flight: int
    """Calls under way: permits handed out and not yet settled, refused or cancelled."""
    granted: int
    """Permits handed out since the start."""
    refusals: int
    """Calls that the provider refused since the start."""
    requests_level: float | None
    """Requests that could go at once; below 0 while a debt is open; None without a limit."""
    tokens_level: float | None
    """Tokens that could go at once; below 0 while a debt is open; None without a limit."""
    held_s: float
    """Seconds for which a refusal still holds everybody; 0.0 for not at all."""
    answered: int = 0
    """Calls that the provider took since the start: answered, or begun to be."""
    requests_per_minute: float | None = None
    """The limit in force, told or learned; None for none known."""
    tokens_per_minute: float | None = None
    """The limit in force, told or learned; None for none known."""
    is_learned: bool = False
    """Whether what the provider said or did has changed what was told at the start."""

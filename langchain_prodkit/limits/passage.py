"""One call's way through the limiter, from its first attempt to its last."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._events import LIMITED, Emit
from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import LimitTimeoutError
from langchain_prodkit.limits.bucket import Cost
from langchain_prodkit.limits.door import current_pass
from langchain_prodkit.limits.headers import read_limits
from langchain_prodkit.limits.retry import headers_of, refuses, retry_after_s
from langchain_prodkit.limits.usage import Usage

if TYPE_CHECKING:
    from langchain_prodkit.limits.budget import Hold
    from langchain_prodkit.limits.protocol import Lease, RateLimiter, Reading
    from langchain_prodkit.limits.retry import RetryPolicy
    from langchain_prodkit.limits.usage import Estimate, Tally, TokenEstimator

__all__ = ["Passage"]

# A shorter wait is the price of asking, and not worth an event.
_TOLD_WAIT_S: Final = 0.001
# Another attempt goes before first ones: its caller has waited already.
_RETRY_PRIORITY: Final = 1
# However much others are let through meanwhile.
_MOST_REFUSALS: Final = 5


class Passage:
    """Waits for permits, and judges failures, for one call; drive its steps in order.

    `enter`, then the call, then `failed` (and, if it says so, `enter` again) or `settle`.
    """

    def __init__(
        self,
        limiter: RateLimiter,
        retry: RetryPolicy,
        estimator: TokenEstimator,
        estimate: Estimate,
        hold: Hold | None = None,
        *,
        learns: bool = True,
    ) -> None:
        """Stand before the limiter with an `estimate` of the call, and what `hold` reserves of a budget.

        `learns` tells the limiter what the headers of refusals say.
        """
        self.limiter = limiter
        self.retry = retry
        self.estimator = estimator
        self.estimate = estimate
        self.hold = hold
        self.learns = learns
        self.attempts = 0
        self.failures = 0
        """Attempts that count: see `RetryPolicy.max_attempts`."""
        self.refusals = 0
        self.waited_s = 0.0
        self.used_tokens = 0
        self._pass = current_pass.get()
        if self._pass is not None and self._pass.is_through:
            self._pass = None
        self.started_s = time.monotonic()
        if self._pass is not None:
            self.started_s = self._pass.started_s
            self.waited_s = self._pass.waited_s
        self.last_error: Exception | None = None
        self._counted_s = -math.inf
        self._answered = 0

    def enter(self) -> Steps[Lease]:
        """Wait for a permit; gives up, past the deadline, with what went wrong last."""
        asked_s = time.monotonic()
        try:
            lease: Lease = yield Call(
                self.limiter.reserve_sync,
                self.limiter.reserve,
                Cost(tokens=self.estimate.tokens),
                priority=_RETRY_PRIORITY if self.attempts else 0,
                timeout_s=self._left_s(asked_s),
            )
        except BaseException as error:
            self.waited_s += time.monotonic() - asked_s
            self.release()
            if isinstance(error, Exception):
                yield from self.report()
                if isinstance(error, LimitTimeoutError) and self.last_error is not None:
                    raise self.last_error from None
            raise
        self.waited_s += time.monotonic() - asked_s
        self.attempts += 1
        if self._pass is not None:
            self._pass.through()
        return lease

    def failed(self, lease: Lease, error: BaseException) -> Steps[bool]:
        """Book a failed attempt; tells, after any wait it takes, whether to try again."""
        is_worth_it = False
        try:
            is_worth_it = yield from self._judge(lease, error)
        finally:
            if not is_worth_it:
                self.release()
        if not is_worth_it and isinstance(error, Exception):
            yield from self.report()
        return is_worth_it

    def settle(self, lease: Lease, tally: Tally, reading: Reading | None = None) -> dict[str, Any]:
        """Book an answer, learn from it, and say what to note on it."""
        self.used_tokens = tally.used_tokens(self.estimate)
        lease.settle(self.used_tokens, reading=reading)
        cost_usd = self.charge(tally.usage(self.estimate))
        if tally.is_reported:
            self.estimator.observe(self.estimate, tally.input_tokens, tally.output_tokens)
        note = self.note()
        return note if cost_usd is None else {**note, "cost_usd": cost_usd}

    def note(self) -> dict[str, Any]:
        """Say what the way was so far."""
        return {
            "waited_s": round(self.waited_s, 6),
            "attempts": self.attempts,
            "refusals": self.refusals,
            "reserved_tokens": self.estimate.tokens,
            "used_tokens": self.used_tokens,
        }

    def report(self) -> Steps[None]:
        """Send the event of a call that waited or was refused; do so once, at its end."""
        if self.refusals or self.waited_s > _TOLD_WAIT_S:
            yield Emit(LIMITED, self.note())

    def release(self) -> None:
        """Give the budget back what is held for this call, unless it was charged."""
        if self.hold is not None:
            self.hold.release()

    def charge(self, usage: Usage) -> float | None:
        """Charge the budget, if there is one; tells what the call cost, if a price says."""
        return None if self.hold is None else self.hold.settle(usage)

    def _judge(self, lease: Lease, error: BaseException) -> Steps[bool]:
        if not isinstance(error, Exception):
            # Cancelled: the request may have gone out, so what it took stays taken.
            lease.settle()
            self.charge(Usage(self.estimate.prompt_tokens))
            return False
        is_retryable = self.retry.is_retryable(error)
        is_refused = is_retryable and refuses(error)
        asked_s = retry_after_s(error)
        now_s = time.monotonic()
        self.last_error = error
        if is_refused:
            self.refusals += 1
            is_final = not self._counts(now_s) and self.refusals >= _MOST_REFUSALS * self.retry.max_attempts
        else:
            self.failures += 1
            is_final = False
        is_final = is_final or not is_retryable or self.failures >= self.retry.max_attempts
        delay_s = self.retry.delay_s(max(1, self.failures), asked_s)
        if is_refused or (is_retryable and asked_s is not None):
            # Past `max_wait_s` this call gives up; for the others the provider's word holds.
            lease.refused(asked_s, reading=read_limits(headers_of(error)) if self.learns else None)
            delay_s = 0.0 if delay_s is not None and asked_s is None else delay_s
            is_held = True
        else:
            lease.settle()
            is_held = False
        left_s = self._left_s(now_s)
        if is_final or delay_s is None or (left_s is not None and delay_s >= left_s):
            return False
        if not is_held:
            yield Call(time.sleep, asyncio.sleep, delay_s)
            self.waited_s += time.monotonic() - now_s
        return True

    def _counts(self, now_s: float) -> bool:
        """Count a refusal as a failure, unless waiting is helping others, or has hardly begun."""
        if self.retry.max_attempts > 1:
            answered = self.limiter.statistics().answered
            is_helping, self._answered = answered > self._answered, answered
            delay_s = self.retry.delay_s(self.failures, None) if self.failures else None
            if is_helping and self.refusals > 1:
                return False
            if delay_s is not None and now_s - self._counted_s < delay_s:
                return False
        self._counted_s = now_s
        self.failures += 1
        return True

    def _left_s(self, now_s: float) -> float | None:
        if self.retry.deadline_s is None:
            return None
        return max(0.0, self.started_s + self.retry.deadline_s - now_s)

"""Which failures are worth another attempt, and how long to wait before it."""

from __future__ import annotations

import contextlib
import math
import random
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from langchain_core.exceptions import ModelError
from pydantic import ConfigDict

from langchain_prodkit._serial import Written
from langchain_prodkit.errors import ConfigurationError, ProdkitError

__all__ = ["RetryPolicy", "headers_of", "refuses", "retry_after_s", "status_of"]

_RETRYABLE_STATUS: Final = frozenset({408, 409, 429})
# 429s that no waiting cures, by the provider's own code.
_HOPELESS_CODES: Final = frozenset({
    "billing_hard_limit_reached", "billing_not_active", "insufficient_quota",
})  # fmt: skip
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500
# A single fault costs next to nothing; an outage of half a minute is outlasted.
_FIRST_DELAY_S: Final = 0.1
_GROWTH: Final = 4.0
_MOST_DOUBLINGS: Final = 20


class RetryPolicy(Written):
    """How often a call is tried, and for how long.

    Errors of langchain-core's `ModelError` family are judged by their `is_retryable`, all others by
    `retry_on`. An exhausted quota, other 4xx and whatever happens after the first streamed chunk are
    never retried. When the attempts are used up, the provider's last error is raised as it came.
    """

    max_attempts: int = 6
    """Failures after which a call is given up; 1 for no retry, not even of a refusal.

    A refusal (429) that waiting cures hardly counts: the limiter waits it out, and learns from it. It is
    a failure only when, since this call's last one, nobody else on the limiter was answered, and the wait
    before another attempt was over; five times as many refusals end the call in any case."""
    max_wait_s: float = 60.0
    """The longest wait before another attempt; a provider that asks for more ends the call."""
    deadline_s: float | None = None
    """Seconds from the start of the call after which no attempt begins and no wait goes on; None for
    no deadline. An attempt under way is not cut: that is the model's own timeout."""
    retry_on: Callable[[BaseException], bool] | tuple[type[BaseException], ...] | None = None
    """Judges what is no `ModelError`: a function or a tuple of classes. None: connection errors and
    timeouts of httpx and the operating system, and any error with status 408, 409, 429 or 5xx."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    def __init__(
        self,
        max_attempts: int = 6,
        max_wait_s: float = 60.0,
        deadline_s: float | None = None,
        retry_on: Callable[[BaseException], bool] | tuple[type[BaseException], ...] | None = None,
    ) -> None:
        """Take the four settings.

        Raises:
            ConfigurationError: A number is out of its range.
        """
        if max_attempts < 1:
            msg = "max_attempts counts the first call too: a whole number, 1 or more"
            raise ConfigurationError(msg)
        if not max_wait_s >= 0 or (deadline_s is not None and not deadline_s > 0):
            msg = "max_wait_s is 0 or more seconds, deadline_s more than 0 (None for no deadline)"
            raise ConfigurationError(msg)
        super().__init__(
            max_attempts=max_attempts, max_wait_s=max_wait_s, deadline_s=deadline_s, retry_on=retry_on
        )

    def is_retryable(self, error: BaseException) -> bool:
        """Tell whether the very same call may succeed later."""
        if isinstance(error, ProdkitError) or _is_hopeless(error):
            return False
        if isinstance(error, ModelError):
            return bool(error.is_retryable)
        if self.retry_on is None:
            return _is_passing(error)
        if isinstance(self.retry_on, tuple):
            return isinstance(error, self.retry_on)
        return bool(self.retry_on(error))

    def delay_s(self, attempt: int, asked_s: float | None) -> float | None:
        """Say how long to wait after failed `attempt` (1, 2, ...); None for longer than allowed.

        What the provider asked for (`asked_s`) is a floor; without it the delay is a tenth of a second,
        and four times as long after each further failure. Jitter is added, never taken away, so that
        clients do not come back together.
        """
        if asked_s is not None:
            if asked_s > self.max_wait_s:
                return None
            return asked_s + random.uniform(0.0, min(1.0, 0.1 * asked_s))  # noqa: S311
        delay_s = _FIRST_DELAY_S * _GROWTH ** min(attempt - 1, _MOST_DOUBLINGS)
        return min(self.max_wait_s, delay_s * random.uniform(1.0, 1.5))  # noqa: S311


def status_of(error: BaseException) -> int | None:
    """Find the HTTP status an error carries, whoever raised it."""
    for owner in (error, getattr(error, "response", None)):
        status = getattr(owner, "status_code", None)
        if isinstance(status, int):
            return status
    return None


def refuses(error: BaseException) -> bool:
    """Tell whether an error says "too many": then everybody has to wait, not this call alone."""
    return status_of(error) == _TOO_MANY


def headers_of(error: BaseException) -> Mapping[str, object] | None:
    """Give the headers of the response that an error carries; None where there are none."""
    headers = getattr(getattr(error, "response", None), "headers", None)
    return headers if isinstance(headers, Mapping) else None


def retry_after_s(error: BaseException) -> float | None:
    """Read `retry-after-ms` or `retry-after` (seconds or a date); None where there is neither."""
    headers = headers_of(error)
    if headers is None:
        return None
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is None and isinstance(value, str):
        with contextlib.suppress(TypeError, ValueError):
            seconds = max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    return seconds


def _number(value: object) -> float | None:
    with contextlib.suppress(TypeError, ValueError):
        number = float(value)  # type: ignore[arg-type]
        return number if math.isfinite(number) and number >= 0.0 else None
    return None


def _is_hopeless(error: BaseException) -> bool:
    body = getattr(error, "body", None)
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        body = body["error"]
    said = [getattr(error, name, None) for name in ("code", "type")]
    if isinstance(body, Mapping):
        said += [body.get("code"), body.get("type")]
    return any(isinstance(code, str) and code in _HOPELESS_CODES for code in said)


def _is_passing(error: BaseException) -> bool:
    status = status_of(error)
    if status is not None:
        return status in _RETRYABLE_STATUS or status >= _SERVER_ERROR
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    for name in ("httpx", "httpx2"):
        # Who never imported it cannot have raised its errors.
        module = sys.modules.get(name)
        if module is not None and isinstance(
            error, (module.TimeoutException, module.NetworkError, module.RemoteProtocolError)
        ):
            return True
    for name in ("openai", "anthropic"):
        # Chat models give these as `ModelError`s, embedding models as they come.
        failed = getattr(sys.modules.get(name), "APIConnectionError", None)
        if failed is not None and isinstance(error, failed):
            return True
    return False

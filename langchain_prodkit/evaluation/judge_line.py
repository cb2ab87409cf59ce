"""The line to a judge: how long it has been silent, and whether it still makes sense to ask."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables import RunnableBinding

from langchain_prodkit._chat import DelegatingChatModel

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Line"]

_TRY_AGAIN_S: Final = 60.0
"""After this long somebody may ask a judge that was down once more."""
_LOOK_S: Final = 0.5
"""How often a rate limiter is asked whether requests have left its queue."""
_PAUSE_S: Final = 1.0
"""Silence counts on over gaps between calls that are shorter than this."""


class Line:
    """A circuit breaker that counts failures in a row, and seconds of silence while calls wait.

    Any answer proves that the judge lives: a single slow call does not end it while others are
    answered. Time that calls spend in a rate limiter's queue is no silence of the judge.
    """

    def __init__(
        self, model: Any, *, timeout_s: float, breaker_after: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Watch the calls to `model`."""
        self._model = model
        self._timeout_s = timeout_s
        self._breaker_after = breaker_after
        self._now = now
        self._lock = threading.Lock()
        self._open = 0
        self._failures = 0
        self._left_at = 0.0
        self._down_at: float | None = None
        self._asked_at: float | None = None
        # Since when the judge owes an answer; None while no request has reached it.
        self._granted = 0
        self._taken = 0

    @property
    def is_down(self) -> bool:
        """Whether asking is given up."""
        with self._lock:
            if self._down_at is not None and self._now() - self._down_at > _TRY_AGAIN_S:
                self._reset()
                self._failures = self._breaker_after - 1
            return self._down_at is not None

    def begin(self) -> None:
        """Forget what went wrong, for an evaluation that begins; not while another is going on."""
        with self._lock:
            if self._open == 0:
                self._reset()

    def enter(self) -> None:
        """Say that a call begins."""
        with self._lock:
            now = self._now()
            if self._open == 0 and (self._failures == 0 or now - self._left_at > _PAUSE_S):
                self._wait_from(now)
            self._open += 1

    def leave(self) -> None:
        """Say that a call is over, whatever came of it."""
        with self._lock:
            self._open -= 1
            self._left_at = self._now()

    def answered(self) -> None:
        """Note a sign of life: an answer, or an objection to one request."""
        with self._lock:
            self._failures = 0
            self._wait_from(self._now())

    def failed(self) -> None:
        """Count a call that failed for good in a way that says nothing of its row."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._breaker_after and self._down_at is None:
                self._down_at = self._now()

    def left_s(self) -> float:
        """Say how long to wait for a call before asking this again; 0.0 when the judge is given up."""
        with self._lock:
            if self._down_at is not None:
                return 0.0
            now = self._now()
            is_limited = self._look(now)
            if self._asked_at is None:
                return _LOOK_S
            left_s = self._asked_at + self._timeout_s - now
            if left_s <= 0.0:
                self._down_at = now
                return 0.0
            return min(left_s, _LOOK_S) if is_limited else left_s

    def _reset(self) -> None:
        self._failures = 0
        self._down_at = None
        self._wait_from(self._now())

    def _wait_from(self, now: float) -> None:
        self._asked_at = now
        seen = _statistics(self._model)
        if seen is not None:
            self._granted, self._taken = seen.granted, seen.answered + seen.refusals
            self._asked_at = now if seen.in_flight else None

    def _look(self, now: float) -> bool:
        """See what the model's rate limiter, if it has one, knows of calls that it let go."""
        seen = _statistics(self._model)
        if seen is None:
            return False
        taken = seen.answered + seen.refusals
        if taken > self._taken:
            self._wait_from(now)
        elif seen.granted > self._granted and self._asked_at is None:
            self._granted, self._asked_at = seen.granted, now
        return True


def _statistics(model: Any) -> Any:
    while True:
        read = getattr(type(model), "statistics", None)
        if read is not None:
            found = model.statistics()
            if all(hasattr(found, name) for name in ("granted", "in_flight", "answered", "refusals")):
                return found
        if isinstance(model, RunnableBinding):
            model = model.bound
        elif isinstance(model, DelegatingChatModel):
            model = model.model
        else:
            return None

"""The turnstile behind a lock, and the one timer that wakes those who wait at it.

The timer is a thread: no event loop can be trusted to run for as long as somebody in another loop or
thread waits. It is started by the first caller who has to wait, sleeps exactly until the next one may
go, and ends when there has been no line for a while.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.limits.bucket import Cost
    from langchain_prodkit.limits.turnstile import Ticket, Turnstile

T = TypeVar("T")

_IDLE_S: Final = 5.0


@final
class Dispatcher:
    """Shares one turnstile between threads and event loops."""

    def __init__(self, make: Callable[[], Turnstile]) -> None:
        """Open the turnstile that `make` builds."""
        self._make = make
        self._open()

    def _open(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition(threading.Lock())
        self._turnstile = self._make()
        self._endings: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._thread: threading.Thread | None = None
        self._rings_s = math.inf

    def join(
        self, cost: Cost, priority: int, timeout_s: float | None, wake: Callable[[], None], *, is_first: bool
    ) -> Ticket:
        """Stand in line; `wake` is called, from any thread, once a ticket that had to wait need not."""
        if os.getpid() != self._pid:
            # Forked: the timer stayed with the parent, and the lock may be held for ever.
            self._open()
        with self._changed:
            now_s = time.monotonic()
            ticket = self._turnstile.join(
                cost, now_s, priority=priority, timeout_s=timeout_s, is_first=is_first
            )
            self._set_timer(self._pump(now_s))
            # Not before: who passes at once is not waiting to be woken.
            ticket.wake = wake
        self._sweep()
        return ticket

    def end(self, how: Callable[..., None], ticket: Ticket, *args: Any) -> None:
        """Call `how` (a method of the turnstile) for `ticket`, now or, if somebody is at it, in a moment.

        Never waits for the lock: an abandoned coroutine ends its ticket from the garbage collector,
        which may run inside a thread that holds it.
        """
        self._endings.append((how, (ticket, *args)))
        self._sweep()

    def read(self, view: Callable[[Turnstile, float], T]) -> T:
        """Look at the turnstile at one moment."""
        with self._changed:
            now_s = time.monotonic()
            self._set_timer(self._pump(now_s))
            result = view(self._turnstile, now_s)
        self._sweep()
        return result

    def most_tokens(self) -> int:
        """Say how large the largest request is that can ever pass."""
        return self._turnstile.most_tokens or 0

    def _sweep(self) -> None:
        while self._endings and self._changed.acquire(blocking=False):
            try:
                self._set_timer(self._pump(time.monotonic()))
            finally:
                self._changed.release()

    def _pump(self, now_s: float) -> float | None:
        """Book what has ended, wake whose turn it is, and say when the next one's is."""
        turnstile = self._turnstile
        while self._endings:
            how, args = self._endings.popleft()
            how(turnstile, *args, now_s)
        while changed := turnstile.advance(now_s):
            for ticket in changed:
                try:
                    if ticket.wake is not None:
                        ticket.wake()
                except RuntimeError:
                    # The event loop it waited in is closed: the permit goes to the next in line.
                    turnstile.cancel(ticket, now_s)
        return turnstile.next_s(now_s)

    def _set_timer(self, next_s: float | None) -> None:
        if next_s is None or next_s >= self._rings_s:
            return
        self._rings_s = next_s
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="prodkit-limiter", daemon=True)
            self._thread.start()
        else:
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while True:
                now_s = time.monotonic()
                next_s = self._pump(now_s)
                if next_s is not None:
                    self._rings_s = next_s
                    self._changed.wait(max(0.0, next_s - now_s))
                    continue
                self._rings_s = math.inf
                if self._changed.wait(_IDLE_S) or self._endings:
                    continue
                # Somebody may have set the timer between the end of the wait and now.
                if math.isinf(self._rings_s):
                    self._thread = None
                    return

"""Threads that outlive a call and that nothing waits for: a detector that hangs holds up nobody."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as LateError
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Self, final

from langchain_prodkit.errors import RedactionError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TOO_LATE", "Workers"]

TOO_LATE: Final = "the detector did not answer within detector_timeout_s; nothing was sent"

IDLE_S: Final = 10.0
"""How long a thread waits for work before it ends."""


@final
class Workers:
    """Runs functions in threads that are used again; one that hangs is given up, not waited for."""

    def __init__(self) -> None:
        """Start with no thread."""
        self._idle: list[SimpleQueue[tuple[Future[Any], Callable[[], Any]]]] = []
        self._lock = threading.Lock()

    def call(self, function: Callable[[], Any], timeout_s: float | None) -> Any:
        """Give what `function` gives.

        Raises:
            RedactionError: It took longer than `timeout_s` seconds.
        """
        try:
            return self._begun(function).result(timeout_s)
        except LateError:
            raise RedactionError(TOO_LATE) from None

    async def acall(self, function: Callable[[], Any], timeout_s: float | None) -> Any:
        """Do what `call` does, without holding up the event loop."""
        try:
            return await asyncio.wait_for(asyncio.wrap_future(self._begun(function)), timeout_s)
        except TimeoutError:
            raise RedactionError(TOO_LATE) from None

    def _begun(self, function: Callable[[], Any]) -> Future[Any]:
        context = copy_context()
        future: Future[Any] = Future()
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            # A daemon: a detector that never comes back must not keep the program from ending.
            threading.Thread(target=self._work, args=(inbox,), daemon=True, name="prodkit-detector").start()
        inbox.put((future, lambda: context.run(function)))
        return future

    def _work(self, inbox: SimpleQueue[tuple[Future[Any], Callable[[], Any]]]) -> None:
        while True:
            try:
                future, function = inbox.get(timeout=IDLE_S)
            except Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                continue
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function())
                except BaseException as error:  # noqa: BLE001 - the caller's to judge
                    future.set_exception(error)
            del future, function
            with self._lock:
                self._idle.append(inbox)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return type(self)()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

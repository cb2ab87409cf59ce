"""Threads that nobody has to wait for: a call that hangs in one holds up neither a caller nor the exit."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from contextvars import Context, copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Crew", "aside", "each"]

T = TypeVar("T")
Work: TypeAlias = "tuple[Future[Any], Context, Callable[[], Any]]"

_IDLE_S: Final = 10.0


def each(jobs: Sequence[Callable[[], None]], *, width: int) -> None:
    """Do every job, `width` at a time, in threads of their own; return when all are done.

    The first job that raises ends it, as does an interrupt: no further job begins, and those under way
    are left to themselves.
    """
    waiting: SimpleQueue[Callable[[], None]] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    ended: SimpleQueue[BaseException | None] = SimpleQueue()
    is_over = threading.Event()

    def work() -> None:
        try:
            while not is_over.is_set():
                waiting.get_nowait()()
        except Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - the caller's to see, whatever it is
            ended.put(error)
            return
        ended.put(None)

    workers = min(width, len(jobs))
    try:
        for _ in range(workers):
            _start(work)
        for _ in range(workers):
            error = ended.get()
            if error is not None:
                raise error
    finally:
        is_over.set()


async def aside(func: Callable[[], T]) -> T:
    """Await `func()` in a thread of its own; cancelled, it leaves the thread to itself."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result, failed = None, None
        try:
            result = func()
        except BaseException as error:  # noqa: BLE001 - goes to whoever awaits
            failed = error
        try:
            loop.call_soon_threadsafe(settle, result, failed)
        except RuntimeError:
            # The loop was closed meanwhile: nobody awaits it any more.
            return

    _start(work)
    return await done


class Crew:
    """Threads that make calls, kept for the next one; a call that never ends keeps its thread, alone."""

    def __init__(self) -> None:
        """Start without a thread; there are as many as calls were ever under way at a time."""
        self._lock = threading.Lock()
        self._waiting: SimpleQueue[Work] = SimpleQueue()
        self._idle = 0

    def submit(self, func: Callable[[], T]) -> Future[T]:
        """Begin `func()` at once, in the caller's context."""
        future: Future[T] = Future()
        with self._lock:
            is_free = self._idle > 0
            if is_free:
                self._idle -= 1
        if not is_free:
            _start(self._work)
        self._waiting.put((future, copy_context(), func))
        return future

    def _work(self) -> None:
        while True:
            try:
                future, context, func = self._waiting.get(timeout=_IDLE_S)
            except Empty:
                with self._lock:
                    if self._idle > 0:
                        self._idle -= 1
                        return
                # Somebody counts on this thread already.
                continue
            try:
                result = context.run(func)
            except BaseException as error:  # noqa: BLE001 - goes to whoever waits for it
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, context, func
            with self._lock:
                self._idle += 1


def _start(work: Callable[[], None]) -> None:
    # What runs are children of (tracers, callbacks) travels in the context.
    threading.Thread(target=copy_context().run, args=(work,), name="prodkit-evaluation", daemon=True).start()

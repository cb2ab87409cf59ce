"""Threads that nobody has to wait for: a call that hangs in one holds up neither a caller nor the exit."""

from __future__ import annotations

import asyncio
import threading
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["aside", "each"]

T = TypeVar("T")


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


def _start(work: Callable[[], None]) -> None:
    # What runs are children of (tracers, callbacks) travels in the context.
    threading.Thread(target=copy_context().run, args=(work,), name="prodkit-evaluation", daemon=True).start()

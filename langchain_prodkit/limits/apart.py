"""Work of an event loop done for a synchronous caller, whose own thread may have a loop that runs."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, Self, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextvars import Context

__all__ = ["Apart"]

T = TypeVar("T")


@final
class Apart:
    """A few threads for one synchronous call: one with an event loop, the others for what would block it."""

    def __init__(self, width: int) -> None:
        """Allow `width` calls at a time; threads start when they are needed."""
        self._context: Context = copy_context()
        self._pool = ThreadPoolExecutor(width + 1, thread_name_prefix="prodkit-embed")
        self._has_begun = threading.Event()
        self._task: asyncio.Task[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        # A request that was sent and called off ends by itself; nobody waits for it.
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def call(self, func: Callable[..., T], *args: Any) -> T:
        """Await `func(*args)` in a thread."""
        context = self._context.copy()
        return await asyncio.get_running_loop().run_in_executor(self._pool, context.run, func, *args)

    def run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine to its end and give its result; an interrupt cancels it."""
        done = self._pool.submit(self._context.copy().run, self._run, make)
        try:
            return done.result()
        except BaseException:
            if not done.done():  # Ctrl-C
                self._has_begun.wait()
                if self._loop is not None and self._task is not None:
                    self._loop.call_soon_threadsafe(self._task.cancel)
                done.exception()
            raise

    def _run(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        async def main() -> T:
            self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
            self._has_begun.set()
            return await make()

        return asyncio.run(main())

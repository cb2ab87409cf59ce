"""Work in threads of its own: off the event loop, and with an end even when it hangs."""

from __future__ import annotations

import asyncio
import contextvars
import os
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from langchain_prodkit.errors import DetectorTimeoutError

__all__ = ["TimedDetector", "Workers"]

IDLE_S: Final = 30.0
"""A thread without work ends after this."""


class Workers:
    """A few threads, started when there is work and gone when there is none.

    Not `ThreadPoolExecutor`: the interpreter waits for its threads at exit, so that one call that hangs
    would never let a program end. A call that ran out of time keeps its thread until it returns; once
    every thread is stuck in one, new calls wait for their own time and fail.
    """

    def __init__(self, threads: int) -> None:
        """Use up to `threads` at once."""
        self._threads = threads
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._queue: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._running = 0
        self._idle = 0

    def run(self, call: Callable[[], Any], *, timeout_s: float | None) -> Any:
        """Call in a thread and wait.

        Raises:
            DetectorTimeoutError: It took longer than `timeout_s`.
        """
        future = self._submit(call)
        try:
            return future.result(timeout_s)
        except TimeoutError:
            if future.done():
                return future.result()  # the last moment, or an error of the call's own
            future.cancel()
            raise DetectorTimeoutError(_late(timeout_s)) from None

    async def arun(self, call: Callable[[], Any], *, timeout_s: float | None) -> Any:
        """Do what `run` does, while the event loop goes on."""
        future = self._submit(call)
        waiting = asyncio.wrap_future(future)
        done, _ = await asyncio.wait((waiting,), timeout=timeout_s)
        if not done:
            waiting.cancel()
            raise DetectorTimeoutError(_late(timeout_s))
        return waiting.result()

    def _submit(self, call: Callable[[], Any]) -> Future[Any]:
        if self._pid != os.getpid():
            self._reset()  # threads do not survive a fork
        future: Future[Any] = Future()
        context = contextvars.copy_context()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(context.run(call))
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                future.set_exception(error)

        with self._lock:
            self._queue.put(work)
            if self._idle:
                self._idle -= 1
            elif self._running < self._threads:
                self._running += 1
                threading.Thread(target=self._serve, name="prodkit-detector", daemon=True).start()
        return future

    def _serve(self) -> None:
        while True:
            try:
                work = self._queue.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    # Work may have come in between; whoever put it counts on this thread.
                    if not self._queue.empty():
                        continue
                    self._running -= 1
                    self._idle = max(0, self._idle - 1)
                return
            work()
            del work  # holds the texts
            with self._lock:
                if self._queue.empty():
                    self._idle += 1


class TimedDetector:
    """Any `Detector`, with an end: a call that takes longer than `timeout_s` fails and nothing is sent.

    The call runs in one of a few threads of its own. A detector that hangs for good keeps its thread; when
    all of them hang, every further call fails after `timeout_s`.

    Raises (on each call):
        DetectorTimeoutError: The detector did not answer in time.
    """

    def __init__(self, detector: Any, *, timeout_s: float, threads: int = 4) -> None:
        """Wrap `detector`, whose `detect` must be safe to call from `threads` threads at once."""
        self.detector = detector
        self.timeout_s = timeout_s
        self._threads = threads
        self._workers = Workers(threads)
        entities = getattr(detector, "entities", None)
        if entities is not None:
            self.entities = tuple(entities)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.detector, self.timeout_s, self._threads)

    def detect(self, texts: Any) -> Any:
        """Do what the detector does, within `timeout_s`."""
        return self._workers.run(lambda: self.detector.detect(texts), timeout_s=self.timeout_s)

    async def adetect(self, texts: Any) -> Any:
        """Do what the detector does, within `timeout_s`; its own `adetect` is used if it has one."""
        adetect = getattr(self.detector, "adetect", None)
        if adetect is None:
            return await self._workers.arun(lambda: self.detector.detect(texts), timeout_s=self.timeout_s)
        try:
            async with asyncio.timeout(self.timeout_s) as limit:
                return await adetect(texts)
        except TimeoutError:
            if limit.expired():
                raise DetectorTimeoutError(_late(self.timeout_s)) from None
            raise


def _rebuilt(cls: type[TimedDetector], detector: Any, timeout_s: float, threads: int) -> TimedDetector:
    return cls(detector, timeout_s=timeout_s, threads=threads)


def _late(timeout_s: float | None) -> str:
    return f"the detector did not answer within {timeout_s:g} s; nothing was sent"

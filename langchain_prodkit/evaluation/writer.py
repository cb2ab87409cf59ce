"""One daemon thread for what must not happen in a callback: redaction and disk."""

from __future__ import annotations

import logging
import queue
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Writer"]

T = TypeVar("T")

IDLE_S: Final = 2.0
"""A thread without work ends after this time; the next job starts a new one."""

_logger: Final = logging.getLogger(__name__)


class Writer:
    """Runs jobs one after the other, in a thread that exists only while there are any."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a thread now."""
        return self._thread is not None

    def post(self, job: Callable[[], None]) -> None:
        """Have `job` run soon; of an error of its own the log says the class."""
        with self._lock:
            self._jobs.put(job)
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="prodkit-eval-writer", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    # The interpreter is going down, or may start no more threads: who leaves runs the rest.
                    return
                self._thread = thread

    def run(self, job: Callable[[], T], timeout_s: float | None = None) -> T:
        """Run `job` in the thread, after what was posted before, and give its result.

        Raises:
            TimeoutError: It has not ended after `timeout_s`; it will all the same.
        """
        if threading.current_thread() is self._thread:
            return job()
        done: Future[T] = Future()

        def work() -> None:
            try:
                done.set_result(job())
            except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
                done.set_exception(error)

        self.post(work)
        if self._thread is None:
            self._run_all()
        return done.result(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """Let the thread finish what was posted, and run here what it did not get to.

        For the end of the process: no thread may be started then.
        """
        with self._lock:
            thread = self._thread
            if thread is not None:
                self._jobs.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout_s)
            if thread.is_alive():
                return
        self._run_all()

    def _run_all(self) -> None:
        while True:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return
            if job is not None:
                _run(job)

    def _work(self) -> None:
        job: Any = None
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._jobs.empty():
                        self._thread = None
                        return
                continue
            if job is None:
                with self._lock:
                    self._thread = None
                    return
            _run(job)
            job = None  # an idle thread holds nobody's records


def _run(job: Callable[[], None]) -> None:
    try:
        job()
    except Exception as error:  # noqa: BLE001 - one job must not end the thread
        _logger.warning("records could not be written (%s)", type(error).__name__)

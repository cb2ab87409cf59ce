"""How far a long job has come, on the standard error stream."""

from __future__ import annotations

import sys
import threading
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Self

__all__ = ["Progress"]


class Progress:
    """Counts finished rows: a bar where rich is installed, else a line at each tenth; nothing when off.

    May be advanced from any thread.
    """

    def __init__(self, label: str, total: int, *, is_shown: bool) -> None:
        """Prepare to count up to `total`; nothing is written before the `with` block begins."""
        self._label = label
        self._total = total
        self._is_shown = is_shown and total > 0
        self._done = 0
        self._lock = threading.Lock()
        self._bar: Any = None

    def __enter__(self) -> Self:
        if self._is_shown and find_spec("rich") is not None:
            from rich.console import Console  # noqa: PLC0415 - only when something is shown
            from rich.progress import Progress as Bar  # noqa: PLC0415

            self._bar = Bar(console=Console(stderr=True))
            self._bar.add_task(self._label, total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, rows: int = 1) -> None:
        """Say that more rows are finished."""
        if not self._is_shown:
            return
        with self._lock:
            before, self._done = self._done, self._done + rows
            done = self._done
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], rows)
        elif before * 10 // self._total != done * 10 // self._total:
            sys.stderr.write(f"{self._label}: {done} of {self._total}\n")

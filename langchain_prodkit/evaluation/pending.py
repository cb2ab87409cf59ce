"""The records held in memory: bounded, and redacted before anybody gets to see them."""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from langchain_prodkit.evaluation.redaction import Redactor, redacted, redactor

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["PendingRecords"]

_logger: Final = logging.getLogger(__name__)


class PendingRecords:
    """Records in the order in which their runs ended, raw until they are asked for."""

    def __init__(self, *, max_pending: int, redact: Redactor | None) -> None:
        """Hold at most `max_pending` records."""
        self.max_pending = max_pending
        self.redact = redact
        self.recorded = 0
        self.dropped = 0
        self.errors = 0
        self._rewrite = None if redact is None else redactor(redact)
        self._raw: deque[EvalRecord] = deque()
        self._ready: list[EvalRecord] = []
        # `_lock` is held for a moment, also by callbacks; `_handover` while texts are redacted.
        self._lock = threading.Lock()
        self._handover = threading.Lock()
        self._has_warned = False

    def __len__(self) -> int:
        """How many records are held."""
        with self._lock:
            return len(self._raw) + len(self._ready)

    def add(self, record: EvalRecord) -> None:
        """Hold a record, or drop it when there is no room; the first time the log says so."""
        with self._lock:
            if len(self._raw) + len(self._ready) < self.max_pending:
                self._raw.append(record)
                self.recorded += 1
                self.errors += record.error is not None
                return
            self.dropped += 1
            is_first, self._has_warned = not self._has_warned, True
        if is_first:
            _logger.warning(
                "%d records are held and no more are kept; hand them over with log(clear=True) or "
                "dataset(clear=True), raise max_pending, or lower sample_rate",
                self.max_pending,
            )

    def redact_with(self, redact: Redactor) -> None:
        """Use `redact` for the records held and those to come, unless there is a redactor."""
        with self._handover:
            if self._rewrite is None:
                self._rewrite = redactor(redact)
                self.redact = redact
                with self._lock:
                    self._raw.extendleft(reversed(self._ready))
                    self._ready.clear()

    def ready(self) -> tuple[EvalRecord, ...]:
        """Redact what came since the last time, in the caller's thread, and give all records."""
        with self._handover:
            while self._raw:
                raw = self._raw[0]
                ready = self._redacted(raw)
                with self._lock:
                    self._raw.popleft()
                    if ready is not None:
                        self._ready.append(ready)
                        continue
                    self.recorded -= 1
                    self.errors -= raw.error is not None
                    self.dropped += 1
            return tuple(self._ready)

    def forget(self, records: Iterable[EvalRecord]) -> None:
        """Hold these records no longer."""
        gone = {record.id for record in records}
        with self._handover, self._lock:
            self._ready = [record for record in self._ready if record.id not in gone]

    def _redacted(self, record: EvalRecord) -> EvalRecord | None:
        if self._rewrite is None:
            return record
        try:
            return redacted(record, self._rewrite)
        except Exception as error:  # noqa: BLE001 - whatever it was, the text must not leave
            _logger.warning("a record was dropped: its redaction failed (%s)", type(error).__name__)
            return None

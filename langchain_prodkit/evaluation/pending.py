"""The records held: bounded, redacted before anybody gets to see them, and past the bound on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from langchain_prodkit.errors import EvaluationError, RecordsFullError, UnknownRunError
from langchain_prodkit.evaluation.archive import BATCH, Archive, Note
from langchain_prodkit.evaluation.record import EvalRecord, Feedback
from langchain_prodkit.evaluation.redaction import Redactor, redacted, redactor
from langchain_prodkit.evaluation.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from langchain_prodkit.evaluation.spool import Spool

__all__ = ["OnFull", "PendingRecords"]

T = TypeVar("T")
OnFull = Literal["drop_new", "drop_oldest", "raise"]

BACKLOG: Final = 10_000
"""Records that may wait, beyond `max_pending`, for a writer that is behind."""
RETRY_S: Final = 5.0
"""A disk that refused is tried again after this time."""
EXIT_S: Final = 10.0
"""How long the end of the process waits for the writer."""

_REPEATED: Final = "#"
"""Between an id and its number, where two records have the same one."""

_logger: Final = logging.getLogger(__name__)


class PendingRecords:
    """Records in the order in which their runs ended, raw until the writer's thread has redacted them."""

    def __init__(
        self,
        *,
        max_pending: int,
        redact: Redactor | None,
        spool: Spool | None = None,
        on_full: OnFull = "drop_new",
    ) -> None:
        """Hold at most `max_pending` records in memory."""
        self.max_pending = max_pending
        self.redact = redact
        self.archive = None if spool is None else Archive(spool)
        self.on_full: OnFull = on_full
        self._rewrite = None if redact is None else redactor(redact)
        self._start_over()

    def _start_over(self) -> None:
        self.recorded = 0
        self.dropped = 0
        self.errors = 0
        self._raw: deque[EvalRecord] = deque()
        self._ready: deque[EvalRecord] = deque()
        self._late: list[Note] = []
        """Feedback that came after the record; raw."""
        self._notes: list[Note] = []
        """Feedback on records on disk, redacted."""
        # `_lock` is held for a moment, also by callbacks; `_handover` while texts are redacted or written.
        self._lock = threading.Lock()
        self._handover = threading.Lock()
        self._writer = Writer()
        self._has_warned = False
        self._is_woken = False
        self._blocked_s: float | None = None
        """When the spool last had no room, or the disk refused."""

    def __len__(self) -> int:
        """How many records are in memory."""
        with self._lock:
            return len(self._raw) + len(self._ready)

    # -- taking in: called by callbacks, never waits ---------------------------------------------------

    def add(self, record: EvalRecord) -> None:
        """Hold a record; where there is no room do as `on_full` says, and tell the log the first time.

        Raises:
            RecordsFullError: There is no room and `on_full` is `"raise"`; the record is dropped.
        """
        is_kept, is_lost, wakes = True, False, False
        with self._lock:
            held = len(self._raw) + len(self._ready)
            if held < self.max_pending or self._may_wait(held):
                self._raw.append(record)
            elif self.on_full == "drop_oldest":
                oldest = (self._ready or self._raw).popleft()
                self._lose(1, errors=oldest.error is not None)
                self._raw.append(record)
                is_lost = True
            else:
                self.dropped += 1
                is_kept, is_lost = False, True
            if is_kept:
                self.recorded += 1
                self.errors += record.error is not None
            if is_lost:
                is_lost, self._has_warned = not self._has_warned, True
            if self.archive is not None and held + 1 >= self.max_pending and self._may_try():
                wakes = self._is_woken = True
        if wakes:
            self._writer.post(self._store)
        if is_lost:
            self._warn()
        if not is_kept and self.on_full == "raise":
            raise RecordsFullError(held)

    def ensure_room(self) -> None:
        """Refuse a run before it starts if its record would have to be dropped.

        Raises:
            RecordsFullError: There is no room now.
        """
        with self._lock:
            held = len(self._raw) + len(self._ready)
            if held < self.max_pending or self._may_wait(held):
                return
            wakes = self.archive is not None and self._may_try()
            self._is_woken |= wakes
        if wakes:
            self._writer.post(self._store)
        raise RecordsFullError(held)

    def _may_wait(self, held: int) -> bool:
        return self.archive is not None and self._blocked_s is None and held < self.max_pending + BACKLOG

    def _may_try(self) -> bool:
        if self._is_woken:
            return False
        return self._blocked_s is None or time.monotonic() - self._blocked_s > RETRY_S

    def _warn(self) -> None:
        which = "the oldest are dropped" if self.on_full == "drop_oldest" else "no more are kept"
        full = "" if self.archive is None else ", the spool is full"
        _logger.warning(
            "%d records are held%s and %s; hand them over with log(clear=True) or dataset(clear=True), "
            "raise max_pending%s, or lower sample_rate",
            self.max_pending,
            full,
            which,
            " or give spool_dir" if self.archive is None else " or max_spool_bytes",
        )

    # -- giving out ------------------------------------------------------------------------------------

    def redact_with(self, redact: Redactor) -> None:
        """Use `redact` for the records held and those to come, unless there is a redactor."""
        with self._handover:
            if self._rewrite is None:
                self._rewrite = redactor(redact)
                self.redact = redact
                with self._lock:
                    self._raw.extendleft(reversed(self._ready))
                    self._ready.clear()
                    self._late[:0] = self._notes
                    self._notes.clear()

    def ready(self) -> tuple[EvalRecord, ...]:
        """Give all records, redacted, those on disk first."""
        return self._do(self._all)

    def forget(self, records: Iterable[EvalRecord]) -> None:
        """Hold these records no longer, in memory or on disk."""
        gone = list(records)
        self._do(lambda: self._forget(gone))

    def take(self) -> tuple[EvalRecord, ...]:
        """Give all records, and hold them no longer."""

        def take() -> tuple[EvalRecord, ...]:
            records = self._all()
            self._forget(records)
            return records

        return self._do(take)

    def flush(self, timeout_s: float | None) -> bool:
        """Redact what came so far and, where there is a spool, write it; False when that did not happen."""
        try:
            return self._do(lambda: self._stored(lasts=True), timeout_s)
        except TimeoutError:
            return False

    def say(self, identity: str, feedback: Feedback) -> None:
        """Keep feedback on a record that is held.

        Raises:
            UnknownRunError: No such record is held.
        """
        with self._lock:
            is_known = any(record.id == identity for held in (self._raw, self._ready) for record in held)
            if is_known:
                self._late.append((identity, feedback))
                return
        archive = self.archive
        if archive is not None and self._do(lambda: archive.has(identity)):
            with self._lock:
                self._late.append((identity, feedback))
            return
        msg = "no record of this run is held: it was not chosen, was dropped, or was handed over already"
        raise UnknownRunError(msg)

    def leave(self) -> None:
        """Bring everything to disk and let go of it, at the end of the process."""
        if self.archive is not None:
            self._writer.stop(EXIT_S)
            with self._handover:
                self._stored(lasts=True)
                self.archive.spool.release()

    def leave_soon(self, then: Callable[[], None]) -> None:
        """Do what `leave` does in the writer's thread: the owner is gone, the process goes on."""
        if self.archive is not None:
            self._writer.post(self._store)
            self._writer.post(self.archive.spool.release)
            self._writer.post(then)

    def release(self) -> None:
        """Let other processes take up what is on disk."""
        if self.archive is not None:
            self._do(self.archive.spool.release)

    def start_over_after_fork(self) -> None:
        """Begin empty in a forked process: what was held is its parent's to hand over."""
        if self.archive is not None:
            self.archive.spool.abandon()
        self._start_over()

    # -- in the writer's thread ------------------------------------------------------------------------

    def _do(self, job: Callable[[], T], timeout_s: float | None = None) -> T:
        def alone() -> T:
            with self._handover:
                return job()

        if self.archive is None and self._rewrite is None:
            return alone()
        return self._writer.run(alone, timeout_s)

    def _store(self) -> None:
        with self._handover:
            self._stored(lasts=False)

    def _stored(self, *, lasts: bool) -> bool:
        """Do the writer's work; with `lasts`, so that it outlives a power cut, which takes longer."""
        with self._lock:
            self._is_woken = False
        self._make_ready()
        if self.archive is None:
            return True
        failure = None
        try:
            is_done = self._write_all(self.archive)
            if lasts:
                self.archive.spool.sync()
        except OSError as error:
            is_done, failure = False, error.strerror or type(error).__name__
        with self._lock:
            self._blocked_s = None if is_done else time.monotonic()
        if failure is not None:
            _logger.warning("the spool cannot be written (%s); records are kept in memory", failure)
        return is_done

    def _write_all(self, archive: Archive) -> bool:
        is_redacted = self._rewrite is not None
        spool = archive.spool
        while batch := self._first():
            discarded = spool.discarded
            written = archive.add(batch, is_redacted=is_redacted)
            with self._lock:
                # Only this thread takes from the front, but for `drop_oldest` when the disk refuses.
                for record in batch[:written]:
                    if self._ready and self._ready[0] is record:
                        self._ready.popleft()
                lost = spool.discarded - discarded
                self._lose(lost)
                is_first = lost > 0 and not self._has_warned
                self._has_warned |= is_first
            if is_first:
                self._warn()
            if written < len(batch):
                return False
        written = archive.say(self._notes, is_redacted=is_redacted)
        del self._notes[:written]
        return not self._notes

    def _first(self) -> list[EvalRecord]:
        with self._lock:
            return list(islice(self._ready, BATCH))

    def _make_ready(self) -> None:
        """Redact what came since the last time, and give the records the feedback that came late."""
        while True:
            with self._lock:
                if not self._raw:
                    late, self._late = self._late, []
                    break
                raw = self._raw[0]
            ready = self._redacted(raw)
            with self._lock:
                # `drop_oldest` may have taken it meanwhile.
                if self._raw and self._raw[0] is raw:
                    self._raw.popleft()
                    if ready is not None:
                        self._ready.append(ready)
                    else:
                        self._lose(1, errors=raw.error is not None)
        for identity, feedback in late:
            said = self._redacted(EvalRecord(identity, feedback=(feedback,)))
            if said is not None and not self._attached(said):
                self._notes.append((identity, said.feedback[0]))

    def _attached(self, said: EvalRecord) -> bool:
        with self._lock:
            for at, record in enumerate(self._ready):
                if record.id == said.id:
                    self._ready[at] = replace(record, feedback=(*record.feedback, *said.feedback))
                    return True
        return False

    def _lose(self, count: int, *, errors: int = 0) -> None:
        self.recorded -= count
        self.errors -= errors
        self.dropped += count

    def _all(self) -> tuple[EvalRecord, ...]:
        self._make_ready()
        with self._lock:
            ready = list(self._ready)
        if self.archive is None:
            return tuple(_distinct(ready))
        clean = None if self._rewrite is None else self._redacted
        try:
            stored = self.archive.records(clean, self._notes)
        except OSError as error:
            msg = f"the spool cannot be read ({error.strerror or type(error).__name__})"
            raise EvaluationError(msg) from None
        return tuple(_distinct([*stored, *ready]))

    def _forget(self, records: Iterable[EvalRecord]) -> None:
        gone = {record.id.partition(_REPEATED)[0] for record in records}
        with self._lock:
            self._ready = deque(record for record in self._ready if record.id not in gone)
            self._notes = [note for note in self._notes if note[0] not in gone]
            self._blocked_s = None
        if self.archive is not None:
            self.archive.forget(gone)

    def _redacted(self, record: EvalRecord) -> EvalRecord | None:
        if self._rewrite is None:
            return record
        try:
            return redacted(record, self._rewrite)
        except Exception as error:  # noqa: BLE001 - whatever it was, the text must not leave
            _logger.warning("a record was dropped: its redaction failed (%s)", type(error).__name__)
            return None


def _distinct(records: Iterable[EvalRecord]) -> Iterator[EvalRecord]:
    """Number the ids that repeat: callers may choose a run's id, but a data set has each one once."""
    seen: set[str] = set()
    for record in records:
        number, identity = 1, record.id
        while identity in seen:
            number += 1
            identity = f"{record.id}{_REPEATED}{number}"
        seen.add(identity)
        yield record if number == 1 else replace(record, id=identity)

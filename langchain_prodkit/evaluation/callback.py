"""`MLflowEvalCallback`: one record for each root run, taken without I/O while the chain works."""

from __future__ import annotations

import dataclasses
import math
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self
from uuid import UUID

from typing_extensions import override

from langchain_prodkit.errors import ConfigurationError, EvaluationError, RecordsFullError
from langchain_prodkit.evaluation.checks import Check, checked_names, run_checks
from langchain_prodkit.evaluation.counts import CallbackStatistics
from langchain_prodkit.evaluation.lifetime import leave_at_the_end, start_over_in_forks, watch_child
from langchain_prodkit.evaluation.listener import RunListener
from langchain_prodkit.evaluation.pending import OnFull, PendingRecords
from langchain_prodkit.evaluation.record import EvalRecord, Feedback
from langchain_prodkit.evaluation.redaction import Redactor
from langchain_prodkit.evaluation.spool import Spool
from langchain_prodkit.evaluation.tree import OpenRoot, RunTree
from langchain_prodkit.evaluation.trimming import trimmed, weight

if TYPE_CHECKING:
    from types import TracebackType

    from langchain_prodkit.evaluation.dataset import EvalDataset
    from langchain_prodkit.evaluation.metrics import Metric

__all__ = ["CallbackStatistics", "MLflowEvalCallback", "is_error"]

MIN_RECORD_BYTES: Final = 1000


def is_error(record: EvalRecord) -> bool:
    """Tell whether a run failed: what `always_keep` keeps by default."""
    return record.error is not None


class MLflowEvalCallback(RunListener):
    """Record every root run of the chains it is given to, and log them as one MLflow evaluation.

    ```python
    record = MLflowEvalCallback(experiment="support desk", redact=PresidioDetector())
    chain.invoke(question, config={"callbacks": [record]})
    run_id = record.log()
    ```

    While a chain runs the callback only keeps references and plain copies: no disk, no network, no
    import of MLflow. One instance may be shared by any number of threads and tasks.

    Without `redact` records hold the raw text of users, documents and models, and so does whatever
    they are written to. With it every text passes through it, in one thread of the callback's own,
    before anything is handed out or written; a record whose redaction fails is dropped and counted,
    never stored raw. Until then texts wait raw in this process's memory; a pickle of the callback
    carries its settings and no records.

    At most `max_pending` records are held in memory. Past that they go to `spool_dir`, when there is
    one: that thread writes them to files of at most `max_spool_bytes`, `dataset()` and `log()` read both,
    and what is held reaches the disk at `close()` and at the end of the process. A process that is
    killed loses what was in memory; what it wrote is taken up by the next callback with the same folder
    that hands records over, and by one only. Without `spool_dir`, or when it is full, records are dropped
    as `on_full` says, counted, and the log says so once. A record that went to a data set or to MLflow
    stays held until it is cleared.

    Beside `mlflow.langchain.autolog()` both record, and both are paid: MLflow's tracer costs about fifty
    times as much as this callback.
    """

    def __init__(
        self,
        *,
        experiment: str | None = None,
        tracking_uri: str | Path | None = None,
        sample_rate: float = 1.0,
        always_keep: Callable[[EvalRecord], bool] | None = is_error,
        redact: Redactor | None = None,
        checks: Sequence[Check] = (),
        max_pending: int = 1000,
        max_record_bytes: int | None = 256_000,
        spool_dir: str | os.PathLike[str] | None = None,
        max_spool_bytes: int = 256_000_000,
        on_full: OnFull = "drop_new",
        max_open: int = 10_000,
        include_tools: bool = False,
    ) -> None:
        """Set where `log` writes and what is recorded.

        Args:
            experiment: Name of the MLflow experiment; see `EvalReport.log_to_mlflow`.
            tracking_uri: Address or file of the MLflow store; see `EvalReport.log_to_mlflow`.
            sample_rate: Share of root runs to record, 0.0 to 1.0, chosen at random.
            always_keep: Asked about each finished run outside the sample whether to record it all the
                same; by default those that failed are. It works while the caller waits, and must not
                change the record. None to record the sample alone, which saves their cost.
            redact: A function from text to text, or anything with `.detect(texts)` that gives spans
                with `start`, `end` and `entity` (a `PresidioDetector`): those become `<ENTITY>`.
            checks: Judge each answer when it is given; the names of those that fail stand in the
                record's `flags`. They work while the caller waits, so within a millisecond, and see the
                raw text. To keep an answer from the user, use `OutputCheckRunnable`.
            max_pending: Records held in memory at most.
            max_record_bytes: Texts of a record are cut to fit together, the longest first, each with a
                note of how much was left out; None to hold answers of any size.
            spool_dir: Folder for records past `max_pending`; made if need be, for this user alone.
            max_spool_bytes: What this callback may hold there.
            on_full: When there is no room: drop the new record, drop the oldest, or raise
                `RecordsFullError` in the chain (before a run starts, and at the end of one that did).
            max_open: Root runs followed at once; past that the oldest is given up (a stream that
                nobody closed never ends).
            include_tools: Count what tools gave among the contexts, beside what retrievers gave.

        Raises:
            ConfigurationError: A number is out of range, `redact` or a check is of the wrong form, or
                `spool_dir` cannot be written.
        """
        if not 0.0 <= sample_rate <= 1.0:
            msg = "sample_rate must lie between 0.0 and 1.0"
            raise ConfigurationError(msg)
        if max_pending < 1 or max_open < 1:
            msg = "max_pending and max_open must be at least 1"
            raise ConfigurationError(msg)
        if (max_record_bytes is not None and max_record_bytes < MIN_RECORD_BYTES) or max_spool_bytes < 1:
            msg = (
                f"max_record_bytes must be at least {MIN_RECORD_BYTES} (or None), max_spool_bytes at least 1"
            )
            raise ConfigurationError(msg)
        if on_full not in {"drop_new", "drop_oldest", "raise"}:
            msg = "on_full is 'drop_new', 'drop_oldest' or 'raise'"
            raise ConfigurationError(msg)
        if always_keep is not None and not callable(always_keep):
            msg = "always_keep is a function from a record to True or False, or None"
            raise ConfigurationError(msg)
        super().__init__(
            sample_rate=sample_rate,
            keeps=always_keep is not None,
            max_open=max_open,
            include_tools=include_tools,
        )
        self._experiment = experiment
        self._tracking_uri = tracking_uri
        self._always_keep = always_keep
        self._checks = checked_names(checks)
        self._max_record_bytes = max_record_bytes
        self._spool_dir = None if spool_dir is None else os.fspath(spool_dir)
        self._max_spool_bytes = max_spool_bytes
        spool = None
        if self._spool_dir is not None:
            spool = Spool(self._spool_dir, max_bytes=max_spool_bytes, drops_oldest=on_full == "drop_oldest")
        self._pending = PendingRecords(max_pending=max_pending, redact=redact, spool=spool, on_full=on_full)
        # LangChain swallows what a handler raises, unless the handler says otherwise.
        self.raise_error = on_full == "raise"
        self._flagged = self._check_errors = self._truncated = 0
        self._is_watched = spool is None
        if spool is not None:
            leave_at_the_end(self, self._pending)
        start_over_in_forks(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.statistics()})"

    def __deepcopy__(self, memo: Any) -> Self:
        # A copy of a chain keeps reporting to the same place.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # Rebuilt from its configuration, never its contents: a pickle is a store too.
        return _rebuild, (
            type(self),
            {
                "experiment": self._experiment,
                "tracking_uri": self._tracking_uri,
                "sample_rate": self._sample_rate,
                "always_keep": self._always_keep,
                "redact": self._pending.redact,
                "checks": self._checks,
                "max_pending": self._pending.max_pending,
                "max_record_bytes": self._max_record_bytes,
                "spool_dir": self._spool_dir,
                "max_spool_bytes": self._max_spool_bytes,
                "on_full": self._pending.on_full,
                "max_open": self._tree.max_open,
                "include_tools": self._include_tools,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- handing over -----------------------------------------------------------------------------

    @property
    def redacts(self) -> bool:
        """Whether a redactor stands between memory and every store."""
        return self._pending.redact is not None

    def redact_with(self, redact: Redactor) -> Self:
        """Use `redact` from now on, for the records already held too, unless one was given before.

        Raises:
            ConfigurationError: `redact` is neither a callable nor has `.detect(texts)`.
        """
        self._pending.redact_with(redact)
        return self

    @property
    def records(self) -> tuple[EvalRecord, ...]:
        """The records held, redacted, in the order in which their runs ended."""
        return self._pending.ready()

    def statistics(self) -> CallbackStatistics:
        """Count what became of the runs so far."""
        tree, pending = self._tree, self._pending
        spool = None if pending.archive is None else pending.archive.spool
        return CallbackStatistics(
            seen=tree.seen,
            sampled=tree.sampled,
            recorded=pending.recorded,
            held=len(pending),
            spooled=0 if spool is None else spool.records,
            taken_up=0 if spool is None else spool.taken_up,
            dropped=pending.dropped + tree.given_up,
            open=tree.open,
            errors=pending.errors,
            flagged=self._flagged,
            check_errors=self._check_errors,
            truncated=self._truncated,
        )

    def flush(self, timeout_s: float = 30.0) -> bool:
        """Have what was recorded so far redacted and, with `spool_dir`, written to disk.

        Waits for that, at most `timeout_s` seconds. False when it was not done by then (it goes on), or
        when the disk had no room.
        """
        return self._pending.flush(timeout_s)

    def dataset(self, *, clear: bool = False) -> EvalDataset:
        """Give the records held, in memory and on disk, as a data set; with `clear`, hand them over.

        Raises:
            EvaluationError: The spool cannot be read.
        """
        # A data set runs chains under a callback of its own, so it imports this module.
        from langchain_prodkit.evaluation.dataset import EvalDataset  # noqa: PLC0415

        return EvalDataset(self._pending.take() if clear else self._pending.ready())

    def log(
        self,
        metrics: Sequence[Metric] | None = None,
        *,
        run_name: str | None = None,
        clear: bool | None = None,
    ) -> str:
        """Score the records held and write them as one MLflow run; give the run's id.

        With `clear` the records are held no longer once they are written; by default that is so with
        `spool_dir`, or what is on disk would be sent again. When the store fails nothing is lost: the
        records are held on, on disk where there is a `spool_dir`, and the next `log` sends them.

        Raises:
            EvaluationError: Nothing was recorded, or the spool cannot be read.
            StoreError: The store cannot be written; the records are still held.
            MissingExtraError: MLflow is not installed.
        """
        from langchain_prodkit.evaluation.scoring import evaluate  # noqa: PLC0415 - see dataset

        dataset = self.dataset()
        try:
            run_id = evaluate(dataset, metrics).log_to_mlflow(
                experiment=self._experiment, tracking_uri=self._tracking_uri, run_name=run_name
            )
        except BaseException:
            if self._spool_dir is not None:
                self.flush()
            raise
        if self._spool_dir is not None if clear is None else clear:
            self._pending.forget(dataset.rows)
        return run_id

    def feedback(
        self,
        run_id: UUID | str,
        name: str,
        value: float | bool | str,
        rationale: str | None = None,
        *,
        source: str = "human",
    ) -> None:
        """Add what somebody thought of an answer to its record, or to the run if it is still going on.

        Args:
            run_id: The root run's id; choose it with `config={"run_id": uuid4()}`.
            name: What was judged, e.g. `helpful`; fixed by the application.
            value: A number, yes or no, or a word.
            rationale: Why; goes through `redact` like the texts of the run.
            source: Who says so.

        Raises:
            UnknownRunError: The run was not chosen, was dropped, or its record was handed over already.
            EvaluationError: The value is of another type, or not finite.
        """
        is_value = math.isfinite(value) if isinstance(value, int | float) else isinstance(value, str)
        if not name or not is_value:
            msg = "feedback needs a name, and a finite number, True, False or a text as its value"
            raise EvaluationError(msg)
        said = Feedback(name, value, rationale, source)
        root = run_id if isinstance(run_id, UUID) else _uuid(run_id)
        with self._lock:
            if root is not None and self._tree.say(root, said):
                return
        self._pending.say(str(run_id) if root is None else str(root), said)

    def close(self) -> None:
        """Start no new records, and bring those held to disk where there is a `spool_dir`.

        Runs going on are recorded when they end. Records can still be read, unless another callback
        with the same `spool_dir` took them up.
        """
        self._is_closed = True
        self.flush()
        self._pending.release()

    # -- what the listener tells -------------------------------------------------------------------

    @override
    def _planted(self) -> None:
        if self.raise_error:
            self._pending.ensure_room()

    @override
    def _finished(self, root: OpenRoot, output: Any, error: BaseException | None, value: Any) -> None:
        if not root.is_sampled and error is None and self._always_keep is is_error:
            root.release()
            return
        record = root.record(output, error, value)
        errors = 0
        if self._checks and error is None:
            outcome = run_checks(self._checks, record)
            errors = outcome.errors
            if outcome.failed:
                record = dataclasses.replace(record, flags=outcome.failed)
        if not root.is_sampled and not self._wants(record):
            return
        limit = self._max_record_bytes
        is_cut = limit is not None and weight(record) > limit
        if limit is not None and is_cut:
            record = trimmed(record, limit)
        if is_cut or record.flags or not root.is_sampled:
            with self._lock:
                self._tree.sampled += not root.is_sampled
                self._flagged += bool(record.flags)
                self._check_errors += errors
                self._truncated += is_cut
        if not self._is_watched:
            self._is_watched = True
            watch_child(self._pending)
        try:
            self._pending.add(record)
        except RecordsFullError:
            # The error that ended the run is the one that its caller must see.
            if error is None:
                raise

    def _wants(self, record: EvalRecord) -> bool:
        try:
            return self._always_keep is not None and bool(self._always_keep(record))
        except Exception:  # noqa: BLE001 - rather one record too many
            return True

    def start_over_after_fork(self) -> None:
        """Begin empty in a forked process: runs and records are its parent's to hand over."""
        self._lock = threading.Lock()
        self._tree = RunTree(max_open=self._tree.max_open)
        self._pending.start_over_after_fork()
        self._flagged = self._check_errors = self._truncated = 0
        self._is_watched = self._spool_dir is None


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _rebuild(cls: type[MLflowEvalCallback], arguments: dict[str, Any]) -> MLflowEvalCallback:
    return cls(**arguments)

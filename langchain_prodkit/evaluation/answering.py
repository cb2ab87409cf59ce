"""Run a chain on every row of a data set, once; what is finished stays finished."""

from __future__ import annotations

import json
import threading
import uuid
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from langchain_core.runnables import Runnable
from typing_extensions import override

from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.callback import MLflowEvalCallback
from langchain_prodkit.evaluation.plain import plain
from langchain_prodkit.evaluation.progress import Progress
from langchain_prodkit.evaluation.record import EvalRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from langchain_core.runnables import RunnableConfig

__all__ = ["answered"]


def answered(
    rows: Sequence[EvalRecord],
    chain: Runnable[Any, Any],
    *,
    max_concurrency: int,
    is_shown: bool,
    resume: Path | None,
) -> Steps[tuple[EvalRecord, ...]]:
    """Give the rows with their answers, in order; rows that `resume` holds an answer of are not asked."""
    kept = {} if resume is None else _kept(resume, rows)
    open_rows = [row for row in rows if row.id not in kept]
    runs = [uuid.uuid4() for _ in open_rows]
    # Each run's record is taken as it ends, so that no more of them wait than run at once.
    recorder = MLflowEvalCallback(max_pending=len(rows) + 1, max_open=len(rows) + 1, max_record_bytes=None)
    configs: list[RunnableConfig] = [
        {"run_id": run, "callbacks": [recorder], "max_concurrency": max_concurrency} for run in runs
    ]
    made: dict[str, EvalRecord] = {}
    with ExitStack() as stack:
        stack.callback(recorder.close)
        bar = stack.enter_context(Progress("answering", len(rows), is_shown=is_shown))
        bar.advance(len(kept))
        taking = _Taking(recorder, dict(zip(map(str, runs), open_rows, strict=True)), bar)
        if resume is not None:
            taking.file = stack.enter_context(_opened(resume))
        if open_rows:
            # The plain form of batch: one invoke a row.
            yield Call(
                Runnable.batch,
                Runnable.abatch,
                _Taken(chain, taking.take),
                [row.input for row in open_rows],
                configs,
                return_exceptions=True,
            )
        made = taking.rows
    if taking.failed is not None:
        raise taking.failed
    return tuple(kept[row.id] if row.id in kept else made[row.id] for row in rows)


class _Taking:
    """Makes a row of a run that has ended, and writes it down."""

    def __init__(self, recorder: MLflowEvalCallback, asked: Mapping[str, EvalRecord], bar: Progress) -> None:
        self.rows: dict[str, EvalRecord] = {}
        self.file: TextIO | None = None
        self.failed: EvaluationError | None = None
        self._recorder = recorder
        self._asked = asked
        self._bar = bar
        self._records: dict[str, EvalRecord] = {}
        self._lock = threading.Lock()

    def take(self, run: str, result: Any) -> None:
        row = self._asked[run]
        with self._lock:
            for record in self._recorder.dataset(clear=True):
                self._records[record.id] = record
            done = _finished(row, self._records.pop(run, None), result)
            self.rows[row.id] = done
            if self.file is not None and self.failed is None:
                try:
                    self.file.write(json.dumps(done.to_dict()) + "\n")
                    self.file.flush()
                except OSError as error:
                    self.failed = _unwritable(error)
        self._bar.advance()


class _Taken(Runnable[Any, Any]):
    """The chain itself; tells `take` what came of each run."""

    def __init__(self, chain: Runnable[Any, Any], take: Callable[[str, Any], None]) -> None:
        self._chain = chain
        self._take = take

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        run = _run_id(config)
        try:
            result = self._chain.invoke(input, config, **kwargs)
        except Exception as error:
            self._take(run, error)
            raise
        self._take(run, result)
        return result

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        run = _run_id(config)
        try:
            result = await self._chain.ainvoke(input, config, **kwargs)
        except Exception as error:
            self._take(run, error)
            raise
        self._take(run, result)
        return result


def _run_id(config: RunnableConfig | None) -> str:
    return str((config or {})["run_id"])


def _finished(row: EvalRecord, record: EvalRecord | None, result: Any) -> EvalRecord:
    if record is None:
        # Something that reports no run of its own, such as a bare function of another library.
        error = type(result).__name__ if isinstance(result, Exception) else None
        return EvalRecord.from_dict(
            {**row.to_dict(), "output": None if error else result, "error": error, "error_code": None}
        )
    return replace(
        record,
        id=row.id,
        input=row.input,
        expected=row.expected,
        contexts=record.contexts or row.contexts,
        tags=row.tags,
        metadata=row.metadata,
    )


def _kept(path: Path, rows: Sequence[EvalRecord]) -> dict[str, EvalRecord]:
    """Read the answers of an earlier run; a line that was cut off is asked again."""
    if not path.exists():
        return {}
    asked = {row.id: row for row in rows}
    found: dict[str, EvalRecord] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise _unwritable(error) from None
    for line in lines:
        try:
            done = EvalRecord.from_dict(json.loads(line))
        except (ValueError, TypeError, AttributeError, EvaluationError):
            continue
        if done.id not in asked or done.input != plain(asked[done.id].input):
            raise EvaluationError(
                "resume= names a file with answers to other questions; give each data set a file of its own"
            )
        if done.error is None and done.output is not None:
            found[done.id] = replace(
                done,
                input=asked[done.id].input,
                expected=asked[done.id].expected,
                metadata=asked[done.id].metadata,
            )
    return found


def _opened(path: Path) -> TextIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8", newline="\n")
        # What follows a line that was cut off must not become part of it.
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            file.write("\n")
    except OSError as error:
        raise _unwritable(error) from None
    return file


def _unwritable(error: OSError) -> EvaluationError:
    return EvaluationError(
        f"the file given as resume= cannot be used: {error.strerror or type(error).__name__}"
    )

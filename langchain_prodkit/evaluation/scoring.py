"""Score a data set with metrics: every row, once; what could not run says why."""

from __future__ import annotations

import asyncio
import math
import re
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._steps import Steps, adrive, drive
from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics import Metric, Score, default_metrics
from langchain_prodkit.evaluation.progress import Progress
from langchain_prodkit.evaluation.report import EvalReport, RowScores, summarised
from langchain_prodkit.evaluation.workers import aside, each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence

    from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["aevaluate", "evaluate", "score_row"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_NO_NUMBER: Final = "not a finite number"


def evaluate(
    dataset: EvalDataset | Iterable[EvalRecord | Mapping[str, Any]],
    metrics: Sequence[Metric] | None = None,
    *,
    concurrency: int = 8,
    progress: bool = False,
) -> EvalReport:
    """Score every row with every metric; no network and no store, unless a metric asks for one.

    A metric that lacks what it needs on a row is skipped there with its reason, one that raises (or
    gives no finite number) is counted as an error of that row: neither enters the mean. Metrics that
    run here are finished before the first judge is asked, so a judge that is down costs none of them.

    Works in a notebook too, where an event loop runs already; an interrupt ends it at once.

    Args:
        dataset: Rows with answers; anything that `EvalDataset.from_records` takes.
        metrics: Metrics with different names; default `default_metrics()`.
        concurrency: Rows that metrics with an `ascore` (judges) work on at a time, over all of them.
        progress: Show on the standard error stream how far it has come.

    Raises:
        EvaluationError: There are no rows, or two have the same id.
        ConfigurationError: There are no metrics, two have the same name, one is not a metric, or
            `concurrency` is less than 1.
    """
    return drive(_steps(dataset, metrics, concurrency, is_shown=progress))


async def aevaluate(
    dataset: EvalDataset | Iterable[EvalRecord | Mapping[str, Any]],
    metrics: Sequence[Metric] | None = None,
    *,
    concurrency: int = 8,
    progress: bool = False,
) -> EvalReport:
    """Do what `evaluate` does without holding up the event loop.

    Metrics without an `ascore` run in one thread, judges in this loop. Cancelled, it ends at once.
    """
    return await adrive(_steps(dataset, metrics, concurrency, is_shown=progress))


def score_row(metric: Metric, row: EvalRecord) -> Score:
    """Score one row as `evaluate` does: skipped for what it lacks, an error for what the metric raises."""
    why_not = _lack(metric, row)
    return _scored(partial(metric.score, row)) if why_not is None else Score(skipped=why_not)


def _steps(
    dataset: EvalDataset | Iterable[EvalRecord | Mapping[str, Any]],
    metrics: Sequence[Metric] | None,
    concurrency: int,
    *,
    is_shown: bool,
) -> Steps[EvalReport]:
    if not isinstance(dataset, EvalDataset):
        dataset = EvalDataset.from_records(dataset)
    if not dataset.rows:
        msg = "the data set has no rows; record some runs or give it questions"
        raise EvaluationError(msg)
    chosen = default_metrics() if metrics is None else tuple(metrics)
    _check(chosen)
    if type(concurrency) is not int or concurrency < 1:
        msg = "concurrency is a whole number, 1 or more"
        raise ConfigurationError(msg)
    for metric in chosen:
        _told(metric)
    with Progress("scoring", len(dataset) * len(chosen), is_shown=is_shown) as bar:
        board = _Board(dataset.rows, bar)
        yield _Here(board, [metric for metric in chosen if not _is_asked(metric)])
        yield _Asked(board, [metric for metric in chosen if _is_asked(metric)], concurrency)
    rows = tuple(
        RowScores(row.id, {metric.name: board.score(metric, at) for metric in chosen})
        for at, row in enumerate(dataset)
    )
    return EvalReport(dataset, rows, summarised(rows, {m.name: m.higher_is_better for m in chosen}))


class _Board:
    """The scores so far, each in the place of its row; written from any thread."""

    def __init__(self, rows: Sequence[EvalRecord], bar: Progress) -> None:
        self.rows = rows
        self._bar = bar
        self._scores: dict[tuple[str, int], Score] = {}

    def put(self, metric: Metric, at: int, score: Score) -> None:
        self._scores[metric.name, at] = score
        self._bar.advance()

    def score(self, metric: Metric, at: int) -> Score:
        return self._scores[metric.name, at]

    def ready(self, metric: Metric) -> Iterator[int]:
        """Skip the rows that lack what the metric needs, and give the places of the others."""
        for at, row in enumerate(self.rows):
            why_not = _lack(metric, row)
            if why_not is None:
                yield at
            else:
                self.put(metric, at, Score(skipped=why_not))


class _Here:
    """The step that runs metrics on this machine, one after the other."""

    def __init__(self, board: _Board, metrics: Sequence[Metric]) -> None:
        self._board = board
        self._metrics = metrics
        self._is_over = threading.Event()

    def run(self) -> None:
        for metric in self._metrics:
            if callable(getattr(metric, "score_all", None)):
                self._score_all(metric)
                continue
            for at in self._board.ready(metric):
                if self._is_over.is_set():
                    return
                self._board.put(metric, at, _scored(partial(metric.score, self._board.rows[at])))

    async def arun(self) -> None:
        try:
            await aside(self.run)
        finally:
            self._is_over.set()

    def _score_all(self, metric: Any) -> None:
        places = list(self._board.ready(metric))
        if not places or self._is_over.is_set():
            return
        try:
            scores = list(metric.score_all([self._board.rows[at] for at in places]))
            if len(scores) != len(places):
                scores = [Score(error="not one score a row")] * len(places)
        except Exception as error:  # noqa: BLE001 - one metric must not end the evaluation
            scores = [Score(error=type(error).__name__)] * len(places)
        for at, score in zip(places, scores, strict=True):
            self._board.put(metric, at, _scored(partial(_itself, score)))


class _Asked:
    """The step that asks judges, a number of rows at a time."""

    def __init__(self, board: _Board, metrics: Sequence[Metric], width: int) -> None:
        self._board = board
        self._metrics = metrics
        self._width = width

    def run(self) -> None:
        each([partial(self._ask, metric, at) for metric, at in self._open()], width=self._width)

    async def arun(self) -> None:
        rows = iter(self._open())

        async def work() -> None:
            for metric, at in rows:
                ask = partial(metric.ascore, self._board.rows[at])
                self._board.put(metric, at, await _ascored(ask))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._width):
                tasks.create_task(work())

    def _open(self) -> list[tuple[Any, int]]:
        open_rows = [(at, metric) for metric in self._metrics for at in self._board.ready(metric)]
        # By row: of two judges that are down, none waits for the other's turn to be found out.
        return [(metric, at) for at, metric in sorted(open_rows, key=lambda pair: pair[0])]

    def _ask(self, metric: Metric, at: int) -> None:
        self._board.put(metric, at, _scored(partial(metric.score, self._board.rows[at])))


def _is_asked(metric: Metric) -> bool:
    return callable(getattr(metric, "ascore", None))


def _told(metric: Any) -> None:
    """Tell a metric that wants to know it that an evaluation begins."""
    begin = getattr(metric, "begin", None)
    if callable(begin):
        begin()


def _check(metrics: Sequence[Metric]) -> None:
    if not metrics:
        msg = "no metrics are given; leave metrics= out for the default ones"
        raise ConfigurationError(msg)
    names = set()
    for metric in metrics:
        lacking = [
            name for name in ("name", "needs", "higher_is_better", "score") if not hasattr(metric, name)
        ]
        if lacking or isinstance(metric, type):
            msg = f"a {type(metric).__name__} is no metric: it must be an instance with {', '.join(lacking)}"
            raise ConfigurationError(msg.removesuffix(" with "))
        if not _NAME.fullmatch(metric.name) or metric.name in names:
            msg = "names of metrics must differ, and hold letters, digits and _ - . : only"
            raise ConfigurationError(msg)
        names.add(metric.name)


def _lack(metric: Metric, row: EvalRecord) -> str | None:
    """Say why the metric cannot run on the row."""
    if not metric.needs:
        return None
    if row.error is not None:
        return "the run failed"
    missing = sorted(name for name in metric.needs if getattr(row, name, None) in (None, ()))
    return f"no {', '.join(missing)}" if missing else None


def _scored(score: Callable[[], Score]) -> Score:
    try:
        return _settled(score())
    except Exception as error:  # noqa: BLE001 - one metric on one row must not end the evaluation
        return Score(error=type(error).__name__)


async def _ascored(score: Callable[[], Awaitable[Score]]) -> Score:
    try:
        return _settled(await score())
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        # By the metric itself, or a library in it: that is its failure, not our end.
        return Score(error=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - see _scored
        return Score(error=type(error).__name__)


def _itself(score: Score) -> Score:
    return score


def _settled(score: Score) -> Score:
    if score.skipped is not None or score.error is not None:
        return Score(skipped=score.skipped, error=score.error, rationale=score.rationale)
    if score.value is None:
        return Score(error=_NO_NUMBER)
    value = float(score.value)
    return Score(value, rationale=score.rationale) if math.isfinite(value) else Score(error=_NO_NUMBER)

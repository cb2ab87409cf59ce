"""Score a data set with metrics: every row, once; what could not run says why."""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics import Metric, Score, default_metrics
from langchain_prodkit.evaluation.report import EvalReport, RowScores, summarised

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["aevaluate", "evaluate"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


def evaluate(
    dataset: EvalDataset | Iterable[EvalRecord | Mapping[str, Any]], metrics: Sequence[Metric] | None = None
) -> EvalReport:
    """Score every row with every metric; no network, no store.

    A metric that lacks what it needs on a row is skipped there with its reason, one that raises (or
    gives no finite number) is counted as an error of that row: neither enters the mean.

    Args:
        dataset: Rows with answers; anything that `EvalDataset.from_records` takes.
        metrics: Metrics with different names; default `default_metrics()`.

    Raises:
        EvaluationError: There are no rows.
        ConfigurationError: There are no metrics, two have the same name, or one is not a metric.
    """
    if not isinstance(dataset, EvalDataset):
        dataset = EvalDataset.from_records(dataset)
    if not dataset.rows:
        msg = "the data set has no rows; record some runs or give it questions"
        raise EvaluationError(msg)
    chosen = default_metrics() if metrics is None else tuple(metrics)
    _check(chosen)
    rows = tuple(
        RowScores(row.id, {metric.name: _score(metric, row) for metric in chosen}) for row in dataset
    )
    return EvalReport(dataset, rows, summarised(rows, {m.name: m.higher_is_better for m in chosen}))


async def aevaluate(
    dataset: EvalDataset | Iterable[EvalRecord | Mapping[str, Any]], metrics: Sequence[Metric] | None = None
) -> EvalReport:
    """Do what `evaluate` does without holding up the event loop: the metrics run in one thread."""
    return await asyncio.to_thread(evaluate, dataset, metrics)


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


def _score(metric: Metric, row: EvalRecord) -> Score:
    if metric.needs:
        if row.error is not None:
            return Score(skipped="the run failed")
        missing = sorted(name for name in metric.needs if getattr(row, name, None) in (None, ()))
        if missing:
            return Score(skipped=f"no {', '.join(missing)}")
    try:
        score = metric.score(row)
        if score.skipped is not None or score.error is not None:
            return Score(skipped=score.skipped, error=score.error)
        value = float(score.value)  # type: ignore[arg-type] # None is caught below, with what else is no number
    except Exception as error:  # noqa: BLE001 - one metric on one row must not end the evaluation
        return Score(error=type(error).__name__)
    return Score(value) if math.isfinite(value) else Score(error="not a finite number")

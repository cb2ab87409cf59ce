"""`eval run`: answer a data set if asked to, score it, and keep the result."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from langchain_prodkit._eval.exits import INCONCLUSIVE, PASS, said
from langchain_prodkit._eval.objects import chain_at, judge_at, object_at
from langchain_prodkit.errors import ConfigurationError, StoreError
from langchain_prodkit.evaluation import (
    EvalDataset,
    answer_correctness,
    default_metrics,
    evaluate,
    faithfulness,
    relevance,
)
from langchain_prodkit.evaluation.gate_case import is_judge_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_prodkit.evaluation import ChatModelJudge, Metric

__all__ = ["RunJob", "run_evaluation"]

_JUDGED = {
    "faithfulness": faithfulness,
    "relevance": relevance,
    "answer_correctness": answer_correctness,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJob:
    """What `eval run` was asked to do."""

    dataset: Path
    chain: str | None
    answers: Path | None
    metrics: Sequence[str]
    judge: str | None
    judge_cache: Path | None
    concurrency: int
    output: Path | None
    texts: bool
    log: bool
    experiment: str | None
    tracking_uri: str | None
    run_name: str | None


def run_evaluation(job: RunJob) -> int:
    """Do it; give 0, or 2 when a judge or the store did not answer."""
    if job.answers is not None and job.chain is None:
        msg = "--answers keeps what --chain answers; give that too"
        raise ConfigurationError(msg)
    dataset = EvalDataset.from_jsonl(job.dataset)
    chain = None if job.chain is None else chain_at(job.chain)
    judge = None if job.judge is None else judge_at(job.judge, job.judge_cache)
    metrics = _metrics(job, judge, dataset)
    is_shown = sys.stderr.isatty()
    if chain is not None:
        dataset = dataset.answer(
            chain, max_concurrency=job.concurrency, progress=is_shown, resume=job.answers
        )
    elif dataset.rows and all(row.output is None and row.error is None for row in dataset):
        msg = "no row of the data set has an output; give --chain to answer them"
        raise ConfigurationError(msg)
    report = evaluate(dataset, metrics, concurrency=job.concurrency, progress=is_shown)
    typer.echo(report.to_markdown())
    if job.output is not None:
        report.save(job.output, texts=job.texts)
        typer.echo(f"report {job.output}")
    code = PASS
    if job.log:
        try:
            run_id = report.log_to_mlflow(
                experiment=job.experiment, tracking_uri=job.tracking_uri, run_name=job.run_name
            )
            typer.echo(f"MLflow run {run_id}")
        except StoreError as error:
            said(str(error))
            code = INCONCLUSIVE
    if is_judge_gone(report):
        said("the judge did not answer; the other metrics are complete")
        code = INCONCLUSIVE
    return code


def _metrics(job: RunJob, judge: ChatModelJudge | None, dataset: EvalDataset) -> list[Metric]:
    """Give the metrics that are named; without names the local ones, and the judge's if there is one."""
    local = {metric.name: metric for metric in default_metrics()}
    names = [name.strip() for given in job.metrics for name in given.split(",") if name.strip()]
    if not names:
        names = list(local)
        if judge is not None:
            has_expected = any(row.expected is not None for row in dataset)
            names += [name for name in _JUDGED if has_expected or name != "answer_correctness"]
    return [_metric(name, local, judge) for name in names]


def _metric(name: str, local: dict[str, Metric], judge: ChatModelJudge | None) -> Metric:
    if name in local:
        return local[name]
    if name in _JUDGED:
        if judge is None:
            msg = f"the metric {name} asks a judge; give --judge module:object"
            raise ConfigurationError(msg)
        make: Callable[[ChatModelJudge], Metric] = _JUDGED[name]
        return make(judge)
    if ":" in name:
        found: Metric = object_at(name, "--metrics")
        return found
    msg = f"there is no metric of that name; there are {', '.join([*local, *_JUDGED])}, or module:object"
    raise ConfigurationError(msg)

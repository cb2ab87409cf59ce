"""Our metrics inside MLflow's own evaluations: the same numbers, row by row.

The other way round, MLflow's metrics and scorers among ours, stands in `mlflow_scorers`.
"""

from __future__ import annotations

import json
import math
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from inspect import Parameter, Signature
from typing import Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics.metric import Metric, Score
from langchain_prodkit.evaluation.mlflow_data import rows_of_traces
from langchain_prodkit.evaluation.plain import plain
from langchain_prodkit.evaluation.record import EvalRecord
from langchain_prodkit.evaluation.scoring import evaluate, score_row

__all__ = ["as_mlflow_metric", "as_mlflow_rows", "as_mlflow_scorer", "one_writer"]

_WORKERS: Final = "MLFLOW_GENAI_EVAL_MAX_WORKERS"
_EXPECTED: Final = "expected_response"
_QUESTIONS: Final = ("inputs", "question", "query", "prompt")
_CONTEXTS: Final = ("contexts", "context", "retrieved_context", "source_documents", "documents", "docs")
_RELEVANT: Final = ("relevant_ids", "relevant_documents", "expected_documents", "expected_retrieved_context")
_TOLD: Final = frozenset({"output", "expected"})
"""What MLflow calls predictions and targets."""
_COLUMNS: Final = (
    *(item.name for item in fields(EvalRecord) if item.name not in _TOLD),
    *_QUESTIONS,
    *(name for name in _CONTEXTS if name != "contexts"),
    *_RELEVANT,
)


def as_mlflow_metric(metric: Metric) -> Any:
    """Make a metric for `extra_metrics` of `mlflow.models.evaluate`.

    A row's score is the one that `evaluate` gives, since it is asked: also of metrics that need all
    rows, and of judges (MLflow tries every metric on the first row before it begins: give a judge a
    cache). A row without a score shows NaN, with the reason as justification; logged are mean, variance
    and 90th percentile of the others, and how many rows were scored, skipped and in error.

    Columns of the data are understood by the names of `EvalRecord`'s fields and the usual ones
    (question, context, relevant_ids, ...); for others tell MLflow:
    `evaluator_config={"col_mapping": {"contexts": "my column"}}`. Answer and right answer are what
    `predictions=` and `targets=` name.

    Raises:
        MissingExtraError: MLflow is not installed.
    """
    mlflow_metrics = require("mlflow.metrics", extra="eval")

    def eval_fn(predictions: Any, targets: Any = None, *given: Any) -> Any:
        dataset = _of_columns(predictions, targets, dict(zip(_COLUMNS, given, strict=False)))
        report = evaluate(dataset, [metric])
        summary = report.summary[metric.name]
        scores = [row.scores[metric.name] for row in report.rows]
        values = [score.value for score in scores if score.value is not None]
        shown = mlflow_metrics.base.standard_aggregations(values) if values else {}
        counts = {"scored": summary.n, "skipped": summary.skipped, "errors": summary.errors}
        return mlflow_metrics.MetricValue(
            scores=[math.nan if score.value is None else score.value for score in scores],
            justifications=[_because(score) for score in scores],
            aggregate_results={**shown, **{name: float(count) for name, count in counts.items()}},
        )

    # MLflow hands over the columns that a signature names, in its order; those with a default may lack.
    place = Parameter.POSITIONAL_OR_KEYWORD
    eval_fn.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter("predictions", place),
            *(Parameter(name, place, default=None) for name in ("targets", *_COLUMNS)),
        ]
    )
    return mlflow_metrics.make_metric(
        eval_fn=eval_fn, greater_is_better=metric.higher_is_better is not False, name=metric.name
    )


def as_mlflow_scorer(metric: Metric, *, dataset: EvalDataset | None = None) -> Any:
    """Make a scorer for `mlflow.genai.evaluate`.

    A row without a score is feedback with an error, code SKIPPED or the class of what was raised, so that
    MLflow neither counts nor hides it.

    Args:
        metric: Any metric of ours.
        dataset: The data set that the rows are of (`as_mlflow_rows` writes them so): then the scores are
            those of `evaluate`, of metrics that need all rows or a field that MLflow's rows do not have
            (contexts, usage, times) too. Without it a row is made of `inputs` (contexts may stand in
            them), `outputs`, `expectations` (`expected_response`, `relevant_ids`) and what its trace
            shows; metrics that need all rows then skip.

    Raises:
        MissingExtraError: MLflow is not installed.
    """
    scorers = require("mlflow.genai.scorers", extra="eval")
    known = None if dataset is None else _Known(metric, dataset)

    def score(inputs: Any, outputs: Any, expectations: Any, trace: Any) -> Any:
        if known is None:
            return _feedback(metric, score_row(metric, _of_parts(inputs, outputs, expectations, trace)))
        return _feedback(metric, known.score(_key(inputs, outputs, expectations)))

    return scorers.scorer(score, name=metric.name)


def as_mlflow_rows(dataset: EvalDataset) -> list[dict[str, Any]]:
    """Give the rows as `mlflow.genai.evaluate` takes them: inputs, outputs and expectations.

    MLflow wants a mapping as inputs: a text becomes `{"question": text}`. Its own scorers of retrieval
    find contexts in traces only: write the rows as traces with `EvalReport.log_to_mlflow(traces="all")`
    and give it what `mlflow.search_traces` finds. On a sqlite store, evaluate inside `one_writer`.
    """
    rows = []
    for row in dataset:
        line: dict[str, Any] = {"inputs": _inputs(row), "outputs": row.output}
        if row.expected is not None:
            line["expectations"] = {_EXPECTED: row.expected}
        rows.append(line)
    return rows


@contextmanager
def one_writer() -> Iterator[None]:
    """Let `mlflow.genai.evaluate` work on one row at a time while inside, so that sqlite keeps up.

    With its own default, more threads than the store has connections wait for one another, and rows are
    lost (100 static rows, mlflow 3.17: stalled for minutes). A number of workers that you set yourself
    (`MLFLOW_GENAI_EVAL_MAX_WORKERS`) stays; the setting is one for the whole process.
    """
    if _WORKERS in os.environ:
        yield
        return
    os.environ[_WORKERS] = "1"
    try:
        yield
    finally:
        os.environ.pop(_WORKERS, None)


class _Known:
    """The scores of a data set's rows, found by what MLflow shows of a row."""

    def __init__(self, metric: Metric, dataset: EvalDataset) -> None:
        self._metric = metric
        self._dataset = dataset
        self._rows = {
            _key(line["inputs"], line["outputs"], line.get("expectations")): at
            for at, line in reversed(list(enumerate(as_mlflow_rows(dataset))))
        }
        self._lock = threading.Lock()
        self._scores: list[Score] = []

    def score(self, key: str) -> Score:
        at = self._rows.get(key)
        if at is None:
            raise EvaluationError(
                "MLflow shows a row that dataset= does not hold; evaluate as_mlflow_rows(dataset)"
            )
        if not callable(getattr(self._metric, "score_all", None)):
            # MLflow asks for many rows at a time, which a judge can use.
            alone: Score = score_row(self._metric, self._dataset[at])
            return alone
        with self._lock:
            if not self._scores:
                report = evaluate(self._dataset, [self._metric])
                self._scores = [row.scores[self._metric.name] for row in report.rows]
        known: Score = self._scores[at]
        return known


def _key(inputs: Any, outputs: Any, expectations: Any) -> str:
    return json.dumps([plain(inputs), plain(outputs), plain(expectations) or None], sort_keys=True)


def _inputs(row: EvalRecord) -> dict[str, Any]:
    if isinstance(row.input, dict) and row.input:
        return {str(key): value for key, value in row.input.items()}
    return {"question": row.input}


def _feedback(metric: Metric, score: Score) -> Any:
    entities = require("mlflow.entities", extra="eval")
    source = entities.AssessmentSource(source_type="CODE", source_id=metric.name)
    error = None
    if score.value is None:
        code = "SKIPPED" if score.error is None else score.error
        error = entities.AssessmentError(error_code=code, error_message=score.skipped or score.error)
    return entities.Feedback(
        name=metric.name, value=score.value, error=error, rationale=score.rationale, source=source
    )


def _because(score: Score) -> str:
    if score.skipped is not None:
        return f"skipped: {score.skipped}"
    return f"error: {score.error}" if score.error is not None else score.rationale or ""


def _of_columns(predictions: Any, targets: Any, given: Mapping[str, Any]) -> EvalDataset:
    size = len(predictions)
    columns: dict[str, list[Any]] = {"output": _cells(predictions)}
    if targets is not None:
        columns["expected"] = _cells(targets)
    for name, column in given.items():
        # MLflow also fills a name from its own settings and results; those are no columns.
        if hasattr(column, "tolist") and len(column) == size:
            columns[name] = _cells(column)
    rows = [{name: cells[at] for name, cells in columns.items()} for at in range(size)]
    return EvalDataset.from_records(rows)


def _cells(column: Any) -> list[Any]:
    # pandas turns a missing text into NaN.
    return [None if isinstance(value, float) and math.isnan(value) else value for value in column.tolist()]


def _of_parts(inputs: Any, outputs: Any, expectations: Any, trace: Any) -> EvalRecord:
    """Make a row of what MLflow shows to a scorer."""
    asked, right = plain(inputs), plain(expectations) or {}
    found = _traced(trace)
    row: dict[str, Any] = {"id": found.id, "input": asked, "output": outputs}
    if isinstance(asked, dict):
        given = next((asked[name] for name in _CONTEXTS if asked.get(name) is not None), None)
        if given is not None:
            row["contexts"] = given
    row["expected"] = right.get(_EXPECTED, right.get("expected_facts"))
    row["metadata"] = {
        name: place[name]
        for place in (right, asked)
        if isinstance(place, dict)
        for name in _RELEVANT
        if name in place
    }
    made = EvalRecord.from_dict(row)
    return replace(
        found,
        input=made.input,
        output=made.output if outputs is not None else found.output,
        expected=found.expected if made.expected is None else made.expected,
        contexts=made.contexts or found.contexts,
        metadata=made.metadata,
    )


def _traced(trace: Any) -> EvalRecord:
    try:
        (row,) = rows_of_traces([trace])
    except (EvaluationError, ValueError):
        return EvalRecord(id="row")
    # MLflow writes a trace of one span for a row that was not run: its times are no chain's.
    is_made_up = len(trace.data.spans) <= 1
    return replace(row, latency_ms=None, error=None) if is_made_up else row

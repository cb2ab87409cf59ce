"""MLflow's metrics and scorers among ours: `evaluate(dataset, [from_mlflow_scorer(...), ...])`."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from inspect import Parameter, signature
from typing import Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.bridges import as_mlflow_rows
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.mlflow_traces import TraceWriter
from langchain_prodkit.evaluation.record import EvalRecord
from langchain_prodkit.evaluation.summary import RowScores

__all__ = ["MLflowMetric", "MLflowScorer", "from_mlflow_metric", "from_mlflow_scorer"]

_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9_.:-]+")
_RATINGS: Final = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "pass": 1.0, "fail": 0.0}


def from_mlflow_metric(metric: Any, *, name: str | None = None) -> MLflowMetric:
    """Make one of our metrics of one of `mlflow.metrics`, or of what `make_metric` gives.

    It is asked once with all rows. `inputs` is the question, `context` and `contexts` the texts that were
    retrieved, any other name a field of the row or a column of its data set. Every row is skipped where
    MLflow computes nothing (a package or a file from a hub is missing: MLflow only warns), or one number
    for all rows together; a row on which it gives none is an error.

    Raises:
        ConfigurationError: It is not a metric of MLflow.
    """
    function = getattr(metric, "eval_fn", None)
    if not callable(function):
        raise ConfigurationError(f"a {type(metric).__name__} is no metric of mlflow.metrics")
    return MLflowMetric(function, _named(name or metric.name), bool(metric.greater_is_better))


def from_mlflow_scorer(
    scorer: Any, *, name: str | None = None, higher_is_better: bool | None = True
) -> MLflowScorer:
    """Make one of our metrics of a scorer of `mlflow.genai` (built in, a judge, or `@scorer`).

    It sees the row as inputs, outputs, expectations and a trace with a retriever span for its contexts,
    made in memory: nothing is written to a store. A number, a bool or yes/no is a score; feedback with an
    error is an error of the row, and a row about which it says nothing is skipped. Scorers that ask a
    model are asked about several rows at a time.

    Raises:
        ConfigurationError: It is not a scorer of MLflow.
    """
    run = getattr(scorer, "run", None)
    if not callable(run) or not hasattr(scorer, "name"):
        raise ConfigurationError(f"a {type(scorer).__name__} is no scorer of mlflow.genai")
    return MLflowScorer(run, _named(name or scorer.name), higher_is_better)


@dataclass(frozen=True, slots=True)
class MLflowMetric:
    """One of `mlflow.metrics`, as a metric of ours."""

    function: Callable[..., Any] = field(repr=False)
    name: str
    higher_is_better: bool | None

    @property
    def needs(self) -> frozenset[str]:
        """An answer, and the right one where MLflow demands targets."""
        targets = signature(self.function).parameters.get("targets")
        is_needed = targets is not None and targets.default is Parameter.empty
        return frozenset({"output", "expected"} if is_needed else {"output"})

    def score(self, row: EvalRecord) -> Score:
        """Ask about one row."""
        return self.score_all([row])[0]

    def score_all(self, rows: Sequence[EvalRecord]) -> list[Score]:
        """Ask about all rows; those without a right answer apart from those with one."""
        scores: list[Score] = [Score()] * len(rows)
        for has_one in (True, False):
            places = [at for at, row in enumerate(rows) if (row.expected is not None) is has_one]
            if places:
                given = self._scores([rows[at] for at in places], with_targets=has_one)
                for at, score in zip(places, given, strict=True):
                    scores[at] = score
        return scores

    def _scores(self, rows: Sequence[EvalRecord], *, with_targets: bool) -> list[Score]:
        pandas = require("pandas", extra="eval")
        columns: dict[str, Any] = {"predictions": [_value(row.output, row.answer) for row in rows]}
        if with_targets:
            columns["targets"] = [row.expected for row in rows]
        arguments: dict[str, Any] = {}
        for name, parameter in signature(self.function).parameters.items():
            if name == "metrics":
                arguments[name] = {}
            elif parameter.kind in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}:
                continue
            else:
                cells = columns.get(name) or [_column(row, name) for row in rows]
                is_there = any(cell is not None for cell in cells)
                if is_there:
                    arguments[name] = pandas.Series(cells, dtype=object)
                elif parameter.default is Parameter.empty:
                    return [Score(skipped=f"no {name}")] * len(rows)
        value = self.function(**arguments)
        given = getattr(value, "scores", None)
        if value is None:
            return [Score(skipped="MLflow did not compute it")] * len(rows)
        if given is None or len(given) != len(rows):
            return [Score(skipped="MLflow gives no score a row")] * len(rows)
        reasons = getattr(value, "justifications", None) or [None] * len(rows)
        return [_number(one, reason) for one, reason in zip(given, reasons, strict=True)]


@dataclass(frozen=True, slots=True)
class MLflowScorer:
    """A scorer of `mlflow.genai`, as a metric of ours."""

    run: Callable[..., Any] = field(repr=False)
    name: str
    higher_is_better: bool | None
    needs: frozenset[str] = frozenset({"output"})

    def score(self, row: EvalRecord) -> Score:
        """Ask about one row."""
        (shown,) = as_mlflow_rows(EvalDataset((row,)))
        expected = {**shown.get("expectations", {}), **_expectations(row)}
        given = self.run(
            inputs=shown["inputs"], outputs=row.output, expectations=expected or None, trace=_trace(row)
        )
        return _judged(given)

    async def ascore(self, row: EvalRecord) -> Score:
        """Ask about one row, in a thread."""
        return await asyncio.to_thread(self.score, row)


def _named(name: str) -> str:
    return _NOT_ALLOWED.sub("_", name)[:100]


def _value(output: Any, answer: str) -> Any:
    return answer if isinstance(output, dict) else output


def _column(row: EvalRecord, name: str) -> Any:
    if name in {"inputs", "input", "question"}:
        return row.question
    if name in {"context", "contexts"}:
        texts = [context.text for context in row.contexts]
        return "\n\n".join(texts) or None
    found = getattr(row, name, None) if name in EvalRecord.__dataclass_fields__ else None
    return row.metadata.get(name) if found is None else found


def _expectations(row: EvalRecord) -> dict[str, Any]:
    """Give what MLflow's built-in scorers look for, where the row's columns have it."""
    names = ("expected_facts", "guidelines", "expected_retrieved_context", "expected_tool_calls")
    return {name: row.metadata[name] for name in names if name in row.metadata}


def _trace(row: EvalRecord) -> Any:
    # An expectation in the trace would be read beside the one that is handed over.
    writer = TraceWriter(None, "0", "", lambda: None)
    bare = replace(row, expected=None, feedback=(), flags=())
    return writer._trace(bare, RowScores(row.id, {}), frozenset())  # noqa: SLF001 - the one who knows spans


def _judged(given: Any) -> Score:
    if isinstance(given, list):
        if len(given) != 1:
            return Score(error="not one value a row")
        given = given[0]
    if given is None:
        return Score(skipped="the scorer said nothing")
    failed = getattr(given, "error", None)
    if failed is not None:
        return Score(error=str(getattr(failed, "error_code", None) or type(failed).__name__)[:100])
    return _number(getattr(given, "value", given), getattr(given, "rationale", None))


def _number(value: Any, reason: Any) -> Score:
    rationale = reason if isinstance(reason, str) and reason else None
    if isinstance(value, str):
        value = _RATINGS.get(value.strip().lower())
    if value is None or isinstance(value, Mapping | list) or not hasattr(value, "__float__"):
        return Score(error="no number")
    number = float(value)
    return Score(number, rationale=rationale) if math.isfinite(number) else Score(error="no number")

"""Rows become MLflow traces, with all that was said about them, linked to the run."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation import (
    Context,
    EvalDataset,
    EvalRecord,
    EvalReport,
    Feedback,
    RowScores,
    Score,
)
from langchain_prodkit.evaluation.mlflow_traces import chosen_rows
from langchain_prodkit.evaluation.report import summarised

mlflow = pytest.importorskip("mlflow")

DIRECTIONS = {"grounded": True, "exact": True, "words": None}


def row(number: int, **fields: Any) -> tuple[EvalRecord, RowScores]:
    """Make a row that is well grounded; with an error, one that was not scored."""
    record = EvalRecord(
        id=f"row-{number}", input={"question": f"q{number}"}, output=f"a{number}", expected="a1", **fields
    )
    grounded = Score(skipped="the run failed") if record.error else Score(0.75, rationale="seen on page 1")
    exact = Score(error="ValueError") if record.error else Score(float(number == 1))
    return record, RowScores(record.id, {"grounded": grounded, "exact": exact, "words": Score(1.0)})


def report(*rows: tuple[EvalRecord, RowScores]) -> EvalReport:
    """Put rows together."""
    scored = tuple(pair[1] for pair in rows)
    dataset = EvalDataset(tuple(pair[0] for pair in rows), "desk")
    return EvalReport(dataset, scored, summarised(scored, DIRECTIONS))


def many(n: int) -> EvalReport:
    """Make `n` rows; every tenth failed."""
    return report(*(row(i, error="ValueError" if i % 10 == 0 else None) for i in range(n)))


def traces_of(db: Path, run_id: str) -> dict[str, Any]:
    """Read the traces of a run as MLflow's own search gives them, by the id of their row."""
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{db}")
    home = client.get_run(run_id).info.experiment_id
    found = client.search_traces(locations=[home], run_id=run_id, max_results=500)
    return {trace.info.tags["prodkit.row"]: trace for trace in found}


def test_a_trace_says_all_that_is_known_of_its_row(db: Path) -> None:
    """Question, answer, contexts as a retriever's span, times, tokens, scores, feedback, expectation."""
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    made = report(
        row(
            1,
            contexts=(Context("page one", "d1", metadata={"page": 1}), Context("42", kind="tool")),
            latency_ms=120.0,
            usage=usage,
            flags=("links",),
            feedback=(
                Feedback("helpful", value=True, rationale="thanks"),
                Feedback("tone", 0.5, None, "gpt"),
            ),
        ),
        row(2),
    )
    run_id = made.log_to_mlflow(tracking_uri=db, traces="failed", passing={"exact": 1.0})
    found = traces_of(db, run_id)
    assert set(found) == {"row-1", "row-2"}
    trace = found["row-1"]
    assert (trace.info.state, trace.info.execution_duration, trace.info.request_preview) == ("OK", 120, "q1")
    assert json.loads(trace.info.trace_metadata["mlflow.trace.tokenUsage"]) == usage
    root, retriever, tool = trace.data.spans
    assert (root.inputs, root.outputs, root.parent_id) == ({"question": "q1"}, "a1", None)
    assert (retriever.span_type, retriever.parent_id) == ("RETRIEVER", root.span_id)
    page = {"page_content": "page one", "metadata": {"page": 1, "doc_uri": "d1"}, "id": "d1"}
    assert retriever.outputs == [page]
    assert (tool.span_type, tool.outputs[0]["page_content"]) == ("TOOL", "42")
    said = {item.name: item for item in trace.info.assessments}
    assert {name: getattr(item.feedback, "value", None) for name, item in said.items()} == {
        "grounded": 0.75, "exact": True, "words": 1.0, "links": False, "helpful": True, "tone": 0.5,
        "expected_response": None,
    }  # fmt: skip
    assert said["expected_response"].expectation.value == "a1"
    assert said["grounded"].rationale == "seen on page 1"
    assert (said["helpful"].source.source_type, said["tone"].source.source_type) == ("HUMAN", "LLM_JUDGE")
    for item in said.values():
        assert item.metadata["mlflow.assessment.sourceRunId"] == run_id
        assert item.span_id == root.span_id


def test_a_failed_run_is_a_failed_trace(db: Path) -> None:
    """A metric that broke says so; one that was skipped says nothing."""
    found = traces_of(db, report(row(1), row(2, error="TimeoutError")).log_to_mlflow(tracking_uri=db))
    failed = found["row-2"]
    assert failed.info.state == "ERROR"
    assert failed.data.spans[0].status.description == "TimeoutError"
    said = {item.name: item for item in failed.info.assessments}
    assert set(said) == {"exact", "words", "expected_response"}
    assert said["exact"].feedback.error.error_code == "ValueError"


@pytest.mark.parametrize(("traces", "count"), [("none", 0), ("failed", 2), ("sampled", 5), ("all", 12)])
def test_as_many_traces_as_asked_for_and_the_run_says_how_many(db: Path, traces: Any, count: int) -> None:
    """The table holds every row in any case."""
    run_id = many(12).log_to_mlflow(tracking_uri=db, traces=traces, sample=3)
    run = mlflow.MlflowClient(tracking_uri=f"sqlite:///{db}").get_run(run_id)
    assert (len(traces_of(db, run_id)), run.data.metrics["traces"], run.data.metrics["rows"]) == (
        count, count, 12,
    )  # fmt: skip


def test_two_versions_show_the_same_sample() -> None:
    """Whatever the order of the rows."""
    made = many(40)
    turned = replace(made, dataset=replace(made.dataset, rows=made.dataset.rows[::-1]), rows=made.rows[::-1])
    first, _ = chosen_rows(made, "sampled", 7, None)
    second, _ = chosen_rows(turned, "sampled", 7, None)
    assert first == second[::-1]
    assert len(first) == 11


def test_a_flood_of_failed_rows_is_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless all rows are asked for."""
    monkeypatch.setattr("langchain_prodkit.evaluation.mlflow_traces.MOST_TRACES", 3)
    made = many(60)
    assert chosen_rows(made, "failed", 0, None) == ([f"row-{i}" for i in (0, 10, 20)], 3)
    assert len(chosen_rows(made, "all", 0, None)[0]) == 60


def test_any_text_can_be_written(db: Path) -> None:
    """A megabyte, half a character, a NUL, an input that is no mapping."""
    nasty = "\x00 \ud800 " + "x" * 1_000_000
    record, scored = row(1, contexts=(Context(nasty, "\ud800"),))
    name = "row \ud800"
    record = replace(record, id=name, input=[nasty], output=nasty, expected=nasty)
    made = report((record, replace(scored, id=name)))
    run_id = made.log_to_mlflow(tracking_uri=db, traces="all")
    (trace,) = traces_of(db, run_id).values()
    assert len(trace.data.spans[0].outputs) == len(nasty)
    assert len(trace.info.request_preview) == 1000


def test_arguments_that_make_no_sense_are_refused_before_anything_is_written(db: Path) -> None:
    """No run is left behind."""
    made = many(3)
    for wrong in ({"traces": "some"}, {"sample": -1}, {"tags": {"mlflow.note": "x"}}):
        with pytest.raises(ConfigurationError):
            made.log_to_mlflow(tracking_uri=db, **wrong)
    with pytest.raises(EvaluationError, match="passing="):
        made.log_to_mlflow(tracking_uri=db, passing={"nothing": 1})
    with pytest.raises(EvaluationError, match="other questions"):
        made.log_to_mlflow(tracking_uri=db, baseline=many(4))
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{db}")
    assert client.get_experiment_by_name("langchain-prodkit") is None


def test_tags_and_plots_are_written_with_the_run(db: Path) -> None:
    """Distributions, and changes where there is a baseline."""
    record, scored = row(1)
    worse = replace(scored, scores={**scored.scores, "grounded": Score(0.25)})
    run_id = report((record, worse), row(2)).log_to_mlflow(
        tracking_uri=db, tags={"commit": "abc"}, plots=True, baseline=report((record, scored), row(2))
    )
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{db}")
    files = {item.path for item in client.list_artifacts(run_id, "plots")}
    assert files == {"plots/distributions.png", "plots/changes.png"}
    assert client.get_run(run_id).data.tags["commit"] == "abc"


def test_without_matplotlib_the_run_says_that_there_are_no_plots(
    db: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything else is written."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run_id = many(3).log_to_mlflow(tracking_uri=db, plots=True)
    run = mlflow.MlflowClient(tracking_uri=f"sqlite:///{db}").get_run(run_id)
    assert (run.info.status, run.data.tags["prodkit.plots"]) == (
        "FINISHED", "none: matplotlib is not installed",
    )  # fmt: skip

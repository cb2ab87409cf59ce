"""Rows come from what an MLflow store holds, and questions go there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit.errors import EvaluationError, StoreError
from langchain_prodkit.evaluation import EvalDataset


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Set MLflow to a fresh sqlite store."""
    mlflow = pytest.importorskip("mlflow")
    before = mlflow.get_tracking_uri()
    home = tmp_path_factory.mktemp("store")
    mlflow.set_tracking_uri(f"sqlite:///{home / 'mlflow.db'}")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("traces", (home / "artifacts").as_uri()))
    yield mlflow
    mlflow.set_tracking_uri(before)


def traced(mlflow: Any) -> list[Any]:
    """Trace a run with a retriever, and one that fails."""
    with mlflow.start_span("desk") as root:
        root.set_inputs({"question": "When do you open?"})
        with mlflow.start_span("shelf", span_type="RETRIEVER") as shelf:
            pages = [{"page_content": "We open at nine.", "metadata": {"page": 1}, "id": "p1"}]
            shelf.set_outputs([mlflow.entities.Document(**page) for page in pages])
        root.set_outputs("At nine.")
        judged = root.trace_id
    with suppress(ZeroDivisionError), mlflow.start_span("broken") as root:
        root.set_inputs({"question": "a", "language": "en"})
        raise ZeroDivisionError
    mlflow.flush_trace_async_logging()
    mlflow.log_feedback(trace_id=judged, name="helpful", value=True, rationale="short")
    mlflow.log_expectation(trace_id=judged, name="expected_response", value="At nine o'clock.")
    traces: list[Any] = mlflow.search_traces(return_type="list", order_by=["timestamp_ms ASC"])
    return traces


def test_traces_become_rows(mlflow: Any) -> None:
    """Question, answer, contexts, times, what people said and what went wrong."""
    good, bad = EvalDataset.from_traces(traced(mlflow))
    assert good.input == "When do you open?"
    assert good.output == "At nine."
    assert good.expected == "At nine o'clock."
    assert [(context.text, context.id) for context in good.contexts] == [("We open at nine.", "p1")]
    (said,) = good.feedback
    assert (said.name, said.value, said.rationale) == ("helpful", True, "short")
    assert good.latency_ms is not None
    assert good.error is None
    assert bad.input == {"question": "a", "language": "en"}
    assert bad.output is None
    assert bad.error is not None


def test_what_is_no_trace_is_refused() -> None:
    """The message names the call that gives traces."""
    with pytest.raises(EvaluationError, match="number 1 is no MLflow trace"):
        EvalDataset.from_traces([{"secret": 1}])


def test_questions_go_to_a_store_and_come_back(mlflow: Any, tmp_path: Path) -> None:
    """With their ids, so that scores of two versions can be compared; the process's own store stays set."""
    store = tmp_path / "other.db"
    before = mlflow.get_tracking_uri()
    rows = EvalDataset.from_records(
        [
            {"id": "a", "input": "Is it open?", "expected": "Yes."},
            {"id": "b", "input": {"question": "Who?", "language": "de"}},
        ]
    )
    rows.to_mlflow(name="questions", tracking_uri=store)
    rows.to_mlflow(name="questions", tracking_uri=store)
    again = EvalDataset.from_mlflow("questions", tracking_uri=store)
    assert len(again) == 2
    assert again.question_fingerprint == rows.question_fingerprint
    assert mlflow.get_tracking_uri() == before
    with pytest.raises(StoreError, match="no data set of that name"):
        EvalDataset.from_mlflow("nothing", tracking_uri=store)


def test_a_folder_of_files_holds_no_data_sets(mlflow: Any, tmp_path: Path) -> None:
    """MLflow refuses; the error names what to give instead."""
    rows = EvalDataset.from_records([{"id": "a", "input": "secret"}])
    with pytest.raises(StoreError) as caught:
        rows.to_mlflow(tracking_uri=(tmp_path / "runs").as_uri())
    assert "secret" not in str(caught.value)
    assert "sqlite" in str(caught.value) or "server" in str(caught.value)

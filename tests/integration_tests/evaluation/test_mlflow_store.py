"""One evaluation, one run, in a real MLflow store on disk."""

from __future__ import annotations

import http.server
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit.errors import EvaluationError, StoreError
from langchain_prodkit.evaluation import (
    Context,
    EvalDataset,
    EvalRecord,
    EvalReport,
    MLflowEvalCallback,
    StoredRun,
    evaluate,
    read_run,
    store,
)
from langchain_prodkit.evaluation.metrics import ExactMatch, WordCount
from tests.unit_tests.evaluation.chains import USAGE, rag

mlflow = pytest.importorskip("mlflow")

SECRET_URI = "postgresql://ada:hush@127.0.0.1:{port}/mlflow?password=hush"


@pytest.fixture
def report() -> EvalReport:
    """Score three rows, one without a reference and one failed."""
    rows = (
        EvalRecord(
            id="1",
            input={"question": "q", "history": ["h"]},
            output="one two",
            expected="one two",
            contexts=(Context("page", "d1", "document", {"n": 1}),),
            models=("echo-1",),
            usage=USAGE,
            tags=("t",),
            metadata={"m": None, "k": 2},
        ),
        EvalRecord(id="2", input="q", output="a \ud800 b \U0001f600 'quoted' | cell\n"),
        EvalRecord(id="3", input="q", error="ValueError", error_code="bad"),
    )
    return evaluate(EvalDataset(rows, "parcels"), [WordCount(), ExactMatch()])


def client(db: Path) -> Any:
    """Look at the store with MLflow's own eyes."""
    return mlflow.MlflowClient(tracking_uri=f"sqlite:///{db}")


def test_a_recorded_chain_becomes_one_run_that_mlflow_reads(db: Path) -> None:
    """Metrics, one table, the data set as input, parameters, and the type of the run."""
    with MLflowEvalCallback(experiment="support desk", tracking_uri=str(db)) as record:
        rag().batch(["a", "b", "c"], {"callbacks": [record]})
        run_id = record.log(run_name="monday")
    look = client(db)
    experiment = look.get_experiment_by_name("support desk")
    (run,) = look.search_runs([experiment.experiment_id])
    assert (run.info.run_id, run.info.status, run.info.run_name) == (run_id, "FINISHED", "monday")
    assert (run.data.metrics["rows"], run.data.metrics["words/mean"]) == (3, 2)
    assert run.data.metrics["total_tokens/mean"] == 5
    assert run.data.metrics["exact_match/skipped"] == 3
    assert "exact_match/mean" not in run.data.metrics
    assert (run.data.tags["mlflow.runType"], run.data.params["models"]) == ("genai_evaluate", "echo-1")
    (given,) = run.inputs.dataset_inputs
    assert given.dataset.name == "evaluation"
    assert json.loads(given.dataset.profile) == {"num_rows": 3}
    assert [file.path for file in look.list_artifacts(run_id)] == ["eval_results_table.json"]
    table = json.loads(Path(look.download_artifacts(run_id, "eval_results_table.json")).read_bytes())
    rows = [dict(zip(table["columns"], cells, strict=True)) for cells in table["data"]]
    assert sorted((row["input"], row["output"]) for row in rows) == [(q, f"echo {q}") for q in "abc"]
    assert [row["words/score"] for row in rows] == [2, 2, 2]


def test_a_run_is_read_back_as_it_was_written(db: Path, report: EvalReport) -> None:
    """Rows, scores, reasons and directions: the report of yesterday is a report again."""
    stored = read_run(report.log_to_mlflow(tracking_uri=db), db)
    assert isinstance(stored, StoredRun)
    assert (stored.status, stored.experiment) == ("FINISHED", "langchain-prodkit")
    assert (stored.report.summary, stored.report.rows) == (report.summary, report.rows)
    first, second, third = stored.report.dataset
    assert first == report.dataset[0]
    # A lone surrogate cannot be stored in any file of text.
    assert second.output == report.dataset[1].output.replace("\ud800", "?")
    assert (third.error, third.error_code) == ("ValueError", "bad")
    assert stored.params["fingerprint"] == report.dataset.fingerprint
    assert "one two" not in repr(stored)


def test_artifacts_lie_beside_the_store(
    db: Path, report: EvalReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's default is a folder below whatever the current one happens to be."""
    elsewhere = db.parent / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    report.log_to_mlflow(tracking_uri=db, experiment="a b/c")
    assert len(list((db.parent / "mlartifacts").rglob("eval_results_table.json"))) == 1
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("form", ["path", "text", "folder", "uri"])
def test_a_store_may_be_named_in_any_form(db: Path, report: EvalReport, form: str) -> None:
    """A path, the path of its folder, or what MLflow calls a tracking URI."""
    forms: dict[str, str | Path] = {
        "path": db,
        "text": str(db),
        "folder": str(db.parent),
        "uri": f"sqlite:///{db}",
    }
    run_id = report.log_to_mlflow(tracking_uri=forms[form])
    assert client(db).get_run(run_id).info.status == "FINISHED"


def test_the_users_own_setting_decides_when_none_is_given(
    db: Path, report: EvalReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`MLFLOW_TRACKING_URI` and `MLFLOW_EXPERIMENT_NAME` are theirs, and stay as they were."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{db}")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    before = mlflow.get_tracking_uri()
    run_id = report.log_to_mlflow()
    assert read_run(run_id).experiment == "mine"
    assert (mlflow.get_tracking_uri(), mlflow.active_run()) == (before, None)


def test_without_any_setting_the_store_is_a_file_in_the_current_folder(
    db: Path, report: EvalReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`mlflow ui` started there finds it."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(mlflow, "is_tracking_uri_set", lambda: False)
    monkeypatch.chdir(db.parent)
    assert client(db).get_run(report.log_to_mlflow()).info.status == "FINISHED"


def test_logging_again_makes_a_second_run_in_the_same_experiment(db: Path, report: EvalReport) -> None:
    """One call, one run."""
    runs = {report.log_to_mlflow(tracking_uri=db) for _ in range(2)}
    found = client(db).search_runs([client(db).get_experiment_by_name("langchain-prodkit").experiment_id])
    assert {run.info.run_id for run in found} == runs


def test_records_written_may_be_let_go(db: Path) -> None:
    """`log(clear=True)` makes room once the run is written."""
    record = MLflowEvalCallback(tracking_uri=str(db))
    rag().invoke("a", {"callbacks": [record]})
    record.log([WordCount()], clear=True)
    assert record.records == ()
    with pytest.raises(EvaluationError, match="no rows"):
        record.log()


def test_only_redacted_text_reaches_the_store(db: Path) -> None:
    """Neither the database nor the artifacts hold what was typed."""
    record = MLflowEvalCallback(
        tracking_uri=str(db), redact=lambda text: text.replace("Ada Byron", "<PERSON>")
    )
    rag().invoke("I am Ada Byron", {"callbacks": [record], "metadata": {"who": "Ada Byron"}})
    record.log()
    written = b"".join(path.read_bytes() for path in db.parent.rglob("*") if path.is_file())
    assert b"<PERSON>" in written
    assert b"Byron" not in written


@contextmanager
def listening(*, answers: bool) -> Iterator[int]:
    """Give a port that takes connections, and answers 503 or nothing at all."""

    class Unavailable(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(503)

        def log_message(self, format: str, *args: Any) -> None:
            return

    if not answers:
        with closing(socket.create_server(("127.0.0.1", 0))) as silent:
            yield silent.getsockname()[1]
        return
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Unavailable) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def closed_port() -> int:
    """Give a port on which nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as once:
        return int(once.getsockname()[1])


def assert_refused_quickly(report: EvalReport, uri: str | Path) -> str:
    """Expect a typed error that names the way out, within seconds."""
    started = time.monotonic()
    with pytest.raises(StoreError, match="tracking_uri=") as caught:
        report.log_to_mlflow(tracking_uri=uri)
    assert time.monotonic() - started < 5
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, report: EvalReport) -> None:
    """MLflow alone would try for minutes."""
    (tmp_path / "file").write_text("")
    for below in ("file/mlflow.db", "file/deep/mlflow.db"):
        assert "mlflow.db" in assert_refused_quickly(report, tmp_path / below)
    (tmp_path / "no.db").write_text("this is no database, whatever its name says" * 100)
    assert_refused_quickly(report, tmp_path / "no.db")


@pytest.mark.parametrize("kind", ["closed", "silent", "unavailable"])
def test_a_server_that_does_not_answer_is_refused(
    kind: str, report: EvalReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody there, somebody mute, or somebody ill."""
    monkeypatch.setattr(store, "TIMEOUT_S", 0.5)
    if kind == "closed":
        assert_refused_quickly(report, f"http://127.0.0.1:{closed_port()}")
        return
    with listening(answers=kind == "unavailable") as port:
        assert_refused_quickly(report, f"http://127.0.0.1:{port}")


def test_a_dead_database_is_refused_without_its_password(report: EvalReport) -> None:
    """Addresses of stores hold secrets."""
    message = assert_refused_quickly(report, SECRET_URI.format(port=closed_port()))
    assert "hush" not in message
    assert "ada" not in message


@pytest.mark.parametrize("uri", ["nonsense://x", "sqlite://", "sqlite:///:memory:"])
def test_an_address_that_makes_no_sense_is_refused(uri: str, report: EvalReport) -> None:
    """Unknown kinds of store, and those that are gone when the process ends."""
    assert_refused_quickly(report, uri)


def test_records_are_still_held_when_the_store_fails(tmp_path: Path, db: Path) -> None:
    """A broken store costs a retry, not the data."""
    (tmp_path / "file").write_text("")
    record = MLflowEvalCallback(tracking_uri=str(tmp_path / "file" / "mlflow.db"))
    rag().invoke("a", {"callbacks": [record]})
    with pytest.raises(StoreError):
        record.log(clear=True)
    assert len(evaluate(record.dataset()).rows) == 1


def test_a_run_that_could_not_be_filled_is_marked_failed(db: Path, report: EvalReport) -> None:
    """An unfinished run must not look like a result."""
    (db.parent / "mlartifacts").write_text("a file where a folder should be")
    assert_refused_quickly(report, db)
    experiment = client(db).get_experiment_by_name("langchain-prodkit")
    assert [run.info.status for run in client(db).search_runs([experiment.experiment_id])] == ["FAILED"]


def test_a_deleted_experiment_is_named_as_such(db: Path, report: EvalReport) -> None:
    """MLflow keeps the name of an experiment in its bin."""
    look = client(db)
    look.delete_experiment(look.create_experiment("gone"))
    with pytest.raises(StoreError, match="was deleted"):
        report.log_to_mlflow(tracking_uri=db, experiment="gone")


def test_reading_says_what_is_missing(db: Path, tmp_path: Path) -> None:
    """No store, no such run, or a run of somebody else; and looking makes no store."""
    with pytest.raises(StoreError, match="no MLflow store"):
        read_run("0" * 32, tmp_path / "none" / "mlflow.db")
    assert not (tmp_path / "none").exists()
    with pytest.raises(StoreError, match="no evaluation for this run"):
        read_run("0" * 32, db)
    other = client(db).create_run("0").info.run_id
    with pytest.raises(StoreError, match="no evaluation for this run"):
        read_run(other, db)


def test_nothing_of_the_rows_is_logged(
    db: Path, report: EvalReport, caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are a store too."""
    with caplog.at_level(logging.DEBUG, logger="langchain_prodkit"):
        report.log_to_mlflow(tracking_uri=db)
    assert "one two" not in caplog.text

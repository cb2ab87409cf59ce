"""A store that fails midway: an error within seconds, no half run that looks whole, nothing twice."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit.errors import StoreError
from langchain_prodkit.evaluation import (
    EvalDataset,
    EvalRecord,
    EvalReport,
    RowScores,
    Score,
    mlflow_runs,
    store,
)
from langchain_prodkit.evaluation.report import summarised
from tests.integration_tests.evaluation.mlflow_server import MlflowServer

mlflow = pytest.importorskip("mlflow")

ROWS = 110


class Trap(dict[str, Any]):
    """Token counts of a row; looking at them does something to the store."""

    def __init__(self, spring: Callable[[], None]) -> None:
        """Do `spring` at the first look."""
        super().__init__(total_tokens=3)
        self._spring: Callable[[], None] | None = spring

    def __contains__(self, key: object) -> bool:
        """Spring the trap: this is first asked when the row's trace is made."""
        spring, self._spring = self._spring, None
        if spring is not None:
            spring()
        return super().__contains__(key)


def report(spring: Callable[[], None] | None = None) -> EvalReport:
    """Make a report whose second batch of traces springs the trap."""
    records = [EvalRecord(f"row-{i}", input="q", output="a", error="ValueError") for i in range(ROWS)]
    if spring is not None:
        last = records[-1]
        records[-1] = EvalRecord(last.id, input="q", output="a", error="ValueError", usage=Trap(spring))
    rows = tuple(RowScores(item.id, {"good": Score(0.5)}) for item in records)
    return EvalReport(EvalDataset(tuple(records)), rows, summarised(rows, {"good": True}))


def runs(uri: str) -> dict[str, tuple[str, int, int]]:
    """Give run name -> status, number of metrics, number of traces."""
    client = mlflow.MlflowClient(tracking_uri=uri)
    home = client.get_experiment_by_name("langchain-prodkit").experiment_id
    found = {}
    for run in client.search_runs([home]):
        traces = client.search_traces(
            locations=[home], run_id=run.info.run_id, include_spans=False, max_results=500
        )
        found[run.info.run_name] = (run.info.status, len(run.data.metrics), len(traces))
    return found


def test_a_database_that_is_locked_midway_ends_within_seconds(db: Path) -> None:
    """The run is closed by the next one, which is whole; nothing is there twice."""
    lock = sqlite3.connect(db, isolation_level=None, check_same_thread=False)
    started: list[float] = []

    def spring() -> None:
        lock.execute("BEGIN EXCLUSIVE")
        started.append(time.monotonic())

    with closing(lock):
        with pytest.raises(StoreError, match="tracking_uri="):
            report(spring).log_to_mlflow(tracking_uri=db, run_name="first")
        assert time.monotonic() - started[0] < 60
        lock.execute("ROLLBACK")
    assert runs(f"sqlite:///{db}")["first"][1] == 0
    report().log_to_mlflow(tracking_uri=db, run_name="second")
    assert runs(f"sqlite:///{db}") == {"first": ("FAILED", 0, 0), "second": ("FINISHED", 6, ROWS)}


def test_what_fails_midway_is_undone_at_once(db: Path) -> None:
    """The store still answers: no traces and no numbers stay behind."""

    def spring() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="OSError") as caught:
        report(spring).log_to_mlflow(tracking_uri=db, run_name="first")
    assert caught.value.__cause__ is None
    assert runs(f"sqlite:///{db}") == {"first": ("FAILED", 0, 0)}


def test_giving_up_by_hand_is_a_failed_run_too(db: Path) -> None:
    """Ctrl-C in the middle."""

    def spring() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report(spring).log_to_mlflow(tracking_uri=db, run_name="first")
    assert runs(f"sqlite:///{db}") == {"first": ("FAILED", 0, 0)}


def test_only_runs_that_nobody_writes_any_more_are_closed(db: Path) -> None:
    """Our own of before, and those begun long ago; not another writer's, not somebody else's."""
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{db}")
    home = client.create_experiment("langchain-prodkit")
    ours = {"mlflow.source.name": mlflow_runs.SOURCE}
    long_ago = int((time.time() - 7200) * 1000)
    for name, tags, start in (
        ("mine", {**ours, mlflow_runs.WRITER: mlflow_runs.writer()}, None),
        ("old", {**ours, mlflow_runs.WRITER: "0"}, long_ago),
        ("neighbour", {**ours, mlflow_runs.WRITER: "0"}, None),
        ("stranger", {}, long_ago),
    ):
        client.create_run(home, tags=tags, run_name=name, start_time=start)
    report().log_to_mlflow(tracking_uri=db, run_name="new", traces="none")
    states = {name: status for name, (status, _, _) in runs(f"sqlite:///{db}").items()}
    assert states == {
        "mine": "FAILED", "old": "FAILED", "neighbour": "RUNNING", "stranger": "RUNNING", "new": "FINISHED",
    }  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MlflowServer]:
    """Give a server that may be killed."""
    running = MlflowServer(tmp_path / "server")
    yield running
    running.stop()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_server_that_dies_midway_leaves_no_half_result(
    server: MlflowServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow alone repeats for minutes; the next call, when it is back, writes everything once."""
    died: list[float] = []

    def spring() -> None:
        server.stop(signal.SIGKILL)
        died.append(time.monotonic())

    with pytest.raises(StoreError, match="tracking_uri="):
        report(spring).log_to_mlflow(tracking_uri=server.uri, run_name="first")
    assert time.monotonic() - died[0] < 30
    server.start()
    # The work that was given up may still be in one of MLflow's retries, and end by itself.
    monkeypatch.setattr(store, "TIMEOUT_S", 20.0)
    report().log_to_mlflow(tracking_uri=server.uri, run_name="second")
    deadline = time.monotonic() + 60
    while (found := runs(server.uri))["first"] != ("FAILED", 0, 0) and time.monotonic() < deadline:
        time.sleep(1)
    assert found == {"first": ("FAILED", 0, 0), "second": ("FINISHED", 6, ROWS)}

"""The callback in a served chain, beside MLflow's own tracing, and with a store that comes and goes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from langchain_core.runnables import RunnableLambda
from langserve import RemoteRunnable, add_routes

from langchain_prodkit.errors import StoreError
from langchain_prodkit.evaluation import MLflowEvalCallback, read_run
from tests.integration_tests.serving.served import _running
from tests.unit_tests.evaluation.chains import EchoModel, open_entries, rag, settled

pytest.importorskip("mlflow")


async def test_a_served_chain_is_recorded_request_by_request(tmp_path: Path) -> None:
    """Calls, batches, streams, events and failures over HTTP, at once: one record each, nothing mixed."""
    record = MLflowEvalCallback(max_pending=10, spool_dir=tmp_path, redact=lambda text: text)
    app = FastAPI()
    chain = rag(EchoModel(delay_s=0.002)).with_config(callbacks=[record])
    broken = rag(EchoModel(fails=True)).with_config(callbacks=[record])
    add_routes(app, chain.with_types(input_type=str), path="/rag")
    add_routes(app, broken.with_types(input_type=str), path="/broken")
    with _running(app) as url:
        remote: Any = RemoteRunnable(f"{url}/rag/")
        failing: Any = RemoteRunnable(f"{url}/broken/")

        async def one(n: int) -> None:
            kind = n % 5
            if kind == 0:
                await remote.ainvoke(f"q{n}")
            elif kind == 1:
                await remote.abatch([f"q{n}", f"q{n}b"])
            elif kind == 2:
                assert len([chunk async for chunk in remote.astream(f"q{n}")]) > 1
            elif kind == 3:
                async for _ in remote.astream_events(f"q{n}", version="v2"):
                    pass
            else:
                await failing.ainvoke(f"q{n}")

        results = await asyncio.gather(*(one(n) for n in range(40)), return_exceptions=True)
        await settled(record)
    assert sum(isinstance(result, Exception) for result in results) == 8
    rows = record.records
    assert sorted(row.input for row in rows) == sorted(
        [f"q{n}" for n in range(40)] + [f"q{n}b" for n in range(1, 40, 5)]
    )
    for row in rows:
        assert [context.text for context in row.contexts] == [
            "first page",
            "second page",
            f"about {row.input}",
        ]
        assert (row.answer.strip() == f"echo {row.input}") != (row.error == "LeakyError")
    counts = record.statistics()
    assert (counts.errors, counts.open, counts.dropped, open_entries(record)) == (8, 0, 0, 0)


BESIDE = """
import sys
from langchain_core.runnables import RunnableLambda
from langchain_prodkit.evaluation import MLflowEvalCallback
from langchain_prodkit.evaluation.store import load_mlflow
from tests.unit_tests.evaluation.chains import EchoModel, LeakyError, rag
mlflow = load_mlflow()
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("beside")
mlflow.langchain.autolog()
record = MLflowEvalCallback(experiment="beside", tracking_uri=sys.argv[1])
config = {"callbacks": [record]}
rag().invoke("one", config)
list(rag().stream("two", config))
rag().batch(["three", "four"], config)
try:
    rag(EchoModel(fails=True)).invoke("five", config)
except LeakyError:
    pass
assert sorted(row.input for row in record.records) == sorted(["one", "two", "three", "four", "five"])
assert [row.model_calls for row in record.records] == [1] * 5
assert all(len(row.contexts) == 3 for row in record.records)
run = record.log()
mlflow.flush_trace_async_logging()
traces = mlflow.search_traces(return_type="list", max_results=50)
ours = [trace for trace in traces if trace.info.request_preview and "one" in trace.info.request_preview]
print(run, len(traces), len(ours), len(record._tree))
"""


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_mlflow_autolog_and_the_callback_both_record(tmp_path: Path) -> None:
    """In one process, the same calls: a record and a trace for each, errors and streams included."""
    uri = f"sqlite:///{tmp_path / 'm.db'}"
    done = subprocess.run(  # noqa: S603 - our own interpreter and code; autolog would stay on in this one
        [sys.executable, "-c", BESIDE, uri],
        capture_output=True,
        text=True,
        check=False,
        timeout=380,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    _, traces, one, followed = done.stdout.split()[-4:]
    assert (int(traces) >= 5, int(one) >= 1, followed) == (True, True, "0")


def test_what_a_dead_store_did_not_take_is_sent_later_by_another_process_too(
    tmp_path: Path, db: Path
) -> None:
    """`log` fails, the records are on disk, and the next `log` of a successor sends them once."""
    spool = tmp_path / "spool"
    (tmp_path / "file").touch()
    first = MLflowEvalCallback(tracking_uri=f"sqlite:///{tmp_path}/file/m.db", spool_dir=spool)
    RunnableLambda(str).invoke("one", {"callbacks": [first]})
    with pytest.raises(StoreError):
        first.log()
    assert (first.statistics().held, first.statistics().spooled) == (0, 1)
    RunnableLambda(str).invoke("two", {"callbacks": [first]})
    first.close()
    uri = f"sqlite:///{db}"
    second = MLflowEvalCallback(tracking_uri=uri, spool_dir=spool)
    RunnableLambda(str).invoke("three", {"callbacks": [second]})
    stored = read_run(second.log(), uri)
    assert [row.input for row in stored.report.dataset] == ["one", "two", "three"]
    assert (second.records, list(spool.glob("*.jsonl"))) == ((), [])

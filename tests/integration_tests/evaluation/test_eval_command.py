"""The whole path from a chain to an exit code, as a pipeline walks it: in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from langchain_prodkit.evaluation import EvalDataset, EvalReport, MLflowEvalCallback
from langchain_prodkit.testing import ProviderServer
from tests.unit_tests.evaluation.chains import rag

APP = """
import os
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

def answer(question: str) -> str:
    if os.environ.get("WORSE") and int(question.split()[-1]) % 3 == 0:
        return "I do not know."
    return f"Secret answer to {question}"

chain = RunnableLambda(answer)

def judge():
    return ChatOpenAI(model="judge", base_url=os.environ["JUDGE_URL"], api_key="none")
"""


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Type a command."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "GITHUB_"))}
    return subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "langchain_prodkit", "eval", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
        cwd=folder,
        env={**kept, "COLUMNS": "160", "NO_COLOR": "1", "MLFLOW_DISABLE_TELEMETRY": "true", **environment},
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a project: an application and questions with the answers expected."""
    (tmp_path / "my_app.py").write_text(APP)
    rows = [
        {"id": f"q{at}", "input": f"question {at}", "expected": f"Secret answer to question {at}"}
        for at in range(60)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.mark.slow
def test_from_a_chain_to_an_exit_code(folder: Path) -> None:
    """Answered, scored, taken as the baseline; the same again passes, worse answers fail, texts stay out."""
    scored = ("--chain", "my_app:chain", "--metrics", "exact_match,rouge_l,failure")
    assert run(folder, "run", "rows.jsonl", *scored, "-o", "good.json").returncode == 0
    first = run(folder, "gate", "good.json", "--baseline", "base.json", "--update-baseline")
    assert (first.returncode, (folder / "base.json").exists()) == (0, True)
    done = run(folder, "run", "rows.jsonl", *scored, "-o", "bad.json", WORSE="1")
    assert done.returncode == 0, done.stderr
    summary = {"GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    same = run(folder, "gate", "good.json", "--baseline", "base.json", "--threshold", "exact_match>=0.9")
    assert same.returncode == 0, same.stdout
    worse = run(folder, "gate", "bad.json", "--baseline", "base.json", "--junit", "out/gate.xml", **summary)
    assert worse.returncode == 1, worse.stdout
    assert "FAIL: 60 rows" in worse.stdout
    assert "Evaluation gate: FAIL" in (folder / "summary.md").read_text()
    suite = ET.parse(folder / "out" / "gate.xml").getroot()  # noqa: S314 - our own file
    assert suite.get("failures") == "2"
    files = [path for path in folder.rglob("*") if path.suffix in {".json", ".xml", ".md"}]
    assert len(files) == 5
    for path in files:
        assert "Secret" not in path.read_text()
    assert "Secret" not in worse.stdout + worse.stderr + done.stdout


@pytest.mark.slow
def test_recorded_runs_are_gated_like_written_rows(tmp_path: Path) -> None:
    """The callback's records are a data set of the command line too; too few of them say nothing."""
    record = MLflowEvalCallback()
    rag().batch([f"question {at}" for at in range(10)], {"callbacks": [record]})
    record.dataset().to_jsonl(tmp_path / "runs.jsonl")
    assert len(EvalDataset.from_jsonl(tmp_path / "runs.jsonl")) == 10
    assert run(tmp_path, "run", "runs.jsonl", "-o", "report.json").returncode == 0
    few = run(tmp_path, "gate", "report.json", "--threshold", "failure<=0.1")
    assert few.returncode == 2
    assert "10 rows have a score, fewer than 30" in few.stdout
    enough = run(
        tmp_path, "gate", "report.json", "--threshold", "failure<=0.1", "--on", "mean", "--min-rows", "10"
    )
    assert enough.returncode == 0, enough.stdout


@pytest.mark.slow
def test_a_dead_judge_exits_2_with_the_local_metrics(folder: Path) -> None:
    """Nothing about the answers is claimed, nothing that could be measured is lost."""
    with closing(socket.create_server(("127.0.0.1", 0))) as once:
        port = once.getsockname()[1]
    judged = ("--chain", "my_app:chain", "--judge", "my_app:judge", "--metrics", "exact_match,relevance")
    done = run(folder, "run", "rows.jsonl", *judged, "-o", "r.json", JUDGE_URL=f"http://127.0.0.1:{port}/v1")
    assert done.returncode == 2, done.stderr
    assert "the judge did not answer" in done.stderr
    report = EvalReport.load(folder / "r.json")
    assert (report.summary["exact_match"].n, report.summary["relevance"].n) == (60, 0)
    gate = run(folder, "gate", "r.json", "--threshold", "exact_match>=0.5", "--output", "json")
    verdict = json.loads(gate.stdout)
    assert (gate.returncode, verdict["judge_down"]) == (2, True)
    assert [item["verdict"] for item in verdict["metrics"]] == ["PASS"]


@pytest.mark.slow
def test_a_judge_that_answers_is_gated(folder: Path) -> None:
    """Its scores are scores like any other, and the second time they cost no call."""

    def script(body: dict[str, Any]) -> str:
        return json.dumps({"score": 5, "rationale": "fine"})

    judged = ("--chain", "my_app:chain", "--judge", "my_app:judge", "--metrics", "relevance")
    with ProviderServer(script=script) as provider:
        asked = []
        for _ in range(2):
            done = run(
                folder, "run", "rows.jsonl", *judged, "--judge-cache", "judge.sqlite", "-o", "r.json",
                JUDGE_URL=provider.base_url,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            asked.append(provider.statistics().requests)
    assert asked[0] >= 60
    assert asked[1] == asked[0]
    gate = run(folder, "gate", "r.json", "--threshold", "relevance>=0.9")
    assert gate.returncode == 0, gate.stdout


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ui_serves_the_evaluations_until_it_is_ended(folder: Path) -> None:
    """The address leads to the runs, and the server goes with the command."""
    pytest.importorskip("mlflow")
    store = str(folder / "mlflow.db")
    logged = run(folder, "run", "rows.jsonl", "--chain", "my_app:chain", "--log", "--tracking-uri", store)
    assert logged.returncode == 0, logged.stderr
    with closing(socket.create_server(("127.0.0.1", 0))) as once:
        port = once.getsockname()[1]
    ui = subprocess.Popen(  # noqa: S603 - our own program
        [
            sys.executable,
            "-u",
            "-m",
            "langchain_prodkit",
            "eval",
            "ui",
            "--port",
            str(port),
            "--tracking-uri",
            store,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
    )
    assert ui.stdout is not None
    try:
        line = ui.stdout.readline().strip()
        assert line == f"http://127.0.0.1:{port}/#/experiments/1/evaluation-runs"
        assert httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
    finally:
        ui.send_signal(signal.SIGINT)
        _, errors = ui.communicate(timeout=60)
    assert (ui.returncode, "Traceback" in errors) == (0, False)
    with closing(socket.create_server(("127.0.0.1", port))):
        pass

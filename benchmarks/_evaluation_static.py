"""A static data set scored and stored: our `evaluate` and `log_to_mlflow` beside `mlflow.genai.evaluate`.

The same rows and the same six local metrics, each side into a fresh sqlite store in a process of its own.
MLflow's side gets a pool of 30 + 30 connections, without which it loses rows on sqlite at 100 rows; seconds
count from the first line after the imports to the finished run, and the rows are then counted in the store.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from langchain_prodkit.evaluation import EvalDataset, Metric, evaluate
from langchain_prodkit.evaluation.metrics import (
    AutomatedReadability,
    EmptyAnswer,
    ExactMatch,
    FleschKincaid,
    RougeL,
    WordCount,
)

GOAL: Final = "goal: all rows kept, in at most 1/10 of the time of mlflow.genai.evaluate"
_POOL: Final = {
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "30",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "30",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
}
_LIMIT_S: Final = 300


def static_rows(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give a row for each side: seconds, rows kept in the store, and the ratio."""
    n = 5 if smoke else 100
    done = {side: _apart(side, n) for side in ("langchain-prodkit", "mlflow.genai.evaluate")}
    peer = done["mlflow.genai.evaluate"]["seconds"]
    return [
        {
            "side": side,
            "rows": n,
            "metrics": 6,
            "kept": found["kept"],
            "seconds": round(found["seconds"], 3),
            "of_peer": round(found["seconds"] / peer, 4) if peer else None,
        }
        for side, found in done.items()
    ]


def _apart(side: str, n: int) -> dict[str, Any]:
    """Run one side in a process of its own; one that does not end kept nothing that counts."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(  # noqa: S603 - this module
                [sys.executable, "-m", "benchmarks._evaluation_static", side, str(n), folder],
                capture_output=True,
                text=True,
                check=True,
                timeout=_LIMIT_S,
                env={**os.environ, **_POOL},
            )
        except subprocess.TimeoutExpired:
            return {"seconds": float(_LIMIT_S), "kept": 0}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _dataset(n: int) -> EvalDataset:
    return EvalDataset.from_records(
        {
            "id": f"q{row}",
            "input": f"How long does parcel {row} take, and who brings it?",
            "output": f"Parcel {row} takes about {row % 5 + 2} days. The courier of the town brings it.",
            "expected": f"It takes {row % 4 + 2} days, and the courier of the town brings parcel {row}.",
        }
        for row in range(n)
    )


def _metrics() -> list[Metric]:
    return [WordCount(), AutomatedReadability(), FleschKincaid(), ExactMatch(), RougeL(), EmptyAnswer()]


def _ours(n: int, uri: str) -> dict[str, Any]:
    import mlflow  # noqa: PLC0415 - as on the other side, imported before the clock starts

    dataset = _dataset(n)
    mlflow.MlflowClient(tracking_uri=uri).search_experiments()
    started = time.perf_counter()
    run_id = evaluate(dataset, _metrics()).log_to_mlflow(tracking_uri=uri, experiment="static")
    seconds = time.perf_counter() - started
    from langchain_prodkit.evaluation import read_run  # noqa: PLC0415

    stored = read_run(run_id, uri)
    kept = sum(all(score.value is not None for score in row.scores.values()) for row in stored.report.rows)
    return {"seconds": seconds, "kept": kept if stored.status == "FINISHED" else 0}


def _theirs(n: int, uri: str) -> dict[str, Any]:
    import mlflow  # noqa: PLC0415
    from mlflow.genai.scorers import scorer  # noqa: PLC0415

    mlflow.set_tracking_uri(uri)
    mlflow.MlflowClient().search_experiments()
    experiment = mlflow.set_experiment("static")
    rows = list(_dataset(n))

    def as_scorer(metric: Metric) -> Any:
        def score(inputs: dict[str, Any]) -> float | None:
            return metric.score(rows[inputs["row"]]).value

        return scorer(score, name=metric.name)

    data = [
        {"inputs": {"row": at, "question": row.input}, "outputs": row.output} for at, row in enumerate(rows)
    ]
    scorers = [as_scorer(metric) for metric in _metrics()]
    started = time.perf_counter()
    result = mlflow.genai.evaluate(data=data, scorers=scorers)
    seconds = time.perf_counter() - started
    traces = mlflow.search_traces(
        locations=[experiment.experiment_id], run_id=result.run_id, return_type="list", max_results=n + 1
    )
    kept = sum(len(trace.info.assessments) >= len(scorers) for trace in traces)
    return {"seconds": seconds, "kept": kept}


def _main() -> None:
    side, n, folder = sys.argv[1:]
    uri = f"sqlite:///{Path(folder) / 'mlflow.db'}"
    os.chdir(folder)
    print(json.dumps((_ours if side == "langchain-prodkit" else _theirs)(int(n), uri)))


if __name__ == "__main__":
    _main()

"""A static data set scored and stored: our `evaluate` and `log_to_mlflow` beside `mlflow.genai.evaluate`.

The same rows and the same six local metrics, each side into a fresh sqlite store, one after the other in one
process that has imported MLflow and made the stores before. Connections are pooled 30 + 30, without which
`mlflow.genai.evaluate` loses rows on sqlite at 100 rows. Rows are counted in the store afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from langchain_prodkit.evaluation import EvalDataset, Metric, evaluate, read_run
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
_SIDES: Final = ("langchain-prodkit", "mlflow.genai.evaluate")


def static_rows(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give a row for each side: seconds, rows kept in the store, and the ratio."""
    n = 5 if smoke else 100
    done = _apart(n)
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


def _apart(n: int) -> dict[str, Any]:
    """Measure both sides in a fresh process, where the pool is set before MLflow is imported."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            text = subprocess.run(  # noqa: S603 - this module
                [sys.executable, "-m", "benchmarks._evaluation_static", str(n), folder],
                capture_output=True,
                check=True,
                timeout=_LIMIT_S,
                env={**os.environ, **_POOL},
            ).stdout
        except subprocess.TimeoutExpired as error:
            # A side that does not end kept nothing that counts.
            text = error.stdout or b""
    found: dict[str, Any] = {side: {"seconds": float(_LIMIT_S), "kept": 0} for side in _SIDES}
    for line in text.decode().splitlines():
        if line.startswith("{"):
            found |= json.loads(line)
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
    dataset = _dataset(n)
    started = time.perf_counter()
    run_id = evaluate(dataset, _metrics()).log_to_mlflow(tracking_uri=uri, experiment="static")
    seconds = time.perf_counter() - started
    stored = read_run(run_id, uri)
    kept = sum(all(score.value is not None for score in row.scores.values()) for row in stored.report.rows)
    return {"seconds": seconds, "kept": kept if stored.status == "FINISHED" else 0}


def _theirs(n: int, uri: str) -> dict[str, Any]:
    import mlflow  # noqa: PLC0415
    from mlflow.genai.scorers import scorer  # noqa: PLC0415

    mlflow.set_tracking_uri(uri)
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
    import mlflow  # noqa: PLC0415 - both sides begin with it imported

    n, folder = int(sys.argv[1]), Path(sys.argv[2])
    os.chdir(folder)
    made = folder / "made.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{made}").search_experiments()
    for name, side in zip(_SIDES, (_ours, _theirs), strict=True):
        (folder / name).mkdir()
        store = shutil.copy(made, folder / name / "mlflow.db")
        print(json.dumps({name: side(n, f"sqlite:///{store}")}), flush=True)


if __name__ == "__main__":
    _main()

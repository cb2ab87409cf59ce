"""Write a report as one MLflow run, and read it back."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from langchain_prodkit import __version__
from langchain_prodkit._extras import require
from langchain_prodkit.errors import MissingExtraError, StoreError
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics import Score
from langchain_prodkit.evaluation.record import EvalRecord
from langchain_prodkit.evaluation.report import EvalReport, RowScores, summarised
from langchain_prodkit.evaluation.store import (
    cause,
    load_mlflow,
    ready,
    resolved,
    shown,
    sqlite_path,
    unreachable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["StoredRun", "experiment_id_of", "read_run", "write_run"]

TABLE: Final = "eval_results_table.json"
"""The artifact that holds the rows; MLflow's own evaluation uses the same name."""
DEFAULT_EXPERIMENT: Final = "langchain-prodkit"

_DIRECTIONS: Final = "prodkit.directions"
_FINGERPRINT: Final = "prodkit.fingerprint"
_MAX_PARAM_CHARS: Final = 500
_MAX_DIGEST_CHARS: Final = 36


@dataclass(frozen=True, slots=True)
class StoredRun:
    """An evaluation as it stands in an MLflow store."""

    run_id: str
    experiment: str
    """Name of the experiment."""
    tracking_uri: str = field(repr=False)
    status: str
    """`FINISHED` when everything was written."""
    metrics: Mapping[str, float]
    """As MLflow shows them: `<metric>/mean`, and where there are any `/skipped` and `/errors`."""
    params: Mapping[str, str]
    tags: Mapping[str, str] = field(repr=False)
    report: EvalReport = field(repr=False)
    """Rows, scores and summary, rebuilt from the table (numbers to ten digits)."""


def write_run(
    report: EvalReport,
    *,
    experiment: str | None = None,
    tracking_uri: str | Path | None = None,
    run_name: str | None = None,
) -> str:
    """Write one run and give its id; see `EvalReport.log_to_mlflow`."""
    mlflow = load_mlflow()
    uri = resolved(mlflow, tracking_uri)
    ready(uri)
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        experiment_id = experiment_id_of(mlflow, client, uri, experiment)
        name = run_name or report.dataset.name
        tags = _tags(report)
        run_id = str(client.create_run(experiment_id, tags=tags, run_name=name).info.run_id)
        try:
            _fill(mlflow, client, run_id, report)
        except BaseException:
            with contextlib.suppress(Exception):
                client.set_terminated(run_id, "FAILED")
            raise
        client.set_terminated(run_id, "FINISHED")
    except (StoreError, MissingExtraError):
        raise
    except Exception as error:  # noqa: BLE001 - MLflow's messages may hold rows and passwords
        raise unreachable(uri, error) from None
    return run_id


def read_run(run_id: str, tracking_uri: str | Path | None = None) -> StoredRun:
    """Read an evaluation back from the store it was written to.

    Args:
        run_id: What `log_to_mlflow` gave.
        tracking_uri: As given to `log_to_mlflow`.

    Raises:
        StoreError: The store cannot be reached, has no such run, or the run holds no evaluation of
            this package.
        MissingExtraError: MLflow is not installed.
    """
    mlflow = load_mlflow()
    uri = resolved(mlflow, tracking_uri)
    if (path := sqlite_path(uri)) is not None and not path.is_file():
        msg = f"there is no MLflow store at {shown(uri)}; give tracking_uri= the one that was written to"
        raise StoreError(msg)
    ready(uri)
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        run = client.get_run(run_id)
        experiment = str(client.get_experiment(run.info.experiment_id).name)
        table = _table(client, run_id, run.info.artifact_uri)
        report = _rebuilt(table, json.loads(run.data.tags[_DIRECTIONS]), run.data.params["dataset"])
    except Exception as error:  # noqa: BLE001 - see write_run
        msg = (
            f"the MLflow store {shown(uri)} gives no evaluation for this run ({cause(error)}); "
            "give read_run the run id and the tracking_uri of an evaluation written by log_to_mlflow"
        )
        raise StoreError(msg) from None
    return StoredRun(
        run_id=run_id,
        experiment=experiment,
        tracking_uri=uri,
        status=str(run.info.status),
        metrics=dict(run.data.metrics),
        params=dict(run.data.params),
        tags=dict(run.data.tags),
        report=report,
    )


def _table(client: Any, run_id: str, artifacts: str) -> Any:
    where = urlsplit(artifacts)
    if where.scheme == "file":
        # Not copied, and no progress bar for one small file.
        return json.loads(Path(url2pathname(where.path), TABLE).read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        return json.loads(Path(client.download_artifacts(run_id, TABLE, folder)).read_bytes())


def experiment_id_of(mlflow: Any, client: Any, uri: str, name: str | None) -> str:
    """Give the id of the experiment, made if there is none; see `EvalReport.log_to_mlflow`."""
    name = name or os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    found = client.get_experiment_by_name(name)
    if found is None:
        # Without a location MLflow puts the artifacts of a sqlite store below the current folder.
        path = sqlite_path(uri)
        home = path.absolute().parent / "mlartifacts" / quote(name, safe="") if path else None
        try:
            return str(client.create_experiment(name, artifact_location=home.as_uri() if home else None))
        except mlflow.MlflowException:
            # Somebody else made it meanwhile, or the error will show again.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage != "active":
        msg = "the MLflow experiment of that name was deleted; restore it, or give experiment= another name"
        raise StoreError(msg)
    return str(found.experiment_id)


def _tags(report: EvalReport) -> dict[str, str]:
    return {
        "mlflow.runType": "genai_evaluate",
        "mlflow.source.name": "langchain_prodkit.evaluation",
        "mlflow.source.type": "LOCAL",
        "prodkit.version": __version__,
        _FINGERPRINT: report.dataset.fingerprint,
        _DIRECTIONS: json.dumps({name: item.higher_is_better for name, item in report.summary.items()}),
    }


def _fill(mlflow: Any, client: Any, run_id: str, report: EvalReport) -> None:
    entities = mlflow.entities
    dataset = report.dataset
    source = {"tags": {"mlflow.source.name": "langchain_prodkit.evaluation"}}
    given = entities.DatasetInput(
        dataset=entities.Dataset(
            name=dataset.name,
            digest=dataset.fingerprint[:_MAX_DIGEST_CHARS],
            source_type="code",
            source=json.dumps(source),
            profile=json.dumps({"num_rows": len(dataset)}),
        ),
        tags=[entities.InputTag(key="mlflow.data.context", value="eval")],
    )
    client.log_inputs(run_id, datasets=[given])
    client.log_table(run_id, _columns(report), TABLE)
    now_ms = int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[entities.Metric(name, value, now_ms, 0) for name, value in _metrics(report).items()],
        params=[entities.Param(name, value[:_MAX_PARAM_CHARS]) for name, value in _params(report).items()],
    )


def _metrics(report: EvalReport) -> dict[str, float]:
    values = {"rows": float(len(report.rows))}
    for name, item in report.summary.items():
        if item.mean is not None:
            values[f"{name}/mean"] = item.mean
        if item.skipped:
            values[f"{name}/skipped"] = float(item.skipped)
        if item.errors:
            values[f"{name}/errors"] = float(item.errors)
    return values


def _params(report: EvalReport) -> dict[str, str]:
    models = dict.fromkeys(model for row in report.dataset for model in row.models)
    return {
        "dataset": report.dataset.name,
        "fingerprint": report.dataset.fingerprint,
        "metrics": ", ".join(report.summary),
        "models": ", ".join(models) or "unknown",
    }


def _columns(report: EvalReport) -> Any:
    table = report.to_table()
    names = dict.fromkeys(name for line in table for name in line)
    columns = {name: [_writable(line.get(name)) for line in table] for name in names}
    # Objects, or pandas would make floats of whole numbers wherever one is missing.
    return require("pandas", extra="eval").DataFrame(columns, dtype=object)


def _writable(value: Any) -> Any:
    """Replace lone surrogates, which no store can encode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_writable(key): _writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(item) for item in value]
    return value


def _rebuilt(
    table: Mapping[str, Any], directions: Mapping[str, bool | None], dataset_name: str
) -> EvalReport:
    columns: Sequence[str] = table["columns"]
    records, rows = [], []
    for cells in table["data"]:
        line = {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None}
        record = EvalRecord.from_dict(line)
        scores = {
            name: Score(line.get(f"{name}/score"), line.get(f"{name}/skipped"), line.get(f"{name}/error"))
            for name in directions
        }
        records.append(record)
        rows.append(RowScores(record.id, scores))
    dataset = EvalDataset(tuple(records), dataset_name)
    return EvalReport(dataset, tuple(rows), summarised(rows, directions))

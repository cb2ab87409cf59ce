"""Write a report as one MLflow run, and read it back."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

from langchain_prodkit import __version__
from langchain_prodkit._extras import require
from langchain_prodkit.errors import (
    ConfigurationError,
    EvaluationError,
    MissingExtraError,
    StoreError,
)
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics import Score
from langchain_prodkit.evaluation.mlflow_runs import SOURCE, WRITER, close_abandoned, undo, writer
from langchain_prodkit.evaluation.mlflow_traces import TraceChoice, TraceWriter, chosen_rows, writable
from langchain_prodkit.evaluation.plots import log_plots
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
from langchain_prodkit.evaluation.watch import watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["LogOptions", "StoredRun", "experiment_id_of", "read_run", "write_run"]

TABLE: Final = "eval_results_table.json"
"""The artifact that holds the rows; MLflow's own evaluation uses the same name."""
DEFAULT_EXPERIMENT: Final = "langchain-prodkit"

_DIRECTIONS: Final = "prodkit.directions"
_FINGERPRINT: Final = "prodkit.fingerprint"
_MAX_PARAM_CHARS: Final = 500
_MAX_DIGEST_CHARS: Final = 36
_MOST_METRICS: Final = 1000
_RESERVED: Final = ("mlflow.", "prodkit.")


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
    """As MLflow shows them: `<metric>/mean`, `/ci_low`, `/ci_high`, `/n`, and, where there are any,
    `/skipped` and `/errors`; `rows` and `traces` are counts."""
    params: Mapping[str, str]
    tags: Mapping[str, str] = field(repr=False)
    report: EvalReport = field(repr=False)
    """Rows, scores and summary, rebuilt from the table (numbers to ten digits)."""


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What is written beside the numbers; see `EvalReport.log_to_mlflow`."""

    run_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    traces: TraceChoice = "sampled"
    sample: int = 20
    passing: Mapping[str, float] | None = None
    plots: bool = False
    baseline: EvalReport | None = None


def write_run(
    report: EvalReport,
    *,
    experiment: str | None = None,
    tracking_uri: str | Path | None = None,
    options: LogOptions | None = None,
) -> str:
    """Write one run and give its id; see `EvalReport.log_to_mlflow`."""
    options = options or LogOptions()
    _check(options)
    if options.baseline is not None:
        report.compare(options.baseline)
    chosen, left_out = chosen_rows(report, options.traces, options.sample, options.passing)
    mlflow = load_mlflow()
    uri = resolved(mlflow, tracking_uri)
    ready(uri)
    by = writer()

    def write(proceed: Callable[[], None]) -> str:
        return _Writing(mlflow, uri, report, options, by, proceed).run(experiment, chosen, left_out)

    try:
        return watched(uri, write)
    except (StoreError, EvaluationError, MissingExtraError):
        raise
    except Exception as error:  # noqa: BLE001 - MLflow's messages may hold rows and passwords
        raise unreachable(uri, error) from None


def _check(options: LogOptions) -> None:
    if options.traces not in get_args(TraceChoice):
        msg = f"traces= is one of {', '.join(get_args(TraceChoice))}"
        raise ConfigurationError(msg)
    if options.sample < 0:
        msg = "sample= is a number of rows, 0 or more"
        raise ConfigurationError(msg)
    if reserved := [name for name in options.tags if name.startswith(_RESERVED)]:
        msg = f"{len(reserved)} of the tags begin with mlflow. or prodkit., which are taken; rename them"
        raise ConfigurationError(msg)


class _Writing:
    """One run on its way into a store: numbers last, so that what is not whole shows none."""

    def __init__(  # noqa: PLR0917 - what a run is made of
        self,
        mlflow: Any,
        uri: str,
        report: EvalReport,
        options: LogOptions,
        by: str,
        proceed: Callable[[], None],
    ) -> None:
        self._mlflow = mlflow
        self._uri = uri
        self._client = mlflow.MlflowClient(tracking_uri=uri)
        self._report = report
        self._options = options
        self._writer = by
        self._proceed = proceed

    def run(self, experiment: str | None, chosen: Sequence[str], left_out: int) -> str:
        """Write everything and give the id of the run."""
        experiment_id = experiment_id_of(self._mlflow, self._client, self._uri, experiment)
        self._proceed()
        close_abandoned(self._client, experiment_id, self._writer)
        self._proceed()
        name = self._options.run_name or self._report.dataset.name
        tags = {**self._options.tags, **_tags(self._report), WRITER: self._writer}
        run_id = str(self._client.create_run(experiment_id, tags=tags, run_name=name).info.run_id)
        try:
            self._fill(run_id, experiment_id, chosen, left_out)
            self._proceed()
            self._client.set_terminated(run_id, "FINISHED")
        except BaseException:
            undo(self._client, run_id, experiment_id)
            raise
        return run_id

    def _fill(self, run_id: str, experiment_id: str, chosen: Sequence[str], left_out: int) -> None:
        client, report = self._client, self._report
        client.log_inputs(run_id, datasets=[_dataset_input(self._mlflow.entities, report)])
        self._proceed()
        client.log_dict(run_id, _table_of(report), TABLE)
        if self._options.plots:
            self._proceed()
            log_plots(client, run_id, report, self._options.baseline)
        if chosen:
            tracing = require("mlflow.tracing.client", extra="eval").TracingClient(self._uri)
            TraceWriter(tracing, experiment_id, run_id, self._proceed).write(report, chosen)
        self._proceed()
        entities = self._mlflow.entities
        now_ms = int(time.time() * 1000)
        metrics = {**_metrics(report), "traces": float(len(chosen))}
        if left_out:
            metrics["traces_left_out"] = float(left_out)
        values = [entities.Metric(name, value, now_ms, 0) for name, value in metrics.items()]
        params = [entities.Param(key, value[:_MAX_PARAM_CHARS]) for key, value in _params(report).items()]
        # What MLflow takes in one request.
        for at in range(0, len(values), _MOST_METRICS):
            client.log_batch(run_id, metrics=values[at : at + _MOST_METRICS], params=[] if at else params)


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
        "mlflow.source.name": SOURCE,
        "mlflow.source.type": "LOCAL",
        # Where MLflow's pages look for tables.
        "mlflow.loggedArtifacts": json.dumps([{"path": TABLE, "type": "table"}]),
        "prodkit.version": __version__,
        _FINGERPRINT: report.fingerprint,
        _DIRECTIONS: json.dumps({name: item.higher_is_better for name, item in report.summary.items()}),
    }


def _dataset_input(entities: Any, report: EvalReport) -> Any:
    source = {"tags": {"mlflow.source.name": SOURCE}}
    return entities.DatasetInput(
        dataset=entities.Dataset(
            name=report.dataset.name,
            digest=report.fingerprint[:_MAX_DIGEST_CHARS],
            source_type="code",
            source=json.dumps(source),
            profile=json.dumps({"num_rows": len(report.dataset)}),
        ),
        tags=[entities.InputTag(key="mlflow.data.context", value="eval")],
    )


def _metrics(report: EvalReport) -> dict[str, float]:
    means, others = {"rows": float(len(report.rows))}, {}
    for name, item in report.summary.items():
        if item.mean is not None:
            means[f"{name}/mean"] = item.mean
        if item.ci_low is not None and item.ci_high is not None:
            others[f"{name}/ci_low"] = item.ci_low
            others[f"{name}/ci_high"] = item.ci_high
        others[f"{name}/n"] = float(item.n)
        if item.skipped:
            others[f"{name}/skipped"] = float(item.skipped)
        if item.errors:
            others[f"{name}/errors"] = float(item.errors)
    # The pages show columns in this order.
    return means | others


def _params(report: EvalReport) -> dict[str, str]:
    models = dict.fromkeys(model for row in report.dataset for model in row.models)
    return {
        "dataset": report.dataset.name,
        "fingerprint": report.fingerprint,
        "metrics": ", ".join(report.summary),
        "models": ", ".join(models) or "unknown",
    }


def _table_of(report: EvalReport) -> dict[str, Any]:
    """Give the rows as MLflow's viewers read a table: names, and a list of cells for each row."""
    table = report.to_table()
    names = list(dict.fromkeys(name for line in table for name in line))
    return {"columns": names, "data": [[writable(line.get(name)) for name in names] for line in table]}


def _rebuilt(
    table: Mapping[str, Any], directions: Mapping[str, bool | None], dataset_name: str
) -> EvalReport:
    columns: Sequence[str] = table["columns"]
    records, rows = [], []
    for cells in table["data"]:
        line = {name: cell for name, cell in zip(columns, cells, strict=True) if cell is not None}
        record = EvalRecord.from_dict(line)
        scores = {
            name: Score(*(line.get(f"{name}/{part}") for part in ("score", "skipped", "error", "rationale")))
            for name in directions
        }
        records.append(record)
        rows.append(RowScores(record.id, scores))
    dataset = EvalDataset(tuple(records), dataset_name)
    return EvalReport(dataset, tuple(rows), summarised(rows, directions))

"""Rows from what an MLflow store holds already: traces, and data sets of `mlflow.genai`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import EvaluationError, MissingExtraError, StoreError
from langchain_prodkit.evaluation.mlflow_log import experiment_id_of
from langchain_prodkit.evaluation.plain import plain
from langchain_prodkit.evaluation.record import Context, EvalRecord, Feedback
from langchain_prodkit.evaluation.store import cause, load_mlflow, ready, resolved, shown, unreachable

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.dataset import EvalDataset

__all__ = ["read_dataset", "rows_of_traces", "write_dataset"]

EXPECTED: Final = "expected_response"
"""The expectation that MLflow's own scorers read as the right answer."""
_USAGE: Final = "mlflow.trace.tokenUsage"
_FAILED: Final = "MlflowTraceError"
_OURS: Final = "prodkit.id"
_KIND: Final = "prodkit.input"

# MLflow's data sets know one store for the whole process: whoever needs another one waits here.
_switch: Final = threading.Lock()


def rows_of_traces(traces: Iterable[Any]) -> tuple[EvalRecord, ...]:
    """Make a row of each trace.

    Raises:
        EvaluationError: Something among them is no trace.
    """
    rows = []
    for number, trace in enumerate(traces, start=1):
        try:
            rows.append(_row(trace))
        except (AttributeError, TypeError, KeyError, ValueError):
            raise EvaluationError(
                f"number {number} is no MLflow trace with spans; mlflow.search_traces("
                'return_type="list") gives traces'
            ) from None
    return tuple(rows)


def _row(trace: Any) -> EvalRecord:
    info, spans = trace.info, trace.data.spans
    root = next((span for span in spans if span.parent_id is None), None)
    has_failed = str(getattr(info.state, "value", info.state)) == "ERROR"
    assessed = [one for one in info.assessments or () if getattr(one, "valid", True)]
    expected = {one.name: one.value for one in assessed if getattr(one, "expectation", None) is not None}
    return EvalRecord(
        id=str(info.trace_id),
        input=None if root is None else _unwrapped(root.inputs),
        output=None if root is None or has_failed else plain(root.outputs),
        expected=plain(expected.get(EXPECTED)),
        contexts=tuple(_contexts(spans)),
        name=str(info.tags.get("mlflow.traceName", "")),
        usage=_usage(info.trace_metadata.get(_USAGE)),
        latency_ms=None if info.execution_duration is None else float(info.execution_duration),
        error=_FAILED if has_failed else None,
        started_at=info.request_time / 1000,
        feedback=tuple(_feedback(assessed)),
    )


def _unwrapped(inputs: Any) -> Any:
    """Take a lone text out of the mapping that MLflow wants around it."""
    value = plain(inputs)
    if isinstance(value, dict) and len(value) == 1:
        (only,) = value.values()
        return only if isinstance(only, str) else value
    return value


def _contexts(spans: Iterable[Any]) -> Iterator[Context]:
    seen = set()
    for span in sorted(spans, key=lambda span: int(span.start_time_ns)):
        if str(span.span_type) != "RETRIEVER" or not isinstance(span.outputs, list):
            continue
        for document in span.outputs:
            text = document.get("page_content") if isinstance(document, Mapping) else document
            if isinstance(text, str) and text not in seen:
                seen.add(text)
                about = document if isinstance(document, Mapping) else {}
                identity = about.get("id")
                yield Context(
                    text,
                    None if identity is None else str(identity),
                    metadata=plain(about.get("metadata") or {}),
                )


def _usage(text: str | None) -> dict[str, Any] | None:
    usage = None if text is None else json.loads(text)
    return usage if isinstance(usage, dict) else None


def _feedback(assessed: Iterable[Any]) -> Iterator[Feedback]:
    for one in assessed:
        given = getattr(one, "feedback", None)
        if given is not None and isinstance(given.value, float | int | bool | str):
            yield Feedback(one.name, given.value, one.rationale, str(one.source.source_type).lower())


def read_dataset(name: str, tracking_uri: str | Path | None) -> tuple[EvalRecord, ...]:
    """Read a data set by its name or id; see `EvalDataset.from_mlflow`."""
    mlflow = load_mlflow()
    uri = resolved(mlflow, tracking_uri)
    ready(uri)
    try:
        with _store(mlflow, uri):
            found = _found(mlflow, name)
            records = None if found is None else found.to_df().to_dict("records")
    except MissingExtraError:
        raise
    except Exception as error:  # noqa: BLE001 - MLflow's messages may hold rows and passwords
        raise unreachable(uri, error) from None
    if records is None:
        raise StoreError(
            f"the MLflow store {shown(uri)} has no data set of that name or id; give tracking_uri= "
            "the store it was written to"
        )
    return tuple(_question(record) for record in records)


def write_dataset(
    dataset: EvalDataset, name: str, experiment: str | None, tracking_uri: str | Path | None
) -> str:
    """Write the questions; see `EvalDataset.to_mlflow`."""
    mlflow = load_mlflow()
    uri = resolved(mlflow, tracking_uri)
    ready(uri)
    try:
        where = experiment_id_of(mlflow, mlflow.MlflowClient(tracking_uri=uri), uri, experiment)
        with _store(mlflow, uri):
            kept = _found(mlflow, name) or mlflow.genai.datasets.create_dataset(
                name=name, experiment_id=[where]
            )
            kept.merge_records([_record(row) for row in dataset])
            return str(kept.dataset_id)
    except (StoreError, MissingExtraError):
        raise
    except Exception as error:  # noqa: BLE001 - see read_dataset
        if "FileStore" in str(error) or cause(error).endswith("FEATURE_DISABLED"):
            raise StoreError(
                "MLflow keeps data sets in a database only; give tracking_uri= a sqlite file or a server"
            ) from None
        raise unreachable(uri, error) from None


def _found(mlflow: Any, name: str) -> Any:
    missing = mlflow.exceptions.MlflowException
    for by in ("name", "dataset_id"):
        try:
            return mlflow.genai.datasets.get_dataset(**{by: name})
        except missing as error:
            if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
                raise
    return None


@contextmanager
def _store(mlflow: Any, uri: str) -> Iterator[None]:
    with _switch:
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(uri)
        try:
            yield
        finally:
            mlflow.set_tracking_uri(before)


def _record(row: EvalRecord) -> dict[str, Any]:
    is_mapping = isinstance(row.input, dict)
    record: dict[str, Any] = {
        "inputs": row.input if is_mapping else {"question": row.input},
        "tags": {_OURS: row.id, _KIND: "mapping" if is_mapping else "value"},
    }
    if row.expected is not None:
        record["expectations"] = {EXPECTED: row.expected}
    return record


def _question(record: Mapping[str, Any]) -> EvalRecord:
    tags = record.get("tags") or {}
    inputs = record["inputs"]
    expected = (record.get("expectations") or {}).get(EXPECTED)
    is_value = tags.get(_KIND) != "mapping"
    return EvalRecord(
        id=str(tags.get(_OURS) or record["dataset_record_id"]),
        input=_unwrapped(inputs) if is_value else plain(inputs),
        expected=plain(expected),
    )

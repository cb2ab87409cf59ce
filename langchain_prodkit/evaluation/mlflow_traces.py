"""Rows as MLflow traces with assessments, so that its evaluation pages fill.

A trace is written whole, with all that was said about it, in one request, and its spans together with
those of its batch: MLflow's own evaluation writes each assessment for itself, from many threads.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.metrics import Score
    from langchain_prodkit.evaluation.record import Context, EvalRecord, Feedback
    from langchain_prodkit.evaluation.report import EvalReport
    from langchain_prodkit.evaluation.summary import RowScores

__all__ = ["MOST_TRACES", "TraceChoice", "TraceWriter", "chosen_rows", "writable"]

TraceChoice = Literal["failed", "sampled", "all", "none"]

MOST_TRACES: Final = 500
"""Failed rows beyond that get no trace of their own, unless all rows do."""
MOST_LISTED: Final = 100
"""What MLflow takes in one request that names traces."""

_MOST_BATCH_CHARS: Final = 2_000_000
_MOST_PREVIEW_CHARS: Final = 1000
_MOST_TAG_CHARS: Final = 250
_SHARE: Final = {0.0, 1.0}
_STATE: Final = {True: "OK", False: "ERROR"}


def chosen_rows(
    report: EvalReport, traces: TraceChoice, sample: int, passing: Mapping[str, float] | None
) -> tuple[list[str], int]:
    """Give the ids of the rows to trace, in order, and how many failed rows had to be left out.

    The sample is drawn by the hash of the id: two versions of an application show the same rows.
    """
    failed = [row.id for row in report.failed_rows(passing)]
    if traces == "none":
        return [], len(failed)
    if traces == "all":
        return [row.id for row in report.rows], 0
    kept = set(failed[:MOST_TRACES])
    if traces == "sampled":
        others = sorted({row.id for row in report.rows} - set(failed), key=_digest)
        kept |= set(others[:sample])
    return [row.id for row in report.rows if row.id in kept], max(0, len(failed) - MOST_TRACES)


@dataclass
class TraceWriter:
    """Writes the traces of one run; `written` says which may exist, whatever happens."""

    client: Any
    """MLflow's `TracingClient`."""
    experiment_id: str
    run_id: str
    proceed: Callable[[], None]
    """Asked before each request; raises to stop."""
    written: list[str] = field(default_factory=list)
    _takes_spans: bool = True

    def write(self, report: EvalReport, ids: Iterable[str]) -> None:
        """Write a trace for each row of `ids`."""
        wanted = set(ids)
        shares = frozenset(name for name, item in report.summary.items() if _is_share(report, name, item))
        pairs = ((row, scored) for row, scored in zip(report.dataset, report.rows, strict=True))
        traces = (self._trace(row, scored, shares) for row, scored in pairs if row.id in wanted)
        for batch in _batches(traces):
            self._send(batch)

    def _send(self, batch: list[Any]) -> None:
        for trace in batch:
            self.proceed()
            self.written.append(trace.info.trace_id)
            trace.info = self.client.start_trace(trace.info)
        self.proceed()
        if self._takes_spans:
            try:
                self.client.log_spans(
                    self.experiment_id, [span for trace in batch for span in trace.data.spans]
                )
            except Exception as error:
                if not _cannot_take_spans(error):
                    raise
                self._takes_spans = False
            else:
                return
        for trace in batch:
            self.proceed()
            # Stores of files, and servers on top of one, keep spans as an artifact.
            self.client._upload_trace_data(trace.info, trace.data)  # noqa: SLF001

    def _trace(self, row: EvalRecord, scored: RowScores, shares: frozenset[str]) -> Any:
        entities = _entities()
        key = _digest(f"{self.run_id}/{row.id}")
        trace_id = f"tr-{key[:32]}"
        lasted_ms = max(0, round(row.latency_ms or 0))
        started_ms = int(time.time() * 1000) - lasted_ms
        spans = [
            entities.Span.from_dict(span)
            for span in _spans(row, trace_id, key, started_ms * 1_000_000, lasted_ms * 1_000_000)
        ]
        info = entities.TraceInfo(
            trace_id=trace_id,
            trace_location=entities.TraceLocation.from_experiment_id(self.experiment_id),
            request_time=started_ms,
            state=entities.trace_state.TraceState(_STATE[row.error is None]),
            execution_duration=lasted_ms,
            request_preview=_preview(row.question),
            response_preview=_preview(row.answer),
            client_request_id=writable(row.id)[:50],
            trace_metadata=self._metadata(row),
            tags=_tags(row),
            assessments=list(self._assessments(row, scored, shares, trace_id, key)),
        )
        return entities.Trace(info=info, data=entities.TraceData(spans=spans))

    def _metadata(self, row: EvalRecord) -> dict[str, str]:
        metadata = {"mlflow.sourceRun": self.run_id, "mlflow.trace_schema.version": "3"}
        names = ("input_tokens", "output_tokens", "total_tokens")
        usage = {name: row.usage[name] for name in names if name in row.usage} if row.usage else {}
        if len(usage) == len(names):
            metadata["mlflow.trace.tokenUsage"] = json.dumps(usage)
        return metadata

    def _assessments(
        self, row: EvalRecord, scored: RowScores, shares: frozenset[str], trace_id: str, key: str
    ) -> Iterator[Any]:
        made = [
            *(_said(name, score, name in shares) for name, score in scored.scores.items()),
            *(_flag(flag) for flag in row.flags),
            *map(_told, row.feedback),
            _expected(row),
        ]
        for number, item in enumerate(item for item in made if item is not None):
            item.trace_id = trace_id
            item.span_id = key[:16]
            # A request that is repeated must not say everything twice.
            item.assessment_id = f"a-{_digest(f'{key}/{number}')[:32]}"
            item.metadata = {**(item.metadata or {}), "mlflow.assessment.sourceRunId": self.run_id}
            yield item


def _said(name: str, score: Score, is_share: bool) -> Any:
    entities = _entities()
    source = _source("CODE", name)
    if score.error is not None:
        error = entities.AssessmentError(error_code=score.error)
        return entities.Feedback(name=name, value=None, error=error, source=source)
    if score.value is None:
        return None
    # MLflow counts passes of what is true or false, and only averages numbers.
    value = bool(score.value) if is_share else score.value
    return entities.Feedback(name=name, value=value, source=source, rationale=_optional(score.rationale))


def _flag(name: str) -> Any:
    return _entities().Feedback(name=writable(name), value=False, source=_source("CODE", name))


def _told(feedback: Feedback) -> Any:
    kind = {"human": "HUMAN", "code": "CODE"}.get(feedback.source, "LLM_JUDGE")
    return _entities().Feedback(
        name=writable(feedback.name),
        value=writable(feedback.value),
        source=_source(kind, feedback.source),
        rationale=_optional(feedback.rationale),
    )


def _expected(row: EvalRecord) -> Any:
    if row.expected is None:
        return None
    value = writable(row.expected)
    return _entities().Expectation(name="expected_response", value=value, source=_source("HUMAN", "data set"))


def _source(kind: str, name: str) -> Any:
    return _entities().AssessmentSource(source_type=kind, source_id=writable(name)[:_MOST_TAG_CHARS])


def _spans(
    row: EvalRecord, trace_id: str, key: str, start_ns: int, lasted_ns: int
) -> Iterator[dict[str, Any]]:
    root = key[:16]
    yield _span(
        trace_id,
        root,
        None,
        row.name or "evaluated row",
        (start_ns, start_ns + lasted_ns),
        {"spanType": "CHAIN", "spanInputs": _inputs(row), "spanOutputs": row.output},
        row.error,
    )
    # One span for each kind: the record keeps what was retrieved, not which retriever gave it.
    groups: dict[str, list[Context]] = {}
    for context in row.contexts:
        groups.setdefault(context.kind, []).append(context)
    for number, (kind, contexts) in enumerate(groups.items(), start=1):
        yield _span(
            trace_id,
            _digest(f"{key}/{kind}/{number}")[:16],
            root,
            "retrieved contexts" if kind == "document" else "tool results",
            (start_ns, start_ns),
            {
                "spanType": "RETRIEVER" if kind == "document" else "TOOL",
                "spanInputs": row.question,
                "spanOutputs": [_document(context) for context in contexts],
            },
            None,
        )


def _span(  # noqa: PLR0917 - the parts of a span
    trace_id: str,
    span_id: str,
    parent_id: str | None,
    name: str,
    times_ns: tuple[int, int],
    attributes: Mapping[str, Any],
    error: str | None,
) -> dict[str, Any]:
    written = {f"mlflow.{name}": json.dumps(writable(value)) for name, value in attributes.items()}
    return {
        "name": writable(name)[:_MOST_TAG_CHARS],
        "trace_id": trace_id,
        "span_id": span_id,
        "parent_span_id": parent_id,
        "start_time_unix_nano": times_ns[0],
        "end_time_unix_nano": times_ns[1],
        "attributes": {"mlflow.traceRequestId": json.dumps(trace_id), **written},
        "status": {"code": _STATE[error is None], "message": error or ""},
        "events": [],
    }


def _document(context: Context) -> dict[str, Any]:
    metadata = dict(context.metadata)
    if context.id is not None:
        metadata.setdefault("doc_uri", context.id)
    return {"page_content": context.text, "metadata": metadata, "id": context.id}


def _inputs(row: EvalRecord) -> Any:
    # MLflow's own scorers read a mapping.
    return row.input if isinstance(row.input, dict) else {"input": row.input}


def _tags(row: EvalRecord) -> dict[str, str]:
    tags = {"mlflow.traceName": row.name or "evaluated row", "prodkit.row": row.id}
    if row.error is not None:
        tags["prodkit.error"] = row.error
    return {name: writable(value)[:_MOST_TAG_CHARS] for name, value in tags.items()}


def _is_share(report: EvalReport, name: str, item: Any) -> bool:
    if item.higher_is_better is not True or not item.n:
        return False
    values = {row.scores[name].value for row in report.rows} - {None}
    return values <= _SHARE


def _batches(traces: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for trace in traces:
        chars = sum(len(value) for span in trace.data.spans for value in span._span.attributes.values())  # noqa: SLF001
        if batch and (len(batch) == MOST_LISTED or size + chars > _MOST_BATCH_CHARS):
            yield batch
            batch, size = [], 0
        batch.append(trace)
        size += chars
    if batch:
        yield batch


def _cannot_take_spans(error: Exception) -> bool:
    if isinstance(error, NotImplementedError):
        return True
    # What a server on top of a store of files answers has no code of its own.
    return "span logging is not supported" in str(error)


def writable(value: Any) -> Any:
    """Replace lone surrogates and NULs, which not every store can encode."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
    if isinstance(value, dict):
        return {writable(key): writable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [writable(item) for item in value]
    return value


def _optional(text: str | None) -> Any:
    return None if text is None else writable(text)


def _preview(text: str) -> str:
    cut = text if len(text) <= _MOST_PREVIEW_CHARS else f"{text[: _MOST_PREVIEW_CHARS - 3]}..."
    return str(writable(cut))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _entities() -> Any:
    return import_module("mlflow.entities")

"""MLflow traces without personal data, whoever writes them.

MLflow's span processors cannot do this: one that raises leaves the span as it was, and they see neither
exception events nor the tags, metadata and previews of the trace (mlflow 3.17, `apply_span_processors`). All
that MLflow stores of a trace passes a few methods of `TracingClient`; these are wrapped, so that autologging,
`mlflow.trace`, manual spans, feedback and later tags are covered alike, and work is done on MLflow's writer
threads. Exports that go another way (OTLP, inference tables) are not stored while the redaction is installed.
"""

from __future__ import annotations

import copy
import functools
import json
import logging
import re
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Self

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, RedactionError
from langchain_prodkit.privacy.traces_canary import check_mlflow
from langchain_prodkit.privacy.traces_scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["MlflowRedaction", "install_mlflow_redaction"]

_logger = logging.getLogger(__name__)
DROPPED: Final = "redaction failed"
"""The name of a span whose content was dropped."""
_SPAN_KEPT: Final = frozenset(
    {
        "mlflow.traceRequestId", "mlflow.experimentId", "mlflow.spanType", "mlflow.spanLogLevel",
        "mlflow.spanStartTimeNs", "mlflow.chat.tokenUsage", "mlflow.llm.cost", "mlflow.message.format",
        "mlflow.gateway.linkedTraceId", "mlflow.llm.model", "mlflow.llm.provider",
    }
)  # fmt: skip
_STRUCTURE: Final = frozenset(
    {
        "trace_id",
        "span_id",
        "parent_span_id",
        "start_time_unix_nano",
        "end_time_unix_nano",
        "time_unix_nano",
        "code",
    }
)
_TRACE_KEPT: Final = frozenset(
    {
        "mlflow.trace_schema.version", "mlflow.artifactLocation", "mlflow.source.name", "mlflow.source.type",
        "mlflow.source.git.commit", "mlflow.source.git.branch", "mlflow.source.git.repoURL", "mlflow.user",
        "mlflow.sourceRun", "mlflow.modelId", "mlflow.trace.sizeStats", "mlflow.trace.sizeBytes",
        "mlflow.trace.tokenUsage", "mlflow.trace.cost", "mlflow.trace.infoFinalized",
        "mlflow.trace.spansLocation",
        "mlflow.eval.requestId", "mlflow.linkedPrompts", "mlflow.trace.archiveLocation",
    }
)  # fmt: skip
_METHODS: Final = (
    "start_trace", "log_spans", "_upload_trace_data", "_upload_attachments", "set_trace_tag",
    "log_assessment", "update_assessment",
)  # fmt: skip
# Module, class and method of the exports that do not pass the client.
_ELSEWHERE: Final = (
    ("mlflow.tracing.processor.otel", "OtelSpanProcessor", "on_end"),
    ("mlflow.tracing.export.inference_table", "InferenceTableSpanExporter", "export"),
)


class MlflowRedaction:
    """What `install_mlflow_redaction` installed; a context manager that uninstalls at its end."""

    def __init__(self, scrubber: Scrubber) -> None:
        """Hold what hides; nothing is installed yet."""
        self._scrubber = scrubber
        self._originals: list[tuple[type, str, Any]] = []
        self._warned: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.uninstall()

    @property
    def is_installed(self) -> bool:
        """Whether MLflow stores only what this has redacted."""
        return bool(self._originals)

    def uninstall(self) -> None:
        """Let MLflow store traces as they are again; MLflow's queue is emptied first, redacted."""
        with _lock:
            if not self._originals:
                return
            _flush()
            for owner, name, original in reversed(self._originals):
                setattr(owner, name, original)
            self._originals.clear()
            _installed.clear()

    def is_for(self, scrubber: Scrubber) -> bool:
        """Say whether it hides with the same detector and vault."""
        return self._scrubber.detector is scrubber.detector and self._scrubber.vault is scrubber.vault

    def install(self) -> None:
        """Wrap MLflow's client.

        Raises:
            ConfigurationError: This MLflow has no such methods; nothing was changed.
        """
        client = require("mlflow.tracing.client", extra="eval").TracingClient
        missing = [name for name in _METHODS if not callable(client.__dict__.get(name))]
        if missing:
            msg = f"mlflow of this version stores traces in an unknown way ({', '.join(missing)} missing)"
            raise ConfigurationError(msg)
        for name in _METHODS:
            self._wrap(client, name, getattr(self, f"_on_{name.lstrip('_')}"))
        for module, owner, name in _ELSEWHERE:
            try:
                found = getattr(import_module(module), owner)
            except (ImportError, AttributeError):
                continue
            self._wrap(found, name, self._on_elsewhere)

    def _wrap(self, owner: type, name: str, handle: Callable[..., Any]) -> None:
        original = owner.__dict__[name]

        @functools.wraps(original)
        def wrapper(client: Any, *args: Any, **kwargs: Any) -> Any:
            return handle(functools.partial(original, client), *args, **kwargs)

        self._originals.append((owner, name, original))
        setattr(owner, name, wrapper)

    def _on_start_trace(self, store: Callable[..., Any], trace_info: Any) -> Any:
        return store(self._info(trace_info))

    def _on_log_spans(self, store: Callable[..., Any], location: str, spans: list[Any]) -> Any:
        return store(location, [self._span(span) for span in spans])

    def _on_upload_trace_data(self, store: Callable[..., Any], trace_info: Any, trace_data: Any) -> Any:
        data = type(trace_data)(spans=[self._span(span) for span in trace_data.spans])
        return store(self._info(trace_info), data)

    def _on_upload_attachments(self, _store: Callable[..., Any], *_args: Any, **_kwargs: Any) -> None:
        self._warn("attachments", "pictures, audio and files of traces cannot be read and are not stored")

    def _on_set_trace_tag(self, store: Callable[..., Any], trace_id: str, key: str, value: Any) -> Any:
        if key in _TRACE_KEPT:
            return store(trace_id, key, value)
        try:
            clean = self._scrubber.scrub({key: str(value)}, trace_id=trace_id)
        except RedactionError as error:
            return self._failed(error)
        [(key, value)] = clean.items()
        return store(trace_id, key, value)

    def _on_log_assessment(self, store: Callable[..., Any], trace_id: str, assessment: Any) -> Any:
        try:
            clean = self._assessment(assessment, trace_id)
        except Exception as error:  # noqa: BLE001 - what cannot be read is not stored
            self._failed(error)
            return assessment
        return store(trace_id, clean)

    def _on_update_assessment(
        self, store: Callable[..., Any], trace_id: str, assessment_id: str, assessment: Any
    ) -> Any:
        try:
            clean = self._assessment(assessment, trace_id)
        except Exception as error:  # noqa: BLE001 - what cannot be read is not stored
            self._failed(error)
            return assessment
        return store(trace_id, assessment_id, clean)

    def _on_elsewhere(self, _store: Callable[..., Any], *_args: Any, **_kwargs: Any) -> None:
        self._warn("elsewhere", "traces for OTLP or inference tables cannot be redacted and are not exported")

    def _span(self, span: Any) -> Any:
        """Give the span as it may be stored; without any content where hiding fails."""
        span_class = require("mlflow.entities", extra="eval").Span
        raw = span.to_dict()
        attributes = raw.get("attributes") or {}
        trace_id = attributes.get("mlflow.traceRequestId")
        try:
            clean = self._scrubber.scrub(_plain(raw), trace_id=trace_id, kept=_STRUCTURE | _SPAN_KEPT)
            clean["attributes"] = {key: _written(value) for key, value in clean["attributes"].items()}
            return span_class.from_dict(clean)
        except Exception as error:  # noqa: BLE001 - the shell is what is left
            self._failed(error)
        shell = {key: raw.get(key) for key in _STRUCTURE & set(raw)}
        status = {"code": raw["status"]["code"], "message": ""}
        kept = {key: value for key, value in attributes.items() if key in _SPAN_KEPT - {"mlflow.llm.model"}}
        return span_class.from_dict(
            {**shell, "name": DROPPED, "status": status, "attributes": kept, "events": [], "links": []}
        )

    def _info(self, info: Any) -> Any:
        """Give the description of a trace as it may be stored."""
        clean = copy.copy(info)
        texts = {
            name: getattr(info, name) for name in ("request_preview", "response_preview", "client_request_id")
        }
        try:
            previews = {name: _unescaped(text) for name, text in texts.items()}
            for name, text in self._scrubber.scrub(previews, trace_id=info.trace_id).items():
                setattr(clean, name, text)
            for name in ("trace_metadata", "tags"):
                values = {key: str(value) for key, value in getattr(info, name).items()}
                setattr(clean, name, self._scrubber.scrub(values, trace_id=info.trace_id, kept=_TRACE_KEPT))
            clean.assessments = [self._assessment(one, info.trace_id) for one in info.assessments]
        except Exception as error:  # noqa: BLE001 - the shell is what is left
            self._failed(error)
            for name in texts:
                setattr(clean, name, None)
            for name in ("trace_metadata", "tags"):
                values = {key: value for key, value in getattr(info, name).items() if key in _TRACE_KEPT}
                setattr(clean, name, values)
            clean.assessments = []
        return clean

    def _assessment(self, assessment: Any, trace_id: str) -> Any:
        """Give feedback as it may be stored.

        Raises:
            RedactionError: It could not be redacted.
        """
        raw = _plain(assessment.to_dictionary())
        kept = {
            "assessment_id",
            "trace_id",
            "create_time",
            "last_update_time",
            "source_type",
            "span_id",
            "run_id",
        }
        return type(assessment).from_dictionary(self._scrubber.scrub(raw, trace_id=trace_id, kept=kept))

    def _failed(self, error: Exception) -> None:
        self._warn(
            type(error).__qualname__,
            f"a trace lost its content: redaction failed ({type(error).__qualname__})",
        )

    def _warn(self, kind: str, message: str) -> None:
        if kind not in self._warned:
            self._warned.add(kind)
            _logger.warning(message)


_lock: Final = threading.RLock()
_installed: Final[list[MlflowRedaction]] = []


def install_mlflow_redaction(detector: Any = None, *, vault: Any = None) -> MlflowRedaction:
    """Let MLflow store traces only after personal data is out of them, in this process.

    Inputs, outputs, attributes, span names, exception events, status messages, tags, metadata, previews and
    feedback are covered, whichever way they were recorded. When something cannot be redacted its content is
    not stored: the span stays as an empty shell in the trace. Attachments are never stored. What is found
    once in a trace is hidden in all of its later spans.

    Args:
        detector: A `Detector`; default `PresidioDetector()`.
        vault: A `Vault` whose values are hidden too, for traces that name their `thread_id`.

    Returns:
        A handle with `uninstall()`, and a context manager. A second call with the same detector and
        vault gives the same handle.

    Raises:
        ConfigurationError: Another detector or vault is installed, the detector finds none of the
            canaries, or this MLflow is not known.
        RedactionError: The self-test saw personal data on its way to the store; nothing is installed.
        MissingExtraError: mlflow is not installed.
    """
    require("mlflow", extra="eval")
    scrubber = Scrubber(detector, vault)
    with _lock:
        if _installed:
            if detector is None or _installed[0].is_for(scrubber):
                return _installed[0]
            raise ConfigurationError(
                "MLflow redaction is installed with another detector or vault; uninstall() it first"
            )
        redaction = MlflowRedaction(scrubber)
        redaction.install()
        _installed.append(redaction)
        try:
            check_mlflow(scrubber)
        except BaseException:
            redaction.uninstall()
            raise
        return redaction


def _flush() -> None:
    flush = getattr(require("mlflow", extra="eval"), "flush_trace_async_logging", None)
    if flush is None:
        return
    try:
        flush()
    except Exception:  # noqa: BLE001 - nothing was traced yet
        _logger.debug("nothing to flush")


def _plain(value: Any) -> Any:
    """Give OpenTelemetry's mappings and sequences as JSON values."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        return value
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    return str(value)


def _written(value: Any) -> Any:
    """Give an attribute in a form that OpenTelemetry takes."""
    return str(value) if isinstance(value, dict) else value


def _unescaped(text: str | None) -> str | None:
    """Read the escapes of JSON that was cut short, and so is no JSON any more."""
    if text is None or "\\" not in text:
        return text
    try:
        json.loads(text)
    except ValueError:
        spelled = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text)
        return re.sub(r"\\[nrt]", " ", spelled)
    return text

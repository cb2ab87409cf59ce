"""The self-test of trace redaction: made-up people go the whole way, and must not arrive."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, RedactionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_prodkit.privacy.traces_scrub import Scrubber

__all__ = ["Transport", "canaries", "check_mlflow", "judge"]

# Invented: a reserved domain, a card of the test range, a number kept free for fiction.
_CANARIES: Final = (
    ("Please write to {} about it.", "prodkit.canary.73@example.com"),
    ("My card is {}.", "4111 1111 1111 1111"),
    ("Call me at {} tomorrow.", "+1 212-555-0187"),
    ("My name is {}, and I live here.", "Marianne Silberstein"),
    ("Dear Ms {}, thank you.", "Silberstein"),
)
_TIMEOUT_S: Final = 20.0


def canaries(detector: Any) -> list[str]:
    """Give the sentences whose made-up person `detector` finds; all of them when it fails.

    Raises:
        ConfigurationError: It answers and finds nobody: traces would be stored as they are.
    """
    texts = [sentence.format(value) for sentence, value in _CANARIES]
    try:
        found = detector.detect(texts)
        seen = [
            text
            for text, (_, value), spans in zip(texts, _CANARIES, found, strict=True)
            if any(
                span[0] <= text.index(value) and text.index(value) + len(value) <= span[1] for span in spans
            )
        ]
    except Exception:  # noqa: BLE001 - then everything has to be dropped, which is what is tested
        return texts
    if not seen:
        raise ConfigurationError(
            "the detector finds no person, e-mail, card or phone number: traces would not be redacted"
        )
    return seen


def _values(texts: Sequence[str]) -> list[str]:
    return [value for sentence, value in _CANARIES if sentence.format(value) in texts]


def judge(texts: Sequence[str], stored: str, *, reached: bool, where: str) -> None:
    """Refuse when one of the canaries of `texts` stands in what would be `stored`.

    Raises:
        RedactionError: It does.
        ConfigurationError: Nothing was `reached`, so that nothing is known.
    """
    if not reached:
        msg = f"the self-test did not reach {where}: this version of it is not known, nothing is installed"
        raise ConfigurationError(msg)
    if any(value in stored for value in _values(texts)):
        msg = f"the self-test saw personal data on its way to {where}; nothing is installed"
        raise RedactionError(msg)


class _Store:
    """Takes what MLflow would store, and stores nothing."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.kinds: set[str] = set()

    def start_trace(self, trace_info: Any, **_: Any) -> Any:
        self.kinds.add("trace")
        self.seen.append(json.dumps(trace_info.to_dict(), default=str, ensure_ascii=False))
        return trace_info

    def log_spans(self, location: str, spans: Any, **_: Any) -> Any:
        self.kinds.add("span")
        self.seen += [json.dumps(span.to_dict(), default=str, ensure_ascii=False) for span in spans]
        self.seen.append(location)
        return spans

    def set_trace_tag(self, trace_id: str, key: str, value: str) -> None:
        self.kinds.add("tag")
        self.seen += [trace_id, key, value]


def check_mlflow(scrubber: Scrubber) -> None:
    """Send a canary through a span, its event and status, and a trace's tags, metadata and previews.

    Raises:
        RedactionError: It would have been stored.
        ConfigurationError: The detector finds no canary, or this MLflow works otherwise.
    """
    texts = canaries(scrubber.detector)
    store = _Store()
    try:
        _trace_mlflow(texts, store)
    except (RedactionError, ConfigurationError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever is missing in this version
        msg = f"the self-test could not run ({type(error).__qualname__}): this version of mlflow is not known"
        raise ConfigurationError(msg) from None
    reached = store.kinds >= {"trace", "span"}
    judge(texts, "\n".join(store.seen), reached=reached, where="MLflow's store")


def _trace_mlflow(texts: Sequence[str], store: _Store) -> None:
    client_class = require("mlflow.tracing.client", extra="eval").TracingClient
    entities = require("mlflow.entities", extra="eval")
    exports = require("mlflow.tracing.export.mlflow_v3", extra="eval")

    class Probe(client_class):  # type: ignore[misc, valid-type]
        @property
        def store(self) -> _Store:
            return store

    if getattr(exports, "TracingClient", None) is not client_class:
        raise ConfigurationError(
            "the self-test found that this version of mlflow exports with another client"
        )
    whole = " ".join(texts)
    trace_id = "tr-" + "0" * 31 + "1"
    span = entities.Span.from_dict(
        {
            "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==",
            "span_id": "AAAAAAAAAAE=",
            "parent_span_id": None,
            "name": whole,
            "start_time_unix_nano": 1,
            "end_time_unix_nano": 2,
            "events": [
                {
                    "name": "exception",
                    "time_unix_nano": 2,
                    "attributes": {"exception.message": whole, "exception.stacktrace": whole},
                }
            ],
            "status": {"code": "STATUS_CODE_ERROR", "message": whole},
            "attributes": {
                "mlflow.traceRequestId": json.dumps(trace_id),
                "mlflow.spanInputs": json.dumps({"messages": [{"content": whole}], "list": list(texts)}),
                "mlflow.spanOutputs": json.dumps(whole),
                "metadata": json.dumps({"note": texts}),
            },
            "links": [],
        }
    )
    info = entities.TraceInfo(
        trace_id=trace_id,
        trace_location=entities.TraceLocation.from_experiment_id("0"),
        request_time=1,
        state=entities.TraceState.ERROR,
        request_preview=json.dumps({"q": whole})[:-1],
        response_preview=whole,
        client_request_id=whole,
        trace_metadata={"note": whole, "mlflow.trace.user": whole},
        tags={"mlflow.traceName": whole, "customer": whole},
    )
    client = Probe("sqlite://")
    client.log_spans("0", [span])
    client.start_trace(info)
    client.set_trace_tag(trace_id, "customer", whole)


class Transport:
    """Takes what LangSmith's client would send, and sends nothing; a `requests` transport."""

    def __init__(self) -> None:
        """Be ready to take requests."""
        base = require("requests.adapters", extra="privacy").BaseAdapter
        self.seen: list[bytes] = []
        self.arrived = threading.Event()
        outer = self

        class Adapter(base):  # type: ignore[misc, valid-type]
            def send(self, request: Any, **_: Any) -> Any:
                body = request.body or b""
                if hasattr(body, "read"):
                    body = body.read()
                elif not isinstance(body, (str, bytes)):
                    body = b"".join(body)
                outer.seen.append(body.encode() if isinstance(body, str) else bytes(body))
                response = require("requests", extra="privacy").Response()
                response.status_code = 404 if request.method == "GET" else 202
                response._content = b"{}"  # noqa: SLF001
                response.request, response.url = request, request.url
                if request.method != "GET":
                    outer.arrived.set()
                return response

            def close(self) -> None:
                """Nothing is open."""

        self.adapter = Adapter()

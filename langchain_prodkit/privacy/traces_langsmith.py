"""A LangSmith client that sends runs without personal data.

LangSmith's own switches each hide a part: `hide_inputs`, `hide_outputs` and `anonymizer` leave tags, errors,
events and names as they are (langsmith 0.15). `process_buffered_run_ops` sees whole runs before anything is
serialised for sending, and nothing is sent of a batch for which it fails.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, RedactionError
from langchain_prodkit.privacy.traces_canary import Transport, canaries, judge
from langchain_prodkit.privacy.traces_scrub import Scrubber

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langsmith import Client

__all__ = ["redacted_langsmith_client"]

_logger = logging.getLogger(__name__)
DROPPED: Final = "redaction failed"
"""The name, and the error, of a run whose content was dropped."""
_STRUCTURE: Final = frozenset(
    {
        "id", "trace_id", "dotted_order", "parent_run_id", "parent_run_ids", "session_id", "session_name",
        "start_time", "end_time", "run_type", "reference_example_id", "reference_dataset_id", "address",
        "is_run_ops_buffer_flush", "replicas",
    }
)  # fmt: skip
_READ: Final = ("name", "inputs", "outputs", "error", "events", "extra", "tags", "serialized")
# Written by LangSmith about the machine, not by the application.
_KEPT: Final = frozenset({"runtime", "ls_integration", "ls_model_type", "ls_provider"})
_OURS: Final = ("process_buffered_run_ops", "run_ops_buffer_size", "otel_enabled", "tracing_mode")
_SELF_TEST_S: Final = 20.0


def redacted_langsmith_client(detector: Any = None, *, vault: Any = None, **client_kwargs: Any) -> Client:
    """Build a LangSmith `Client` whose runs carry no personal data when they leave the process.

    Inputs, outputs, errors, events, tags, metadata, names and serialised pieces are covered. A run that
    cannot be redacted is sent as an empty shell named "redaction failed". Attachments are never sent.
    Use it as `LangChainTracer(client=...)`, or with `langsmith.tracing_context(client=...)`.

    Args:
        detector: A `Detector`; default `PresidioDetector()`.
        vault: A `Vault` whose values are hidden too: those of the run, and of the `thread_id` in its
            metadata.
        client_kwargs: Arguments of `langsmith.Client`.

    Raises:
        ConfigurationError: An argument would send runs another way (`auto_batch_tracing=False`,
            OpenTelemetry), or the detector finds none of the canaries.
        RedactionError: The self-test saw personal data in a request; there is no client.
        MissingExtraError: langsmith is not installed.
    """
    langsmith = require("langsmith", extra="privacy")
    refused = [name for name in _OURS if client_kwargs.get(name) is not None]
    if refused or not client_kwargs.get("auto_batch_tracing", True):
        names = ", ".join(refused or ["auto_batch_tracing=False"])
        raise ConfigurationError(f"{names}: runs would leave without redaction")
    scrubber = Scrubber(detector, vault)
    settings = {
        **client_kwargs,
        "process_buffered_run_ops": _RunRedaction(scrubber),
        "run_ops_buffer_size": 1,
        # Said here so that no environment variable can send runs to an OpenTelemetry collector.
        "tracing_mode": "langsmith",
    }
    _check(langsmith, scrubber, settings)
    return langsmith.Client(**settings)  # type: ignore[no-any-return]


class _RunRedaction:
    """What LangSmith calls with runs about to be sent; never raises, since its errors are logged."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._is_warned = False

    def __call__(self, runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._redacted(run) for run in runs]

    def _redacted(self, run: dict[str, Any]) -> dict[str, Any]:
        shell = {key: value for key, value in run.items() if key in _STRUCTURE}
        try:
            trace_id = run.get("trace_id")
            plain = _plain({key: run[key] for key in _READ if key in run})
            return {
                **shell,
                **self._scrubber.scrub(plain, trace_id=str(trace_id) if trace_id else None, kept=_KEPT),
            }
        except Exception as error:  # noqa: BLE001 - the shell is what is left
            if not self._is_warned:
                self._is_warned = True
                _logger.warning("a run lost its content: redaction failed (%s)", type(error).__qualname__)
            content: dict[str, Any] = {"name": DROPPED, "error": DROPPED}
            return {**shell, **content, **({"inputs": {}} if "inputs" in run else {})}


def _plain(value: Any) -> Any:
    """Give JSON values, written by LangSmith's own rules, so that what is read is what would be sent."""
    dumps = require("langsmith._internal._serde", extra="privacy").dumps_json
    return json.loads(dumps(value))


def _check(langsmith: Any, scrubber: Scrubber, settings: dict[str, Any]) -> None:
    """Send a canary through a client of the same settings, into a transport that goes nowhere."""
    texts = canaries(scrubber.detector)
    whole = " ".join(texts)
    transport = Transport()
    own = {name: value for name, value in settings.items() if name not in {"session", "api_urls", "info"}}
    probe = langsmith.Client(
        **{
            **own,
            "api_url": "http://127.0.0.1:9",
            "api_key": "self-test",
            "info": {"version": "0"},  # else it would ask the server
            "tracing_sampling_rate": None,
        }
    )
    try:
        for scheme in ("http://", "https://"):
            probe.session.mount(scheme, transport.adapter)
        now, run_id = datetime.now(UTC), uuid4()
        probe.create_run(
            whole,
            {"messages": [{"content": whole}], "list": texts},
            "chain",
            project_name="self-test",
            start_time=now,
            end_time=now,
            extra={"metadata": {"note": whole}},
            tags=[whole],
            serialized={"name": whole},
            outputs={"answer": whole},
            error=whole,
            events=[{"name": "error", "kwargs": {"message": whole}}],
            id=run_id,
            trace_id=run_id,
            dotted_order=f"{now:%Y%m%dT%H%M%S%fZ}{run_id}",
        )
        reached = transport.arrived.wait(_SELF_TEST_S)
    except RedactionError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is missing in this version
        msg = (
            f"the self-test could not run ({type(error).__qualname__}): langsmith of this version is unknown"
        )
        raise ConfigurationError(msg) from None
    judge(texts, b"\n".join(transport.seen).decode("utf-8", "replace"), reached=reached, where="LangSmith")

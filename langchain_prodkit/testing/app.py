"""The provider as an ASGI application: routes, limits, faults, and the order they come in.

Plain ASGI without a framework: at two thousand requests a second each layer counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
import time
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.testing.buckets import retry_headers
from langchain_prodkit.testing.chat import ChatEndpoint
from langchain_prodkit.testing.embeddings import EmbeddingEndpoint
from langchain_prodkit.testing.faults import error_of, is_spoil
from langchain_prodkit.testing.journal import Entry, visible_headers
from langchain_prodkit.testing.moderations import ModerationEndpoint
from langchain_prodkit.testing.responses import ResponseEndpoint
from langchain_prodkit.testing.wire import ProviderError, dump

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence

    from langchain_prodkit.testing.buckets import Admission
    from langchain_prodkit.testing.faults import FaultKind
    from langchain_prodkit.testing.run import Endpoint, Result, Run

    Message = MutableMapping[str, Any]
    Headers = list[tuple[bytes, bytes]]

_JSON: Final = (b"content-type", b"application/json")
_EVENTS: Final = (b"content-type", b"text/event-stream; charset=utf-8")
# Events that need not wait for one another leave together; one write an event would halve the rate.
_EVENTS_A_WRITE: Final = 64
_ENDPOINTS: Final[Mapping[str, Endpoint[Any]]] = {
    "/v1/chat/completions": ChatEndpoint(),
    "/v1/embeddings": EmbeddingEndpoint(),
    "/v1/moderations": ModerationEndpoint(),
    "/v1/responses": ResponseEndpoint(),
}
# Azure's clients name the deployment in the path, and the model in the body only if they were told it.
_AZURE: Final = re.compile(r"/openai/(?:v1|deployments/(?P<deployment>[^/]+))(?=/)")
_DEFAULT_MODELS: Final = ("gpt-4o-mini", "gpt-4o", "text-embedding-3-small", "omni-moderation-latest")


class App:
    """Answers HTTP requests for the run that is current when they arrive."""

    def __init__(self, run: Run) -> None:
        """Answer for `run` until another is put in its place."""
        self.run = run

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        # Cancelled only when the server stops, after the connection is gone: nobody is left to tell.
        with contextlib.suppress(asyncio.CancelledError):
            await Exchange(self.run, scope, receive, send).answer()


class Exchange:
    """One request and its answer."""

    def __init__(
        self,
        run: Run,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Hold both ends of the connection."""
        self._run = run
        self._scope = scope
        self._receive = receive
        self._send = send
        self._number = -1
        self._fault: FaultKind | None = None

    async def answer(self) -> None:
        """Route, and turn what goes wrong into the provider's kind of error."""
        path, method = self._scope["path"], self._scope["method"]
        if path == "/healthz":
            await self._send_json(200, {"status": "ok"})
            return
        if path == "/stats":
            run = self._run
            statistics = run.journal.statistics(time.monotonic() - run.started_s)
            await self._send_json(200, statistics.as_dict())
            return
        counters = self._run.journal.counters
        counters["requests"] += 1
        counters["in_flight"] += 1
        counters["peak_in_flight"] = max(counters["peak_in_flight"], counters["in_flight"])
        try:
            await self._answer_api(path, method)
        except ProviderError as error:
            await self._send_error(error)
        except Exception as error:  # noqa: BLE001 - a server answers, whatever happens
            message = f"The test server failed with {type(error).__name__}."
            await self._send_error(ProviderError(500, message, kind="server_error"))
        finally:
            counters["in_flight"] -= 1

    async def _answer_api(self, path: str, method: str) -> None:
        raw = await self._read()
        if raw is None:
            return
        body, is_valid = _parsed(raw)
        azure = _AZURE.match(path)
        if azure is not None:
            path = f"/v1{path[azure.end() :]}"
            if isinstance(body, dict) and not body.get("model") and azure["deployment"]:
                body["model"] = azure["deployment"]
        self._record(self._scope["path"], method, body)
        self._authorize()
        endpoint = _ENDPOINTS.get(path)
        if endpoint is None:
            await self._answer_models(path, method)
            return
        if method != "POST":
            raise ProviderError(405, f"Not allowed to {method} on this path.")
        if not is_valid:
            raise ProviderError(400, "We could not parse the JSON body of your request.")
        await self._answer_post(endpoint, body)

    def _record(self, path: str, method: str, body: Any) -> None:
        query = self._scope["query_string"]
        self._number = self._run.journal.open(
            Entry(
                t=time.monotonic() - self._run.started_s,
                method=method,
                path=f"{path}?{query.decode('latin-1')}" if query else path,
                headers=visible_headers(self._scope["headers"]),
                body=body,
            )
        )

    def _authorize(self) -> None:
        key = self._run.settings.api_key
        if key is None:
            return
        given = dict(self._scope["headers"])
        is_known = given.get(b"authorization") == f"Bearer {key}".encode()
        if not is_known and given.get(b"api-key") != key.encode():
            raise ProviderError(401, "Incorrect API key provided.", code="invalid_api_key")

    async def _answer_models(self, path: str, method: str) -> None:
        if not path.startswith("/v1/models"):
            raise ProviderError(404, "Invalid URL: this provider has no such path.")
        if method != "GET":
            raise ProviderError(405, f"Not allowed to {method} on this path.")
        names = self._run.settings.models or _DEFAULT_MODELS
        rows = [{"id": n, "object": "model", "created": 1_700_000_000, "owned_by": "prodkit"} for n in names]
        if path == "/v1/models":
            await self._send_json(200, {"object": "list", "data": rows}, summary=", ".join(names))
            return
        name = path.removeprefix("/v1/models/")
        self._check_model(name)
        row = {**rows[0], "id": name}
        await self._send_json(200, row, summary=name)

    def _check_model(self, name: str) -> None:
        models = self._run.settings.models
        if models is not None and name not in models:
            message = "The model does not exist or you do not have access to it."
            raise ProviderError(404, message, param="model", code="model_not_found")

    async def _answer_post(self, endpoint: Endpoint[Any], body: Any) -> None:
        """Admit, delay, fail on purpose, or answer: in this order."""
        run = self._run
        try:
            request = endpoint.parse(body, run)
        except RecursionError:
            raise ProviderError(400, "The JSON body of your request is nested too deeply.") from None
        self._check_model(request.model)
        admission = run.limits.admit(request.charge, time.monotonic())
        if not admission.is_accepted:
            await self._refuse(request.model, request.charge, admission)
            return
        run.journal.counters["charged_tokens"] += request.charge
        self._fault = run.faults.draw()
        if self._fault is not None and not is_spoil(self._fault):
            run.journal.faults[self._fault] += 1
            run.journal.amend(self._number, fault=self._fault)
        delay = run.latency_s() + (run.settings.faults.slow_s if self._fault == "slow" else 0.0)
        if delay > 0:
            await asyncio.sleep(delay)
        if self._fault == "disconnect":
            await self._hang_up()
            return
        error = error_of(self._fault)
        if error is not None:
            await self._send_error(error, [] if self._fault == "bare_429" else self._limit_headers())
            return
        result = await endpoint.reply(request, run, self._fault)
        await self._deliver(result, request.charge)

    async def _refuse(self, model: str, charge: int, admission: Admission) -> None:
        """Send the 429 that going over a limit draws."""
        run = self._run
        run.journal.counters["refused"] += 1
        bucket = run.limits.tokens if admission.kind == "tokens" else run.limits.requests
        limit = int(bucket.per_minute) if bucket else 0
        unit = "tokens per min (TPM)" if admission.kind == "tokens" else "requests per min (RPM)"
        amount = charge if admission.kind == "tokens" else 1
        headers = self._limit_headers()
        if admission.retry_after_s == math.inf:
            run.journal.counters["too_large"] += 1
            message = (
                f"Request too large for {model} in organization org-prodkit on {unit}: Limit {limit}, "
                f"Requested {amount}. "
                "The input or output tokens must be reduced in order to run successfully."
            )
        else:
            wait = admission.retry_after_s
            if run.settings.limit_headers:
                headers += retry_headers(wait, run.settings.header_style)
            used = max(0, limit - int(bucket.level(time.monotonic()))) if bucket else 0
            message = (
                f"Rate limit reached for {model} in organization org-prodkit on {unit}: Limit {limit}, "
                f"Used {used}, Requested {amount}. Please try again in {wait:.3f}s."
            )
        error = ProviderError(429, message, kind=admission.kind, code="rate_limit_exceeded")
        await self._send_error(error, headers)

    async def _deliver(self, result: Result, charge: int) -> None:
        """Send an answer, whole or half, and settle what it cost."""
        run = self._run
        is_cut = self._fault == "cut_stream"
        counters = run.journal.counters
        counters["prompt_tokens"] += result.prompt_tokens
        counters["completion_tokens"] += result.completion_tokens
        if result.events is None:
            self._settle(result, charge)
            self._close_entry(200, result)
            await self._send_body(result.body or b"", is_cut=is_cut)
        else:
            await self._send_events(result, charge, is_cut=is_cut)

    def _settle(self, result: Result, charge: int) -> None:
        unused = charge - result.prompt_tokens - result.completion_tokens
        if self._run.settings.refund and unused > 0:
            self._run.limits.refund(unused, time.monotonic())
            self._run.journal.counters["refunded_tokens"] += unused

    def _close_entry(self, status: int, result: Result) -> None:
        """Write the outcome down; before the last byte, so that whoever has read it finds it."""
        if self._fault != "cut_stream":
            self._run.journal.counters["answered"] += 1
        self._run.journal.amend(
            self._number,
            status=status,
            response=result.summary,
            prompt_tokens=result.prompt_tokens,
            completion_tokens=result.completion_tokens,
            **({"fault": result.fault} if result.fault else {}),
        )

    async def _send_body(self, body: bytes, *, is_cut: bool) -> None:
        await self._start(200, [_JSON, (b"content-length", b"%d" % len(body)), *self._limit_headers()])
        if is_cut:
            await self._send(
                {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
            )
            await self._hang_up()
        else:
            await self._send({"type": "http.response.body", "body": body})

    async def _send_events(self, result: Result, charge: int, *, is_cut: bool) -> None:
        events: Sequence[bytes] = result.events or ()
        if is_cut:
            events = events[: max(1, len(events) // 2)]
        interval = self._run.settings.chunk_interval_s
        step = 1 if interval else _EVENTS_A_WRITE
        await self._start(200, [_EVENTS, *self._limit_headers()])
        for start in range(0, len(events), step):
            if start and interval:
                await asyncio.sleep(interval)
            is_last = start + step >= len(events)
            if is_last:
                self._settle(result, charge)
                self._close_entry(200, result)
            block = b"".join(events[start : start + step])
            more = is_cut or not is_last
            await self._send({"type": "http.response.body", "body": block, "more_body": more})
        if is_cut:
            await self._hang_up()

    async def _send_error(self, error: ProviderError, headers: Headers | None = None) -> None:
        details = error.body["error"]
        if 400 <= error.status < 500 and error.status != 429:  # noqa: PLR2004 - HTTP
            self._run.journal.counters["invalid"] += 1
        headers = list(headers or ())
        if details["code"] == "script_error":
            headers.append((b"x-should-retry", b"false"))
        summary = str(details["code"] or details["type"])
        await self._send_json(error.status, error.body, headers=headers, summary=summary)

    async def _send_json(
        self, status: int, value: Any, *, headers: Sequence[tuple[bytes, bytes]] = (), summary: str = ""
    ) -> None:
        body = dump(value)
        if self._number >= 0:
            self._run.journal.amend(self._number, status=status, response=summary)
        await self._start(status, [_JSON, (b"content-length", b"%d" % len(body)), *headers])
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: Headers) -> None:
        if self._number >= 0:
            headers.append((b"x-request-id", b"req_%024x" % self._number))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def _limit_headers(self) -> Headers:
        if not self._run.settings.limit_headers:
            return []
        return self._run.limits.headers(time.monotonic(), self._run.settings.header_style)

    async def _hang_up(self) -> None:
        """Close the connection after what was sent, be it nothing or half an answer."""
        self._scope["prodkit.transport"].close()
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _read(self) -> bytes | None:
        """Read the whole body; None when the client left before its end."""
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            return bytes(message["body"])
        parts = []
        while message["type"] == "http.request":
            parts.append(message["body"])
            if not message.get("more_body"):
                return b"".join(parts)
            message = await self._receive()
        return None


def _parsed(raw: bytes) -> tuple[Any, bool]:
    """Parse a body; the raw text and False where it is not JSON."""
    if not raw:
        return None, False
    try:
        return json.loads(raw), True
    except (ValueError, RecursionError):
        return raw.decode("utf-8", "replace"), False

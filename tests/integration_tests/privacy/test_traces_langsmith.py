"""What a real LangSmith client sends over real HTTP: the run's shape, and nobody's data."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tracers import LangChainTracer
from langsmith import Client

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy import (
    MemoryVault,
    PresidioDetector,
    PresidioRunnable,
    redacted_langsmith_client,
)
from tests.integration_tests.privacy.traced import CARD, MAIL, NAME, QUESTION, Failing, look_up

SECRETS = (b"Silberstein", b"silberstein", b"4111 1111")
WAIT_S = 20.0


class LangSmith:
    """A server that takes runs and keeps every byte of them."""

    def __init__(self) -> None:
        """Listen on a free port of the loopback."""
        bodies: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def _answer(self, status: int) -> None:
                length = self.headers.get("content-length")
                body = self.rfile.read(int(length)) if length else self._chunks()
                if body:
                    bodies.append(body)
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def _chunks(self) -> bytes:
                if "chunked" not in self.headers.get("transfer-encoding", ""):
                    return b""
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def do_GET(self) -> None:
                self._answer(200)

            def do_POST(self) -> None:
                self._answer(202)

            def do_PATCH(self) -> None:
                self._answer(202)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.bodies = bodies
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()

    def wait(self, text: bytes) -> bytes:
        """Give everything that came, once `text` did."""
        end_s = time.monotonic() + WAIT_S
        while time.monotonic() < end_s:
            if any(text in body for body in list(self.bodies)):
                break
            time.sleep(0.02)
        whole = b"\n".join(self.bodies)
        assert text in whole
        return whole


@pytest.fixture
def server() -> Iterator[LangSmith]:
    """Run the server for one test."""
    server = LangSmith()
    yield server
    server.close()


def tracer(server: LangSmith, detector: Any, **settings: Any) -> LangChainTracer:
    """Trace to the server through a redacting client."""
    client = redacted_langsmith_client(detector, api_url=server.url, api_key="key", **settings)
    return LangChainTracer(client=client, project_name="prodkit")


def config(traced: LangChainTracer, note: str) -> Any:
    """Name the person wherever a configuration can; `note` marks the last run."""
    return {
        "callbacks": [traced],
        "tags": [f"customer {NAME}"],
        "metadata": {"customer": f"Her name is {NAME}", "mail": MAIL, "note": note},
        "run_name": f"case of {MAIL}",
    }


def chain() -> Runnable[Any, Any]:
    """Fetch a document, ask, and answer with the person's data."""
    prompt = ChatPromptTemplate.from_messages([("human", "{question} {documents}")])
    fetch: Runnable[Any, Any] = RunnableLambda(
        lambda text: {"question": text, "documents": [Document(f"{NAME}: {CARD}")]}
    )
    return fetch | prompt | FakeListChatModel(responses=[f"Dear {NAME}, sent to {MAIL}"])


def fail(text: str) -> str:
    """Fail with the text in the message."""
    raise ValueError(text)


def hits(sent: bytes) -> list[bytes]:
    """Give the secrets that can be read in requests."""
    return [secret for secret in SECRETS if secret in sent]


def test_every_way_to_run_a_chain(server: LangSmith, detector: PresidioDetector) -> None:
    """Invoke, stream, batch, their async twins, tools and errors, with tags, metadata and a run name."""
    traced = tracer(server, detector)
    chain().invoke(QUESTION, config(traced, "n-1001"))
    list(chain().stream(QUESTION, config(traced, "n-1002")))
    chain().batch([QUESTION, QUESTION], config(traced, "n-1003"))

    async def others() -> None:
        await chain().ainvoke(QUESTION, config(traced, "n-1004"))
        _ = [chunk async for chunk in chain().astream(QUESTION, config(traced, "n-1005"))]

    asyncio.run(others())
    look_up.invoke({"name": NAME}, config(traced, "n-1006"))
    with pytest.raises(ValueError, match="Silberstein"):
        RunnableLambda(fail).invoke(QUESTION, config(traced, "n-1007"))
    chain().invoke(QUESTION, config(traced, "n-1008"))
    for note in (b"n-1001", b"n-1002", b"n-1003", b"n-1004", b"n-1005", b"n-1006", b"n-1007", b"n-1008"):
        server.wait(b'"' + note + b'"')
    traced.client.flush(timeout=WAIT_S)
    sent = b"\n".join(server.bodies)
    assert hits(sent) == []
    assert b"<EMAIL_ADDRESS>" in sent


def test_the_same_without_redaction_is_full_of_it(server: LangSmith) -> None:
    """The other tests can fail: LangSmith's own client sends everything."""
    client = Client(api_url=server.url, api_key="key")
    chain().invoke(QUESTION, config(LangChainTracer(client=client, project_name="prodkit"), "n-1008"))
    assert len(hits(server.wait(b"n-1008"))) == len(SECRETS)


def test_a_failing_redactor_drops_the_content(server: LangSmith, detector: PresidioDetector) -> None:
    """The shape is sent, with ids and times; neither the run's content nor the error's own text."""
    failing = Failing(detector)
    traced = tracer(server, failing)
    failing.is_broken = True
    chain().invoke(QUESTION, config(traced, "note"))
    with pytest.raises(ValueError, match="Silberstein"):
        RunnableLambda(fail).invoke(QUESTION, config(traced, "note"))
    server.wait(b"redaction failed")
    traced.client.flush(timeout=WAIT_S)
    assert hits(b"\n".join(server.bodies)) == []


def test_values_of_a_thread_are_hidden_where_no_detector_sees_them(
    server: LangSmith, detector: PresidioDetector
) -> None:
    """A name in a vault stays a name where nothing around it says so."""
    vault = MemoryVault()
    thread: Any = {"configurable": {"thread_id": "t-77"}}
    PresidioRunnable(detector, vault=vault).invoke("My name is Quixabeth Orlanova.", thread)
    traced = tracer(server, detector, vault=vault)
    settings: Any = {**thread, "callbacks": [traced], "metadata": {"thread_id": "t-77", "note": "n-1009"}}
    RunnableLambda(lambda text: text).invoke("quixotic: Quixabeth Orlanova/12", settings)
    server.wait(b"n-1009")
    traced.client.flush(timeout=WAIT_S)
    assert b"Quixabeth" not in b"\n".join(server.bodies)


@pytest.mark.parametrize(
    "settings",
    [
        {"auto_batch_tracing": False},
        {"tracing_mode": "otel"},
        {"otel_enabled": True},
        {"process_buffered_run_ops": list},
    ],
    ids=["unbuffered", "otel", "old otel", "own"],
)
def test_ways_around_the_redaction_are_refused(settings: Any, detector: PresidioDetector) -> None:
    """Settings with which runs would leave another way are an error, not a surprise."""
    with pytest.raises(ConfigurationError):
        redacted_langsmith_client(detector, api_key="key", **settings)


def test_a_detector_that_finds_nobody_is_refused() -> None:
    """The canary would arrive, so there is no client."""
    with pytest.raises(ConfigurationError, match="would not be redacted"):
        redacted_langsmith_client(PresidioDetector(entities=["IBAN_CODE"]), api_key="key")


def test_pictures_are_never_sent(server: LangSmith, detector: PresidioDetector) -> None:
    """Attachments cannot be read, so they stay."""
    traced = tracer(server, detector)
    traced.client.create_run(
        "with a picture",
        {"note": "n-1009"},
        "chain",
        project_name="prodkit",
        id="00000000-0000-4000-8000-000000000001",
        trace_id="00000000-0000-4000-8000-000000000001",
        dotted_order="20260101T000000000000Z00000000-0000-4000-8000-000000000001",
        attachments={"face": ("image/png", b"PICTURE")},
    )
    assert b"PICTURE" not in server.wait(b"n-1009")

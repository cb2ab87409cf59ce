"""A Presidio analyzer service on the loopback, answering `POST /analyze` the way its container image does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from presidio_analyzer import AnalyzerEngine, AnalyzerRequest, BatchAnalyzerEngine

__all__ = ["AnalyzerService"]

Answer = tuple[int, bytes]


class AnalyzerService:
    """Runs Presidio's batch engine behind HTTP; `behave` can be set to answer otherwise."""

    def __init__(self, engine: AnalyzerEngine) -> None:
        """Serve `engine`."""
        self._batch = BatchAnalyzerEngine(engine)
        self.requests: list[dict[str, Any]] = []
        """The body of every request."""
        self.headers: list[dict[str, str]] = []
        """The headers of every request, names in lower case."""
        self.behave: Callable[[dict[str, Any]], Answer] | None = None
        """What to answer instead of Presidio's answer."""
        self.drip_s = 0.0
        """Seconds between the bytes of an answer."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Listen until the block ends."""
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                service.requests.append(body)
                service.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, answer = (
                    service.answer(body) if self.path == "/analyze" else (404, b'{"error": "not here"}')
                )
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                for at in range(len(answer)) if service.drip_s else ():
                    self.wfile.write(answer[at : at + 1])
                    time.sleep(service.drip_s)
                if not service.drip_s:
                    self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                """Print nothing."""

            def handle(self) -> None:
                with suppress(ConnectionError):  # the client went away, as some tests want
                    super().handle()

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Server(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def answer(self, body: dict[str, Any]) -> Answer:
        """Answer as Presidio does, its way of reporting errors included."""
        if self.behave is not None:
            return self.behave(body)
        try:
            asked = AnalyzerRequest(body)
            if not asked.text:
                raise ValueError("No text provided")  # noqa: TRY301
            texts = asked.text if isinstance(asked.text, list) else [asked.text]
            results = self._batch.analyze_iterator(
                texts,
                language=asked.language or "",
                entities=asked.entities,
                score_threshold=asked.score_threshold,
            )
            found = [[{**one.to_dict(), "recognition_metadata": None} for one in each] for each in results]
            return 200, json.dumps(found if isinstance(asked.text, list) else found[0]).encode()
        except Exception as error:  # noqa: BLE001 - so does the service
            return 500, json.dumps({"error": str(error)}).encode()

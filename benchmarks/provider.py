"""How fast the loopback provider answers, beside a bare Starlette application on the same machine.

`python -m benchmarks.provider [--smoke]`. Server and client are two processes; both share the
machine's cores. The client is a raw asyncio protocol that only counts bytes, so that the figures
are the server's. Both servers run in the same way (uvicorn, httptools, uvloop), answer the same
payload, and take turns. A stream leaves Starlette one write an event; the provider joins events that
need not wait for one another, which is most of its lead there.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import threading
import time
import urllib.request
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from typing_extensions import override

from benchmarks._table import report
from langchain_prodkit.testing import ProviderServer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

MESSAGES = [
    {"role": "system", "content": "You are the help desk of a small shop. Answer in one sentence."},
    {"role": "user", "content": "My parcel has not arrived yet, and I would like to know where it is."},
]
GOAL_PER_S = 2000
LEAST_PER_S = 800


class Client(asyncio.Protocol):
    """Sends one request after the other over one connection, counting complete answers."""

    def __init__(self, request: bytes, done: Callable[[], bool]) -> None:
        self._request = request
        self._done = done
        self._buffer = b""
        self._transport: asyncio.Transport
        self.closed = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.write(self._request)

    @override
    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not _is_complete(self._buffer):
            return
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self.closed.set_exception(RuntimeError(self._buffer[:200]))
            self._transport.close()
            return
        self._buffer = b""
        if self._done():
            self._transport.close()
        else:
            self._transport.write(self._request)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


def _is_complete(answer: bytes) -> bool:
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return len(body) >= int(length) if length else body.endswith(b"0\r\n\r\n")


def requests_per_s(port: int, *, stream: bool, seconds: float, connections: int) -> float:
    """Drive the server with `connections` at once for about `seconds`."""
    body = json.dumps({"model": "gpt-4o-mini", "messages": MESSAGES, "stream": stream}).encode()
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer key\r\ncontent-length: %d\r\n\r\n" % len(body)
    ) + body

    async def drive() -> float:
        loop = asyncio.get_running_loop()
        answered = 0
        start = time.perf_counter()

        def done() -> bool:
            nonlocal answered
            answered += 1
            return time.perf_counter() - start >= seconds

        made = [
            await loop.create_connection(lambda: Client(request, done), "127.0.0.1", port)
            for _ in range(connections)
        ]
        await asyncio.gather(*(client.closed for _, client in made))
        return answered / (time.perf_counter() - start)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(drive())


def serve_ours(pipe: Connection) -> None:
    """Serve with `ProviderServer` until told to stop."""
    with ProviderServer(journal_limit=1000) as server:
        pipe.send(server.port)
        pipe.recv()


def serve_peer(pipe: Connection) -> None:
    """Serve the same answers, prepared, with Starlette: no limits, no journal, no thinking."""
    answers: dict[bool, bytes] = {}
    with ProviderServer() as model:
        for stream in (False, True):
            body = json.dumps({"model": "gpt-4o-mini", "messages": MESSAGES, "stream": stream}).encode()
            call = urllib.request.Request(f"{model.base_url}/chat/completions", data=body)  # noqa: S310
            with urllib.request.urlopen(call) as response:  # noqa: S310 - our own server
                answers[stream] = response.read()
    whole = json.loads(answers[False])
    events = [part + b"\n\n" for part in answers[True].split(b"\n\n") if part]

    async def chat(request: Request) -> Response:
        body = await request.json()
        if body["stream"]:

            async def parts() -> Any:
                for event in events:
                    yield event

            return StreamingResponse(parts(), media_type="text/event-stream")
        return JSONResponse(whole)

    app = Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    pipe.send(server.servers[0].sockets[0].getsockname()[1])
    pipe.recv()
    server.should_exit = True
    thread.join()


class Server:
    """One server in a process of its own."""

    def __init__(self, name: str, serve: Callable[[Connection], None]) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,))
        self._process.start()
        self.port: int = self._pipe.recv()
        self.rates: dict[bool, list[float]] = {False: [], True: []}

    def drive(self, seconds: float) -> None:
        """Measure one round, plain and streaming."""
        for stream, rates in self.rates.items():
            rates.append(requests_per_s(self.port, stream=stream, seconds=seconds, connections=32))

    def stop(self) -> None:
        """End the process."""
        self._pipe.send("stop")
        self._process.join(20)

    def row(self) -> dict[str, Any]:
        """Sum the rounds up."""
        plain, stream = self.rates[False][1:], self.rates[True][1:]  # the first round warms up
        return {
            "server": self.name,
            "plain_per_s": statistics.median(plain),
            "plain_worst": min(plain),
            "stream_per_s": statistics.median(stream),
            "stream_worst": min(stream),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a second or two, to see that it runs")
    smoke = parser.parse_args().smoke
    rounds, seconds = (1, 0.3) if smoke else (5, 2.0)
    servers = [Server("ProviderServer", serve_ours), Server("Starlette, prepared answer", serve_peer)]
    try:
        for _ in range(rounds + 1):
            for server in servers:
                server.drive(seconds)
    finally:
        for server in servers:
            server.stop()
    rows = [server.row() for server in servers]
    for row in rows:
        row["plain_ratio"] = row["plain_per_s"] / rows[-1]["plain_per_s"]
        row["stream_ratio"] = row["stream_per_s"] / rows[-1]["stream_per_s"]
    notes = (
        f"requests/s at zero latency, median and worst of {rounds} rounds of {seconds} s, 32 connections, "
        f"client included, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; "
        f"goal {GOAL_PER_S}, at least {LEAST_PER_S}"
    )
    report("provider", rows, notes=notes)


if __name__ == "__main__":
    main()

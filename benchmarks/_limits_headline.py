"""Ten questions from a text file: a loop of synchronous calls, and all of them at once."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from benchmarks._limits_cell import Provider, context, provider
from benchmarks._limits_rows import OURS, Task
from benchmarks._limits_scenarios import Call, Scenario

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

__all__ = ["headline"]

# Those of a small account; ten questions stay below, so what a limiter costs is seen and not what it does.
LIMITS: Final[dict[str, Any]] = {"requests_per_minute": 5_000, "tokens_per_minute": 2_000_000}
QUESTIONS: Final = Path(__file__).resolve().parent.parent / "cookbook" / "data" / "questions.txt"


def _ask(pipe: Connection, base_url: str) -> None:
    """Ask in every way, one after the other, whenever told to; send how long it took."""
    from openai import AsyncOpenAI  # noqa: PLC0415 - loaded in clients only
    from tqdm import tqdm  # type: ignore[import-untyped]  # noqa: PLC0415

    from benchmarks._limits_peers import batch, chat  # noqa: PLC0415
    from langchain_prodkit.limits import RateLimitedAsyncChat  # noqa: PLC0415

    calls = [Call(line, None) for line in QUESTIONS.read_text(encoding="utf-8").splitlines() if line]
    task = Task(Scenario("", "", len(calls)), base_url, calls, None)

    def loop() -> None:
        model = chat(task)
        for call in tqdm(calls, leave=False):
            model.invoke(call.prompt)

    async def gathered() -> None:
        async with AsyncOpenAI(base_url=base_url, api_key="any") as client:
            create = client.chat.completions.create
            await asyncio.gather(
                *(create(model="m", messages=[{"role": "user", "content": c.prompt}]) for c in calls)
            )

    async def limited() -> None:
        model = RateLimitedAsyncChat(chat(task), **LIMITS)
        await batch(model, calls)

    ways: dict[str, Callable[[], Any]] = {
        "a loop of ChatOpenAI.invoke, with a tqdm bar": loop,
        "asyncio.gather, AsyncOpenAI": lambda: asyncio.run(gathered()),
        f"{OURS}.abatch, told the limits": lambda: asyncio.run(limited()),
    }
    chat(task).invoke("warm up")
    pipe.send(list(ways))
    while (way := pipe.recv()) is not None:
        started_s = time.perf_counter()
        ways[way]()
        pipe.send(time.perf_counter() - started_s)


def _timed(served: Provider, repeats: int) -> dict[str, list[float]]:
    pipe, theirs = context().Pipe()
    process = context().Process(target=_ask, args=(theirs, served.base_urls[0]), daemon=True)  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    taken: dict[str, list[float]] = {way: [] for way in pipe.recv()}
    for _ in range(repeats):
        for way, seconds in taken.items():
            # Anew: every way meets the same latencies.
            served.counts()
            pipe.send(way)
            seconds.append(pipe.recv())
    pipe.send(None)
    process.join()
    return taken


def headline(repeats: int, median_latency_s: float = 0.8) -> list[dict[str, Any]]:
    """Give a row for each way; answers take about `median_latency_s`, with a tail."""
    with provider({**LIMITS, "latency": ("lognormal", median_latency_s, 0.35, 1)}) as served:
        taken = _timed(served, repeats)
    base_s = statistics.median(next(iter(taken.values())))
    return [
        {
            "way": way,
            "seconds": statistics.median(seconds),
            "worst": max(seconds),
            "speed-up": base_s / statistics.median(seconds),
            "less time": f"{1 - statistics.median(seconds) / base_s:.0%}",
        }
        for way, seconds in taken.items()
    ]

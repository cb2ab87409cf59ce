"""How well calls keep to a provider's limit, beside what people use today.

`python -m benchmarks.limits [--smoke]`: every row faces a fresh provider with the same limit, one after
the other in one run. `ratio` is wall time over the least the limit allows (bucket, refill, one answer);
below 1.0 with failures means that it gave up early. The last rows are the CPU cost of a call, of the
limited model and of the plain one in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_openai import ChatOpenAI

from benchmarks._table import report
from langchain_prodkit.limits import RateLimitedAsyncChat
from langchain_prodkit.testing import Faults, ProviderServer

LATENCY_S = 0.1
ANSWER_TOKENS = 50
PROMPT = "Sum up what the customer wants: " + "the parcel came late and the box was open; " * 8


@dataclass(frozen=True)
class Scenario:
    """A provider, and how many calls it gets at once."""

    name: str
    calls: int
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst_s: float = 1.0
    fault_rate: float = 0.0

    def provider(self) -> ProviderServer:
        """Describe the provider; enter it to start it."""
        return ProviderServer(
            requests_per_minute=self.requests_per_minute,
            tokens_per_minute=self.tokens_per_minute,
            burst_s=self.burst_s,
            latency_s=LATENCY_S,
            faults=Faults(rate=self.fault_rate, slow_s=1.0, seed=7),
        )

    def least_s(self) -> float:
        """Give the least time in which the provider lets all calls through."""
        least_s = 0.0
        for per_minute, each in (
            (self.requests_per_minute, 1.0),
            (self.tokens_per_minute, len(PROMPT) / 4 + ANSWER_TOKENS),
        ):
            if per_minute is not None:
                rate = per_minute / 60
                least_s = max(least_s, (self.calls * each - max(1.0, rate * self.burst_s)) / rate)
        return least_s + LATENCY_S


Peer = Callable[[Scenario, str], Coroutine[Any, Any, list[Any]]]


def plain(base_url: str, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(
        model="gpt-4o-mini", base_url=base_url, api_key="any", max_tokens=ANSWER_TOKENS, **settings
    )


async def batch(model: BaseChatModel, calls: int) -> list[Any]:
    return await model.abatch([f"{number} {PROMPT}" for number in range(calls)], return_exceptions=True)


async def ours(scenario: Scenario, base_url: str) -> list[Any]:
    model = RateLimitedAsyncChat(
        plain(base_url),
        requests_per_minute=scenario.requests_per_minute,
        tokens_per_minute=scenario.tokens_per_minute,
    )
    return await batch(model, scenario.calls)


async def in_memory(scenario: Scenario, base_url: str) -> list[Any]:
    """Langchain's own limiter with its defaults, told the rate that fits requests and tokens."""
    rates = [scenario.requests_per_minute or float("inf")]
    if scenario.tokens_per_minute is not None:
        rates.append(scenario.tokens_per_minute / (len(PROMPT) / 4 + ANSWER_TOKENS))
    limiter = InMemoryRateLimiter(requests_per_second=min(rates) / 60)
    return await batch(plain(base_url, rate_limiter=limiter), scenario.calls)


async def gather(scenario: Scenario, base_url: str) -> list[Any]:
    model = plain(base_url)
    calls = (model.ainvoke(f"{number} {PROMPT}") for number in range(scenario.calls))
    return await asyncio.gather(*calls, return_exceptions=True)


PEERS: dict[str, Peer] = {
    "RateLimitedAsyncChat": ours,
    "abatch + InMemoryRateLimiter": in_memory,
    "asyncio.gather": gather,
}


def measure(scenario: Scenario, name: str, peer: Peer) -> dict[str, Any]:
    with scenario.provider() as provider:
        started_s = time.perf_counter()
        answers = asyncio.run(peer(scenario, provider.base_url))
        wall_s = time.perf_counter() - started_s
        drawn = provider.statistics().refused
    return {
        "scenario": scenario.name,
        "peer": name,
        "calls": scenario.calls,
        "failed": sum(isinstance(answer, Exception) for answer in answers),
        "429s": drawn,
        "wall_s": wall_s,
        "ratio": wall_s / scenario.least_s(),
    }


def cost_ms(calls: int, pairs: int) -> tuple[float, float]:
    """Give CPU milliseconds a call: of the plain model, and what the limited one takes more.

    Medians over `pairs` of runs, one of each in turn.

    The provider runs in this process too: its share is in both.
    """
    spent: dict[bool, list[float]] = {False: [], True: []}
    with ProviderServer() as provider:

        async def once(*, is_limited: bool) -> None:
            model: BaseChatModel = plain(provider.base_url)
            if is_limited:
                model = RateLimitedAsyncChat(
                    model, requests_per_minute=6_000_000, tokens_per_minute=600_000_000
                )
            await model.ainvoke("warm up")
            started_s = time.process_time()
            for _ in range(calls // 10):
                await batch(model, 10)
            spent[is_limited].append((time.process_time() - started_s) * 1000 / calls)

        async def alternate() -> None:
            for _ in range(pairs):
                await once(is_limited=False)
                await once(is_limited=True)

        asyncio.run(alternate())
    more = (limited - simple for simple, limited in zip(spent[False], spent[True], strict=True))
    return statistics.median(spent[False]), statistics.median(more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs")
    is_smoke = parser.parse_args().smoke
    if is_smoke:
        scenarios = [Scenario("requests", 40, requests_per_minute=1_200)]
    else:
        scenarios = [
            Scenario("requests", 150, requests_per_minute=600),
            Scenario("tokens", 120, tokens_per_minute=90_000, burst_s=5.0),
            Scenario("10 % faults", 150, requests_per_minute=1_200, fault_rate=0.1),
            Scenario("many requests", 300, requests_per_minute=3_000),
        ]
    # The first call of a process loads certificates and modules for seconds.
    measure(Scenario("warm up", 2), "", gather)
    rows = [measure(scenario, name, peer) for scenario in scenarios for name, peer in PEERS.items()]
    plain_ms, more_ms = cost_ms(50 if is_smoke else 300, 3 if is_smoke else 7)
    rows += [
        {"scenario": "no limit", "peer": "ChatOpenAI", "cpu_ms": plain_ms},
        {"scenario": "no limit", "peer": "RateLimitedAsyncChat", "cpu_ms": plain_ms + more_ms},
    ]
    report("limits", rows, notes=f"CPU a call above plain ChatOpenAI: {more_ms:.2f} ms")


if __name__ == "__main__":
    main()

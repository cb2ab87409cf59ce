"""How fast texts are embedded under a provider's limits, beside what people use today.

`python -m benchmarks.embeddings [--smoke] [--repeat 3] [--texts 2000]`

Every row faces a provider of its own, in a process of its own, whose answers take 100 ms give or take
30 % and whose bucket's size and level are drawn afresh for each repeat, the same for all peers of it.
`ratio` is wall time over the least time that the limit and one answer allow: below 1.0 with failures
means that it gave up early. `failed` counts texts without a vector; CPU is the client's. Figures are
medians over the repeats. The vectors of every row are compared with those of the plain model.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from langchain_openai import OpenAIEmbeddings

from benchmarks._limits_cell import provider
from benchmarks._table import report
from langchain_prodkit.limits import RateLimitedEmbeddings
from langchain_prodkit.testing import Faults

LATENCY_S: Final = 0.1
JITTER: Final = 0.3
DIMENSIONS: Final = 256
BATCH_TEXTS: Final = 100
"""What people put in a request by hand."""
ONE_BY_ONE: Final = 100
"""Texts of the slowest peer: its rate is the same for all of them."""

Vectors = list[list[float] | None]


@dataclass(frozen=True)
class Scenario:
    """A provider."""

    name: str
    tokens_per_minute: float | None = None
    requests_per_minute: float | None = None
    fault_rate: float = 0.0
    is_told: bool = True
    """Whether the clients know the limits."""

    def settings(self, seed: int) -> dict[str, Any]:
        """Describe the provider, its bucket drawn by `seed`."""
        draw = random.Random(seed)
        return {
            "tokens_per_minute": self.tokens_per_minute,
            "requests_per_minute": self.requests_per_minute,
            "burst_s": draw.uniform(1.0, 5.0),
            "initial_fill": draw.uniform(0.2, 1.0),
            "latency": ("uniform", LATENCY_S * (1 - JITTER), LATENCY_S * (1 + JITTER), seed),
            "faults": Faults(rate=self.fault_rate, slow_s=0.5, seed=seed),
        }

    def least_s(self, texts: list[str], settings: dict[str, Any]) -> float:
        """Give the least time in which the provider can embed `texts`."""
        if self.tokens_per_minute is None:
            return LATENCY_S
        rate = self.tokens_per_minute / 60
        tokens = sum(-(-len(text) // 4) for text in texts)
        full_s: float = settings["burst_s"] * settings["initial_fill"]
        return max(0.0, tokens / rate - full_s) + LATENCY_S


@dataclass(frozen=True)
class Peer:
    """A way to embed many texts."""

    name: str
    embed: Callable[[Scenario, str, list[str]], Vectors]
    texts: int | None = None
    """Embeds only so many."""


def plain(base_url: str) -> OpenAIEmbeddings:
    """Make the model everybody uses; without cutting, which needs files from the network."""
    given: dict[str, Any] = {"base_url": base_url, "api_key": "any", "dimensions": DIMENSIONS}
    return OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False, **given)


def ours(scenario: Scenario, base_url: str) -> RateLimitedEmbeddings:
    told = scenario.is_told
    return RateLimitedEmbeddings(
        plain(base_url),
        tokens_per_minute=scenario.tokens_per_minute if told else None,
        requests_per_minute=scenario.requests_per_minute if told else None,
    )


def ours_async(scenario: Scenario, base_url: str, texts: list[str]) -> Vectors:
    return list(asyncio.run(ours(scenario, base_url).aembed_documents(texts)))


def ours_sync(scenario: Scenario, base_url: str, texts: list[str]) -> Vectors:
    return list(ours(scenario, base_url).embed_documents(texts))


def whole(scenario: Scenario, base_url: str, texts: list[str]) -> Vectors:  # noqa: ARG001 - as the others
    return list(plain(base_url).embed_documents(texts))


def gather(scenario: Scenario, base_url: str, texts: list[str]) -> Vectors:  # noqa: ARG001 - as the others
    """All batches at once, retries by the SDK."""
    model = plain(base_url)
    parts = [texts[at : at + BATCH_TEXTS] for at in range(0, len(texts), BATCH_TEXTS)]

    async def run() -> list[Any]:
        try:
            return await asyncio.gather(*map(model.aembed_documents, parts), return_exceptions=True)
        finally:
            # Else the SDK tries it in the event loop of a later row, and complains.
            await model.async_client._client.close()  # noqa: SLF001

    vectors: Vectors = []
    for part, answer in zip(parts, asyncio.run(run()), strict=True):
        vectors += [None] * len(part) if isinstance(answer, BaseException) else answer
    return vectors


def one_by_one(scenario: Scenario, base_url: str, texts: list[str]) -> Vectors:  # noqa: ARG001 - as the others
    model = plain(base_url)
    return [model.embed_query(text) for text in texts]


PEERS: Final = (
    Peer("RateLimitedEmbeddings, async", ours_async),
    Peer("RateLimitedEmbeddings, sync", ours_sync),
    Peer("OpenAIEmbeddings.embed_documents", whole),
    Peer(f"asyncio.gather, {BATCH_TEXTS} a batch", gather),
    Peer("embed_query in a loop", one_by_one, texts=ONE_BY_ONE),
)


def measure(scenario: Scenario, peer: Peer, texts: list[str], seed: int) -> dict[str, float]:
    """Run one peer once."""
    texts = texts[: peer.texts]
    settings = scenario.settings(seed)
    with provider({}, settings) as served:
        warm_url, base_url = served.base_urls
        peer.embed(Scenario("warm up"), warm_url, texts[:2])
        cpu_s, start_s = time.process_time(), time.perf_counter()
        try:
            vectors = peer.embed(scenario, base_url, texts)
        except Exception:  # noqa: BLE001 - that it fails is the result
            vectors = [None] * len(texts)
        wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - cpu_s
        counts = served.counts()
        wanted = plain(warm_url).embed_documents(texts)
    if any(vector is not None and vector != want for vector, want in zip(vectors, wanted, strict=True)):
        raise AssertionError(f"{peer.name} mixed the vectors up")
    return {
        "failed": sum(vector is None for vector in vectors),
        "429s": counts["refused"],
        "requests": counts["requests"],
        "wall_s": wall_s,
        "ratio": wall_s / scenario.least_s(texts, settings),
        "texts_a_s": sum(vector is not None for vector in vectors) / wall_s,
        "cpu_ms_a_text": cpu_s * 1000 / len(texts),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few seconds, to see that it runs")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--texts", type=int, default=2_000)
    options = parser.parse_args()
    count, repeats = (200, 1) if options.smoke else (options.texts, options.repeat)
    texts = [f"Review {number}: " + "the parcel came late; " * (3 + number % 13) for number in range(count)]
    rate = 120_000 if options.smoke else 600_000
    scenarios = [
        Scenario("no limit"),
        Scenario("tokens", tokens_per_minute=rate),
        Scenario("tokens, untold", tokens_per_minute=rate, is_told=False),
        Scenario("10 % faults", tokens_per_minute=10 * rate, requests_per_minute=3_000, fault_rate=0.1),
    ]
    if options.smoke:
        scenarios = scenarios[1:2]
    rows = []
    for scenario in scenarios:
        for peer in PEERS:
            if peer.texts is not None and scenario is not scenarios[0]:
                continue
            runs = [measure(scenario, peer, texts, seed) for seed in range(repeats)]
            medians = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
            worst = {"worst_ratio": max(run["ratio"] for run in runs)} if repeats > 1 else {}
            used = len(texts[: peer.texts])
            rows.append({"scenario": scenario.name, "peer": peer.name, "texts": used, **medians, **worst})
    report("embeddings", rows, notes=f"medians of {repeats}; answers take {LATENCY_S:g} s +- {JITTER:.0%}")


if __name__ == "__main__":
    main()

"""Any existing chat model, kept to a shared limit by `rate_limiter=`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from langchain_prodkit.limits import LocalLimiter, RedisLimiter, RequestRateLimiter
from langchain_prodkit.testing import ProviderServer
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker


@pytest.fixture(params=["local", "redis"])
def limiter(request: pytest.FixtureRequest, make_limiter: Callable[..., RedisLimiter]) -> Any:
    """Give a limit of twenty a second, of either kind."""
    if request.param == "redis":
        return make_limiter(requests_per_minute=1_200, burst_s=0.2)
    return LocalLimiter(requests_per_minute=1_200, burst_s=0.2, learn_limits=False)


def chat(provider: ProviderServer, limiter: Any) -> ChatOpenAI:
    """A plain model, as existing code has it."""
    return ChatOpenAI(
        model="gpt-4o-mini",
        base_url=provider.base_url,
        api_key="any",
        max_retries=0,
        rate_limiter=RequestRateLimiter(limiter),
    )


async def test_two_plain_models_share_one_limit(
    limiter: Any, make_provider_server: ProviderServerMaker
) -> None:
    """Forty calls over two models, sync and async, at the provider's rate: none is refused."""
    provider = make_provider_server(requests_per_minute=1_200, burst_s=0.5)
    first, second = chat(provider, limiter), chat(provider, limiter)
    started_s = time.monotonic()
    answers = await asyncio.gather(
        first.abatch([f"first {number}" for number in range(20)]),
        asyncio.to_thread(second.batch, [f"second {number}" for number in range(20)]),
    )
    assert [len(part) for part in answers] == [20, 20]
    assert provider.statistics().refused == 0
    assert 1.7 <= time.monotonic() - started_s <= 4.0


async def test_asking_without_waiting_leaves_no_trace(limiter: Any) -> None:
    """With the permits used up the answer is False, at once, and the rate is not touched."""
    adapter = RequestRateLimiter(limiter)
    while await adapter.aacquire(blocking=False):
        pass
    granted = limiter.statistics().granted
    assert granted >= 4
    started_s = time.monotonic()
    adapter.acquire(blocking=False)
    adapter.acquire(blocking=False)
    assert time.monotonic() - started_s < 0.2
    assert limiter.statistics().waiting == 0
    await asyncio.sleep(0.3)
    assert await adapter.aacquire(blocking=False)


async def test_streams_take_a_permit_each(limiter: Any, make_provider_server: ProviderServerMaker) -> None:
    """A stream is one request, however many chunks it has."""
    provider = make_provider_server()
    model = chat(provider, limiter)
    for number in range(3):
        chunks = [chunk async for chunk in model.astream(f"a longer question, number {number}")]
        assert len(chunks) > 3
    assert limiter.statistics().granted == 3

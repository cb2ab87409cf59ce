"""Our limiters behind langchain-core's own `rate_limiter=`."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.rate_limiters import BaseRateLimiter, InMemoryRateLimiter

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.limits import Cost, LocalLimiter, RateLimitedAsyncChat, RequestRateLimiter


def local(per_minute: float, **settings: Any) -> LocalLimiter:
    """A limiter of this process with a burst of one."""
    return LocalLimiter(requests_per_minute=per_minute, burst_s=0.001, learn_limits=False, **settings)


def test_it_is_one_of_langchains_limiters() -> None:
    """A chat model takes it as its `rate_limiter`."""
    adapter = RequestRateLimiter(local(60))
    assert isinstance(adapter, BaseRateLimiter)
    assert FakeListChatModel(responses=["yes"], rate_limiter=adapter).invoke("ready?").content == "yes"


@pytest.mark.parametrize("other", [None, 60, InMemoryRateLimiter(), Cost()])
def test_it_takes_nothing_but_a_limiter(other: Any) -> None:
    """Anything else is refused at construction, by its type."""
    with pytest.raises(ConfigurationError, match=type(other).__qualname__):
        RequestRateLimiter(other)


def test_blocking_waits_for_the_permit() -> None:
    """True, once it is there: three at twenty a second take a tenth of a second."""
    adapter = RequestRateLimiter(local(1_200))
    started_s = time.monotonic()
    assert [adapter.acquire() for _ in range(3)] == [True] * 3
    assert 0.09 <= time.monotonic() - started_s <= 0.4


async def test_async_blocking_waits_without_holding_the_loop() -> None:
    """Other tasks go on meanwhile."""
    adapter = RequestRateLimiter(local(1_200))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    ticking = asyncio.create_task(tick())
    started_s = time.monotonic()
    assert await asyncio.gather(*(adapter.aacquire() for _ in range(4))) == [True] * 4
    assert 0.14 <= time.monotonic() - started_s <= 0.5
    ticking.cancel()
    assert ticks >= 3


async def test_not_blocking_answers_at_once_and_leaves_no_trace() -> None:
    """False while there is none, and whoever was told so has not taken anybody's place."""
    limiter = local(240)
    adapter = RequestRateLimiter(limiter)
    assert adapter.acquire(blocking=False)
    started_s = time.monotonic()
    assert not any(adapter.acquire(blocking=False) for _ in range(20))
    assert not any([await adapter.aacquire(blocking=False) for _ in range(20)])
    assert time.monotonic() - started_s < 0.1
    statistics = limiter.statistics()
    assert (statistics.waiting, statistics.in_flight, statistics.granted) == (0, 0, 1)
    await asyncio.sleep(0.3 - (time.monotonic() - started_s))
    assert await adapter.aacquire(blocking=False)


async def test_a_cancelled_wait_takes_nothing() -> None:
    """The permit goes to the next one in line."""
    limiter = local(600)
    adapter = RequestRateLimiter(limiter)
    adapter.acquire()
    waiting = asyncio.create_task(adapter.aacquire())
    await asyncio.sleep(0.02)
    waiting.cancel()
    started_s = time.monotonic()
    assert await adapter.aacquire()
    assert time.monotonic() - started_s < 0.2
    assert limiter.statistics().granted == 2


def test_one_limit_for_adapted_and_limited_models() -> None:
    """Old code by `rate_limiter=`, new code by `RateLimitedAsyncChat`: together they keep to the rate."""
    limiter = local(1_200)
    old = FakeListChatModel(responses=["old"], rate_limiter=RequestRateLimiter(limiter))
    new = RateLimitedAsyncChat(FakeListChatModel(responses=["new"]), limiter=limiter)
    started_s = time.monotonic()
    threads = [threading.Thread(target=model.invoke, args=("go",)) for model in (old, new) * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0.33 <= time.monotonic() - started_s <= 0.9
    assert limiter.statistics().granted == 8


def test_calls_under_way_are_not_counted() -> None:
    """Nobody says when an adapted model's call ends, so `max_concurrency` does not stop the next."""
    adapter = RequestRateLimiter(LocalLimiter(max_concurrency=1, learn_limits=False))
    assert [adapter.acquire(blocking=False) for _ in range(3)] == [True] * 3

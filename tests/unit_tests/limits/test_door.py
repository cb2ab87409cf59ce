"""The door before the line: thousands outside, a few inside, the first at once."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.language_models import FakeListChatModel

from langchain_prodkit.errors import LimitTimeoutError
from langchain_prodkit.limits import LocalLimiter, RateLimitedAsyncChat, RetryPolicy
from langchain_prodkit.limits.door import Door


class Begun(AsyncCallbackHandler):
    """Counts the calls that have begun."""

    count = 0

    async def on_chat_model_start(self, *arguments: Any, **kwargs: Any) -> None:
        """Count."""
        self.count += 1


def slow_model(**settings: Any) -> RateLimitedAsyncChat:
    """A model of which one call goes, and the others wait."""
    limiter = LocalLimiter(requests_per_minute=1)
    return RateLimitedAsyncChat(FakeListChatModel(responses=["x"]), limiter=limiter, **settings)


async def test_of_thousands_few_have_begun() -> None:
    """Who waits at the door has no callbacks, no trace and no place in line yet."""
    model, begun = slow_model(), Begun()
    batch = asyncio.create_task(model.abatch(["hi"] * 5_000, {"callbacks": [begun]}))
    async with asyncio.timeout(10.0):
        while begun.count < 64:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert begun.count <= 70
    assert model.limiter.statistics().waiting <= 64
    assert model.statistics().waiting >= 4_900
    assert model.statistics().granted == 1
    started_s = time.monotonic()
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert time.monotonic() - started_s < 3.0
    assert (model.statistics().waiting, model.statistics().in_flight) == (0, 0)


async def test_the_first_call_leaves_before_the_last_has_begun() -> None:
    """Preparing two thousand calls does not hold up the first."""
    model = slow_model()
    batch = asyncio.create_task(model.abatch(["hi"] * 2_000))
    for _ in range(40):
        await asyncio.sleep(0)
    assert model.statistics().granted == 1
    batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch


async def test_everybody_comes_in_in_order() -> None:
    """First come, first served, although some give up outside."""
    door = Door()
    order: list[int] = []

    async def one(number: int) -> None:
        own = await door.enter()
        order.append(number)
        await asyncio.sleep(0.001)
        own.through()
        own.through()

    tasks = [asyncio.create_task(one(number)) for number in range(300)]
    await asyncio.sleep(0)
    for task in tasks[100:200]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [*range(100), *range(200, 300)]
    assert (await door.enter()).waited_s < 0.1


async def test_a_deadline_holds_at_the_door() -> None:
    """Nobody waits outside for longer than the call may take."""
    model = slow_model(retry=RetryPolicy(deadline_s=0.3))
    results = await asyncio.wait_for(model.abatch(["hi"] * 200, return_exceptions=True), 5.0)
    assert sum(isinstance(result, LimitTimeoutError) for result in results) == 199


async def test_waiting_at_the_door_is_told_as_waiting() -> None:
    """The last of many says how long it took from the first moment on."""
    model = RateLimitedAsyncChat(
        FakeListChatModel(responses=["x"]), limiter=LocalLimiter(requests_per_minute=24_000, burst_s=0.01)
    )
    answers = await model.abatch(["hi"] * 200)
    assert answers[-1].response_metadata["prodkit"]["waited_s"] >= 0.4

"""The limited chat model against a provider that really refuses, fails and hangs up."""

from __future__ import annotations

import asyncio
import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_prodkit.errors import RequestTooLargeError
from langchain_prodkit.limits import LocalLimiter, RateLimitedAsyncChat, RetryPolicy
from langchain_prodkit.testing import Faults, ProviderServer
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker


class Ticket(BaseModel):
    """A support ticket."""

    title: str
    priority: int


@tool
def look_up(order: str) -> str:
    """Look an order up."""
    return order


def chat(provider: ProviderServer, **settings: Any) -> ChatOpenAI:
    """A plain model at `provider`."""
    return ChatOpenAI(model="gpt-4o-mini", base_url=provider.base_url, api_key="any", **settings)


async def call(model: Runnable[Any, Any], way: str, value: str = "Hello") -> str:
    """Call `model` one of the four ways and give the text."""
    if way == "invoke":
        return str((await asyncio.to_thread(model.invoke, value)).content)
    if way == "ainvoke":
        return str((await model.ainvoke(value)).content)
    if way == "stream":
        chunks = await asyncio.to_thread(lambda: list(model.stream(value)))
        return "".join(str(chunk.content) for chunk in chunks)
    return "".join([str(chunk.content) async for chunk in model.astream(value)])


# A call too many now and then is the matter of the benchmark, which counts them on a quiet machine: on a
# busy one calls arrive late and together. A herd would draw hundreds.
NO_HERD = 25

each_way = pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])


async def test_a_hundred_calls_at_once_keep_to_the_request_limit(
    make_provider_server: ProviderServerMaker,
) -> None:
    """None fails and next to none is refused, although the provider allows one second's burst."""
    provider = make_provider_server(requests_per_minute=2_400, burst_s=1.0, latency_s=0.05)
    model = RateLimitedAsyncChat(chat(provider), requests_per_minute=2_400)
    started_s = time.monotonic()
    answers = await model.abatch([f"question {number}" for number in range(120)])
    assert len({answer.content for answer in answers}) == 120
    assert provider.statistics().refused <= NO_HERD
    assert time.monotonic() - started_s < 12.0


async def test_uneven_calls_keep_to_the_token_limit(make_provider_server: ProviderServerMaker) -> None:
    """Short and long prompts and answers, a tight token limit: none fails, few are refused."""
    provider = make_provider_server(tokens_per_minute=120_000, burst_s=5.0)
    model = RateLimitedAsyncChat(chat(provider), tokens_per_minute=120_000)
    calls = [
        model.bind(max_tokens=20 + 40 * (number % 7)).ainvoke("word " * (1 + 37 * (number % 5)))
        for number in range(100)
    ]
    await asyncio.gather(*calls)
    assert provider.statistics().answered == 100
    assert provider.statistics().refused <= NO_HERD


def test_threads_keep_to_the_limit_together(make_provider_server: ProviderServerMaker) -> None:
    """Synchronous callers in thirty threads share the line with asynchronous ones."""
    provider = make_provider_server(requests_per_minute=2_400, burst_s=1.0)
    model = RateLimitedAsyncChat(chat(provider), requests_per_minute=2_400)

    async def some() -> None:
        await model.abatch(["async"] * 30)

    with ThreadPoolExecutor(30) as pool:
        jobs: list[Any] = [pool.submit(model.invoke, "sync") for _ in range(50)]
        jobs += [pool.submit(asyncio.run, some()) for _ in range(2)]
        for job in jobs:
            job.result(timeout=30)
    # None twice, although two loops at once are busy with the connections of one model.
    assert provider.statistics().answered == 110
    assert provider.statistics().refused <= NO_HERD


async def test_a_tenth_of_faults_loses_no_call(make_provider_server: ProviderServerMaker) -> None:
    """Server errors, hang-ups and cut answers are all tried again."""
    provider = make_provider_server(faults=Faults(rate=0.1, slow_s=0.2))
    model = RateLimitedAsyncChat(chat(provider), requests_per_minute=3_000)
    answers = await model.abatch([f"question {number}" for number in range(100)])
    assert len(answers) == 100
    assert sum(provider.statistics().faults.values()) >= 5
    assert max(answer.response_metadata["prodkit"]["attempts"] for answer in answers) > 1


@each_way
async def test_a_server_error_leads_to_exactly_our_attempts(
    way: str, make_provider_server: ProviderServerMaker
) -> None:
    """The SDK adds none of its own, however many the user's model was allowed."""
    provider = make_provider_server(faults=Faults(script=["error_500"] * 20))
    model = RateLimitedAsyncChat(
        chat(provider, max_retries=5), retry=RetryPolicy(max_attempts=3, max_wait_s=0.01)
    )
    with pytest.raises(openai.InternalServerError):
        await call(model, way)
    assert provider.statistics().requests == 3


@each_way
async def test_an_empty_account_is_asked_once(way: str, make_provider_server: ProviderServerMaker) -> None:
    """`insufficient_quota` is a 429 that no waiting cures."""
    provider = make_provider_server(faults=Faults(script=["insufficient_quota"] * 5))
    with pytest.raises(openai.RateLimitError):
        await call(RateLimitedAsyncChat(chat(provider)), way)
    assert provider.statistics().requests == 1


async def test_retry_after_is_obeyed_by_everybody(make_provider_server: ProviderServerMaker) -> None:
    """The provider's bucket holds less than we were told: after a refusal all wait, and all get through."""
    provider = make_provider_server(requests_per_minute=300, burst_s=0.2)
    model = RateLimitedAsyncChat(chat(provider), requests_per_minute=6_000)
    await asyncio.gather(*(model.ainvoke("hi") for _ in range(8)))
    entries = provider.journal
    refused_at_s = max(entry.t for entry in entries if entry.status == 429)
    assert provider.statistics().answered == 8
    times = sorted(entry.t for entry in entries if entry.status == 200)
    # Nobody went before a permit could be there: 0.2 s apart.
    assert all(later - earlier > 0.15 for earlier, later in itertools.pairwise(times))
    assert refused_at_s < times[-1]


async def test_a_refusal_without_headers_backs_off(make_provider_server: ProviderServerMaker) -> None:
    """A bare 429: wait, then try again."""
    provider = make_provider_server(faults=Faults(script=["bare_429"]))
    model = RateLimitedAsyncChat(chat(provider))
    answer = await model.ainvoke("hi")
    note = answer.response_metadata["prodkit"]
    assert (note["attempts"], note["refusals"]) == (2, 1)
    assert note["waited_s"] >= 0.05


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_stream_cut_in_the_middle_is_not_tried_again(
    way: str, make_provider_server: ProviderServerMaker
) -> None:
    """What has left cannot be taken back."""
    provider = make_provider_server(faults=Faults(script=["cut_stream"]), script=["a long answer " * 20])
    limiter = LocalLimiter(max_concurrency=1)
    with pytest.raises(Exception, match=r"."):
        await call(RateLimitedAsyncChat(chat(provider), limiter=limiter), way)
    assert provider.statistics().requests == 1
    assert limiter.statistics().in_flight == 0


async def test_oversize_reaches_nobody(make_provider_server: ProviderServerMaker) -> None:
    """A prompt of 20,000 characters under 1,000 tokens a minute fails at once, unsent."""
    provider = make_provider_server()
    model = RateLimitedAsyncChat(chat(provider), tokens_per_minute=1_000)
    with pytest.raises(RequestTooLargeError):
        await asyncio.wait_for(model.ainvoke("x" * 20_000), 2.0)
    assert provider.statistics().requests == 0


async def test_unused_tokens_are_given_back(make_provider_server: ProviderServerMaker) -> None:
    """Answers far below `max_tokens` do not cost what they reserved."""
    provider = make_provider_server(tokens_per_minute=60_000, burst_s=5.0, refund=True, script=lambda _: "ok")
    model = RateLimitedAsyncChat(chat(provider, max_tokens=400), tokens_per_minute=60_000)
    started_s = time.monotonic()
    await model.abatch(["hi"] * 60)
    # Without refunds: 60 x 400 tokens at 1,000 a second.
    assert time.monotonic() - started_s < 12.0
    assert provider.statistics().answered == 60


async def test_cached_answers_take_no_permit(make_provider_server: ProviderServerMaker) -> None:
    """The cache of langchain-core sits above the limiter."""
    provider = make_provider_server()
    limiter = LocalLimiter(requests_per_minute=1)
    model = RateLimitedAsyncChat(chat(provider, cache=InMemoryCache()), limiter=limiter)
    for _ in range(5):
        await model.ainvoke("hi")
    assert (provider.statistics().requests, limiter.statistics().granted) == (1, 1)


async def test_tools_and_structured_output_go_through_the_limiter(
    make_provider_server: ProviderServerMaker,
) -> None:
    """No form of binding leads around it."""
    provider = make_provider_server()
    limiter = LocalLimiter(requests_per_minute=6_000)
    model = RateLimitedAsyncChat(chat(provider), limiter=limiter)
    answer = await model.bind_tools([look_up], tool_choice="any").ainvoke("order 5")
    assert answer.tool_calls[0]["name"] == "look_up"
    for method in ("json_schema", "function_calling"):
        structured = model.with_structured_output(Ticket, method=method)
        assert isinstance(await structured.ainvoke("hi"), Ticket)
        assert [isinstance(part, Ticket) async for part in structured.astream("hi")][-1]
    assert isinstance(model.with_fallbacks([model]).bind(stop=["x"]).invoke("hi").content, str)
    assert limiter.statistics().granted == provider.statistics().requests == 6


def test_two_event_loops_one_after_another(make_provider_server: ProviderServerMaker) -> None:
    """The SDK's connections of the first, closed loop are given up, and no call is lost."""
    provider = make_provider_server()
    model = RateLimitedAsyncChat(chat(provider), requests_per_minute=6_000)

    async def some() -> int:
        return len(await model.abatch(["hi"] * 10))

    assert asyncio.run(some()) == asyncio.run(some()) == 10


@each_way
async def test_answers_are_those_of_the_plain_model(
    way: str, make_provider_server: ProviderServerMaker
) -> None:
    """Text for text."""
    provider = make_provider_server()
    plain = chat(provider)
    assert await call(RateLimitedAsyncChat(plain), way) == await call(plain, way)


async def test_usage_of_a_stream_settles_the_permit(make_provider_server: ProviderServerMaker) -> None:
    """With usage in the stream the bucket ends where the provider says."""
    provider = make_provider_server()
    limiter = LocalLimiter(tokens_per_minute=60_000)
    model = RateLimitedAsyncChat(chat(provider, stream_usage=True, max_tokens=500), limiter=limiter)
    whole: Any = None
    async for chunk in model.astream("Hello there"):
        whole = chunk if whole is None else whole + chunk
    used = whole.usage_metadata["total_tokens"]
    assert whole.response_metadata["prodkit"]["used_tokens"] == used
    assert whole.response_metadata["prodkit"]["reserved_tokens"] > 500

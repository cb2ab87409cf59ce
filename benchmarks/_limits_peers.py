"""The clients: `RateLimitedAsyncChat`, and what people use today, each told what the scenario tells.

Each is a function from a `Task` to the answers, an exception where there was none. Loaded in the
processes of the clients only: it brings the SDKs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from aiolimiter import AsyncLimiter
from langchain_core.language_models import BaseChatModel
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI
from pydantic import SecretStr

from benchmarks._limits_rows import Task
from benchmarks._limits_scenarios import Call
from langchain_prodkit.limits import RateLimitedAsyncChat

__all__ = ["PEERS", "batch", "chat"]

MODEL: Final = "gpt-4o-mini"


Peer = Callable[[Task], Coroutine[Any, Any, list[Any]]]


def chat(task: Task, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model=MODEL, base_url=task.base_url, api_key=SecretStr("any"), **settings)


async def batch(model: BaseChatModel, calls: Sequence[Call]) -> list[Any]:
    """Give the calls to `model` at once: one `abatch` where they allow it."""
    if len({call.max_tokens for call in calls}) == 1:
        prompts: list[Any] = [call.prompt for call in calls]
        return await model.abatch(prompts, return_exceptions=True, **_limit(calls[0]))
    running = (model.ainvoke(call.prompt, **_limit(call)) for call in calls)
    return await asyncio.gather(*running, return_exceptions=True)


def _limit(call: Call) -> dict[str, Any]:
    return {} if call.max_tokens is None else {"max_tokens": call.max_tokens}


async def ours(task: Task) -> list[Any]:
    told = task.scenario.told()
    if task.redis_url is not None:
        from langchain_prodkit.limits import RedisLimiter  # noqa: PLC0415 - needs the extra

        limiter = RedisLimiter(task.redis_url, "benchmark", **told)
        return await batch(RateLimitedAsyncChat(chat(task), limiter=limiter), task.calls)
    return await batch(RateLimitedAsyncChat(chat(task), **told), task.calls)


async def sequential(task: Task) -> list[Any]:
    """One call after the other, as a loop in a script does."""
    model = chat(task)
    ends_s = time.monotonic() + task.scenario.limit_s
    answers: list[Any] = []
    for call in task.calls:
        if time.monotonic() > ends_s:
            answers.append(TimeoutError())
            continue
        try:
            answers.append(model.invoke(call.prompt, **_limit(call)))
        except Exception as error:  # noqa: BLE001 - counted
            answers.append(error)
    return answers


async def _complete(client: AsyncOpenAI, call: Call) -> Any:
    return await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": call.prompt}], **_limit(call)
    )


async def gather(task: Task) -> list[Any]:
    """`asyncio.gather` on the SDK, with its own two retries."""
    async with AsyncOpenAI(base_url=task.base_url, api_key="any") as client:
        return await asyncio.gather(*(_complete(client, c) for c in task.calls), return_exceptions=True)


async def in_memory(task: Task) -> list[Any]:
    """Langchain's limiter with its defaults, told the request rate that fits both limits on average."""
    limiter = task.mean_rate and InMemoryRateLimiter(requests_per_second=task.mean_rate * task.share)
    return await batch(chat(task, rate_limiter=limiter), task.calls)


async def in_memory_tuned(task: Task) -> list[Any]:
    """The same, looking every 10 ms and with a bucket of one second."""
    limiter = task.mean_rate and InMemoryRateLimiter(
        requests_per_second=task.mean_rate * task.share,
        check_every_n_seconds=0.01,
        max_bucket_size=max(1.0, task.mean_rate * task.share),
    )
    return await batch(chat(task, rate_limiter=limiter), task.calls)


async def aiolimiter(task: Task) -> list[Any]:
    """Two aiolimiters around the SDK, one for requests and one for tokens, wired by hand.

    A second's worth of requests and five seconds' worth of tokens may go at once.
    """
    told = task.scenario.told()
    requests, tokens = (
        per_minute and per_minute * task.share / 60.0
        for per_minute in (told["requests_per_minute"], told["tokens_per_minute"])
    )
    by_request = AsyncLimiter(requests, 1.0) if requests else None
    by_token = AsyncLimiter(tokens * 5.0, 5.0) if tokens else None

    async with AsyncOpenAI(base_url=task.base_url, api_key="any") as client:

        async def one(call: Call) -> Any:
            if by_request is not None:
                await by_request.acquire()
            if by_token is not None:
                await by_token.acquire(call.charge)
            return await _complete(client, call)

        return await asyncio.gather(*(one(call) for call in task.calls), return_exceptions=True)


PEERS: Final[dict[str, Peer]] = {
    "ours": ours,
    "sync": sequential,
    "gather": gather,
    "inmemory": in_memory,
    "tuned": in_memory_tuned,
    "aiolimiter": aiolimiter,
}

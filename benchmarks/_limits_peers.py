"""The clients: `RateLimitedAsyncChat`, and what people use today, each told what the scenario tells.

Each is a function that makes its model for a `Task`, and gives what is to be timed: it makes the calls
and returns the answers, an exception where there was none. Loaded in the
processes of the clients only: it brings the SDKs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
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


Run = Callable[[], Coroutine[Any, Any, list[Any]]]
Peer = Callable[[Task], Run]


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


def ours(task: Task) -> Run:
    told = task.scenario.told()
    if task.redis_url is None:
        model = RateLimitedAsyncChat(chat(task), **told)
    else:
        from langchain_prodkit.limits import RedisLimiter  # noqa: PLC0415 - needs the extra

        limiter = RedisLimiter(task.redis_url, "benchmark", **told)
        model = RateLimitedAsyncChat(chat(task), limiter=limiter)
    return partial(batch, model, task.calls)


def sequential(task: Task) -> Run:
    """One call after the other, as a loop in a script does."""
    model = chat(task)

    async def run() -> list[Any]:
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

    return run


async def _complete(client: AsyncOpenAI, call: Call) -> Any:
    return await client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": call.prompt}], **_limit(call)
    )


def gather(task: Task) -> Run:
    """`asyncio.gather` on the SDK, with its own two retries."""
    client = AsyncOpenAI(base_url=task.base_url, api_key="any")

    async def run() -> list[Any]:
        return await asyncio.gather(*(_complete(client, c) for c in task.calls), return_exceptions=True)

    return run


def in_memory(task: Task) -> Run:
    """Langchain's limiter with its defaults, told the request rate that fits both limits on average."""
    limiter = task.mean_rate and InMemoryRateLimiter(requests_per_second=task.mean_rate * task.share)
    return partial(batch, chat(task, rate_limiter=limiter), task.calls)


def in_memory_tuned(task: Task) -> Run:
    """The same, looking every 10 ms and with a bucket of one second."""
    limiter = task.mean_rate and InMemoryRateLimiter(
        requests_per_second=task.mean_rate * task.share,
        check_every_n_seconds=0.01,
        max_bucket_size=max(1.0, task.mean_rate * task.share),
    )
    return partial(batch, chat(task, rate_limiter=limiter), task.calls)


def aiolimiter(task: Task) -> Run:
    """Two aiolimiters around the SDK, one for requests and one for tokens, wired by hand.

    A second's worth of requests and five seconds' worth of tokens may go at once.
    """
    told = task.scenario.told()
    requests, tokens = (
        per_minute and per_minute * task.share / 60.0
        for per_minute in (told["requests_per_minute"], told["tokens_per_minute"])
    )
    client = AsyncOpenAI(base_url=task.base_url, api_key="any")

    async def run() -> list[Any]:
        by_request = AsyncLimiter(requests, 1.0) if requests else None
        by_token = AsyncLimiter(tokens * 5.0, 5.0) if tokens else None

        async def one(call: Call) -> Any:
            if by_request is not None:
                await by_request.acquire()
            if by_token is not None:
                await by_token.acquire(call.charge)
            return await _complete(client, call)

        return await asyncio.gather(*(one(call) for call in task.calls), return_exceptions=True)

    return run


PEERS: Final[dict[str, Peer]] = {
    "ours": ours,
    "sync": sequential,
    "gather": gather,
    "inmemory": in_memory,
    "tuned": in_memory_tuned,
    "aiolimiter": aiolimiter,
}

"""Providers that hang up, hang, lie and refuse, and programs that stop in the middle: over real HTTP."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

from langchain_prodkit.limits import LocalLimiter, RateLimitedAsyncChat, RetryPolicy
from langchain_prodkit.testing import Faults
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker

ANSWER = b"""{"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
"finish_reason": "stop", "message": {"role": "assistant", "content": "fine"}}],
"usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}"""


def chat(base_url: str, **settings: Any) -> ChatOpenAI:
    """A plain model at `base_url`."""
    return ChatOpenAI(model="gpt-4o-mini", base_url=base_url, api_key="any", **settings)


@contextmanager
def speaking(headers: list[tuple[str, str]], status: int = 200, refusals: int = 0) -> Iterator[str]:
    """Serve answers with `headers`, after so many refusals with the same."""
    left = [refusals]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            left[0] -= 1
            self.send_response(status if left[0] < 0 else 429)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(ANSWER)))
            self.end_headers()
            self.wfile.write(ANSWER)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


GARBAGE = [
    [("x-ratelimit-limit-requests", "many"), ("x-ratelimit-remaining-requests", "-3")],
    [("x-ratelimit-limit-requests", "nan"), ("x-ratelimit-reset-requests", "tomorrow")],
    [("x-ratelimit-limit-tokens", "9" * 400), ("x-ratelimit-remaining-tokens", "1e9999")],
    [("x-ratelimit-limit-requests", "0"), ("x-ratelimit-remaining-requests", "0")],
    [("retry-after", "soon"), ("retry-after-ms", "inf"), ("x-ratelimit-remaining-requests", "\xff\xfe")],
]


@pytest.mark.parametrize("headers", GARBAGE, ids=range(len(GARBAGE)))
@pytest.mark.parametrize("told", [None, 6_000])
async def test_garbage_headers_change_nothing(headers: list[tuple[str, str]], told: float | None) -> None:
    """On answers and refusals alike: every call is answered, at the rate that was told."""
    with speaking(headers, refusals=1) as base_url:
        model = RateLimitedAsyncChat(chat(base_url), requests_per_minute=told)
        answers = await asyncio.wait_for(model.abatch(["hi"] * 12), 20.0)
    assert {answer.content for answer in answers} == {"fine"}
    assert all("headers" not in answer.response_metadata for answer in answers)


async def test_headers_stay_where_the_user_wants_them(make_provider_server: ProviderServerMaker) -> None:
    """They are heard in any case, and handed on to who asked for them."""
    provider = make_provider_server(requests_per_minute=600)
    for is_wanted in (False, True):
        model = RateLimitedAsyncChat(chat(provider.base_url, include_response_headers=is_wanted))
        answer = await model.ainvoke("hi")
        assert ("headers" in answer.response_metadata) is is_wanted
        chunks = [chunk async for chunk in model.astream("hi")]
        assert any("headers" in chunk.response_metadata for chunk in chunks) is is_wanted
        statistics = model.statistics()
        assert (statistics.requests_per_minute, statistics.is_learned) == (600, True)


async def test_limits_are_learned_from_refusals_too(make_provider_server: ProviderServerMaker) -> None:
    """An empty bucket says so with a 429, and hardly another one follows."""
    provider = make_provider_server(requests_per_minute=1_200, initial_fill=0.0)
    model = RateLimitedAsyncChat(chat(provider.base_url), requests_per_minute=1_500)
    await model.abatch(["hi"] * 20)
    assert provider.statistics().refused <= 10
    assert model.statistics().requests_per_minute == 1_200


@pytest.mark.parametrize("kind", ["disconnect", "cut_stream", "error_500", "error_503"])
async def test_a_provider_that_breaks_loses_no_call(
    kind: Any, make_provider_server: ProviderServerMaker
) -> None:
    """A third of the calls go wrong; all are answered, without long waits for a single fault."""
    provider = make_provider_server(faults=Faults(script=[kind, None, None] * 5))
    model = RateLimitedAsyncChat(chat(provider.base_url), requests_per_minute=6_000)
    started_s = time.monotonic()
    answers = await model.abatch(["hi"] * 15)
    assert len(answers) == 15
    assert time.monotonic() - started_s < 6.0


async def test_a_provider_that_hangs_is_left_by_the_models_own_timeout(
    make_provider_server: ProviderServerMaker,
) -> None:
    """The call is sent again, and answered."""
    provider = make_provider_server(faults=Faults(script=["slow"], slow_s=60.0))
    model = RateLimitedAsyncChat(chat(provider.base_url, timeout=0.5))
    answer = await asyncio.wait_for(model.ainvoke("hi"), 15.0)
    assert answer.response_metadata["prodkit"]["attempts"] == 2


async def test_a_provider_that_never_lets_anybody_through_ends_the_call(
    make_provider_server: ProviderServerMaker,
) -> None:
    """Bare refusals without an end: the attempts count when nobody is answered."""
    provider = make_provider_server(faults=Faults(rate=1.0, kinds=["bare_429"]))
    model = RateLimitedAsyncChat(chat(provider.base_url), retry=RetryPolicy(max_attempts=3, max_wait_s=0.05))
    with pytest.raises(Exception, match="Rate limit"):
        await asyncio.wait_for(model.ainvoke("hi"), 20.0)
    assert 3 <= provider.statistics().requests <= 15


async def test_five_hundred_cancelled_at_once_leave_nothing(
    make_provider_server: ProviderServerMaker,
) -> None:
    """The next call goes as if they had never been."""
    provider = make_provider_server(latency_s=0.2)
    limiter = LocalLimiter(max_concurrency=2)
    model = RateLimitedAsyncChat(chat(provider.base_url), limiter=limiter)
    tasks = [asyncio.create_task(model.ainvoke("hi")) for _ in range(500)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (limiter.statistics().waiting, limiter.statistics().in_flight) == (0, 0)
    assert (await asyncio.wait_for(model.ainvoke("hi"), 5.0)).content


async def test_calls_are_spread_over_deployments(make_provider_server: ProviderServerMaker) -> None:
    """Two deployments with limits of their own take twice as much, as the class's docstring shows."""
    providers = [make_provider_server(requests_per_minute=1_200, burst_s=1.0) for _ in range(2)]
    east, west = (
        RateLimitedAsyncChat(chat(provider.base_url), requests_per_minute=1_200) for provider in providers
    )

    async def shorter(_: Any) -> RateLimitedAsyncChat:
        return min(east, west, key=lambda one: one.statistics().waiting)

    await RunnableLambda(shorter).abatch(["hi"] * 60)
    assert all(provider.statistics().answered >= 15 for provider in providers)
    either = east.with_fallbacks([west])
    assert (await either.ainvoke("hi")).content


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_ctrl_c_ends_ten_thousand_waiters(make_provider_server: ProviderServerMaker) -> None:
    """A program that waits for 10,000 answers stops when told to."""
    provider = make_provider_server(requests_per_minute=60)
    script = f"""
        import asyncio, time
        from langchain_openai import ChatOpenAI
        from langchain_prodkit.limits import RateLimitedAsyncChat
        model = ChatOpenAI(model="gpt-4o-mini", base_url={provider.base_url!r}, api_key="any")
        limited = RateLimitedAsyncChat(model, requests_per_minute=60)
        async def main():
            asyncio.get_running_loop().call_later(2.0, lambda: print("waiting", flush=True))
            await limited.abatch(["hi"] * 10_000)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            print("stopped", flush=True)
    """
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        # While ten thousand tasks are made, nothing else runs.
        time.sleep(1.0)
        started_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "stopped\n"
        assert time.monotonic() - started_s < 3.0
        process.communicate(timeout=10)

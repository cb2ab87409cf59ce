"""Starting, stopping, resetting: quick, complete, and never in anybody's way."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import AsyncOpenAI

from langchain_prodkit.errors import ConfigurationError, ProviderServerError
from langchain_prodkit.testing import Faults, Latency, ProviderServer, serve

if TYPE_CHECKING:
    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker
    from tests.integration_tests.provider.conftest import Post


def test_a_taken_port_is_an_error_that_names_the_way_out() -> None:
    """Another server, ours or not, keeps its port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ProviderServerError, match="port=0"), ProviderServer(port=port):
            pass


def test_a_chosen_port_can_be_taken_again_at_once(post: Post) -> None:
    """Stop and start on the same port, with a connection still open."""
    with ProviderServer() as server:
        port = server.port
        assert post(server).status_code == 200
    for _ in range(2):
        with ProviderServer(port=port) as server:
            assert server.base_url == f"http://127.0.0.1:{port}/v1"
            assert httpx.get(f"{server.url}/healthz", trust_env=False).json() == {"status": "ok"}


def test_a_stopped_server_can_start_again_from_the_beginning(post: Post) -> None:
    """Counts and script start over; while stopped there is no address."""
    server = ProviderServer(script=["one", "two"])
    for _ in range(2):
        with server:
            assert post(server).json()["choices"][0]["message"]["content"] == "one"
            assert server.statistics().requests == 1
        with pytest.raises(ProviderServerError, match="start"):
            _ = server.base_url
    with server, pytest.raises(ProviderServerError, match="already"):
        server.start()
    server.stop()


@pytest.mark.parametrize(
    "settings",
    [{"chunk_interval_s": 5.0}, {"latency_s": 30.0}, {"faults": Faults(rate=1.0, kinds=["slow"], slow_s=30)}],
)
async def test_stopping_does_not_wait_for_open_answers(settings: dict[str, Any]) -> None:
    """Streams, delays and slow faults end with the server, in a fraction of a second."""
    server = ProviderServer(**settings).start()
    async with AsyncOpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:

        async def consume() -> None:
            stream = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
            async for _ in stream:
                pass

        tasks = [asyncio.create_task(consume()) for _ in range(5)]
        while server.statistics().in_flight < 5:  # noqa: ASYNC110 - counted on another thread
            await asyncio.sleep(0.01)
        start = time.perf_counter()
        await asyncio.to_thread(server.stop)
        assert time.perf_counter() - start < 1.0
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, Exception) for result in results)


async def test_entering_leaves_the_callers_loop_running() -> None:
    """`async with` starts and stops beside other tasks; the longest pause stays small."""
    with ProviderServer():
        longest = 0.0  # what is imported only once is imported now

    async def tick() -> None:
        nonlocal longest
        while True:
            start = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - start)

    task = asyncio.create_task(tick())
    for _ in range(3):
        async with ProviderServer() as server, AsyncOpenAI(base_url=server.base_url, api_key="any") as client:
            await client.models.list()
    task.cancel()
    assert longest < 0.5
    assert not [thread for thread in threading.enumerate() if thread.name == "prodkit-provider"]


def test_reset_forgets_everything(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """Journal, counts, buckets, script, faults and latency start over."""
    server = make_provider_server(
        requests_per_minute=2,
        script=["one", "two"],
        faults=Faults(script=[None, "error_500"]),
        latency_s=Latency.constant(0),
    )
    first = [post(server).status_code for _ in range(3)]
    server.reset()
    assert server.journal == []
    assert server.statistics().requests == 0
    assert [post(server).status_code for _ in range(3)] == first == [200, 500, 429]
    assert server.journal[0].response == "one"


def test_the_journal_tells_what_was_asked_and_answered(provider_server: ProviderServer, post: Post) -> None:
    """Path, headers without credentials, parsed body, status, answer, tokens."""
    post(provider_server, "Hello", headers={"authorization": "Bearer s3cret", "x-team": "blue"})
    [entry] = provider_server.journal
    assert (entry.method, entry.path, entry.status) == ("POST", "/v1/chat/completions", 200)
    assert entry.body["messages"][0]["content"] == "Hello"
    assert entry.response == "You said: Hello"
    assert entry.headers["x-team"] == "blue"
    assert (entry.prompt_tokens, entry.completion_tokens) == (2, 4)
    assert entry.t >= 0
    assert "s3cret" not in repr(provider_server.journal)


def test_stats_over_http_equal_statistics(provider_server: ProviderServer, post: Post) -> None:
    """`/stats` gives the same counts to those outside the process."""
    post(provider_server)
    post(provider_server, stream=True)
    post(provider_server, raw=b"{")
    over_http = httpx.get(f"{provider_server.url}/stats", trust_env=False).json()
    here = provider_server.statistics().as_dict()
    assert here.pop("uptime_s") >= over_http.pop("uptime_s")
    assert over_http == here
    assert (here["requests"], here["answered"], here["invalid"], here["in_flight"]) == (3, 2, 1, 0)


def test_the_terminal_command_serves_until_told_to_stop() -> None:
    """It says where it listens, answers, and sums up at the end."""
    lines: list[str] = []
    stopped, ready = threading.Event(), threading.Event()

    def announce(line: str) -> None:
        lines.append(line)
        ready.set()

    thread = threading.Thread(
        target=serve,
        kwargs={
            "port": 0,
            "rpm": 500,
            "tpm": 30_000,
            "latency": "0.01",
            "announce": announce,
            "stopped": stopped,
        },
    )
    thread.start()
    assert ready.wait(10)
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    response = httpx.post(f"{lines[0]}/chat/completions", json=body, trust_env=False)
    assert response.headers["x-ratelimit-limit-tokens"] == "30000"
    stopped.set()
    thread.join(10)
    assert not thread.is_alive()
    assert lines[-1].startswith("1 requests: 1 answered, 0 refused")


@pytest.mark.parametrize(
    "settings",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": -1},
        {"burst_s": float("inf")},
        {"initial_fill": 2},
        {"latency_s": -0.1},
        {"chunk_chars": 0},
    ],
)
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    """A mistake is an error at the constructor."""
    with pytest.raises(ConfigurationError):
        ProviderServer(**settings)

"""The server of a shared limit is slow, gone, restarted or wrong: no call is lost, none hangs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pytest

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.limits import BucketReading, Cost, Reading, RedisLimiter
from tests.integration_tests.limits.test_redis import MakeLimiter, most_in, take, until
from tests.integration_tests.redis_server import RedisServer

ONE = Cost()


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give the warnings of outages so far."""
    return [record.message for record in caplog.records if record.levelno == logging.WARNING]


async def stalls_of_the_loop(stalls: list[float]) -> None:
    """Write down for how many seconds longer than asked each short sleep took."""
    stalls.append(0.0)
    while True:
        before_s = time.monotonic()
        await asyncio.sleep(0.01)
        stalls.append(time.monotonic() - before_s - 0.01)


async def test_a_server_killed_and_restarted_midway_costs_no_call(
    make_limiter: MakeLimiter, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Every call gets its permit; after the restart the limit holds again over both; one warning each."""
    limiters = [make_limiter(requests_per_minute=3_000, burst_s=0.1, timeout_s=0.2) for _ in range(2)]
    tasks = [asyncio.create_task(take(limiter)) for limiter in limiters for _ in range(100)]
    stalls: list[float] = []
    watch = asyncio.create_task(stalls_of_the_loop(stalls))
    await asyncio.sleep(0.5)
    await asyncio.to_thread(redis_server.kill)
    await asyncio.sleep(0.8)
    assert all(limiter.is_degraded for limiter in limiters)
    await asyncio.to_thread(redis_server.start)
    restarted_s = time.monotonic()
    times = await asyncio.wait_for(asyncio.gather(*tasks), 15.0)
    watch.cancel()
    assert len(times) == 200
    assert not any(limiter.is_degraded for limiter in limiters)
    assert len(warnings_in(caplog)) == 2
    # Permits that came due while the machine let the loop wait are all taken at its end.
    late = 50 * max(stalls)
    # Away or back, whole or in halves: fifty a second, and what was booked when the change came.
    for window_s in (0.2, 0.5, 1.0):
        assert most_in(times, window_s) <= 50 * window_s + 5 + 2 * (50 * 0.1 + 1) + 2 + late
    after = [at for at in times if at > restarted_s + 1.0]
    assert after
    assert most_in(after, 0.5) <= 25 + 5 + 3 + late


async def test_a_server_that_is_not_there_yet_is_found_later(
    make_redis_server: Callable[..., RedisServer], make_limiter: MakeLimiter, caplog: pytest.LogCaptureFixture
) -> None:
    """The first calls go at the process's own share; once there is a server, it counts them."""
    server = make_redis_server()
    server.kill()
    limiter = make_limiter(url=server.url, requests_per_minute=6_000, timeout_s=0.2)
    await asyncio.wait_for(asyncio.gather(*(take(limiter) for _ in range(20))), 3.0)
    assert limiter.is_degraded
    server.start()
    for _ in range(100):
        await take(limiter)
        if not limiter.is_degraded:
            break
        await asyncio.sleep(0.05)
    assert server.calls() > 0
    assert [message.split(":")[0] for message in warnings_in(caplog)] == ["prodkit.limiter_degraded"]


async def test_a_server_that_answers_nothing_is_not_waited_for(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """A call waits as long as `timeout_s` once, and not again; when it answers, all is as before."""
    limiter = make_limiter(requests_per_minute=6_000, timeout_s=0.2)
    await take(limiter)
    redis_server.pause()
    started_s = time.monotonic()
    await take(limiter)
    assert 0.15 <= time.monotonic() - started_s <= 0.6
    await asyncio.gather(*(take(limiter) for _ in range(50)))
    assert time.monotonic() - started_s < 3.0
    redis_server.resume()

    async def is_back() -> bool:
        await take(limiter)
        return not limiter.is_degraded

    ends_s = time.monotonic() + 8.0
    while not await is_back():
        assert time.monotonic() < ends_s
        await asyncio.sleep(0.1)


async def test_each_goes_on_with_its_part_of_the_limit(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """Four processes that cannot ask anybody use no more together than the limit."""
    limiters = [make_limiter(requests_per_minute=6_000, burst_s=0.1, timeout_s=0.2) for _ in range(4)]
    for _ in range(2):
        await asyncio.gather(*(take(limiter) for limiter in limiters))
    assert limiters[0].active_processes == 4
    await asyncio.to_thread(redis_server.kill)
    await asyncio.gather(*(take(limiter) for limiter in limiters))
    started_s = time.monotonic()
    times = await asyncio.gather(*(take(limiter) for limiter in limiters for _ in range(25)))
    assert 0.7 <= max(times) - started_s <= 2.0
    assert most_in(times, 0.5) <= 50 + 10 + 12


async def test_the_part_can_be_set(make_limiter: MakeLimiter, redis_server: RedisServer) -> None:
    """`share=0.1`: a tenth of the limit while the server is away."""
    limiter = make_limiter(requests_per_minute=6_000, burst_s=0.1, share=0.1, timeout_s=0.2)
    await take(limiter)
    await asyncio.to_thread(redis_server.kill)
    await take(limiter)
    started_s = time.monotonic()
    await asyncio.gather(*(take(limiter) for _ in range(8)))
    assert 0.6 <= time.monotonic() - started_s <= 1.6


async def test_a_refusal_holds_while_the_server_is_away_too(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """What the provider asks for outlives the server: before, during and after the outage."""
    limiter = make_limiter(requests_per_minute=6_000, timeout_s=0.2)
    held = await limiter.reserve(ONE)
    (await limiter.reserve(ONE)).refused(0.8)
    refused_s = time.monotonic()
    await asyncio.sleep(0.1)
    await asyncio.to_thread(redis_server.kill)
    assert await take(limiter) - refused_s >= 0.75
    held.refused(0.8)
    refused_s = time.monotonic()
    await asyncio.to_thread(redis_server.start)
    assert await take(limiter) - refused_s >= 0.75


async def test_what_is_read_while_the_server_is_away_counts(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """A lower limit in an answer holds at once, with nobody to share it with."""
    redis_server.kill()
    limiter = make_limiter(requests_per_minute=60_000, learn_limits=True, timeout_s=0.2)
    reading = Reading(requests=BucketReading(per_minute=600, remaining=0, reset_s=1.0))
    (await limiter.reserve(ONE)).settle(reading=reading)
    await asyncio.sleep(0.1)
    started_s = time.monotonic()
    await asyncio.gather(*(take(limiter) for _ in range(5)))
    assert time.monotonic() - started_s >= 0.35


async def test_a_lost_state_starts_empty(make_limiter: MakeLimiter, redis_server: RedisServer) -> None:
    """A server that has forgotten everything does not hand out the burst again."""
    limiter = make_limiter(requests_per_minute=600, burst_s=2.0)
    await asyncio.gather(*(take(limiter) for _ in range(20)))
    redis_server.client.flushall()
    started_s = time.monotonic()
    await asyncio.gather(*(take(limiter) for _ in range(6)))
    assert time.monotonic() - started_s >= 0.45


async def test_settling_never_waits_for_the_server(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """An event loop is not held up by a server that hangs."""
    limiter = make_limiter(tokens_per_minute=6_000_000, timeout_s=0.5)
    leases = [await limiter.reserve(Cost(tokens=10)) for _ in range(100)]
    redis_server.pause()
    started_s = time.monotonic()
    for lease in leases:
        lease.settle(5)
    assert time.monotonic() - started_s < 0.05
    redis_server.resume()


async def test_a_server_that_wants_a_password_says_so(
    make_redis_server: Callable[..., RedisServer], make_limiter: MakeLimiter
) -> None:
    """Without it, or with a wrong one, the first call is told; no part of the url is repeated."""
    server = make_redis_server()
    server.client.config_set("requirepass", "secret-of-the-house")
    wrong = server.url.replace("redis://", "redis://:not-the-secret@")
    for url in (server.url, wrong):
        limiter = make_limiter(url=url, requests_per_minute=60)
        with pytest.raises(ConfigurationError, match="password") as caught:
            await take(limiter)
        with pytest.raises(ConfigurationError, match="password"):
            await asyncio.to_thread(limiter.reserve_sync, ONE)
        assert "not-the-secret" not in str(caught.value)
        assert caught.value.__cause__ is None
    right = server.url.replace("redis://", "redis://:secret-of-the-house@")
    await asyncio.wait_for(take(make_limiter(url=right, requests_per_minute=60)), 2.0)


async def test_a_server_of_something_else_says_so(make_limiter: MakeLimiter) -> None:
    """What answers in another language is no redis server."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    limiter = make_limiter(url=f"redis://127.0.0.1:{port}", requests_per_minute=60)
    with pytest.raises(ConfigurationError, match="no redis server"):
        await take(limiter)
    server.close()
    await server.wait_closed()


async def test_no_log_holds_the_password(
    make_redis_server: Callable[..., RedisServer], make_limiter: MakeLimiter, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even while the server is away."""
    caplog.set_level(logging.DEBUG)
    server = make_redis_server()
    server.kill()
    url = server.url.replace("redis://", "redis://someone:hunter2@")
    limiter = make_limiter(url=url, requests_per_minute=6_000, timeout_s=0.2)
    await take(limiter)
    assert limiter.is_degraded
    assert "hunter2" not in caplog.text + repr(limiter) + str(limiter) + repr(limiter.statistics())
    assert warnings_in(caplog)


def test_a_limiter_can_be_closed_while_its_server_is_away(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """Closing waits for nobody."""
    limiter: RedisLimiter = make_limiter(requests_per_minute=600, timeout_s=0.2)
    limiter.reserve_sync(ONE).settle()
    redis_server.pause()
    started_s = time.monotonic()
    limiter.close()
    assert time.monotonic() - started_s < 1.0
    redis_server.resume()
    until(lambda: limiter.statistics().waiting == 0)

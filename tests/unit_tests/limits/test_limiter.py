"""Waiting for permits, from threads and event loops at once."""

from __future__ import annotations

import asyncio
import copy
import gc
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.load import dumps, loads

from langchain_prodkit.errors import ConfigurationError, LimitTimeoutError, RequestTooLargeError
from langchain_prodkit.limits import Cost, LocalLimiter, RateLimiter

ONE = Cost()


def dispatchers() -> int:
    """Count the threads that keep time."""
    return sum(thread.name == "prodkit-limiter" for thread in threading.enumerate())


def test_the_local_limiter_keeps_the_contract() -> None:
    """It is a `RateLimiter`."""
    assert isinstance(LocalLimiter(), RateLimiter)


@pytest.mark.parametrize("name", ["requests_per_minute", "tokens_per_minute", "max_concurrency", "burst_s"])
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "many"])
def test_numbers_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    """Zero, negative, endless or no number at all: told at construction, by name."""
    with pytest.raises(ConfigurationError, match=name):
        LocalLimiter(**{name: value})


@pytest.mark.parametrize("value", [-0.1, 1.0, math.nan])
def test_headroom_is_a_share(value: float) -> None:
    """All of the limit, or more, cannot be left unused."""
    with pytest.raises(ConfigurationError, match="headroom"):
        LocalLimiter(headroom=value)


async def test_permits_come_at_the_rate() -> None:
    """Sixty permits at fifty a second take as long as they must, and hardly longer."""
    limiter = LocalLimiter(requests_per_minute=3_000, burst_s=0.2)
    started_s = time.monotonic()
    leases = await asyncio.gather(*(limiter.reserve(ONE) for _ in range(60)))
    took_s = time.monotonic() - started_s
    assert 0.95 <= took_s <= 1.3
    assert limiter.statistics().in_flight == 60
    for lease in leases:
        lease.settle()
    statistics = limiter.statistics()
    assert (statistics.in_flight, statistics.waiting, statistics.granted) == (0, 0, 60)


def test_threads_and_several_event_loops_share_one_line() -> None:
    """Permits asked for from everywhere come at one rate, and one thread keeps the time."""
    limiter = LocalLimiter(requests_per_minute=6_000, burst_s=0.1)
    before = dispatchers()
    most = 0

    async def many() -> None:
        for lease in await asyncio.gather(*(limiter.reserve(ONE) for _ in range(20))):
            lease.settle()

    def one() -> None:
        nonlocal most
        limiter.reserve_sync(ONE).settle()
        most = max(most, dispatchers())

    started_s = time.monotonic()
    with ThreadPoolExecutor(24) as pool:
        jobs = [pool.submit(asyncio.run, many()) for _ in range(3)]
        jobs += [pool.submit(one) for _ in range(40)]
        for job in jobs:
            job.result(timeout=20)
    assert 0.85 <= time.monotonic() - started_s <= 1.6
    assert limiter.statistics().granted == 100
    # A thread of an earlier test may still be there at first.
    assert 1 <= most <= before + 1


async def test_cancelled_waiters_leave_no_trace() -> None:
    """Five hundred cancelled at once: nobody is left in line and nobody took anything."""
    limiter = LocalLimiter(requests_per_minute=60, burst_s=1.0)
    lease = await limiter.reserve(ONE)
    waiters = [asyncio.create_task(limiter.reserve(ONE)) for _ in range(500)]
    await asyncio.sleep(0.01)
    assert limiter.statistics().waiting == 500
    for waiter in waiters:
        waiter.cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    lease.settle()
    statistics = limiter.statistics()
    assert (statistics.waiting, statistics.in_flight, statistics.granted) == (0, 0, 1)


async def test_a_permit_granted_to_a_waiter_cancelled_meanwhile_comes_back() -> None:
    """Between the grant and the waking there is a moment in which a task can be cancelled."""
    limiter = LocalLimiter(max_concurrency=1)
    first = await limiter.reserve(ONE)
    second = asyncio.create_task(limiter.reserve(ONE))
    await asyncio.sleep(0.01)
    first.settle()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    third = await asyncio.wait_for(limiter.reserve(ONE), 2.0)
    third.settle()


def test_a_loop_closed_while_waiting_does_not_keep_its_place() -> None:
    """Waiters of a closed event loop are passed over, not waited for."""
    limiter = LocalLimiter(max_concurrency=1)
    lease = limiter.reserve_sync(ONE)
    loop = asyncio.new_event_loop()
    waiter = loop.create_task(limiter.reserve(ONE))
    loop.run_until_complete(asyncio.sleep(0.01))
    assert limiter.statistics().waiting == 1
    loop.close()
    lease.settle()
    limiter.reserve_sync(ONE, timeout_s=2.0).settle()
    waiter._log_destroy_pending = False  # type: ignore[attr-defined]
    del waiter
    gc.collect()
    assert limiter.statistics().in_flight == 0


def test_one_limiter_serves_event_loops_one_after_another() -> None:
    """`asyncio.run` twice: nothing is tied to the first loop."""
    limiter = LocalLimiter(requests_per_minute=6_000, burst_s=0.05)

    async def many() -> None:
        for lease in await asyncio.gather(*(limiter.reserve(ONE) for _ in range(20))):
            lease.settle()

    asyncio.run(many())
    asyncio.run(many())
    assert limiter.statistics().granted == 40


async def test_concurrency_is_bounded() -> None:
    """Never more calls under way than allowed, and each that ends lets the next one go."""
    limiter = LocalLimiter(max_concurrency=3)
    most = under_way = 0

    async def one() -> None:
        nonlocal most, under_way
        lease = await limiter.reserve(ONE)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        lease.settle()

    await asyncio.gather(*(one() for _ in range(50)))
    assert most == 3


async def test_a_timeout_is_an_error_of_its_own() -> None:
    """Async and sync: `LimitTimeoutError`, after the time given, which is a `TimeoutError` too."""
    limiter = LocalLimiter(requests_per_minute=1)
    await limiter.reserve(ONE)
    started_s = time.monotonic()
    with pytest.raises(LimitTimeoutError):
        await limiter.reserve(ONE, timeout_s=0.1)
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(limiter.reserve_sync, ONE, timeout_s=0.1)
    assert 0.2 <= time.monotonic() - started_s <= 0.8
    assert limiter.statistics().waiting == 0


async def test_oversize_fails_at_once_from_both_sides() -> None:
    """No waiting for what never comes."""
    limiter = LocalLimiter(tokens_per_minute=100)
    with pytest.raises(RequestTooLargeError):
        await limiter.reserve(Cost(tokens=101))
    with pytest.raises(RequestTooLargeError):
        limiter.reserve_sync(Cost(tokens=101))


async def test_a_refusal_holds_everybody() -> None:
    """After `refused` nobody gets a permit before the time is over."""
    limiter = LocalLimiter(requests_per_minute=60_000)
    (await limiter.reserve(ONE)).refused(0.3)
    assert 0.2 < limiter.statistics().held_s <= 0.3
    started_s = time.monotonic()
    await asyncio.gather(*(limiter.reserve(ONE) for _ in range(5)))
    assert 0.28 <= time.monotonic() - started_s <= 0.7


def test_copies_are_built_from_the_configuration() -> None:
    """Deep copies and pickles have the same numbers and full buckets, and share nothing."""
    limiter = LocalLimiter(requests_per_minute=60, tokens_per_minute=600, max_concurrency=2, headroom=0.1)
    limiter.reserve_sync(ONE)
    for twin in (copy.deepcopy(limiter), pickle.loads(pickle.dumps(limiter))):  # noqa: S301
        assert twin.model_dump() == limiter.model_dump()
        assert twin is not limiter
        assert twin.statistics().in_flight == 0
        assert twin.statistics().requests_level == 1.0


def test_a_limiter_survives_dumps_and_loads() -> None:
    """Its arguments are written as JSON and read back."""
    limiter = LocalLimiter(requests_per_minute=60, headroom=0.1)
    twin = loads(dumps(limiter), allowed_objects=[LocalLimiter], valid_namespaces=["langchain_prodkit"])
    assert twin.model_dump() == limiter.model_dump()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_counts_on_its_own_and_does_not_hang() -> None:
    """The timer thread stays with the parent; the child starts afresh."""
    script = """
        import os, sys
        from langchain_prodkit.limits import Cost, LocalLimiter
        limiter = LocalLimiter(requests_per_minute=1200, burst_s=0.05)
        for _ in range(3):
            limiter.reserve_sync(Cost())
        if (child := os.fork()) == 0:
            for _ in range(3):
                limiter.reserve_sync(Cost()).settle()
            os._exit(limiter.statistics().granted)
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    done = subprocess.run(  # noqa: S603 - our own script
        [sys.executable, "-c", textwrap.dedent(script)], timeout=30, check=False
    )
    assert done.returncode == 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot interrupt a waiting thread")
def test_ctrl_c_ends_a_synchronous_wait() -> None:
    """A wait of a minute is over at once when the user presses Ctrl-C."""
    script = """
        from langchain_prodkit.limits import Cost, LocalLimiter
        limiter = LocalLimiter(requests_per_minute=1)
        limiter.reserve_sync(Cost())
        print("waiting", flush=True)
        try:
            limiter.reserve_sync(Cost())
        except KeyboardInterrupt:
            print(limiter.statistics().waiting, flush=True)
    """
    with subprocess.Popen(  # noqa: S603 - our own script
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=5)
    assert output == "0\n"


def test_importing_the_room_loads_no_provider_client() -> None:
    """`langchain_prodkit.limits` and its limiter need neither openai nor httpx."""
    script = (
        "import sys, langchain_prodkit.limits;"
        "assert not {'openai', 'httpx', 'httpx2', 'langchain_core'} & set(sys.modules);"
        "from langchain_prodkit.limits import RateLimitedAsyncChat;"
        "assert not {'openai', 'langchain_openai'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)  # noqa: S603

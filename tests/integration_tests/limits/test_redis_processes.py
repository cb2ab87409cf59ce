"""The shared limit in real processes: many of them, forked, interrupted, ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from langchain_prodkit.limits import Cost, RedisLimiter
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker
from tests.integration_tests.limits.test_redis import MakeLimiter, most_in, take
from tests.integration_tests.redis_server import RedisServer

ONE = Cost()


@contextmanager
def python(code: str, *args: str) -> Iterator[subprocess.Popen[str]]:
    """Run code in an interpreter of its own."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", textwrap.dedent(code), *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


THREADS = """
    import json, sys, time, random
    from concurrent.futures import ThreadPoolExecutor
    from langchain_prodkit.limits import Cost, RedisLimiter

    limiter = RedisLimiter(
        sys.argv[1], "processes", requests_per_minute=6_000, tokens_per_minute=600_000, burst_s=0.2,
        learn_limits=False,
    )
    source = random.Random(int(sys.argv[2]))

    def one(tokens):
        lease = limiter.reserve_sync(Cost(tokens=tokens))
        at = time.monotonic()
        time.sleep(0.002)
        lease.settle(tokens)
        return at, tokens

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(8) as pool:
        print(json.dumps(list(pool.map(one, [source.randint(10, 150) for _ in range(60)]))), flush=True)
"""


def test_four_processes_of_eight_threads_keep_to_one_limit(redis_server: RedisServer) -> None:
    """No window over all of them holds more than its rate and the burst; and none loses a permit."""
    runs = [python(THREADS, redis_server.url, str(seed)) for seed in range(4)]
    processes = [run.__enter__() for run in runs]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    started_s = time.monotonic()
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    rows = [json.loads(process.stdout.readline()) for process in processes if process.stdout is not None]
    took_s = time.monotonic() - started_s
    for run in runs:
        run.__exit__(None, None, None)
    taken = sorted((at, tokens) for row in rows for at, tokens in row)
    assert len(taken) == 240
    for window_s in (0.1, 0.5, 1.0):
        # 0.05 s is how late a permit may be used; the clock of all processes is the same.
        assert most_in([at for at, _ in taken], window_s) <= 100 * (window_s + 0.05) + 20
        for start_s, _ in taken:
            inside = sum(tokens for at, tokens in taken if start_s <= at < start_s + window_s)
            assert inside <= 10_000 * (window_s + 0.05) + 2_000
    assert took_s <= 4.0
    assert redis_server.client.zcard("prodkit:limit:{processes}:processes") == 4


CALLS = """
    import asyncio, sys
    from langchain_openai import ChatOpenAI
    from langchain_prodkit.limits import RateLimitedAsyncChat, RedisLimiter

    limiter = RedisLimiter(sys.argv[1], "provider", requests_per_minute=600)
    chat = ChatOpenAI(model="gpt-4o-mini", base_url=sys.argv[2], api_key="any")
    model = RateLimitedAsyncChat(chat, limiter=limiter)
    print("ready", flush=True)
    sys.stdin.readline()
    answers = asyncio.run(model.abatch([f"question {number}" for number in range(int(sys.argv[3]))]))
    print(len({answer.content for answer in answers}), flush=True)
"""


@pytest.mark.slow
def test_two_processes_call_one_provider_at_its_speed(
    redis_server: RedisServer, make_provider_server: ProviderServerMaker
) -> None:
    """Sixty calls at ten a second, most of them in one process: all answered, next to none refused."""
    provider = make_provider_server(requests_per_minute=600, burst_s=1.0, latency_s=0.1)
    with (
        python(CALLS, redis_server.url, provider.base_url, "48") as first,
        python(CALLS, redis_server.url, provider.base_url, "12") as second,
    ):
        for process in (first, second):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        started_s = time.monotonic()
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answered = [process.stdout.readline() for process in (first, second) if process.stdout is not None]
    assert answered == ["48\n", "12\n"]
    assert time.monotonic() - started_s <= 5.1 * 2
    assert provider.statistics().refused <= 12


def test_one_instance_serves_loop_after_loop(make_limiter: MakeLimiter) -> None:
    """`asyncio.run` twice, with the same limiter."""
    limiter = make_limiter(requests_per_minute=60_000)

    async def many() -> int:
        return len(await asyncio.gather(*(take(limiter) for _ in range(20))))

    assert [asyncio.run(many()) for _ in range(3)] == [20, 20, 20]


def test_a_loop_closed_while_waiting_takes_nothing_along(make_limiter: MakeLimiter) -> None:
    """Waiters of a loop that is gone are passed over, and what they had booked comes back."""
    limiter = make_limiter(requests_per_minute=600, burst_s=0.1)
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(limiter.reserve(ONE)) for _ in range(5)]
    loop.run_until_complete(asyncio.sleep(0.15))
    # As an interpreter that is torn down leaves them: neither cancelled nor awaited.
    loop.close()
    for task in tasks:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
    time.sleep(0.4)
    started_s = time.monotonic()
    limiter.reserve_sync(ONE).settle()
    assert time.monotonic() - started_s < 0.6 + _slowness_s()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_takes_part_in_the_limit(redis_server: RedisServer) -> None:
    """The child gets permits of its own, from the same limit, and leaves the parent's alone."""
    code = """
        import os, sys, time
        from langchain_prodkit.limits import Cost, RedisLimiter

        limiter = RedisLimiter(
            sys.argv[1], "forked", requests_per_minute=600, burst_s=0.1, learn_limits=False
        )
        lease = limiter.reserve_sync(Cost())
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            lease.cancel()
            for _ in range(5):
                limiter.reserve_sync(Cost()).settle()
            os._exit(0 if limiter.statistics().granted == 5 else 1)
        for _ in range(5):
            limiter.reserve_sync(Cost()).settle()
        status = os.waitpid(child, 0)[1]
        lease.settle()
        print(status, limiter.statistics().in_flight, 0.8 <= time.monotonic() - started <= 1.6)
    """
    with python(code, redis_server.url) as process:
        out, err = process.communicate(timeout=20)
    assert out == "0 0 True\n", err


def test_ten_thousand_waiters_give_way_to_ctrl_c(redis_server: RedisServer) -> None:
    """The program ends in under a second, its waiters with it."""
    code = """
        import asyncio, sys, time
        from langchain_prodkit.limits import Cost, RedisLimiter

        limiter = RedisLimiter(sys.argv[1], "many", requests_per_minute=60)

        async def main():
            tasks = [asyncio.create_task(limiter.reserve(Cost())) for _ in range(10_000)]
            await asyncio.sleep(0.5)
            print("waiting", flush=True)
            await asyncio.gather(*tasks)

        asyncio.run(main())
    """
    with python(code, redis_server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        started_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) != 0
        assert time.monotonic() - started_s < 1.0 + _slowness_s()


def test_ctrl_c_ends_a_synchronous_wait(redis_server: RedisServer) -> None:
    """A thread that waits for its permit can be interrupted."""
    code = """
        import sys
        from langchain_prodkit.limits import Cost, RedisLimiter

        limiter = RedisLimiter(sys.argv[1], "one", requests_per_minute=1)
        limiter.reserve_sync(Cost()).settle()
        print("waiting", flush=True)
        try:
            limiter.reserve_sync(Cost())
        except KeyboardInterrupt:
            print("interrupted", limiter.statistics().waiting, flush=True)
    """
    with python(code, redis_server.url) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted 0\n"
        assert process.wait(timeout=10) == 0


@pytest.mark.parametrize("way", ["idle", "waiting", "away"])
def test_a_program_ends_without_being_told_to(redis_server: RedisServer, way: str) -> None:
    """Neither the thread, nor others that wait, nor a server that is away keep an interpreter alive."""
    code = """
        import sys, threading, time
        from langchain_prodkit.limits import Cost, RedisLimiter

        limiter = RedisLimiter(sys.argv[1], "ends", requests_per_minute=1)
        limiter.reserve_sync(Cost()).settle()
        if sys.argv[2] != "idle":
            threading.Thread(target=limiter.reserve_sync, args=(Cost(),), daemon=True).start()
            time.sleep(0.1)
        print("ending", flush=True)
        sys.stdin.readline()
    """
    with python(code, redis_server.url, way) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ending\n"
        if way == "away":
            redis_server.pause()
        started_s = time.monotonic()
        _, err = process.communicate("end\n", timeout=20)
        assert process.returncode == 0, err
        assert time.monotonic() - started_s < 1.0 + _slowness_s()
        assert err == ""


def test_a_crashed_process_costs_the_others_a_moment(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """What it had booked is lost; nothing more, and nobody has to clean up."""
    code = """
        import asyncio, os, signal, sys
        from langchain_prodkit.limits import Cost, RedisLimiter

        limiter = RedisLimiter(
            sys.argv[1], "tests", requests_per_minute=3_000, burst_s=0.1, learn_limits=False
        )

        async def main():
            tasks = [asyncio.create_task(limiter.reserve(Cost())) for _ in range(1_000)]
            await asyncio.sleep(0.5)
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
    """
    limiter: RedisLimiter = make_limiter(requests_per_minute=3_000, burst_s=0.1)
    with python(code, redis_server.url) as process:
        assert process.wait(timeout=20) == -signal.SIGKILL
    started_s = time.monotonic()
    for _ in range(10):
        limiter.reserve_sync(ONE).settle()
    assert time.monotonic() - started_s <= 0.6 + _slowness_s()


def _slowness_s() -> float:
    """Say how much longer things take when the machine is busy with other things."""
    return max(0.0, os.getloadavg()[0] / (os.cpu_count() or 1) - 1.0)

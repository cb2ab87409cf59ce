"""One limit for many processes, on a real server."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis as redis_client
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_prodkit.errors import LimitConflictError, LimitError, LimitTimeoutError, RequestTooLargeError
from langchain_prodkit.limits import BucketReading, Cost, RateLimiter, Reading, RedisLimiter
from tests.integration_tests.redis_server import RedisServer

ONE = Cost()
MakeLimiter = Callable[..., RedisLimiter]


def most_in(times: Sequence[float], window_s: float) -> int:
    """Count the permits in the fullest window of this length."""
    ordered = sorted(times)
    return max(sum(at <= other < at + window_s for other in ordered) for at in ordered)


def until(is_so: Callable[[], bool], *, within_s: float = 2.0) -> None:
    """Wait until something is so."""
    ends_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < ends_s
        time.sleep(0.01)


async def take(limiter: RedisLimiter, cost: Cost = ONE, **how: float) -> float:
    """Take a permit, settle it and say when it came."""
    lease = await limiter.reserve(cost, **how)  # type: ignore[arg-type]
    came_s = time.monotonic()
    lease.settle()
    return came_s


def test_it_keeps_the_contract(make_limiter: MakeLimiter) -> None:
    """It is a `RateLimiter`."""
    assert isinstance(make_limiter(), RateLimiter)


async def test_all_that_share_a_key_share_one_rate(make_limiter: MakeLimiter) -> None:
    """Three with eighty calls each: no window of any length holds more than its rate and the burst."""
    limiters = [make_limiter(requests_per_minute=6_000, burst_s=0.1) for _ in range(3)]
    started_s = time.monotonic()
    times = await asyncio.gather(*(take(limiter) for limiter in limiters for _ in range(80)))
    took_s = max(times) - started_s
    assert 2.25 <= took_s <= 2.8
    for window_s in (0.05, 0.2, 0.5, 1.0, 2.0):
        # One more than the arithmetic: a window's edge may fall between two clocks.
        assert most_in(times, window_s) <= 100 * window_s + 10 + 0.05 * 100 + 1


async def test_another_key_is_another_limit(make_limiter: MakeLimiter) -> None:
    """Limits of other keys, even on the same server, take nothing from each other."""
    first = make_limiter(requests_per_minute=60, key="first")
    second = make_limiter(requests_per_minute=60, key="second")
    started_s = time.monotonic()
    await asyncio.gather(take(first), take(second))
    assert time.monotonic() - started_s < 0.5


async def test_requests_and_tokens_are_taken_together(make_limiter: MakeLimiter) -> None:
    """A call that has to wait for tokens holds no request back meanwhile, and none is lost."""
    limiters = [make_limiter(requests_per_minute=60_000, tokens_per_minute=60_000) for _ in range(2)]
    started_s = time.monotonic()
    await asyncio.gather(*(take(limiter, Cost(tokens=250)) for limiter in limiters for _ in range(5)))
    assert 1.9 <= time.monotonic() - started_s <= 2.4


async def test_a_large_request_is_not_overtaken_for_ever(make_limiter: MakeLimiter) -> None:
    """While a large one waits here, small ones there cannot take what it needs."""
    here, there = (make_limiter(tokens_per_minute=60_000, burst_s=0.1) for _ in range(2))
    is_over = False

    async def small() -> None:
        while not is_over:
            await take(there, Cost(tokens=100))

    others = [asyncio.create_task(small()) for _ in range(20)]
    await asyncio.sleep(0.3)
    started_s = time.monotonic()
    await take(here, Cost(tokens=1_000))
    took_s = time.monotonic() - started_s
    is_over = True
    await asyncio.gather(*others)
    assert 0.5 <= took_s <= 1.8


async def test_none_starves_beside_a_crowd(make_limiter: MakeLimiter) -> None:
    """A process with few calls gets its turn between those of one with many."""
    crowd, few = (make_limiter(requests_per_minute=3_000, burst_s=0.1) for _ in range(2))
    crowded = [asyncio.create_task(take(crowd)) for _ in range(100)]
    await asyncio.sleep(0.1)
    times = await asyncio.gather(*(take(few) for _ in range(20)))
    assert sum(task.done() for task in crowded) < 80
    last = max(await asyncio.gather(*crowded))
    assert max(times) < last - 0.3


async def test_turns_come_in_order_and_by_priority(make_limiter: MakeLimiter) -> None:
    """Within one process: the higher priority first, equal ones as they came."""
    limiter = make_limiter(requests_per_minute=1_200, burst_s=0.05)
    order: list[tuple[int, int]] = []

    async def one(priority: int, number: int) -> None:
        lease = await limiter.reserve(ONE, priority=priority)
        order.append((priority, number))
        lease.settle()

    await take(limiter)
    tasks = []
    for number, priority in itertools.product(range(6), (0, 1)):
        tasks.append(asyncio.create_task(one(priority, number)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    ones = [number for priority, number in order if priority == 1]
    assert ones == sorted(ones)
    assert [number for priority, number in order if priority == 0] == list(range(6))
    # At most those whose turn was booked already go before.
    assert [priority for priority, _ in order].index(1) <= 4
    assert sum(position for position, (priority, _) in enumerate(order) if priority == 1) < 36


def test_threads_and_loops_share_one_line_and_one_thread(make_limiter: MakeLimiter) -> None:
    """Permits asked for from everywhere come at one rate; one thread talks to the server."""
    limiter = make_limiter(requests_per_minute=6_000, burst_s=0.1)
    started_s = time.monotonic()

    async def many() -> None:
        await asyncio.gather(*(take(limiter) for _ in range(20)))

    with ThreadPoolExecutor(12) as pool:
        runs = [pool.submit(asyncio.run, many()) for _ in range(2)]
        singles = [pool.submit(lambda: limiter.reserve_sync(ONE).settle()) for _ in range(60)]
        for future in (*runs, *singles):
            future.result(timeout=10)
        assert sum(thread.name == "prodkit-redis-limiter" for thread in threading.enumerate()) == 1
    assert 0.85 <= time.monotonic() - started_s <= 1.6
    assert limiter.statistics().granted == 100


async def test_five_hundred_cancelled_waiters_leave_no_trace(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """Nobody waits, nothing is under way, and what had been booked for them is back."""
    limiter = make_limiter(requests_per_minute=600, tokens_per_minute=60_000)
    tasks = [asyncio.create_task(limiter.reserve(Cost(tokens=100))) for _ in range(500)]
    await asyncio.sleep(0.3)
    waiting = [task for task in tasks if not task.done()]
    for task in waiting:
        task.cancel()
    leases = await asyncio.gather(*tasks, return_exceptions=True)
    held = [lease for lease in leases if not isinstance(lease, BaseException)]
    for lease in held:
        lease.cancel()
    await asyncio.sleep(0.1)
    statistics = limiter.statistics()
    assert (statistics.waiting, statistics.in_flight, statistics.granted) == (0, 0, 0)
    assert len(held) + len(waiting) == 500
    stored = redis_server.client.hgetall("prodkit:limit:{tests}")
    assert float(stored[b"requests_taken"]) == float(stored[b"requests_back"])
    assert float(stored[b"requests_level"]) >= 4.9


async def test_no_permit_is_lost_whatever_callers_do(make_limiter: MakeLimiter) -> None:
    """Waits cut short, calls cancelled and settled at random: after them the rate is what it was."""
    limiters = [make_limiter(requests_per_minute=12_000, burst_s=0.05) for _ in range(2)]

    async def restless(limiter: RedisLimiter, number: int) -> None:
        try:
            async with asyncio.timeout(0.002 * (number % 60)):
                lease = await limiter.reserve(ONE)
        except TimeoutError:
            return
        lease.cancel() if number % 3 else lease.settle()

    await asyncio.gather(*(restless(limiters[number % 2], number) for number in range(300)))
    await asyncio.sleep(0.2)
    assert [limiter.statistics().waiting for limiter in limiters] == [0, 0]
    started_s = time.monotonic()
    await asyncio.gather(*(take(limiter) for limiter in limiters for _ in range(50)))
    assert time.monotonic() - started_s <= 0.9


async def test_what_was_not_used_goes_to_whoever_waits(make_limiter: MakeLimiter) -> None:
    """One reserves more than it uses: the difference lets the other go sooner."""
    here, there = (make_limiter(tokens_per_minute=60_000, burst_s=1.0) for _ in range(2))
    lease = await here.reserve(Cost(tokens=2_000))
    waiting = asyncio.create_task(take(there, Cost(tokens=500)))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    started_s = time.monotonic()
    lease.settle(100)
    assert await waiting - started_s < 0.3


async def test_what_was_used_beyond_is_owed_by_all(make_limiter: MakeLimiter) -> None:
    """One uses more than it reserved: the other waits until it is paid."""
    here, there = (make_limiter(tokens_per_minute=60_000, burst_s=1.0) for _ in range(2))
    (await here.reserve(Cost(tokens=100))).settle(2_000)
    await asyncio.sleep(0.1)
    started_s = time.monotonic()
    assert 0.6 <= await take(there, Cost(tokens=100)) - started_s <= 1.3


async def test_a_refusal_holds_the_waiters_of_all(make_limiter: MakeLimiter) -> None:
    """Nobody goes before the provider's `retry-after` is over, and then not as a herd."""
    here, there = (make_limiter(requests_per_minute=1_200, burst_s=0.5) for _ in range(2))
    await asyncio.gather(take(there), take(here))
    lease = await here.reserve(ONE)
    times = [asyncio.create_task(take(limiter)) for limiter in (here, there) for _ in range(15)]
    await asyncio.sleep(0.15)
    refused_s = time.monotonic()
    lease.refused(1.0)
    came = await asyncio.gather(*times)
    # What is on its way when the refusal arrives cannot be called back.
    assert not [at for at in came if refused_s + 0.15 < at < refused_s + 0.95]
    assert most_in([at for at in came if at > refused_s + 0.9], 0.2) <= 20 * 0.2 + 3
    assert max(came) - refused_s < 3.0
    assert here.statistics().refusals == 1


async def test_a_refusal_that_says_nothing_slows_all_down_for_a_while(make_limiter: MakeLimiter) -> None:
    """Half the pace at first; then it recovers."""
    here, there = (make_limiter(requests_per_minute=6_000, burst_s=0.1, learn_limits=True) for _ in range(2))
    await take(there)
    (await here.reserve(ONE)).refused(None)
    await asyncio.sleep(0.05)
    started_s = time.monotonic()
    await asyncio.gather(*(take(there) for _ in range(25)))
    assert time.monotonic() - started_s > 0.35
    assert (there.statistics().requests_per_minute or 0) < 5_000
    assert there.statistics().is_learned


async def test_what_one_reads_of_the_limits_holds_for_all(make_limiter: MakeLimiter) -> None:
    """A lower limit in one process's answer is the limit of the others from then on."""
    here, there = (make_limiter(requests_per_minute=60_000, learn_limits=True) for _ in range(2))
    await take(there)
    reading = Reading(requests=BucketReading(per_minute=600, remaining=0, reset_s=1.0))
    (await here.reserve(ONE)).settle(reading=reading)
    await asyncio.sleep(0.1)
    started_s = time.monotonic()
    await asyncio.gather(*(take(there) for _ in range(8)))
    assert 0.5 <= time.monotonic() - started_s <= 1.2
    assert there.statistics().requests_per_minute == pytest.approx(600)


async def test_a_reading_never_lifts_the_limit_that_was_told(make_limiter: MakeLimiter) -> None:
    """A provider that allows more than the user wants to spend changes nothing."""
    limiter = make_limiter(requests_per_minute=600, learn_limits=True)
    reading = Reading(requests=BucketReading(per_minute=60_000, remaining=59_000, reset_s=1.0))
    (await limiter.reserve(ONE)).settle(reading=reading)
    await asyncio.sleep(0.1)
    started_s = time.monotonic()
    await asyncio.gather(*(take(limiter) for _ in range(10)))
    assert time.monotonic() - started_s >= 0.7


async def test_limits_nobody_told_are_found(make_limiter: MakeLimiter) -> None:
    """One call goes first; what its answer says is the limit."""
    limiter = make_limiter(learn_limits=True)
    first = await limiter.reserve(ONE)
    others = [asyncio.create_task(limiter.reserve(ONE)) for _ in range(10)]
    await asyncio.sleep(0.2)
    assert not any(task.done() for task in others)
    first.settle(reading=Reading(requests=BucketReading(per_minute=600, remaining=3, reset_s=0.1)))
    started_s = time.monotonic()
    for lease in await asyncio.gather(*others):
        lease.settle()
    assert 0.5 <= time.monotonic() - started_s <= 1.3


@pytest.mark.parametrize(
    "other",
    [
        {"requests_per_minute": 1_200},
        {"requests_per_minute": 600, "tokens_per_minute": 10},
        {"requests_per_minute": 600, "headroom": 0.1},
        {"requests_per_minute": 600, "burst_s": 2.0},
        {},
    ],
)
async def test_two_limits_under_one_key_are_told_apart(
    make_limiter: MakeLimiter, other: dict[str, float]
) -> None:
    """The first call of the second says which numbers the key holds and what to do; the first goes on."""
    first, second = make_limiter(requests_per_minute=600), make_limiter(**other)
    await take(first)
    with pytest.raises(LimitConflictError, match=r"requests_per_minute=600.*key of its own"):
        await take(second)
    with pytest.raises(LimitConflictError):
        second.reserve_sync(ONE)
    await take(first)


async def test_what_never_fits_is_said_at_once(make_limiter: MakeLimiter) -> None:
    """A request above a minute's tokens fails, and takes nothing."""
    limiter = make_limiter(tokens_per_minute=1_000)
    with pytest.raises(RequestTooLargeError):
        await limiter.reserve(Cost(tokens=1_001))
    with pytest.raises(RequestTooLargeError):
        limiter.reserve_sync(Cost(tokens=5_000))


async def test_a_caller_may_set_a_deadline(make_limiter: MakeLimiter) -> None:
    """When its time is over it is told so, and what it had booked is back."""
    limiter = make_limiter(requests_per_minute=60)
    await take(limiter)
    started_s = time.monotonic()
    with pytest.raises(LimitTimeoutError):
        await limiter.reserve(ONE, timeout_s=0.2)
    with pytest.raises(LimitTimeoutError):
        await asyncio.to_thread(limiter.reserve_sync, ONE, timeout_s=0.0)
    assert time.monotonic() - started_s < 0.6
    await take(limiter)
    assert time.monotonic() - started_s < 1.4


async def test_calls_under_way_are_counted_in_each_process(make_limiter: MakeLimiter) -> None:
    """`max_concurrency` holds here, and does not count what others do."""
    here, there = (make_limiter(max_concurrency=2) for _ in range(2))
    leases = [await here.reserve(ONE) for _ in range(2)]
    with pytest.raises(LimitTimeoutError):
        await here.reserve(ONE, timeout_s=0.1)
    await take(there)
    leases[0].settle()
    await asyncio.wait_for(take(here), 1.0)


async def test_a_busy_event_loop_does_not_save_up_a_herd(make_limiter: MakeLimiter) -> None:
    """Permits that came while the loop was busy go out at the rate, not all at once after it."""
    limiter = make_limiter(requests_per_minute=3_000, burst_s=0.1)
    tasks = [asyncio.create_task(take(limiter)) for _ in range(60)]
    await asyncio.sleep(0.1)
    time.sleep(0.6)  # noqa: ASYNC251 - a loop that is held up is the point
    times = await asyncio.gather(*tasks)
    # All at once would be thirty and more.
    assert most_in(times, 0.1) <= 20


async def test_closing_tells_those_in_line_and_opens_again(make_limiter: MakeLimiter) -> None:
    """After `close` nobody waits for ever, the thread is gone, and the next call works."""
    limiter = make_limiter(requests_per_minute=60)
    await take(limiter)
    waiting = asyncio.create_task(limiter.reserve(ONE))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(limiter.close)
    with pytest.raises(LimitError, match="closed"):
        await waiting
    assert not [thread for thread in threading.enumerate() if thread.name == "prodkit-redis-limiter"]
    await asyncio.wait_for(take(limiter), 3.0)


def test_a_lost_limiter_takes_its_thread_along(make_limiter: MakeLimiter, redis_server: RedisServer) -> None:
    """Nothing of a limiter stays when nobody holds it."""
    limiter = RedisLimiter(redis_server.url, "lost", requests_per_minute=600)
    limiter.reserve_sync(ONE).settle()
    del limiter
    until(lambda: all(thread.name != "prodkit-redis-limiter" for thread in threading.enumerate()))


async def test_waiting_takes_few_trips(make_limiter: MakeLimiter, redis_server: RedisServer) -> None:
    """A hundred calls at fifty a second: fewer trips than calls, and none at all while nobody calls."""
    limiter = make_limiter(requests_per_minute=3_000)
    await take(limiter)
    before = redis_server.calls()
    await asyncio.gather(*(take(limiter) for _ in range(100)))
    assert redis_server.calls() - before <= 60
    await asyncio.sleep(0.2)
    before = redis_server.calls()
    await asyncio.sleep(0.5)
    assert redis_server.calls() == before


async def test_a_long_wait_is_not_spent_polling(make_limiter: MakeLimiter, redis_server: RedisServer) -> None:
    """Who waits for seconds asks a handful of times."""
    limiter = make_limiter(requests_per_minute=20)
    await take(limiter)
    before = redis_server.calls()
    started_s = time.monotonic()
    await take(limiter)
    assert 2.5 <= time.monotonic() - started_s <= 3.5
    assert redis_server.calls() - before <= 10


async def test_a_flushed_script_is_sent_again(make_limiter: MakeLimiter, redis_server: RedisServer) -> None:
    """`SCRIPT FLUSH` on the server costs one more command, not a call."""
    limiter = make_limiter(requests_per_minute=6_000)
    await take(limiter)
    redis_server.client.script_flush()
    await asyncio.gather(*(take(limiter) for _ in range(5)))
    assert not limiter.is_degraded


async def test_its_keys_share_a_slot_expire_and_do_not_grow(
    make_limiter: MakeLimiter, redis_server: RedisServer
) -> None:
    """A cluster could hold them, they expire, and a thousand calls leave no more behind than ten."""
    limiter = make_limiter(requests_per_minute=600_000, tokens_per_minute=60_000_000, learn_limits=True)

    def size() -> int:
        keys = redis_server.client.keys("*")
        return sum(redis_server.client.memory_usage(key, samples=0) for key in keys)

    async def calls(number: int) -> None:
        reading = Reading(requests=BucketReading(per_minute=600_000, remaining=9_000, reset_s=0.1))
        for lease in await asyncio.gather(*(limiter.reserve(Cost(tokens=10)) for _ in range(number))):
            lease.settle(5, reading=reading)
        await asyncio.sleep(0.15)

    await calls(10)
    before = size()
    await calls(1_000)
    assert size() <= before + 64
    keys = redis_server.client.keys("*")
    assert len({redis_client.crc.key_slot(key) for key in keys}) == 1
    assert all(500 < redis_server.client.ttl(key) <= 700 for key in keys)


@settings(max_examples=12)
@given(
    calls=st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 400), st.floats(0.0, 0.15), st.integers(0, 500)),
        min_size=5,
        max_size=40,
    )
)
def test_no_window_holds_more_than_its_rate_and_the_burst(
    calls: list[tuple[int, int, float, int]], shared_server: RedisServer
) -> None:
    """Whatever sizes, moments and uses: tokens taken in a window are at most rate x window + the burst."""
    key = f"property-{time.monotonic_ns()}"
    limiters = [
        RedisLimiter(shared_server.url, key, tokens_per_minute=120_000, burst_s=0.1, learn_limits=False)
        for _ in range(2)
    ]
    taken: list[tuple[float, int]] = []

    async def one(who: int, tokens: int, after_s: float) -> None:
        await asyncio.sleep(after_s)
        lease = await limiters[who].reserve(Cost(tokens=tokens))
        taken.append((time.monotonic(), tokens))
        lease.settle(tokens)

    async def all_of_them() -> None:
        await asyncio.gather(*(one(who, tokens, after_s) for who, tokens, after_s, _ in calls))

    asyncio.run(all_of_them())
    for limiter in limiters:
        limiter.close()
    largest = max(200, *(tokens for _, tokens in taken))
    for start_s, _ in taken:
        for end_s, _ in taken:
            if end_s >= start_s:
                inside = sum(tokens for at, tokens in taken if start_s <= at <= end_s)
                # Wakes come late by up to the 50 ms after which a permit is given back.
                assert inside <= 2_000 * (end_s - start_s + 0.06) + largest
    assert len(taken) == len(calls)

"""What processes learn together of a provider whose bucket they cannot see."""

from __future__ import annotations

import asyncio
import time

import pytest

from langchain_prodkit.limits import BucketReading, Cost, Reading, RedisLimiter
from langchain_prodkit.testing.buckets import Bucket
from tests.integration_tests.limits.test_redis import MakeLimiter
from tests.integration_tests.redis_server import RedisServer

CALLS = 80
COST = Cost(tokens=200)
USED = 40


class Provider:
    """A bucket of tokens that answers after 30 ms, and gives back what was not used or keeps it."""

    def __init__(self, *, gives_back: bool) -> None:
        self.bucket = Bucket(120_000, burst_s=0.5)
        self.gives_back = gives_back
        self.refusals = 0

    async def call(self, limiter: RedisLimiter) -> None:
        """Take a permit and a call's tokens, again after a refusal, and settle with what the headers say."""
        lease = await limiter.reserve(COST)
        while (wait_s := self.bucket.wait_s(COST.tokens, time.monotonic())) > 0.0:
            self.refusals += 1
            lease.refused(wait_s, reading=self.said())
            lease = await limiter.reserve(COST, priority=1)
        self.bucket.take(COST.tokens, time.monotonic())
        await asyncio.sleep(0.03)
        if self.gives_back:
            self.bucket.take(USED - COST.tokens, time.monotonic())
        lease.settle(USED, reading=self.said())

    def said(self) -> Reading:
        """Write the headers."""
        now_s = time.monotonic()
        remaining = max(0, int(self.bucket.level(now_s)))
        reset_s = self.bucket.reset_s(now_s)
        return Reading(tokens=BucketReading(per_minute=120_000, remaining=remaining, reset_s=reset_s))


@pytest.mark.parametrize("gives_back", [True, False])
async def test_unused_tokens_are_used_where_the_provider_gives_them_back(
    make_limiter: MakeLimiter, redis_server: RedisServer, *, gives_back: bool
) -> None:
    """Two processes, both told the limit: fast where they may be, and not past it where they may not."""
    provider = Provider(gives_back=gives_back)
    limiters = [make_limiter(tokens_per_minute=120_000, learn_limits=True) for _ in range(2)]
    started_s = time.monotonic()
    await asyncio.gather(*(provider.call(limiters[number % 2]) for number in range(CALLS)))
    took_s = time.monotonic() - started_s
    # All that is reserved is 16,000 tokens, at 2,000 a second; all that is used, a fifth of it.
    if gives_back:
        assert took_s <= 6.0
    else:
        assert 7.0 <= took_s <= 9.5
    # Without the right guess every call after the first few would be refused, again and again.
    assert provider.refusals <= CALLS / 4

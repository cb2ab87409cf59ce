"""Limiters on a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from langchain_prodkit.limits import RedisLimiter
from tests.integration_tests.redis_server import RedisServer


@pytest.fixture
def make_limiter(redis_server: RedisServer) -> Iterator[Callable[..., RedisLimiter]]:
    """Make limiters of one key; each stands for a process: it has a thread and a connection of its own."""
    limiters: list[RedisLimiter] = []

    def make(**settings: Any) -> RedisLimiter:
        told: dict[str, Any] = {"url": redis_server.url, "key": "tests", "learn_limits": False}
        limiters.append(RedisLimiter(**told | settings))
        return limiters[-1]

    yield make
    for limiter in limiters:
        limiter.close()

"""Servers that the tests of several rooms need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_openai.chat_models import _client_utils

from tests.integration_tests.redis_server import RedisServer


@pytest.fixture(autouse=True)
def no_client_of_an_earlier_test() -> None:
    """Forget the clients that langchain-openai keeps by address.

    A port may be given out twice, and a connection of an async client belongs to the event loop that it
    was opened in: the second test that gets the port would find one of a loop that is closed.
    """
    _client_utils._cached_async_httpx_client.cache_clear()


@pytest.fixture
def make_redis_server() -> Iterator[Callable[..., RedisServer]]:
    """Start servers with settings of the test's own; all end when the test does."""
    servers: list[RedisServer] = []

    def make(**config: Any) -> RedisServer:
        servers.append(RedisServer(**config))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def redis_server(make_redis_server: Callable[..., RedisServer]) -> RedisServer:
    """Give a running, empty server to this test alone."""
    return make_redis_server()


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RedisServer]:
    """Give one server to all tests of a file that use keys of their own."""
    server = RedisServer()
    yield server
    server.stop()

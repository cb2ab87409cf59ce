"""Vaults on a real server, and a detector that is loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from langchain_prodkit.privacy import PresidioDetector, RedisVault
from tests.integration_tests.redis_server import RedisServer

KEY = "a key of thirty-two characters.."


@pytest.fixture
def make_vault(shared_server: RedisServer) -> Iterator[Callable[..., RedisVault]]:
    """Make vaults on an empty server; each stands for a process: it has connections of its own."""
    shared_server.client.flushall()
    vaults: list[RedisVault] = []

    def make(**settings: Any) -> RedisVault:
        told: dict[str, Any] = {"url": shared_server.url, "key": KEY}
        vaults.append(RedisVault(**told | settings))
        return vaults[-1]

    yield make
    for vault in vaults:
        vault.close()


@pytest.fixture(scope="module")
def detector() -> PresidioDetector:
    """Load the spaCy model once."""
    return PresidioDetector()

"""Fixtures for pytest: `provider_server` and `make_provider_server`.

Found by pytest as an installed plugin, so importing this module must stay cheap: the server and
what it needs are imported when a test first asks for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_prodkit.testing.server import ProviderServer


class ProviderServerMaker(Protocol):
    """Makes running servers; takes the arguments of `ProviderServer`."""

    def __call__(self, **settings: Any) -> ProviderServer:
        """Start one more server."""
        ...


@pytest.fixture
def make_provider_server() -> Iterator[ProviderServerMaker]:
    """Start servers with settings of the test's own; all stop when the test ends."""
    from langchain_prodkit.testing.server import ProviderServer  # noqa: PLC0415 - see above

    servers: list[ProviderServer] = []

    def make(**settings: Any) -> ProviderServer:
        server = ProviderServer(**settings).start()
        servers.append(server)
        return server

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def provider_server(make_provider_server: ProviderServerMaker) -> ProviderServer:
    """Give a running `ProviderServer` without limits, faults or script, to this test alone."""
    return make_provider_server()

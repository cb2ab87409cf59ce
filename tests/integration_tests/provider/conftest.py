"""Clients that keep no connection beyond their test, and do not retry unless a test says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from langchain_prodkit.testing import ProviderServer

    Post = Callable[..., httpx.Response]


@pytest.fixture
def client(provider_server: ProviderServer) -> Iterator[OpenAI]:
    """Give the official synchronous client."""
    with OpenAI(base_url=provider_server.base_url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
async def async_client(provider_server: ProviderServer) -> AsyncIterator[AsyncOpenAI]:
    """Give the official asynchronous client."""
    async with AsyncOpenAI(base_url=provider_server.base_url, api_key="any", max_retries=0) as client:
        yield client


@pytest.fixture
def post() -> Iterator[Post]:
    """Post a chat request to a server: `post(server, "Hi", max_tokens=5)`; `raw=` sends bytes."""
    with httpx.Client(timeout=20, trust_env=False) as http:

        def send(
            server: ProviderServer,
            text: str = "Hi",
            *,
            path: str = "/chat/completions",
            raw: bytes | None = None,
            headers: dict[str, str] | None = None,
            **settings: Any,
        ) -> httpx.Response:
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **settings}
            content = json.dumps(body).encode() if raw is None else raw
            return http.post(server.base_url + path, content=content, headers=headers)

        yield send

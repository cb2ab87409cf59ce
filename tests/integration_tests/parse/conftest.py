"""A provider whose answers a test writes, and models that talk to it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_prodkit.testing import ProviderServer
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker

Answers = Callable[[dict[str, Any]], str | dict[str, Any]]
ModelMaker = Callable[..., ChatOpenAI]

_COUNT = itertools.count()


def as_asked(body: dict[str, Any], text: str) -> str | dict[str, Any]:
    """Give `text` the way the request wants it: as the arguments of a tool call, or as content."""
    if not body.get("tools"):
        return text
    call = {"name": body["tools"][0]["function"]["name"], "arguments": text}
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": f"call_{len(body['messages'])}", "type": "function", "function": call}],
    }


def in_turn(*texts: str) -> Answers:
    """Answer by how often the model was corrected: the first text, then the second, the last for ever."""

    def script(body: dict[str, Any]) -> str | dict[str, Any]:
        corrections = sum("not accepted" in json.dumps(message) for message in body["messages"])
        return as_asked(body, texts[min(corrections, len(texts) - 1)])

    return script


@pytest.fixture
def make_model() -> ModelMaker:
    """Make a `ChatOpenAI` on a server."""

    def make(server: ProviderServer, **settings: Any) -> ChatOpenAI:
        # Async clients are cached by address and timeout: a port used before would bring back a client
        # of a closed event loop.
        return ChatOpenAI(
            model="gpt-4o-mini",
            base_url=server.base_url,
            api_key=SecretStr("k"),
            max_retries=0,
            timeout=30 + next(_COUNT) / 1000,
            **settings,
        )

    return make


@pytest.fixture
def provider(make_provider_server: ProviderServerMaker) -> Callable[..., ProviderServer]:
    """Start a server that answers by a script."""

    def start(script: Any) -> ProviderServer:
        return make_provider_server(script=script)

    return start

"""An agent of `create_agent` works with a protected model: tools get values, the provider never does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from langchain_prodkit import PresidioRunnable, RateLimitedAsyncChat
from langchain_prodkit.testing import ProviderServer

MAIL = "emily.carter@example.com"
QUESTION = {"messages": [("user", f"I am Emily Carter. Send a greeting to {MAIL} please.")]}


def _script(body: dict[str, Any]) -> Any:
    """Call the tool with whatever stands for the address, then report."""
    last = body["messages"][-1]
    if last["role"] == "tool":
        return f"Done: {last['content']}"
    (mail,) = set(re.findall(r"<EMAIL_ADDRESS_\d+>", json.dumps(body)))
    arguments = json.dumps({"to": mail, "text": "hello"})
    call = {"id": "c1", "type": "function", "function": {"name": "send_mail", "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    """A provider that calls the tool once."""
    with ProviderServer(script=_script) as server:
        yield server


@pytest.fixture
def sent() -> list[tuple[str, str]]:
    """What the tool was called with."""
    return []


@pytest.fixture
def agent(provider: ProviderServer, sent: list[tuple[str, str]]) -> Any:
    """An agent with one tool, over a protected and rate-limited model."""

    @tool
    def send_mail(to: str, text: str) -> str:
        """Send a mail."""
        sent.append((to, text))
        return f"sent to {to}"

    model = ChatOpenAI(model="gpt-4o-mini", base_url=provider.base_url, api_key="k")
    safe = PresidioRunnable().protect(RateLimitedAsyncChat(model, requests_per_minute=6000))
    return create_agent(safe, [send_mail], system_prompt="You write mails.")


def _check(provider: ProviderServer, sent: list[tuple[str, str]], answer: str) -> None:
    assert answer == f"Done: sent to {MAIL}"
    assert sent == [(MAIL, "hello")]
    assert len(provider.journal) == 2
    assert "emily" not in provider.journal_text().lower()


async def test_tools_get_values_and_the_provider_placeholders(
    provider: ProviderServer, sent: list[tuple[str, str]], agent: Any
) -> None:
    """The tool's result, which holds the address again, is redacted on its way back to the model."""
    result = await agent.ainvoke(QUESTION, {"configurable": {"thread_id": "1", "user_id": "u"}})
    _check(provider, sent, result["messages"][-1].content)


def test_the_same_without_a_thread_and_streaming(
    provider: ProviderServer, sent: list[tuple[str, str]], agent: Any
) -> None:
    """Token by token, the caller reads the address."""
    parts = [
        str(chunk.content)
        for chunk, _ in agent.stream(QUESTION, stream_mode="messages")
        if isinstance(chunk, AIMessageChunk)
    ]
    _check(provider, sent, "".join(parts))

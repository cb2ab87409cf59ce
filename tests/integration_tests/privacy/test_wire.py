"""What a real client sends over real HTTP: no name, no number, whichever way the model is called."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel

from langchain_prodkit.errors import RedactionError
from langchain_prodkit.limits import RateLimitedAsyncChat
from langchain_prodkit.privacy import PresidioDetector, PresidioRunnable
from langchain_prodkit.testing import ProviderServer
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker
from tests.unit_tests.privacy.parts import FailingDetector

NAME, PHONE, MAIL = "Marie Stephen Leo", "(123) 456-7890", "some_fake.address23@gmail.com"
QUESTION = f"My name is {NAME},\ncall me at {PHONE} or email me at {MAIL}"
SECRETS = ("Marie", "456-7890", "some_fake")


class Customer(BaseModel):
    """Who wrote."""

    name: str
    mail: str


@tool
def find(name: str) -> str:
    """Find a customer."""
    return name


def _echo(body: dict[str, Any]) -> str:
    return f"Understood: {body['messages'][-1]['content']}"


def _tokens(body: dict[str, Any]) -> dict[str, str]:
    text = str(body["messages"])
    return {kind: re.findall(rf"<{kind}_\d+>", text)[-1] for kind in ("PERSON", "EMAIL_ADDRESS")}


@pytest.fixture(scope="module")
def detector() -> PresidioDetector:
    """Load the spaCy model once."""
    return PresidioDetector()


def _chat(provider: ProviderServer, **settings: Any) -> ChatOpenAI:
    return ChatOpenAI(model="gpt-4o-mini", base_url=provider.base_url, api_key="any", **settings)


def _assert_clean(provider: ProviderServer, requests: int) -> None:
    journal = provider.journal_text()
    assert len(provider.journal) == requests
    assert not [secret for secret in SECRETS if secret in journal]


@pytest.mark.parametrize("responses", [False, True], ids=["completions", "responses"])
@pytest.mark.parametrize("limited", [False, True], ids=["plain", "limited"])
async def test_four_ways_to_call(
    make_provider_server: ProviderServerMaker, detector: PresidioDetector, *, limited: bool, responses: bool
) -> None:
    """Invoke, stream and their async twins: the provider sees placeholders, the caller values."""
    provider = make_provider_server(script=_echo)
    model: Any = _chat(provider, use_responses_api=responses)
    if limited:
        model = RateLimitedAsyncChat(model, requests_per_minute=6000)
    safe = PresidioRunnable(detector).protect(model)
    answers = [
        safe.invoke(QUESTION).text,
        (await safe.ainvoke(QUESTION)).text,
        "".join(chunk.text for chunk in safe.stream(QUESTION)),
        "".join([chunk.text async for chunk in safe.astream(QUESTION)]),
    ]
    assert answers == [f"Understood: {QUESTION}"] * 4
    _assert_clean(provider, 4)


async def test_tools_and_structured_output(
    make_provider_server: ProviderServerMaker, detector: PresidioDetector
) -> None:
    """Tool arguments and parsed objects hold values, though the provider only wrote placeholders."""

    def call(body: dict[str, Any]) -> dict[str, Any]:
        tokens = _tokens(body)
        filled = {"name": tokens["PERSON"], "mail": tokens["EMAIL_ADDRESS"]}
        name = body["tools"][0]["function"]["name"]
        arguments = {"name": filled["name"]} if name == "find" else filled
        return {"tool_calls": [{"name": name, "arguments": arguments}]}

    provider = make_provider_server(script=call)
    safe = PresidioRunnable(detector).protect(_chat(provider))
    tooled = safe.bind_tools([find])
    assert tooled.invoke(QUESTION).tool_calls[0]["args"] == {"name": NAME}
    chunks = [chunk async for chunk in tooled.astream(QUESTION)]
    total: Any = sum(chunks[1:], chunks[0])
    assert total.tool_calls[0]["args"] == {"name": NAME}
    structured = safe.with_structured_output(Customer, method="function_calling")
    assert await structured.ainvoke(QUESTION) == Customer(name=NAME, mail=MAIL)
    _assert_clean(provider, 3)


def test_history_and_tool_results_are_redacted_on_the_wire(
    make_provider_server: ProviderServerMaker, detector: PresidioDetector
) -> None:
    """An agent's whole conversation goes out without the person in it."""
    provider = make_provider_server(script=_echo)
    safe = PresidioRunnable(detector).protect(_chat(provider))
    call = {"name": "find", "args": {"name": NAME}, "id": "call_1"}
    history = [
        HumanMessage(QUESTION, name="Marie"),
        AIMessage("", tool_calls=[call]),
        ToolMessage(f"{NAME} has the phone {PHONE}", tool_call_id="call_1"),
        HumanMessage(f"Is {NAME} a customer?"),
    ]
    config: RunnableConfig = {"configurable": {"user_id": "u", "thread_id": "t"}}
    assert safe.invoke(history, config).content == f"Understood: Is {NAME} a customer?"
    journal = provider.journal_text()
    assert not [secret for secret in SECRETS[1:] if secret in journal]
    assert "Marie Stephen" not in journal


async def test_a_hundred_users_at_once(
    make_provider_server: ProviderServerMaker, detector: PresidioDetector
) -> None:
    """Everybody gets their own address back, whatever runs beside them."""
    provider = make_provider_server(script=_echo)
    safe = PresidioRunnable(detector).protect(_chat(provider))
    chain = RunnableLambda(lambda n: f"mail me at user{n}@example.com") | safe

    async def one(n: int) -> bool:
        return bool((await chain.ainvoke(n)).content == f"Understood: mail me at user{n}@example.com")

    assert all(await asyncio.gather(*(one(n) for n in range(100))))
    assert "@example.com" not in provider.journal_text()


def test_a_failing_detector_sends_no_request(make_provider_server: ProviderServerMaker) -> None:
    """Fail closed, seen from the wire."""
    provider = make_provider_server(script=_echo)
    safe = PresidioRunnable(FailingDetector()).protect(_chat(provider))
    with pytest.raises(RedactionError):
        safe.invoke(QUESTION)
    with pytest.raises(RedactionError):
        list(safe.stream(QUESTION))
    assert provider.journal == []

"""Seen from outside, a limited model cannot be told from the plain one but by `response_metadata`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import tool
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from pydantic import BaseModel
from typing_extensions import override

from langchain_prodkit.limits import LocalLimiter, RateLimitedAsyncChat
from langchain_prodkit.testing import ProviderServer
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker

Maker = Callable[[ProviderServer], BaseChatModel]

WORDS: Final = "one two three"


class Ticket(BaseModel):
    """A support ticket."""

    title: str


@tool
def look_up(order: str) -> str:
    """Look an order up."""
    return order


def openai_chat(server: ProviderServer) -> BaseChatModel:
    """Chat completions."""
    return ChatOpenAI(
        model="gpt-4o-mini", base_url=server.base_url, api_key="any", stream_usage=True, max_retries=0
    )


def responses_chat(server: ProviderServer) -> BaseChatModel:
    """The responses API."""
    settings: dict[str, Any] = {"base_url": server.base_url, "api_key": "any", "max_retries": 0}
    return ChatOpenAI(model="gpt-4o-mini", use_responses_api=True, **settings)


def azure_chat(server: ProviderServer) -> BaseChatModel:
    """A deployment of Azure's."""
    return AzureChatOpenAI(
        azure_endpoint=server.url,
        azure_deployment="gpt-4o-mini",
        api_version="2024-10-21",
        api_key="any",
        stream_usage=True,
        max_retries=0,
    )


def fake_chat(_: ProviderServer) -> BaseChatModel:
    """No provider at all."""
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    answers = (AIMessage(WORDS, usage_metadata=usage) for _ in range(100))
    return GenericFakeChatModel(messages=answers)


PROVIDED: Final = (openai_chat, responses_chat, azure_chat)
each_model = pytest.mark.parametrize("make", [*PROVIDED, fake_chat], ids=lambda make: make.__name__)
each_provided = pytest.mark.parametrize("make", PROVIDED, ids=lambda make: make.__name__)
each_way = pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])


class Listener(BaseCallbackHandler):
    """Writes down what callbacks are told, without what differs from run to run."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    @override
    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        said = {name: kwargs.get(name) for name in ("invocation_params", "options", "metadata", "tags")}
        self.heard.append(("start", [[message.content for message in batch] for batch in messages], said))

    @override
    def on_llm_new_token(self, token: Any, **kwargs: Any) -> None:
        self.heard.append(("token", token))

    @override
    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        (generations,) = response.generations
        self.heard.append(("end", generations[0].text, generations[0].message.usage_metadata))

    @override
    def on_llm_error(self, error: BaseException, **kwargs: Any) -> None:
        self.heard.append(("error", type(error).__name__))


async def called(model: Runnable[Any, Any], way: str, config: Any = None) -> list[Any]:
    """Call one of the four ways; gives the answer, or the chunks."""
    if way == "invoke":
        return [model.invoke(WORDS, config)]
    if way == "ainvoke":
        return [await model.ainvoke(WORDS, config)]
    if way == "stream":
        return list(model.stream(WORDS, config))
    return [chunk async for chunk in model.astream(WORDS, config)]


def without_ids(value: Any) -> str:
    """What is told apart by anything but the provider's ids and clock."""
    return re.sub(
        r"(resp_|msg_|chatcmpl-|req_)\w+|'(created|created_at|completed_at)': [\d.]+", "", repr(value)
    )


def plainly(message: Any) -> str:
    """What a message says, without our own note."""
    said = {**message.response_metadata}
    said.pop("prodkit", None)
    return without_ids([message.content, message.usage_metadata, said])


@each_model
@each_way
async def test_callbacks_hear_the_same_once(
    way: str, make: Maker, make_provider_server: ProviderServerMaker
) -> None:
    """Start with its parameters, every token, and the end: as of the plain model, not one more."""
    server = make_provider_server()
    heard = []
    for model in (make(server), RateLimitedAsyncChat(make(server), requests_per_minute=60_000)):
        listener = Listener()
        await called(model, way, {"callbacks": [listener]})
        heard.append([line for line in listener.heard if line not in (("token", ""), ("token", []))])
    assert [without_ids(line) for line in heard[1]] == [without_ids(line) for line in heard[0]]
    kinds = [line[0] for line in heard[1]]
    assert (kinds.count("start"), kinds.count("end"), kinds.count("error")) == (1, 1, 0)


@each_model
@each_way
async def test_each_call_is_one_run(way: str, make: Maker, make_provider_server: ProviderServerMaker) -> None:
    """Tracers see one run of a chat model, with the plain model's name for it, and none below."""
    server = make_provider_server()
    collector = RunCollectorCallbackHandler()
    await called(
        RateLimitedAsyncChat(make(server), requests_per_minute=60_000), way, {"callbacks": [collector]}
    )
    (run,) = collector.traced_runs
    assert (run.run_type, run.child_runs, run.error) == ("llm", [], None)
    inner = make(server)
    assert {**inner._get_ls_params()}.items() <= run.extra["metadata"].items()


@each_model
@each_way
async def test_answers_and_usage_are_the_same(
    way: str, make: Maker, make_provider_server: ProviderServerMaker
) -> None:
    """Content, usage and metadata, chunk by chunk."""
    server = make_provider_server()
    plain = await called(make(server), way)
    limited = await called(RateLimitedAsyncChat(make(server), requests_per_minute=60_000), way)
    # The note comes on an empty chunk, which langchain-core would send itself.
    assert [plainly(one) for one in limited if one.content] == [plainly(one) for one in plain if one.content]
    usage = [one.usage_metadata for one in limited if one.usage_metadata]
    assert usage == [one.usage_metadata for one in plain if one.usage_metadata]
    assert usage or make is fake_chat
    assert [one for one in limited if "prodkit" in one.response_metadata][-1] is limited[-1]


@each_model
def test_what_describes_the_model_is_the_inner_ones(make: Maker, provider_server: ProviderServer) -> None:
    """Type, parameters, profile, cache key, schemas and token counts."""
    inner = make(provider_server)
    model = RateLimitedAsyncChat(inner, requests_per_minute=60_000)
    assert model._llm_type == inner._llm_type
    assert model._identifying_params == inner._identifying_params
    assert model._get_ls_params() == inner._get_ls_params()
    assert model._get_llm_string() == inner._get_llm_string()
    assert model.profile == inner.profile
    assert {**model.get_input_jsonschema(), "title": ""} == {**inner.get_input_jsonschema(), "title": ""}
    if isinstance(inner, GenericFakeChatModel):
        inner.custom_get_token_ids = model.model.custom_get_token_ids = lambda text: [*map(ord, text)]
        assert model.get_num_tokens("abc") == 3
        assert model.get_token_ids("ab") == [97, 98]


@each_provided
async def test_tools_and_structured_output_are_the_same(
    make: Maker, make_provider_server: ProviderServerMaker
) -> None:
    """What the provider is sent for them is the same to the letter, and so is what comes back."""
    server = make_provider_server()
    bodies: list[Any] = []
    answers: list[Any] = []
    for model in (make(server), RateLimitedAsyncChat(make(server), requests_per_minute=60_000)):
        server.reset()
        calls = (await model.bind_tools([look_up], tool_choice="look_up").ainvoke(WORDS)).tool_calls
        answers.append([{**call, "id": None} for call in calls])
        answers[-1].append(model.with_structured_output(Ticket).invoke(WORDS))
        raw: Any = model.with_structured_output(Ticket, method="function_calling", include_raw=True)
        answers[-1].append((await raw.ainvoke(WORDS))["parsed"])
        bodies.append([entry.body for entry in server.journal])
    assert bodies[0] == bodies[1]
    assert answers[0] == answers[1]
    assert isinstance(answers[1][-1], Ticket)


@each_provided
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])  # langchain-core caches no streams
async def test_a_cached_answer_takes_no_permit(
    way: str, make: Maker, make_provider_server: ProviderServerMaker
) -> None:
    """Asked three times: one request, one permit, and callbacks hear of all three."""
    server = make_provider_server()
    inner = make(server)
    inner.cache = InMemoryCache()
    limiter = LocalLimiter(requests_per_minute=1)
    model = RateLimitedAsyncChat(inner, limiter=limiter)
    listener = Listener()
    answers = [(await called(model, way, {"callbacks": [listener]}))[0] for _ in range(3)]
    assert len({answer.text for answer in answers}) == 1
    assert (server.statistics().requests, limiter.statistics().granted) == (1, 1)
    assert [line[0] for line in listener.heard if line[0] != "token"] == ["start", "end"] * 3

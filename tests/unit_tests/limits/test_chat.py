"""The limited chat model over fakes: what it keeps of the model, and what it adds."""

from __future__ import annotations

import asyncio
import copy
import pickle
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import (
    AsyncCallbackHandler,
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.exceptions import ModelAPIError, ModelInvalidRequestError, ModelRateLimitError
from langchain_core.language_models import BaseChatModel, FakeListChatModel, GenericFakeChatModel
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI
from pydantic import Field
from typing_extensions import override

from langchain_prodkit.errors import ConfigurationError, LimitTimeoutError, RequestTooLargeError
from langchain_prodkit.limits import Cost, LocalLimiter, RateLimitedAsyncChat, RetryPolicy

FAST = RetryPolicy(max_wait_s=0.01)


class Moody(BaseChatModel):
    """Raises what is next in `moods`, before or (`after_chunks`) in the middle; then answers."""

    moods: list[Any] = Field(default_factory=list)
    after_chunks: int = 0
    calls: int = 0

    @property
    @override
    def _llm_type(self) -> str:
        return "moody"

    def _mood(self) -> None:
        mood = self.moods.pop(0) if self.moods else None
        if mood is not None:
            raise mood

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.calls += 1
        self._mood()
        return ChatResult(generations=[ChatGeneration(message=AIMessage("fine"))])

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.calls += 1
        for word in ["one"] * self.after_chunks:
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        self._mood()
        yield ChatGenerationChunk(message=AIMessageChunk(content="two"))

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk


async def call(model: BaseChatModel, way: str) -> str:
    """Call `model` one of the four ways and give the text."""
    if way == "invoke":
        return str(model.invoke("hi").content)
    if way == "ainvoke":
        return str((await model.ainvoke("hi")).content)
    if way == "stream":
        return "".join(str(chunk.content) for chunk in model.stream("hi"))
    return "".join([str(chunk.content) async for chunk in model.astream("hi")])


WAYS = ["invoke", "ainvoke", "stream", "astream"]
each_way = pytest.mark.parametrize("way", WAYS)


@each_way
async def test_passing_failures_are_tried_again(way: str) -> None:
    """Two server errors, then the answer."""
    inner = Moody(moods=[ModelAPIError("a"), ConnectionError()])
    model = RateLimitedAsyncChat(inner, retry=FAST)
    assert await call(model, way) in ("fine", "two")
    assert inner.calls == 3


@each_way
async def test_the_last_error_is_raised_as_it_came(way: str) -> None:
    """When the attempts are used up, the caller sees the provider's own error object."""
    errors = [ModelAPIError("first"), ModelAPIError("last")]
    inner = Moody(moods=[*errors])
    model = RateLimitedAsyncChat(inner, retry=RetryPolicy(max_attempts=2, max_wait_s=0.01))
    with pytest.raises(ModelAPIError) as caught:
        await call(model, way)
    assert caught.value is errors[-1]
    assert inner.calls == 2


@each_way
async def test_what_cannot_pass_is_sent_once(way: str) -> None:
    """A bad request is raised at once, and its permit is not lost."""
    inner = Moody(moods=[ModelInvalidRequestError()])
    limiter = LocalLimiter(max_concurrency=1)
    model = RateLimitedAsyncChat(inner, limiter=limiter)
    with pytest.raises(ModelInvalidRequestError):
        await call(model, way)
    assert inner.calls == 1
    assert limiter.statistics().in_flight == 0


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_nothing_is_tried_again_after_the_first_chunk(way: str) -> None:
    """What has left cannot be taken back: the error goes to the caller."""
    inner = Moody(moods=[ModelAPIError()], after_chunks=1)
    limiter = LocalLimiter(max_concurrency=1)
    with pytest.raises(ModelAPIError):
        await call(RateLimitedAsyncChat(inner, limiter=limiter, retry=FAST), way)
    assert inner.calls == 1
    assert limiter.statistics().in_flight == 0


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_stream_left_early_gives_its_permit_back(is_async: bool) -> None:
    """A consumer who stops reading does not block the next one."""
    limiter = LocalLimiter(max_concurrency=1)
    model = RateLimitedAsyncChat(FakeListChatModel(responses=["abcdef"]), limiter=limiter)
    if is_async:
        chunks = model.astream("hi")
        await anext(chunks)
        await chunks.aclose()  # type: ignore[attr-defined]
    else:
        stream = model.stream("hi")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert limiter.statistics().in_flight == 0


async def test_a_cancelled_call_gives_its_place_back() -> None:
    """Cancelled while it waits: nothing is left in line, and the next one goes."""
    limiter = LocalLimiter(max_concurrency=1)
    model = RateLimitedAsyncChat(Moody(), limiter=limiter)
    lease = limiter.reserve_sync(Cost())
    waiter = asyncio.create_task(model.ainvoke("hi"))
    async with asyncio.timeout(5.0):
        while limiter.statistics().waiting == 0:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert limiter.statistics().waiting == 0
    lease.settle()
    assert (await model.ainvoke("hi")).content == "fine"
    assert limiter.statistics().in_flight == 0


@each_way
async def test_a_deadline_ends_the_call(way: str) -> None:
    """Without a permit in time: `LimitTimeoutError`. After a failure: that failure."""
    limiter = LocalLimiter(requests_per_minute=1)
    model = RateLimitedAsyncChat(
        Moody(moods=[ModelAPIError()]), limiter=limiter, retry=RetryPolicy(max_wait_s=0.01, deadline_s=0.1)
    )
    started_s = time.monotonic()
    with pytest.raises(ModelAPIError):
        await call(model, way)
    with pytest.raises(LimitTimeoutError):
        await call(model, way)
    assert time.monotonic() - started_s < 1.0
    assert limiter.statistics().waiting == 0


async def test_an_answer_says_what_its_way_was() -> None:
    """Waits, attempts and tokens are on it, whole or streamed; the fake's own message is left alone."""
    message = AIMessage("fine", usage_metadata={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7})
    model = RateLimitedAsyncChat(GenericFakeChatModel(messages=iter([message])))
    note = model.invoke("hi", max_tokens=10).response_metadata["prodkit"]
    assert note["attempts"] == 1
    assert note["used_tokens"] == 7
    assert note["reserved_tokens"] > 10
    assert note["waited_s"] < 0.5
    assert "prodkit" not in message.response_metadata
    model = RateLimitedAsyncChat(Moody(moods=[ConnectionError()]), retry=FAST)
    whole: Any = None
    async for chunk in model.astream("hi"):
        whole = chunk if whole is None else whole + chunk
    assert whole.response_metadata["prodkit"]["attempts"] == 2
    assert whole.content == "two"
    assert whole.chunk_position == "last"


async def test_waits_and_refusals_are_one_event() -> None:
    """`prodkit.limited` reaches `astream_events` of the chain around the model, once a call."""
    error = ModelRateLimitError()
    error.response = type("Response", (), {"headers": {"retry-after-ms": "20"}, "status_code": 429})()  # type: ignore[attr-defined]
    model = RateLimitedAsyncChat(Moody(moods=[error, ConnectionError()]))
    chain = RunnableLambda(lambda text: text) | model
    events: list[Any] = [
        (event["name"], event["data"])
        async for event in chain.astream_events("hi", version="v2")
        if event["event"] == "on_custom_event"
    ]
    [(name, data)] = events
    assert name == "prodkit.limited"
    assert data["waited_s"] >= 0.1
    assert (data["attempts"], data["refusals"]) == (3, 1)
    assert data["reserved_tokens"] > 0
    assert data["used_tokens"] > 0


async def test_a_failed_call_has_its_event_too() -> None:
    """What was waited for in vain is told as well."""
    model = RateLimitedAsyncChat(Moody(moods=[ConnectionError()] * 2), retry=RetryPolicy(2, 0.01))
    seen: list[Any] = []

    class Watch(AsyncCallbackHandler):
        async def on_custom_event(self, name: str, data: Any, **kwargs: Any) -> None:
            seen.append((name, data["attempts"], data["used_tokens"]))

    with pytest.raises(ConnectionError):
        await (RunnableLambda(lambda text: text) | model).ainvoke("hi", {"callbacks": [Watch()]})
    assert seen == [("prodkit.limited", 2, 0)]


async def test_a_wait_that_was_none_is_no_event() -> None:
    """Nobody is told of microseconds."""
    chain = RunnableLambda(lambda text: text) | RateLimitedAsyncChat(Moody(), requests_per_minute=600)
    names = [event["name"] async for event in chain.astream_events("hi", version="v2")]
    assert not [name for name in names if name.startswith("prodkit.")]


async def test_cached_answers_take_no_permit() -> None:
    """The second time the same question costs nothing, sync or async."""
    limiter = LocalLimiter(requests_per_minute=1)
    model = RateLimitedAsyncChat(Moody(cache=InMemoryCache()), limiter=limiter)
    for _ in range(3):
        assert model.invoke("hi").content == "fine"
        assert (await model.ainvoke("hi")).content == "fine"
    assert limiter.statistics().granted == 1


async def test_a_request_too_large_for_the_limit_is_never_sent() -> None:
    """It fails at once, whole or streamed."""
    inner = Moody()
    model = RateLimitedAsyncChat(inner, tokens_per_minute=100)
    for way in WAYS:
        with pytest.raises(RequestTooLargeError):
            await asyncio.wait_for(call(model.bind(max_tokens=101), way), 2.0)  # type: ignore[arg-type]
    assert inner.calls == 0


async def test_fallbacks_see_the_providers_error() -> None:
    """`with_fallbacks` works as over the model itself."""
    model = RateLimitedAsyncChat(Moody(moods=[ModelAPIError()]), retry=RetryPolicy(max_attempts=1))
    chain = model.with_fallbacks([FakeListChatModel(responses=["second"])])
    assert (await chain.ainvoke("hi")).content == "second"


def test_one_limiter_can_serve_several_models() -> None:
    """A limit is shared by whoever is given the limiter."""
    limiter = LocalLimiter(requests_per_minute=600)
    first, second = (RateLimitedAsyncChat(Moody(), limiter=limiter) for _ in range(2))
    first.invoke("hi")
    second.bind(stop=["x"]).invoke("hi")
    assert limiter.statistics().granted == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": -1},
        {"requests_per_minute": float("nan")},
        {"max_concurrency": 0},
        {"headroom": 1.0},
        {"limiter": LocalLimiter(), "requests_per_minute": 5},
        {"limiter": LocalLimiter(), "max_concurrency": 5},
        {"limiter": LocalLimiter(), "headroom": 0.1},
        {"limiter": "fast"},
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    """Told at construction."""
    with pytest.raises(ConfigurationError):
        RateLimitedAsyncChat(Moody(), **arguments)


@pytest.mark.parametrize("model", [None, "gpt-4o", RunnableLambda(str), Moody().bind(stop=["x"])])
def test_only_chat_models_are_limited(model: Any) -> None:
    """A chain has no limit of its own: its model has."""
    with pytest.raises(ConfigurationError, match="chat model"):
        RateLimitedAsyncChat(model)


def test_the_models_own_retries_are_switched_off_in_a_copy() -> None:
    """Ours does not retry inside the SDK; the user's model is as it was."""
    inner = ChatOpenAI(model="m", api_key="k", max_retries=4)
    model: Any = RateLimitedAsyncChat(inner).model
    clients = [model.root_client, model.root_async_client, model.client._client, model.async_client._client]
    assert [client.max_retries for client in clients] == [0, 0, 0, 0]
    assert (model.max_retries, inner.max_retries, inner.root_client.max_retries) == (0, 4, 4)
    assert model.root_client._client is inner.root_client._client


def test_copies_share_nothing_and_keep_the_configuration() -> None:
    """Deep copies and pickles have limiters of their own, with the same numbers."""
    model = RateLimitedAsyncChat(FakeListChatModel(responses=["x"]), requests_per_minute=60, retry=FAST)
    model.invoke("hi")
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):  # noqa: S301
        assert (twin.requests_per_minute, twin.retry) == (60, FAST)
        assert twin._limiter.statistics().granted == 0
        assert twin.invoke("hi").content == "x"


def test_dumps_and_loads_give_the_same_model_back() -> None:
    """The inner model's secrets stay secrets, our numbers stay numbers."""
    model = RateLimitedAsyncChat(
        ChatOpenAI(model="m", api_key="hidden-key"), limiter=LocalLimiter(requests_per_minute=60), retry=FAST
    )
    text = dumps(model)
    assert "hidden-key" not in text
    twin = loads(
        text,
        allowed_objects=[RateLimitedAsyncChat, LocalLimiter, RetryPolicy, ChatOpenAI],
        valid_namespaces=["langchain_prodkit"],
        secrets_map={"OPENAI_API_KEY": "hidden-key"},
    )
    assert twin.limiter.requests_per_minute == 60
    assert twin.retry == FAST
    assert dumps(twin) == text
    assert twin.asdict() == model.asdict()

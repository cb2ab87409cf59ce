"""A wrapped chat model behaves as the model itself, and nothing leads around the wrapper."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tracers.context import collect_runs
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field, PrivateAttr

from langchain_prodkit._chat import DelegatingChatModel, innermost, wrap
from langchain_prodkit._steps import Steps
from langchain_prodkit.errors import ConfigurationError, SerializationError


class Counting(DelegatingChatModel):
    """Counts what passes through the wrapper."""

    _calls: list[int] = PrivateAttr(default_factory=list)

    def _generate_steps(self, *args: Any) -> Steps[ChatResult]:
        self._calls.append(1)
        return super()._generate_steps(*args)

    def _stream_steps(self, *args: Any) -> Any:
        self._calls.append(1)
        return super()._stream_steps(*args)


class ToolModel(BaseChatModel):
    """Answers with a call of the first tool it was given."""

    stops: list[Any] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "tool-model"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        self.stops.append(stop)
        name = kwargs["tools"][0]["function"]["name"]
        call = {"name": name, "args": {"number": 4}, "id": "1"}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("", tool_calls=[call]))])

    def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Bind them as OpenAI writes them."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)


class Answer(BaseModel):
    """An answer."""

    number: int


def test_invoke_stream_and_their_async_twins_go_through_the_wrapper() -> None:
    """Each of the four entry points runs the wrapper's body exactly once."""
    model = Counting(model=FakeListChatModel(responses=["hello"]))
    assert model.invoke("x").content == "hello"
    assert "".join(str(chunk.content) for chunk in model.stream("x")) == "hello"

    async def both() -> tuple[str, str]:
        streamed = [str(chunk.content) async for chunk in model.astream("x")]
        return str((await model.ainvoke("x")).content), "".join(streamed)

    assert asyncio.run(both()) == ("hello", "hello")
    assert len(model._calls) == 4


def test_a_model_that_cannot_stream_still_answers_a_stream() -> None:
    """The wrapper does not pretend that the inner model streams."""
    bound = Counting(model=ToolModel()).bind_tools([Answer])
    (chunk,) = list(bound.stream("x"))
    assert chunk.tool_calls[0]["args"] == {"number": 4}


@pytest.mark.parametrize("include_raw", [False, True])
def test_structured_output_goes_through_the_wrapper(include_raw: bool) -> None:
    """What the inner model builds is rewired, raw form included."""
    model = Counting(model=ToolModel())
    result = model.with_structured_output(Answer, include_raw=include_raw).invoke("x")
    parsed = result["parsed"] if include_raw else result
    assert parsed == Answer(number=4)
    assert len(model._calls) == 1


def test_a_model_whose_construction_hides_the_model_is_refused() -> None:
    """If the wrapper cannot be put in, calls would go around it: that must not happen."""

    class Sly(ToolModel):
        def bind_tools(self, tools: Any, **kwargs: Any) -> Runnable[Any, AIMessage]:
            return RunnableLambda(lambda _: AIMessage("around"))

    with pytest.raises(ConfigurationError, match="cannot be replaced"):
        Counting(model=Sly()).bind_tools([Answer])


def test_the_wrapper_reads_as_the_model_it_wraps() -> None:
    """Type, parameters, tracing names, cache key and token counts are the inner model's."""
    inner = ChatOpenAI(model="gpt-4o-mini", api_key="k", temperature=0.5)
    model = DelegatingChatModel(inner)
    assert model._llm_type == inner._llm_type
    assert model._identifying_params == inner._identifying_params
    assert model._get_ls_params() == inner._get_ls_params()
    assert model._get_llm_string() == inner._get_llm_string()
    assert model.profile == inner.profile


def test_cache_callbacks_and_tags_of_the_inner_model_keep_working() -> None:
    """What the user set on the model before wrapping it acts on the wrapper."""
    seen: list[list[str] | None] = []

    class Spy(BaseCallbackHandler):
        def on_chat_model_start(self, *args: Any, tags: list[str] | None = None, **kwargs: Any) -> None:
            seen.append(tags)

    inner = FakeListChatModel(
        responses=["one", "two"], cache=InMemoryCache(), callbacks=[Spy()], tags=["mine"]
    )
    model = Counting(model=inner)
    assert model.invoke("x").content == model.invoke("x").content == "one"
    assert len(model._calls) == 1, "a cached answer costs no call"
    assert seen == [["mine"], ["mine"]]


def test_each_call_is_traced_once() -> None:
    """The inner model's callbacks do not run a second time below the wrapper's."""
    with collect_runs() as runs:
        DelegatingChatModel(FakeListChatModel(responses=["x"])).invoke("x")
    (run,) = runs.traced_runs
    assert run.child_runs == []


def test_leaving_a_stream_early_closes_the_inner_stream() -> None:
    """A caller who stops listening does not leave the provider's connection open."""
    closed: list[bool] = []

    class Slow(GenericFakeChatModel):
        def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
            try:
                yield from super()._stream(*args, **kwargs)
            finally:
                closed.append(True)

    stream = DelegatingChatModel(Slow(messages=iter([AIMessage("a b c d")]))).stream("x")
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_bindings_are_wrapped_inside_and_looked_through() -> None:
    """`wrap` keeps the bound arguments, `innermost` finds the model that talks to the provider."""
    inner = ToolModel()
    wrapped = wrap(lambda model: Counting(model=model), inner.bind_tools([Answer], stop=["."]))
    assert wrapped.invoke("x").tool_calls[0]["name"] == "Answer"
    assert inner.stops == [["."]]
    assert innermost(Counting(model=Counting(model=inner)).bind(stop=["."])) is inner


def test_only_a_chat_model_can_be_wrapped() -> None:
    """Anything else says what to do instead."""
    with pytest.raises(ConfigurationError, match="wraps a chat model"):
        DelegatingChatModel(RunnableLambda(len))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="makr"):
        DelegatingChatModel(ToolModel(), makr=1)


def test_a_model_json_cannot_describe_still_runs_and_says_so_when_dumped() -> None:
    """Tracing needs a description and takes what it gets; `dumps` must not lie."""
    model = DelegatingChatModel(FakeListChatModel(responses=["x"]))
    assert model.invoke("x").content == "x"
    with pytest.raises(SerializationError, match="FakeListChatModel"):
        dumps(model)

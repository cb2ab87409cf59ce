"""A chat model around a chat model: what the rate limiter and the privacy shield share.

The wrapper calls the inner model's underscore methods, below its callbacks, so every call is traced
once, under the wrapper; what tells models apart (type, parameters, token counters, cache key,
profile) is the inner model's. `bind_tools` and `with_structured_output` are built by the inner model
and then rewired, so that no path leads around the wrapper.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.load.serializable import to_json_not_implemented
from langchain_core.runnables import (
    Runnable,
    RunnableBinding,
    RunnableParallel,
    RunnableSequence,
    RunnableWithFallbacks,
)
from langchain_core.runnables.passthrough import RunnableAssign
from pydantic import ConfigDict
from typing_extensions import override

from langchain_prodkit._serial import Written, ensure_serializable
from langchain_prodkit._steps import (
    END,
    Call,
    Next,
    Open,
    Out,
    Steps,
    StreamSteps,
    adrive,
    adrive_stream,
    drive,
    drive_stream,
)
from langchain_prodkit.errors import ConfigurationError, SerializationError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LanguageModelInput
    from langchain_core.language_models.base import LangSmithParams
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.tools import BaseTool

    AnyRunManager = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None

__all__ = ["DelegatingChatModel", "innermost", "wrap"]

M = TypeVar("M", bound="DelegatingChatModel")

# What langchain-core itself acts on around the underscore methods: it must act for the wrapper as it
# did for the inner model, which is no longer called from outside.
_INHERITED = (
    "cache", "callbacks", "disable_streaming", "metadata", "output_version", "profile", "rate_limiter",
    "tags", "verbose",
)  # fmt: skip


class DelegatingChatModel(Written, BaseChatModel):
    """A chat model that does everything through `model`; subclasses override the two bodies."""

    model: BaseChatModel
    """The model that answers."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    def __init__(self, model: BaseChatModel, **kwargs: Any) -> None:
        """Wrap `model`, taking over its cache, callbacks, tags, metadata and profile."""
        if not isinstance(model, BaseChatModel):
            msg = (
                f"{type(self).__name__} wraps a chat model, not a {type(model).__qualname__}; wrap the model "
                "first and bind tools or compose afterwards"
            )
            raise ConfigurationError(msg)
        inherited = {name: getattr(model, name) for name in _INHERITED}
        super().__init__(model=model, **{**inherited, **kwargs})

    def _generate_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> Steps[ChatResult]:
        """Answer `messages`; the body of `_generate` and `_agenerate`."""
        result: ChatResult = yield Call(
            self.model._generate,  # noqa: SLF001 - see the module's first lines
            self.model._agenerate,  # noqa: SLF001
            messages,
            stop=stop,
            run_manager=run_manager,
            **kwargs,
        )
        return result

    def _stream_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> StreamSteps[ChatGenerationChunk]:
        """Stream the answer to `messages`; the body of `_stream` and `_astream`."""
        stream = yield Open(
            self.model._stream,  # noqa: SLF001
            self.model._astream,  # noqa: SLF001
            messages,
            stop=stop,
            run_manager=run_manager,
            **kwargs,
        )
        while (chunk := (yield Next(stream))) is not END:
            yield Out(chunk)

    @override
    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return drive(self._generate_steps(messages, stop, run_manager, kwargs))

    @override
    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await adrive(self._generate_steps(messages, stop, run_manager, kwargs))

    @override
    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        yield from drive_stream(self._stream_steps(messages, stop, run_manager, kwargs))

    @override
    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        stream = adrive_stream(self._stream_steps(messages, stop, run_manager, kwargs))
        try:
            async for chunk in stream:
                yield chunk
        finally:
            await stream.aclose()

    @override
    def _should_stream(self, *, async_api: bool, run_manager: AnyRunManager = None, **kwargs: Any) -> bool:
        if self._streaming_disabled(**kwargs):
            return False
        return self.model._should_stream(async_api=async_api, run_manager=run_manager, **kwargs)  # noqa: SLF001

    @override
    def _should_use_protocol_streaming(
        self, *, async_api: bool, run_manager: AnyRunManager = None, **kwargs: Any
    ) -> bool:
        # The inner class may bring native protocol events, which would go around the wrapper: only
        # the bridge over `_stream` is safe, so the inner model must have one.
        inner = type(innermost(self.model))
        if inner._stream is BaseChatModel._stream and inner._astream is BaseChatModel._astream:  # noqa: SLF001
            return False
        return super()._should_use_protocol_streaming(async_api=async_api, run_manager=run_manager, **kwargs)

    @override
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
        return self._rewired(self.model.bind_tools(tools, **kwargs))

    @override
    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        return self._rewired(self.model.with_structured_output(schema, include_raw=include_raw, **kwargs))

    def _rewired(self, built: Runnable[Any, Any]) -> Runnable[Any, Any]:
        """Put this wrapper in the place of the inner model inside what the inner model built.

        Raises:
            ConfigurationError: The inner model is nowhere to be found, so calls would go around
                the wrapper.
        """
        found = 0

        def walk(part: Any) -> Any:  # noqa: PLR0911 - one line a kind
            nonlocal found
            if isinstance(part, BaseChatModel):
                found += 1
                return self if part is self.model else self.model_copy(update={"model": part})
            if isinstance(part, RunnableBinding):
                return part.model_copy(update={"bound": walk(part.bound)})
            if isinstance(part, RunnableSequence):
                return RunnableSequence(*(walk(step) for step in part.steps), name=part.name)
            if isinstance(part, RunnableParallel):
                steps = {key: walk(step) for key, step in part.steps__.items()}
                return part.model_copy(update={"steps__": steps})
            if isinstance(part, RunnableAssign):
                return RunnableAssign(walk(part.mapper))
            if isinstance(part, RunnableWithFallbacks):
                update = {"runnable": walk(part.runnable), "fallbacks": [walk(one) for one in part.fallbacks]}
                return part.model_copy(update=update)
            return part

        rewired = walk(built)
        if not found:
            msg = (
                f"{type(self.model).__qualname__} built a {type(built).__qualname__} in which the model "
                "cannot be replaced; bind the tools by hand with .bind(tools=[...])"
            )
            raise ConfigurationError(msg)
        return rewired  # type: ignore[no-any-return]

    @property
    @override
    def _llm_type(self) -> str:
        return self.model._llm_type  # noqa: SLF001

    @property
    @override
    def _identifying_params(self) -> Mapping[str, Any]:
        return self.model._identifying_params  # noqa: SLF001

    @override
    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return self.model._get_ls_params(stop=stop, **kwargs)  # noqa: SLF001

    @override
    def _get_invocation_params(self, stop: list[str] | None = None, **kwargs: Any) -> dict[str, Any]:
        return self.model._get_invocation_params(stop=stop, **kwargs)  # noqa: SLF001

    @override
    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        return self.model._get_llm_string(stop=stop, **kwargs)  # noqa: SLF001

    @override
    def _combine_llm_outputs(self, llm_outputs: list[dict[str, Any] | None]) -> dict[str, Any]:
        return self.model._combine_llm_outputs(llm_outputs)  # noqa: SLF001

    @override
    def get_token_ids(self, text: str) -> list[int]:
        return self.model.get_token_ids(text)

    @override
    def get_num_tokens(self, text: str) -> int:
        return self.model.get_num_tokens(text)

    @override
    def get_num_tokens_from_messages(
        self,
        messages: list[BaseMessage],
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool] | None = None,
    ) -> int:
        return self.model.get_num_tokens_from_messages(messages, tools)

    @override
    def to_json(self) -> Any:
        data: dict[str, Any] = dict(super(Written, self).to_json())
        kwargs: dict[str, Any] = data.get("kwargs", {})
        for name in _INHERITED:
            # Taken over from the inner model at construction, and so again by `loads`.
            if name in kwargs and getattr(self, name) == getattr(self.model, name):
                del kwargs[name]
        ensure_serializable(type(self).__name__, kwargs)
        return data

    @cached_property
    def _serialized(self) -> dict[str, Any]:
        # For traces only: a model that JSON cannot describe must still be callable.
        try:
            return dict(self.to_json())
        except SerializationError:
            return dict(to_json_not_implemented(self))


def wrap(make: Callable[[BaseChatModel], M], model: Any) -> Any:
    """Wrap a chat model, or the chat model inside a binding (`model.bind(...)`, `.bind_tools(...)`)."""
    if isinstance(model, RunnableBinding):
        return model.model_copy(update={"bound": wrap(make, model.bound)})
    return make(model)


def innermost(model: Any) -> Any:
    """Look through bindings and wrappers to the chat model that talks to the provider."""
    while True:
        if isinstance(model, DelegatingChatModel):
            model = model.model
        elif isinstance(model, RunnableBinding):
            model = model.bound
        else:
            return model

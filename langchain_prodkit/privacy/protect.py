"""Wrappers through which nothing but redacted values pass: around a chat model, around a chain."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, set_config_context
from typing_extensions import override

from langchain_prodkit._chat import DelegatingChatModel
from langchain_prodkit._runnable import (
    END,
    Call,
    Next,
    Open,
    Out,
    Steps,
    StreamingRunnable,
    StreamSteps,
)
from langchain_prodkit._runs import watch_runs
from langchain_prodkit._text import transform
from langchain_prodkit.errors import UnknownScopeError
from langchain_prodkit.privacy.restore import NO_SCOPE, Reader, added, guarded, guarding, restoring
from langchain_prodkit.privacy.stream import ChunkStream
from langchain_prodkit.privacy.vault import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextvars import Context

    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

    from langchain_prodkit._chat import AnyRunManager

__all__ = ["ProtectedChain", "ProtectedChatModel"]


class ProtectedChatModel(DelegatingChatModel):
    """A chat model that never sees personal data and answers as if it had.

    All messages are redacted before `model` gets them, and its answer is restored: text, tool calls,
    streams. Tool definitions, response formats and stop words are the developer's and stay as they are.
    A LangChain cache is asked below the redaction, so it holds placeholders only.

    Raises:
        RedactionError: Something failed on the way in; the model was not called. `UnknownTokenError`
            and `UnknownScopeError` come from the way back.
    """

    privacy: Any
    """The `PresidioRunnable` that hides and restores."""

    def __init__(self, model: BaseChatModel, *, privacy: Any, **kwargs: Any) -> None:
        """Wrap `model`; `privacy.protect(model)` does this, and reaches into bindings too."""
        # Both work below the redaction, where the inner model's own settings still hold.
        super().__init__(model, **{"cache": False, "rate_limiter": None, "privacy": privacy, **kwargs})
        watch_runs()

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        watch_runs()

    @override
    def _generate_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> Steps[ChatResult]:
        scope, is_lasting = _scope()
        try:
            redacted = yield from self.privacy.redacting(messages, scope, None)
            # No run manager: what the inner model would report is not restored yet.
            result: ChatResult = yield Call(
                self.model._generate_with_cache,  # noqa: SLF001 - see langchain_prodkit._chat
                self.model._agenerate_with_cache,  # noqa: SLF001
                redacted,
                stop=stop,
                **kwargs,
            )
            reader = self.privacy.reader(scope)
            restored = _restored(result, reader)
        finally:
            if not is_lasting:
                self.privacy.vault.forget(scope)
        yield reader.event(None)
        return restored

    @override
    def _stream_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> StreamSteps[ChatGenerationChunk]:
        scope, is_lasting = _scope()
        try:
            redacted = yield from self.privacy.redacting(messages, scope, None)
            limiter = self.model.rate_limiter
            if limiter is not None:
                yield Call(limiter.acquire, limiter.aacquire, blocking=True)
            stream = yield Open(
                self.model._stream,  # noqa: SLF001
                self.model._astream,  # noqa: SLF001
                redacted,
                stop=stop,
                **kwargs,
            )
            reader = self.privacy.reader(scope)
            chunks = ChunkStream(reader)
            while (chunk := (yield Next(stream))) is not END:
                info = chunk.generation_info
                for message in guarding(chunks.feed(chunk.message)):
                    yield Out(ChatGenerationChunk(message=message, generation_info=info))
                    info = None
            for message in guarding(chunks.close()):
                yield Out(ChatGenerationChunk(message=message))
            yield reader.event(None)
        finally:
            if not is_lasting:
                self.privacy.vault.forget(scope)

    @override
    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        # The bodies learn the scope from the context: a chat model's hooks receive no config.
        with set_config_context(ensure_config(config)) as context:
            return context.run(partial(super().invoke, input, config, stop=stop, **kwargs))

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        with set_config_context(ensure_config(config)) as context:
            call = super().ainvoke(input, config, stop=stop, **kwargs)
            return await asyncio.create_task(call, context=context)

    @override
    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        with set_config_context(ensure_config(config)) as context:
            chunks: Any = super().stream(input, config, stop=stop, **kwargs)
            try:
                while True:
                    chunk: Any = context.run(next, chunks, END)
                    if chunk is END:
                        return
                    yield chunk
            finally:
                context.run(chunks.close)

    @override
    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        with set_config_context(ensure_config(config)) as context:
            chunks: Any = super().astream(input, config, stop=stop, **kwargs)
            try:
                while (chunk := await _within(context, anext(chunks, END))) is not END:
                    yield chunk
            finally:
                await _within(context, chunks.aclose())


class ProtectedChain(StreamingRunnable[Any, Any]):
    """Redacts the input of a chain and restores its output, streams included.

    What is fetched inside the chain (documents, tool results, stored history) is not seen here and
    reaches the model as it is: protect the chat model instead wherever there is one to protect.

    Raises:
        RedactionError: Something failed; the chain was not run, or its output not given away.
    """

    chain: Any
    """The Runnable that sees placeholders."""
    privacy: Any
    """The `PresidioRunnable` that hides and restores."""

    def __init__(self, chain: Any, *, privacy: Any, **kwargs: Any) -> None:
        """Wrap `chain`; `privacy.protect(chain)` does this."""
        super().__init__(chain=chain, privacy=privacy, **kwargs)  # type: ignore[call-arg]
        watch_runs()

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        watch_runs()

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        scope = _known(config)
        redacted = yield from self.privacy.redacting(value, scope, config)
        answer = yield Call(self.chain.invoke, self.chain.ainvoke, redacted, config, **kwargs)
        reader = self.privacy.reader(scope)
        try:
            restored = transform(answer, reader.leaf)
        except Exception as error:  # noqa: BLE001 - judged by `guarded`
            raise guarded(error) from None
        yield reader.event(config)
        return restored

    @override
    def _transform_steps(
        self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> StreamSteps[Any]:
        value: Any = END
        while (chunk := (yield Next(chunks))) is not END:
            value = added(value, chunk)
        if value is END:
            return
        scope = _known(config)
        redacted = yield from self.privacy.redacting(value, scope, config)
        stream = yield Open(self.chain.stream, self.chain.astream, redacted, config, **kwargs)
        yield from restoring(stream, self.privacy.reader(scope), config)


async def _within(context: Context, awaitable: Any) -> Any:
    async def wait() -> Any:
        return await awaitable

    return await asyncio.create_task(wait(), context=context)


def _scope() -> tuple[Scope, bool]:
    """Give the scope of a model call, and whether anything outside the call may ask for it again."""
    config = ensure_config()
    scope = scope_of(config)
    if scope is not None:
        return scope, True
    return Scope(None, None, str(uuid4())), False


def _known(config: RunnableConfig) -> Scope:
    scope = scope_of(config)
    if scope is None:  # pragma: no cover - inside its own run there always is one
        raise UnknownScopeError(NO_SCOPE)
    return scope


def _restored(result: ChatResult, reader: Reader) -> ChatResult:
    try:
        # New objects: a cache may hold the old ones.
        generations = [
            ChatGeneration(
                message=transform(generation.message, reader.leaf), generation_info=generation.generation_info
            )
            for generation in result.generations
        ]
    except Exception as error:  # noqa: BLE001 - judged by `guarded`
        raise guarded(error) from None
    return ChatResult(generations=generations, llm_output=result.llm_output)

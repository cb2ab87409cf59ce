"""A chat model through which nothing but redacted messages pass."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, set_config_context
from typing_extensions import override

from langchain_prodkit._chat import DelegatingChatModel
from langchain_prodkit._events import REDACTED, Emit
from langchain_prodkit._runs import asked, watch_runs
from langchain_prodkit._steps import END, Call, Next, Open, Out, Steps, StreamSteps, adrive, drive
from langchain_prodkit.privacy.restore import Reader, guarding, reading, safely
from langchain_prodkit.privacy.stream import ChunkStream
from langchain_prodkit.privacy.vault import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextvars import Context

    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

    from langchain_prodkit._chat import AnyRunManager
    from langchain_prodkit.privacy.report import RedactionReport

__all__ = ["ProtectedChatModel"]


@dataclass(frozen=True, slots=True)
class _Prompt:
    asked: list[BaseMessage]
    redacted: list[BaseMessage]
    report: RedactionReport
    scope: Scope
    is_lasting: bool

    def is_for(self, messages: list[BaseMessage]) -> bool:
        return messages is self.redacted or messages == self.redacted


_prepared: Final[ContextVar[_Prompt | None]] = ContextVar("langchain_prodkit_prepared", default=None)


class ProtectedChatModel(DelegatingChatModel):
    """A chat model that never sees personal data and answers as if it had.

    All messages are redacted before `model` gets them, and its answer is restored: text, tool calls,
    streams. Tool definitions, response formats and stop words are the developer's and stay as they are.
    A LangChain cache is asked below the redaction, so it holds placeholders only.

    Callbacks and tracers see the redacted prompt in the run's input. Its output and its chunks are the
    restored ones, since that is what apps stream to their users from callbacks; to keep those out of a
    trace store see `install_mlflow_redaction` and `redacted_langsmith_client`.

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

    def _preparing(self, messages: list[BaseMessage]) -> Steps[_Prompt]:
        """Redact a prompt before its run begins, so that the run shows nothing else to callbacks."""
        scope, is_lasting = _scope()
        try:
            redacted, report = yield from self.privacy.reported(messages, scope)
        except BaseException:
            if not is_lasting:
                self.privacy.vault.forget(scope)
            raise
        yield Emit(REDACTED, report.to_dict())
        return _Prompt(messages, redacted, report, scope, is_lasting)

    def _taken(self, messages: list[BaseMessage]) -> Steps[_Prompt]:
        """Give the prompt that was prepared for this call; called some other way, prepare it now."""
        prompt = _prepared.get()
        if prompt is not None and prompt.is_for(messages):
            # Once: nothing further in may take what is redacted for redacted by itself.
            _prepared.set(None)
            return prompt
        return (yield from self._preparing(messages))

    @override
    def _generate_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> Steps[ChatResult]:
        prompt = yield from self._taken(messages)
        try:
            # No run manager: what the inner model would report is not restored yet.
            result: ChatResult = yield Call(
                self.model._generate_with_cache,  # noqa: SLF001 - see langchain_prodkit._chat
                self.model._agenerate_with_cache,  # noqa: SLF001
                prompt.redacted,
                stop=stop,
                **kwargs,
            )
            reader = yield from safely(reading(self.privacy, prompt.scope))
            restored = yield from safely(_restored(result, reader, self._metadata(prompt)))
            yield from self.privacy.audited("restored", reader.counts())
        finally:
            self._done(prompt)
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
        prompt: _Prompt = yield from self._taken(messages)
        metadata = self._metadata(prompt)
        try:
            limiter = self.model.rate_limiter
            if limiter is not None:
                yield Call(limiter.acquire, limiter.aacquire, blocking=True)
            stream = yield Open(
                self.model._stream,  # noqa: SLF001
                self.model._astream,  # noqa: SLF001
                prompt.redacted,
                stop=stop,
                **kwargs,
            )
            reader: Reader = yield from safely(reading(self.privacy, prompt.scope))
            chunks = ChunkStream(reader)
            while (chunk := (yield Next(stream))) is not END:
                info = chunk.generation_info
                yield from safely(reader.fetch(chunks.texts(chunk.message)))
                for message in guarding(chunks.feed(chunk.message)):
                    yield Out(_chunk(message, {**(info or {}), **metadata} or None))
                    info, metadata = None, {}
            yield from safely(reader.fetch(chunks.texts()))
            for message in guarding(chunks.close()):
                yield Out(_chunk(message, None))
            yield from self.privacy.audited("restored", reader.counts())
            yield reader.event(None)
        finally:
            self._done(prompt)

    def _metadata(self, prompt: _Prompt) -> dict[str, Any]:
        return {"redaction_report": prompt.report.to_dict()} if self.privacy.reports else {}

    def _done(self, prompt: _Prompt) -> None:
        if not prompt.is_lasting:
            self.privacy.vault.forget(prompt.scope)

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
        call = super().invoke
        with set_config_context(ensure_config(config)) as context:

            def run() -> AIMessage:
                messages = self._convert_input(input).to_messages()
                if not _is_prepared(messages):
                    _show(drive(self._preparing(messages)))
                return call(_shown(messages), config, stop=stop, **kwargs)

            return context.run(self._cleaning, run)

    def _cleaning(self, run: Callable[[], AIMessage]) -> AIMessage:
        try:
            return run()
        finally:
            self._drop()

    def _drop(self) -> None:
        """Erase what a call prepared that never came to its model."""
        prompt = _prepared.get()
        if prompt is not None:
            _prepared.set(None)
            self._done(prompt)

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        call = super().ainvoke

        async def run() -> AIMessage:
            try:
                messages = self._convert_input(input).to_messages()
                if not _is_prepared(messages):
                    _show(await adrive(self._preparing(messages)))
                return await call(_shown(messages), config, stop=stop, **kwargs)
            finally:
                self._drop()

        with set_config_context(ensure_config(config)) as context:
            return await asyncio.create_task(run(), context=context)

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
            messages = self._convert_input(input).to_messages()
            context.run(_show, context.run(drive, self._preparing(messages)))
            chunks: Any = super().stream(context.run(_shown, messages), config, stop=stop, **kwargs)
            try:
                while True:
                    chunk: Any = context.run(next, chunks, END)
                    if chunk is END:
                        return
                    yield chunk
            finally:
                context.run(chunks.close)
                context.run(self._drop)

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
            messages = self._convert_input(input).to_messages()
            context.run(_show, await _within(context, adrive(self._preparing(messages))))
            chunks: Any = super().astream(context.run(_shown, messages), config, stop=stop, **kwargs)
            try:
                while (chunk := await _within(context, anext(chunks, END))) is not END:
                    yield chunk
            finally:
                await _within(context, chunks.aclose())
                context.run(self._drop)


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


def _show(prompt: _Prompt) -> None:
    _prepared.set(prompt)
    asked.set((prompt.redacted, prompt.asked))


def _is_prepared(messages: list[BaseMessage]) -> bool:
    prompt = _prepared.get()
    return prompt is not None and prompt.is_for(messages)


def _shown(messages: list[BaseMessage]) -> list[BaseMessage]:
    prompt = _prepared.get()
    return messages if prompt is None else prompt.redacted


def _chunk(message: Any, info: dict[str, Any] | None) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=message, generation_info=info)


def _restored(result: ChatResult, reader: Reader, metadata: dict[str, Any]) -> Steps[ChatResult]:
    # New objects: a cache may hold the old ones.
    generations = []
    for generation in result.generations:
        message: Any = yield from reader.whole(generation.message)
        if metadata:
            both = {**message.response_metadata, **metadata}
            message = message.model_copy(update={"response_metadata": both})
        generations.append(ChatGeneration(message=message, generation_info=generation.generation_info))
    return ChatResult(generations=generations, llm_output=result.llm_output)

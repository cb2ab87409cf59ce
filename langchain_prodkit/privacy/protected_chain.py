"""A chain to which nothing but redacted input passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.runnables import RunnableConfig
from typing_extensions import override

from langchain_prodkit._runnable import StreamingRunnable
from langchain_prodkit._runs import watch_runs
from langchain_prodkit._steps import END, Call, Next, Open, Steps, StreamSteps, adrive_stream, drive_stream
from langchain_prodkit.errors import UnknownScopeError
from langchain_prodkit.privacy.discreet import Discreet, ahidden_stream, hidden_stream, is_nested
from langchain_prodkit.privacy.restore import NO_SCOPE, added, reading, restoring, safely
from langchain_prodkit.privacy.vault import Scope, scope_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["ProtectedChain"]


class ProtectedChain(Discreet, StreamingRunnable[Any, Any]):
    """Redacts the input of a chain and restores its output, streams included.

    What is fetched inside the chain (documents, tool results, stored history) is not seen here and
    reaches the model as it is: protect the chat model instead wherever there is one to protect.

    Below another run, its own shows callbacks and tracers no input. As the root it shows it: the question
    and the answer of an app are what evaluation reads there.

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
    def _is_hidden(self, config: RunnableConfig | None) -> bool:
        return is_nested(config)

    @override
    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        if not is_nested(config):
            yield from super().transform(input, config, **kwargs)
            return
        shown, held = hidden_stream(input)

        def body(chunks: Iterator[Any], config: RunnableConfig) -> Iterator[Any]:
            # Taken from `chunks` too, which the run shows.
            next(chunks, None)
            yield from drive_stream(self._transform_steps(held, config, kwargs))

        yield from self._transform_stream_with_config(shown, body, config)  # type: ignore[arg-type]

    @override
    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        if not is_nested(config):
            async for chunk in super().atransform(input, config, **kwargs):
                yield chunk
            return
        shown, held = ahidden_stream(input)

        async def body(chunks: AsyncIterator[Any], config: RunnableConfig) -> AsyncIterator[Any]:
            await anext(chunks, None)
            stream = adrive_stream(self._transform_steps(held, config, kwargs))
            try:
                async for chunk in stream:
                    yield chunk
            finally:
                await stream.aclose()

        async for chunk in self._atransform_stream_with_config(shown, body, config):  # type: ignore[arg-type]
            yield chunk

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        scope = _known(config)
        redacted = yield from self.privacy.redacting(value, scope, config)
        answer = yield Call(self.chain.invoke, self.chain.ainvoke, redacted, config, **kwargs)
        reader = yield from safely(reading(self.privacy, scope))
        restored = yield from safely(reader.whole(answer))
        yield from self.privacy.audited("restored", reader.counts())
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
        reader = yield from safely(reading(self.privacy, scope))
        yield from restoring(stream, reader, config)
        yield from self.privacy.audited("restored", reader.counts())


def _known(config: RunnableConfig) -> Scope:
    scope = scope_of(config)
    if scope is None:  # pragma: no cover - inside its own run there always is one
        raise UnknownScopeError(NO_SCOPE)
    return scope

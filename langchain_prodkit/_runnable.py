"""Runnables whose work is one body (see `_steps`), routed through langchain-core's run machinery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from langchain_core.runnables import RunnableConfig, RunnableSerializable
from langchain_core.runnables.utils import Input, Output
from pydantic import ConfigDict
from typing_extensions import override

from langchain_prodkit._serial import Written
from langchain_prodkit._steps import Steps, StreamSteps, adrive, adrive_stream, drive, drive_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["ProdkitRunnable", "StreamingRunnable"]


class ProdkitRunnable(Written, RunnableSerializable[Input, Output], Generic[Input, Output]):
    """A Runnable whose work is one body, `_steps`.

    `invoke` and `ainvoke` route it through langchain-core's run machinery, so callbacks, tags, run
    names, metadata and custom events reach every tracer, and the configuration reaches the pieces
    that the body calls (give them the `config` that `_steps` receives).
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    def _steps(self, value: Input, config: RunnableConfig, **kwargs: Any) -> Steps[Output]:
        """Do the piece's work on one value; `config` belongs to the children of this run."""
        raise NotImplementedError  # pragma: no cover - abstract

    @override
    def invoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        def call(value: Input, config: RunnableConfig, **extra: Any) -> Output:
            return drive(self._steps(value, config, **extra))

        return self._call_with_config(call, input, config, **kwargs)  # type: ignore[arg-type]

    @override
    async def ainvoke(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Output:
        async def call(value: Input, config: RunnableConfig, **extra: Any) -> Output:
            return await adrive(self._steps(value, config, **extra))

        return await self._acall_with_config(call, input, config, **kwargs)  # type: ignore[arg-type]


class StreamingRunnable(ProdkitRunnable[Input, Output], Generic[Input, Output]):
    """A Runnable that lets parts out while others still come in; its streaming is one body too."""

    def _transform_steps(
        self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> StreamSteps[Output]:
        """Read `chunks` with `Next` and let values out; the body of the four streaming methods."""
        raise NotImplementedError  # pragma: no cover - abstract

    @override
    def transform(
        self, input: Iterator[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Output]:
        def body(chunks: Iterator[Input], config: RunnableConfig) -> Iterator[Output]:
            yield from drive_stream(self._transform_steps(chunks, config, kwargs))

        yield from self._transform_stream_with_config(input, body, config)  # type: ignore[arg-type]

    @override
    async def atransform(
        self, input: AsyncIterator[Input], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        async def body(chunks: AsyncIterator[Input], config: RunnableConfig) -> AsyncIterator[Output]:
            stream = adrive_stream(self._transform_steps(chunks, config, kwargs))
            try:
                async for chunk in stream:
                    yield chunk
            finally:
                await stream.aclose()

        async for chunk in self._atransform_stream_with_config(input, body, config):  # type: ignore[arg-type]
            yield chunk

    @override
    def stream(self, input: Input, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Output]:
        yield from self.transform(iter([input]), config, **kwargs)

    @override
    async def astream(
        self, input: Input, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Output]:
        async def once() -> AsyncIterator[Input]:
            yield input

        async for chunk in self.atransform(once(), config, **kwargs):
            yield chunk

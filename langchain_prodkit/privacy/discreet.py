"""Runs of our own that show callbacks and tracers no raw input."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config
from typing_extensions import override

from langchain_prodkit._runnable import ProdkitRunnable
from langchain_prodkit._runs import current_run
from langchain_prodkit._steps import adrive, drive

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["HIDDEN", "Discreet", "ahidden_stream", "hidden_stream", "is_nested"]

HIDDEN: Final = "[hidden by langchain-prodkit]"
"""What stands in a trace for an input that holds, or may hold, personal data."""


class Discreet(ProdkitRunnable[Any, Any]):
    """A Runnable whose run says `HIDDEN` for its input."""

    def _is_hidden(self, config: RunnableConfig | None) -> bool:  # noqa: ARG002 - for subclasses
        """Tell whether the run that `config` begins hides its input."""
        return True

    @override
    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        def call(_: Any, config: RunnableConfig, **extra: Any) -> Any:
            return drive(self._steps(input, config, **extra))

        shown = HIDDEN if self._is_hidden(config) else input
        return self._call_with_config(call, shown, config, **kwargs)  # type: ignore[arg-type]

    @override
    async def ainvoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        async def call(_: Any, config: RunnableConfig, **extra: Any) -> Any:
            return await adrive(self._steps(input, config, **extra))

        shown = HIDDEN if self._is_hidden(config) else input
        return await self._acall_with_config(call, shown, config, **kwargs)  # type: ignore[arg-type]


def is_nested(config: RunnableConfig | None) -> bool:
    """Tell whether a run that `config` begins has one above it."""
    return current_run(ensure_config(config)) is not None


def hidden_stream(chunks: Iterator[Any]) -> tuple[Iterator[Any], Iterator[Any]]:
    """Give what a run may show of a stream, and the stream; what brings it starts first, as it would."""
    first: list[Any] = []

    def shown() -> Iterator[Any]:
        first.extend(islice(chunks, 1))
        yield HIDDEN

    def held() -> Iterator[Any]:
        yield from first
        yield from chunks

    return shown(), held()


def ahidden_stream(chunks: AsyncIterator[Any]) -> tuple[AsyncIterator[Any], AsyncIterator[Any]]:
    """Do what `hidden_stream` does."""
    first: list[Any] = []

    async def shown() -> AsyncIterator[Any]:
        async for one in chunks:
            first.append(one)
            break
        yield HIDDEN

    async def held() -> AsyncIterator[Any]:
        for one in first:
            yield one
        async for one in chunks:
            yield one

    return shown(), held()

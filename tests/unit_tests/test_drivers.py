"""One body runs the same from synchronous and asynchronous code."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig

from langchain_prodkit._events import Emit
from langchain_prodkit._runnable import ProdkitRunnable
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


def _double(x: int) -> int:
    return 2 * x


async def _adouble(x: int) -> int:
    await asyncio.sleep(0)
    return 2 * x


def _fail() -> None:
    raise ValueError("from outside")


async def _afail() -> None:
    raise ValueError("from outside")


def _body(log: list[str]) -> Steps[int]:
    try:
        first = yield Call(_double, _adouble, 2)
        try:
            yield Call(_fail, _afail)
        except ValueError:
            log.append("caught")
        second: int = yield Call(_double, _adouble, 3)
        return int(first) + second
    finally:
        log.append("closed")


async def test_both_drivers_give_the_same_result_and_the_body_sees_errors() -> None:
    """Results come back, errors are thrown where the step was yielded."""
    sync_log: list[str] = []
    async_log: list[str] = []
    assert drive(_body(sync_log)) == await adrive(_body(async_log)) == 10
    assert sync_log == async_log == ["caught", "closed"]


async def test_cancelling_reaches_the_body_and_goes_on() -> None:
    """A cancelled call cleans up inside the body and stays cancelled outside."""
    log: list[str] = []

    def body() -> Steps[None]:
        try:
            yield Call(_fail, asyncio.sleep, 30)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    task = asyncio.create_task(adrive(body()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert log == ["cancelled"]


class _Source:
    """A stream that knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = 0

    def sync(self) -> Iterator[int]:
        try:
            yield from range(5)
        finally:
            self.closed += 1

    async def asynchronous(self) -> AsyncIterator[int]:
        try:
            for number in range(5):
                yield number
        finally:
            self.closed += 1

    def body(self) -> StreamSteps[int]:
        stream = yield Open(self.sync, self.asynchronous)
        while (number := (yield Next(stream))) is not END:
            yield Out(number * 10)


async def test_both_stream_drivers_give_the_same_values() -> None:
    """What a streaming body lets out arrives in order in both worlds."""
    assert list(drive_stream(_Source().body())) == [0, 10, 20, 30, 40]
    assert [value async for value in adrive_stream(_Source().body())] == [0, 10, 20, 30, 40]


async def test_leaving_a_stream_early_closes_its_source() -> None:
    """A caller who stops listening does not leave a connection open."""
    source = _Source()
    stream = drive_stream(source.body())
    assert next(stream) == 0
    stream.close()
    assert source.closed == 1
    astream = adrive_stream(source.body())
    assert await anext(astream) == 0
    await astream.aclose()
    assert source.closed == 2


class Shout(ProdkitRunnable[str, str]):
    """Upper case, with an event."""

    mark: str = "!"

    def _steps(self, value: str, config: RunnableConfig, **kwargs: Any) -> Steps[str]:
        yield Emit("prodkit.shouted", {"length": len(value)}, config)
        return value.upper() + self.mark


async def test_a_piece_reports_its_events_under_its_own_run() -> None:
    """`astream_events` sees the custom event and the run name that the caller gave."""
    chain = Shout().with_config(run_name="loud")
    events = [event async for event in chain.astream_events("a", version="v2")]
    custom = [event for event in events if event["event"] == "on_custom_event"]
    assert [(event["name"], event["data"]) for event in custom] == [("prodkit.shouted", {"length": 1})]
    assert {event["name"] for event in events if event["event"] == "on_chain_end"} == {"loud"}
    assert Shout().invoke("a") == await Shout().ainvoke("a") == "A!"


def test_a_misspelt_setting_is_refused() -> None:
    """A typo in a safety setting must not be ignored in silence."""
    with pytest.raises(ValueError, match="makr"):
        Shout(makr="?")  # type: ignore[call-arg]

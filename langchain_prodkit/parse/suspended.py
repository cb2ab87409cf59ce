"""Instructor's loop as part of a body: what it awaits is a step like any other, for either driver.

A stream has to let values out in the middle of an answer, while the loop that asked for it waits. Its
asynchronous form is a coroutine, and a coroutine can be stopped where it awaits, without an event loop
and without a thread.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, final

from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from contextvars import ContextVar

__all__ = ["suspended", "unhurried"]


@final
class _Wanted:
    """Awaited, it hands a body to whoever drives the coroutine, and gives what comes of it."""

    def __init__(self, steps: Generator[Any, Any, Any]) -> None:
        self._steps = steps

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self._steps)


def suspended(
    start: Callable[[Callable[..., Coroutine[Any, Any, Any]]], Coroutine[Any, Any, Any]],
    answer: Callable[[], Generator[Any, Any, Any]],
    setting: tuple[ContextVar[Any], Any],
) -> Generator[Any, Any, Any]:
    """Run the coroutine that `start` makes of a function that gives one answer.

    Args:
        start: Gets the function, gives the coroutine.
        answer: The body that gets one answer.
        setting: A context variable and its value while the coroutine's own code runs. It is not set
            while a value leaves, because the next one may be asked for from another context.
    """

    async def create(**request: Any) -> Any:  # noqa: ARG001 - what is sent is decided by the body
        return await _Wanted(answer())

    coroutine = start(create)
    send: Callable[[Any], Any] = coroutine.send
    result: Any = None
    variable, value = setting
    try:
        while True:
            token = variable.set(value)
            try:
                steps = send(result)
            except StopIteration as done:
                return done.value
            finally:
                variable.reset(token)
            try:
                result, send = (yield from _checked(steps)), coroutine.send
            except GeneratorExit:
                raise
            except BaseException as error:  # noqa: BLE001 - the loop decides what to do with it
                result, send = error, coroutine.throw
    finally:
        coroutine.close()


def unhurried(retrying: Any) -> Any:
    """Let a tenacity object wait as a step, in the driver's own way."""

    async def wait(seconds: float) -> None:
        await _Wanted(_nap(seconds))

    retrying.sleep = wait
    return retrying


def _nap(seconds: float) -> Steps[None]:
    yield Call(time.sleep, asyncio.sleep, seconds)


def _checked(steps: Any) -> Generator[Any, Any, Any]:
    if steps is None:  # a bare yield: asyncio.sleep(0)
        return None
    if not hasattr(steps, "send"):
        raise ConfigurationError(
            "max_retries has parts that must be awaited, which a stream cannot do; give a tenacity Retrying"
        )
    return (yield from steps)

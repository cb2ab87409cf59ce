"""One body, two drivers: how every piece is written once and runs sync, async and streaming.

A body is a generator. It yields steps (things that touch the world: a call to a model, a store, a
detector, an event) and receives their results; everything between two yields is pure. `drive` runs
the steps from synchronous code, `adrive` from asynchronous code. A streaming body yields `Out(x)`
besides, once for each value that leaves.

Nothing of langchain-core is imported here: detectors are driven by this too, and need none of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeAlias, TypeVar, final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

__all__ = [
    "END",
    "Call",
    "Next",
    "Open",
    "Out",
    "Step",
    "Steps",
    "StreamSteps",
    "adrive",
    "adrive_stream",
    "drive",
    "drive_stream",
]

T = TypeVar("T")


class Step(Protocol):
    """Something a body asks its driver to do."""

    def run(self) -> Any:
        """Do it from synchronous code."""
        ...

    async def arun(self) -> Any:
        """Do it from asynchronous code."""
        ...


Steps: TypeAlias = Generator[Step, Any, T]
"""A body: yields steps, returns its result."""


@final
class Call:
    """A step that calls `func`, or awaits `afunc`, with the same arguments."""

    __slots__ = ("afunc", "args", "func", "kwargs")

    def __init__(
        self, func: Callable[..., Any], afunc: Callable[..., Awaitable[Any]], *args: Any, **kwargs: Any
    ) -> None:
        """Hold both forms of the call until a driver picks one."""
        self.func = func
        self.afunc = afunc
        self.args = args
        self.kwargs = kwargs

    def run(self) -> Any:
        """Call the synchronous form."""
        return self.func(*self.args, **self.kwargs)

    async def arun(self) -> Any:
        """Await the asynchronous form."""
        return await self.afunc(*self.args, **self.kwargs)


END: Final = object()
"""What `Next` gives when the stream is over."""


@final
class Open:
    """A step that opens a stream; its result is the stream, to be read with `Next`."""

    __slots__ = ("afunc", "args", "func", "kwargs")

    def __init__(
        self,
        func: Callable[..., Iterator[Any]],
        afunc: Callable[..., AsyncIterator[Any]],
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Hold both forms of the stream until a driver picks one."""
        self.func = func
        self.afunc = afunc
        self.args = args
        self.kwargs = kwargs

    def run(self) -> Any:
        """Open the synchronous stream."""
        return iter(self.func(*self.args, **self.kwargs))

    async def arun(self) -> Any:
        """Open the asynchronous stream."""
        return aiter(self.afunc(*self.args, **self.kwargs))


@final
class Next:
    """A step that reads one value of an opened stream, or `END`."""

    __slots__ = ("stream",)

    def __init__(self, stream: Any) -> None:
        """Hold the stream that `Open` gave."""
        self.stream = stream

    def run(self) -> Any:
        """Read from the synchronous stream."""
        return next(self.stream, END)

    async def arun(self) -> Any:
        """Read from the asynchronous stream."""
        return await anext(self.stream, END)


@final
class Out(Generic[T]):
    """What a streaming body yields to let `value` leave."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        """Hold the value."""
        self.value = value


StreamSteps: TypeAlias = Generator[Step | Out[T], Any, None]
"""A streaming body: yields steps, and `Out` for each value that leaves."""


def drive(steps: Steps[T]) -> T:
    """Run a body to its end from synchronous code and return its result."""
    send: Callable[[Any], Any] = steps.send
    result: Any = None
    try:
        while True:
            step = send(result)
            try:
                result, send = step.run(), steps.send
            except BaseException as error:  # noqa: BLE001 - the body decides what to do with it
                result, send = error, steps.throw
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        steps.close()


async def adrive(steps: Steps[T]) -> T:
    """Run a body to its end from asynchronous code and return its result."""
    send: Callable[[Any], Any] = steps.send
    result: Any = None
    try:
        while True:
            step = send(result)
            try:
                result, send = await step.arun(), steps.send
            except BaseException as error:  # noqa: BLE001 - cancellation too is the body's to see
                result, send = error, steps.throw
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        steps.close()


def drive_stream(steps: StreamSteps[T]) -> Generator[T, None, None]:
    """Run a streaming body from synchronous code; closing the iterator closes the body."""
    send: Callable[[Any], Any] = steps.send
    result: Any = None
    opened: list[Any] = []
    try:
        while True:
            step = send(result)
            if isinstance(step, Out):
                yield step.value
                result, send = None, steps.send
                continue
            try:
                result, send = step.run(), steps.send
                if isinstance(step, Open):
                    opened.append(result)
            except BaseException as error:  # noqa: BLE001 - see drive
                result, send = error, steps.throw
    except StopIteration:
        return
    finally:
        steps.close()
        for stream in opened:
            if hasattr(stream, "close"):
                stream.close()


async def adrive_stream(steps: StreamSteps[T]) -> AsyncGenerator[T, None]:
    """Run a streaming body from asynchronous code; closing the iterator closes the body."""
    send: Callable[[Any], Any] = steps.send
    result: Any = None
    opened: list[Any] = []
    try:
        while True:
            step = send(result)
            if isinstance(step, Out):
                yield step.value
                result, send = None, steps.send
                continue
            try:
                result, send = await step.arun(), steps.send
                if isinstance(step, Open):
                    opened.append(result)
            except BaseException as error:  # noqa: BLE001 - see adrive
                result, send = error, steps.throw
    except StopIteration:
        return
    finally:
        steps.close()
        for stream in opened:
            if hasattr(stream, "aclose"):
                await stream.aclose()

"""The door before the line: however many calls begin at once, few are inside at a time.

A call that has begun holds callbacks, a trace and its messages; ten thousand of them hold a hundred
megabytes, and what it takes to prepare them all delays the first. So calls of one event loop wait at the
door, where they are next to nothing, and come in one for each turn of the loop, as long as not too many
stand in line.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextvars import ContextVar
from typing import Any, Final, final
from weakref import WeakKeyDictionary

__all__ = ["Door", "Doors", "Pass", "current_pass"]

_MOST_INSIDE: Final = 64


@final
class Pass:
    """One call's time between the door and its permit."""

    __slots__ = ("_is_through", "door", "started_s", "waited_s")

    def __init__(self, door: Door, started_s: float) -> None:
        """Come in; `through` or `close` makes room for the next."""
        self.door = door
        self.started_s = started_s
        self.waited_s = time.monotonic() - started_s
        self._is_through = False

    @property
    def is_through(self) -> bool:
        """Whether it holds a permit, or is over."""
        return self._is_through

    def through(self) -> None:
        """Note that the call has its permit, or needs none."""
        if not self._is_through:
            self._is_through = True
            self.door.leave()


current_pass: ContextVar[Pass | None] = ContextVar("prodkit_pass", default=None)


@final
class Door:
    """Lets the calls of one event loop in, in order of arrival."""

    __slots__ = ("_inside", "_is_opening", "_waiting")

    def __init__(self) -> None:
        """Open with nobody inside."""
        self._inside = 0
        self._is_opening = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def outside(self) -> int:
        """How many wait outside."""
        return len(self._waiting)

    async def enter(self) -> Pass:
        """Wait until there is room inside."""
        started_s = time.monotonic()
        if self._waiting or self._is_opening or self._inside >= _MOST_INSIDE:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            self._open()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.leave()
                while self._waiting and self._waiting[0].done():
                    self._waiting.popleft()
                raise
        else:
            self._inside += 1
            # The next one has the next turn of the loop.
            self._is_opening = True
            asyncio.get_running_loop().call_soon(self._let_in)
        return Pass(self, started_s)

    def leave(self) -> None:
        """Make room."""
        self._inside -= 1
        self._open()

    def _open(self) -> None:
        if self._waiting and not self._is_opening and self._inside < _MOST_INSIDE:
            self._is_opening = True
            asyncio.get_running_loop().call_soon(self._let_in)

    def _let_in(self) -> None:
        self._is_opening = False
        while self._waiting and self._inside < _MOST_INSIDE:
            turn = self._waiting.popleft()
            if not turn.done():
                self._inside += 1
                turn.set_result(None)
                break
        self._open()


@final
class Doors:
    """The doors of a model, one for each event loop; a copy has doors of its own."""

    __slots__ = ("_doors",)

    def __init__(self) -> None:
        """Begin without any."""
        self._doors: WeakKeyDictionary[asyncio.AbstractEventLoop, Door] = WeakKeyDictionary()

    def here(self) -> Door:
        """Find the door of the running event loop."""
        loop = asyncio.get_running_loop()
        door = self._doors.get(loop)
        if door is None:
            door = self._doors[loop] = Door()
        return door

    @property
    def outside(self) -> int:
        """How many wait outside, at all doors together."""
        return sum(door.outside for door in list(self._doors.values()))

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Doors:
        return Doors()

    def __reduce__(self) -> tuple[type[Doors], tuple[()]]:
        return Doors, ()

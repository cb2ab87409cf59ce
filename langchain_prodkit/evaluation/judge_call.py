"""One call to a judge's model, for as long as it makes sense to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, Literal, final

from langchain_core.exceptions import (
    ContextOverflowError,
    ModelError,
    ModelInvalidRequestError,
    OutputParserException,
)
from langchain_core.language_models import BaseChatModel

from langchain_prodkit._chat import innermost
from langchain_prodkit.errors import BudgetExceededError, ProdkitError, RequestTooLargeError
from langchain_prodkit.evaluation.workers import aside

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_prodkit.evaluation.judge_line import Line
    from langchain_prodkit.evaluation.workers import Crew

__all__ = ["Ask", "SilentJudgeError", "failure_of", "is_native"]

_CONFIG: Final[RunnableConfig] = {"run_name": "judge", "tags": ["prodkit:judge"]}
_CANCEL_S: Final = 1.0
_ABOUT_THE_ROW: Final = frozenset({400, 413, 422})
_SERVER_ERROR: Final = 500
_RETRYABLE: Final = frozenset({408, 409, 425, 429})

Failure = Literal["row", "answer", "budget", "passing", "lasting"]
"""What a failed call says: this row cannot be judged; the answer has the wrong form; nothing is left to
spend; the judge failed and may not the next time; the judge failed and will again."""


class SilentJudgeError(Exception):
    """The judge gives no sign of life; for the judge itself, never for its caller."""


@final
class Ask:
    """A step that asks the model; raises `SilentJudgeError` when it is given up, else what it raises."""

    __slots__ = ("_crew", "_line", "_messages", "_model")

    def __init__(
        self, model: Runnable[Any, Any], messages: list[BaseMessage], line: Line, crew: Crew
    ) -> None:
        """Hold the call until a driver makes it."""
        self._model = model
        self._messages = messages
        self._line = line
        self._crew = crew

    def run(self) -> Any:
        """Ask from synchronous code, in a thread that is left behind when it hangs."""
        self._line.enter()
        try:
            call = self._crew.submit(lambda: self._model.invoke(self._messages, _CONFIG))
            while True:
                left_s = self._line.left_s()
                try:
                    return call.result(left_s)
                except TimeoutError:
                    if call.done():
                        return call.result()
                    if left_s <= 0.0:
                        raise SilentJudgeError from None
        finally:
            self._line.leave()

    async def arun(self) -> Any:
        """Ask from asynchronous code; a call that is given up is cancelled."""
        self._line.enter()
        call: asyncio.Task[Any] = asyncio.ensure_future(self._begun())
        # What a call that is given up raises later is nobody's to see.
        call.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            while True:
                left_s = self._line.left_s()
                await asyncio.wait({call}, timeout=left_s)
                if call.cancelled():
                    # By itself: a cancellation from outside arrives at the `await` above.
                    raise ConnectionAbortedError
                if call.done():
                    return call.result()
                if left_s <= 0.0:
                    raise SilentJudgeError
        finally:
            self._line.leave()
            if not call.done():
                call.cancel()
                await asyncio.wait({call}, timeout=_CANCEL_S)

    def _begun(self) -> Coroutine[Any, Any, Any]:
        if is_native(self._model):
            return self._awaited()
        # A model without an asynchronous form would wait in the loop's own threads, which an event
        # loop waits for when it ends.
        return aside(lambda: self._model.invoke(self._messages, _CONFIG))

    async def _awaited(self) -> Any:
        return await self._model.ainvoke(self._messages, _CONFIG)


def is_native(model: Any) -> bool:
    """Tell whether a model has an asynchronous form of its own."""
    inner = innermost(model)
    if not isinstance(inner, BaseChatModel):
        return True
    kind = type(inner)
    return kind._agenerate is not BaseChatModel._agenerate or kind._astream is not BaseChatModel._astream  # noqa: SLF001


def failure_of(error: Exception) -> Failure:
    """Judge by class and status what a failed call says; never by its message."""
    if isinstance(error, BudgetExceededError):
        return "budget"
    if isinstance(error, OutputParserException):
        return "answer"
    if isinstance(error, ContextOverflowError | ModelInvalidRequestError | RequestTooLargeError):
        return "row"
    if isinstance(error, ModelError | ProdkitError):
        return "passing" if error.is_retryable else "lasting"
    status = _status(error)
    if status in _ABOUT_THE_ROW:
        return "row"
    is_passing = isinstance(error, ConnectionError | TimeoutError)
    if status is not None:
        is_passing = status in _RETRYABLE or status >= _SERVER_ERROR
    return "passing" if is_passing else "lasting"


def _status(error: Exception) -> int | None:
    for owner in (error, getattr(error, "response", None)):
        status = getattr(owner, "status_code", None)
        if isinstance(status, int):
            return status
    return None

"""The answers of one run of a parser: what the last one is worth, and what all of them cost."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, final

from langchain_core.messages.ai import add_usage
from langchain_core.runnables.config import run_in_executor
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from langchain_prodkit._events import REPAIRED, Emit
from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.parse.answer import to_message
from langchain_prodkit.parse.result import FailedAttempt, Failure
from langchain_prodkit.parse.shape import Unfit

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.runnables import RunnableConfig

    from langchain_prodkit.errors import StructuredOutputError
    from langchain_prodkit.parse.answer import Judge
    from langchain_prodkit.parse.repair import Reading

__all__ = ["FINDINGS", "ON_LOOP", "Tally", "WouldBlock", "rejection"]

FINDINGS: Final[ContextVar[dict[Any, Any] | None]] = ContextVar(
    "langchain_prodkit_parse_findings", default=None
)
"""What validators that cost a call found out while one answer is judged: repair validates again."""

ON_LOOP: Final[ContextVar[bool]] = ContextVar("langchain_prodkit_parse_on_loop", default=False)
"""Whether an answer is judged on an event loop, where a validator must not wait for anything."""


class WouldBlock(BaseException):
    """Raised by a validator that has to wait, to be called again on a thread."""


@final
class Tally:
    """Counts the answers of one run."""

    def __init__(self, judge: Judge, config: RunnableConfig, *, keeps_answer: bool = False) -> None:
        """Start without an answer; `keeps_answer` lets an error carry the last one."""
        self._judge = judge
        self._keeps_answer = keeps_answer
        self._config = config
        self.attempts = 0
        self.usage: UsageMetadata | None = None
        self.message: AIMessage | None = None
        self.verdict: Reading | Unfit = Unfit("There was no answer.", reason="no_output")
        self.failures: list[Failure] = []
        self.failed_attempts: list[FailedAttempt] = []

    def take(self, answer: Any, *, is_ready: bool = False) -> Steps[None]:
        """Judge one more answer; `is_ready` says that somebody else asked for it."""
        message = to_message(answer)
        self.message = message
        self.attempts += 1
        if message.usage_metadata:
            self.usage = add_usage(self.usage, message.usage_metadata)
        verdict = self.verdict = yield Call(self._judged, self._ajudged, message, is_ready=is_ready)
        if isinstance(verdict, Unfit):
            self.failures.append(Failure(message, verdict.advice, verdict.fields, verdict.reason))
            self.failed_attempts.append(
                FailedAttempt(self.attempts, verdict.reason, verdict.fields, message.usage_metadata)
            )
        elif verdict.repairs:
            yield Emit(REPAIRED, {"repairs": list(verdict.repairs)}, self._config)

    @property
    def is_final(self) -> bool:
        """Whether asking again is no use."""
        return not isinstance(self.verdict, Unfit) or self._judge.is_final(self.verdict)

    def error(self, *, calls: int | None = None, reason: str | None = None) -> StructuredOutputError:
        """Make the error that users see of the last answer."""
        assert isinstance(self.verdict, Unfit)  # noqa: S101 - an answer that fits is no error
        unfit = self.verdict
        if reason is not None:
            unfit = Unfit(unfit.advice, fields=unfit.fields, reason=reason)
        error = unfit.error(attempts=self.attempts if calls is None else calls, usage=self.usage)
        error.failed_attempts = tuple(self.failed_attempts)
        error.last_completion = self.message if self._keeps_answer else None
        error.__cause__ = rejection(unfit)
        return error

    def _judged(self, message: AIMessage, *, is_ready: bool) -> Reading | Unfit:
        token = FINDINGS.set({})
        try:
            return self._judge.verdict(message, is_ready=is_ready)
        finally:
            FINDINGS.reset(token)

    async def _ajudged(self, message: AIMessage, *, is_ready: bool) -> Reading | Unfit:
        if not self._judge.blocks:
            token = ON_LOOP.set(True)
            try:
                return self._judged(message, is_ready=is_ready)
            except WouldBlock:
                self._judge.blocks = True
            finally:
                ON_LOOP.reset(token)
        return await run_in_executor(None, self._judged, message, is_ready=is_ready)


def rejection(unfit: Unfit) -> ValidationError:
    """Say as pydantic does which fields did not fit, in codes: nothing of an answer is in it."""
    kind = PydanticCustomError("not_accepted", "not accepted")
    places = [tuple(_part(part) for part in path.split(".")) for path in unfit.fields] or [()]
    details = [InitErrorDetails(type=kind, loc=place, input=None) for place in places]
    return ValidationError.from_exception_data(unfit.reason, details, hide_input=True)


def _part(part: str) -> int | str:
    return int(part) if part.isdecimal() else part

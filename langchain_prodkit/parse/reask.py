"""The loop that asks again: instructor drives it, and every call goes to the user's own model.

Instructor asks for a completion, hands over its hooks, decides whether to try again and counts. What
is sent, what comes back and whether it fits is decided here, on LangChain's own messages.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, final

from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.messages.ai import add_usage
from langchain_core.runnables.config import merge_configs

from langchain_prodkit._events import REASKED, REPAIRED, Emit
from langchain_prodkit._extras import require
from langchain_prodkit._runnable import Call, Steps, adrive, drive
from langchain_prodkit.parse.answer import completion, cut_error, has_tool_call, replay, to_message
from langchain_prodkit.parse.request import JUDGE
from langchain_prodkit.parse.shape import Unfit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.runnables import RunnableConfig

    from langchain_prodkit.parse.answer import Judge
    from langchain_prodkit.parse.repair import Reading
    from langchain_prodkit.parse.request import Mode, Requests

__all__ = ["Reask", "Tally"]

_JSON_AGAIN: Final = "Answer again with the whole JSON object, corrected, and nothing else."
_HOW: Final = {"tools": "Call the tool again with the whole answer, corrected."}
_ROLES: Final = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}
_ORIGINAL: Final = "langchain_message"


class _Passed(BaseException):
    """Carries an exception past instructor, which would log its text and wrap it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.error = error


class _ToolsEmpty(BaseException):
    """Leaves instructor's loop, which cannot change its mode, to go on with text."""


@final
class _Box:
    """Holds a reading while instructor has it, so that it leaves no mark on the user's object."""

    __slots__ = ("reading",)

    def __init__(self, reading: Reading) -> None:
        self.reading = reading


@final
class Tally:
    """The answers of one run of a parser: the last one, what it is worth, what all of them cost."""

    __slots__ = ("_config", "_judge", "attempts", "message", "usage", "verdict")

    def __init__(self, judge: Judge, config: RunnableConfig) -> None:
        """Start without an answer."""
        self._judge = judge
        self._config = config
        self.attempts = 0
        self.usage: UsageMetadata | None = None
        self.message: AIMessage | None = None
        self.verdict: Reading | Unfit = Unfit("There was no answer.", reason="no_output")

    def take(self, answer: Any) -> Steps[None]:
        """Judge one more answer."""
        message = to_message(answer)
        self.message = message
        self.attempts += 1
        if message.usage_metadata:
            self.usage = add_usage(self.usage, message.usage_metadata)
        self.verdict = self._judge.verdict(message)
        if not isinstance(self.verdict, Unfit) and self.verdict.repairs:
            yield Emit(REPAIRED, {"repairs": list(self.verdict.repairs)}, self._config)

    @property
    def is_final(self) -> bool:
        """Whether asking again is no use."""
        return not isinstance(self.verdict, Unfit) or self._judge.is_final(self.verdict)


@final
class Reask:
    """Asks until an answer fits, at most `allowed` answers in all, those on the tally included."""

    def __init__(
        self,
        requests: Requests,
        tally: Tally,
        *,
        prompt: list[BaseMessage] | None,
        allowed: int,
        token_budget: int | None,
        hooks: Any,
        config: RunnableConfig,
    ) -> None:
        """Prepare to go on from where `tally` is; `prompt` is None when nobody knows it."""
        self._requests = requests
        self._tally = tally
        self._prompt = prompt
        self._allowed = allowed
        self._token_budget = token_budget
        self._hooks = hooks
        self._config = config
        self._mode: Mode = requests.mode
        self._errors = require("instructor.core.exceptions", extra="parse")
        self._is_shown = False
        """Whether instructor has seen the last answer."""
        self._prepared: int | None = None
        """How many messages instructor made of the prompt; what it adds later is not sent."""

    def steps(self) -> Steps[None]:
        """Run instructor's loop; the result is on the tally."""
        yield from self._asked()

    def _asked(self) -> Steps[None]:
        while True:
            token = JUDGE.set(self._verdict)
            try:
                yield Call(self._ask, self._aask)
                stop = None
            except _ToolsEmpty:
                continue
            except (_Passed, self._errors.InstructorRetryException) as error:
                stop = self._stop(error)
            finally:
                JUDGE.reset(token)
            # Outside the handler: the cause may hold the model's words and must not travel along.
            if stop is not None:
                raise stop
            return

    def _ask(self) -> None:
        self._patched(self._create)

    async def _aask(self) -> None:
        await self._patched(self._acreate)

    def _patched(self, create: Callable[..., Any] | Callable[..., Awaitable[Any]]) -> Any:
        """Let instructor drive `create`; with an asynchronous one the result is to be awaited."""
        instructor = require("instructor", extra="parse")
        ask = instructor.patch(create=create, mode=self._requests.instructor_mode(self._mode))
        self._prepared = None
        return ask(
            response_model=self._requests.response_class,
            messages=[_shown(message) for message in self._prompt or []],
            max_retries=self._allowed - max(1, self._tally.attempts),
            hooks=self._hooks,
        )

    def _stop(self, error: BaseException) -> BaseException | None:
        """Give the error to raise; None when the answers simply did not fit."""
        if isinstance(error, _Passed):
            return error.error
        cause = error.__cause__
        return None if isinstance(cause, self._errors.ResponseParsingError) else cause or error

    def _verdict(self) -> _Box:
        """Tell instructor whether the answer at hand fits."""
        verdict = self._tally.verdict
        if isinstance(verdict, Unfit):
            raise self._errors.ResponseParsingError(str(verdict), mode=self._mode)
        return _Box(verdict)

    def _create(self, **request: Any) -> Any:
        return drive(self._answer(request))

    async def _acreate(self, **request: Any) -> Any:
        return await adrive(self._answer(request))

    def _answer(self, request: dict[str, Any]) -> Steps[Any]:
        """Get one answer, judge it, and show it to instructor."""
        tally = self._tally
        if self._prepared is None:
            self._prepared = len(request["messages"])
        if tally.message is not None and not self._is_shown:
            self._is_shown = True
            if isinstance(tally.verdict, Unfit):
                self._watch_budget(tally.verdict)
            return completion(tally.message, tally.usage)
        try:
            message = yield from self._call(request)
            yield from tally.take(message)
        except Exception as error:  # noqa: BLE001 - an error of the model, or of a validator, is not an answer
            self._tell_hooks(error)
            raise _Passed(error) from None
        assert tally.message is not None  # noqa: S101 - take() set it
        if isinstance(tally.verdict, Unfit):
            if tally.is_final:
                raise _Passed(tally.verdict.error(attempts=tally.attempts, usage=tally.usage))
            self._watch_budget(tally.verdict)
            self._watch_tools(tally.message)
        self._is_shown = True
        return completion(tally.message, tally.message.usage_metadata)

    def _call(self, request: dict[str, Any]) -> Steps[Any]:
        tally = self._tally
        turns = _turns(request["messages"][: self._prepared])
        config = self._config
        if tally.message is not None and isinstance(tally.verdict, Unfit):
            attempt, unfit = tally.attempts + 1, tally.verdict
            turns += replay(tally.message, unfit.advice, _HOW.get(self._mode, _JSON_AGAIN))
            facts = {"attempt": attempt, "reason": unfit.reason, "fields": list(unfit.fields)}
            yield Emit(REASKED, facts, self._config)
            metadata = {
                "attempt": attempt,
                "error_type": unfit.reason,
                "fields": list(unfit.fields),
                "prompt_found": self._prompt is not None,
            }
            config = merge_configs(config, {"tags": [f"retry:attempt:{attempt}"], "metadata": metadata})
        model = self._requests.bound(self._mode, request)
        try:
            answer = yield Call(model.invoke, model.ainvoke, turns, config)
        except Exception as error:
            # OpenAI's client raises for a cut answer where a JSON schema was asked for.
            if (cut := cut_error(error)) is None:
                raise
            answer = cut
        return answer

    def _watch_budget(self, unfit: Unfit) -> None:
        """Stop before a call that the budget does not cover, or that nobody can tell it covers."""
        tally = self._tally
        if self._token_budget is None or tally.attempts >= self._allowed:
            return
        if tally.usage is None or tally.usage["total_tokens"] >= self._token_budget:
            spent = Unfit(unfit.advice, fields=unfit.fields, reason="budget")
            raise _Passed(spent.error(attempts=tally.attempts, usage=tally.usage))

    def _watch_tools(self, message: AIMessage) -> None:
        """Leave tools for good when the model called none and its text did not fit either."""
        is_empty = self._mode == "tools" and not has_tool_call(message)
        if self._requests.is_auto and is_empty:
            self._requests.mode = "text"
            if self._tally.attempts < self._allowed:
                self._mode = "text"
                self._is_shown = False
                raise _ToolsEmpty

    def _tell_hooks(self, error: Exception) -> None:
        if self._hooks is not None:
            facts = {
                "attempt_number": self._tally.attempts + 1,
                "max_attempts": self._allowed,
                "is_last_attempt": True,
            }
            self._hooks.emit_completion_error(error, **facts)
            self._hooks.emit_completion_last_attempt(error, **facts)


def _shown(message: BaseMessage) -> dict[str, Any]:
    """Show a message to instructor: its text to add the schema to, and itself to be sent."""
    return {"role": _ROLES.get(message.type, "user"), "content": str(message.text), _ORIGINAL: message}


def _turns(shown: list[dict[str, Any]]) -> list[BaseMessage]:
    """Take the messages back, with what instructor added to them and between them."""
    turns: list[BaseMessage] = []
    for entry in shown:
        original: BaseMessage | None = entry.get(_ORIGINAL)
        content = entry["content"]
        if original is not None:
            added = content[len(str(original.text)) :] if isinstance(content, str) else ""
            turns.append(_with_text(original, added) if added else original)
        elif turns and turns[-1].type == "human" and entry["role"] == "user":
            # Some chat templates refuse two turns of the user in a row.
            turns[-1] = _with_text(turns[-1], f"\n\n{content}")
        else:
            turns.append(SystemMessage(content) if entry["role"] == "system" else HumanMessage(content))
    return turns


def _with_text(message: BaseMessage, text: str) -> BaseMessage:
    content = message.content
    whole = content + text if isinstance(content, str) else [*content, {"type": "text", "text": text}]
    return message.model_copy(update={"content": whole})

"""The loop that asks again: instructor drives it, and every call goes to the user's own model.

Instructor decides whether to try again and how long to wait, counts, and tells its hooks. What is sent,
what comes back and whether it fits is decided here, on LangChain's own messages.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Literal, cast, final

from langchain_core.messages import convert_to_messages
from langchain_core.runnables.config import merge_configs
from pydantic_core import ValidationError

from langchain_prodkit._events import REASKED, Emit
from langchain_prodkit._extras import require
from langchain_prodkit._steps import Call, Steps, adrive, drive
from langchain_prodkit.parse.answer import cut_error, has_tool_call
from langchain_prodkit.parse.completion import STAND_IN, as_completion, as_dicts
from langchain_prodkit.parse.patience import for_async, for_sync
from langchain_prodkit.parse.shape import Unfit
from langchain_prodkit.parse.suspended import suspended, unhurried
from langchain_prodkit.parse.tally import rejection
from langchain_prodkit.parse.turns import instructed, replay

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.messages.ai import UsageMetadata
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_prodkit.parse.request import Form, Requests
    from langchain_prodkit.parse.result import ReaskBuilder
    from langchain_prodkit.parse.tally import Tally

    Fetch = Callable[[Runnable[Any, Any], list[BaseMessage], RunnableConfig], Generator[Any, Any, Any]]
    """Gets one answer from a model; a body."""

__all__ = ["Policy", "Reask"]

_JSON_AGAIN: Final = "Answer again with the whole JSON object, corrected, and nothing else."
_TOOL_AGAIN: Final = "Call the tool again with the whole answer, corrected."

_JUDGED: Final[ContextVar[Tally]] = ContextVar("langchain_prodkit_parse_judged")
"""The answers of the call that is going on; instructor asks for the verdict through the class that it is
given, and a class is all that it can be given."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When to ask again, and what to say."""

    max_retries: Any = 2
    """Re-asks after the first answer, or a tenacity `Retrying` or `AsyncRetrying`."""
    reask: Literal["last", "full"] | ReaskBuilder = "last"
    token_budget: int | None = None
    hooks: Any = None

    @property
    def allowed(self) -> int | None:
        """Answers in all; None where tenacity decides."""
        return self.max_retries + 1 if isinstance(self.max_retries, int) else None


class _Passed(BaseException):
    """Carries an exception past instructor, which would log its text and wrap it."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(type(error).__name__)
        self.error = error


@final
class Reask:
    """Asks until an answer fits or nothing more is allowed, counting the answers already on the tally."""

    def __init__(
        self,
        requests: Requests,
        tally: Tally,
        policy: Policy,
        *,
        prompt: list[BaseMessage] | None,
        config: RunnableConfig,
        fetch: Fetch | None = None,
    ) -> None:
        """Prepare to go on from where `tally` is; `prompt` is None when nobody knows it.

        With `fetch`, answers are got by it, and what it lets out leaves through `steps`.
        """
        self._fetch = fetch
        self._requests = requests
        self._tally = tally
        self._policy = policy
        self._prompt = prompt
        self._config = config
        self._form: Form = requests.form(config)
        self._is_shown = tally.message is None
        """Whether instructor has seen the last answer."""
        self._turns: list[BaseMessage] | None = None

    def steps(self) -> Steps[None]:
        """Ask; what came of it is on the tally."""
        tally, policy = self._tally, self._policy
        if tally.message is None and policy.hooks is None and policy.allowed is not None:
            # The first answer mostly fits, and then there is nothing to drive.
            yield from self._answered()
            self._is_shown = False
        if tally.message is not None and (tally.is_final or tally.attempts == policy.allowed):
            return
        try:
            if self._fetch is None:
                yield from self._driven()
            else:
                yield from suspended(self._streamed, self._shown, (_JUDGED, tally))
            stop = None
        except _Passed as passed:
            stop = passed.error
        except require("instructor.core.exceptions", extra="parse").InstructorRetryException as error:
            stop = self._stop(error)
        # Outside the handler: the cause may hold the model's words and must not travel along.
        if stop is not None:
            raise stop

    def _driven(self) -> Steps[None]:
        token = _JUDGED.set(self._tally)
        try:
            yield Call(self._ask, self._aask)
        finally:
            _JUDGED.reset(token)

    def _streamed(self, create: Any) -> Any:
        return self._patched(create, lambda retrying: unhurried(for_async(retrying)))

    def _ask(self) -> None:
        self._patched(self._create, for_sync)

    async def _aask(self) -> None:
        await self._patched(self._acreate, for_async)

    def _patched(self, create: Any, patience: Any) -> Any:
        """Let instructor drive `create`; with an asynchronous one the result is to be awaited."""
        instructor = require("instructor", extra="parse")
        retries = self._policy.max_retries
        if self._policy.allowed is None:
            retries = patience(retries)
        else:
            retries -= max(0, self._tally.attempts - 1)
        # Of the mode nothing is used but that it asks the class for the verdict.
        return instructor.patch(create=create, mode=instructor.Mode.JSON)(
            response_model=_judged_class(),
            messages=[{"role": "user", "content": ""}],
            max_retries=retries,
            hooks=None if self._policy.hooks is None else _Told(self._policy.hooks, self),
        )

    def _stop(self, error: BaseException) -> BaseException | None:
        """Give the error to raise; None when the answers simply did not fit."""
        cause = error.__cause__
        if cause is None or isinstance(
            cause, ValidationError | require("tenacity", extra="parse").RetryError
        ):
            return None
        own = getattr(self._policy.max_retries, "retry_error_cls", None)
        return None if own is not None and isinstance(cause, own) else cause

    def _create(self, **request: Any) -> Any:  # noqa: ARG002 - what is sent is decided here
        return drive(self._shown())

    async def _acreate(self, **request: Any) -> Any:  # noqa: ARG002
        return await adrive(self._shown())

    def _shown(self) -> Steps[Any]:
        """Get one answer, or take the one that is there, and show it to instructor."""
        tally = self._tally
        if not self._is_shown:
            self._is_shown = True
            self._watch_budget()
            return self._told(cast("AIMessage", tally.message), tally.usage)
        try:
            yield from self._answered()
        except Exception as error:  # noqa: BLE001 - an error of the model, or of a validator, is not an answer
            self._tell_hooks(error)
            raise _Passed(error) from None
        message = cast("AIMessage", tally.message)
        if isinstance(tally.verdict, Unfit):
            if tally.is_final:
                raise _Passed(tally.error())
            self._watch_budget()
        return self._told(message, message.usage_metadata)

    def _told(self, message: AIMessage, usage: UsageMetadata | None) -> Any:
        """Show an answer to instructor; in full only where hooks look at it."""
        return STAND_IN if self._policy.hooks is None else as_completion(message, usage)

    def _answered(self) -> Steps[None]:
        """Get one answer and judge it."""
        tally = self._tally
        turns = self.turns()
        self._turns = None
        config = self._config
        if tally.failures:
            failure, attempt = tally.failures[-1], tally.attempts + 1
            facts = {"attempt": attempt, "reason": failure.reason, "fields": list(failure.fields)}
            yield Emit(REASKED, facts, config)
            metadata = {
                "attempt": attempt,
                "error_type": failure.reason,
                "fields": list(failure.fields),
                "prompt_found": self._prompt is not None,
            }
            config = merge_configs(config, {"tags": [f"retry:attempt:{attempt}"], "metadata": metadata})
        answer = yield from self._call(turns, config)
        yield from tally.take(answer)
        if isinstance(tally.verdict, Unfit) and not tally.is_final:
            is_silent = not has_tool_call(cast("AIMessage", tally.message))
            if is_silent and tally.verdict.reason != "truncated":
                self._form = self._requests.after_silence(self._form, self._config)

    def _call(self, turns: list[BaseMessage], config: RunnableConfig) -> Steps[Any]:
        while True:
            model = self._requests.bound(self._form, self._config)
            sent = instructed(turns, self._requests.instruction) if self._form.has_instruction else turns
            try:
                if self._fetch is not None:
                    return (yield from self._fetch(model, sent, config))
                answer = yield Call(model.invoke, model.ainvoke, sent, config)
            except Exception as error:
                # OpenAI's client raises for a cut answer where a JSON schema was asked for.
                if (cut := cut_error(error)) is not None:
                    return cut
                other = self._requests.after_refusal(self._form, error, turns, self._config)
                if other is None:
                    raise
                self._form = other
                continue
            return answer

    def turns(self) -> list[BaseMessage]:
        """Write the conversation to send next, without the schema."""
        if self._turns is None:
            self._turns = self._written()
        return self._turns

    def request(self) -> dict[str, Any]:
        """Show the next request in OpenAI's words."""
        turns = self.turns()
        if self._form.has_instruction:
            turns = instructed(turns, self._requests.instruction)
        return {"messages": as_dicts(turns), **self._requests.arguments(self._form)}

    def _written(self) -> list[BaseMessage]:
        prompt, failures = self._prompt or [], self._tally.failures
        if not failures:
            return prompt
        if callable(self._policy.reask):
            return convert_to_messages(self._policy.reask(list(prompt), list(failures)))
        how = _TOOL_AGAIN if self._form.has_tools else _JSON_AGAIN
        shown = failures if self._policy.reask == "full" else failures[-1:]
        has_prompt = self._prompt is not None
        return [*prompt, *(turn for one in shown for turn in replay(one, how, has_prompt=has_prompt))]

    def _watch_budget(self) -> None:
        """Stop before a call that the budget does not cover, or that nobody can tell it covers."""
        tally, budget = self._tally, self._policy.token_budget
        if budget is None or not isinstance(tally.verdict, Unfit) or tally.attempts == self._policy.allowed:
            return
        if tally.usage is None or tally.usage["total_tokens"] >= budget:
            error = tally.error(reason="budget")
            self._tell_hooks(error, is_answer=True)
            raise _Passed(error)

    def _tell_hooks(self, error: Exception, *, is_answer: bool = False) -> None:
        hooks = self._policy.hooks
        if hooks is not None:
            facts = {
                "attempt_number": self._tally.attempts + (0 if is_answer else 1),
                "max_attempts": self._policy.allowed,
                "is_last_attempt": True,
            }
            (hooks.emit_parse_error if is_answer else hooks.emit_completion_error)(error, **facts)
            hooks.emit_completion_last_attempt(error, **facts)


@final
class _Told:
    """Instructor's hooks, told what is really sent; a ready answer was no call of ours."""

    def __init__(self, hooks: Any, reask: Reask) -> None:
        self._hooks = hooks
        self._reask = reask
        self._is_call = True

    def emit_completion_arguments(self, **request: Any) -> None:  # noqa: ARG002 - instructor's stand-in
        self._is_call = self._reask._is_shown  # noqa: SLF001 - the two are one
        if self._is_call:
            self._hooks.emit_completion_arguments(**self._reask.request())

    def emit_completion_response(self, response: Any) -> None:
        if self._is_call:
            self._hooks.emit_completion_response(response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hooks, name)


@cache
def _judged_class() -> type:
    """Make the class that instructor works with: no fields, no schema, and the verdict at hand.

    So nothing that instructor does to a class costs anything, however large the response model is, and
    the value never becomes anything but the user's own class.
    """

    def model_json_schema(cls: type, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG001
        return {}

    def model_validate_json(cls: type, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
        verdict = _JUDGED.get().verdict
        if isinstance(verdict, Unfit):
            raise rejection(verdict)
        return verdict

    base = require("instructor", extra="parse").ResponseSchema
    namespace = {
        "__module__": __name__,
        "__doc__": "An answer.",
        "model_json_schema": classmethod(model_json_schema),
        "model_validate_json": classmethod(model_validate_json),
    }
    return cast("type", type(base)("Answer", (base,), namespace))

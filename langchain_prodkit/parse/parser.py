"""`InstructorParser`: a Runnable that turns a prompt, or a model's answer, into a validated object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypedDict, TypeVar, cast

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    MessageLikeRepresentation,
    convert_to_messages,
)
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._runnable import ProdkitRunnable, Steps
from langchain_prodkit._runs import current_run, prompt_of, watch_runs
from langchain_prodkit.errors import InputTypeError
from langchain_prodkit.parse.answer import Judge, OnTruncated, to_message
from langchain_prodkit.parse.reask import Reask, Tally
from langchain_prodkit.parse.repair import Repair
from langchain_prodkit.parse.request import Mode, Requests
from langchain_prodkit.parse.shape import Rules, Unfit, shape_of

if TYPE_CHECKING:
    from langchain_core.messages.ai import UsageMetadata

__all__ = ["InstructorParser", "ParsedResult", "ParserInput"]

T = TypeVar("T")

ParserInput: TypeAlias = (
    AIMessage
    | PromptValue
    | str
    | Sequence[MessageLikeRepresentation]
    | Mapping[Literal["prompt", "completion"], Any]
)


class ParsedResult(TypedDict):
    """What `include_raw=True` gives."""

    parsed: Any
    """The validated object."""
    raw: AIMessage
    """The answer it was read from."""
    attempts: int
    """Answers it took, a ready one included."""
    usage: UsageMetadata | None
    """Tokens of all these answers; None when the model does not say."""
    repairs: list[str]
    """What had to be mended in the last answer."""


class InstructorParser(ProdkitRunnable[Any, T], Generic[T]):
    """Gives an object of exactly the type asked for, or raises; asks the model again in between."""

    response_model: Any
    llm: Runnable[Any, Any] | None = None
    max_retries: int = 2
    mode: Mode = "auto"
    strict: bool = False
    repair: Repair = "aligned"
    on_truncated: OnTruncated = "raise"
    include_raw: bool = False
    hooks: Any = Field(default=None, repr=False)
    validation_context: Any = Field(default=None, repr=False)

    _judge: Judge = PrivateAttr()
    _requests: Requests | None = PrivateAttr(default=None)

    def __init__(
        self,
        response_model: type[T] | Any,
        *,
        llm: Runnable[Any, Any] | None = None,
        max_retries: int = 2,
        mode: Mode = "auto",
        strict: bool = False,
        repair: Repair = "aligned",
        on_truncated: OnTruncated = "raise",
        include_raw: bool = False,
        hooks: Any = None,
        validation_context: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            response_model=response_model,
            llm=llm,
            max_retries=max_retries,
            mode=mode,
            strict=strict,
            repair=repair,
            on_truncated=on_truncated,
            include_raw=include_raw,
            hooks=hooks,
            validation_context=validation_context,
            **kwargs,
        )
        self._prepare()
        watch_runs()

    def _prepare(self) -> None:
        shape = shape_of(self.response_model)
        rules = Rules(strict=self.strict, context=self.validation_context)
        self._judge = Judge(shape, rules, self.repair, self.on_truncated)
        if self.llm is not None:
            self._requests = Requests(shape, self.llm, self.mode)

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[T]:
        prompt, ready = self._read_input(value, config)
        tally = Tally(self._judge, config)
        if ready is not None:
            yield from tally.take(ready)
        allowed = self.max_retries + 1
        if self._requests is not None and not tally.is_final and tally.attempts < allowed:
            reask = Reask(
                self._requests,
                tally,
                prompt=prompt,
                allowed=allowed,
                strict=self.strict,
                hooks=self.hooks,
                config=config,
            )
            yield from reask.steps()
        verdict = tally.verdict
        if isinstance(verdict, Unfit):
            attempts = tally.attempts if self._requests is not None else 0
            raise verdict.error(attempts=attempts, usage=tally.usage)
        if not self.include_raw:
            return cast("T", verdict.value)
        return cast(
            "T",
            ParsedResult(
                parsed=verdict.value,
                raw=cast("AIMessage", tally.message),
                attempts=tally.attempts,
                usage=tally.usage,
                repairs=list(verdict.repairs),
            ),
        )

    def _read_input(
        self, value: Any, config: RunnableConfig
    ) -> tuple[list[BaseMessage] | None, AIMessage | None]:
        """Tell a prompt from an answer; gives both where both are known."""
        if isinstance(value, AIMessage):
            ready = to_message(value)
            prompt = prompt_of(current_run(config), value.id) if self.llm is not None else None
            return prompt, ready
        if isinstance(value, Mapping) and set(value) == {"prompt", "completion"}:
            return _messages(value["prompt"]), to_message(value["completion"])
        if self.llm is None:
            if isinstance(value, str):
                return None, AIMessage(value)
            raise InputTypeError(
                f"without llm= the parser reads a model's message or text, not a {type(value).__qualname__}"
            )
        return _messages(value), None


def _messages(value: Any) -> list[BaseMessage]:
    if isinstance(value, PromptValue):
        return value.to_messages()
    if isinstance(value, str):
        return convert_to_messages([value])
    if isinstance(value, BaseMessage):
        return [value]
    if isinstance(value, Sequence) and value:
        try:
            return convert_to_messages(value)
        except (ValueError, NotImplementedError):
            pass
    raise InputTypeError(
        f"a prompt is a PromptValue, a text or a list of messages, not a {type(value).__qualname__}; "
        'an answer is a message of a model; both together are {"prompt": ..., "completion": ...}'
    )

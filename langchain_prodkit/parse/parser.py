"""`InstructorParser`: a Runnable that turns a prompt, or a model's answer, into a validated object."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    Self,
    TypedDict,
    TypeVar,
    Unpack,
    cast,
    get_args,
    overload,
)

from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, BaseMessage, convert_to_messages
from langchain_core.messages.ai import UsageMetadata, add_ai_message_chunks
from langchain_core.prompt_values import ChatPromptValueConcrete, PromptValue, StringPromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._runnable import ProdkitRunnable, Steps
from langchain_prodkit._runs import current_run, prompt_of, watch_runs
from langchain_prodkit.errors import ConfigurationError, InputTypeError
from langchain_prodkit.parse.answer import Judge, OnTruncated, to_message
from langchain_prodkit.parse.reask import Reask, Tally
from langchain_prodkit.parse.repair import Repair
from langchain_prodkit.parse.request import Mode, Requests
from langchain_prodkit.parse.shape import Rules, Unfit, shape_of

if TYPE_CHECKING:
    from langchain_prodkit.parse.shape import Shape

__all__ = ["InstructorParser", "ParsedResult"]

T = TypeVar("T")


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
    """What had to be mended in the last answer; empty for valid JSON."""


class _Settings(TypedDict, total=False):
    """The keyword arguments of `InstructorParser`, for type checkers."""

    llm: Runnable[Any, Any] | None
    max_retries: int
    mode: Mode
    strict: bool
    repair: Repair
    token_budget: int | None
    on_truncated: OnTruncated
    hooks: Any
    validation_context: Mapping[str, Any] | None
    name: str | None


class InstructorParser(ProdkitRunnable[Any, T], Generic[T]):
    """Gives an object of exactly the type asked for, or raises; in between it asks the model again.

    ```python
    chain = prompt | InstructorParser(Ticket, llm=model)  # in the model's place
    chain = prompt | model | InstructorParser(Ticket, llm=model)  # after it
    chain = prompt | model | InstructorParser(Ticket)  # validate and repair only
    ```

    In the model's place it asks for the answer with the schema attached. After a model it judges the
    ready answer first, without a call; only when that does not fit it asks again, with the prompt that
    the answer came from, which it finds in the run tree. A re-ask holds that prompt, the last bad
    answer as the model gave it, and what is wrong with it, one `path: message` line an issue, without
    the values. All calls go to `llm`, whatever that is (a rate-limited or privacy-shielded model, one
    with fallbacks), as children of this run, tagged `retry:attempt:N`. Instructor drives the loop.

    Read as a prompt, with `llm`: a `PromptValue`, a list of messages, a message that is not the
    model's, a `str`. Read as an answer: an `AIMessage`, and without `llm` a `str` too. Where a text
    is an answer and there is an `llm`, give both as `{"prompt": ..., "completion": ...}`.

    `stream` and `astream` give one item, the validated object, when it is complete.
    """

    response_model: Any
    llm: Runnable[Any, Any] | None = None
    max_retries: int = 2
    mode: Mode = "auto"
    strict: bool = False
    repair: Repair = "aligned"
    token_budget: int | None = None
    on_truncated: OnTruncated = "raise"
    include_raw: bool = False
    hooks: Any = Field(default=None, repr=False)
    validation_context: Any = Field(default=None, repr=False)

    _shape: Shape = PrivateAttr()
    _judge: Judge = PrivateAttr()
    _requests: Requests | None = PrivateAttr(default=None)

    @overload
    def __init__(
        self: InstructorParser[ParsedResult],
        response_model: Any,
        *,
        include_raw: Literal[True],
        **settings: Unpack[_Settings],
    ) -> None: ...
    @overload
    def __init__(
        self, response_model: type[T], *, include_raw: bool = False, **settings: Unpack[_Settings]
    ) -> None: ...
    @overload
    def __init__(
        self: InstructorParser[Any],
        response_model: Any,
        *,
        include_raw: bool = False,
        **settings: Unpack[_Settings],
    ) -> None: ...
    def __init__(
        self,
        response_model: Any,
        *,
        llm: Runnable[Any, Any] | None = None,
        max_retries: int = 2,
        mode: Mode = "auto",
        strict: bool = False,
        repair: Repair = "aligned",
        token_budget: int | None = None,
        on_truncated: OnTruncated = "raise",
        include_raw: bool = False,
        hooks: Any = None,
        validation_context: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        """Prepare the response model once; no call is made.

        Args:
            response_model: A pydantic model, a TypedDict, `list[M]` or `Iterable[M]` (both give a
                list), `Maybe(M)` of instructor, a union, an enum, a `Literal`, or a simple type.
            llm: Answers and mends. Without it an answer that does not fit raises.
            max_retries: Re-asks after the first answer; 2 means at most 3 answers, a ready one
                included.
            mode: How the schema travels: as a tool, as `response_format` (`json_schema`; `json` with
                the schema in the prompt), or in the prompt alone (`text`). `auto` takes tools where the
                model has them, and changes to text for good once no tool call comes back.
            strict: Pydantic's strict mode: no value is converted to another type.
            repair: What may be mended without asking: `off`, JSON `syntax`, or values as well
                (`aligned`).
            token_budget: No re-ask once the answers so far cost this many tokens; None for no limit.
                A model that reports no usage gets no re-ask.
            on_truncated: Whether an answer that was cut off at the length limit is an error at once
                (`raise`) or asked for again (`reask`). A refusal is always an error at once.
            include_raw: Give a `ParsedResult` instead of the object.
            hooks: An `instructor.core.hooks.Hooks`; told about the calls that this parser makes. They
                see prompts and answers.
            validation_context: What validators find in `info.context`; goes nowhere else.
            name: Name of the run.

        Raises:
            ConfigurationError: An argument makes no sense.
            MissingExtraError: The extra `parse` is not installed.
        """
        settings: dict[str, Any] = {
            "response_model": response_model,
            "llm": llm,
            "max_retries": max_retries,
            "mode": mode,
            "strict": strict,
            "repair": repair,
            "token_budget": token_budget,
            "on_truncated": on_truncated,
            "include_raw": include_raw,
            "hooks": hooks,
            "validation_context": validation_context,
            "name": name,
        }
        _check(settings)
        super().__init__(**settings)
        self._prepare()

    def _prepare(self) -> None:
        self._shape = shape_of(self.response_model)
        rules = Rules(strict=self.strict, context=self.validation_context)
        self._judge = Judge(self._shape, rules, self.repair, self.on_truncated)
        self._requests = None if self.llm is None else Requests(self._shape, self.llm, self.mode)
        watch_runs()

    def get_format_instructions(self) -> str:
        """Say in words what JSON is expected, for a prompt whose model is not asked by this parser."""
        requests = self._requests or Requests(self._shape, cast("Any", None), "text")
        schema = json.dumps(requests.schema, ensure_ascii=False)
        return f"Answer with one JSON object that fits this JSON schema, and nothing else:\n{schema}"

    @property
    @override
    def InputType(self) -> Any:
        return (
            str | StringPromptValue | ChatPromptValueConcrete | list[AnyMessage] | AnyMessage | dict[str, Any]
        )

    @property
    @override
    def OutputType(self) -> Any:
        return ParsedResult if self.include_raw else self._shape.type

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[T]:
        prompt, ready = self._read(value, config)
        tally = Tally(self._judge, config)
        if ready is not None:
            yield from tally.take(ready)
        allowed = self.max_retries + 1
        if self._requests is not None and not tally.is_final and tally.attempts < allowed:
            yield from Reask(
                self._requests,
                tally,
                prompt=prompt,
                allowed=allowed,
                token_budget=self.token_budget,
                hooks=self.hooks,
                config=config,
            ).steps()
        verdict = tally.verdict
        if isinstance(verdict, Unfit):
            attempts = 0 if self._requests is None else tally.attempts
            raise verdict.error(attempts=attempts, usage=tally.usage)
        if not self.include_raw:
            return cast("T", verdict.value)
        result: ParsedResult = {
            "parsed": verdict.value,
            "raw": cast("AIMessage", tally.message),
            "attempts": tally.attempts,
            "usage": tally.usage,
            "repairs": list(verdict.repairs),
        }
        return cast("T", result)

    def _read(self, value: Any, config: RunnableConfig) -> tuple[list[BaseMessage] | None, AIMessage | None]:
        """Tell a prompt from an answer; gives both where both are known."""
        if isinstance(value, AIMessage):
            prompt = None if self.llm is None else prompt_of(current_run(config), value.id)
            return prompt, to_message(value)
        if isinstance(value, Mapping) and set(value) == {"prompt", "completion"}:
            return _messages(value["prompt"]), to_message(value["completion"])
        if self.llm is not None:
            return _messages(value), None
        if isinstance(value, str):
            return None, AIMessage(value)
        raise InputTypeError(
            f"without llm= this parser reads a model's message or text, not a {type(value).__qualname__}"
        )

    @override
    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[T]:
        chunks = list(input)
        if chunks:
            yield from self.stream(_whole(chunks), config, **kwargs)

    @override
    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[T]:
        chunks = [chunk async for chunk in input]
        if chunks:
            async for item in self.astream(_whole(chunks), config, **kwargs):
                yield item

    # What is prepared belongs to the arguments: a copy with other arguments prepares its own.

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = copy.deepcopy(self) if deep else super().model_copy()
        return type(self)(**{**_arguments(copied), **(update or {})})

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return type(self)(**copy.deepcopy(_arguments(self), memo))

    @override
    def __getstate__(self) -> dict[Any, Any]:
        return _arguments(self)

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


def _arguments(parser: InstructorParser[Any]) -> dict[str, Any]:
    return {name: getattr(parser, name) for name in type(parser).model_fields}


def _check(settings: Mapping[str, Any]) -> None:
    """Refuse arguments that make no sense, by a typed error."""
    for name, kind in (("mode", Mode), ("repair", Repair), ("on_truncated", OnTruncated)):
        if settings[name] not in get_args(kind):
            raise ConfigurationError(f"{name} is one of {', '.join(get_args(kind))}")
    retries, budget = settings["max_retries"], settings["token_budget"]
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ConfigurationError("max_retries is a whole number, zero or more")
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget <= 0):
        raise ConfigurationError("token_budget is a whole number of tokens above zero, or None")
    if settings["llm"] is not None and not isinstance(settings["llm"], Runnable):
        raise ConfigurationError("llm is a chat model, or a Runnable that gives a model's message")
    if settings["hooks"] is not None:
        if settings["llm"] is None:
            raise ConfigurationError("hooks are told about calls, and without llm= there are none")
        if not hasattr(settings["hooks"], "emit_completion_error"):
            raise ConfigurationError("hooks is an instructor.core.hooks.Hooks")


def _messages(value: Any) -> list[BaseMessage]:
    if isinstance(value, PromptValue):
        return value.to_messages()
    if isinstance(value, BaseMessage):
        return [value]
    if isinstance(value, str):
        return convert_to_messages([value])
    if isinstance(value, Sequence) and value:
        try:
            return convert_to_messages(value)
        except (ValueError, NotImplementedError):
            pass
    raise InputTypeError(
        f"a prompt is a PromptValue, a text or a list of messages, not a {type(value).__qualname__}; an "
        'answer is a message of a model; both together are {"prompt": ..., "completion": ...}'
    )


def _whole(chunks: list[Any]) -> Any:
    """Put a stream together; a message keeps the id by which its prompt is found."""
    first, *rest = chunks
    if rest and all(isinstance(chunk, AIMessageChunk) for chunk in chunks):
        return add_ai_message_chunks(first, *rest)
    if rest and all(isinstance(chunk, str) for chunk in chunks):
        return "".join(chunks)
    for chunk in rest:
        try:
            first = first + chunk
        except TypeError:
            first = chunk
    return first

"""`InstructorParser`: a Runnable that turns a prompt, or a model's answer, into a validated object."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, Unpack, cast, overload

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.prompt_values import ChatPromptValueConcrete, StringPromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._runnable import StreamingRunnable
from langchain_prodkit._runs import watch_runs
from langchain_prodkit._steps import END, Next, Out, Steps, StreamSteps
from langchain_prodkit.parse.answer import Judge, OnTruncated
from langchain_prodkit.parse.patience import Packed, packed
from langchain_prodkit.parse.reask import Policy, Reask
from langchain_prodkit.parse.repair import Repair
from langchain_prodkit.parse.request import Mode, Requests, format_instructions, tool_name
from langchain_prodkit.parse.result import ParsedResult, ReaskBuilder
from langchain_prodkit.parse.settings import Settings, check, checked_model
from langchain_prodkit.parse.shape import Rules, Unfit, shape_of
from langchain_prodkit.parse.source import read_source
from langchain_prodkit.parse.streaming import Live, Stoppable, gathered, gives_items
from langchain_prodkit.parse.tally import Tally

if TYPE_CHECKING:
    from tenacity import BaseRetrying

    from langchain_prodkit.parse.repair import Reading
    from langchain_prodkit.parse.shape import Shape

__all__ = ["InstructorParser"]

T = TypeVar("T")


class InstructorParser(StreamingRunnable[Any, T], Generic[T]):
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
    model's, a `str`. Read as an answer: an `AIMessage`; without `llm` a `str` too; and with it a `str`
    that is word for word what the last model of the run wrote and holds a field of the response model
    (`prompt | llm | StrOutputParser() | parser`). To leave no doubt, give both as
    `{"prompt": ..., "completion": ...}`.

    `stream` and `astream` give the object while it is written, as `PartialStream` shows it, and last the
    validated one (with `include_raw` the `ParsedResult`). Only the last is an answer. When an answer does
    not fit, the partial ones that follow are those of the next. A response model `Iterable[M]` gives
    items instead, each validated and as soon as it is complete; an item that has left stays given: after
    a re-ask only those follow that are not equal to one given before. `list[M]` gives growing lists.
    """

    response_model: Any
    llm: Runnable[Any, Any] | None = None
    max_retries: Any = 2
    mode: Mode = "auto"
    strict: bool = False
    repair: Repair = "aligned"
    reask: Any = "last"
    token_budget: int | None = None
    on_truncated: OnTruncated = "raise"
    include_raw: bool = False
    hooks: Any = Field(default=None, repr=False)
    validation_context: Any = Field(default=None, repr=False)

    _shape: Shape = PrivateAttr()
    _rules: Rules = PrivateAttr()
    _judge: Judge = PrivateAttr()
    _requests: Requests | None = PrivateAttr(default=None)
    _policy: Policy = PrivateAttr()

    @overload
    def __init__(
        self: InstructorParser[ParsedResult],
        response_model: Any,
        *,
        include_raw: Literal[True],
        **settings: Unpack[Settings],
    ) -> None: ...
    @overload
    def __init__(
        self, response_model: type[T], *, include_raw: bool = False, **settings: Unpack[Settings]
    ) -> None: ...
    @overload
    def __init__(
        self: InstructorParser[Any],
        response_model: Any,
        *,
        include_raw: bool = False,
        **settings: Unpack[Settings],
    ) -> None: ...
    def __init__(
        self,
        response_model: Any,
        *,
        llm: Runnable[Any, Any] | None = None,
        max_retries: int | BaseRetrying = 2,
        mode: Mode = "auto",
        strict: bool = False,
        repair: Repair = "aligned",
        reask: Literal["last", "full"] | ReaskBuilder = "last",
        token_budget: int | None = None,
        on_truncated: OnTruncated = "raise",
        include_raw: bool = False,
        hooks: Any = None,
        validation_context: Mapping[str, Any] | None = None,
        name: str | None = None,
    ) -> None:
        """Prepare the response model once; no call is made.

        Args:
            response_model: A pydantic model, a TypedDict, a dataclass, `list[M]` or `Iterable[M]` (both
                give a list), `Maybe(M)` or `Partial[M]` of instructor (the latter ends in a whole `M`), a
                union, an enum, a `Literal`, or a simple type.
            llm: Answers and mends. Without it an answer that does not fit raises.
            max_retries: Re-asks after the first answer; 2 means at most 3 answers, a ready one
                included. Or a tenacity `Retrying` or `AsyncRetrying`: its stop, wait and retry hold,
                either of them in sync and async. Errors of the model are never retried here.
            mode: How the schema travels: as a tool, as a tool for each item of a list
                (`parallel_tools`), as `response_format` (`json_schema`; `json` with the schema in the
                prompt), or in the prompt alone (`text`). `auto` takes tools where the model has them,
                leaves the choice to a model that must not be forced, and changes to text once no tool
                call comes back; that is remembered for the model, whatever parser it is in.
            strict: Pydantic's strict mode: no value is converted to another type.
            repair: What may be mended without asking: `off`, JSON `syntax`, or values as well
                (`aligned`).
            reask: What a re-ask shows: the prompt and the last bad answer (`last`), the prompt and all
                of them (`full`), or what a `ReaskBuilder` makes of them.
            token_budget: No re-ask once the answers so far cost this many tokens; None for no limit.
                A model that reports no usage gets no re-ask.
            on_truncated: Whether an answer that was cut off at the length limit is an error at once
                (`raise`), asked for again (`reask`), or taken as far as it is whole where that fits
                (`partial`, named in `repairs`; else an error). A refusal is always an error at once.
            include_raw: Give a `ParsedResult` instead of the object; an error carries the last answer.
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
            "reask": reask,
            "token_budget": token_budget,
            "on_truncated": on_truncated,
            "include_raw": include_raw,
            "hooks": hooks,
            "validation_context": validation_context,
            "name": name,
        }
        check(settings)
        super().__init__(**settings)
        self._prepare()

    def _prepare(self) -> None:
        self._shape = shape_of(checked_model(self.response_model))
        rules = self._rules = Rules(strict=self.strict, context=self.validation_context)
        self._requests = None if self.llm is None else Requests(self._shape, self.llm, self.mode)
        name = None if self._requests is None else tool_name(self._shape)
        self._judge = Judge(self._shape, rules, self.repair, self.on_truncated, tool_name=name)
        self._policy = Policy(self.max_retries, self.reask, self.token_budget, self.hooks)
        watch_runs()

    def get_format_instructions(self) -> str:
        """Say in words what JSON is expected, for a prompt whose model is not asked by this parser."""
        return format_instructions(self._shape)

    def with_llm(self, llm: Runnable[Any, Any]) -> Self:
        """Give the same parser with another model to ask."""
        return self.model_copy(update={"llm": llm})

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
        return self._result((yield from self._asked(value, config, self._judge)))

    def _asked(self, value: Any, config: RunnableConfig, judge: Any, fetch: Any = None) -> Steps[Tally]:
        """Judge what came in, and ask for what did not."""
        prompt, ready = read_source(
            value, config, has_llm=self.llm is not None, is_answer=self._judge.is_answer
        )
        tally = Tally(judge, config, keeps_answer=self.include_raw)
        if ready is not None:
            yield from tally.take(ready, is_ready=True)
        if self._requests is not None and (ready is None or not tally.is_final):
            yield from Reask(
                self._requests, tally, self._policy, prompt=prompt, config=config, fetch=fetch
            ).steps()
        return tally

    @override
    def _transform_steps(self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]) -> StreamSteps[T]:
        first = yield Next(chunks)
        if first is END:
            return
        live = Live(self._shape, self._rules, self._judge, gives_items=gives_items(self.response_model))
        if isinstance(first, AIMessage) or (isinstance(first, str) and self.llm is None):
            live.begin(is_ready=True)
            value = yield from live.read(first, chunks)
        else:
            value = yield from gathered(first, chunks)
        tally = yield from self._asked(value, config, live, live.fetch)
        result = self._result(tally)
        if live.gives_items:
            for item in live.remaining(cast("Reading", tally.verdict).value):
                yield Out(item)
        if self.include_raw or not live.gives_items:
            yield Out(result)

    def _result(self, tally: Tally) -> T:
        """Give what the last answer came to, or raise."""
        verdict = tally.verdict
        if isinstance(verdict, Unfit):
            raise tally.error(calls=0 if self._requests is None else None)
        if not self.include_raw:
            return cast("T", verdict.value)
        result: ParsedResult = {
            "parsed": verdict.value,
            "raw": cast("AIMessage", tally.message),
            "attempts": tally.attempts,
            "failed_attempts": list(tally.failed_attempts),
            "usage": tally.usage,
            "repairs": list(verdict.repairs),
        }
        return cast("T", result)

    @override
    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[T]:
        source = Stoppable(input)
        stream = super().transform(source, config, **kwargs)
        try:
            # Not `yield from`, which would close the stream before its source.
            for item in stream:  # noqa: UP028
                yield item
        except GeneratorExit:
            source.stop()
            raise
        finally:
            cast("Any", stream).close()

    @override
    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[T]:
        source = Stoppable(input)
        stream = super().atransform(source, config, **kwargs)
        try:
            async for item in stream:
                yield item
        finally:
            await cast("Any", stream).aclose()
            await source.astop()

    # What is prepared belongs to the arguments: a copy with other arguments prepares its own.

    @override
    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = copy.deepcopy(self) if deep else super().model_copy()
        return type(self)(**{**_arguments(copied), **(update or {})})

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        twin = object.__new__(type(self))
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    @override
    def __getstate__(self) -> dict[Any, Any]:
        return {**_arguments(self), "max_retries": packed(self.max_retries)}

    @override
    def __setstate__(self, state: dict[Any, Any]) -> None:
        retries = state["max_retries"]
        if isinstance(retries, Packed):
            state = {**state, "max_retries": retries.unpacked()}
        self.__init__(**state)  # type: ignore[misc]


def _arguments(parser: InstructorParser[Any]) -> dict[str, Any]:
    return {name: getattr(parser, name) for name in type(parser).model_fields}

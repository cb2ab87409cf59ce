"""`OutputCheckRunnable`: an answer that fails a check does not reach the user unnoticed."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.utils import AddableDict
from pydantic import ValidationError
from typing_extensions import override

from langchain_prodkit._events import EVALUATED, Emit
from langchain_prodkit._runnable import StreamingRunnable
from langchain_prodkit._steps import END, Call, Next, Out, Steps, StreamSteps
from langchain_prodkit._text import leaves
from langchain_prodkit.errors import ConfigurationError, OutputError
from langchain_prodkit.evaluation.checks import Check, CheckOutcome, checked_names, run_checks
from langchain_prodkit.evaluation.plain import plain, plain_values, text_of
from langchain_prodkit.evaluation.record import Context, EvalRecord

__all__ = ["METADATA_KEY", "OutputCheckRunnable", "row_of"]

METADATA_KEY: Final = "prodkit_checks"
FALLBACK: Final = "I cannot give a reliable answer to that."

_ANSWERS: Final = ("answer", "output", "outputs", "response", "result", "parsed", "raw")
_CONTEXTS: Final = ("contexts", "context", "documents", "docs", "source_documents", "retrieved_context")
_QUESTIONS: Final = ("question", "input", "inputs", "query", "prompt")


class OutputCheckRunnable(StreamingRunnable[Any, Any]):
    """Runs checks on an answer before it goes on, and raises, marks or replaces it where one fails.

    ```python
    chain = (
        {"contexts": retriever, "question": RunnablePassthrough()}
        | RunnablePassthrough.assign(answer=prompt | model | StrOutputParser())
        | OutputCheckRunnable([NotEmpty(), GroundedNumbers()], on_failure="replace")
    )
    ```

    What it takes: a text; a message; a mapping with the answer (`answer`, `output`, `response`, `result`;
    a `ParsedResult` too) and, if it likes, `contexts` or `context` (documents or texts) and `question` or
    `input`; the state of an agent or a list of messages, whose last AI message is the answer and whose
    tool results are contexts; or any other object, whose fields are the answer. It gives what it took.

    A check that raises has failed. Checks with `is_quick = False` (those of `metric_check`) run in a
    thread when the chain is asynchronous.

    Streams: the answer is held back until it is whole and judged, then it leaves in the chunks in which
    it came; so nobody sees the first word early. With `on_failure="flag"` and `hold=False` chunks pass at
    once, and the verdict follows in the event and, among messages, in one more empty chunk.

    Raises:
        OutputError: A check failed and `on_failure` is `"raise"`; `reasons` are `name` or `name:code`.
    """

    checks: Any
    """The checks, each with a name of its own."""
    on_failure: Literal["raise", "flag", "replace"] = "raise"
    """`flag` lets the answer go on, with the verdict in the event and in
    `response_metadata["prodkit_checks"]` of a message. `replace` puts `fallback` in its place."""
    fallback: Any = FALLBACK
    """What stands for an answer that failed: a text, any other value, or a Runnable that is given the
    answer's value and makes another. A text keeps the shape: it becomes the content of a message, or the
    answer in a mapping."""
    hold: bool = True
    """Whether a stream waits for the verdict."""

    def __init__(self, checks: Sequence[Check] | None = None, **kwargs: Any) -> None:
        """Take the checks first, all else by name.

        Raises:
            ConfigurationError: There is no check, one is none, or the other arguments make no sense.
        """
        try:
            super().__init__(checks=list(checked_names(checks or ())), **kwargs)  # type: ignore[call-arg]
        except ValidationError as error:
            fields = ", ".join(sorted({str(e["loc"][0]) for e in error.errors(include_input=False)}))
            raise ConfigurationError(f"OutputCheckRunnable does not understand: {fields}") from None
        if not self.checks:
            raise ConfigurationError("OutputCheckRunnable needs at least one check")
        if not self.hold and self.on_failure != "flag":
            raise ConfigurationError("what has left cannot be taken back: hold=False needs on_failure='flag'")

    def check(self, value: Any) -> CheckOutcome:
        """Judge an answer and change nothing; a failure does not raise."""
        return run_checks(self.checks, row_of(value))

    async def acheck(self, value: Any) -> CheckOutcome:
        """Judge an answer from asynchronous code; see `check`."""
        if all(getattr(check, "is_quick", True) for check in self.checks):
            return self.check(value)
        return await asyncio.to_thread(self.check, value)

    def _judged(self, value: Any, config: RunnableConfig) -> Steps[CheckOutcome]:
        outcome: CheckOutcome = yield Call(self.check, self.acheck, value)
        data = {
            "passed": not outcome.failed,
            "failed": list(outcome.failed),
            "reasons": list(outcome.reasons),
            "errors": outcome.errors,
        }
        yield Emit(EVALUATED, data, config)
        if outcome.failed and self.on_failure == "raise":
            raise OutputError(reasons=outcome.reasons)
        return outcome

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        outcome = yield from self._judged(value, config)
        if not outcome.failed:
            return value
        if self.on_failure == "flag":
            return _with_answer(value, lambda answer: _flagged(answer, outcome))
        return (yield from self._replaced(value, config))

    def _replaced(self, value: Any, config: RunnableConfig) -> Steps[Any]:
        fallback = self.fallback
        if isinstance(fallback, Runnable):
            return (yield Call(fallback.invoke, fallback.ainvoke, value, config))
        if isinstance(fallback, str):
            return _with_answer(value, lambda answer: _refused(answer, fallback))
        return fallback

    @override
    def _transform_steps(
        self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> StreamSteps[Any]:
        held: list[Any] = []
        total: Any = None
        while (chunk := (yield Next(chunks))) is not END:
            total = chunk if total is None else _sum(total, chunk)
            if self.hold:
                held.append(chunk)
            else:
                yield Out(chunk)
        outcome = yield from self._judged(total, config)
        if outcome.failed and self.on_failure == "replace":
            yield Out((yield from self._replaced(total, config)))
            return
        for chunk in held:
            yield Out(chunk)
        if outcome.failed and isinstance(total, AIMessageChunk):
            yield Out(_flagged(AIMessageChunk(content="", id=total.id), outcome))


def row_of(value: Any) -> EvalRecord:
    """Read an answer, and what comes with it, as a row.

    Raises:
        InputTypeError: The answer holds something whose text cannot be found: nothing passes unread.
    """
    if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
        return _of_messages(value["messages"])
    if isinstance(value, list) and value and all(isinstance(item, BaseMessage) for item in value):
        return _of_messages(value)
    if isinstance(value, Mapping):
        key = _key(value, _ANSWERS)
        question = _key(value, _QUESTIONS)
        contexts = _key(value, _CONTEXTS)
        leaves(value if key is None else value[key])
        return EvalRecord(
            id="",
            input=None if question is None else plain(value[question]),
            output=plain(dict(value) if key is None else value[key]),
            contexts=() if contexts is None else tuple(_contexts(value[contexts])),
        )
    leaves(value)
    return EvalRecord(id="", output=plain(value))


def _key(value: Mapping[Any, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if value.get(name) is not None), None)


def _of_messages(messages: Sequence[Any]) -> EvalRecord:
    answers = [message for message in messages if isinstance(message, AIMessage)]
    asked = [message for message in messages if getattr(message, "type", "") == "human"]
    tools = [message for message in messages if getattr(message, "type", "") == "tool"]
    return EvalRecord(
        id="",
        input=plain(asked[-1]) if asked else None,
        output=plain(answers[-1]) if answers else None,
        contexts=tuple(Context(text_of(plain(message)), None, "tool") for message in tools),
    )


def _contexts(value: Any) -> list[Context]:
    if isinstance(value, Document):
        return [Context(value.page_content, value.id, "document", plain_values(value.metadata))]
    if isinstance(value, Mapping) and isinstance(value.get("page_content", value.get("text")), str):
        return [Context(str(value.get("page_content", value.get("text"))))]
    if isinstance(value, list | tuple):
        return [context for item in value for context in _contexts(item)]
    return [Context(text_of(plain(value)))]


def _with_answer(value: Any, change: Any) -> Any:
    """Change the answer where it stands and leave all else as it is."""
    if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
        return _put(value, "messages", _last_changed(value["messages"], change))
    if isinstance(value, list) and value and all(isinstance(item, BaseMessage) for item in value):
        return _last_changed(value, change)
    if isinstance(value, Mapping):
        key = _key(value, _ANSWERS)
        return change(value) if key is None else _put(value, key, change(value[key]))
    return change(value)


def _put(value: Mapping[Any, Any], key: str, item: Any) -> Any:
    changed: Any = copy.copy(value)
    changed[key] = item
    return changed


def _last_changed(messages: Sequence[Any], change: Any) -> list[Any]:
    at = max((n for n, message in enumerate(messages) if isinstance(message, AIMessage)), default=None)
    if at is None:
        return [*messages, change(AIMessage(""))]
    return [*messages[:at], change(messages[at]), *messages[at + 1 :]]


def _flagged(answer: Any, outcome: CheckOutcome) -> Any:
    if not isinstance(answer, BaseMessage):
        return answer
    verdict = {"failed": list(outcome.failed), "reasons": list(outcome.reasons)}
    metadata = {**answer.response_metadata, METADATA_KEY: verdict}
    return answer.model_copy(update={"response_metadata": metadata})


def _refused(answer: Any, fallback: str) -> Any:
    if not isinstance(answer, BaseMessage):
        return fallback
    update: dict[str, Any] = {"content": fallback, "additional_kwargs": {}}
    if isinstance(answer, AIMessage):
        update |= {"tool_calls": [], "invalid_tool_calls": []}
    if isinstance(answer, AIMessageChunk):
        update["tool_call_chunks"] = []
    return answer.model_copy(update=update)


def _sum(total: Any, chunk: Any) -> Any:
    """Add a chunk as langchain-core does: of what cannot be added, the last counts."""
    if type(total) is dict and type(chunk) is dict:
        total = AddableDict(total)
    try:
        return total + chunk
    except TypeError:
        return chunk

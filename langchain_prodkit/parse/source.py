"""What came into the parser: a prompt to ask with, an answer to judge, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, convert_to_messages
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.prompt_values import PromptValue

from langchain_prodkit._runs import answer_before, current_run, prompt_of
from langchain_prodkit.errors import InputTypeError
from langchain_prodkit.parse.answer import to_message

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

__all__ = ["joined", "read_source"]


def read_source(
    value: Any, config: RunnableConfig, *, has_llm: bool, is_answer: Callable[[str], bool]
) -> tuple[list[BaseMessage] | None, AIMessage | None]:
    """Tell a prompt from an answer; gives both where both are known, and None for what is not.

    A text beside an llm is a prompt, for one model may write the prompt of the next. It is an answer
    only if it is word for word what the last model of this run wrote, and `is_answer` says so too.

    Raises:
        InputTypeError: It is neither.
    """
    if isinstance(value, AIMessage):
        return _prompt_behind(value, config) if has_llm else None, to_message(value)
    if isinstance(value, Mapping) and set(value) == {"prompt", "completion"}:
        return _messages(value["prompt"]), to_message(value["completion"])
    if has_llm:
        if isinstance(value, str) and (answer := _just_written(value, config)) and is_answer(value):
            return prompt_of(current_run(config)), answer
        return _messages(value), None
    if isinstance(value, str):
        return None, AIMessage(value)
    raise InputTypeError(
        f"without llm= this parser reads a model's message or text, not a {type(value).__qualname__}"
    )


def _prompt_behind(answer: AIMessage, config: RunnableConfig) -> list[BaseMessage] | None:
    """Find the prompt of an answer; None rather than that of another answer."""
    run_id = current_run(config)
    last = answer_before(run_id)
    is_last = isinstance(last, AIMessage) and (last.content, last.tool_calls) == (
        answer.content,
        answer.tool_calls,
    )
    return prompt_of(run_id, answer.id, is_sure=not is_last)


def _just_written(text: str, config: RunnableConfig) -> AIMessage | None:
    """Find the message of this run that a `StrOutputParser` made the text of."""
    answer = answer_before(current_run(config))
    if answer is None or not text or str(answer.text) != text:
        return None
    return to_message(answer) if isinstance(answer, AIMessage) else None


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


def joined(chunks: list[Any]) -> Any:
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

"""The messages of a re-ask: the answer as the model gave it, what is wrong with it, and how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

if TYPE_CHECKING:
    from langchain_prodkit.parse.result import Failure

__all__ = ["instructed", "replay"]

MAX_REPLAYED_CHARS: Final = 20_000
"""A longer answer is shown in its beginning: a model that wrote megabytes will not read them again."""
_EXCERPT_CHARS: Final = 2_000


def replay(failure: Failure, how: str, *, has_prompt: bool = True) -> list[BaseMessage]:
    """Write the turns that show the model its answer, as it gave it, and what is wrong with it.

    Every tool call gets a result with its own id, before anything else is said; providers want that.
    Without a prompt there is no conversation to go on with, so the answer is quoted in the user's turn.
    """
    text = f"Your answer was not accepted:\n{failure.advice}\n{how}"
    message = failure.message
    calls: list[Any] = [*message.tool_calls, *message.invalid_tool_calls]
    if not has_prompt:
        shown = "\n".join(str(call["args"]) for call in calls) or str(message.text)
        answer = _sendable(shown) if len(shown) <= MAX_REPLAYED_CHARS else _excerpt(shown)
        return [HumanMessage(f"Your answer to an earlier question was:\n{answer}\n\n{text}")]
    if not calls and not str(message.text).strip():
        # Nothing was said; and providers take no turn that only thinks.
        return [HumanMessage(text)]
    if _size(message) > MAX_REPLAYED_CHARS:
        shown = str(message.text) or "\n".join(str(call["args"]) for call in calls)
        return [AIMessage(_excerpt(shown)), HumanMessage(text)]
    if not calls:
        return [_replayed(message, {}), HumanMessage(text)]
    # A model that gives no ids, or one id twice, gets ids that can be told apart.
    ids = [call.get("id") for call in calls]
    told = ids if all(ids) and len(set(ids)) == len(ids) else [f"call_{n}" for n in range(len(calls))]
    renamed: dict[str, Any] = {}
    if told != ids:
        valid = len(message.tool_calls)
        both = [{**call, "id": name} for call, name in zip(calls, told, strict=True)]
        renamed = {"tool_calls": both[:valid], "invalid_tool_calls": both[valid:]}
    return [
        _replayed(message, renamed),
        *(ToolMessage(text, tool_call_id=str(name), status="error") for name in told),
    ]


def instructed(turns: list[BaseMessage], instruction: str) -> list[BaseMessage]:
    """Add an instruction to the system message, or put one in front."""
    first, rest = turns[:1], turns[1:]
    if not first or not isinstance(first[0], SystemMessage):
        return [SystemMessage(instruction), *turns]
    content = first[0].content
    told: Any = (
        f"{content}\n\n{instruction}"
        if isinstance(content, str)
        else [*content, {"type": "text", "text": instruction}]
    )
    return [first[0].model_copy(update={"content": told}), *rest]


def _replayed(message: AIMessage, update: dict[str, Any]) -> AIMessage:
    """Give the message itself; a copy only where a provider could not be sent it."""
    for name in ("content", "tool_calls", "invalid_tool_calls"):
        value = update.get(name, getattr(message, name))
        if (sendable := _sendable(value)) != value:
            update = {**update, name: sendable}
    return message.model_copy(update=update) if update else message


def _sendable(value: Any) -> Any:
    """Replace lone surrogates, which no request can carry."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value
    if isinstance(value, dict):
        return {_sendable(key): _sendable(item) for key, item in value.items()}
    return [_sendable(item) for item in value] if isinstance(value, list) else value


def _excerpt(text: str) -> str:
    return f"{_sendable(text[:_EXCERPT_CHARS])} [...]"


def _size(value: Any) -> int:
    if isinstance(value, AIMessage):
        return sum(_size(part) for part in (value.content, value.tool_calls, value.invalid_tool_calls))
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(_size(key) + _size(item) for key, item in value.items())
    return sum(_size(item) for item in value) if isinstance(value, list) else 1

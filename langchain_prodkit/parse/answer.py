"""What a model's message says: its text or tool call, a refusal, a cut, and the tokens it cost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, final

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.messages.utils import message_chunk_to_message

from langchain_prodkit._extras import require
from langchain_prodkit.errors import InputTypeError
from langchain_prodkit.parse.repair import Reading, Repair, read
from langchain_prodkit.parse.shape import Unfit

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage
    from langchain_core.messages.ai import UsageMetadata

    from langchain_prodkit.parse.shape import Rules, Shape

__all__ = ["Judge", "OnTruncated", "completion", "cut_error", "has_tool_call", "replay", "to_message"]

OnTruncated = Literal["raise", "reask"]

_CUT: Final = frozenset({"length", "max_tokens", "MAX_TOKENS", "model_length"})
_REFUSED: Final = frozenset({"refusal", "content_filter", "SAFETY", "guardrail_intervened"})


def to_message(answer: Any) -> AIMessage:
    """Take what a model returned as a whole message.

    Raises:
        InputTypeError: It is no message of a model and no text.
    """
    if isinstance(answer, AIMessageChunk):
        whole = message_chunk_to_message(answer)
        if isinstance(whole, AIMessage):
            return whole
    if isinstance(answer, AIMessage):
        return answer
    if isinstance(answer, str):
        return AIMessage(answer)
    raise InputTypeError(f"the model gave a {type(answer).__qualname__}, not a message or a text")


@final
class Judge:
    """Decides on answers by one parser's settings; the same for every thread."""

    __slots__ = ("_on_truncated", "_repair", "_rules", "_shape")

    def __init__(self, shape: Shape, rules: Rules, repair: Repair, on_truncated: OnTruncated) -> None:
        """Hold the settings."""
        self._shape = shape
        self._rules = rules
        self._repair = repair
        self._on_truncated = on_truncated

    def verdict(self, message: AIMessage) -> Reading | Unfit:
        """Read the value out of an answer, or say why there is none."""
        if _is_refusal(message):
            return Unfit("The answer was a refusal.", reason="refused")
        if _is_cut(message):
            return Unfit(
                "The answer was cut off at the length limit; answer more briefly.", reason="truncated"
            )
        texts = _texts(message)
        if not texts:
            return Unfit("There was no answer.", reason="no_output")
        failure: Unfit | None = None
        # With several calls the last that fits wins, as with several blocks in a text.
        for text in reversed(texts):
            try:
                return read(text, self._shape, self._rules, self._repair)
            except Unfit as unfit:
                failure = failure or unfit
        assert failure is not None  # noqa: S101 - there was a text
        return failure

    def is_final(self, unfit: Unfit) -> bool:
        """Tell whether asking again is no use."""
        return unfit.reason == "refused" or (unfit.reason == "truncated" and self._on_truncated == "raise")


def has_tool_call(message: AIMessage) -> bool:
    """Tell whether the model called anything at all, even with broken arguments."""
    return bool(message.tool_calls or message.invalid_tool_calls)


def _texts(message: AIMessage) -> list[str]:
    calls = [json.dumps(call["args"], ensure_ascii=False) for call in message.tool_calls]
    calls += [call["args"] for call in message.invalid_tool_calls if call.get("args")]  # type: ignore[misc]
    text = str(message.text)
    return calls or ([text] if text.strip() else [])


def _reasons(message: AIMessage) -> set[Any]:
    told = message.response_metadata
    details = told.get("incomplete_details")
    reasons = {told.get(key) for key in ("finish_reason", "stop_reason", "done_reason", "stopReason")}
    if isinstance(details, dict) and details.get("reason") == "max_output_tokens":
        reasons.add("length")
    return reasons


def _is_cut(message: AIMessage) -> bool:
    return not _CUT.isdisjoint(_reasons(message))


def _is_refusal(message: AIMessage) -> bool:
    if message.additional_kwargs.get("refusal") or not _REFUSED.isdisjoint(_reasons(message)):
        return True
    return isinstance(message.content, list) and any(
        isinstance(block, dict) and block.get("type") == "refusal" for block in message.content
    )


def cut_error(error: Exception) -> AIMessage | None:
    """Read OpenAI's client errors that stand for an answer; None for every other error."""
    reasons = {"LengthFinishReasonError": "length", "ContentFilterFinishReasonError": "content_filter"}
    reason = reasons.get(type(error).__name__)
    if reason is None:
        return None
    usage = getattr(getattr(error, "completion", None), "usage", None)
    told: UsageMetadata | None = None
    if usage is not None:
        told = {
            "input_tokens": usage.prompt_tokens,
            "output_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
        }
    return AIMessage("", response_metadata={"finish_reason": reason}, usage_metadata=told)


def replay(message: AIMessage, advice: str, how: str) -> list[BaseMessage]:
    """Write the turns that show the model its answer, as it gave it, and what is wrong with it."""
    text = f"Your answer was not accepted:\n{advice}\n{how}"
    calls = [*message.tool_calls, *message.invalid_tool_calls]
    if calls and all(call.get("id") for call in calls):
        # Providers want one result for every call, before anything else is said.
        results = [ToolMessage(text, tool_call_id=str(call["id"]), status="error") for call in calls]
        return [message, *results]
    if not message.content and not calls:
        return [HumanMessage(text)]
    return [message, HumanMessage(text)]


def completion(message: AIMessage, usage: Any) -> Any:
    """Show a message to instructor in the one form that it reads, OpenAI's."""
    chat = require("openai.types.chat.chat_completion", extra="parse")
    messages = require("openai.types.chat.chat_completion_message", extra="parse")
    calls = require("openai.types.chat.chat_completion_message_function_tool_call", extra="parse")
    told = message.response_metadata
    shown = [
        calls.ChatCompletionMessageFunctionToolCall.model_construct(
            id=call.get("id") or "",
            type="function",
            function=calls.Function.model_construct(name=call.get("name") or "", arguments=arguments),
        )
        for call, arguments in [
            *((call, json.dumps(call["args"])) for call in message.tool_calls),
            *((call, call.get("args") or "") for call in message.invalid_tool_calls),
        ]
    ]
    return chat.ChatCompletion.model_construct(
        id=message.id or "",
        object="chat.completion",
        created=0,
        model=str(told.get("model_name") or told.get("model") or ""),
        choices=[
            chat.Choice.model_construct(
                index=0,
                finish_reason="tool_calls" if shown else "stop",
                message=messages.ChatCompletionMessage.model_construct(
                    role="assistant", content=str(message.text), tool_calls=shown or None, refusal=None
                ),
            )
        ],
        usage=_usage(usage),
    )


def _usage(usage: Any) -> Any:
    if not usage:
        return None
    kind = require("openai.types.completion_usage", extra="parse").CompletionUsage
    return kind.model_construct(
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        total_tokens=usage["total_tokens"],
    )

"""A model's message in the one form that instructor and its hooks read: OpenAI's."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import convert_to_openai_messages

from langchain_prodkit._extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.messages.ai import UsageMetadata

__all__ = ["STAND_IN", "as_completion", "as_dicts"]

STAND_IN: Final = SimpleNamespace(
    choices=[SimpleNamespace(finish_reason="stop", message=SimpleNamespace(role="assistant", content=""))],
    usage=None,
)
"""An answer that nobody looks at."""


def as_completion(message: AIMessage, usage: UsageMetadata | None) -> Any:
    """Show `message` as a `ChatCompletion` that cost `usage`."""
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


def as_dicts(turns: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Show messages as OpenAI's dictionaries; what has no such form is shown as its text."""
    shown: list[dict[str, Any]] = []
    for turn in turns:
        try:
            shown += convert_to_openai_messages([turn])
        except (ValueError, TypeError, KeyError):
            shown.append({"role": turn.type, "content": str(turn.text)})
    return shown


def _usage(usage: UsageMetadata | None) -> Any:
    if not usage:
        return None
    kind = require("openai.types.completion_usage", extra="parse").CompletionUsage
    return kind.model_construct(
        prompt_tokens=usage["input_tokens"],
        completion_tokens=usage["output_tokens"],
        total_tokens=usage["total_tokens"],
    )

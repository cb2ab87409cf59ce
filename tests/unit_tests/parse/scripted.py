"""Chat models whose answers a test writes, and which note what they were sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool

Answer = AIMessage | str | Exception
TOKENS = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


@dataclass
class Sent:
    """One request."""

    messages: list[BaseMessage]
    arguments: dict[str, Any]

    @property
    def tools(self) -> list[str]:
        """Names of the tools that came with it."""
        return [tool["function"]["name"] for tool in self.arguments.get("tools", [])]


@dataclass
class Script:
    """What to answer, in order, the last one for ever; or a function of the request."""

    answers: Sequence[Answer] | Callable[[Sent], Answer]
    sent: list[Sent] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def answer(self, messages: list[BaseMessage], arguments: dict[str, Any]) -> AIMessage:
        """Note the request and answer it."""
        request = Sent(list(messages), arguments)
        with self.lock:
            self.sent.append(request)
            number = len(self.sent) - 1
        if callable(self.answers):
            answer = self.answers(request)
        else:
            answer = self.answers[min(number, len(self.answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            answer = AIMessage(answer)
        return answer.model_copy(update={"usage_metadata": TOKENS})


class TextModel(BaseChatModel):
    """A model without tools."""

    script: Any

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = self.script.answer(messages, kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])


class ToolModel(TextModel):
    """A model with tools; `thinking` is set as Anthropic's models are."""

    thinking: dict[str, Any] | None = None

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[Any, AIMessage]:
        """Attach them as OpenAI's models do."""
        chosen = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **chosen, **kwargs)


def called(*calls: tuple[str, Any], text: str = "", ids: Sequence[str | None] | None = None) -> AIMessage:
    """Make a message that calls tools; arguments that are a text are broken ones."""
    names = ids or [f"call_{number}" for number in range(len(calls))]
    parts = [
        {"name": name, "args": args, "id": identifier}
        for (name, args), identifier in zip(calls, names, strict=True)
    ]
    return AIMessage(
        text,
        tool_calls=[part for part in parts if not isinstance(part["args"], str)],
        invalid_tool_calls=[
            {**part, "type": "invalid_tool_call", "error": None}
            for part in parts
            if isinstance(part["args"], str)
        ],
    )


def by_tool(value: Any) -> Callable[[Sent], Answer]:
    """Answer with `value` the way the request wants it: as a tool call, or as text."""

    def answer(request: Sent) -> Answer:
        return called((request.tools[0], value)) if request.tools else json.dumps(value)

    return answer

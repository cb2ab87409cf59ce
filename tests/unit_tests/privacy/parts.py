"""What the privacy tests share: a detector of listed names, and a model that shows what it saw."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from langchain_prodkit.privacy import Span

NAMES = ("Al", "Alan", "Alan Kay", "Art", "Ada Byron", "김철수", 'O\'Neil "Q" Zed', "Zoë\\Ray")


class NameDetector:
    """Finds the listed names wherever they stand, longest first, even inside words."""

    entities = ("PERSON",)

    def __init__(self, names: Sequence[str] = NAMES) -> None:
        """Take the names."""
        ordered = sorted(names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give every name."""
        return [[Span(m.start(), m.end(), "PERSON", 1.0) for m in self._pattern.finditer(t)] for t in texts]

    async def adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give every name."""
        return self.detect(texts)


class FailingDetector(NameDetector):
    """Fails with a message that repeats the text, as careless detectors do."""

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Fail."""
        msg = f"cannot read {texts[0]}"
        raise ValueError(msg)


class EchoModel(BaseChatModel):
    """Answers with what `reply` makes of the prompt; streams the pieces of `cut`."""

    reply: Callable[[list[BaseMessage]], AIMessage]
    cut: int = 3
    seen: list[list[BaseMessage]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "echo"

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.seen.append(messages)
        return ChatResult(generations=[ChatGeneration(message=self.reply(messages))])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        self.seen.append(messages)
        for chunk in pieces(self.reply(messages), self.cut):
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            yield chunk

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        """Bind tools as providers do."""
        return self.bind(tools=tools, **kwargs)

    @property
    def sent(self) -> str:
        """Everything that ever reached the model."""
        return repr(self.seen)


def echo(messages: list[BaseMessage]) -> AIMessage:
    """Answer with the last message."""
    return AIMessage(f"You said: {messages[-1].text}")


def pieces(message: AIMessage, size: int) -> Iterator[AIMessageChunk]:
    """Cut a message into chunks of `size` characters: its content, then the arguments of each tool call."""
    import json  # noqa: PLC0415 - only here

    text = message.text
    for at in range(0, len(text), size):
        yield AIMessageChunk(content=text[at : at + size])
    for index, call in enumerate(message.tool_calls):
        arguments = json.dumps(call["args"], ensure_ascii=False)
        for at in range(0, len(arguments), size):
            name, call_id = (call["name"], call["id"]) if at == 0 else (None, None)
            part = {"name": name, "id": call_id, "index": index, "type": "tool_call_chunk"}
            yield AIMessageChunk(
                content="",
                tool_call_chunks=[{**part, "args": arguments[at : at + size]}],
            )

"""Chat models that write their answer piece by piece, and note what became of the stream."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from tests.unit_tests.parse.scripted import TextModel, ToolModel


class StreamedTextModel(TextModel):
    """Streams its answers as text; `events` says what happened, in order."""

    size: int = 4
    events: list[str]
    fails_after: int | None = None

    def _pieces(self, messages: list[BaseMessage], arguments: dict[str, Any]) -> Iterator[AIMessageChunk]:
        message = self.script.answer(messages, arguments)
        for number, call in enumerate([*message.tool_calls, *message.invalid_tool_calls]):
            text = call["args"] if isinstance(call["args"], str) else json.dumps(call["args"])
            yield self._call(number, "", name=call["name"], identifier=call["id"])
            yield from (self._call(number, piece) for piece in self._cut(text))
        text = str(message.text)
        yield from (AIMessageChunk(content=piece) for piece in self._cut(text))
        yield AIMessageChunk(
            content="", usage_metadata=message.usage_metadata, response_metadata=message.response_metadata
        )

    def _call(
        self, number: int, args: str, *, name: str | None = None, identifier: Any = None
    ) -> AIMessageChunk:
        piece = tool_call_chunk(name=name, args=args, id=identifier, index=number)
        return AIMessageChunk(content="", tool_call_chunks=[piece])

    def _cut(self, text: str) -> list[str]:
        return [text[start : start + self.size] for start in range(0, len(text), self.size)]

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self.events.append("open")
        sent = 0
        try:
            for sent, piece in enumerate(self._pieces(messages, kwargs)):
                if sent == self.fails_after:
                    raise ConnectionError("the line went dead")
                yield ChatGenerationChunk(message=piece)
        finally:
            self.events.append(f"closed after {sent}")

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        pieces = self._stream(messages, stop, **kwargs)
        try:
            for piece in pieces:
                yield piece
        finally:
            pieces.close()  # type: ignore[attr-defined]


class StreamedToolModel(StreamedTextModel, ToolModel):
    """Streams its answers as tool calls where it has tools."""

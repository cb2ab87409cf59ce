"""Chat models of the parse benchmark that cost nothing: no network, no provider."""
# ruff: noqa: ARG002 - langchain-core hands more than a fake needs

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, ToolCallChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field, SkipValidation

__all__ = ["InstantChat", "StreamingChat", "chunks_of"]

CHUNK_CHARS: Final = 4
"""About what a provider sends at once."""


def chunks_of(text: str) -> list[str]:
    """Cut a text as a provider streams it."""
    return [text[at : at + CHUNK_CHARS] for at in range(0, len(text), CHUNK_CHARS)]


class InstantChat(BaseChatModel):
    """Answers at once, without a network: what is left of a call is what the others add."""

    value: dict[str, Any]

    @property
    def _llm_type(self) -> str:
        return "instant"

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Runnable[Any, AIMessage]:
        """Attach tools as OpenAI's models do."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        if tools := kwargs.get("tools"):
            call = {"name": tools[0]["function"]["name"], "args": self.value, "id": "call_1"}
            message = AIMessage("", tool_calls=[call])
        else:
            message = AIMessage(json.dumps(self.value))
        return ChatResult(generations=[ChatGeneration(message=message)])


class StreamingChat(InstantChat):
    """Streams a text in small chunks, and counts how many were drawn."""

    value: dict[str, Any] = Field(default_factory=dict)
    text: str
    drawn: SkipValidation[list[int]]
    """One number, to count up: the caller's own list, not a copy."""

    @property
    def chunks(self) -> int:
        """How many chunks the whole answer has."""
        return len(chunks_of(self.text))

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, **kwargs))

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        tools = kwargs.get("tools")
        for number, piece in enumerate(chunks_of(self.text)):
            self.drawn[0] += 1
            if tools:
                name, called = (tools[0]["function"]["name"], "call_1") if number == 0 else (None, None)
                call = ToolCallChunk(name=name, args=piece, id=called, index=0, type="tool_call_chunk")
                message = AIMessageChunk(content="", tool_call_chunks=[call])
            else:
                message = AIMessageChunk(content=piece)
            chunk = ChatGenerationChunk(message=message)
            if run_manager is not None:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, **kwargs):
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

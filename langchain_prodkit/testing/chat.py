"""`/v1/chat/completions`: answers as one object, or as the chunks of a stream."""

from __future__ import annotations

import math
import time
import zlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.testing.request import CHARS_PER_TOKEN, ChatRequest, parse_chat
from langchain_prodkit.testing.run import Result
from langchain_prodkit.testing.wire import DONE, dump, event, events_with

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_prodkit.testing.answers import Answer, ToolCall
    from langchain_prodkit.testing.faults import FaultKind
    from langchain_prodkit.testing.run import Run

FINGERPRINT: Final = "fp_prodkit"
_MAX_PIECES: Final = 2000


class ChatEndpoint:
    """`POST /v1/chat/completions`."""

    def parse(self, body: Any, run: Run) -> ChatRequest:  # noqa: ARG002 - the protocol's
        """Read and check a body."""
        return parse_chat(body)

    async def reply(self, request: ChatRequest, run: Run, fault: FaultKind | None) -> Result:
        """Answer, as one object or as events."""
        answers = [await run.answer(request, fault) for _ in range(request.choices)]
        answer_id = run.answers.next_id("chatcmpl-")
        events = body = None
        if request.is_stream:
            events = list(chunks(request, answers, answer_id, chunk_chars=run.settings.chunk_chars))
        else:
            body = dump(completion(request, answers, answer_id))
        return Result(
            body=body,
            events=events,
            summary="\n".join(answer.summary for answer in answers),
            prompt_tokens=request.prompt_tokens,
            completion_tokens=sum(answer.completion_tokens for answer in answers),
            fault=next((answer.fault for answer in answers if answer.fault), None),
        )


def completion(request: ChatRequest, answers: Sequence[Answer], answer_id: str) -> dict[str, Any]:
    """Put `answers` into one `chat.completion` object."""
    choices = [
        {
            "index": index,
            "message": _message(answer),
            "logprobs": _logprobs(answer.content, request.top_logprobs),
            "finish_reason": answer.finish_reason,
        }
        for index, answer in enumerate(answers)
    ]
    return {
        **_envelope(request, answer_id, "chat.completion"),
        "choices": choices,
        "usage": usage(request, answers),
    }


def chunks(
    request: ChatRequest, answers: Sequence[Answer], answer_id: str, *, chunk_chars: int
) -> Iterator[bytes]:
    """Put `answers` into the events of a stream, the last of them `[DONE]`."""
    envelope = _envelope(request, answer_id, "chat.completion.chunk")
    if request.include_usage:
        envelope["usage"] = None

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return event({**envelope, "choices": [choice]})

    for index, answer in enumerate(answers):
        yield chunk(
            index, {"role": "assistant", "content": None if answer.tool_calls else "", "refusal": None}
        )
        content = pieces(answer.content or "", chunk_chars)
        if request.top_logprobs is None:
            yield from events_with(partial(_text_chunk, chunk, index, "content"), content)
        else:
            for piece in content:
                yield chunk(index, {"content": piece}, logprobs=_logprobs(piece, request.top_logprobs))
        refusal = pieces(answer.refusal or "", chunk_chars)
        yield from events_with(partial(_text_chunk, chunk, index, "refusal"), refusal)
        for position, call in enumerate(answer.tool_calls):
            yield chunk(index, {"tool_calls": [{"index": position, **_call(call, arguments="")}]})
            arguments = pieces(call.arguments, chunk_chars)
            yield from events_with(partial(_call_chunk, chunk, index, position, call), arguments)
        yield chunk(index, {}, answer.finish_reason)
    if request.include_usage:
        yield event({**envelope, "choices": [], "usage": usage(request, answers)})
    yield DONE


def _text_chunk(chunk: Callable[..., bytes], index: int, key: str, piece: str) -> bytes:
    return chunk(index, {key: piece})


def _call_chunk(chunk: Callable[..., bytes], index: int, position: int, call: ToolCall, piece: str) -> bytes:
    key, field = ("custom", "input") if call.is_custom else ("function", "arguments")
    return chunk(index, {"tool_calls": [{"index": position, key: {field: piece}}]})


def pieces(text: str, chunk_chars: int) -> Iterator[str]:
    """Cut `text` into chunks of `chunk_chars`, longer ones when there would be thousands."""
    size = max(chunk_chars, len(text) // _MAX_PIECES)
    for start in range(0, len(text), size):
        yield text[start : start + size]


def usage(request: ChatRequest, answers: Sequence[Answer]) -> dict[str, Any]:
    """Count the tokens of a request and its answers."""
    completion_tokens = sum(answer.completion_tokens for answer in answers)
    return {
        "prompt_tokens": request.prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": request.prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def token_logprobs(text: str, alternatives: int) -> list[dict[str, Any]]:
    """Make log probabilities for each token of `text`: invented, but the same every time."""
    result = []
    for start in range(0, len(text), CHARS_PER_TOKEN):
        token = text[start : start + CHARS_PER_TOKEN]
        chance = 0.5 + zlib.crc32(token.encode("utf-8", "surrogatepass")) % 499 / 1000
        others = [
            _logprob(f"{token[::-1]}{rank}", (1 - chance) / 2**rank)
            for rank in range(1, max(1, alternatives))
        ]
        own = _logprob(token, chance)
        result.append({**own, "top_logprobs": [own, *others][:alternatives]})
    return result


def _logprob(token: str, chance: float) -> dict[str, Any]:
    raw = list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "logprob": round(math.log(chance), 6), "bytes": raw}


def _logprobs(text: str | None, alternatives: int | None) -> dict[str, Any] | None:
    if alternatives is None or not text:
        return None
    return {"content": token_logprobs(text, alternatives), "refusal": None}


def _envelope(request: ChatRequest, answer_id: str, kind: str) -> dict[str, Any]:
    return {
        "id": answer_id,
        "object": kind,
        "created": int(time.time()),
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": FINGERPRINT,
    }


def _message(answer: Answer) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": answer.content,
        "refusal": answer.refusal,
        "annotations": [],
    }
    if answer.tool_calls:
        message["tool_calls"] = [_call(call, arguments=call.arguments) for call in answer.tool_calls]
    return message


def _call(call: ToolCall, *, arguments: str) -> dict[str, Any]:
    if call.is_custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": arguments}}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}

"""`/v1/responses`: the same answers as the chat endpoint, in the shape of the Responses API."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.testing.chat import pieces, token_logprobs
from langchain_prodkit.testing.request import ChatRequest, checked_body, invalid, parse_chat
from langchain_prodkit.testing.run import Result
from langchain_prodkit.testing.wire import ProviderError, dump, event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_prodkit.testing.answers import Answer, ToolCall
    from langchain_prodkit.testing.faults import FaultKind
    from langchain_prodkit.testing.run import Run

_LOGPROBS: Final = "message.output_text.logprobs"
_PASSED_ON: Final = ("model", "parallel_tool_calls", "stream")
_ECHOED: Final = ("instructions", "max_output_tokens", "previous_response_id", "user", "max_tool_calls")


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """A request in both shapes: as it came, and as the chat endpoint would have it."""

    raw: dict[str, Any]
    chat: ChatRequest

    @property
    def model(self) -> str:
        """The model asked for."""
        return self.chat.model

    @property
    def charge(self) -> int:
        """Tokens taken off the limit on arrival."""
        return self.chat.charge


class ResponseEndpoint:
    """`POST /v1/responses`."""

    def parse(self, body: Any, run: Run) -> ResponseRequest:
        """Read and check a body, together with the conversation that it goes on with."""
        body = checked_body(body)
        earlier: tuple[dict[str, Any], ...] = ()
        if (previous := body.get("previous_response_id")) is not None:
            found = run.conversations.messages(str(previous))
            if found is None:
                raise ProviderError(
                    400,
                    "Previous response not found.",
                    code="previous_response_not_found",
                    param="previous_response_id",
                )
            earlier = found
        return ResponseRequest(raw=body, chat=parse_chat(_as_chat(body, earlier)))

    async def reply(self, request: ResponseRequest, run: Run, fault: FaultKind | None) -> Result:
        """Answer, as one object or as events."""
        answer = await run.answer(request.chat, fault)
        writer = Writer(request, answer, run)
        if request.raw.get("store") is not False:
            run.conversations.keep(writer.response_id, [*request.chat.messages, _said(answer)])
        events = body = None
        if request.chat.is_stream:
            events = list(writer.events(run.settings.chunk_chars))
        else:
            body = dump(writer.response(writer.output(), writer.status))
        return Result(
            summary=answer.summary,
            prompt_tokens=request.chat.prompt_tokens,
            completion_tokens=answer.completion_tokens,
            fault=answer.fault,
            body=body,
            events=events,
        )


class Writer:
    """Writes one answer as a response object or as the events that build it."""

    def __init__(self, request: ResponseRequest, answer: Answer, run: Run) -> None:
        """Give every part its id."""
        self._request = request
        self._answer = answer
        self._created_at = int(time.time())
        self.response_id = run.answers.next_id("resp_")
        self._message_id = run.answers.next_id("msg_")
        self._call_ids = [run.answers.next_id("fc_") for _ in answer.tool_calls]
        self.status = "incomplete" if answer.finish_reason in ("length", "content_filter") else "completed"

    def output(self) -> list[dict[str, Any]]:
        """Give the finished output items: the message if anything was said, then the calls."""
        items = []
        if self._answer.content is not None or self._answer.refusal is not None:
            items.append(self._message([self._part()], self.status))
        calls = zip(self._call_ids, self._answer.tool_calls, strict=True)
        return items + [_call_item(item_id, call, self.status) for item_id, call in calls]

    def response(self, output: list[dict[str, Any]], status: str) -> dict[str, Any]:
        """Give the response object in a given state."""
        raw, chat = self._request.raw, self._request.chat
        done = status != "in_progress"
        incomplete = {"length": "max_output_tokens", "content_filter": "content_filter"}
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self._created_at,
            "completed_at": int(time.time()) if status == "completed" else None,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": incomplete[self._answer.finish_reason]}
            if status == "incomplete"
            else None,
            **{name: raw.get(name) for name in _ECHOED},
            "metadata": raw.get("metadata") or {},
            "model": chat.model,
            "output": output,
            "parallel_tool_calls": chat.parallel_tool_calls,
            "reasoning": {"effort": None, "summary": None},
            "service_tier": "default",
            "store": raw.get("store") is not False,
            "temperature": raw.get("temperature", 1.0),
            "text": raw.get("text") or {"format": {"type": "text"}},
            "tool_choice": raw.get("tool_choice") or "auto",
            "tools": raw.get("tools") or [],
            "top_logprobs": chat.top_logprobs or 0,
            "top_p": raw.get("top_p", 1.0),
            "truncation": raw.get("truncation") or "disabled",
            "usage": self._usage() if done else None,
        }

    def events(self, chunk_chars: int) -> Iterator[bytes]:
        """Give the numbered events of a stream, from `created` to `completed` or `incomplete`."""
        numbers = itertools.count()
        for kind, fields in self._steps(chunk_chars):
            name = f"response.{kind}"
            yield event({"type": name, "sequence_number": next(numbers), **fields}, name=name)

    def _steps(self, chunk_chars: int) -> Iterator[tuple[str, dict[str, Any]]]:
        yield "created", {"response": self.response([], "in_progress")}
        yield "in_progress", {"response": self.response([], "in_progress")}
        output = self.output()
        for index, item in enumerate(output):
            if item["type"] == "message":
                yield from self._message_steps(index, item, chunk_chars)
            else:
                yield from _call_steps(index, item, chunk_chars)
        yield self.status, {"response": self.response(output, self.status)}

    def _message_steps(
        self, index: int, item: dict[str, Any], chunk_chars: int
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        where = {"item_id": self._message_id, "output_index": index, "content_index": 0}
        part = item["content"][0]
        is_refusal = part["type"] == "refusal"
        key, kind = ("refusal", "refusal") if is_refusal else ("text", "output_text")
        empty = {**part, key: "", **({} if is_refusal else {"logprobs": []})}
        yield "output_item.added", {"output_index": index, "item": self._message([], "in_progress")}
        yield "content_part.added", {**where, "part": empty}
        for piece in pieces(part[key], chunk_chars):
            extra = {} if is_refusal else {"logprobs": self._logprobs(piece)}
            yield f"{kind}.delta", {**where, "delta": piece, **extra}
        extra = {} if is_refusal else {"logprobs": part["logprobs"]}
        yield f"{kind}.done", {**where, key: part[key], **extra}
        yield "content_part.done", {**where, "part": part}
        yield "output_item.done", {"output_index": index, "item": item}

    def _message(self, content: list[dict[str, Any]], status: str) -> dict[str, Any]:
        return {
            "type": "message",
            "id": self._message_id,
            "status": status,
            "role": "assistant",
            "content": content,
        }

    def _part(self) -> dict[str, Any]:
        if self._answer.refusal is not None:
            return {"type": "refusal", "refusal": self._answer.refusal}
        text = self._answer.content or ""
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": self._logprobs(text)}

    def _logprobs(self, text: str) -> list[dict[str, Any]]:
        wanted = self._request.chat.top_logprobs
        return [] if wanted is None else token_logprobs(text, wanted)

    def _usage(self) -> dict[str, Any]:
        prompt, said = self._request.chat.prompt_tokens, self._answer.completion_tokens
        return {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + said,
        }


def _call_item(item_id: str, call: ToolCall, status: str) -> dict[str, Any]:
    kind, key = ("custom_tool_call", "input") if call.is_custom else ("function_call", "arguments")
    return {
        "type": kind,
        "id": item_id,
        "call_id": call.id,
        "name": call.name,
        key: call.arguments,
        "status": status,
    }


def _call_steps(index: int, item: dict[str, Any], chunk_chars: int) -> Iterator[tuple[str, dict[str, Any]]]:
    is_custom = item["type"] == "custom_tool_call"
    key, kind = ("input", "custom_tool_call_input") if is_custom else ("arguments", "function_call_arguments")
    where = {"item_id": item["id"], "output_index": index}
    yield "output_item.added", {"output_index": index, "item": {**item, key: "", "status": "in_progress"}}
    for piece in pieces(item[key], chunk_chars):
        yield f"{kind}.delta", {**where, "delta": piece}
    yield f"{kind}.done", {**where, key: item[key], "name": item["name"]}
    yield "output_item.done", {"output_index": index, "item": item}


def _as_chat(body: dict[str, Any], earlier: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """Write a Responses body the way the chat endpoint takes it."""
    chat: dict[str, Any] = {name: body[name] for name in _PASSED_ON if name in body}
    messages = list(earlier) + _messages(body.get("input"))
    if body.get("instructions"):
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    chat["messages"] = messages
    # What the provider runs itself (search, code) has nothing to run on here.
    tools = [
        t for t in _list(body, "tools") if isinstance(t, dict) and t.get("type") in ("function", "custom")
    ]
    if tools:
        chat["tools"] = [{"type": tool["type"], tool["type"]: _without_type(tool)} for tool in tools]
    chat["tool_choice"] = _tool_choice(body.get("tool_choice")) if tools else None
    text = body.get("text")
    form = text.get("format") if isinstance(text, dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema":
        form = {"type": "json_schema", "json_schema": _without_type(form)}
    chat["response_format"] = form
    chat["max_tokens"] = body.get("max_output_tokens")
    chat["logprobs"] = _LOGPROBS in _list(body, "include") or bool(body.get("top_logprobs"))
    chat["top_logprobs"] = body.get("top_logprobs")
    return {name: value for name, value in chat.items() if value is not None}


def _messages(value: Any) -> list[dict[str, Any]]:
    """Turn input items into messages; calls that follow one another share one message."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise invalid("input", "a string or an array of input items")
    messages: list[dict[str, Any]] = []
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise invalid(f"input[{index}]", "an object")
        kind = item.get("type", "message")
        if kind == "message":
            messages.append({"role": item.get("role"), "content": item.get("content")})
        elif kind in ("function_call", "custom_tool_call"):
            call = _call(item)
            if messages and "tool_calls" in messages[-1]:
                messages[-1]["tool_calls"].append(call)
            else:
                messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind in ("function_call_output", "custom_tool_call_output"):
            content = item.get("output")
            messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
    return messages


def _call(item: dict[str, Any]) -> dict[str, Any]:
    function = {"name": item.get("name"), "arguments": item.get("arguments", item.get("input"))}
    return {"id": item.get("call_id"), "type": "function", "function": function}


def _tool_choice(choice: Any) -> Any:
    if isinstance(choice, dict) and choice.get("type") in ("function", "custom"):
        return {"type": choice["type"], choice["type"]: _without_type(choice)}
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        return {"type": "allowed_tools", "allowed_tools": _without_type(choice)}
    return "auto" if isinstance(choice, dict) else choice


def _said(answer: Answer) -> dict[str, Any]:
    """Give the assistant message to remember."""
    message: dict[str, Any] = {"role": "assistant", "content": answer.content or answer.refusal}
    if answer.tool_calls:
        calls = ({"call_id": c.id, "name": c.name, "arguments": c.arguments} for c in answer.tool_calls)
        message["tool_calls"] = [_call(call) for call in calls]
    return message


def _without_type(value: dict[str, Any]) -> dict[str, Any]:
    return {name: inner for name, inner in value.items() if name != "type"}


def _list(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    return value if isinstance(value, list) else []

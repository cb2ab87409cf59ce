"""What the provider answers: what a script says, or else something sensible and always the same."""

from __future__ import annotations

import inspect
import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from langchain_prodkit.testing.faults import Spoil, is_json, spoil
from langchain_prodkit.testing.request import CHARS_PER_TOKEN, text_of, tokens_in
from langchain_prodkit.testing.schema import Filler, Hints, fill_schema
from langchain_prodkit.testing.wire import ProviderError, dump_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_prodkit.testing.request import ChatRequest, Tool

Reply: TypeAlias = "str | dict[str, Any] | None"
Script: TypeAlias = "Callable[[dict[str, Any]], Any] | Sequence[Any] | Mapping[str, Any]"
"""What to answer.

A function from the request body to a reply (it may be async, and runs on the server's own loop); a
sequence of replies or functions, used in turn and then from the start again; or a mapping from a
regular expression to a reply or function, where the first one found in the user's last message
counts. The body always has the form of a chat request (`messages`, `tools`, `response_format`),
whichever endpoint was called.

A reply is the content as a string; a whole message as a dict with any of `content`, `tool_calls`
(full form, or just `name` and `arguments` as a dict), `refusal`, `finish_reason`; any other dict,
which is answered as JSON; or None for the answer given without a script.
"""

_MESSAGE_KEYS: Final = frozenset({"content", "tool_calls", "refusal", "finish_reason"})
_ECHO_CHARS: Final = 4000
_MAX_BRACES: Final = 200


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool."""

    name: str
    arguments: str
    """JSON text, or the free text of a custom tool."""
    id: str
    is_custom: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """One choice, before it is put into the form of an endpoint."""

    content: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    refusal: str | None = None
    finish_reason: str = "stop"
    fault: Spoil | None = None
    """How its JSON was broken on purpose."""

    @property
    def completion_tokens(self) -> int:
        """Tokens of everything the model said."""
        calls = sum(tokens_in(call.name + call.arguments) for call in self.tool_calls)
        return tokens_in(self.content or "") + tokens_in(self.refusal or "") + calls

    @property
    def summary(self) -> str:
        """What the model said, in one string, for the journal."""
        calls = (f"{call.name}({call.arguments})" for call in self.tool_calls)
        return "\n".join(part for part in (self.content, self.refusal, *calls) if part)

    @property
    def is_json(self) -> bool:
        """True when a spoil can be applied: JSON content, or tool calls with arguments."""
        return bool(self.tool_calls) or is_json(self.content)

    def spoiled(self, kind: Spoil) -> Answer:
        """Give the same answer with its JSON broken."""
        calls = tuple(
            replace(call, arguments=spoil(call.arguments, kind)) if is_json(call.arguments) else call
            for call in self.tool_calls
        )
        content = spoil(self.content, kind) if self.content and is_json(self.content) else self.content
        return replace(self, content=content, tool_calls=calls, fault=kind)

    def bounded(self, request: ChatRequest) -> Answer:
        """Apply `stop` and `max_tokens` as a provider does, and say so in `finish_reason`."""
        content = self.content
        if content and request.stop:
            ends = [end for end in (content.find(stop) for stop in request.stop) if end >= 0]
            content = content[: min(ends)] if ends else content
        result = replace(self, content=content)
        if request.max_tokens is None or result.completion_tokens <= request.max_tokens:
            return result
        room = request.max_tokens * CHARS_PER_TOKEN
        content = content[:room] if content else content
        room -= len(content or "")
        calls = []
        for call in self.tool_calls:
            if (room := room - len(call.name)) <= 0:
                break
            calls.append(replace(call, arguments=call.arguments[:room]))
            room -= len(call.arguments)
        refusal = self.refusal[:room] if self.refusal else self.refusal
        return replace(
            self, content=content, tool_calls=tuple(calls), refusal=refusal, finish_reason="length"
        )


class Answers:
    """The answering side of one run of the server: a script and the ids it hands out."""

    def __init__(self, script: Script | None) -> None:
        """Start `script` at its beginning."""
        self._ids = itertools.count(1)
        self._rules: list[tuple[re.Pattern[str], Any]] = []
        self._turns: Iterator[Any] | None = None
        self._function: Callable[[dict[str, Any]], Any] | None = None
        if isinstance(script, Mapping):
            self._rules = [(re.compile(pattern), reply) for pattern, reply in script.items()]
        elif callable(script):
            self._function = script
        elif script is not None:
            self._turns = itertools.cycle((script,) if isinstance(script, str) else tuple(script))

    def next_id(self, prefix: str) -> str:
        """Give an id nobody had before in this run."""
        return f"{prefix}{next(self._ids):024x}"

    async def answer(self, request: ChatRequest) -> Answer:
        """Ask the script, and where it says nothing, answer from the request alone.

        Raises:
            ProviderError: The script raised: 500, and the client is told not to retry. Or a schema
                makes no sense: 400.
        """
        try:
            reply = await self._scripted(request)
            answer = None if reply is None else self._read(reply, request)
        except Exception as error:
            message = f"The script of this test server raised {type(error).__name__}."
            raise ProviderError(500, message, kind="script_error", code="script_error") from error
        if answer is not None:
            return answer
        try:
            return self._unscripted(request)
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            raise ProviderError(400, "Invalid schema for a function or the response format.") from None

    async def _scripted(self, request: ChatRequest) -> Any:
        reply: Any = self._function
        if self._turns is not None:
            reply = next(self._turns, None)
        elif self._rules:
            text = request.last_text
            reply = next((reply for pattern, reply in self._rules if pattern.search(text)), None)
        if callable(reply):
            reply = reply(request.body)
        return await reply if inspect.isawaitable(reply) else reply

    def _read(self, reply: Any, request: ChatRequest) -> Answer:
        """Understand what a script returned."""
        if isinstance(reply, str):
            return Answer(content=reply)
        if not isinstance(reply, dict):
            message = "a script returns a string, a dict or None"
            raise TypeError(message)
        if not _MESSAGE_KEYS & reply.keys():
            return Answer(content=dump_text(reply))
        custom = {tool.name for tool in request.tools if tool.is_custom}
        calls = tuple(self._read_call(call, custom) for call in reply.get("tool_calls") or ())
        content = reply.get("content")
        if isinstance(content, dict | list):
            content = dump_text(content)
        return Answer(
            content=content,
            tool_calls=calls,
            refusal=reply.get("refusal"),
            finish_reason=reply.get("finish_reason") or ("tool_calls" if calls else "stop"),
        )

    def _read_call(self, call: dict[str, Any], custom: set[str]) -> ToolCall:
        inner = call.get("function") or call.get("custom") or call
        arguments = inner.get("arguments", inner.get("args", inner.get("input", {})))
        return ToolCall(
            name=inner["name"],
            arguments=arguments if isinstance(arguments, str) else dump_text(arguments),
            id=call.get("id") or self.next_id("call_"),
            is_custom=inner["name"] in custom,
        )

    def _unscripted(self, request: ChatRequest) -> Answer:
        chosen = _chosen_tools(request)
        if chosen:
            hints = Hints.of(request.last_text)
            calls = tuple(self._call(tool, hints) for tool in chosen)
            return Answer(tool_calls=calls, finish_reason="tool_calls")
        if request.format == "json_schema":
            return Answer(content=dump_text(fill_schema(request.schema or {}, request.last_text)))
        schema = _schema_in_prompt(request)
        if schema is not None:
            return Answer(content=dump_text(fill_schema(schema, request.last_text)))
        if request.format == "json_object":
            return Answer(content=dump_text(_free_object(request)))
        return Answer(content=_prose(request))

    def _call(self, tool: Tool, hints: Hints) -> ToolCall:
        if tool.is_custom:
            arguments = hints.text
        else:
            filled = Filler({"type": "object", **tool.parameters}, hints).fill()
            arguments = dump_text(filled)
        return ToolCall(tool.name, arguments, self.next_id("call_"), is_custom=tool.is_custom)


def _chosen_tools(request: ChatRequest) -> list[Tool]:
    """Choose as a sensible model would: the tools named in the prompt, else the first one.

    After a tool's result nothing is called unless the caller insists.
    """
    if not request.tools or request.tool_choice == "none":
        return []
    if request.tool_choice not in ("auto", "required"):
        return [tool for tool in request.tools if tool.name == request.tool_choice][:1]
    if request.tool_choice == "auto" and request.messages[-1].get("role") in ("tool", "function"):
        return []
    text = request.last_text
    named = [tool for tool in request.tools if re.search(rf"\b{re.escape(tool.name)}\b", text)]
    chosen = named or list(request.tools[:1])
    return chosen if request.parallel_tool_calls else chosen[:1]


def _prose(request: ChatRequest) -> str:
    last = request.messages[-1]
    if last.get("role") in ("tool", "function"):
        return f"According to the tool: {text_of(last.get('content'))[:_ECHO_CHARS]}"
    return f"You said: {request.last_text[:_ECHO_CHARS]}"


def _schema_in_prompt(request: ChatRequest) -> dict[str, Any] | None:
    """Find a JSON schema that the prompt asks to follow, as parsers without a JSON mode write it.

    The last one counts: format instructions begin with an example of what a schema is.
    """
    for message in reversed(request.messages):
        text = text_of(message.get("content"))
        found = [value for value in _objects(text) if isinstance(value.get("properties"), dict)]
        if found:
            return found[-1]
    return None


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Give the JSON objects that stand in a text, the outermost ones, as long as it is not absurd."""
    if '"properties"' not in text:
        return
    decoder = json.JSONDecoder()
    start = text.find("{")
    for _ in range(_MAX_BRACES):
        if start < 0:
            return
        try:
            value, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            yield value
        start = text.find("{", end)


def _free_object(request: ChatRequest) -> dict[str, Any]:
    """Make an object with the keys that the prompt quotes, or a single one."""
    prompt = "\n".join(text_of(message.get("content")) for message in request.messages[-4:])
    names = [word for word in Hints.of(prompt).quoted if re.fullmatch(r"[A-Za-z_]\w{0,40}", word)]
    return dict.fromkeys(names or ["answer"], request.last_text[:200])

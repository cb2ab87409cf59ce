"""What a caller asks for, read from the body of a chat request and checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_prodkit.testing.wire import ProviderError, dump_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CHARS_PER_TOKEN: Final = 4
"""The provider's rule of thumb, and this server's whole tokenizer: a token is four characters."""
_MAX_CHOICES: Final = 128
_MAX_TOP_LOGPROBS: Final = 20


def tokens_in(text: str) -> int:
    """Count tokens, rounded up."""
    return -(-len(text) // CHARS_PER_TOKEN)


def text_of(content: Any) -> str:
    """Read the text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "\n".join(_part_text(part) for part in content)


def _part_text(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict):
        for key in ("text", "refusal", "output"):
            if isinstance(part.get(key), str):
                return str(part[key])
    return ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON schema of its arguments."""
    is_custom: bool = False
    """True for a custom tool, which takes free text instead of arguments."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One request for an answer, whichever endpoint it came through."""

    body: dict[str, Any]
    """The request as the chat endpoint takes it; what a script is given."""
    model: str
    messages: tuple[dict[str, Any], ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"
    """`auto`, `none`, `required`, or the name of the tool to call."""
    parallel_tool_calls: bool = True
    format: Literal["text", "json_object", "json_schema"] = "text"
    schema: Mapping[str, Any] | None = None
    choices: int = 1
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    is_stream: bool = False
    include_usage: bool = False
    top_logprobs: int | None = None
    """How many alternatives to give with each token; None for no logprobs at all."""
    prompt_tokens: int = 0

    @property
    def charge(self) -> int:
        """Tokens taken off the limit on arrival: the prompt, and all it may answer."""
        return self.prompt_tokens + (self.max_tokens or 0) * self.choices

    @property
    def last_text(self) -> str:
        """What the user said last."""
        for message in reversed(self.messages):
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return text_of(self.messages[-1].get("content")) if self.messages else ""


def parse_chat(body: Any) -> ChatRequest:
    """Read a body of `/v1/chat/completions`.

    Raises:
        ProviderError: 400 with the name of the parameter at fault.
    """
    body = checked_body(body)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise invalid("messages", "a non-empty array of messages")
    for index, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise invalid(f"messages[{index}]", "an object with a role")
    tools = tuple(_tool(tool, index) for index, tool in enumerate(_list(body, "tools")))
    kind, schema = _format(body.get("response_format"))
    stop = body.get("stop") or ()
    options = body.get("stream_options")
    return ChatRequest(
        body=body,
        model=model_of(body),
        messages=tuple(messages),
        tools=tools,
        tool_choice=_tool_choice(body.get("tool_choice"), tools),
        parallel_tool_calls=body.get("parallel_tool_calls") is not False,
        format=kind,
        schema=schema,
        choices=integer(body, "n", low=1, high=_MAX_CHOICES) or 1,
        max_tokens=integer(body, "max_completion_tokens", low=1) or integer(body, "max_tokens", low=1),
        stop=tuple(s for s in ((stop,) if isinstance(stop, str) else stop) if isinstance(s, str) and s),
        is_stream=body.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
        top_logprobs=(integer(body, "top_logprobs", low=0, high=_MAX_TOP_LOGPROBS) or 0)
        if body.get("logprobs")
        else None,
        prompt_tokens=tokens_in("".join(_charged(messages, body.get("tools")))),
    )


def invalid(param: str, expected: str) -> ProviderError:
    """Build the 400 for a parameter that is not what it should be; the value is not repeated."""
    return ProviderError(400, f"Invalid type or value for '{param}': expected {expected}.", param=param)


def _charged(messages: list[Any], tools: Any) -> Iterator[str]:
    """Give the text of a prompt that counts: contents, calls and tool definitions."""
    for message in messages:
        yield text_of(message.get("content"))
        if calls := message.get("tool_calls"):
            yield dump_text(calls)
    if tools:
        yield dump_text(tools)


def checked_body(body: Any) -> dict[str, Any]:
    """Require a JSON object."""
    if not isinstance(body, dict):
        raise ProviderError(400, "The request body must be a JSON object.")
    return body


def model_of(body: dict[str, Any]) -> str:
    """Read the name of the model, which every request but a moderation must have."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise ProviderError(400, "you must provide a model parameter")
    return model


def _list(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name) or []
    if not isinstance(value, list):
        raise invalid(name, "an array")
    return value


def integer(body: dict[str, Any], name: str, *, low: int, high: int | None = None) -> int | None:
    """Read an optional integer between `low` and `high`."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < low or (high and value > high):
        raise invalid(name, f"an integer from {low}" + (f" to {high}" if high else ""))
    return value


def _tool(tool: Any, index: int) -> Tool:
    inner = tool.get(tool.get("type", "function")) if isinstance(tool, dict) else None
    if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
        raise invalid(f"tools[{index}]", "a function with a name")
    parameters = inner.get("parameters")
    return Tool(
        name=inner["name"],
        parameters=parameters if isinstance(parameters, dict) else {},
        is_custom=tool.get("type") == "custom",
    )


def _tool_choice(choice: Any, tools: tuple[Tool, ...]) -> str:
    if choice is None:
        return "auto" if tools else "none"
    if isinstance(choice, dict):
        if choice.get("type") == "allowed_tools":
            allowed = choice.get("allowed_tools")
            return str(allowed.get("mode", "auto")) if isinstance(allowed, dict) else "auto"
        inner = choice.get(str(choice.get("type")))
        name = inner.get("name") if isinstance(inner, dict) else None
        if name not in {tool.name for tool in tools}:
            raise invalid("tool_choice", "the name of one of the tools")
        return str(name)
    if choice not in ("auto", "none", "required"):
        raise invalid("tool_choice", "'none', 'auto', 'required' or an object")
    if choice == "required" and not tools:
        raise invalid("tool_choice", "tools to choose from")
    return str(choice)


def _format(value: Any) -> tuple[Literal["text", "json_object", "json_schema"], Mapping[str, Any] | None]:
    if value is None:
        return "text", None
    if not isinstance(value, dict):
        raise invalid("response_format", "an object")
    kind = value.get("type")
    if kind == "json_schema":
        inner = value.get("json_schema")
        if not isinstance(inner, dict) or not isinstance(inner.get("name"), str):
            raise invalid("response_format.json_schema", "an object with a name and a schema")
        schema = inner.get("schema")
        return "json_schema", schema if isinstance(schema, dict) else {}
    if kind == "json_object":
        return "json_object", None
    if kind != "text":
        raise invalid("response_format.type", "'text', 'json_object' or 'json_schema'")
    return "text", None

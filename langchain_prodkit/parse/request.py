"""How an answer is asked for: instructor's schema for the provider, and the model bound to it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Union, cast, get_args, get_origin

from pydantic import create_model

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.parse.ability import LEARNED, LEVELS, Level, declared, is_thinking, rejects_tools
from langchain_prodkit.parse.answer import item_types
from langchain_prodkit.parse.binding import calls_tools, is_dynamic, leaves, refit
from langchain_prodkit.parse.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_prodkit.parse.shape import Shape

__all__ = ["Form", "Mode", "Requests", "format_instructions", "tool_name"]

Mode = Literal["auto", "tools", "json_schema", "json", "text", "parallel_tools"]

_NAME_CHARS: Final = 64
"""What OpenAI allows a tool's name to be long."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which a schema travels."""

    mode: Mode
    """Any but `auto`."""
    is_forced: bool = False
    """Whether the model must call the tool."""

    @property
    def has_tools(self) -> bool:
        """Whether the schema travels as a tool."""
        return self.mode in {"tools", "parallel_tools"}

    @property
    def has_instruction(self) -> bool:
        """Whether the schema stands in the prompt."""
        return self.mode in {"json", "text"}


class Requests:
    """The requests of one parser: its schema and its bound models, made once."""

    def __init__(self, shape: Shape, llm: Runnable[Any, Any], mode: Mode) -> None:
        """Prepare the schema as instructor makes it.

        Raises:
            MissingExtraError: The extra `parse` is not installed.
            ConfigurationError: `mode` asks for tools of a model that has none, or for parallel tools
                with a type that is no list of models.
        """
        self.llm = llm
        self._mode: Mode = mode
        self._is_dynamic = is_dynamic(llm)
        self.tools = _parallel(shape) if mode == "parallel_tools" else [_tool(shape)]
        self.instruction = format_instructions(shape)
        if mode in {"tools", "parallel_tools"} and not self._is_dynamic and not calls_tools(llm):
            raise ConfigurationError(
                f'mode="{mode}" needs a chat model with bind_tools; leave mode="auto", or take '
                '"json_schema", "json" or "text"'
            )
        self._bound: dict[Form, Runnable[Any, Any]] = {}

    def form(self, config: RunnableConfig | None = None) -> Form:
        """Choose how to ask, by what is known of the model that will answer."""
        if self._mode in {"json_schema", "json", "text"}:
            return Form(self._mode)
        level = self._level(config)
        if self._mode != "auto":
            return Form(self._mode, is_forced=level == "forced")
        return Form("text") if level == "none" else Form("tools", is_forced=level == "forced")

    def bound(self, form: Form, config: RunnableConfig | None = None) -> Runnable[Any, Any]:
        """Give the model with the schema attached."""
        if (bound := self._bound.get(form)) is None:
            bound = self._attached(form, config)
            if not self._is_dynamic:
                self._bound[form] = bound
        return bound

    def arguments(self, form: Form) -> dict[str, Any]:
        """Say what goes with the messages, in OpenAI's words."""
        if form.has_tools:
            choice: Any = "auto"
            if form.is_forced:
                function = {"name": self.tools[0]["function"]["name"]}
                choice = {"type": "function", "function": function} if form.mode == "tools" else "required"
            return {"tools": self.tools, "tool_choice": choice}
        if form.mode == "json":
            return {"response_format": {"type": "json_object"}}
        if form.mode == "json_schema":
            function = self.tools[0]["function"]
            schema = {"name": function["name"], "schema": function["parameters"]}
            return {"response_format": {"type": "json_schema", "json_schema": schema}}
        return {}

    def after_refusal(
        self, form: Form, error: Exception, prompt: Sequence[BaseMessage], config: RunnableConfig | None
    ) -> Form | None:
        """Choose another way when the provider refused the tools; None when it refused something else."""
        if not form.has_tools or not rejects_tools(error, prompt):
            return None
        if form.is_forced:
            self._learn("free", config)
            return Form(form.mode)
        if self._mode != "auto":
            return None
        self._learn("none", config)
        return Form("text")

    def after_silence(self, form: Form, config: RunnableConfig | None) -> Form:
        """Choose another way when the model called no tool, and said nothing that fits either."""
        if self._mode != "auto" or form.mode != "tools":
            return form
        self._learn("none", config)
        return Form("text")

    def _level(self, config: RunnableConfig | None) -> Level:
        lowest = 0
        for leaf, arguments in leaves(self.llm, config):
            if not calls_tools(leaf):
                return "none"
            levels = (
                LEARNED.level(leaf),
                declared(leaf),
                "free" if is_thinking(leaf, arguments) else "forced",
            )
            lowest = max(lowest, *(LEVELS.index(level) for level in levels))
        return LEVELS[lowest]

    def _learn(self, level: Level, config: RunnableConfig | None) -> None:
        for leaf, _ in leaves(self.llm, config):
            LEARNED.lower(leaf, level)

    def _attached(self, form: Form, config: RunnableConfig | None) -> Runnable[Any, Any]:
        if form.mode == "text":
            return self.llm
        if form.has_tools:
            choice = self.tools[0]["function"]["name"] if form.mode == "tools" else "any"

            def with_tools(model: Any) -> Runnable[Any, Any]:
                return _with_tools(model, self.tools, choice if form.is_forced else None)

            return cast("Runnable[Any, Any]", refit(self.llm, with_tools, config, tools=True))
        arguments = self.arguments(form)
        return cast(
            "Runnable[Any, Any]", refit(self.llm, lambda model: model.bind(**arguments), config, tools=False)
        )


def format_instructions(shape: Shape) -> str:
    """Say in words what JSON is expected."""
    function = _tool(shape)["function"]
    schema = json.dumps({"title": function["name"], **function["parameters"]}, ensure_ascii=False)
    return f"Answer with one JSON object that fits this JSON schema, and nothing else:\n{schema}"


def tool_name(shape: Shape) -> str:
    """Name the tool that the answer of a shape travels in."""
    return str(_tool(shape)["function"]["name"])


def _with_tools(model: Any, tools: list[dict[str, Any]], choice: str | None) -> Runnable[Any, Any]:
    if choice is not None:
        try:
            return cast("Runnable[Any, Any]", model.bind_tools(tools, tool_choice=choice))
        except (NotImplementedError, TypeError, ValueError):
            pass  # models say in many ways that they cannot be forced
    try:
        return cast("Runnable[Any, Any]", model.bind_tools(tools))
    except NotImplementedError:
        raise ConfigurationError(
            f'{type(model).__qualname__} has no tools; take mode="json_schema", "json" or "text"'
        ) from None


def _tool(shape: Shape) -> dict[str, Any]:
    """Describe the answer as a tool, in OpenAI's form, with the schema that instructor makes."""
    prepared = _prepared(shape)
    schema = _rooted(prepared.model_json_schema())
    parameters = {key: value for key, value in schema.items() if key not in {"title", "description"}}
    if shape.key is not None:
        parameters["required"] = [shape.key]  # instructor gives a list of models a default
    parameters.setdefault("type", "object")
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", prepared.__name__).strip("_")[:_NAME_CHARS] or "Response"
    told = schema.get("description") or f"Correctly extracted `{name}` with all its required parameters"
    return {"type": "function", "function": {"name": name, "description": told, "parameters": parameters}}


def _parallel(shape: Shape) -> list[dict[str, Any]]:
    """Describe every kind of item as a tool of its own."""
    kinds = item_types(shape.type) if shape.key == "tasks" else ()
    if not kinds:
        raise ConfigurationError(
            'mode="parallel_tools" gives one tool a model: response_model is Iterable[A | B] or list[A]'
        )
    return [_tool(shape_of(kind)) for kind in kinds]


def _prepared(shape: Shape) -> Any:
    instructor = require("instructor", extra="parse")
    prepare = require("instructor.v2.core.response_model", extra="parse").prepare_response_model
    target = shape.type
    if type(target).__name__ == "UnionType" or get_origin(target) is Union:
        target = Union[get_args(target)]  # noqa: UP007 - instructor knows this spelling only
    fitting = False
    try:
        prepared = prepare(target)
        fitting = shape.key is None or list(prepared.model_fields) == [shape.key]
    except (TypeError, AttributeError):
        pass  # a type that instructor does not know and pydantic does
    except ValueError as error:
        if "async" in str(error):
            raise ConfigurationError(
                "response_model declares instructor's async validators, which nothing awaits; use pydantic's"
            ) from None
        raise
    if fitting:
        return prepared
    doc = "Correctly formatted and extracted response."
    fields: Any = {shape.key or "content": (target, ...)}
    return create_model("Response", __doc__=doc, __base__=instructor.ResponseSchema, **fields)


def _rooted(schema: dict[str, Any]) -> dict[str, Any]:
    """Put the definition in the place of a top-level `$ref`: tools want an object with a title."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    name = reference.rpartition("/")[2]
    return {**schema["$defs"][name], "$defs": schema["$defs"]}

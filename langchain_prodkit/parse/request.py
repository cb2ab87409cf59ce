"""How an answer is asked for: instructor's schema for the provider, and the model bound to it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, Literal, Union, cast, get_args, get_origin

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableBinding, RunnableWithFallbacks
from pydantic import create_model

from langchain_prodkit._chat import innermost
from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.parse.shape import Shape

__all__ = ["JUDGE", "Mode", "Requests", "calls_tools"]

Mode = Literal["auto", "tools", "json_schema", "json", "text"]

JUDGE: Final[ContextVar[Callable[[], Any]]] = ContextVar("langchain_prodkit_parse_judge")
"""The verdict on the answer at hand, of the call that is going on; instructor asks for it through the
class that it is given, and a class is all that it can be given."""

_INSTRUCTOR_MODES = {"tools": "TOOLS", "json_schema": "JSON_SCHEMA", "json": "JSON", "text": "MD_JSON"}


class Requests:
    """The requests of one parser: its schema class and its bound models, made once."""

    def __init__(self, shape: Shape, llm: Runnable[Any, Any], mode: Mode) -> None:
        """Prepare instructor's response class for `shape`.

        Raises:
            MissingExtraError: The extra `parse` is not installed.
            ConfigurationError: `mode="tools"` with a model that has no tools.
        """
        self.llm = llm
        if mode == "tools" and not calls_tools(llm):
            raise ConfigurationError(
                'mode="tools" needs a chat model with bind_tools; leave mode="auto", or take "json_schema", '
                '"json" or "text"'
            )
        self.is_auto = mode == "auto"
        self.mode: Mode = ("tools" if calls_tools(llm) else "text") if mode == "auto" else mode
        """Changes once at most, from tools to text, when `auto` saw that no tool call comes back."""
        prepared = _prepared(shape)
        self.schema = _rooted(prepared.model_json_schema())
        self.response_class = _response_class(prepared, self.schema)
        self._bound: dict[str, Runnable[Any, Any]] = {}

    def instructor_mode(self, mode: Mode) -> Any:
        """Name the mode as instructor does."""
        return getattr(require("instructor", extra="parse").Mode, _INSTRUCTOR_MODES[mode])

    def bound(self, mode: Mode, request: dict[str, Any]) -> Runnable[Any, Any]:
        """Give the model with the schema of instructor's `request` attached."""
        if (bound := self._bound.get(mode)) is None:
            if mode == "tools":
                bound = _with_tools(self.llm, request["tools"])
            elif mode == "text":
                bound = self.llm
            else:
                bound = self.llm.bind(response_format=request["response_format"])
            self._bound[mode] = bound
        return bound


def calls_tools(llm: Any) -> bool:
    """Tell whether the model that answers has tools, looking through bindings, wrappers, fallbacks."""
    model = innermost(llm)
    while isinstance(model, RunnableWithFallbacks):
        model = innermost(model.runnable)
    return isinstance(model, BaseChatModel) and type(model).bind_tools is not BaseChatModel.bind_tools


def _with_tools(llm: Any, tools: list[dict[str, Any]]) -> Runnable[Any, Any]:
    # A binding forwards bind_tools to what it binds, losing its own arguments.
    if isinstance(llm, RunnableBinding):
        return llm.model_copy(update={"bound": _with_tools(llm.bound, tools)})
    return cast("Runnable[Any, Any]", llm.bind_tools(tools, tool_choice=tools[0]["function"]["name"]))


def _response_class(prepared: Any, schema: dict[str, Any]) -> type:
    """Make the class that instructor works with: the schema of its own response type, and no fields.

    Without fields it costs instructor's walks over the class nothing, however large the model is, and
    the value never becomes anything but the user's own class.
    """

    def model_json_schema(cls: type, *args: Any, **kwargs: Any) -> dict[str, Any]:  # noqa: ARG001
        return dict(schema)

    def model_validate_json(cls: type, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
        return JUDGE.get()()

    base = require("instructor", extra="parse").ResponseSchema
    namespace = {
        "__module__": __name__,
        "__doc__": prepared.__doc__,
        "model_json_schema": classmethod(model_json_schema),
        "model_validate_json": classmethod(model_validate_json),
    }
    return cast("type", type(base)(prepared.__name__, (base,), namespace))


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

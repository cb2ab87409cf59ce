"""What an answer must look like: the user's type, how it is validated, and how it travels as JSON.

A provider wants one JSON object. A model class is one; anything else (a list of models, a number, a
union) travels inside an object with one key, the one that instructor's response types use.
"""

from __future__ import annotations

import collections.abc
import json
import types
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Union, cast, get_args, get_origin

from pydantic import BaseModel, PydanticUserError, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import SchemaError
from typing_extensions import is_typeddict

from langchain_prodkit.errors import ConfigurationError, StructuredOutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Rules", "Shape", "Unfit", "shape_of"]

MAX_ISSUES: Final = 20
"""Issues told to the model at once; a model that gets 20 things wrong will not read the 21st."""
MAX_ISSUE_CHARS: Final = 300
_UNIONS = (Union, types.UnionType)
_LISTS = (list, collections.abc.Iterable, collections.abc.Sequence)


class Unfit(Exception):  # noqa: N818 - a verdict on an answer; what users see is StructuredOutputError
    """Says why an answer does not fit; its own text names fields only."""

    def __init__(self, advice: str, *, fields: tuple[str, ...] = (), reason: str = "validation") -> None:
        """Hold the `advice` for the model, one issue a line, and the facts for everybody else."""
        super().__init__(f"{reason}{' at ' if fields else ''}{', '.join(fields)}")
        self.advice = advice
        self.fields = fields
        self.reason = reason

    def error(self, *, attempts: int, usage: Any = None) -> StructuredOutputError:
        """Make the error that users see."""
        reason = cast("Any", self.reason)
        return StructuredOutputError(reason=reason, attempts=attempts, fields=self.fields, usage=usage)


@dataclass(frozen=True, slots=True)
class Rules:
    """How strictly an answer is judged."""

    strict: bool = False
    """Pydantic's strict mode: no value is converted to another type."""
    context: Mapping[str, Any] | None = None
    """What validators find in `info.context`."""


class Shape:
    """A response model, prepared once; never changes afterwards, so every thread may use it."""

    def __init__(self, response_model: Any) -> None:
        """Prepare `response_model`.

        Raises:
            ConfigurationError: It is no type that pydantic can validate.
        """
        if response_model is None or isinstance(response_model, str):
            raise ConfigurationError("response_model is a pydantic model or another type, not None or a name")
        self.type = _target(response_model)
        """The type of the result."""
        self.key = _key(self.type)
        """The one key of the object that the value travels in; None where the value is the object."""
        try:
            self.adapter: TypeAdapter[Any] = TypeAdapter(self.type)
            self.adapter.rebuild(raise_errors=True)
            schema = self.adapter.json_schema()
        except (PydanticUserError, PydanticInvalidForJsonSchema, SchemaError, TypeError, NameError) as error:
            kind = type(error).__name__
            raise ConfigurationError(
                f"response_model {_name(response_model)} cannot be used ({kind}): give a pydantic model, or "
                "a type that pydantic can validate and describe as JSON schema"
            ) from None
        self.names = frozenset(_names(schema))
        """Field names and type names that the model's author wrote: safe to show anywhere."""
        self.schema = schema

    def validate_json(self, text: str, rules: Rules) -> Any:
        """Validate the bare value; raises pydantic's `ValidationError`."""
        return self.adapter.validate_json(text, strict=rules.strict or None, context=rules.context)

    def validate(self, value: Any, rules: Rules) -> Any:
        """Validate a value read from JSON by the rules for JSON; raises `ValidationError`."""
        return self.validate_json(json.dumps(value), rules)

    def unfit(self, error: ValidationError) -> Unfit:
        """Turn pydantic's error into `path: message` lines that quote none of the values."""
        issues = error.errors(include_url=False, include_input=False, include_context=False)
        lines = []
        fields: dict[str, None] = {}
        for issue in issues[:MAX_ISSUES]:
            path = ".".join(str(part) for part in issue["loc"])
            message = issue["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            lines.append(f"{path or 'answer'}: {message}"[:MAX_ISSUE_CHARS])
        for issue in issues:
            if issue["loc"]:
                fields[self.public_path(issue["loc"])] = None
        if len(issues) > MAX_ISSUES:
            lines.append(f"and {len(issues) - MAX_ISSUES} more")
        return Unfit("\n".join(lines), fields=tuple(fields))

    def public_path(self, loc: tuple[int | str, ...]) -> str:
        """Write a path without the keys that the model made up: those may be anybody's words."""
        return ".".join(str(part) if isinstance(part, int) or part in self.names else "*" for part in loc)


def shape_of(response_model: Any) -> Shape:
    """Prepare a response model, or give the one prepared before."""
    try:
        return _remembered(response_model)
    except TypeError:  # unhashable, such as Annotated with a list
        return Shape(response_model)


@lru_cache(maxsize=256)
def _remembered(response_model: Any) -> Shape:
    return Shape(response_model)


def _target(model: Any) -> Any:
    """Name the type of the result: an iterable of things is given as a list of them."""
    if get_origin(model) is collections.abc.Iterable and get_args(model):
        return list[get_args(model)[0]]  # type: ignore[misc]
    return model


def _is_object(model: Any) -> bool:
    if is_typeddict(model):
        return True
    return isinstance(model, type) and issubclass(model, BaseModel) and not issubclass(model, RootModel)


def _key(model: Any) -> str | None:
    """Name the wrapping key as instructor's response types do."""
    try:
        if _is_object(model):
            return None
    except TypeError:  # a parametrised generic such as list[int] is a type that issubclass refuses
        pass
    if get_origin(model) in _LISTS and get_args(model):
        item = get_args(model)[0]
        members = get_args(item) if get_origin(item) in _UNIONS else (item,)
        try:
            if all(_is_object(member) for member in members):
                return "tasks"
        except TypeError:
            pass
    return "content"


def _names(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in {"properties", "$defs"} and isinstance(value, dict):
                yield from value
            yield from _names(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _names(item)


def _name(model: Any) -> str:
    return getattr(model, "__name__", None) or type(model).__name__

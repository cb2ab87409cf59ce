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
from typing import TYPE_CHECKING, Any, Final, Literal, Required, TypeVar, Union, cast, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticUserError,
    RootModel,
    TypeAdapter,
    ValidationError,
    with_config,
)
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import SchemaError
from typing_extensions import TypedDict, is_typeddict

from langchain_prodkit.errors import ConfigurationError, StructuredOutputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Rules", "Shape", "Unfit", "shape_of"]

MAX_ISSUES: Final = 20
"""Issues told to the model at once; a model that gets 20 things wrong will not read the 21st."""
MAX_ISSUE_CHARS: Final = 300
MAX_LISTED: Final = 20_000
"""Issues looked at; pydantic writes all of them out to show the first."""
_Extra = Literal["allow", "ignore", "forbid"] | None
_NO_TYPES = (str, TypeVar, types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_FAILURES = (
    PydanticUserError,
    PydanticInvalidForJsonSchema,
    SchemaError,
    TypeError,
    NameError,
    AttributeError,
    KeyError,
    RecursionError,
)
"""What pydantic raises for something that is no type; which of them is a matter of chance."""
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
        if response_model is None or response_model is BaseModel or isinstance(response_model, _NO_TYPES):
            raise ConfigurationError(
                "response_model is a pydantic model or another type: not None, not BaseModel itself, and no "
                "name, function or type variable"
            )
        self.type = _target(response_model)
        """The type of the result."""
        self.key = _key(self.type)
        """The one key of the object that the value travels in; None where the value is the object."""
        try:
            self.adapter: TypeAdapter[Any] = TypeAdapter(self.type)
            self.adapter.rebuild(raise_errors=True)
            schema = self.adapter.json_schema()
        except _FAILURES as error:
            kind = type(error).__name__
            raise ConfigurationError(
                f"response_model {_name(response_model)} cannot be used ({kind}): give a pydantic model, or "
                "a type that pydantic can validate and describe as JSON schema"
            ) from None
        self.names = frozenset(_names(schema))
        """Field names and type names that the model's author wrote: safe to show anywhere."""
        self.schema = schema
        self.defs: dict[str, Any] = schema.get("$defs", {})
        """The definitions that the schema refers to."""
        facts = _facts(self.adapter.core_schema)
        self.aliases = facts.aliases
        """Keys that are read beside those of the schema."""
        self.is_strict = facts.is_strict
        """The type itself asks for pydantic's strict mode, somewhere in it."""
        self.is_custom = facts.is_custom
        """Code of the user's own sees the input before it is validated."""
        self.may_lose = _may_lose(schema)
        """A field that is not required may be lost when its key is misspelt."""
        self._wrapped: TypeAdapter[Any] | None = None
        if self.key is not None:
            members = {self.key: Required[self.type]}
            wrapper = TypedDict("Wrapped", members)  # type: ignore[misc]
            self._wrapped = TypeAdapter(with_config(ConfigDict(extra="forbid"))(wrapper))

    def validate_json(self, text: str, rules: Rules, *, extra: _Extra = None) -> Any:
        """Validate the bare value; raises pydantic's `ValidationError`."""
        strict = rules.strict or None
        return self.adapter.validate_json(text, strict=strict, context=rules.context, extra=extra)

    def validate_text(self, text: str, rules: Rules, *, extra: _Extra = None) -> Any:
        """Validate the value, bare or inside the object that it travels in; raises `ValidationError`."""
        if self._wrapped is not None and text.lstrip()[:1] == "{":
            strict = rules.strict or None
            try:
                wrapped = self._wrapped.validate_json(text, strict=strict, context=rules.context, extra=extra)
            except ValidationError as error:
                if self._is_inside(error):
                    raise
            else:
                return wrapped[self.key]
        return self.validate_json(text, rules, extra=extra)

    def validate(self, value: Any, rules: Rules, *, extra: _Extra = None) -> Any:
        """Validate a value read from JSON by the rules for JSON; raises `ValidationError`."""
        return self.validate_json(json.dumps(value), rules, extra=extra)

    def _is_inside(self, error: ValidationError) -> bool:
        """Tell an error of the value that travels from one of the object around it."""
        if error.error_count() > MAX_LISTED:
            return False
        issues = error.errors(include_url=False, include_input=False, include_context=False)
        return bool(issues) and issues[0]["type"] != "missing" and issues[0]["loc"][:1] == (self.key,)

    def unfit(self, error: ValidationError) -> Unfit:
        """Turn pydantic's error into `path: message` lines that quote none of the values."""
        if error.error_count() > MAX_LISTED:
            return Unfit(f"{error.error_count()} values do not fit the schema")
        issues = error.errors(include_url=False, include_input=False, include_context=False)
        lines = []
        fields: dict[str, None] = {}
        for issue in issues[:MAX_ISSUES]:
            path = ".".join(str(part) for part in issue["loc"])
            message = issue["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
            lines.append(f"{path or 'answer'}: {message}"[:MAX_ISSUE_CHARS])
        for issue in issues:
            if issue["loc"] and len(fields) < MAX_ISSUES:
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


@dataclass(frozen=True, slots=True)
class _Facts:
    """What only the core schema tells of a type."""

    aliases: frozenset[str]
    is_strict: bool
    is_custom: bool


def _facts(core_schema: Any) -> _Facts:
    aliases: set[str] = set()
    is_strict = is_custom = False
    stack = [core_schema]
    while stack:
        node = stack.pop()
        if isinstance(node, list | tuple):
            stack += node
        elif isinstance(node, dict):
            is_strict = is_strict or node.get("strict") is True
            is_custom = is_custom or node.get("type") in _BEFORE
            if (alias := node.get("validation_alias")) is not None:
                aliases.update(_first_keys(alias))
            config = node.get("config")
            by_name = isinstance(config, dict) and config.get("validate_by_name")
            if by_name and isinstance(node.get("cls"), type):
                aliases.update(getattr(node["cls"], "model_fields", ()))
            stack += [item for key, item in node.items() if key not in _NOT_SCHEMA]
    return _Facts(frozenset(aliases), is_strict, is_custom)


_BEFORE: Final = frozenset({"function-before", "function-wrap", "function-plain"})
_NOT_SCHEMA: Final = frozenset({"metadata", "default", "serialization", "validation_alias", "cls"})


def _first_keys(alias: Any) -> Iterator[str]:
    if isinstance(alias, str):
        yield alias
    elif isinstance(alias, list):
        paths = alias if alias and isinstance(alias[0], list) else [alias]
        yield from (path[0] for path in paths if path and isinstance(path[0], str))


def _may_lose(schema: Any) -> bool:
    """Tell whether any object in the schema has a field that is not required."""
    if isinstance(schema, dict):
        properties = schema.get("properties")
        if isinstance(properties, dict) and properties.keys() - set(schema.get("required", ())):
            return True
        return any(_may_lose(item) for item in schema.values())
    return isinstance(schema, list) and any(_may_lose(item) for item in schema)


def _name(model: Any) -> str:
    return getattr(model, "__name__", None) or type(model).__name__

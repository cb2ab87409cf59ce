"""Scalars of a document that is still being written: shown as their own type, never through user code."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic_core import SchemaError, SchemaValidator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["UNREADABLE", "Leaf", "is_custom", "leaf_of"]

Schema = dict[str, Any]

UNREADABLE: Final[Any] = object()
"""What a leaf makes of a value that it cannot show."""

_SCALARS: Final = frozenset({
    "any", "none", "bool", "int", "float", "decimal", "str", "bytes", "date", "time", "datetime", "timedelta",
    "literal", "enum", "uuid", "url", "multi-host-url", "complex",
})  # fmt: skip
_CONTAINERS: Final = frozenset({
    "model", "dataclass", "typed-dict", "dict", "list", "set", "frozenset", "tuple", "generator",
    "tagged-union",
})  # fmt: skip
_CHANGING: Final = ("strip_whitespace", "to_lower", "to_upper")
_INNER: Final = ("json_schema", "lax_schema", "schema")


class Leaf:
    """How the scalars at one place are shown."""

    def __init__(self, schema: Schema | None, config: Any, *, is_pure: bool) -> None:
        """Hold the schema without the user's validators; None where no scalar is shown."""
        self._schema = schema
        self._config = config
        self.is_pure = is_pure
        """Whether what is shown is what pydantic will make of it: no user code stands in between."""
        self.shows_text = schema is not None and _is_text(schema, config)
        """Whether strings are shown as they are, even before they end."""

    def value(self, raw: str, *, strict: bool | None) -> Any:
        """Read a scalar from its JSON; gives `UNREADABLE` when it is none of this type."""
        if self._validator is None:
            return UNREADABLE
        try:
            return self._validator.validate_json(raw, strict=strict)
        except Exception:  # noqa: BLE001 - what is wrong is told when the object around it closes
            return UNREADABLE

    def key(self, name: str) -> Any:
        """Read a key of a mapping."""
        if self.shows_text:
            return name
        if self._validator is None:
            return UNREADABLE
        try:
            return self._validator.validate_strings(cast("Any", name))
        except Exception:  # noqa: BLE001 - as above
            return UNREADABLE

    @cached_property
    def _validator(self) -> SchemaValidator | None:
        if self._schema is None:
            return None
        try:
            return SchemaValidator(self._schema, self._config, _use_prebuilt=False)
        except SchemaError:
            return None


def leaf_of(schema: Schema, definitions: Mapping[str, Schema], config: Any) -> Leaf:
    """Find out which scalars a schema takes."""
    bare, is_pure = _bare(schema, definitions, frozenset())
    return Leaf(bare, config, is_pure=is_pure)


def is_custom(schema: Any) -> bool:
    """Tell whether code of the user runs when a value of this schema is validated."""
    return any(
        str(node.get("type", "")).startswith("function-") or "post_init" in node or node.get("custom_init")
        for node in _nodes(schema)
    )


def _nodes(schema: Any) -> Iterator[Schema]:
    pending = [schema]
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            yield found
            pending += [item for key, item in found.items() if key not in {"metadata", "serialization"}]
        elif isinstance(found, list | tuple):
            pending += found


def _bare(  # noqa: PLR0911 - one line a kind
    schema: Schema, definitions: Mapping[str, Schema], seen: frozenset[str]
) -> tuple[Schema | None, bool]:
    """Take the user's validators off; gives the scalar part, and whether there were none."""
    kind = schema["type"]
    if kind in _SCALARS:
        return schema, True
    if kind == "definition-ref":
        ref = schema["schema_ref"]
        return (None, True) if ref in seen else _bare(definitions[ref], definitions, seen | {ref})
    if kind == "model" and schema.get("root_model"):
        inner, is_pure = _bare(schema["schema"], definitions, seen)
        told: Schema = {key: schema[key] for key in ("type", "cls", "root_model", "config") if key in schema}
        return (None if inner is None else {**told, "schema": inner}), is_pure
    if kind in _CONTAINERS:
        return None, True
    if kind == "union":
        return _bare_union(schema, definitions, seen)
    if kind == "nullable":
        inner, is_pure = _bare(schema["schema"], definitions, seen)
        return {"type": "nullable", "schema": inner or {"type": "none"}}, is_pure
    return _bare_inner(schema, definitions, seen)


def _bare_inner(
    schema: Schema, definitions: Mapping[str, Schema], seen: frozenset[str]
) -> tuple[Schema | None, bool]:
    kind = schema["type"]
    for name in _INNER:
        if name in schema:
            inner, is_pure = _bare(schema[name], definitions, seen)
            is_code = kind.startswith("function-")
            is_before = kind in {"function-before", "function-wrap"}
            if is_before and not (inner and _is_text(inner, None)):
                inner = None
            if (is_code and _makes_type(schema)) or (kind == "json-or-python" and not is_pure):
                inner = None  # a type that is made of a string, such as SecretStr, is not that string
            return inner, is_pure and not is_code
    return None, False


def _bare_union(
    schema: Schema, definitions: Mapping[str, Schema], seen: frozenset[str]
) -> tuple[Schema | None, bool]:
    choices = [item[0] if isinstance(item, tuple) else item for item in schema["choices"]]
    found = [_bare(item, definitions, seen) for item in choices]
    is_pure = all(pure for _, pure in found)
    scalars = [inner for inner, _ in found if inner is not None]
    if not scalars or any(inner is None and not pure for inner, pure in found):
        return None, is_pure
    return {"type": "union", "mode": schema.get("mode", "smart"), "choices": scalars}, is_pure


def _makes_type(schema: Schema) -> bool:
    """Tell a class that takes the value from a validator that checks it."""
    told = schema.get("function")
    return isinstance(told, dict) and isinstance(told.get("function"), type)


def _is_text(schema: Schema, config: Any) -> bool:
    """Tell whether any string stands for itself here."""
    kind = schema["type"]
    if kind == "str":
        told = config or {}
        return not any(schema.get(name) or told.get(f"str_{name}") for name in _CHANGING)
    if kind == "union":
        return any(_is_text(item, config) for item in schema["choices"])
    if kind == "nullable":
        return _is_text(schema["schema"], config)
    return bool(kind == "any")

"""Which keys a model wrote and which were meant: other spellings, wrappings, and what is not there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_prodkit.parse.shape import Shape

    _Met = dict[tuple[int, tuple[str, ...]], dict[str, str]]  # rows have the same keys, again and again

__all__ = ["claims", "envelopes", "is_full", "normal", "open_objects", "rename", "resolved"]

MAX_WRAPPINGS: Final = 3
_MAX_DEPTH: Final = 130
_ENVELOPES: Final = ("arguments", "parameters", "input", "args", "kwargs", "function")
_CONTAINERS: Final = (dict, list)
_SEPARATORS: Final = re.compile(r"[\s_\-.]+")


def normal(key: str) -> str:
    """Write a key without case and separators, so that `dueDate` and `due_date` are one."""
    return _SEPARATORS.sub("", key).casefold()


def rename(value: Any, shape: Shape) -> bool:
    """Give known fields their names back where the model changed case or separators; in place."""
    return _rename(value, shape.schema, shape, 0, {})


def _rename(value: Any, schema: Any, shape: Shape, depth: int, met: _Met) -> bool:
    if depth > _MAX_DEPTH or not isinstance(value, _CONTAINERS):
        return False
    schema = resolved(value, schema, shape.defs)
    changed = False
    if isinstance(value, list):
        items = schema.get("items", {})
        first = schema.get("prefixItems", ())
        for index, item in enumerate(value):
            if isinstance(item, _CONTAINERS):
                inner = first[index] if index < len(first) else items
                changed |= _rename(item, inner, shape, depth + 1, met)
        return changed
    properties = schema.get("properties", {})
    if properties and not value.keys() <= properties.keys():
        form = (id(properties), tuple(value))
        names = met.get(form)
        if names is None:
            names = met[form] = _meant(value, properties, shape)
        if names:
            changed = True
            members = [(names.get(key, key), item) for key, item in value.items()]
            value.clear()
            value.update(members)
    for key, item in value.items():
        if isinstance(item, _CONTAINERS):
            inner = properties.get(key, schema.get("additionalProperties", {}))
            changed |= _rename(item, inner, shape, depth + 1, met)
    return changed


def _meant(value: dict[str, Any], properties: dict[str, Any], shape: Shape) -> dict[str, str]:
    """Give the names of the fields that were meant, by the keys that were written."""
    missing: dict[str, list[str]] = {}
    for name in properties:
        if name not in value:
            missing.setdefault(normal(name), []).append(name)
    if not missing:
        return {}
    written: dict[str, list[str]] = {}
    for key in value:
        if key not in properties and key not in shape.aliases and normal(key) in missing:
            written.setdefault(normal(key), []).append(key)
    names: dict[str, str] = {}
    for spelling, keys in written.items():
        if len(keys) == 1 == len(missing[spelling]):
            names[keys[0]] = missing[spelling][0]
    return names


def resolved(value: Any, schema: Any, defs: dict[str, Any]) -> dict[str, Any]:
    """Follow references, and unions where only one member can be meant."""
    for _ in range(10):
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            schema = defs.get(schema["$ref"].rpartition("/")[2], {})
        elif "discriminator" in schema and isinstance(value, dict):
            schema = _told(value, schema["discriminator"])
        elif "anyOf" in schema or "oneOf" in schema:
            schema = _only(value, [resolved(value, item, defs) for item in _members(schema)])
        elif len(schema.get("allOf", ())) == 1:
            schema = schema["allOf"][0]
        else:
            return schema
    return {}


def _members(schema: dict[str, Any]) -> list[Any]:
    members: list[Any] = schema.get("anyOf") or schema["oneOf"]
    return members


def _told(value: dict[str, Any], discriminator: dict[str, Any]) -> dict[str, Any]:
    mapping = discriminator.get("mapping", {})
    key = discriminator["propertyName"]
    tags = [item for name, item in value.items() if normal(name) == normal(key)]
    if len(tags) != 1 or not isinstance(tags[0], str):
        return {}
    same = [reference for tag, reference in mapping.items() if normal(tag) == normal(tags[0])]
    return {"$ref": same[0]} if len(same) == 1 else {}


def _only(value: Any, members: list[dict[str, Any]]) -> dict[str, Any]:
    if not isinstance(value, dict):
        fitting = [member for member in members if "items" in member or "prefixItems" in member]
        return fitting[0] if len(fitting) == 1 else {}
    fitting = [member for member in members if "properties" in member]
    if len(fitting) > 1:
        written = {normal(key) for key in value}
        fitting = [
            member
            for member in fitting
            if all(normal(name) in written for name in member.get("required", ())) and member["properties"]
        ]
    return fitting[0] if len(fitting) == 1 else {}


# -- wrappings ----------------------------------------------------------------------------------


def envelopes(value: Any, shape: Shape, depth: int = 0) -> Iterator[tuple[Any, int]]:
    """Offer the value, or what is inside when it is wrapped, with the number of wrappings."""
    if shape.key is not None:
        yield from _keyed(value, shape)
        return
    properties = resolved(value, shape.schema, shape.defs).get("properties", {})
    known = {normal(name) for name in properties} | {normal(name) for name in shape.aliases}
    if isinstance(value, dict):
        inner = [
            key for key in _ENVELOPES if isinstance(value.get(key), dict | str) and normal(key) not in known
        ]
        if inner and (opened := _opened(value[inner[0]])) is not None:
            yield from _deeper(opened, shape, depth)
            return
        if not value or not properties or any(normal(key) in known for key in value):
            yield value, depth
        elif (wrapped := _wrapped(value, known)) is not None:
            yield from _deeper(wrapped, shape, depth)
            return
        if len(value) == 1:
            yield from _deeper(_opened(next(iter(value.values()))), shape, depth)
    elif isinstance(value, list) and len(value) == 1:
        yield from _deeper(value[0], shape, depth)


def _wrapped(value: dict[str, Any], known: set[str]) -> Any:
    """Find the one member that holds the answer, beside others that say something about it."""
    if "properties" in value and not any(
        not isinstance(item, dict) for item in (value["properties"] or {}).values()
    ):
        return None  # the schema itself, given back
    answers = []
    for item in value.values():
        opened = _opened(item)
        if isinstance(opened, list) and len(opened) == 1:
            opened = opened[0]
        if isinstance(opened, dict) and any(normal(key) in known for key in opened):
            answers.append(opened)
    return answers[0] if len(answers) == 1 else None


def _keyed(value: Any, shape: Shape) -> Iterator[tuple[Any, int]]:
    depth = 0
    if isinstance(value, dict) and len(value) > 1 and shape.key not in value:
        for key in _ENVELOPES:
            if isinstance(value.get(key), dict):
                value, depth = value[key], depth + 1
    if not isinstance(value, dict):
        yield value, depth
        return
    if shape.key in value:
        yield value[shape.key], depth + 1
        if len(value) == 1:
            return
    only = next(iter(value.values())) if len(value) == 1 else None
    if isinstance(only, list) and shape.key == "tasks":
        yield only, depth + 1
    yield value, depth
    if only is not None:
        yield only, depth + 1


def _opened(value: Any) -> Any:
    if isinstance(value, str):
        if value.lstrip()[:1] not in {"{", "["}:
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value


def _deeper(value: Any, shape: Shape, depth: int) -> Iterator[tuple[Any, int]]:
    if isinstance(value, dict | list) and depth < MAX_WRAPPINGS:
        yield from envelopes(value, shape, depth + 1)


# -- what a value says about itself -------------------------------------------------------------


def claims(value: Any, shape: Shape) -> bool:
    """Tell whether a value that does not fit was meant as the answer: nothing before it counts then."""
    if shape.key is not None:
        return isinstance(value, list) or (isinstance(value, dict) and shape.key in value)
    for inner, _ in envelopes(value, shape):
        if isinstance(inner, dict) and inner:
            schema = resolved(inner, shape.schema, shape.defs)
            properties = {normal(name) for name in schema.get("properties", {})}
            written = {normal(key) for key in inner}
            required = {normal(name) for name in schema.get("required", ())}
            if 2 * len(written & properties) > len(written) or (required and required <= written):
                return True
    return False


def open_objects(value: Any, count: int) -> list[dict[str, Any]]:
    """List the objects among the `count` outermost containers at the end of a value."""
    found = []
    for _ in range(count):
        if isinstance(value, dict):
            found.append(value)
            value = next(reversed(value.values()), None)
        elif isinstance(value, list):
            value = value[-1] if value else None
    return found


def is_full(value: Any, open_ones: list[dict[str, Any]], shape: Shape) -> bool:
    """Tell whether every field of the objects that were not closed is there: nothing was lost.

    A list that was opened and no more counts as there only where the field may be left out.
    """
    identities = {id(item) for item in open_ones}
    schema: Any = shape.schema
    while isinstance(value, dict | list) and value:
        schema = resolved(value, schema, shape.defs)
        if isinstance(value, list):
            value, schema = value[-1], schema.get("items", {})
            if value == []:
                return False
            continue
        properties = schema.get("properties", {})
        if id(value) in identities and not properties.keys() <= value.keys():
            return False
        key = next(reversed(value))
        if value[key] == [] and key in schema.get("required", ()):
            return False
        value, schema = value[key], properties.get(key, {})
    return True

"""Fit a value that a model wrote to the type that was asked for, where only one meaning is possible.

Pydantic says what is wrong and where; a fix is made only when the value says the same thing in another
form (`"1,200"` for 1200, one item for a list of one). Nothing is filled in, guessed or dropped.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_prodkit.parse.shape import Rules, Shape

__all__ = ["align", "envelopes", "normal"]

MAX_ROUNDS: Final = 6
"""Each round fixes one level of wrong nesting."""
MAX_FIXES: Final = 1_000
_ENVELOPES: Final = ("arguments", "parameters", "input", "args", "kwargs", "function")
_NUMBER: Final = re.compile(r"[$€£¥]?\s*([+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?)")
_QUOTED: Final = re.compile(r"'((?:[^'\\]|\\.)*)'")
_SKIP: Final = object()


def align(value: Any, shape: Shape, rules: Rules, source: str) -> tuple[Any, list[str]]:
    """Give the validated object and the names of the fixes it took; `value` is changed in place.

    Raises:
        ValidationError: Something is wrong that cannot be fixed safely.
    """
    repairs: list[str] = []
    if not rules.strict:
        _rename(value, shape.schema, shape.schema.get("$defs", {}), repairs)
    for _ in range(MAX_ROUNDS):
        try:
            return shape.validate(value, rules), repairs
        except ValidationError as error:
            holder = [value]
            if rules.strict or not _fix(holder, error, source, repairs):
                raise
            value = holder[0]
    return shape.validate(value, rules), repairs


def normal(key: str) -> str:
    """Write a key without case and separators, so that `dueDate` and `due_date` are one."""
    return re.sub(r"[\s_\-.]", "", key).casefold()


def _fix(holder: list[Any], error: ValidationError, source: str, repairs: list[str]) -> bool:
    issues = error.errors(include_url=False, include_input=False)
    if len(issues) > MAX_FIXES:
        return False
    at: dict[tuple[int, Any], list[Any]] = {}
    for issue in issues:
        place = _place(holder, issue["loc"])
        if place is not None:
            at.setdefault((id(place[0]), place[1]), []).append((place, issue))
    fixed = False
    for found in at.values():
        (container, key), issue = found[0]
        if len({item["type"] for _, item in found}) > 1:
            continue  # members of a union disagree on what it should be
        fix = _FIXES.get(issue["type"])
        if fix is None:
            continue
        new, name = fix(container[key], issue, source)
        if new is not _SKIP:
            container[key] = new
            fixed = True
            if name not in repairs:
                repairs.append(name)
    return fixed


def _place(holder: list[Any], loc: tuple[int | str, ...]) -> tuple[Any, Any] | None:
    """Find the container and key that a location means; union tags in it are passed over."""
    container: Any = holder
    key: Any = 0
    for part in loc:
        current = container[key]
        if (isinstance(current, dict) and part in current) or (
            isinstance(current, list) and isinstance(part, int) and part < len(current)
        ):
            container, key = current, part
    return container, key


# -- fixes: (value, issue, source) -> (new value or _SKIP, name) ------------------------------


def _number(value: Any, issue: Any, source: str) -> tuple[Any, str]:  # noqa: ARG001
    name = "number"
    if isinstance(value, str) and (found := _NUMBER.fullmatch(value.strip())):
        digits = found.group(1).replace(",", "")
        number = float(digits) if "." in digits else int(digits)
        if issue["type"].startswith("int") and isinstance(number, float):
            return (int(number), name) if number.is_integer() else (_SKIP, name)
        return number, name
    return _SKIP, name


def _string(value: Any, issue: Any, source: str) -> tuple[Any, str]:  # noqa: ARG001
    # Only as the model wrote it: 1.10 read as a number is no longer "1.10", nor is 7 still "007".
    if isinstance(value, int | float) and not isinstance(value, bool):
        as_written = re.search(rf"(?<![\w.]){re.escape(repr(value))}(?![\w.])", source)
        return (repr(value), "string") if as_written else (_SKIP, "string")
    return _SKIP, "string"


def _listed(value: Any, issue: Any, source: str) -> tuple[Any, str]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        return _decoded(value, issue, source)
    if value is None or isinstance(value, list) or value == "":
        return _SKIP, "single_for_list"
    return [value], "single_for_list"


def _decoded(value: Any, issue: Any, source: str) -> tuple[Any, str]:  # noqa: ARG001
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0], "list_for_single"
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(value), "double_encoded"
        except (ValueError, RecursionError):
            pass
    return _SKIP, "double_encoded"


def _choice(value: Any, issue: Any, source: str) -> tuple[Any, str]:  # noqa: ARG001
    expected = issue.get("ctx", {}).get("expected", "")
    return _one_of(value, _QUOTED.findall(expected)), "case"


def _tag(value: Any, issue: Any, source: str) -> tuple[Any, str]:  # noqa: ARG001
    context = issue.get("ctx", {})
    key = str(context.get("discriminator", "")).strip("'")
    if isinstance(value, dict) and key in value:
        tag = _one_of(value[key], _QUOTED.findall(context.get("expected_tags", "")))
        if tag is not _SKIP:
            return {**value, key: tag}, "case"
    return _SKIP, "case"


def _one_of(value: Any, choices: list[str]) -> Any:
    if not isinstance(value, str):
        return _SKIP
    same = [choice for choice in choices if normal(choice) == normal(value)]
    return same[0] if len(same) == 1 else _SKIP


_FIXES: Final[dict[str, Callable[[Any, Any, str], tuple[Any, str]]]] = {
    **dict.fromkeys(("int_parsing", "int_type", "float_parsing", "float_type", "decimal_parsing"), _number),
    "string_type": _string,
    **dict.fromkeys(("list_type", "set_type", "tuple_type", "frozen_set_type", "iterable_type"), _listed),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "dataclass_type"), _decoded),
    **dict.fromkeys(("literal_error", "enum"), _choice),
    "union_tag_invalid": _tag,
}


# -- keys -------------------------------------------------------------------------------------


def _rename(value: Any, schema: Any, defs: Any, repairs: list[str], depth: int = 0) -> None:
    """Give known fields their names back where the model changed case or separators."""
    if depth > 100 or not isinstance(value, dict | list):  # noqa: PLR2004 - deeper is refused anyway
        return
    schema = _resolved(value, schema, defs)
    if isinstance(value, list):
        for item in value:
            _rename(item, schema.get("items", {}), defs, repairs, depth + 1)
        return
    properties = schema.get("properties", {})
    if _renamed(value, properties) and "key" not in repairs:
        repairs.append("key")
    for key, item in value.items():
        inner = properties.get(key, schema.get("additionalProperties", {}))
        _rename(item, inner, defs, repairs, depth + 1)


def _renamed(value: dict[str, Any], properties: dict[str, Any]) -> bool:
    missing: dict[str, str | None] = {}
    for name in properties:
        if name not in value:
            missing[normal(name)] = None if normal(name) in missing else name
    renamed = False
    if missing:
        for key in [key for key in value if key not in properties]:
            meant = missing.pop(normal(key), None)
            if meant is not None:
                value[meant] = value.pop(key)
                renamed = True
    return renamed


def _resolved(value: Any, schema: Any, defs: Any) -> dict[str, Any]:
    """Follow references, and unions where only one member can be meant."""
    for _ in range(10):
        if not isinstance(schema, dict):
            return {}
        if "$ref" in schema:
            schema = defs.get(schema["$ref"].rpartition("/")[2], {})
        elif "discriminator" in schema and isinstance(value, dict):
            told = schema["discriminator"]
            tag = value.get(told["propertyName"])
            schema = {"$ref": told.get("mapping", {}).get(tag if isinstance(tag, str) else None, "")}
        elif "anyOf" in schema or "oneOf" in schema:
            kinds = [_resolved(value, item, defs) for item in schema.get("anyOf") or schema["oneOf"]]
            wanted = "properties" if isinstance(value, dict) else "items"
            fitting = [kind for kind in kinds if wanted in kind]
            return fitting[0] if len(fitting) == 1 else {}
        else:
            return schema
    return {}


def envelopes(value: Any, shape: Shape, depth: int = 0) -> Iterator[tuple[Any, bool]]:
    """Offer the value, and what is inside when it is wrapped; the flag says which."""
    if shape.key is not None:
        yield from _keyed(value, shape)
        return
    properties = _resolved(value, shape.schema, shape.schema.get("$defs", {})).get("properties", {})
    if isinstance(value, dict):
        known = {normal(name) for name in properties}
        inner = [
            key for key in _ENVELOPES if isinstance(value.get(key), dict | str) and normal(key) not in known
        ]
        if inner:
            yield from _deeper(value[inner[0]], shape, depth)
            return
        if not value or not properties or any(normal(key) in known for key in value if isinstance(key, str)):
            yield value, depth > 0
        if len(value) == 1:
            yield from _deeper(next(iter(value.values())), shape, depth)
    elif isinstance(value, list) and len(value) == 1:
        yield from _deeper(value[0], shape, depth)


def _keyed(value: Any, shape: Shape) -> Iterator[tuple[Any, bool]]:
    for key in _ENVELOPES:
        if (
            isinstance(value, dict)
            and len(value) > 1
            and shape.key not in value
            and isinstance(value.get(key), dict)
        ):
            value = value[key]
    if isinstance(value, dict) and shape.key in value:
        yield value[shape.key], False
    else:
        yield value, False


def _deeper(value: Any, shape: Shape, depth: int) -> Iterator[tuple[Any, bool]]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return
    if isinstance(value, dict | list) and depth < 3:  # noqa: PLR2004 - nobody wraps deeper
        yield from envelopes(value, shape, depth + 1)

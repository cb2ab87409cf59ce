"""Fit a value that a model wrote to the type that was asked for, where only one meaning is possible.

Pydantic says what is wrong and where; a fix is made only when the value says the same thing in another
form (`"1,200"` for 1200, one item for a list of one). Nothing is filled in, guessed or dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import ValidationError

from langchain_prodkit.parse import scalars
from langchain_prodkit.parse.keys import normal, rename, resolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_prodkit.parse.shape import Rules, Shape

__all__ = ["align", "loads"]

MAX_ROUNDS: Final = 6
"""Each round fixes one level of wrong nesting."""
MAX_FIXES: Final = 20_000
_SCALARS: Final = frozenset({"case", "number", "percent", "date", "string", "null"})
"""Fixes after which no key stands anywhere else than before."""
_NESTINGS: Final = frozenset({"list_for_single", "single_for_list"})
_SKIP: Final = object()
_DROP: Final = object()


class _Int(int):
    """An integer that remembers how it was written."""

    written: str


class _Float(float):
    """A number that remembers how it was written: 1.10 is 1.1 as a number, and not as a text."""

    written: str


def loads(text: str, *, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None) -> Any:
    """Read JSON whose numbers remember how they were written."""
    return json.loads(text, parse_int=_int, parse_float=_float, object_pairs_hook=pairs)


def _int(written: str) -> _Int:
    value = _Int(written)
    value.written = written
    return value


def _float(written: str) -> _Float:
    value = _Float(written)
    value.written = written
    return value


def align(
    value: Any,
    shape: Shape,
    rules: Rules,
    *,
    is_exact: bool = False,
    is_renamed: bool = False,
    failed: ValidationError | None = None,
) -> tuple[Any, list[str]]:
    """Give the validated object and the names of the fixes it took; `value` is changed in place.

    With `is_renamed`, the keys were looked at already; `failed` is what pydantic said of the value then.

    With `is_exact`, for JSON whose brackets had to be mended, every key must be one that the type knows
    and nothing is nested in another way: either shows that a bracket was put in the wrong place.

    Raises:
        ValidationError: Something is wrong that cannot be fixed safely.
    """
    repairs: dict[str, None] = {}
    if rules.strict:
        return shape.validate(value, rules), []
    extra: Literal["forbid"] | None = "forbid" if is_exact else None
    unfold = not is_renamed
    for _ in range(MAX_ROUNDS):
        if unfold and rename(value, shape):
            repairs["key"] = None
        try:
            if failed is not None:
                raise failed
            return shape.validate(value, rules, extra=extra), list(repairs)
        except ValidationError as error:
            failed = None
            holder = [value]
            too_many = error.error_count() > MAX_FIXES
            fixes = {} if shape.is_strict or too_many else _fix(holder, error, shape)
            if not fixes:
                raise
            repairs |= fixes
            unfold = not _SCALARS.issuperset(fixes)
            if is_exact and not _NESTINGS.isdisjoint(repairs):
                raise
            value = holder[0]
    return shape.validate(value, rules, extra=extra), list(repairs)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an issue is, and what is known of it."""

    container: Any
    key: Any
    path: tuple[int | str, ...]
    issue: Any
    root: Any
    shape: Shape
    met: dict[Any, Any]
    """What was worked out for other places in the same round."""

    @property
    def value(self) -> Any:
        return self.container[self.key]

    @property
    def field(self) -> str:
        """The name of the field, or of the list that the value is in."""
        return next((part for part in reversed(self.path) if isinstance(part, str)), "")

    def schema(self) -> dict[str, Any]:
        """The schema of the place, unions not yet decided."""
        if not self.path:
            return _followed(self.shape.schema, self.shape)
        part = self.path[-1]
        parent = self._parent()
        inside = parent.get("properties", {}).get(part) if isinstance(part, str) else None
        inside = inside or parent.get("items" if isinstance(part, int) else "additionalProperties", {})
        return _followed(inside, self.shape)

    def is_optional(self) -> bool:
        """Tell a field that may be left out, with nothing or an empty list as its default."""
        if not isinstance(self.container, dict) or not self.path:
            return False
        parent = self._parent()
        field = parent.get("properties", {}).get(self.key)
        return (
            isinstance(field, dict)
            and self.key not in parent.get("required", ())
            and not field.get("default")
        )

    def _parent(self) -> dict[str, Any]:
        return self._at(self.path[:-1])[1]

    def _at(self, path: tuple[int | str, ...]) -> tuple[Any, dict[str, Any]]:
        """Give the value at a path, and its schema."""
        found = self.met.get(path)
        if found is None:
            value, schema = self.root, self.shape.schema
            if path:
                above, outer = self._at(path[:-1])
                part = path[-1]
                value = above[part]
                inside = outer.get("properties", {}).get(part) if isinstance(part, str) else None
                schema = inside or outer.get("items" if isinstance(part, int) else "additionalProperties", {})
            found = self.met[path] = (value, resolved(value, schema, self.shape.defs))
        return found


def _followed(schema: Any, shape: Shape) -> dict[str, Any]:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = shape.defs.get(schema["$ref"].rpartition("/")[2], {})
    return schema if isinstance(schema, dict) else {}


def _fix(holder: list[Any], error: ValidationError, shape: Shape) -> dict[str, None]:
    unions: dict[Any, dict[Any, list[_Place]]] = {}
    met: dict[Any, Any] = {}
    for issue in error.errors(include_url=False, include_input=False):
        place, union, member = _placed(holder, issue, shape, met)
        if place is not None:
            unions.setdefault(union, {}).setdefault(member, []).append(place)
    repairs: dict[str, None] = {}
    for union, members in unions.items():
        made = [[(place, *_fixed(place)) for place in places] for places in members.values()]
        if union is not None and len(made) > 1:
            made = [fixes for fixes in made if all(new is not _SKIP for _, new, _ in fixes)]
            if len({repr([new for _, new, _ in fixes]) for fixes in made}) != 1:
                continue  # members of a union disagree on what it should be
        for place, new, name in made[0]:
            if new is _SKIP:
                continue
            if new is _DROP:
                del place.container[place.key]
            else:
                place.container[place.key] = new
            repairs[name] = None
    return repairs


def _placed(
    holder: list[Any], issue: Any, shape: Shape, met: dict[Any, Any]
) -> tuple[_Place | None, Any, Any]:
    """Find what an issue is about, the union that it is in and the member of it that complains."""
    container: Any = holder
    key: Any = 0
    path: list[int | str] = []
    union = member = None
    loc = issue["loc"]
    if "[key]" in loc:
        return None, None, None
    for position, part in enumerate(loc):
        current = container[key]
        if (isinstance(current, dict) and part in current) or (
            isinstance(current, list) and isinstance(part, int) and part < len(current)
        ):
            container, key = current, part
            path.append(part)
        elif union is None and not (issue["type"].startswith("missing") and position == len(loc) - 1):
            union, member = (tuple(path), ""), part
    return _Place(container, key, tuple(path), issue, holder[0], shape, met), union, member


def _fixed(place: _Place) -> tuple[Any, str]:
    fix = _FIXES.get(place.issue["type"])
    return (_SKIP, "") if fix is None else fix(place)


# -- fixes: (place) -> (new value or _SKIP, name) ------------------------------------------------


def _scalar(place: _Place) -> tuple[Any, str]:
    """Take what stands for the same scalar: nothing, one item of a list."""
    value = place.value
    if isinstance(value, str) and value.strip().casefold() in scalars.NULLS and _is_nullable(place.schema()):
        return None, "null"
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | int | float):
        return value[0], "list_for_single"
    return _SKIP, ""


def _is_nullable(schema: dict[str, Any]) -> bool:
    members = schema.get("anyOf", ())
    kinds = {member.get("type") for member in members if isinstance(member, dict)}
    return "null" in kinds and "string" not in {
        member.get("type") for member in members if isinstance(member, dict) and "format" not in member
    }


def _number(place: _Place) -> tuple[Any, str]:
    value = place.value
    if isinstance(value, str) and not place.issue["type"].endswith("_type"):
        field = place.field
        if "%" in value:
            is_fraction = _is_fraction(place.schema())
            part = scalars.percentage(value, field, is_fraction=is_fraction)
            return (_SKIP, "") if part is None else (_as_json(part), "percent")
        if (number := scalars.number(value, field)) is not None:
            if place.issue["type"].startswith("int") and number != int(number):
                return _SKIP, ""
            return _as_json(number), "number"
    return _scalar(place)


def _is_fraction(schema: dict[str, Any]) -> bool:
    numbers = [
        item
        for item in (schema, *schema.get("anyOf", ()))
        if isinstance(item, dict) and item.get("type") in {"number", "integer"}
    ]
    tops = [item.get("maximum", item.get("exclusiveMaximum")) for item in numbers]
    return bool(tops) and all(top is not None and top <= 1 for top in tops)


def _as_json(number: int | Decimal) -> int | float:
    if isinstance(number, Decimal) and number != int(number):
        return float(number)
    return int(number)


def _string(place: _Place) -> tuple[Any, str]:
    value = place.value
    if isinstance(value, _Int | _Float):
        return value.written, "string"
    return _scalar(place)


def _date(place: _Place) -> tuple[Any, str]:
    if isinstance(place.value, str) and (iso := scalars.date(place.value)) is not None:
        return iso, "date"
    return _scalar(place)


def _listed(place: _Place) -> tuple[Any, str]:
    value = place.value
    if isinstance(value, str) and value.lstrip().startswith("[") and value.rstrip().endswith("]"):
        return _decoded(place)
    if value is None:
        # No list is what a field that may be left out says by being left out.
        return (_DROP, "null") if place.is_optional() else (_SKIP, "")
    if isinstance(value, list) or value == "":
        return _SKIP, ""
    if isinstance(value, str) and any(mark in value for mark in (", ", "; ", "\n")):
        return _SKIP, ""  # it may be several
    return [value], "single_for_list"


def _decoded(place: _Place) -> tuple[Any, str]:
    value = place.value
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return value[0], "list_for_single"
    if isinstance(value, str) and value.lstrip()[:1] in {"{", "["}:
        try:
            return loads(value), "double_encoded"
        except (ValueError, RecursionError):
            pass
    return _SKIP, ""


def _choice(place: _Place) -> tuple[Any, str]:
    schema = place.schema()
    known = ("choice", id(schema), place.value) if schema and isinstance(place.value, str) else None
    if known in place.met:
        return place.met[known], "case"
    members = [schema, *(item for item in schema.get("anyOf", ()) if isinstance(item, dict))]
    resolved_members = [resolved(None, item, place.shape.defs) for item in members]
    choices: list[Any] = []
    for item in resolved_members:
        choices += item.get("enum", [item["const"]] if "const" in item else [])
    new = _one_of(place.value, choices)
    if known is not None and new is not _SKIP:
        place.met[known] = new
    return (new, "case") if new is not _SKIP else _scalar(place)


def _one_of(value: Any, choices: list[Any]) -> Any:
    if not isinstance(value, str):
        return _SKIP
    same: list[Any] = [
        choice for choice in choices if isinstance(choice, str) and normal(choice) == normal(value)
    ]
    same += [choice for choice in choices if type(choice) is int and str(choice) == value.strip()]
    return same[0] if len(same) == 1 else _SKIP


def _tag(place: _Place) -> tuple[Any, str]:
    context = place.issue.get("ctx", {})
    key = str(context.get("discriminator", "")).strip("'")
    value = place.value
    if isinstance(value, dict) and key in value:
        tags = [tag.strip().strip("'") for tag in context.get("expected_tags", "").split(",")]
        if (tag := _one_of(value[key], tags)) is not _SKIP:
            return {**value, key: tag}, "case"
    return _decoded(place)


_FIXES: Final[dict[str, Callable[[_Place], tuple[Any, str]]]] = {
    **dict.fromkeys(("int_parsing", "float_parsing", "decimal_parsing"), _number),
    **dict.fromkeys(("int_type", "float_type", "decimal_type"), _number),
    **dict.fromkeys(("bool_parsing", "bool_type", "uuid_parsing", "uuid_type"), _scalar),
    **dict.fromkeys(("date_from_datetime_parsing", "date_parsing", "date_from_datetime_inexact"), _date),
    **dict.fromkeys(("datetime_from_date_parsing", "datetime_parsing", "date_type", "datetime_type"), _date),
    "string_type": _string,
    **dict.fromkeys(("list_type", "set_type", "tuple_type", "frozen_set_type", "iterable_type"), _listed),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "dataclass_type"), _decoded),
    **dict.fromkeys(("literal_error", "enum"), _choice),
    **dict.fromkeys(("union_tag_invalid", "union_tag_not_found"), _tag),
}

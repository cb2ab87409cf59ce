"""From pydantic's core schema of a type to the plan of its documents, and to a schema with room for tokens.

An object that was validated when it closed stands in its parent's JSON as a token: the parent is then
validated by pydantic itself, from JSON, without its children being validated a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic import PydanticUserError
from pydantic_core import SchemaError

from langchain_prodkit.parse.document.leaf import is_custom, leaf_of
from langchain_prodkit.parse.document.plan import (
    ANYTHING,
    READY,
    Arr,
    Choice,
    Obj,
    Plan,
    Unit,
    dataclass_maker,
    model_maker,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["plan_of"]

Schema = dict[str, Any]

_LAYERS: Final = ("function-after", "function-before", "function-wrap")
_ARRAYS: Final[dict[str, Callable[[list[Any]], Any]]] = {
    "list": list,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
}
_OBJECTS: Final = ("model", "dataclass", "typed-dict", "dict")


def _take(token: str) -> Any:
    try:
        return READY.get()[token]
    except LookupError:
        raise ValueError from None


_TOKEN: Final[Schema] = {
    "type": "function-after",
    "schema": {"type": "str", "strict": True},
    "function": {"type": "no-info", "function": _take},
}


def plan_of(schema: Any) -> tuple[Plan, bool]:
    """Make the plan of a type from its core schema; the flag tells whether code of the user validates it."""
    compiler = _Compiler()
    try:
        rewritten, plan = compiler.compile(schema, None, units=True, here=False)
        compiler.finish()
        root = Plan(plan.leaf, plan.obj, plan.arr, is_root=True)
        root.unit = Unit(rewritten, None, compiler.definitions)
        root.unit.validator  # noqa: B018 - compiled here, where it can still be done without
    except (SchemaError, PydanticUserError, KeyError, TypeError):
        root = Plan(leaf_of({"type": "none"}, {}, None), is_root=True)
    return root, is_custom(schema)


class _Compiler:
    """Makes plans and the rewritten schema side by side."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}
        """Those of pydantic, and the rewritten ones under names of their own."""
        self._originals: dict[str, Schema] = {}
        self._plans: dict[tuple[str, bool, bool], Plan] = {}
        self._later: list[Callable[[], None]] = []

    def finish(self) -> None:
        """Fill in what had to wait for recursive types; one may wait for another."""
        for fill in self._later * 3:
            fill()

    def compile(self, schema: Schema, config: Any, *, units: bool, here: bool) -> tuple[Schema, Plan]:
        """Rewrite a schema and plan it; `here` tells whether this place may hold a validated object."""
        kind = schema["type"]
        if kind == "definitions":
            for item in schema["definitions"]:
                self._originals[item["ref"]] = self.definitions[item["ref"]] = item
            return self.compile(schema["schema"], config, units=units, here=here)
        if kind == "definition-ref":
            return self._reference(schema["schema_ref"], config, units=units, here=here)
        if here and units and self._is_unit(schema):
            inner, plan = self.compile(schema, config, units=True, here=False)
            plan.unit = Unit(inner, config, self.definitions)
            return _or_token(inner), plan
        plan = Plan(leaf_of(schema, self._originals, config))
        return self._into(plan, schema, config, units=units, here=here), plan

    def _reference(self, ref: str, config: Any, *, units: bool, here: bool) -> tuple[Schema, Plan]:
        target = self._originals[ref]
        here = here and units and self._is_unit(target)
        ours: Schema = {"type": "definition-ref", "schema_ref": f"unit:{ref}" if units else ref}
        found = self._plans.get((ref, units, here))
        if found is None:
            found = self._plans[ref, units, here] = Plan(leaf_of(target, self._originals, config))
            if here:
                found.unit = Unit(ours, config, self.definitions)
            rewritten, plan = self.compile(target, config, units=units, here=False)
            if units:
                self.definitions[f"unit:{ref}"] = {**rewritten, "ref": f"unit:{ref}"}
            self._copy_later(found, plan)
        return (_or_token(ours) if here else ours), found

    def _copy_later(self, target: Plan, source: Plan) -> None:
        def fill() -> None:
            target.obj, target.arr = source.obj, source.arr

        fill()
        self._later.append(fill)

    def _into(self, plan: Plan, schema: Schema, config: Any, *, units: bool, here: bool) -> Schema:
        """Plan one node, and give its rewritten schema."""
        kind = schema["type"]
        if kind in {"default", "nullable", "function-after"}:
            return self._through(plan, schema, "schema", config, units=units, here=here)
        if kind == "json-or-python":
            return self._through(plan, schema, "json_schema", config, units=units, here=here)
        if kind in {"function-before", "function-wrap", "custom-error"}:
            # Such a validator sees the JSON before pydantic does, so no token may stand in it.
            self._through(plan, schema, "schema", config, units=False, here=False)
        elif kind == "lax-or-strict":
            self._through(plan, schema, "lax_schema", config, units=False, here=False)
        elif kind == "any":
            plan.obj, plan.arr = ANYTHING.obj, ANYTHING.arr
        elif kind in _ARRAYS:
            return self._array(plan, schema, config, units=units)
        elif kind in _OBJECTS:
            return self._object(plan, schema, config, units=units)
        elif kind in {"union", "tagged-union"}:
            return self._union(plan, schema, config, units=units)
        return schema

    def _through(
        self, plan: Plan, schema: Schema, inner: str, config: Any, *, units: bool, here: bool
    ) -> Schema:
        rewritten, found = self.compile(schema[inner], config, units=units, here=here)
        plan.unit = found.unit
        plan.is_exact = schema["type"] != "function-after"
        self._copy_later(plan, found)
        return {**schema, inner: rewritten}

    def _array(self, plan: Plan, schema: Schema, config: Any, *, units: bool) -> Schema:
        told = schema.get("items_schema", {"type": "any"})
        items = told if isinstance(told, list) else [told]
        made = [self.compile(item, config, units=units, here=True) for item in items]
        variadic = schema.get("variadic_item_index") if isinstance(told, list) else 0
        plan.arr = Arr(_ARRAYS[schema["type"]], [item for _, item in made], variadic)
        rewritten = [item for item, _ in made]
        return {**schema, "items_schema": rewritten if isinstance(told, list) else rewritten[0]}

    def _object(self, plan: Plan, schema: Schema, config: Any, *, units: bool) -> Schema:
        kind = schema["type"]
        if kind == "dict":
            values, item = self.compile(
                schema.get("values_schema", {"type": "any"}), config, units=units, here=True
            )
            keys = schema.get("keys_schema", {"type": "any"})
            key = leaf_of(keys, self._originals, config)
            plan.obj = Obj(lambda shown, _: shown, extra=item, key=key, is_mapping=True)
            return {**schema, "values_schema": values}
        config = schema.get("config", config)
        if schema.get("root_model"):
            inner, found = self.compile(schema["schema"], config, units=units, here=False)
            make = model_maker(schema["cls"], has_extra=False)

            def fill() -> None:
                plan.arr = wrapped(found.arr, make)
                plan.obj = wrapped(found.obj, make)

            self._later.append(fill)
            return {**schema, "schema": inner}
        if kind == "typed-dict":
            plan.obj = Obj(lambda shown, _: shown)
            return self._fields(plan.obj, schema, config, units=units)
        if kind == "dataclass":
            plan.obj = Obj(dataclass_maker(schema["cls"]))
        else:
            plan.obj = Obj(model_maker(schema["cls"], has_extra=_extra(schema, config) == "allow"))
        return {**schema, "schema": self._inner_fields(plan.obj, schema["schema"], config, units=units)}

    def _inner_fields(self, obj: Obj, schema: Schema, config: Any, *, units: bool) -> Schema:
        """Find the fields below the validators of the class."""
        if schema["type"] in _LAYERS:
            units = units and schema["type"] == "function-after"
            return {**schema, "schema": self._inner_fields(obj, schema["schema"], config, units=units)}
        return self._fields(obj, schema, config, units=units)

    def _fields(self, obj: Obj, schema: Schema, config: Any, *, units: bool) -> Schema:
        is_list = isinstance(schema["fields"], list)
        told = [(item["name"], item) for item in schema["fields"]] if is_list else schema["fields"].items()
        by_name = _by_name(schema, config)
        rewritten: dict[str, Schema] = {}
        for name, item in told:
            inner, plan = self.compile(item["schema"], config, units=units, here=True)
            rewritten[name] = {**item, "schema": inner}
            for key in _keys(name, item.get("validation_alias"), by_name=by_name):
                obj.fields[key] = (name, plan)
            if schema["type"] != "typed-dict":
                obj.blank[name] = None
        if _extra(schema, config) == "allow":
            obj.extra = ANYTHING
        return {**schema, "fields": list(rewritten.values()) if is_list else rewritten}

    def _union(self, plan: Plan, schema: Schema, config: Any, *, units: bool) -> Schema:
        told = schema["choices"]
        keys = list(told) if isinstance(told, dict) else list(range(len(told)))
        choices = [
            item[0] if isinstance(item, tuple) else item
            for item in (told.values() if isinstance(told, dict) else told)
        ]
        tags = _tags(schema)
        kinds = [self._kinds(item) for item in choices]
        rivals = {kind: sum(kind in item for item in kinds) for kind in ("object", "array")}
        found: list[Plan] = []
        rewritten: list[Schema] = []
        for item, kind in zip(choices, kinds, strict=True):
            # A token would be taken by whichever member is tried first.
            alone = all(rivals[name] <= 1 for name in kind if name in rivals) or bool(tags)
            inner, member = self.compile(item, config, units=units and alone, here=False)
            found.append(member)
            rewritten.append(inner if units and alone else item)

        def fill() -> None:
            arrays = [item.arr for item, kind in zip(found, kinds, strict=True) if "array" in kind]
            objects = [item.obj for item, kind in zip(found, kinds, strict=True) if "object" in kind]
            plan.arr = arrays[0] if len(arrays) == 1 else None
            if tags:
                named = {key: item.obj for key, item in zip(keys, found, strict=True)}
                table = {getattr(key, "value", key): obj for key, obj in named.items()}
                plan.obj = Choice([], tags, {key: obj for key, obj in table.items() if isinstance(obj, Obj)})
            elif len(objects) == 1:
                plan.obj = objects[0]
            else:
                members = [item for item in objects if isinstance(item, Obj)]
                plan.obj = Choice(members) if len(members) == len(objects) else None

        self._later.append(fill)
        if isinstance(told, dict):
            return {**schema, "choices": dict(zip(keys, rewritten, strict=True))}
        labels = [item[1:] if isinstance(item, tuple) else () for item in told]
        pairs = zip(rewritten, labels, strict=True)
        return {**schema, "choices": [(item, *label) if label else item for item, label in pairs]}

    def _kinds(  # noqa: PLR0911 - one line a kind
        self, schema: Schema, seen: frozenset[str] = frozenset()
    ) -> set[str]:
        """Name the kinds of JSON containers that a schema takes."""
        kind = schema["type"]
        if kind == "definition-ref":
            ref = schema["schema_ref"]
            return set() if ref in seen else self._kinds(self._originals[ref], seen | {ref})
        if kind == "model" and schema.get("root_model"):
            return self._kinds(schema["schema"], seen)
        if kind in _OBJECTS:
            return {"object"}
        if kind in _ARRAYS or kind == "generator":
            return {"array"}
        if kind in {"union", "tagged-union"}:
            told = schema["choices"]
            items = list(told.values()) if isinstance(told, dict) else told
            return {
                name
                for item in items
                for name in self._kinds(item[0] if isinstance(item, tuple) else item, seen)
            }
        for inner in ("json_schema", "lax_schema", "schema"):
            if inner in schema and kind not in {"function-before", "function-wrap", "chain"}:
                return self._kinds(schema[inner], seen)
        is_leaf = leaf_of(schema, self._originals, None).is_pure and kind != "any"
        return set() if is_leaf else {"object", "array"}

    def _is_unit(self, schema: Schema) -> bool:
        """Tell whether a schema is that of a whole class or union, its own validators included."""
        layers = 0
        while schema["type"] in _LAYERS:
            schema, layers = schema["schema"], layers + 1
        kind = schema["type"]
        if kind in {"model", "dataclass"}:
            return not schema.get("root_model") and layers == _layers(schema["cls"])
        return not layers and (
            kind in {"typed-dict", "tagged-union"} or (kind == "union" and "object" in self._kinds(schema))
        )


def _or_token(schema: Schema) -> Schema:
    return {"type": "union", "mode": "left_to_right", "choices": [_TOKEN, schema]}


def _layers(cls: type) -> int:
    """Count the validators that a class puts around itself."""
    schema = getattr(cls, "__pydantic_core_schema__", None)
    layers = 0
    if not isinstance(schema, Mapping):
        return layers
    definitions = {}
    while schema["type"] in {"definitions", "definition-ref", *_LAYERS}:
        if schema["type"] == "definitions":
            definitions = {item["ref"]: item for item in schema["definitions"]}
        layers += schema["type"] in _LAYERS
        schema = definitions[schema["schema_ref"]] if schema["type"] == "definition-ref" else schema["schema"]
    return layers


def _extra(schema: Schema, config: Any) -> Any:
    inner = schema
    while inner["type"] in {"model", *_LAYERS}:
        inner = inner["schema"]
    return inner.get("extra_behavior") or (config or {}).get("extra_fields_behavior")


def _by_name(schema: Schema, config: Any) -> bool:
    told = config or {}
    return bool(
        told.get("populate_by_name") or told.get("validate_by_name") or schema.get("populate_by_name")
    )


def _keys(name: str, alias: Any, *, by_name: bool) -> Iterator[str]:
    """List the JSON keys of a field; what an alias finds deeper down is shown when the object closes."""
    if alias is None or by_name:
        yield name
    if isinstance(alias, str):
        yield alias
    elif isinstance(alias, list):
        paths = alias if alias and isinstance(alias[0], list) else [alias]
        for path in paths:
            if len(path) == 1 and isinstance(path[0], str):
                yield path[0]


def _tags(schema: Schema) -> frozenset[str]:
    told = schema.get("discriminator")
    if isinstance(told, str):
        return frozenset({told})
    return frozenset(_keys("", told, by_name=False)) if isinstance(told, list) else frozenset()

"""What a type looks like while it is still written: which JSON belongs where, and what is shown of it."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import MISSING as NO_DEFAULT
from dataclasses import dataclass, field, replace
from dataclasses import fields as dataclass_fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from pydantic import RootModel
from pydantic_core import PydanticUndefined, SchemaValidator

from langchain_prodkit.parse.document.leaf import Leaf, leaf_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "ANYTHING",
    "MISSING",
    "READY",
    "Arr",
    "Choice",
    "Obj",
    "Plan",
    "Unit",
    "dataclass_maker",
    "model_maker",
    "wrapped",
]

Schema = dict[str, Any]

MISSING: Final[Any] = object()
"""Nothing to show."""
READY: Final[ContextVar[Mapping[str, Any]]] = ContextVar("langchain_prodkit_parse_ready")
"""Token -> the object validated before, while its parent is validated."""


@dataclass(eq=False, slots=True)
class Plan:
    """What may stand at one place of the JSON, by the kind of value that turns up there."""

    leaf: Leaf
    obj: Obj | Choice | None = None
    """For an object; None where nothing of it is shown."""
    arr: Arr | None = None
    unit: Unit | None = None
    """Validates the object that stands here as soon as it closes."""
    is_root: bool = False
    """Whether arrays are validated here too."""
    is_exact: bool = True
    """Whether the unit's object is what will stand here: no validator of the parent's comes after."""


@dataclass(eq=False, slots=True)
class Obj:
    """One kind of JSON object."""

    make: Callable[[dict[str, Any], set[str]], Any]
    """Builds what is shown from the values by attribute and the names read; it may keep both."""
    fields: dict[str, tuple[str, Plan]] = field(default_factory=dict)
    """JSON key -> attribute and plan."""
    blank: dict[str, Any] = field(default_factory=dict)
    """The values of an object of which nothing has been read."""
    extra: Plan | None = None
    """For keys that are no fields; None where those are not shown."""
    key: Leaf | None = None
    """For the keys of a mapping; None where every string is one."""
    is_mapping: bool = False
    """Whether any key belongs here."""

    def knows(self, name: str) -> bool:
        """Tell whether a key belongs here."""
        return name in self.fields or self.extra is not None


@dataclass(eq=False, slots=True)
class Choice:
    """One of several kinds of object, told by a tag or, without one, by the keys."""

    members: list[Obj]
    tags: frozenset[str] = frozenset()
    """JSON keys of the tag."""
    table: dict[Any, Obj] = field(default_factory=dict)


@dataclass(eq=False, slots=True)
class Arr:
    """One kind of JSON array."""

    make: Callable[[list[Any]], Any]
    items: list[Plan]
    """One plan an item; the one at `variadic` stands for any number."""
    variadic: int | None = 0

    def item(self, index: int) -> Plan | None:
        """Give the plan of an item; a repeated one swallows all that follow."""
        if self.variadic is not None and index >= self.variadic:
            return self.items[self.variadic] if self.variadic == len(self.items) - 1 else None
        return self.items[index] if index < len(self.items) else None


class Unit:
    """A validator for one object, whose children may be tokens; compiled when first needed."""

    def __init__(self, schema: Schema, config: Any, definitions: Mapping[str, Schema]) -> None:
        """Hold the schema."""
        self._schema = schema
        self._config = config
        self._definitions = definitions

    @cached_property
    def validator(self) -> SchemaValidator:
        """The compiled validator."""
        schema = {
            "type": "definitions",
            "schema": self._schema,
            "definitions": list(self._definitions.values()),
        }
        return SchemaValidator(schema, self._config, _use_prebuilt=False)


ANYTHING: Final = Plan(leaf_of({"type": "any"}, {}, None))
ANYTHING.obj = Obj(make=lambda values, _: values, extra=ANYTHING, is_mapping=True)
ANYTHING.arr = Arr(make=lambda values: values, items=[ANYTHING])


def wrapped(part: Any, make: Callable[[dict[str, Any], set[str]], Any]) -> Any:
    """Put what a part shows into a `RootModel`."""
    if isinstance(part, Arr):
        inner = part.make
        return replace(part, make=lambda shown: make({"root": inner(shown)}, {"root"}))
    if isinstance(part, Obj):
        make_inner = part.make
        return replace(part, make=lambda shown, read: make({"root": make_inner(shown, read)}, {"root"}))
    if isinstance(part, Choice):
        members = [wrapped(item, make) for item in part.members]
        return Choice(members, part.tags, {key: wrapped(item, make) for key, item in part.table.items()})
    return part


def model_maker(cls: type, *, has_extra: bool) -> Callable[[dict[str, Any], set[str]], Any]:
    """Build instances of a pydantic model without validating, as `model_construct` does, but for defaults.

    `model_post_init` is code of the user's and waits for the whole object.
    """
    put = object.__setattr__
    private = {
        name: value
        for name, attribute in getattr(cls, "__private_attributes__", {}).items()
        if (value := attribute.get_default()) is not PydanticUndefined
    }
    has_private = bool(getattr(cls, "__private_attributes__", None))
    is_root = issubclass(cls, RootModel)
    names = cls.model_fields  # type: ignore[attr-defined]

    def make(values: dict[str, Any], read: set[str]) -> Any:
        made: Any = object.__new__(cls)
        extra = {name: values.pop(name) for name in list(values) if name not in names} if has_extra else None
        put(made, "__dict__", values)
        put(made, "__pydantic_fields_set__", read)
        if not is_root:  # pydantic keeps these two in the class there
            put(made, "__pydantic_extra__", extra)
            put(made, "__pydantic_private__", dict(private) if has_private else None)
        return made

    return make


def dataclass_maker(cls: type) -> Callable[[dict[str, Any], set[str]], Any]:
    """Build instances of a dataclass without calling it."""
    put = object.__setattr__
    unread = {
        item.name: None if item.default is NO_DEFAULT else item.default
        for item in dataclass_fields(cls)
        if not item.init
    }

    def make(values: dict[str, Any], _: set[str]) -> Any:
        made: Any = object.__new__(cls)
        for name, value in {**unread, **values}.items():
            put(made, name, value)
        return made

    return make

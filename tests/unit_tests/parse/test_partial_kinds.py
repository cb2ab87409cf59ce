"""`PartialStream` of every kind of type: the result is pydantic's, and so is the last snapshot before it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import json
import uuid
from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal, NamedTuple, NotRequired, TypeVar

import pytest
from instructor import Maybe
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    computed_field,
    model_validator,
)
from pydantic import dataclasses as pydantic_dataclasses
from typing_extensions import TypedDict

from langchain_prodkit.parse.shape import shape_of
from tests.unit_tests.parse.grown import Cat, Circle, Colour, Dog, Square, Tags, looks

T = TypeVar("T")


class Box(BaseModel, Generic[T]):
    """A generic."""

    item: T
    items: list[T] = []


@pydantic_dataclasses.dataclass
class Validated:
    """A dataclass of pydantic's."""

    number: int
    cat: Cat


@dataclasses.dataclass(slots=True, frozen=True)
class Slotted:
    """A dataclass with slots."""

    number: int
    cat: Cat | None = None


class Pair(NamedTuple):
    """A named tuple."""

    number: int
    text: str


class Record(TypedDict):
    """A typed dictionary."""

    cat: Cat
    number: NotRequired[int]


class Closed(BaseModel):
    """Frozen, strict, without extras, with a computed field."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    day: dt.date
    key: uuid.UUID
    cat: Cat | None = None

    @computed_field
    def double(self) -> int:
        """Be computed."""
        return 2


class Renamed(BaseModel):
    """Read by other names."""

    number: int = Field(validation_alias=AliasChoices("N", "no"))
    deep: str = Field(default="d", validation_alias=AliasPath("more", "deep"))


class Wrapped(BaseModel):
    """Rewrites its input."""

    cat: Cat

    @model_validator(mode="wrap")
    @classmethod
    def unwrap(cls, value: Any, handler: Any) -> Any:
        """See JSON, never anything that was validated before."""
        assert isinstance(value["cat"], dict)
        return handler(value)


class Leaf(BaseModel):
    """A member of a recursive union."""

    kind: Literal["leaf"]
    number: int


class Node(BaseModel):
    """Another one."""

    kind: Literal["node"]
    left: Tree | None = None
    right: Tree | None = None


Tree = Annotated[Leaf | Node, Field(discriminator="kind")]
Node.model_rebuild()

CAT = {"name": "Tom", "lives": 7}
TREE = {
    "kind": "node",
    "left": {"kind": "leaf", "number": 1},
    "right": {"right": {"kind": "leaf", "number": 2}, "kind": "node"},
}

KINDS: list[tuple[Any, Any]] = [
    (Box[Cat], {"item": CAT, "items": [CAT, CAT]}),
    (Box[int], {"item": 1, "items": [2]}),
    (Validated, {"number": 1, "cat": CAT}),
    (Slotted, {"number": 1, "cat": CAT}),
    (Record, {"cat": CAT, "number": 3}),
    (Closed, {"day": "2026-02-03", "key": str(uuid.UUID(int=7)), "cat": CAT}),
    (Renamed, {"no": 1, "more": {"deep": "x"}}),
    (Wrapped, {"cat": CAT}),
    (Tree, TREE),
    (list[Tree], [TREE, TREE["left"]]),
    (Maybe(Cat), {"result": CAT, "error": False, "message": None}),
    (Tags, ["a", "b"]),
    (list[Cat], [CAT, CAT]),
    (Sequence[Cat], [CAT]),
    (tuple[Cat, int, str], [CAT, 1, "x"]),
    (tuple[Cat, ...], [CAT, CAT]),
    (set[int], [1, 2]),
    (frozenset[str], ["a", "b"]),
    (dict[str, Cat], {"a": CAT}),
    (dict[int, list[Cat]], {"1": [CAT], "2": []}),
    (list[Cat | None], [None, CAT]),
    (list[Cat | int | str], ["x", 1, CAT]),
    (list[Circle | Square], [{"radius": 1.0}, {"side": 1.0, "name": "s"}]),
    (list[Cat | Dog], [CAT, {"name": "Rex", "toys": ["t"]}]),
    (list[Pair], [[1, "x"]]),
    (Cat | None, CAT),
    (dict[str, Any], {"a": [{"b": None}]}),
    (Colour, "red"),
    (enum.IntEnum("Level", {"LOW": 1}), 1),
    (Literal["a", 1], "a"),
    (float, 1.5),
    (bool, True),
    (dt.date, "2026-02-03"),
]


@pytest.mark.parametrize(("kind", "value"), KINDS, ids=[str(kind)[:40] for kind, _ in KINDS])
@pytest.mark.parametrize("size", [1, 5])
def test_every_kind_of_type_is_shown_and_read(kind: Any, value: Any, size: int) -> None:
    """Bare where it is an object or a list, and in the envelope that a provider wants."""
    expected = TypeAdapter(kind).validate_json(json.dumps(value))
    texts = [json.dumps(value)] if isinstance(value, dict | list) else []
    if (key := shape_of(kind).key) is not None:
        texts.append(json.dumps({key: value}))
    for text in texts:
        chunks = [text[start : start + size] for start in range(0, len(text), size)]
        *snapshots, result = looks(kind, chunks)
        assert result == expected
        assert type(result) is type(expected)
        assert snapshots[-1] == expected, "shown whole before it is closed"
        assert repr(snapshots[len(snapshots) // 2])

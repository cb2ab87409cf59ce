"""Types of every kind, documents of them, and what it means that a snapshot grows into the next."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict

from langchain_prodkit.parse import PartialStream


class Colour(enum.Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Cat(BaseModel):
    """Told by its tag."""

    kind: Literal["cat"] = "cat"
    name: str
    lives: int = 9


class Dog(BaseModel):
    """Told by its tag."""

    kind: Literal["dog"] = "dog"
    name: str
    toys: list[str] = []


class Circle(BaseModel):
    """Told by its keys."""

    radius: float


class Square(BaseModel):
    """Told by its keys."""

    side: float
    name: str | None = None


class Tags(RootModel[list[str]]):
    """A list with a name of its own."""


class Where(TypedDict, total=False):
    """A mapping of known keys."""

    street: str
    number: int


@dataclasses.dataclass
class Point:
    """A plain dataclass."""

    x: float
    y: float
    label: str = "here"


class Branch(BaseModel):
    """A tree."""

    label: str
    children: list[Branch] = []


class Open(BaseModel):
    """Takes keys that it does not know."""

    model_config = ConfigDict(extra="allow")
    known: str


class Everything(BaseModel):
    """One field of every kind."""

    model_config = ConfigDict(populate_by_name=True)

    title: str
    count: int = Field(alias="howMany", ge=0)
    price: Decimal | None = None
    ratio: float = 0.5
    is_new: bool = True
    colour: Colour = Colour.RED
    mode: Literal["fast", "slow"] = "fast"
    day: dt.date | None = None
    either: int | str = 0
    notes: list[str] = Field(default_factory=list)
    grid: list[list[int]] = []
    pair: tuple[int, str] | None = None
    seen: set[str] = set()
    scores: dict[str, float] = {}
    by_number: dict[int, Cat] = {}
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    shape: Circle | Square | None = None
    tags: Tags | None = None
    where: Where | None = None
    point: Point | None = None
    tree: Branch | None = None
    open: Open | None = None
    anything: Any = None


WHOLE: dict[str, Any] = {
    "title": 'A "quoted" \\ title\nwith 🙂 and \u00e9',
    "howMany": 12,
    "price": "10.50",
    "ratio": -1.5e-3,
    "is_new": False,
    "colour": "blue",
    "mode": "slow",
    "day": "2026-01-31",
    "either": "text",
    "notes": ["one", "", "three"],
    "grid": [[1, 2], [], [3]],
    "pair": [7, "seven"],
    "seen": ["a", "b"],
    "scores": {"x": 1, "y": 2.5},
    "by_number": {"1": {"name": "Tom"}, "2": {"kind": "cat", "name": "Kim", "lives": 3}},
    "pet": {"kind": "dog", "name": "Rex", "toys": ["ball", "bone"]},
    "shape": {"side": 2.0, "name": "sq"},
    "tags": ["p", "q"],
    "where": {"street": "Main", "number": 5},
    "point": {"x": 1, "y": 2},
    "tree": {"label": "r", "children": [{"label": "a", "children": [{"label": "b"}]}, {"label": "c"}]},
    "open": {"known": "k", "other": [1, {"deep": "x"}]},
    "anything": {"free": ["form", None, True, 1.5]},
}


def grows(before: Any, after: Any) -> bool:  # noqa: PLR0911 - one line a kind
    """Tell whether nothing that was shown before is taken back."""
    if before is None:
        return True
    if type(before) is not type(after):
        return False
    if isinstance(before, str) and not isinstance(before, enum.Enum):
        return bool(after.startswith(before))
    if isinstance(before, BaseModel):
        read = before.model_fields_set <= after.model_fields_set
        return read and all(grows(value, after.__dict__[name]) for name, value in before.__dict__.items())
    if dataclasses.is_dataclass(before):
        return all(
            grows(getattr(before, one.name), getattr(after, one.name)) for one in dataclasses.fields(before)
        )
    if isinstance(before, dict):
        return all(name in after and grows(value, after[name]) for name, value in before.items())
    if isinstance(before, list | tuple):
        return len(before) <= len(after) and all(map(grows, before, after))
    if isinstance(before, set):
        return True  # the string that is still written leaves for its longer self
    return bool(before == after)


def looks(model: Any, chunks: list[str], **settings: Any) -> Iterator[Any]:
    """Give the snapshot after every chunk, and last the result."""
    stream = PartialStream(model, **settings)
    for chunk in chunks:
        stream.feed(chunk)
        yield stream.snapshot()
    yield stream.close()

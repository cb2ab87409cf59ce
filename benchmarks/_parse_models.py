"""What the parse benchmark asks for: the models of its rows, and models as wide or long as wanted."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, create_model

__all__ = ["ROW_MODELS", "People", "Person", "people", "wide_model", "wide_value"]


class Person(BaseModel):
    """Somebody in a list of people."""

    name: str
    age: int
    email: str | None = None
    tags: list[str] = []


class Item(BaseModel):
    """A line of an order."""

    sku: str
    qty: int
    price: float


class Order(BaseModel):
    """A list of objects, a choice, something that may be missing."""

    id: str
    items: list[Item]
    status: Literal["open", "paid", "shipped"]
    notes: str | None = None


class Node(BaseModel):
    """A model that holds itself."""

    name: str
    children: list[Node] = []


class Reading(BaseModel):
    """Numbers, one of them required and yet null at times."""

    sensor: str
    value: float | None
    unit: str = "C"
    samples: list[float] = []


class Lang(enum.StrEnum):
    """An enum as a field."""

    en = "en"
    de = "de"
    fr = "fr"


class Doc(BaseModel):
    """Long text, and an enum with a default."""

    title: str
    body: str
    lang: Lang = Lang.en


class Talk(BaseModel):
    """One member of a tagged union."""

    kind: Literal["talk"]
    speaker: str
    minutes: int


class Workshop(BaseModel):
    """The other member."""

    kind: Literal["workshop"]
    seats: int
    materials: list[str] = []


class Event(BaseModel):
    """A date, a flag and a tagged union."""

    title: str
    when: dt.date
    online: bool
    session: Annotated[Talk | Workshop, Field(discriminator="kind")]


class Answer(BaseModel):
    """A number with bounds."""

    answer: str
    confidence: float = Field(ge=0, le=1)
    citations: list[int] = []


class Account(BaseModel):
    """Keys of two words, which models like to write in their own way."""

    user_id: int
    display_name: str
    active: bool


ROW_MODELS: Final[dict[str, type[BaseModel]]] = {
    model.__name__: model for model in (Person, Order, Node, Reading, Doc, Event, Answer, Account)
}


class People(BaseModel):
    """A list of people, as long as the benchmark wants."""

    people: list[Person]


def people(number: int) -> People:
    """Give that many people, no two alike and all of the same length."""
    return People(
        people=[
            Person(name=f"P {n:04}", age=10 + n % 90, email="a@b.co", tags=["x", "y"]) for n in range(number)
        ]
    )


def wide_model(fields: int) -> type[BaseModel]:
    """Make a model with that many text fields."""
    columns: dict[str, Any] = {f"field_{number}": (str, ...) for number in range(fields)}
    return create_model(f"Wide{fields}", **columns)


def wide_value(fields: int) -> dict[str, str]:
    """Give what fits `wide_model(fields)`."""
    return {f"field_{number}": f"value {number}" for number in range(fields)}

"""Response models that the tests of this folder share; importable, so that their objects pickle."""

from __future__ import annotations

import datetime as dt
import enum
from typing import Literal

from pydantic import BaseModel, Field, field_validator


class ActorFilmography(BaseModel):
    """An actor and the films."""

    name: str
    film_names: list[str]

    @field_validator("name")
    @classmethod
    def in_upper_case(cls, value: str) -> str:
        """Demand upper case."""
        if value != value.upper():
            raise ValueError("name must be in upper case")
        return value


class Priority(enum.Enum):
    """How soon."""

    LOW = "low"
    HIGH = "high"


class Line(BaseModel):
    """One thing ordered."""

    article: str
    amount: int
    price: float


class Ticket(BaseModel):
    """A support ticket."""

    title: str
    priority: Priority
    customer_id: int
    opened_on: dt.date
    lines: list[Line] = []
    due_note: str | None = None


class Branch(BaseModel):
    """A tree."""

    label: str
    children: list[Branch] = []


class Score(BaseModel):
    """A judged answer."""

    verdict: Literal["pass", "fail"]
    score: float = Field(ge=0, le=1)


class Flat(BaseModel):
    """Nothing in it is optional."""

    name: str
    age: int
    city: str

"""Every kind of response type comes back as exactly that type, and what is no type is said to be none."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import enum
import math
import pickle
import uuid
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NotRequired, TypeVar

import pydantic.dataclasses
import pytest
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    ValidationInfo,
    computed_field,
    model_validator,
)
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from langchain_prodkit.errors import ConfigurationError, StructuredOutputError
from langchain_prodkit.parse import parse_aligned
from langchain_prodkit.parse.repair import read
from langchain_prodkit.parse.shape import Rules, Unfit, shape_of
from tests.unit_tests.parse.models import Branch, Priority, Score

T = TypeVar("T")


class Level(enum.IntEnum):
    """A choice of numbers."""

    ONE = 1
    TWO = 2


class Cat(BaseModel):
    """One member of a union."""

    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"]
    bark: str


class Point(TypedDict):
    """A dict with a field that may be left out."""

    x: int
    label: NotRequired[str]


class Path(TypedDict, total=False):
    """A dict in a dict."""

    start: Point
    points: list[Point]


@dataclasses.dataclass
class Pair:
    """A standard dataclass."""

    name: str
    count: int = 0
    tags: list[str] = dataclasses.field(default_factory=list)


@pydantic.dataclasses.dataclass
class Nest:
    """A dataclass of pydantic."""

    title: str
    pair: Pair | None = None


class Numbers(RootModel[list[int]]):
    """A list with a name."""


class Page(BaseModel, Generic[T]):
    """A generic model."""

    items: list[T]
    total: int


CatPage = Page[Cat]


class Renamed(BaseModel):
    """Keys made by a generator, and the names allowed too."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)
    due_date: dt.date
    user_id: int = 0


class Choices(BaseModel):
    """Keys to choose from, and one in a list."""

    first: int = Field(validation_alias=AliasChoices("alpha", "beta"))
    second: int = Field(validation_alias=AliasPath("rest", 0))


class Closed(BaseModel):
    """No other key may be there."""

    model_config = ConfigDict(extra="forbid")
    x: int


class Open(BaseModel):
    """Any other key may be there, and stays."""

    model_config = ConfigDict(extra="allow")
    x: int
    due_note: str | None = None


class Strict(BaseModel):
    """No value of another type."""

    model_config = ConfigDict(strict=True)
    x: int
    day: dt.date


class Full(BaseModel):
    """Code of the user's own sees the input first."""

    first: str
    last: str

    @model_validator(mode="before")
    @classmethod
    def split(cls, data: Any) -> Any:
        """Accept one key for both."""
        if isinstance(data, dict) and "full" in data:
            first, last = data["full"].split()
            return {"first": first, "last": last}
        return data


class Ordered(BaseModel):
    """A rule over two fields, a field that is computed, and a constructor of its own."""

    low: int
    high: int

    def __init__(self, **data: Any) -> None:
        """Pass on."""
        super().__init__(**data)

    @model_validator(mode="after")
    def in_order(self) -> Ordered:
        """Demand order."""
        if self.low > self.high:
            raise ValueError("low is above high")
        return self

    @computed_field  # type: ignore[prop-decorator]
    @property
    def width(self) -> int:
        """What lies between."""
        return self.high - self.low


class Owner(BaseModel):
    """Unions with and without a discriminator."""

    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    other: Cat | Dog | None = None
    level: Level | None = None


class Never(BaseModel):
    """No value satisfies this."""

    x: int = Field(gt=5, lt=3)


class Empty(BaseModel):
    """Nothing is required."""

    a: int | None = None
    names: list[str] = []


CAT = Cat(kind="cat", lives=9)

READ: list[tuple[Any, str, Any]] = [
    (Point, '{"X": "1",}', {"x": 1}),
    (
        Path,
        '{"start": {"X": 1}, "points": {"x": 2, "Label": "b"}}',
        {"start": {"x": 1}, "points": [{"x": 2, "label": "b"}]},
    ),
    (Pair, "{'name': 'a', 'Count': '1,000', 'tags': 't'}", Pair("a", 1000, ["t"])),
    (Nest, '{"title": "a", "pair": [{"name": "b",}]}', Nest("a", Pair("b"))),
    (Numbers, 'So: [1, "2",]', Numbers([1, 2])),
    (Numbers, '{"numbers": [1, 2]}', Numbers([1, 2])),
    (CatPage, '{"items": {"kind": "Cat", "lives": "9"}, "Total": 1}', CatPage(items=[CAT], total=1)),
    (Renamed, '{"DueDate": "March 1, 2026", "user_id": 3}', Renamed(due_date=dt.date(2026, 3, 1), user_id=3)),
    (Choices, '{"beta": 1, "rest": [2],}', Choices(alpha=1, rest=[2])),
    (Closed, '{"X": 1}', Closed(x=1)),
    (Open, '{"x": 1, "DueNote": "soon", "more": {"a": [1,]}}', Open(x=1, due_note="soon", more={"a": [1]})),
    (Strict, '{"x": 1, "day": "2026-01-02",}', Strict(x=1, day=dt.date(2026, 1, 2))),
    (Full, 'So: {"full": "Ann Lee",}', Full(first="Ann", last="Lee")),
    (Ordered, '{"low": 1, "high": 3, "width": 99}', Ordered(low=1, high=3)),
    (Owner, '{"pet": {"Kind": "CAT", "lives": "9"}, "level": "2"}', Owner(pet=CAT, level=Level.TWO)),
    (
        Owner,
        '{"pet": {"kind": "cat", "lives": 9}, "other": {"kind": "cat", "lives": "1,000"}}',
        Owner(pet=CAT, other=Cat(kind="cat", lives=1000)),
    ),
    (Branch, '{"label": "a", "children": {"label": "b"}}', Branch(label="a", children=[Branch(label="b")])),
    (Cat | Dog, '{"result": {"kind": "DOG", "bark": "w"}}', Dog(kind="dog", bark="w")),
    (
        list[Cat | Dog],
        '[{"kind": "dog", "bark": "w"}, {"kind": "cat", "lives": "9"},]',
        [Dog(kind="dog", bark="w"), CAT],
    ),
    (Iterable[Cat], '1. {"kind": "cat", "lives": 9}\n2. {"kind": "cat", "lives": 9}', [CAT, CAT]),
    (dict[str, Cat], '{"tom": {"kind": "cat", "lives": 9,}}', {"tom": CAT}),
    (tuple[int, str], '{"content": [1, "a",]}', (1, "a")),
    (set[int], "[1, 2, 2,]", {1, 2}),
    (Cat | None, "null", None),
    (Priority, "HIGH", Priority.HIGH),
    (Literal["yes", "no"], "**Yes.**", "yes"),
    (bool, "Yes", True),
    (int, '{"answer": "1,042"}', 1042),
    (Annotated[int, Field(gt=0)], '{"content": 5,}', 5),
    (str, "Just words: no JSON.", "Just words: no JSON."),
    (dt.date, "2026-03-01", dt.date(2026, 3, 1)),
    (Decimal, '"$1,200.50"', Decimal("1200.5")),
    (uuid.UUID, "12345678-1234-5678-1234-567812345678", uuid.UUID("12345678-1234-5678-1234-567812345678")),
]

REFUSED: list[tuple[Any, str]] = [
    (Point, '{"label": "b"}'),
    (Path, '{"tokens": 1}'),
    (Closed, '{"x": 1, "y": 2}'),
    (Strict, '{"x": "1", "day": "2026-01-02"}'),
    (Strict, '{"x": "1,000", "day": "2026-01-02",}'),
    (Ordered, '{"low": 3, "high": 1,}'),
    (Never, '{"x": 4}'),
    (Never, '{"x": "4",}'),
    (Empty, "null"),
    (Empty, "[]"),
    (Empty, '{"tokens": 1}'),
    (Cat | Dog, '{"kind": "bird"}'),
    (list[Cat], '{"kind": "cat"}'),
    (list[Cat], "There are none."),
    (tuple[int, str], "[1]"),
    (int, "The answer is 42."),
    (int, "42.5"),
    (int, ""),
    (bool, "maybe"),
    (Literal["yes", "no"], "yes and no"),
    (Priority, '{"content": "urgent"}'),
    (dt.date, "March 1, 20"),
    (str, ""),
]


@pytest.mark.parametrize(("model", "text", "value"), READ, ids=range(len(READ)))
def test_each_kind_of_type_is_read(model: Any, text: str, value: Any) -> None:
    """Mended, fitted, and equal to what the user would have made."""
    result = parse_aligned(text, model)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(("model", "text"), REFUSED, ids=range(len(REFUSED)))
def test_what_does_not_fit_is_an_error_never_nothing(model: Any, text: str) -> None:
    """No None, no empty list, no model without content."""
    with pytest.raises(StructuredOutputError):
        parse_aligned(text, model)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (CatPage, '{"items": [{"kind": "cat", "lives": 9,}], "total": 1}'),
        (Nest, '{"title": "a", "pair": {"name": "b",}}'),
        (Numbers, "[1, 2,]"),
        (Owner, '{"pet": {"kind": "CAT", "lives": 9}}'),
        (Branch, '{"label": "a", "children": [{"label": "b",}]}'),
        (Ordered, '{"low": 1, "high": 3,}'),
    ],
)
def test_the_result_is_of_the_users_own_class(model: Any, text: str) -> None:
    """It pickles, copies and compares like one that the user made."""
    result = parse_aligned(text, model)
    assert type(result) is model
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301 - made on the line itself
    assert copy.deepcopy(result) == result


@pytest.mark.parametrize(
    "model",
    [None, 3, "Cat", len, lambda: 0, object(), {}, [Cat], CAT, BaseModel, T, type],
)
def test_what_is_no_type_is_a_configuration_error(model: Any) -> None:
    """The mistake is in the code, not in the answer; the message quotes no value."""
    with pytest.raises(ConfigurationError) as caught:
        parse_aligned('{"kind": "cat", "lives": 9}', model)
    assert "lives=9" not in str(caught.value)


def test_strict_rules_leave_values_as_they_are() -> None:
    """Syntax is mended, types are not."""
    shape, rules = shape_of(Score), Rules(strict=True)
    assert read('{"verdict": "pass", "score": 1.0,}', shape, rules, "aligned").value.score == 1
    with pytest.raises(Unfit):
        read('{"verdict": "pass", "score": "1.0",}', shape, rules, "aligned")


def test_validators_find_their_context() -> None:
    """In valid and in broken JSON alike."""

    def known(value: str, info: ValidationInfo) -> str:
        if value not in (info.context or {})["names"]:
            raise ValueError("unknown")
        return value

    class Guest(BaseModel):
        name: Annotated[str, AfterValidator(known)]

    rules = Rules(context={"names": ["Ann"]})
    for text in ('{"name": "Ann"}', "{'name': 'Ann',}"):
        assert read(text, shape_of(Guest), rules, "aligned").value == Guest.model_construct(name="Ann")
    with pytest.raises(Unfit):
        read('{"name": "Bob",}', shape_of(Guest), rules, "aligned")


def test_nan_and_infinity_are_numbers_where_the_type_allows_them() -> None:
    """As JSON of Python writes them, and as Python itself does."""
    low, high = parse_aligned("[-Infinity, Infinity,]", list[float])
    assert (low, high) == (float("-inf"), float("inf"))
    (missing,) = parse_aligned("{'content': [nan]}", list[float])
    assert math.isnan(missing)
    with pytest.raises(StructuredOutputError):
        parse_aligned("[NaN]", list[int])


def test_of_a_key_that_is_there_twice_the_last_value_counts_or_none() -> None:
    """As in any JSON; where the JSON is broken as well, two values are one too many."""
    assert parse_aligned('{"x": 1, "x": 2}', Closed) == Closed(x=2)
    assert parse_aligned('{"x": 2, "x": 2,}', Closed) == Closed(x=2)
    with pytest.raises(StructuredOutputError):
        parse_aligned('{"x": 1, "x": 2,}', Closed)


def test_halves_of_characters_are_put_together_or_refused() -> None:
    """Split by an encoder, or escaped; one half alone is no character."""
    for text in ('["\ud83d\ude42"]', '["\\ud83d\\ude42",]'):
        assert parse_aligned(text, list[str]) == ["🙂"]
    for text in ('["\ud83d"]', '["\\ud83d",]'):
        with pytest.raises(StructuredOutputError):
            parse_aligned(text, list[str])

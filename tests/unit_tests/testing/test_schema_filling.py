"""A filled schema is a valid answer to it."""

from __future__ import annotations

import contextlib
import json
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Network
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter, create_model

from langchain_prodkit.testing import fill_schema


class Priority(Enum):
    """How soon."""

    LOW = "low"
    HIGH = "high"


class Node(BaseModel):
    """A tree with every way to come back to itself."""

    name: str
    parent: Node | None = None
    children: list[Node] = Field(default_factory=list)
    by_name: dict[str, Node] = Field(default_factory=dict)


class Even(BaseModel):
    """One half of a pair that refers to each other."""

    odd: Odd | None


class Odd(BaseModel):
    """The other half."""

    even: Even
    more: list[Even]


class Cat(BaseModel):
    """Told from a dog by its kind."""

    kind: Literal["cat"]
    lives: Annotated[int, Field(ge=1, le=9)]


class Dog(BaseModel):
    """Told from a cat by its kind."""

    kind: Literal["dog"]
    name: Annotated[str, Field(min_length=3, max_length=5)]


LEAVES: list[Any] = [
    str,
    int,
    float,
    bool,
    None,
    Any,
    date,
    datetime,
    time,
    timedelta,
    uuid.UUID,
    Decimal,
    AnyUrl,
    IPv4Address,
    IPv6Network,
    bytes,
    Priority,
    Node,
    Even,
    Literal["a", 2] | None,
    Annotated[str, Field(pattern=r"^[A-Z]{2,3}-\d{4}$")],
    Annotated[Cat | Dog, Field(discriminator="kind")],
]


def _of(generic: Any, *kinds: Any) -> Any:
    """Write `generic[kinds]` at run time."""
    return generic[kinds if len(kinds) > 1 else kinds[0]]


@st.composite
def _bounded_numbers(draw: st.DrawFn) -> Any:
    low = draw(st.integers(-50, 50))
    width = draw(st.integers(4, 40))  # room for a multiple of two between exclusive bounds
    bounds: dict[str, Any] = draw(
        st.sampled_from(
            [
                {"ge": low, "le": low + width},
                {"gt": low, "lt": low + width},
                {"ge": low},
                {"lt": low},
                {"gt": low},
            ]
        )
    )
    kind = draw(st.sampled_from([int, float]))
    step = draw(st.sampled_from([None, 1, 2])) if kind is int else None
    return _of(Annotated, kind, Field(**bounds, multiple_of=step))


@st.composite
def _bounded_strings(draw: st.DrawFn) -> Any:
    low = draw(st.integers(0, 300))
    high = draw(st.one_of(st.none(), st.integers(low, 400)))
    return Annotated[str, Field(min_length=low, max_length=high)]


def _model(kinds: list[Any], *, optional: bool) -> Any:
    fields: dict[str, Any] = {f"f{i}": (k, None) if optional else (k, ...) for i, k in enumerate(kinds)}
    return create_model("Inner", **fields)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    sizes = st.integers(0, 4)
    hashable = st.sampled_from([str, int, Priority, Annotated[int, Field(ge=0, le=20)]])
    lists = inner.map(lambda kind: _of(list, kind))
    sets = hashable.map(lambda kind: _of(set, kind))
    dicts = inner.map(lambda kind: _of(dict, str, kind))
    return st.one_of(
        st.builds(lambda kind, n: _of(Annotated, kind, Field(min_length=n, max_length=n + 1)), lists, sizes),
        st.builds(lambda kind, n: _of(Annotated, kind, Field(min_length=min(n, 2))), sets, sizes),
        st.builds(lambda kind, n: _of(Annotated, kind, Field(min_length=n)), dicts, sizes),
        inner.map(lambda kind: _of(dict, Priority, kind)),
        st.builds(lambda one, two: _of(tuple, one, two), inner, inner),
        st.builds(lambda one, two: one | two, hashable, st.sampled_from([None, float, bool, date])),
        st.builds(
            lambda kinds, optional: _model(kinds, optional=optional),
            st.lists(inner, min_size=1, max_size=4),
            st.booleans(),
        ),
    )


TYPES = st.recursive(
    st.one_of(st.sampled_from(LEAVES), _bounded_numbers(), _bounded_strings()), _containers, max_leaves=6
)
PROMPTS = st.one_of(st.just(""), st.text(max_size=80), st.just("Say 'one', \"two\" and 3, 4.5 and -7, high"))


@given(TYPES, PROMPTS)
def test_a_filled_value_validates_against_the_model_it_was_made_for(kind: Any, prompt: str) -> None:
    """Whatever Pydantic can describe, and whatever the prompt says, the filled value is accepted."""
    adapter = TypeAdapter[Any](kind)
    value = fill_schema(adapter.json_schema(), prompt)
    adapter.validate_json(json.dumps(value))


@given(TYPES)
def test_the_same_schema_and_prompt_give_the_same_value(kind: Any) -> None:
    """Answers do not change between runs."""
    schema = TypeAdapter[Any](kind).json_schema()
    assert fill_schema(schema, "one 'two' 3") == fill_schema(schema, "one 'two' 3")


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.sampled_from(
                    [
                        "type",
                        "properties",
                        "items",
                        "anyOf",
                        "$ref",
                        "enum",
                        "required",
                        "minItems",
                        "minimum",
                        "pattern",
                    ]
                ),
                inner,
                max_size=5,
            ),
        ),
        max_leaves=12,
    )
)
def test_a_schema_that_makes_no_sense_ends(schema: Any) -> None:
    """Nonsense gives a value or an ordinary exception, never an endless run."""
    with contextlib.suppress(ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        fill_schema({"properties": {"a": schema}, "$defs": {"x": schema}})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"anyOf": [{"$ref": "#"}]},
        {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]},
        {"type": "array", "items": {"$ref": "#"}, "minItems": 3},
        {"allOf": [{"$ref": "#"}]},
    ],
)
def test_a_type_that_can_never_end_is_cut_off(schema: dict[str, Any]) -> None:
    """A model that requires itself for ever is answered in bounded time and size."""
    assert len(json.dumps(fill_schema(schema))) < 200_000


def test_words_and_numbers_of_the_prompt_are_used() -> None:
    """Quoted words fill strings, numbers fill numbers where they fit, enums follow the prompt."""

    class Order(BaseModel):
        item: str
        count: int
        discount: Annotated[int, Field(le=50)]
        priority: Priority

    prompt = "Order 3 of 'blue chairs' with 20 percent off, priority high"
    value = fill_schema(Order.model_json_schema(), prompt)
    assert value == {"item": "blue chairs", "count": 3, "discount": 20, "priority": "high"}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": "x"}, "x"),
        ({"enum": [3, 4]}, 3),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "string", "examples": ["Ada"]}, "Ada"),
        ({"type": "integer", "minimum": 7, "multipleOf": 5}, 10),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, 0.5),
        ({"type": "string", "format": "date"}, "2024-01-31"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"allOf": [{"type": "object"}, {"properties": {"a": {"type": "null"}}}]}, {"a": None}),
        ({"type": "array", "prefixItems": [{"type": "boolean"}, {"const": 1}]}, [True, 1]),
        (
            {"type": "object", "propertyNames": {"enum": ["k"]}, "additionalProperties": {"const": 1}},
            {"k": 1},
        ),
    ],
)
def test_each_keyword_is_obeyed(schema: dict[str, Any], expected: Any) -> None:
    """The plainest value that fits, for each keyword on its own."""
    assert fill_schema(schema) == expected

"""Hostile and huge texts: a typed error or the right answer, in time that grows with the text."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.parse import parse_aligned
from tests.unit_tests.parse.models import Branch, Flat

if TYPE_CHECKING:
    from types import FrameType

JSON = '{"name": "Ann", "age": 30, "city": "Oslo"}'

HOSTILE = [
    "{",
    "[",
    '{"a":',
    '{"label": [',
    '{"name": "',
    '"',
    '" a',
    '["a" b] ',
    "{/*",
    '{"a": /*',
    "{#",
    "{   ",
    "<think>",
    "</think>",
    '{"a": "</think>',
    '{"a" </think>',
    "\\",
    '{\\"',
    '"{\\"a',
    "1,",
    "...",
    '{"a": 1 ',
    "{'a': it's} ",
    "Foo(a=",
    "a",
    '"name": ',
    "name: x\n",
    "<name>",
    "&quot;",
    "\ud800",
    '{"name": "x", y" ',
    '["x" "y" z, ',
    "<|channel|>",
]


class People(BaseModel):
    """A list to make long."""

    people: list[Flat]


def broken(items: int) -> str:
    """Write a list that breaks in five ways an item."""
    rows = ",".join('{\'name\': "Ann", age: 30, "city": "Oslo",}' for _ in range(items))
    return f"Here:\n```json\n{{'people': [{rows},]}}\n```"


def work(text: str) -> int:
    """Count the calls that reading `text` takes, those into C included."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        parse_aligned(text, People)
    finally:
        sys.setprofile(before)
    return calls


def test_ten_times_the_items_cost_ten_times_the_work() -> None:
    """Counted in calls, not by the clock."""
    parse_aligned(broken(1), People)
    hundred, thousand = work(broken(100)), work(broken(1_000))
    assert thousand < 10.5 * hundred


@pytest.mark.parametrize("piece", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_repetition_ends_soon_with_the_typed_error(piece: str) -> None:
    """What is quadratic would take minutes here."""
    text = piece * (200_000 // len(piece))
    started = time.process_time()
    for model in (Flat, Branch, list[Flat]):
        with pytest.raises(StructuredOutputError):
            parse_aligned(text, model)
    assert time.process_time() - started < 20


@pytest.mark.parametrize("depth", [129, 10_000])
@pytest.mark.parametrize("broken_by", ["", ","])
def test_nesting_beyond_the_cap_is_refused(depth: int, broken_by: str) -> None:
    """Valid or broken, nothing runs out of stack."""
    text = '{"label": "a", "children": [' * depth + broken_by + "]}" * depth
    with pytest.raises(StructuredOutputError):
        parse_aligned(text + broken_by, Branch)


def test_nesting_below_the_cap_is_read() -> None:
    """Sixty levels of objects and lists, with a comma too many in the innermost."""
    text = '{"label": "a", "children": [' * 60 + "]}" * 59 + "],}"
    repairs: list[str] = []
    branch = parse_aligned(text.replace("[]}", "[],}", 1), Branch, repairs=repairs)
    depth = 1
    while branch.children:
        (branch,) = branch.children
        depth += 1
    assert depth == 60
    assert repairs == ["extra_comma"]


def test_ten_megabytes_end_quickly() -> None:
    """Prose is refused, broken JSON is refused, and valid JSON is the right answer."""
    filler = "lorem ipsum {dolor} " * 500_000
    started = time.process_time()
    for text in (filler, filler + JSON, JSON[:-1] + filler, "[" * 10_000_000):
        with pytest.raises(StructuredOutputError):
            parse_aligned(text, Flat)
    long = Flat(name="Ann" * 3_000_000, age=30, city="Oslo")
    assert parse_aligned(long.model_dump_json(), Flat) == long
    assert time.process_time() - started < 20


def test_a_million_wrong_values_are_one_short_error() -> None:
    """The error lists what a reader can take in."""
    text = json.dumps({"people": [{"name": "Ann", "age": "x", "city": "Oslo"}] * 50_000})
    with pytest.raises(StructuredOutputError) as caught:
        parse_aligned(text, People)
    assert len(str(caught.value)) < 2_000


def test_threads_share_one_model() -> None:
    """Eight at a time, each with its own answer."""

    def read(number: int) -> Flat:
        return parse_aligned(f"So: {{'name': 'Ann', 'age': '{number:,}', 'city': 'Oslo',}}", Flat)

    with ThreadPoolExecutor(8) as pool:
        read_ages = [flat.age for flat in pool.map(read, range(400))]
    assert read_ages == list(range(400))


def test_a_number_with_more_digits_than_python_reads_is_refused() -> None:
    """Python's own limit is no crash."""
    for text in ('{"name": "Ann", "age": ' + "1" * 5_000 + ', "city": "Oslo"}', "1" * 5_000):
        for end in ("", ",}"):
            with suppress(StructuredOutputError):
                parse_aligned(text.removesuffix("}") + end, Flat)

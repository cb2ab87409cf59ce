"""`PartialStream` within bounds: time that grows with the text, depth and size that end."""

from __future__ import annotations

import gc
import json
import time
from typing import Any

import pytest
from pydantic import BaseModel

from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.parse import PartialStream
from langchain_prodkit.parse.partial import MAX_CHARS
from tests.unit_tests.parse.grown import Branch


class Address(BaseModel):
    """Where."""

    street: str
    city: str


class Person(BaseModel):
    """Who."""

    name: str
    age: int
    tags: list[str]
    address: Address


class People(BaseModel):
    """Many."""

    people: list[Person]


class Book(BaseModel):
    """One long text, one long list."""

    text: str = ""
    numbers: list[int] = []


def people(count: int) -> str:
    """Write a document of about 120 characters a person."""
    one = {"age": 20, "tags": ["a", "b"], "address": {"street": "1 Main St", "city": "Springfield"}}
    return json.dumps({"people": [{"name": f"Person Number {n}", **one} for n in range(count)]})


def seconds(model: Any, text: str, size: int = 4) -> float:
    """Measure the CPU time of a look after every chunk; the best of three."""
    best = float("inf")
    for _ in range(3):
        gc.collect()
        start = time.process_time()
        stream = PartialStream(model)
        for place in range(0, len(text), size):
            stream.feed(text[place : place + size])
            stream.snapshot()
        stream.close()
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "small", "large"),
    [
        (People, people(60), people(240)),
        (Book, json.dumps({"text": "long " * 10_000}), json.dumps({"text": "long " * 40_000})),
        (Book, json.dumps({"numbers": [1] * 10_000}), json.dumps({"numbers": [1] * 40_000})),
    ],
    ids=["objects", "one text", "one list"],
)
def test_four_times_the_text_costs_about_four_times_the_time(model: Any, small: str, large: str) -> None:
    """Not sixteen times; the benchmark measures closer."""
    seconds(model, small[:400] + small[-400:] if model is Book else small)
    assert seconds(model, large) / seconds(model, small) <= 10


def test_a_snapshot_lags_behind_a_huge_list_by_a_little_only() -> None:
    """Less than two percent of the text."""
    stream = PartialStream(Book)
    stream.feed('{"numbers": [')
    for _ in range(50_000):
        stream.feed("1, ")
        shown = stream.snapshot()
    assert len(shown.numbers) >= 49_000


@pytest.mark.parametrize("opening", ['{"children": [', "[", '{"a": '])
@pytest.mark.parametrize("is_closed", [False, True])
def test_ten_thousand_levels_are_a_typed_error(opening: str, is_closed: bool) -> None:
    """No recursion error, in the stream, in the snapshots or in the end."""
    closing = {'{"children": [': "]}", "[": "]", '{"a": ': "}"}[opening]
    text = opening * 10_000 + ('{"label": "x"}' + closing * 10_000 if is_closed else "")
    stream = PartialStream(Branch)
    for place in range(0, len(text), 1_000):
        stream.feed(text[place : place + 1_000])
        assert type(stream.snapshot()) is Branch
    with pytest.raises(StructuredOutputError):
        stream.close()


def test_a_hundred_levels_are_shown() -> None:
    """As deep as pydantic reads."""
    text = '{"label": "x", "children": [' * 90
    stream = PartialStream(Branch)
    stream.feed(text)
    shown: Any = stream.snapshot()
    for _ in range(89):
        shown = shown.children[0]
    assert shown.label == "x"
    stream.feed("]}" * 90)
    assert stream.close() == stream.snapshot()


def test_ten_megabytes_end_in_an_answer_or_a_typed_error() -> None:
    """Valid JSON of any length up to the bound is read; past it the stream stops at once."""
    piece = "x" * 1_000_000
    stream = PartialStream(Book)
    stream.feed('{"text": "')
    for _ in range(10):
        stream.feed(piece)
    assert len(stream.snapshot().text) == 10_000_000
    stream.feed('"}')
    assert len(stream.close().text) == 10_000_000
    endless = PartialStream(Book)
    for _ in range(MAX_CHARS // len(piece)):
        endless.feed(piece)
    with pytest.raises(StructuredOutputError) as caught:
        endless.feed(piece)
    assert caught.value.reason == "truncated"


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["{ ", "<", "[ ", '{"a', "<thin", "}", '"', "\\", "[1", "```json\n"])
def test_noise_costs_no_more_than_it_is_long(noise: str) -> None:
    """What looks like a beginning and never is one is not read again and again."""
    text = noise * (40_000 // len(noise))
    seconds_of(text[:2_000])
    assert seconds_of(text * 4) <= 10 * seconds_of(text) + 0.05


def seconds_of(text: str) -> float:
    """Measure reading without an answer."""
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        stream = PartialStream(Book)
        for place in range(0, len(text), 3):
            stream.feed(text[place : place + 3])
            stream.snapshot()
        best = min(best, time.process_time() - start)
    return best


@pytest.mark.parametrize(
    "text",
    [
        '{"label": "\\ud83d"}',
        '{"label": "\\udc00\\ud83d"}',
        '{"label": "\ud800"}',
        '{"label": NaN}',
        '{"label": None}',
        "null",
        '{"children": [{"label": "a"}, NaN]}',
    ],
)
def test_what_no_answer_can_be_is_a_typed_error(text: str) -> None:
    """Lone surrogates, NaN for a text, Python's None: never a snapshot that lies."""
    stream = PartialStream(Branch)
    for char in text:
        stream.feed(char)
        shown = stream.snapshot()
        assert "\ud83d" not in (shown.label or "")
    with pytest.raises(StructuredOutputError):
        stream.close()

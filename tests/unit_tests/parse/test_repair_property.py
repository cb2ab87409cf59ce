"""Whatever is done to a valid object, it comes back equal or is refused; never as another one."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.parse import parse_aligned

if TYPE_CHECKING:
    from collections.abc import Callable


class Circle(BaseModel):
    """A shape."""

    shape: Literal["circle"]
    radius: float


class Box(BaseModel):
    """Another shape."""

    shape: Literal["box"]
    width: int
    labels: list[str] = []


class Drawing(BaseModel):
    """A bit of everything."""

    drawing_title: str
    main: Annotated[Circle | Box, Field(discriminator="shape")]
    others: list[Circle | Box] = []
    note: str | None = None
    sizes: dict[str, int] = {}
    is_done: bool = False


PIECES = ["a", "Zoë ", '"', "'", "{", "}", "[", "]", ":", ",", "\\", "//", "#", "\n", "\t", "```", "“", "”"]
PIECES += ["<think>", "</think>", '", "', '": ', "null", "don't", "1,5", "…", "🙂", "https://x.y/#z", "%"]
texts = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
words = st.sampled_from(["red", "blue sky", "x: y", "it's", "(a)", "50%", "[draft]", "{note}", "N/A", ""])
eighths = st.integers(-999, 999).map(lambda number: number / 8)


def drawings(text: st.SearchStrategy[str]) -> st.SearchStrategy[Drawing]:
    """Make drawings whose texts are of that kind."""
    circles = st.builds(Circle, shape=st.just("circle"), radius=eighths)
    boxes = st.builds(
        Box, shape=st.just("box"), width=st.integers(-9, 99_999), labels=st.lists(text, max_size=2)
    )
    return st.builds(
        Drawing,
        drawing_title=text,
        main=circles | boxes,
        others=st.lists(circles | boxes, max_size=2),
        note=st.none() | text,
        sizes=st.dictionaries(text, st.integers(0, 9), max_size=2),
        is_done=st.booleans(),
    )


STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def outside(text: str, change: Callable[[str], str]) -> str:
    """Change what is not in strings."""
    parts = []
    last = 0
    for found in STRING.finditer(text):
        parts += [change(text[last : found.start()]), found.group()]
        last = found.end()
    return "".join([*parts, change(text[last:])])


def python_quotes(text: str) -> str:
    """Write every string as Python does."""
    return STRING.sub(lambda found: repr(json.loads(found.group())), text)


def bare_keys(text: str) -> str:
    """Take the quotes off keys, where no string looks like one."""
    return re.sub(r'(?<=[{\s])"([a-z_]+)"(?=\s*:)', r"\1", text) if "\\" not in text else text


SYNTAX: dict[str, Callable[[str], str]] = {
    "extra commas": lambda text: outside(
        text, lambda part: re.sub(r"(?<=[\d}\]el])(\s*[}\]])", r",\1", part)
    ),
    "python quotes": python_quotes,
    "python words": lambda text: outside(
        text, lambda part: part.replace("true", "True").replace("false", "False").replace("null", "None")
    ),
    "bare keys": bare_keys,
    "line comments": lambda text: outside(text, lambda part: part.replace(",", ', // "so" {x}\n')),
    "block comments": lambda text: outside(text, lambda part: part.replace(":", ": /* it's */ ")),
    "no commas": lambda text: outside(text, lambda part: part.replace(",", "\n")),
    "semicolons": lambda text: outside(text, lambda part: part.replace(",", ";")),
    "full width": lambda text: outside(text, lambda part: part.replace(",", "\uff0c").replace(":", "\uff1a")),
    "hard spaces": lambda text: outside(text, lambda part: part.replace(" ", "\u00a0")),
    "raw newlines": lambda text: re.sub(r"(?<!\\)((?:\\\\)*)\\n", "\\1\n", text),
    "no end": lambda text: text.rstrip("]} \n"),
}

FRAMES: dict[str, Callable[[str], str]] = {
    "fence": lambda text: f"Here:\n```json\n{text}\n```\nDone.",
    "prose": lambda text: f"As asked in [1], {{so}}:\n{text}\n\nThat is it: {{done}}.",
    "thinking": lambda text: f'<think>{{"drawing_title": "x"\n</think>{text}',
    "decoy": lambda text: f'You said {{"role": "user"}}.\n{text}',
    "usage": lambda text: f'{text}\n{{"prompt_tokens": 3}}',
    "tag": lambda text: f"<answer>{text}</answer>",
    "twice encoded": json.dumps,
}

VALUES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "wrapped": lambda value: {"result": value},
    "tool call": lambda value: {"name": "Drawing", "arguments": value},
    "in a list": lambda value: [value],
    "beside": lambda value: {"data": value, "status": "ok"},
    "camel keys": lambda value: {re.sub("_(.)", lambda c: c[1].upper(), k): v for k, v in value.items()},
    "title keys": lambda value: {key.replace("_", " ").title(): item for key, item in value.items()},
    "case": lambda value: {**value, "main": {**value["main"], "shape": value["main"]["shape"].upper()}},
}


@settings(max_examples=200)
@given(
    drawing=drawings(texts),
    value=st.none() | st.sampled_from(sorted(VALUES)),
    syntax=st.lists(st.sampled_from(sorted(SYNTAX)), max_size=2, unique=True),
    frame=st.none() | st.sampled_from(sorted(FRAMES)),
    indent=st.sampled_from([None, 2]),
)
def test_a_broken_object_comes_back_equal_or_not_at_all(
    drawing: Drawing, value: str | None, syntax: list[str], frame: str | None, indent: int | None
) -> None:
    """Strings hold whatever JSON is made of."""
    data = drawing.model_dump()
    text = json.dumps(VALUES[value](data) if value else data, ensure_ascii=False, indent=indent)
    # What works on strings of JSON comes before what changes their quotes.
    for name in sorted(syntax, key="python quotes".__eq__):
        text = SYNTAX[name](text)
    text = FRAMES[frame](text) if frame and "no end" not in syntax else text
    with suppress(StructuredOutputError):
        assert parse_aligned(text, Drawing) == drawing


RECOVERED = sorted(SYNTAX.keys() - {"no end"})


@settings(max_examples=150)
@given(
    drawing=drawings(words),
    value=st.none() | st.sampled_from(sorted(VALUES)),
    syntax=st.sampled_from(RECOVERED),
    frame=st.none() | st.sampled_from(sorted(FRAMES)),
)
def test_ordinary_words_are_always_recovered(
    drawing: Drawing, value: str | None, syntax: str, frame: str | None
) -> None:
    """Refusing everything would be no feat."""
    data = drawing.model_dump()
    text = SYNTAX[syntax](json.dumps(VALUES[value](data) if value else data))
    assert parse_aligned(FRAMES[frame](text) if frame else text, Drawing) == drawing


@settings(max_examples=200)
@given(drawing=drawings(texts), indent=st.sampled_from([None, 2]), data=st.data())
def test_of_a_cut_answer_nothing_but_the_end_of_a_list_can_be_missing(
    drawing: Drawing, indent: int | None, data: st.DataObject
) -> None:
    """No field is lost, no value is changed, no inner object is the answer."""
    fields = drawing.model_dump()
    last = fields.pop("others")
    text = json.dumps({**fields, "others": last}, ensure_ascii=False, indent=indent)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    with suppress(StructuredOutputError):
        found = parse_aligned(cut, Drawing)
        assert found.model_dump(exclude={"others"}) == fields
        for mine, theirs in zip(found.others, drawing.others, strict=False):
            assert mine.model_dump(exclude={"labels"}) == theirs.model_dump(exclude={"labels"})
        assert len(found.others) <= len(drawing.others)

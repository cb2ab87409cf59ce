"""However a text is cut: the same result, and snapshots that only grow."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_prodkit.parse import PartialStream, parse_aligned
from tests.unit_tests.parse.grown import WHOLE, Branch, Everything, grows, looks
from tests.unit_tests.parse.models import Ticket

BOUNDED = settings(max_examples=60, deadline=None, derandomize=True)
DOCUMENTS = [json.dumps(WHOLE), json.dumps(WHOLE, ensure_ascii=False), json.dumps(WHOLE, indent=2)]


def cut(text: str, places: list[int]) -> list[str]:
    """Cut a text at places given in thousandths of it."""
    borders = sorted({0, len(text), *(place * len(text) // 1000 for place in places)})
    return [text[start:end] for start, end in pairwise(borders)]


@given(text=st.sampled_from(DOCUMENTS), places=st.lists(st.integers(0, 1000), max_size=40))
@BOUNDED
def test_any_cut_gives_the_same_result_and_only_grows(text: str, places: list[int]) -> None:
    """Chunk borders anywhere, in escapes and surrogate pairs too."""
    *snapshots, result = looks(Everything, cut(text, places))
    assert result == Everything.model_validate_json(text)
    assert type(result) is Everything
    for before, after in pairwise([*snapshots, result]):
        assert type(before) is Everything
        assert grows(before, after)


@pytest.mark.parametrize("text", DOCUMENTS)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_small_chunks_show_every_value_before_the_end(text: str, size: int) -> None:
    """Before the last brace every field is there, as its own type."""
    chunks = [text[start : start + size] for start in range(0, len(text) - 1, size)]
    stream = PartialStream(Everything)
    whole = Everything.model_validate_json(text)
    before: Any = None
    for chunk in chunks:
        stream.feed(chunk)
        shown = stream.snapshot()
        assert grows(before, shown)
        before = shown
    missing = {name for name in Everything.model_fields if getattr(shown, name) != getattr(whole, name)}
    assert missing <= {"anything"} | ({"is_new"} if size == 0 else set())
    stream.feed(text[len("".join(chunks)) :])
    assert stream.close() == whole


FRAMES = [
    "{}",
    "Here is what you asked for:\n\n```json\n{}\n```\nAnything else?",
    '<think>Maybe {{"title": "draft", "howMany": 0}}? No.</think>\n{}',
    'The format is {{"title": ...}} they say [1], {{curly}} and <b>tags</b>.\n{}'.replace(
        '{{"title": ...}}', "JSON"
    ),
    "```\n{}\n```",
    "  \n\t{}\n\n",
]


@given(
    frame=st.sampled_from(FRAMES),
    label=st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    places=st.lists(st.integers(0, 1000), max_size=30),
)
@BOUNDED
def test_what_stands_around_is_never_shown(frame: str, label: str, places: list[int]) -> None:
    """Prose, fences and thinking may be cut anywhere; only the answer's own values appear."""
    tree = Branch(label=label, children=[Branch(label=label + "x"), Branch(label="last")])
    wrapped = frame.replace("{{", "\0").replace("}}", "\1").replace("{}", tree.model_dump_json())
    text = wrapped.replace("\0", "{").replace("\1", "}")
    *snapshots, result = looks(Branch, cut(text, places))
    assert result == tree
    for before, after in pairwise([*snapshots, result]):
        assert grows(before, after)


@given(text=st.text(alphabet='{}[]":,\\u0dt1e-. \n<think>/ae', max_size=80), size=st.integers(1, 9))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_any_garbage_is_read_without_an_error(text: str, size: int) -> None:
    """Nothing that a model writes raises before `close`, and `close` judges as `parse_aligned` does."""
    stream = PartialStream(Ticket)
    for start in range(0, len(text), size):
        stream.feed(text[start : start + size])
        assert type(stream.snapshot()) is Ticket
    try:
        expected: Any = parse_aligned(text, Ticket)
    except ValueError as error:
        expected = str(error)
    try:
        result: Any = stream.close()
    except ValueError as error:
        result = str(error)
    assert result == expected


@given(places=st.lists(st.integers(0, 1000), min_size=1, max_size=6), noise=st.sampled_from('{}[]",:x'))
@BOUNDED
def test_broken_json_ends_as_a_whole_answer_would(places: list[int], noise: str) -> None:
    """Where a character too many breaks the JSON, the result is that of `parse_aligned`, or its error."""
    text = noise.join(cut(json.dumps({"label": "r", "children": [{"label": "a"}, {"label": "b"}]}), places))
    stream = PartialStream(Branch)
    for char in text:
        stream.feed(char)
        stream.snapshot()
    try:
        expected: Any = parse_aligned(text, Branch)
    except ValueError as error:
        expected = str(error)
    try:
        result: Any = stream.close()
    except ValueError as error:
        result = str(error)
    assert result == expected

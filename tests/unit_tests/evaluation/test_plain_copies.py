"""Any value becomes plain data, or the name of its kind; nothing raises."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue
from pydantic import BaseModel, ConfigDict, SecretStr

from langchain_prodkit.evaluation.plain import plain, text_of

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


class Colour(Enum):
    """An enumeration."""

    RED = "red"


class Ticket(BaseModel):
    """A model with fields beyond those declared."""

    model_config = ConfigDict(extra="allow")
    answer: str
    key: SecretStr = SecretStr("hush")


@dataclass
class Pair:
    """A dataclass."""

    left: Any
    right: Any


class Hostile:
    """An object of no known type, whose repr would tell a secret."""

    def __repr__(self) -> str:
        return "hush"


@given(values)
def test_plain_data_can_always_be_written(value: Any) -> None:
    """Whatever goes in, JSON comes out, and its text is a str."""
    assert isinstance(json.dumps(plain(value)), str)
    assert isinstance(text_of(plain(value)), str)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, "red"),
        (dt.date(2024, 5, 6), "2024-05-06"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Pair(1, [Colour.RED]), {"left": 1, "right": ["red"]}),
        (Ticket(answer="a", more=1), {"answer": "a", "key": "**********", "more": 1}),
        (StringPromptValue(text="hi"), [{"type": "human", "content": "hi"}]),
        (ChatPromptValue(messages=[HumanMessage("hi")]), [{"type": "human", "content": "hi"}]),
        (HumanMessage("hi", name="Bo"), {"type": "human", "content": "hi", "name": "Bo"}),
        (Document("t", id="7", metadata={"n": 1}), {"text": "t", "id": "7", "metadata": {"n": 1}}),
        (Hostile(), f"<{__name__}.Hostile>"),
        (b"\x00\x01", "<builtins.bytes>"),
        ({1: {"a"}}, {"1": ["a"]}),
    ],
)  # fmt: skip
def test_known_types_keep_their_content_and_unknown_ones_tell_their_kind(value: Any, expected: Any) -> None:
    """Reprs and secrets never get in."""
    assert plain(value) == expected


def test_pictures_and_files_are_not_kept() -> None:
    """A redactor cannot read them, and they are large."""
    message = HumanMessage(
        [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "image", "base64": "AAAA", "mime_type": "image/png"},
        ]
    )
    copy = plain(message)
    assert "AAAA" not in str(copy)
    assert copy["content"][0]["text"] == "look"
    assert plain({"data": "mine"}) == {"data": "mine"}


def test_tool_calls_are_part_of_an_answer() -> None:
    """An answer without text may still say something."""
    call = {"name": "weather", "args": {"city": "Bonn"}, "id": "1", "type": "tool_call"}
    assert plain(AIMessage("", tool_calls=[call]))["tool_calls"][0]["args"] == {"city": "Bonn"}


def test_a_value_that_contains_itself_is_cut() -> None:
    """No input can exhaust the stack."""
    loop: list[Any] = []
    loop.append(loop)
    assert "<nested too deep>" in json.dumps(plain(loop))


def test_an_object_that_raises_tells_its_kind() -> None:
    """A record is made in the middle of somebody's call."""

    class Bad(dict[str, Any]):
        def items(self) -> Any:
            raise ValueError("hush")

    assert "Bad" in plain([Bad()]) or "list" in plain([Bad()])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ({"answer": "yes", "text": "no"}, "yes"),
        ({"type": "ai", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
        ([{"type": "human", "content": "q"}], "q"),
        ({"n": 1}, '{"n": 1}'),
        (3.5, "3.5"),
    ],
)
def test_the_text_of_a_value_is_what_a_reader_would_read(value: Any, text: str) -> None:
    """Metrics judge that text."""
    assert text_of(value) == text

"""The walk finds every text in any value and puts other texts back, type for type."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections import OrderedDict, deque, namedtuple
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompt_values import ChatPromptValue, StringPromptValue
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel, ConfigDict, RootModel, SecretStr

from langchain_prodkit._text import leaves, replace, transform
from langchain_prodkit.errors import InputTypeError

SECRET = "Ada Byron"


@dataclasses.dataclass(frozen=True)
class Order:
    """An order, with a count of its constructions."""

    buyer: str
    lines: list[str]
    built: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "built", self.built + 1)


class Person(BaseModel):
    """A person, with whatever else is known."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str
    tags: tuple[str, ...] = ()
    age: int = 3


class Names(RootModel[list[str]]):
    """A list of names."""


Pair = namedtuple("Pair", "left right")  # noqa: PYI024 - the untyped kind is what is tested

words = st.text(st.characters(), max_size=12)  # lone surrogates too


def _messages() -> st.SearchStrategy[Any]:
    blocks = st.lists(
        st.one_of(
            words,
            words.map(lambda t: {"type": "text", "text": t}),
            words.map(lambda t: {"type": "tool_use", "id": "i", "name": "n", "input": {"q": t}}),
            words.map(lambda t: {"type": "reasoning", "summary": [{"type": "summary_text", "text": t}]}),
        ),
        max_size=3,
    )
    content = st.one_of(words, blocks)
    calls = st.lists(
        st.builds(lambda t: {"name": "find", "args": {"who": t, "deep": [t, 1, None]}, "id": "1"}, words),
        max_size=2,
    )
    broken = st.lists(
        st.builds(lambda t: {"name": "f", "args": '{"a": ' + t, "id": "2", "error": t}, words), max_size=1
    )
    return st.one_of(
        st.builds(HumanMessage, content=content),
        st.builds(SystemMessage, content=content),
        st.builds(AIMessage, content=content, tool_calls=calls, invalid_tool_calls=broken),
        st.builds(ToolMessage, content=content, tool_call_id=st.just("1")),
        st.builds(ChatMessage, content=content, role=st.sampled_from(["user", "system", "critic"])),
    )


flat = st.one_of(
    words,
    st.none(),
    st.booleans(),
    st.integers(),
    st.dates(),
    _messages(),
    st.builds(Document, page_content=words, metadata=st.dictionaries(st.text(max_size=3), words, max_size=2)),
    st.builds(Order, buyer=words, lines=st.lists(words, max_size=2)),
    st.builds(Person, name=words, tags=st.lists(words, max_size=2).map(tuple)),
    st.lists(words, max_size=2).map(Names),
    st.builds(Pair, words, words),
    words.map(lambda t: StringPromptValue(text=t)),
    st.lists(_messages(), max_size=2).map(lambda m: ChatPromptValue(messages=m)),
)
values = st.recursive(
    flat,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(deque),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
        st.dictionaries(st.text(max_size=4), inner, max_size=3).map(OrderedDict),
        st.dictionaries(st.text(max_size=4), inner, max_size=2).map(MappingProxyType),
    ),
    max_leaves=8,
)


@given(values)
def test_putting_the_same_texts_back_gives_the_very_same_object(value: Any) -> None:
    """Nothing is copied when nothing changes."""
    assert replace(value, [leaf.text for leaf in leaves(value)]) is value


@given(values)
def test_every_text_can_be_replaced_and_the_type_stays(value: Any) -> None:
    """What is read can be written, at the same places, and the shape does not change."""
    found = leaves(value)
    changed = replace(value, [f"{index}\x00" for index in range(len(found))])
    assert type(changed) is type(value)
    again = leaves(changed)
    assert [leaf.text for leaf in again] == [f"{index}\x00" for index in range(len(found))]
    assert [(leaf.path, leaf.role, leaf.is_json) for leaf in again] == [
        (leaf.path, leaf.role, leaf.is_json) for leaf in found
    ]


@given(values)
def test_the_input_is_never_changed(value: Any) -> None:
    """The caller's value reads the same after its texts were replaced."""
    before = [leaf.text for leaf in leaves(value)]
    replace(value, ["x"] * len(before))
    assert [leaf.text for leaf in leaves(value)] == before


EVERYWHERE = [
    SECRET,
    HumanMessage(SECRET),
    HumanMessage("hi", name=SECRET),
    HumanMessage([{"type": "text", "text": SECRET}]),
    HumanMessage([{"type": "text-plain", "mime_type": "text/plain", "text": SECRET}]),
    HumanMessage([{"type": "file", "file": {"filename": SECRET, "file_data": "data:abc"}}]),
    HumanMessage(
        [{"type": "text", "text": "t", "annotations": [{"type": "citation", "cited_text": SECRET}]}]
    ),
    SystemMessage(SECRET),
    AIMessage("", tool_calls=[{"name": "f", "args": {"a": {"b": [SECRET]}}, "id": "1"}]),
    AIMessage("", invalid_tool_calls=[{"name": "f", "args": f'{{"a": "{SECRET}', "id": "1", "error": None}]),
    AIMessage(
        "",
        additional_kwargs={
            "tool_calls": [
                {
                    "id": "1",
                    "type": "function",
                    "function": {"name": "f", "arguments": f'{{"a": "{SECRET}"}}'},
                }
            ]
        },
    ),
    AIMessage("", additional_kwargs={"reasoning_content": SECRET}),
    AIMessage([{"type": "thinking", "thinking": SECRET, "signature": "s"}]),
    AIMessageChunk(content="", tool_call_chunks=[{"name": "f", "args": SECRET, "id": "1", "index": 0}]),
    ToolMessage(SECRET, tool_call_id="1"),
    ToolMessage([{"type": "tool_result", "content": [{"type": "text", "text": SECRET}]}], tool_call_id="1"),
    FunctionMessage(content=SECRET, name="f"),
    Document(SECRET),
    Document("x", metadata={"author": SECRET}),
    {"messages": [("user", SECRET)]},
    [{"role": "user", "content": SECRET}],
    [{"role": "user", "content": [{"type": "text", "text": SECRET}]}],
    Person(name="x", note=SECRET),
    Names([SECRET]),
    Order("x", [SECRET]),
    {frozenset({1}): {SECRET}},
    PurePosixPath(f"home/{SECRET}/cv.txt"),
    ChatPromptValue(messages=[HumanMessage(SECRET)]),
    deque([MappingProxyType({"a": Pair(1, SECRET)})], maxlen=2),
]


@pytest.mark.parametrize("value", EVERYWHERE, ids=lambda value: type(value).__name__)
def test_no_text_hides_from_the_walk(value: Any) -> None:
    """Wherever a secret stands in a value, it is found and can be taken out."""
    assert any(SECRET in leaf.text for leaf in leaves(value))
    clean = transform(value, lambda leaf: leaf.text.replace(SECRET, "-"))
    assert SECRET not in repr(clean)
    assert type(clean) is type(value)


def test_names_and_links_of_the_protocol_are_left_alone() -> None:
    """Changing an id, a tool name, a signature or base64 data would break the request."""
    message = AIMessage(
        [
            {"type": "tool_use", "id": "id", "name": "tool", "input": {}},
            {"type": "thinking", "thinking": "t", "signature": "sig"},
            {"type": "image", "base64": "AAAA", "mime_type": "image/png"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
        ],
        tool_calls=[{"name": "tool", "args": {}, "id": "id"}],
    )
    assert [leaf.text for leaf in leaves(message)] == ["t"]
    assert [leaf.text for leaf in leaves(ToolMessage("r", name="tool", tool_call_id="id"))] == ["r"]


def test_leaves_say_who_wrote_them_and_where_json_needs_escaping() -> None:
    """The guard tells users from documents, the restorer escapes inside JSON."""
    value = {
        "history": [
            SystemMessage("s"),
            HumanMessage("h"),
            AIMessage("a"),
            ToolMessage("t", tool_call_id="1"),
        ],
        "docs": [Document("d")],
        "dicts": [{"role": "developer", "content": "s"}],
        "free": "f",
        "broken": AIMessage("", invalid_tool_calls=[{"name": "f", "args": "{", "id": "1", "error": None}]),
    }
    assert [(leaf.text, leaf.role, leaf.is_json) for leaf in leaves(value) if leaf.text] == [
        ("s", "system", False),
        ("h", "user", False),
        ("a", "ai", False),
        ("t", "tool", False),
        ("d", "document", False),
        ("s", "system", False),
        ("f", "", False),
        ("{", "ai", True),
    ]


def test_post_init_does_not_run_again() -> None:
    """A rebuilt dataclass is a copy with other texts, not a second construction."""
    assert transform(Order("a", ["b"]), lambda _: "z") == dataclasses.replace(Order("z", ["z"], 0), built=0)


@pytest.mark.parametrize(
    "value",
    [object(), RunnableLambda(len), len, iter([SECRET]), Person, [object()], {"a": {SECRET: object()}}],
    ids=["object", "runnable", "function", "iterator", "class", "in a list", "under a secret key"],
)
def test_what_cannot_be_read_is_refused_without_quoting(value: Any) -> None:
    """Text that cannot be seen must not pass unread, and the error must not show any."""
    with pytest.raises(InputTypeError) as caught:
        leaves(value)
    assert SECRET not in str(caught.value)


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle ends in a typed error, not in a RecursionError."""
    ring: list[Any] = []
    ring.append(ring)
    with pytest.raises(InputTypeError, match="nested deeper"):
        leaves(ring)
    block: dict[str, Any] = {"type": "text"}
    block["extras"] = [block]
    with pytest.raises(InputTypeError, match="nested deeper"):
        leaves(HumanMessage([block]))


def test_values_without_text_pass_as_they_are() -> None:
    """Numbers, dates and secrets hold nothing to read."""
    for value in (1, 1.5, None, True, dt.date(2026, 1, 1), SecretStr(SECRET), b"\x00"):
        assert leaves(value) == []
        assert replace(value, []) is value


def test_binary_blocks_follow_the_policy() -> None:
    """A picture can pass, be dropped or stop the call."""
    picture = {"type": "image", "base64": "AAAA", "mime_type": "image/png"}
    message = HumanMessage([{"type": "text", "text": "look"}, picture])
    assert transform(message, lambda leaf: leaf.text) is message
    dropped = transform(message, lambda leaf: leaf.text, on_binary="drop")
    assert dropped.content == [{"type": "text", "text": "look"}]
    with pytest.raises(InputTypeError, match="binary"):
        leaves(message, on_binary="raise")
    with pytest.raises(InputTypeError, match="binary"):
        transform(b"all of it", lambda leaf: leaf.text, on_binary="drop")


def test_a_wrong_number_of_texts_is_refused() -> None:
    """Texts and places must match one for one, or a text would land in the wrong place."""
    with pytest.raises(InputTypeError, match="2 texts, but 1"):
        replace(["a", "b"], ["z"])
    with pytest.raises(InputTypeError, match="2 texts, but 3"):
        replace(["a", "b"], ["x", "y", "z"])

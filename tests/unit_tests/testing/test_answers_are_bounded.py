"""Answers keep to `stop` and `max_tokens`, and are cut into pieces without loss."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.testing.answers import Answer, ToolCall
from langchain_prodkit.testing.chat import pieces, token_logprobs
from langchain_prodkit.testing.request import ChatRequest, parse_chat, text_of
from langchain_prodkit.testing.wire import ProviderError, dump, event, events_with


def _request(**settings: Any) -> ChatRequest:
    return parse_chat({"model": "m", "messages": [{"role": "user", "content": "Hi"}], **settings})


@given(st.text(max_size=60), st.integers(1, 20), st.text(max_size=20))
def test_no_answer_is_longer_than_max_tokens(content: str, limit: int, arguments: str) -> None:
    """Content and calls together stay within the limit, and say when they were cut."""
    answer = Answer(content=content, tool_calls=(ToolCall("t", arguments, "call_1"),))
    bounded = answer.bounded(_request(max_tokens=limit))
    assert bounded.completion_tokens <= limit + 1  # each part is rounded up on its own
    assert (bounded.finish_reason == "length") == (answer.completion_tokens > limit)


@given(
    st.text(alphabet="abc", max_size=40),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=3), max_size=3),
)
def test_no_stop_sequence_is_left_in_an_answer(content: str, stop: list[str]) -> None:
    """The answer ends before the first stop sequence, wherever it stands."""
    bounded = Answer(content=content).bounded(_request(stop=stop))
    assert bounded.content is not None
    assert content.startswith(bounded.content)
    assert not any(word in bounded.content for word in stop)


@given(st.text(max_size=100), st.integers(1, 9))
def test_pieces_join_to_the_whole(text: str, size: int) -> None:
    """Streaming loses nothing and adds nothing."""
    cut = list(pieces(text, size))
    assert "".join(cut) == text
    assert all(cut)


def test_a_megabyte_makes_a_few_thousand_pieces() -> None:
    """Long answers come in larger chunks."""
    assert len(list(pieces("x" * 1_000_000, 4))) <= 2001


@given(st.lists(st.text(max_size=8)), st.text(max_size=8))
def test_events_made_at_once_equal_events_made_one_by_one(texts: list[str], model: str) -> None:
    """The fast way of writing chunks gives the same bytes, whatever stands in them."""

    def make(text: str) -> bytes:
        return event({"model": model, "delta": {"content": text}, "end": None})

    assert list(events_with(make, texts)) == [make(text) for text in texts]


@given(st.text(max_size=30), st.integers(0, 5))
def test_logprobs_cover_the_text_exactly(text: str, alternatives: int) -> None:
    """Tokens join to the text, each with a probability and the asked number of alternatives."""
    tokens = token_logprobs(text, alternatives)
    assert "".join(token["token"] for token in tokens) == text
    assert all(token["logprob"] < 0 and len(token["top_logprobs"]) == alternatives for token in tokens)


def test_lone_surrogates_travel_as_escapes() -> None:
    """Half a character is JSON all the same."""
    assert json.loads(dump({"text": "\ud83d"})) == {"text": "\ud83d"}


def test_text_is_read_from_any_kind_of_content() -> None:
    """Strings, parts of both APIs, refusals, and nothing at all."""
    parts = [
        {"type": "text", "text": "a"},
        {"type": "input_text", "text": "b"},
        {"type": "image_url"},
        "c",
        7,
    ]
    assert text_of(parts).split() == ["a", "b", "c"]
    assert text_of(None) == ""


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "Hi"}, "messages"),
        ({"messages": [{"content": "x"}]}, "messages[0]"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"n": True}, "n"),
        ({"max_tokens": "ten"}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"tools": [{"type": "function"}]}, "tools[0]"),
        ({"tools": {}, "tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {"name": "none"}}}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ],
)
def test_a_wrong_parameter_is_named_and_its_value_is_not(change: dict[str, Any], param: str) -> None:
    """A 400 says which parameter, and repeats nothing the caller sent."""
    with pytest.raises(ProviderError) as caught:
        _request(**change)
    assert caught.value.status == 400
    assert caught.value.body["error"]["param"] == param

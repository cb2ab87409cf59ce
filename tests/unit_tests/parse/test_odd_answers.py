"""Answers that nobody wants: a typed error or the right value, within bounds, never silence."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel, Field

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import ConfigurationError, InputTypeError, StructuredOutputError
from tests.unit_tests.parse.models import Flat, Score
from tests.unit_tests.parse.scripted import Script, TextModel, ToolModel, called

ANN = {"name": "Ann", "age": 30, "city": "Oslo"}
EXPECTED = Flat(**ANN)
THOUGHT = [{"type": "thinking", "thinking": "Ann, 30, Oslo", "signature": "s"}]

NO_VALUE: dict[str, AIMessage | str] = {
    "empty": "",
    "blank": " \n ",
    "null": "null",
    "only thinking": AIMessage(THOUGHT),  # type: ignore[arg-type]
    "another tool": called(("search", ANN)),
    "a tool without name": called(("", ANN)),
    "two different answers": called(("Flat", ANN), ("Flat", {**ANN, "age": 31})),
    "megabytes": "x" * 10_000_000,
    "megabytes of brackets": "{" * 10_000_000,
    "nested deep": '{"name":' * 10_000,
    "arguments nested deep": called(("Flat", '{"name":' * 10_000)),
    "nan": called(("Flat", {**ANN, "age": float("nan")})),
    "infinity": '{"name": "Ann", "age": Infinity, "city": "Oslo"}',
    "lone surrogate": called(("Flat", {**ANN, "name": "\ud800"})),
    "lone surrogate in text": json.dumps({**ANN, "name": "\ud800"}),
    "list": "[]",
    "number": "3",
}


@pytest.mark.parametrize("answer", NO_VALUE.values(), ids=NO_VALUE)
@pytest.mark.parametrize("has_tools", [False, True])
def test_what_holds_no_value_ends_in_the_typed_error(answer: Any, has_tools: bool) -> None:
    """After max_retries + 1 calls, each of which could really be sent."""
    script = Script([answer])
    model = ToolModel(script=script) if has_tools else TextModel(script=script)
    started = time.thread_time()
    with pytest.raises(StructuredOutputError) as caught:
        InstructorParser(Flat, llm=model).invoke("Who?")
    assert time.thread_time() - started < 10
    assert caught.value.attempts == len(script.sent) == 3
    for sent in script.sent:
        body = json.dumps([message.model_dump() for message in sent.messages], ensure_ascii=False).encode()
        assert len(body) < 100_000


@pytest.mark.parametrize("parser", [InstructorParser(Flat), InstructorParser(Flat, llm=RunnableLambda(len))])
def test_none_is_no_answer(parser: Runnable[Any, Any]) -> None:
    """Neither as input nor from the model."""
    with pytest.raises(InputTypeError):
        parser.invoke(None)
    nothing: Any = RunnableLambda(lambda _: None)
    with pytest.raises(InputTypeError):
        InstructorParser(Flat, llm=nothing).invoke("Who?")


def test_the_same_answer_twice_is_one() -> None:
    """Nothing is in doubt."""
    assert InstructorParser(Flat).invoke(called(("Flat", ANN), ("Flat", ANN))) == EXPECTED


@pytest.mark.parametrize("name", ["flat", "functions.Flat", "FLAT"])
def test_a_tools_name_may_be_written_in_another_way(name: str) -> None:
    """Case and a namespace are no other tool."""
    assert InstructorParser(Flat).invoke(called((name, ANN))) == EXPECTED


def test_text_beside_a_call_of_another_tool_counts() -> None:
    """The answer is there; the call is not ours."""
    assert InstructorParser(Flat).invoke(called(("search", {"q": 1}), text=json.dumps(ANN))) == EXPECTED


def test_arguments_that_a_stream_left_open_are_not_closed_for_the_model() -> None:
    """`langchain-core` closes them silently; half a name is no name."""
    chunk = AIMessageChunk(
        content="",
        tool_call_chunks=[
            {"name": "Flat", "args": '{"city": "Oslo", "age": 30, "name": "An', "id": "1", "index": 0}
        ],
    )
    assert chunk.tool_calls[0]["args"]["name"] == "An"
    with pytest.raises(StructuredOutputError):
        InstructorParser(Flat).invoke(chunk)


def test_a_schema_that_nothing_satisfies_is_an_error_in_the_end() -> None:
    """After max_retries + 1 calls."""

    class Impossible(BaseModel):
        x: int = Field(gt=5, lt=3)

    script = Script([called(("Impossible", {"x": 4}))])
    with pytest.raises(StructuredOutputError) as caught:
        InstructorParser(Impossible, llm=ToolModel(script=script)).invoke("Go")
    assert (len(script.sent), caught.value.fields) == (3, ("x",))


@pytest.mark.parametrize(
    "model",
    [None, "Flat", 3, EXPECTED, print, lambda: 1, object, type, Any, BaseModel, [Flat], (Flat,), ..., json],
)
def test_a_response_model_that_is_none_is_told_at_once(model: Any) -> None:
    """When the parser is made, by a typed error that quotes nothing."""
    with pytest.raises(ConfigurationError) as caught:
        InstructorParser(model)
    assert "Ann" not in str(caught.value)


CUT = {"finish_reason": "length"}
ROWS = '{"tasks": [{"verdict": "pass", "score": 1}, {"verdict": "fail", "sc'


def test_the_whole_part_of_a_cut_list_can_be_kept() -> None:
    """Items that were complete; the repair is named."""
    kind: Any = list[Score]
    for message in (
        AIMessage(ROWS, response_metadata=CUT),
        called(("Whatever", ROWS)).model_copy(update={"response_metadata": CUT}),
    ):
        parser: Runnable[Any, Any] = InstructorParser(kind, on_truncated="partial", include_raw=True)
        result = parser.invoke(message)
        assert result["parsed"] == [Score(verdict="pass", score=1)]
        assert "partial" in result["repairs"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"label": "a", "children": [{"label": "b"}, {"label": "c', [{"label": "b"}]),
        ('{"label": "a", "children": [', None),
        ('{"label": "a', "refused"),
        ('{"children": [{"label": "b"}], "label": "a', "refused"),
        ("I think the label is", "refused"),
        ('{"label": "x"} no, rather {"label": "a', "refused"),
    ],
)
def test_what_is_kept_of_a_cut_object_was_closed(text: str, value: Any) -> None:
    """A field without which the schema is not met, or a text that may go on, makes it an error."""

    class Tree(BaseModel):
        label: str
        children: list[dict[str, str]] | None = None

    parser = InstructorParser(Tree, on_truncated="partial")
    message = AIMessage(text, response_metadata=CUT)
    if value == "refused":
        with pytest.raises(StructuredOutputError) as caught:
            parser.invoke(message)
        assert caught.value.reason == "truncated"
    else:
        assert parser.invoke(message) == Tree(label="a", children=value)


@pytest.mark.parametrize("length", range(1, len(ROWS)))
def test_wherever_a_list_is_cut_no_item_is_made_up(length: int) -> None:
    """One complete item or an error; nothing else was ever closed."""
    kind: Any = list[Score]
    parser: Runnable[Any, Any] = InstructorParser(kind, on_truncated="partial")
    message = AIMessage(ROWS[:length], response_metadata=CUT)
    if '"score": 1' in ROWS[: length - 1]:
        assert parser.invoke(message) == [Score(verdict="pass", score=1)]
    else:
        with pytest.raises(StructuredOutputError) as caught:
            parser.invoke(message)
        assert caught.value.reason == "truncated"

"""`InstructorParser` as a Runnable: its types, its copies, its inputs, what it costs to import."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
import tenacity
from instructor.core.hooks import Hooks
from langchain_core.language_models import FakeListChatModel
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.runnables import RunnableGenerator

from langchain_prodkit.errors import (
    ConfigurationError,
    InputTypeError,
    SerializationError,
    StructuredOutputError,
)
from langchain_prodkit.parse import InstructorParser, ParsedResult
from tests.unit_tests.parse.models import ActorFilmography, Flat, Score

ANN = '{"name": "Ann", "age": 30, "city": "Oslo"}'
EXPECTED = Flat(name="Ann", age=30, city="Oslo")


def test_importing_the_room_loads_no_heavy_library() -> None:
    """Instructor and the OpenAI client come with the first parser that has a model."""
    code = (
        "import sys, langchain_prodkit.parse as p; p.InstructorParser(int); p.parse_aligned('1', int); "
        "sys.exit(any(name in sys.modules for name in ('instructor', 'openai', 'json_repair')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own code


def test_alone_it_validates_and_repairs() -> None:
    """Without a model, texts and messages are answers; what does not fit raises."""
    parser = InstructorParser(Flat)
    assert parser.invoke(ANN) == EXPECTED
    assert parser.invoke(AIMessage(f"Sure: {ANN}")) == EXPECTED
    with pytest.raises(StructuredOutputError) as caught:
        parser.invoke('{"name": "Ann"}')
    assert (caught.value.attempts, caught.value.fields) == (0, ("age", "city"))


def test_a_tool_call_is_an_answer() -> None:
    """Of several calls the last that fits counts."""
    calls = [
        {"name": "Other", "args": {"x": 1}, "id": "1"},
        {"name": "Flat", "args": EXPECTED.model_dump(), "id": "2"},
        {"name": "Other", "args": {"x": 2}, "id": "3"},
    ]
    assert InstructorParser(Flat).invoke(AIMessage("", tool_calls=calls)) == EXPECTED


def test_chunks_become_one_answer() -> None:
    """A stream in front of the parser is one answer: the object grows, and the last one is whole."""

    def pieces(_: Any) -> Any:
        for start in range(0, len(ANN), 5):
            yield AIMessageChunk(content=ANN[start : start + 5], id="run-1")

    chain = RunnableGenerator(pieces) | InstructorParser(Flat)
    *partial, last = chain.stream("go")
    assert last == EXPECTED
    assert partial[0] != EXPECTED


def test_strict_converts_nothing() -> None:
    """Pydantic's strict mode holds for repaired answers too."""
    text = '{"name": "Ann", "age": "30", "city": "Oslo",}'
    assert InstructorParser(Flat).invoke(text) == EXPECTED
    with pytest.raises(StructuredOutputError):
        InstructorParser(Flat, strict=True).invoke(text)


@pytest.mark.parametrize(("repair", "works"), [("off", 0), ("syntax", 1), ("aligned", 2)])
def test_repair_goes_as_far_as_allowed(repair: Any, works: int) -> None:
    """Off: valid JSON only. Syntax: no value is touched. Aligned: values too."""
    texts = [ANN.replace("}", ",}"), ANN.replace("30", '"1,030"')]
    read = 0
    for text in texts:
        try:
            InstructorParser(Flat, repair=repair).invoke(text)
            read += 1
        except StructuredOutputError:
            pass
    assert read == works


def test_field_names_are_told_and_keys_of_the_model_are_not() -> None:
    """A key that the model made up may be anybody's name."""
    with pytest.raises(StructuredOutputError) as caught:
        InstructorParser(dict[str, Flat]).invoke('{"Ann Smith": {"name": "x", "age": "y", "city": "z"}}')
    assert caught.value.fields == ("*.age",)
    assert "Ann" not in str(caught.value)


def test_types_are_known() -> None:
    """The output type is the response model, and JSON schemas can be made of both sides."""
    assert InstructorParser(Flat).OutputType is Flat
    assert InstructorParser(Flat).get_output_schema() is Flat
    assert InstructorParser(Iterable[Flat]).OutputType == list[Flat]
    assert InstructorParser(Flat, include_raw=True).OutputType is ParsedResult
    assert InstructorParser(Flat).get_output_jsonschema()["properties"].keys() == {"name", "age", "city"}
    assert InstructorParser(Flat).get_input_jsonschema()


def test_format_instructions_hold_the_schema() -> None:
    """For prompts of models that this parser does not ask."""
    text = InstructorParser(list[Score]).get_format_instructions()
    assert '"tasks"' in text
    assert '"verdict"' in text


def test_it_pickles_and_copies() -> None:
    """Arguments travel; what is prepared from them is prepared anew."""
    parser = InstructorParser(Flat, llm=FakeListChatModel(responses=[ANN]), max_retries=1, name="people")
    for twin in (
        pickle.loads(pickle.dumps(parser)),  # noqa: S301 - our own bytes
        copy.deepcopy(parser),
        parser.model_copy(),
    ):
        assert (twin.max_retries, twin.mode, twin.name) == (1, "auto", "people")
        assert twin.invoke("Who?") == EXPECTED


def test_a_tenacity_object_travels_too() -> None:
    """Without the state of its runs, which neither pickles nor copies."""
    patience = tenacity.Retrying(stop=tenacity.stop_after_attempt(4), wait=tenacity.wait_fixed(0.5))
    parser = InstructorParser(Flat, max_retries=patience, reask="full")
    for twin in (
        pickle.loads(pickle.dumps(parser)),  # noqa: S301 - our own bytes
        copy.deepcopy(parser),
        parser.model_copy(deep=True),
    ):
        assert isinstance(twin.max_retries, tenacity.Retrying)
        stop: Any = twin.max_retries.stop
        assert (stop.max_attempt_number, twin.reask) == (4, "full")
        assert twin.invoke(ANN) == EXPECTED


def test_a_copy_with_another_model_asks_the_other_model() -> None:
    """Nothing of the first model is left in it."""
    parser = InstructorParser(Flat, llm=FakeListChatModel(responses=[ANN.replace("Ann", "Bob")]))
    assert parser.model_copy(update={"llm": FakeListChatModel(responses=[ANN])}).invoke("Who?") == EXPECTED


def test_a_class_cannot_be_written_as_json() -> None:
    """`dumps` says so, by a typed error."""
    with pytest.raises(SerializationError, match="response_model"):
        dumps(InstructorParser(Flat))


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_retries": -1},
        {"max_retries": True},
        {"mode": "telepathy"},
        {"repair": "some"},
        {"on_truncated": "maybe"},
        {"token_budget": 0},
        {"llm": "gpt"},
        {"llm": FakeListChatModel(responses=[]), "mode": "tools"},
        {"hooks": Hooks()},
        {"llm": FakeListChatModel(responses=[]), "hooks": object()},
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    """When the parser is made, not when it is used."""
    with pytest.raises(ConfigurationError):
        InstructorParser(Flat, **arguments)


@pytest.mark.parametrize("value", [None, 3, [], [3], {"a": 1}, object(), b"x"])
@pytest.mark.parametrize("llm", [None, FakeListChatModel(responses=[ANN])])
def test_what_is_neither_prompt_nor_answer_is_refused(value: Any, llm: Any) -> None:
    """A typed error that names the type and not the value."""
    with pytest.raises(InputTypeError):
        InstructorParser(Flat, llm=llm).invoke(value)


@pytest.mark.parametrize(
    "text", ["", "  ", "\ud800", "x" * 1_000_000, "{" * 100_000, "[" * 100_000, '{"a":' * 10_000]
)
def test_odd_answers_end_in_the_typed_error(text: str) -> None:
    """Empty, broken, huge or deep: never None, never a hang."""
    for answer in (text, AIMessage(text)):
        with pytest.raises(StructuredOutputError):
            InstructorParser(Flat).invoke(answer)


def test_after_the_last_attempt_the_error_counts_the_calls() -> None:
    """The model was asked three times."""
    model = FakeListChatModel(responses=['{"name": "Brad Pitt", "film_names": []}'])
    with pytest.raises(StructuredOutputError) as caught:
        InstructorParser(ActorFilmography, llm=model).invoke([HumanMessage("Actor?")])
    assert (caught.value.attempts, caught.value.reason) == (3, "validation")

"""What a re-ask holds: the prompt, the answer as it was given, and a short error; in three styles."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

import pytest
import tenacity
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel, ValidationError

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import ConfigurationError, StructuredOutputError
from langchain_prodkit.parse import Failure
from tests.unit_tests.parse.models import Flat, Line
from tests.unit_tests.parse.scripted import Script, TextModel, ToolModel, called

ANN = {"name": "Ann", "age": 30, "city": "Oslo"}
BAD = {"name": "Secret Name", "age": "x", "city": "Oslo"}
EXPECTED = Flat(**ANN)
PROMPT = ChatPromptTemplate([("system", "Be brief."), ("human", "{q}")])


def kinds(messages: list[BaseMessage]) -> list[str]:
    """Say who speaks."""
    return [message.type for message in messages]


def fails(script: Script, **settings: Any) -> StructuredOutputError:
    """Run a parser whose model never gets it right."""
    parser = InstructorParser(Flat, llm=ToolModel(script=script), **settings)
    with pytest.raises(StructuredOutputError) as caught:
        (PROMPT | parser).invoke({"q": "Who?"})
    return caught.value


def test_last_shows_the_last_answer_only() -> None:
    """The third request is as long as the second."""
    script = Script([called(("Flat", BAD))])
    fails(script)
    assert [kinds(sent.messages) for sent in script.sent] == [
        ["system", "human"], ["system", "human", "ai", "tool"], ["system", "human", "ai", "tool"],
    ]  # fmt: skip
    sizes = [len(json.dumps([m.model_dump() for m in sent.messages])) for sent in script.sent]
    assert sizes[2] <= sizes[1] * 1.1


def test_full_shows_the_whole_history() -> None:
    """Every answer with its error, in order."""
    script = Script([called(("Flat", {**BAD, "city": "1"})), called(("Flat", BAD)), called(("Flat", ANN))])
    parser = InstructorParser(Flat, llm=ToolModel(script=script), reask="full")
    assert (PROMPT | parser).invoke({"q": "Who?"}) == EXPECTED
    assert kinds(script.sent[2].messages) == ["system", "human", "ai", "tool", "ai", "tool"]
    cities = [m.tool_calls[0]["args"]["city"] for m in script.sent[2].messages if isinstance(m, AIMessage)]
    assert cities == ["1", "Oslo"]


def test_a_builder_writes_its_own() -> None:
    """It gets the prompt and every failure, and what it gives is sent."""
    seen: list[list[Failure]] = []

    def build(prompt: list[BaseMessage], failures: list[Failure]) -> list[BaseMessage]:
        seen.append(failures)
        return [*prompt, HumanMessage(f"Mind this: {failures[-1].advice}")]

    script = Script([called(("Flat", BAD))])
    fails(script, reask=build)
    assert kinds(script.sent[2].messages) == ["system", "human", "human"]
    assert [len(failures) for failures in seen] == [1, 2]
    assert (seen[0][0].fields, seen[0][0].reason) == (("age",), "validation")
    assert "Mind this: age: " in str(script.sent[1].messages[-1].content)


def test_the_true_message_is_replayed() -> None:
    """Thinking blocks with their signatures, ids and everything a provider wants back."""
    thought = {"type": "thinking", "thinking": "hm", "signature": "abc"}
    answer = AIMessage([thought, {"type": "text", "text": "no idea"}], id="run-1", name="bot")
    script = Script([answer, json.dumps(ANN)])
    InstructorParser(Flat, llm=TextModel(script=script)).invoke("Who?")
    replayed = script.sent[1].messages[-2]
    assert (replayed.content, replayed.id, replayed.name) == (answer.content, "run-1", "bot")


def test_what_only_thinks_is_not_replayed() -> None:
    """Providers refuse such a turn; the user's turn says that there was no answer."""
    script = Script([AIMessage([{"type": "thinking", "thinking": "hm"}]), json.dumps(ANN)])
    InstructorParser(Flat, llm=TextModel(script=script)).invoke([HumanMessage("Who?")])
    assert kinds(script.sent[1].messages) == ["system", "human", "human"]


@pytest.mark.parametrize("ids", [[None, None], ["", "a"], ["a", "a"]])
def test_calls_without_ids_get_ids(ids: list[str | None]) -> None:
    """Each call and its result can be told apart."""
    script = Script([called(("Flat", BAD), ("Flat", ANN), ids=ids)])
    fails(script, max_retries=1)
    _, _, answer, *results = script.sent[1].messages
    assert isinstance(answer, AIMessage)
    told = [call["id"] for call in answer.tool_calls]
    assert len(set(told)) == 2
    assert [result.tool_call_id for result in results] == told  # type: ignore[attr-defined]


def test_broken_arguments_are_replied_to_as_well() -> None:
    """An invalid call is a call."""
    script = Script([called(("Flat", '{"name": "Ann", '))])
    fails(script, max_retries=1)
    assert kinds(script.sent[1].messages) == ["system", "human", "ai", "tool"]
    assert script.sent[1].messages[-1].tool_call_id == "call_0"  # type: ignore[attr-defined]


def test_an_answer_of_unknown_origin_is_quoted() -> None:
    """Without a prompt no provider takes an answer as the first turn."""
    script = Script([json.dumps(ANN)])
    parser = InstructorParser(Flat, llm=TextModel(script=script))
    assert parser.invoke(AIMessage(json.dumps(BAD))) == EXPECTED
    assert kinds(script.sent[0].messages) == ["system", "human"]
    assert "Secret Name" in str(script.sent[0].messages[-1].content)


def test_the_instruction_joins_the_system_message() -> None:
    """There is one, whatever the prompt begins with; the user's object is not touched."""
    system = SystemMessage("Be brief.")
    script = Script([json.dumps(ANN)])
    InstructorParser(Flat, llm=TextModel(script=script)).invoke([system, HumanMessage("Who?")])
    assert kinds(script.sent[0].messages) == ["system", "human"]
    assert str(script.sent[0].messages[0].content).startswith("Be brief.\n\nAnswer with one JSON object")
    assert system.content == "Be brief."


class Lines(BaseModel):
    """Many of them."""

    lines: list[Line]


def test_the_error_is_compact() -> None:
    """At most 40 % of pydantic's, and without a value of the answer."""
    rows = [{"article": f"Secret {n}", "amount": f"many {n}", "price": None} for n in range(20)]
    text = json.dumps({"lines": rows})
    script = Script([text])
    with pytest.raises(StructuredOutputError):
        InstructorParser(Lines, llm=TextModel(script=script), max_retries=1).invoke("Go")
    sent = str(script.sent[1].messages[-1].content)
    with pytest.raises(ValidationError) as caught:
        Lines.model_validate_json(text)
    assert len(sent) <= 0.4 * len(str(caught.value))
    assert "Secret" not in sent
    assert "lines.0.amount" in sent


@pytest.mark.parametrize("kind", [tenacity.Retrying, tenacity.AsyncRetrying])
async def test_waiting_never_blocks_the_event_loop(kind: Any) -> None:
    """A hundred runs that each wait 0.2 s wait together."""
    script = Script([json.dumps(BAD)])
    patience = kind(stop=tenacity.stop_after_attempt(2), wait=tenacity.wait_fixed(0.2))
    parser = InstructorParser(Flat, llm=TextModel(script=script), max_retries=patience)
    started = time.perf_counter()
    runs = (parser.ainvoke("Who?") for _ in range(100))
    outcomes = await asyncio.gather(*runs, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {StructuredOutputError}
    assert len(script.sent) == 200
    assert 0.2 <= time.perf_counter() - started < 15


def test_tenacity_may_decline_to_retry() -> None:
    """Its `retry` sees pydantic's error, as with instructor."""
    script = Script([called(("Flat", BAD))])
    patience = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(5), retry=tenacity.retry_if_not_exception_type(ValidationError)
    )
    fails(script, max_retries=patience)
    assert len(script.sent) == 1


def test_tenacity_counts_a_ready_answer() -> None:
    """Two attempts are the ready one and one call."""
    script = Script([json.dumps(BAD)])
    model = TextModel(script=script)
    patience = tenacity.Retrying(stop=tenacity.stop_after_attempt(2))
    with pytest.raises(StructuredOutputError) as caught:
        (PROMPT | model | InstructorParser(Flat, llm=model, max_retries=patience)).invoke({"q": "Who?"})
    assert (caught.value.attempts, len(script.sent)) == (2, 2)


@pytest.mark.parametrize("retries", [tenacity.Retrying(), "3", 1.5, None, -1])
def test_max_retries_that_make_no_sense_are_refused(retries: Any) -> None:
    """Among them a tenacity object that never stops."""
    with pytest.raises(ConfigurationError):
        InstructorParser(Flat, max_retries=retries)


async def test_parts_that_must_be_awaited_need_ainvoke() -> None:
    """Said by a typed error, not by a coroutine that nobody awaits."""

    async def after(_: Any) -> None:
        await asyncio.sleep(0)

    script = Script([json.dumps(BAD)])
    patience = tenacity.AsyncRetrying(stop=tenacity.stop_after_attempt(2), after=after)
    parser = InstructorParser(Flat, llm=TextModel(script=script), max_retries=patience)
    with pytest.raises(ConfigurationError):
        parser.invoke("Who?")
    with pytest.raises(StructuredOutputError):
        await parser.ainvoke("Who?")


def test_nothing_of_an_answer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Instructor logs its errors; ours hold codes."""
    with caplog.at_level(logging.DEBUG):
        error = fails(Script([called(("Flat", BAD))]))
    assert "Secret" not in caplog.text
    assert "Secret" not in f"{error!r} {error.__cause__!r}"

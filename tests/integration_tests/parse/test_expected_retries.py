"""What instructor's users expect of re-asks: what is sent, when it stops, and who is told."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import tenacity
from instructor.core.hooks import Hooks
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable
from openai import OpenAIError
from pydantic import BaseModel, ValidationError, model_validator

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.testing import Faults
from tests.integration_tests.parse.conftest import as_asked, in_turn
from tests.integration_tests.parse.drivers import Driver, behaviour
from tests.unit_tests.parse.models import ActorFilmography, Flat, Score

BAD = '{"name": "Brad Pitt", "film_names": ["Seven"]}'
GOOD = '{"name": "BRAD PITT", "film_names": ["Seven"]}'
ANN = '{"name": "Ann", "age": 30, "city": "Oslo"}'


def roles(server: Any, number: int = -1) -> list[str]:
    """Say who spoke in a request."""
    return [message["role"] for message in server.journal[number].body["messages"]]


def down(times: int) -> tuple[Any, ...]:
    """Give a server error that often."""
    return ("error_500",) * times


@behaviour(7)
async def test_what_validators_say_reaches_the_model(drive: Driver, provider: Any, make_model: Any) -> None:
    """A field's and a model's validator, in their own words."""

    class Span(BaseModel):
        start: int
        end: int

        @model_validator(mode="after")
        def is_in_order(self) -> Span:
            if self.end < self.start:
                raise ValueError("the end comes before the start")
            return self

    server = provider(in_turn('{"start": 4, "end": 2}', '{"start": 2, "end": 4}'))
    span: Runnable[Any, Any] = InstructorParser(Span, llm=make_model(server))
    assert (await drive.value(span, "Go")).end == 4
    assert "the end comes before the start" in json.dumps(server.journal[-1].body["messages"])
    server = provider(in_turn(BAD, GOOD))
    films: Runnable[Any, Any] = InstructorParser(ActorFilmography, llm=make_model(server))
    assert (await drive.value(films, "Go")).name == "BRAD PITT"
    assert "name: name must be in upper case" in server.journal[-1].body["messages"][-1]["content"]


@behaviour(8)
@pytest.mark.parametrize("kind", [tenacity.Retrying, tenacity.AsyncRetrying])
async def test_tenacity_decides_when_to_stop_and_wait(
    drive: Driver, provider: Any, make_model: Any, kind: Any
) -> None:
    """Either of its classes, in either driver; a number works as well."""
    server = provider(in_turn(BAD))
    patience = kind(
        stop=tenacity.stop_after_attempt(2),
        wait=tenacity.wait_fixed(0.05),
        retry=tenacity.retry_if_exception_type(ValidationError),
    )
    parser: Runnable[Any, Any] = InstructorParser(
        ActorFilmography, llm=make_model(server), max_retries=patience
    )
    started = time.perf_counter()
    error = await drive.error(parser, "Go", StructuredOutputError)
    assert time.perf_counter() - started >= 0.05
    assert (error.attempts, len(server.journal)) == (2, 2 * drive.times)
    server = provider(in_turn(BAD))
    number: Runnable[Any, Any] = InstructorParser(ActorFilmography, llm=make_model(server), max_retries=1)
    await drive.error(number, "Go", StructuredOutputError)
    assert len(server.journal) == 2 * drive.times


@behaviour(9)
async def test_no_retries_is_one_call(drive: Driver, provider: Any, make_model: Any) -> None:
    """`max_retries=0` asks once."""
    server = provider(in_turn(BAD))
    parser: Runnable[Any, Any] = InstructorParser(ActorFilmography, llm=make_model(server), max_retries=0)
    await drive.error(parser, "Go", StructuredOutputError)
    assert len(server.journal) == drive.times


@behaviour(10)
@pytest.mark.parametrize("include_raw", [False, True])
async def test_the_last_error_tells_the_whole_story(
    drive: Driver, provider: Any, make_model: Any, include_raw: bool
) -> None:
    """Attempts, tokens, fields and cause, in codes; the answer itself only where it was asked for."""
    server = provider(in_turn(BAD))
    parser: Runnable[Any, Any] = InstructorParser(
        ActorFilmography, llm=make_model(server), include_raw=include_raw
    )
    error = await drive.error(parser, "Go", StructuredOutputError)
    assert (error.reason, error.n_attempts, error.fields) == ("validation", 3, ("name",))
    assert [(one.number, one.reason, one.fields) for one in error.failed_attempts] == [
        (number, "validation", ("name",)) for number in (1, 2, 3)
    ]
    assert error.total_usage["total_tokens"] == sum(
        one.usage["total_tokens"] for one in error.failed_attempts
    )
    assert isinstance(error.__cause__, ValidationError)
    assert "Brad" not in f"{error} {error.__cause__} {error.failed_attempts}"
    assert (error.last_completion is None) is not include_raw
    if include_raw:
        assert isinstance(error.last_completion, AIMessage)


@behaviour(11)
@pytest.mark.parametrize("retries", [2, tenacity.Retrying(stop=tenacity.stop_after_attempt(3))])
async def test_an_error_of_the_provider_is_no_answer(
    drive: Driver, make_provider_server: Any, make_model: Any, retries: Any
) -> None:
    """It comes out as it is, after one call."""
    server = make_provider_server(faults=Faults(script=down(drive.times)))
    parser: Runnable[Any, Any] = InstructorParser(Flat, llm=make_model(server), max_retries=retries)
    await drive.error(parser, "Go", OpenAIError)
    assert len(server.journal) == drive.times


@behaviour(12)
async def test_hooks_are_told(drive: Driver, provider: Any, make_model: Any) -> None:
    """What is really sent, what came back, what was wrong, what it cost, and that it is over."""
    hooks = Hooks()
    told: list[str] = []
    requests: list[dict[str, Any]] = []
    hooks.on("completion:kwargs", lambda **request: requests.append(request))
    for name in (
        "completion:kwargs",
        "completion:response",
        "completion:usage",
        "parse:error",
        "completion:last_attempt",
    ):
        hooks.on(name, lambda *_, _name=name, **__: told.append(_name))
    server = provider(in_turn(BAD))
    parser: Runnable[Any, Any] = InstructorParser(
        ActorFilmography, llm=make_model(server), hooks=hooks, max_retries=1
    )
    await drive.error(parser, "Go", StructuredOutputError)
    once = ["completion:kwargs", "completion:response", "completion:usage", "parse:error"]
    assert sorted(told) == sorted([*once, *once, "completion:last_attempt"] * drive.times)
    assert len(requests) == 2 * drive.times
    sizes = sorted(len(request["messages"]) for request in requests)
    assert sizes == sorted(len(entry.body["messages"]) for entry in server.journal)
    assert requests[0]["tools"] == server.journal[0].body["tools"]


@behaviour(12)
async def test_hooks_are_told_of_errors(drive: Driver, make_provider_server: Any, make_model: Any) -> None:
    """Of the provider's too."""
    hooks = Hooks()
    told: list[str] = []
    hooks.on("completion:error", lambda error, **_: told.append(type(error).__name__))
    server = make_provider_server(faults=Faults(script=down(drive.times)))
    parser: Runnable[Any, Any] = InstructorParser(Flat, llm=make_model(server), hooks=hooks)
    error = await drive.error(parser, "Go", OpenAIError)
    assert told == [type(error).__name__] * drive.times


@behaviour(13)
async def test_usage_is_summed_and_a_budget_stops(drive: Driver, provider: Any, make_model: Any) -> None:
    """The result, LangChain's own counter and the provider agree; no call is made past the budget."""
    server = provider(in_turn(BAD, GOOD))
    counter = UsageMetadataCallbackHandler()
    parser: Runnable[Any, Any] = InstructorParser(ActorFilmography, llm=make_model(server), include_raw=True)
    results = await drive.outcomes(parser, "Go", {"callbacks": [counter]})
    counted = sum(entry.prompt_tokens + entry.completion_tokens for entry in server.journal)
    assert sum(result["usage"]["total_tokens"] for result in results) == counted
    assert sum(usage["total_tokens"] for usage in counter.usage_metadata.values()) == counted
    server = provider(in_turn(BAD))
    frugal: Runnable[Any, Any] = InstructorParser(ActorFilmography, llm=make_model(server), token_budget=1)
    error = await drive.error(frugal, "Go", StructuredOutputError)
    assert (error.reason, len(server.journal)) == ("budget", drive.times)


@behaviour(17)
async def test_refusals_and_cuts_are_not_asked_again(drive: Driver, provider: Any, make_model: Any) -> None:
    """Each is a typed error after one call."""
    server = provider(lambda _: {"role": "assistant", "content": None, "refusal": "I must not say."})
    refusing: Runnable[Any, Any] = InstructorParser(Flat, llm=make_model(server))
    assert (await drive.error(refusing, "Go", StructuredOutputError)).reason == "refused"
    assert len(server.journal) == drive.times
    server = provider(lambda _: ANN + " " * 400)
    cut: Runnable[Any, Any] = InstructorParser(Flat, llm=make_model(server, max_tokens=20), mode="text")
    assert (await drive.error(cut, "Go", StructuredOutputError)).reason == "truncated"
    assert len(server.journal) == drive.times


@behaviour(18)
async def test_an_answer_without_tool_call_is_asked_again_in_words(
    drive: Driver, provider: Any, make_model: Any
) -> None:
    """A plain turn of the user, for there is no call to reply to."""

    def script(body: dict[str, Any]) -> str | dict[str, Any]:
        corrected = "not accepted" in json.dumps(body["messages"])
        return as_asked(body, ANN) if corrected else "Ann is thirty."

    server = provider(script)
    parser: Runnable[Any, Any] = InstructorParser(Flat, llm=make_model(server), mode="tools")
    assert (await drive.value(parser, "Go")).name == "Ann"
    last = max(server.journal, key=lambda entry: len(entry.body["messages"])).body["messages"]
    assert [message["role"] for message in last] == ["user", "assistant", "user"]


@behaviour(19)
async def test_a_bad_call_gets_its_own_tool_message(drive: Driver, provider: Any, make_model: Any) -> None:
    """With the id of the call."""
    server = provider(in_turn(BAD, GOOD))
    parser: Runnable[Any, Any] = InstructorParser(ActorFilmography, llm=make_model(server))
    await drive.value(parser, "Go")
    _, answer, result = server.journal[-1].body["messages"]
    assert (answer["role"], result["role"]) == ("assistant", "tool")
    assert result["tool_call_id"] == answer["tool_calls"][0]["id"]


@behaviour(20)
async def test_every_call_of_an_answer_gets_a_tool_message(
    drive: Driver, provider: Any, make_model: Any
) -> None:
    """Two answers are none; both calls are replied to, in order."""

    def script(body: dict[str, Any]) -> str | dict[str, Any]:
        if "not accepted" in json.dumps(body["messages"]):
            return as_asked(body, ANN)
        calls = [ANN, ANN.replace("Ann", "Bob")]
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": f"c{n}", "type": "function", "function": {"name": "Flat", "arguments": arguments}}
                for n, arguments in enumerate(calls)
            ],
        }

    server = provider(script)
    parser: Runnable[Any, Any] = InstructorParser(Flat, llm=make_model(server))
    assert (await drive.value(parser, "Go")).name == "Ann"
    messages = server.journal[-1].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool"]
    assert [message["tool_call_id"] for message in messages[2:]] == ["c0", "c1"]


@behaviour(21)
@pytest.mark.parametrize("mode", ["tools", "json", "text"])
async def test_the_callers_messages_stay_as_they_are(
    drive: Driver, provider: Any, make_model: Any, mode: Any
) -> None:
    """List and messages, with re-asks and with the schema in the prompt."""
    prompt = [SystemMessage("Be brief."), HumanMessage([{"type": "text", "text": "Who?"}])]
    before = [message.model_copy(deep=True) for message in prompt]
    server = provider(in_turn('{"verdict": "maybe"}', '{"verdict": "pass", "score": 1}'))
    parser: Runnable[Any, Any] = InstructorParser(Score, llm=make_model(server), mode=mode)
    assert (await drive.value(parser, prompt)).score == 1
    assert prompt == before
    assert roles(server)[0] == "system"

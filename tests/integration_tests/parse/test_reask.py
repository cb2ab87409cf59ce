"""The re-ask over real HTTP: what is sent, how often, and what comes back."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from pydantic import ValidationError

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import StructuredOutputError
from tests.integration_tests.parse.conftest import as_asked, in_turn
from tests.unit_tests.parse.models import ActorFilmography, Flat

BAD = '{"name": "Brad Pitt", "film_names": ["Seven"]}'
GOOD = '{"name": "BRAD PITT", "film_names": ["Seven"]}'
BRAD = ActorFilmography(name="BRAD PITT", film_names=["Seven"])
PROMPT = ChatPromptTemplate([("system", "You list films."), ("human", "Actor: {actor}")])
MODES = ["auto", "tools", "json_schema", "json", "text"]


def sent(server: Any, number: int = -1) -> list[dict[str, Any]]:
    """Give the messages of a request as they arrived."""
    messages: list[dict[str, Any]] = server.journal[number].body["messages"]
    return messages


@pytest.mark.parametrize("mode", MODES)
def test_the_validators_message_mends_the_answer(provider: Any, make_model: Any, mode: Any) -> None:
    """The filmography in lower case is sent back with the validator's words, in every mode."""
    server = provider(in_turn(BAD, GOOD))
    chain = PROMPT | InstructorParser(ActorFilmography, llm=make_model(server), mode=mode)
    result = chain.invoke({"actor": "Brad Pitt"})
    assert type(result) is ActorFilmography
    assert result == BRAD
    assert len(server.journal) == 2
    first, second = sent(server, 0), sent(server, 1)
    assert second[: len(first)] == first
    assert "Actor: Brad Pitt" in json.dumps(second)
    assert "name: name must be in upper case" in second[-1]["content"]
    assert "Brad Pitt" not in second[-1]["content"], "the error quotes no value"
    assert "Seven" in json.dumps(second[-2]), "the answer is shown as it was given"


@pytest.mark.parametrize("mode", MODES)
async def test_the_same_asynchronously(provider: Any, make_model: Any, mode: Any) -> None:
    """Both drivers send the same requests."""
    server = provider(in_turn(BAD, GOOD))
    chain = PROMPT | InstructorParser(ActorFilmography, llm=make_model(server), mode=mode)
    assert await chain.ainvoke({"actor": "Brad Pitt"}) == BRAD
    assert len(server.journal) == 2
    assert sent(server)[-1]["content"].count("upper case") == 1


def test_a_ready_answer_that_fits_costs_no_call(provider: Any, make_model: Any) -> None:
    """After the model, the parser asks only when it must."""
    server = provider([GOOD])
    model = make_model(server)
    assert (PROMPT | model | InstructorParser(ActorFilmography, llm=model)).invoke({"actor": "x"}) == BRAD
    assert len(server.journal) == 1


@pytest.mark.parametrize("streaming", [False, True])
def test_a_ready_answer_is_asked_again_with_its_own_prompt(
    provider: Any, make_model: Any, streaming: bool
) -> None:
    """The prompt comes from the run tree, for whole answers and for streamed ones."""
    server = provider(in_turn(BAD, GOOD))
    model = make_model(server)
    chain = PROMPT | model | InstructorParser(ActorFilmography, llm=model, include_raw=True)
    *_, result = (
        list(chain.stream({"actor": "Brad Pitt"})) if streaming else [chain.invoke({"actor": "Brad Pitt"})]
    )
    assert result["parsed"] == BRAD
    assert result["attempts"] == 2
    assert [message["role"] for message in sent(server)] == ["system", "user", "assistant", "user"]
    assert sent(server)[1]["content"] == "Actor: Brad Pitt"
    assert sent(server)[2]["content"] == BAD


async def test_a_streamed_answer_is_put_together_asynchronously(provider: Any, make_model: Any) -> None:
    """Chunks become one message with the id by which its prompt is found."""
    server = provider(in_turn(BAD, GOOD))
    model = make_model(server)
    chain = PROMPT | model | InstructorParser(ActorFilmography, llm=model)
    assert [item async for item in chain.astream({"actor": "Brad Pitt"})][-1] == BRAD
    assert sent(server)[1]["content"] == "Actor: Brad Pitt"


def test_prompt_and_answer_can_be_given_together(provider: Any, make_model: Any) -> None:
    """The explicit form needs no run tree, and a text is an answer there."""
    server = provider(in_turn(GOOD))
    parser = InstructorParser(ActorFilmography, llm=make_model(server))
    assert parser.invoke({"prompt": "Actor: Brad Pitt", "completion": BAD}) == BRAD
    assert [message["content"] for message in sent(server)[:2]] == ["Actor: Brad Pitt", BAD]


def test_with_a_model_a_text_is_a_prompt(provider: Any, make_model: Any) -> None:
    """It is sent, even if it looks like an answer."""
    server = provider([GOOD])
    InstructorParser(ActorFilmography, llm=make_model(server), mode="json_schema").invoke(GOOD.lower())
    assert sent(server) == [{"role": "user", "content": GOOD.lower()}]


@pytest.mark.parametrize(("max_retries", "calls"), [(0, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize("after", [False, True])
def test_max_retries_counts_re_asks(
    provider: Any, make_model: Any, max_retries: int, calls: int, after: bool
) -> None:
    """A model that never gets it right is called max_retries + 1 times, a ready answer counted."""
    server = provider(in_turn(BAD))
    model = make_model(server)
    parser = InstructorParser(ActorFilmography, llm=model, max_retries=max_retries)
    chain = PROMPT | model | parser if after else PROMPT | parser
    with pytest.raises(StructuredOutputError) as caught:
        chain.invoke({"actor": "Brad Pitt"})
    assert len(server.journal) == calls
    error = caught.value
    assert (error.reason, error.attempts, error.fields) == ("validation", calls, ("name",))
    assert error.usage["total_tokens"] > 0
    assert "Brad" not in str(error)
    assert isinstance(error.__cause__, ValidationError)
    assert [issue["loc"] for issue in error.__cause__.errors()] == [("name",)]
    assert "Brad" not in str(error.__cause__)
    assert error.__context__ is None


def test_the_third_request_is_no_longer_than_the_second(provider: Any, make_model: Any) -> None:
    """Only the last bad answer is shown, however often the model fails."""
    server = provider(in_turn(BAD))
    with pytest.raises(StructuredOutputError):
        (PROMPT | InstructorParser(ActorFilmography, llm=make_model(server))).invoke({"actor": "Brad Pitt"})
    sizes = [len(json.dumps(entry.body)) for entry in server.journal]
    assert sizes[2] <= sizes[1] * 1.1


def test_usage_is_the_sum_over_all_answers(provider: Any, make_model: Any) -> None:
    """Failed answers cost tokens too."""
    server = provider([BAD, BAD, GOOD])
    seen: list[int] = []

    def count(message: AIMessage) -> AIMessage:
        assert message.usage_metadata is not None
        seen.append(message.usage_metadata["total_tokens"])
        return message

    model = make_model(server) | RunnableLambda(count)
    parser = InstructorParser(ActorFilmography, llm=model, mode="text", include_raw=True)
    usage = (PROMPT | parser).invoke({"actor": "Brad Pitt"})["usage"]
    assert len(seen) == 3
    assert usage is not None
    assert usage["total_tokens"] == sum(seen)


def test_a_token_budget_stops_the_re_asks(provider: Any, make_model: Any) -> None:
    """What the first answer cost is over the budget, so there is no second."""
    server = provider(in_turn(BAD))
    parser = InstructorParser(ActorFilmography, llm=make_model(server), token_budget=5)
    with pytest.raises(StructuredOutputError) as caught:
        (PROMPT | parser).invoke({"actor": "Brad Pitt"})
    assert (caught.value.reason, len(server.journal)) == ("budget", 1)


def test_one_call_repairs_what_needs_no_second(provider: Any, make_model: Any) -> None:
    """Broken syntax and text for numbers are mended here, not by asking."""
    server = provider(["Sure:\n```json\n{'name': 'Ann', 'age': '30', 'city': 'Oslo',}\n```"])
    parser = InstructorParser(Flat, llm=make_model(server), mode="text", include_raw=True)
    result = parser.invoke("Who?")
    assert result["parsed"] == Flat(name="Ann", age=30, city="Oslo")
    assert result["repairs"] == ["surroundings", "quotes", "extra_comma"]
    assert len(server.journal) == 1


def in_capitals_when_corrected(body: dict[str, Any]) -> Any:
    """Answer with the actor of the prompt; right only after a correction."""
    actor = next(m["content"] for m in body["messages"] if m["role"] == "user").split()[-1]
    is_corrected = any("not accepted" in str(message.get("content")) for message in body["messages"])
    name = actor.upper() if is_corrected else actor
    return as_asked(body, json.dumps({"name": name, "film_names": [actor]}))


@pytest.mark.slow
@pytest.mark.parametrize(("after", "count"), [(False, 50), (True, 200)])
async def test_hundreds_at_once_each_ask_again_with_their_own_prompt(
    provider: Any, make_model: Any, after: bool, count: int
) -> None:
    """No answer, prompt or correction ever meets another's."""
    server = provider(in_capitals_when_corrected)
    model = make_model(server)
    parser = InstructorParser(ActorFilmography, llm=model)
    chain = PROMPT | model | parser if after else PROMPT | parser
    actors = [f"actor{number}" for number in range(count)]
    results = await asyncio.gather(*(chain.ainvoke({"actor": actor}) for actor in actors))
    assert [result.film_names for result in results] == [[actor] for actor in actors]
    assert len(server.journal) == 2 * count
    for entry in server.journal:
        text = json.dumps(entry.body["messages"])
        assert len({word for word in actors if f"{word}\\" in text or f'{word}"' in text}) == 1


def test_batch_in_threads_keeps_prompts_apart(provider: Any, make_model: Any) -> None:
    """The same from a thread pool."""
    server = provider(in_capitals_when_corrected)
    model = make_model(server)
    chain = PROMPT | model | InstructorParser(ActorFilmography, llm=model)
    actors = [f"actor{number}" for number in range(40)]
    results = chain.batch([{"actor": actor} for actor in actors], {"max_concurrency": 8})
    assert [result.film_names for result in results] == [[actor] for actor in actors]

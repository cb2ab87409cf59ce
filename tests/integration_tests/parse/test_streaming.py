"""The parser's stream over real HTTP: it streams while the provider still writes, in every mode."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.testing import Faults
from tests.integration_tests.parse.conftest import ModelMaker, as_asked, in_turn
from tests.unit_tests.parse.models import ActorFilmography, Line

PROMPT = ChatPromptTemplate([("human", "List {what}.")])
MODES = ["tools", "json_schema", "json", "text"]
FILMS = [f"Film number {number}" for number in range(40)]
BRAD = {"name": "BRAD PITT", "film_names": FILMS}


class Order(BaseModel):
    """Something bought."""

    lines: list[Line]


def timed(chain: Any, is_async: bool) -> list[tuple[float, Any]]:
    """Collect a stream with the time at which each item left."""
    start = time.monotonic()

    async def collect() -> list[tuple[float, Any]]:
        return [(time.monotonic() - start, item) async for item in chain.astream({"what": "films"})]

    if is_async:
        return asyncio.run(collect())
    return [(time.monotonic() - start, item) for item in chain.stream({"what": "films"})]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("mode", MODES)
def test_partial_objects_leave_while_the_provider_writes(
    make_provider_server: Any, make_model: ModelMaker, mode: Any, is_async: bool
) -> None:
    """The first one early, the others spread over the stream, the last one validated."""
    server = make_provider_server(
        script=lambda body: as_asked(body, json.dumps(BRAD)), chunk_interval_s=0.003
    )
    # A first call opens the connection and imports what is imported late.
    parser = InstructorParser(ActorFilmography, llm=make_model(server), mode=mode)
    (PROMPT | parser).invoke({"what": "films"})
    items = timed(PROMPT | parser, is_async)
    end = items[-1][0]
    assert items[0][0] < 0.6 * end
    assert sum(when < 0.8 * end for when, _ in items) > 50
    assert {type(item) for _, item in items} == {ActorFilmography}
    assert items[-1][1] == ActorFilmography(name="BRAD PITT", film_names=FILMS)
    lengths = [len(item.film_names or []) for _, item in items]
    assert lengths == sorted(lengths)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("after", [False, True], ids=["in its place", "after it"])
@pytest.mark.parametrize("mode", MODES)
def test_the_re_ask_streams_too(
    provider: Any, make_model: ModelMaker, mode: Any, after: bool, is_async: bool
) -> None:
    """The same requests as without streaming; usage of both answers is summed."""
    server = provider(in_turn(json.dumps({**BRAD, "name": "Brad Pitt"}), json.dumps(BRAD)))
    model = make_model(server, stream_usage=True)
    parser = InstructorParser(ActorFilmography, llm=model, mode=mode, include_raw=True)
    chain = PROMPT | model | parser if after else PROMPT | parser
    *partial, (_, last) = timed(chain, is_async)
    names = [item.name for _, item in partial if item.name]
    assert names.index("BRAD PITT") > names.index("Brad Pitt")
    assert (last["attempts"], last["parsed"].name) == (2, "BRAD PITT")
    assert [entry.body["stream"] for entry in server.journal] == [True, True]
    spent = sum(entry.prompt_tokens + entry.completion_tokens for entry in server.journal)
    assert last["usage"]["total_tokens"] == spent
    streamed = [entry.body["messages"] for entry in server.journal]
    chain.invoke({"what": "films"})
    plain = [entry.body["messages"] for entry in server.journal][2:]
    assert [len(messages) for messages in streamed] == [len(messages) for messages in plain]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_items_leave_while_the_provider_writes(
    make_provider_server: Any, make_model: ModelMaker, is_async: bool
) -> None:
    """Each one validated, long before the last."""
    lines = [{"article": f"a{number}", "amount": number, "price": 1.5} for number in range(20)]
    server = make_provider_server(
        script=lambda body: as_asked(body, json.dumps({"tasks": lines})), chunk_interval_s=0.002
    )
    parser = InstructorParser(Iterable[Line], llm=make_model(server))
    (PROMPT | parser).invoke({"what": "films"})
    items = timed(PROMPT | parser, is_async)
    assert [item for _, item in items] == [Line.model_validate(line) for line in lines]
    assert items[0][0] < 0.7 * items[-1][0]


def test_leaving_early_ends_the_request(make_provider_server: Any, make_model: ModelMaker) -> None:
    """The connection is closed; the provider does not write on for nobody."""
    server = make_provider_server(script=lambda body: as_asked(body, json.dumps(BRAD)), chunk_interval_s=0.02)
    model = make_model(server)
    chains: list[Any] = [
        PROMPT | InstructorParser(ActorFilmography, llm=model),
        PROMPT | model | InstructorParser(ActorFilmography, llm=model),
    ]
    for chain in chains:
        start = time.monotonic()
        stream = chain.stream({"what": "films"})
        next(stream)
        stream.close()

        async def leave(chain: Any = chain) -> None:
            stream = chain.astream({"what": "films"})
            await anext(stream)
            await stream.aclose()

        asyncio.run(leave())
        assert time.monotonic() - start < 3, "a whole answer takes four seconds"


def test_a_stream_that_breaks_off_is_no_answer(make_provider_server: Any, make_model: ModelMaker) -> None:
    """The error of the connection passes; half an object is never the last."""
    server = make_provider_server(
        script=lambda body: as_asked(body, json.dumps(BRAD)), faults=Faults(script=["cut_stream"] * 9)
    )
    items: list[ActorFilmography] = []
    stream = (PROMPT | InstructorParser(ActorFilmography, llm=make_model(server))).stream({"what": "x"})
    with pytest.raises(Exception, match="peer closed connection"):
        items.extend(stream)
    assert items
    assert all(len(item.film_names or []) < len(FILMS) for item in items)


def test_always_bad_is_asked_three_times(provider: Any, make_model: ModelMaker) -> None:
    """The bound of invoke holds in a stream."""
    server = provider(in_turn(json.dumps({**BRAD, "name": "Brad"})))
    with pytest.raises(StructuredOutputError) as caught:
        timed(PROMPT | InstructorParser(ActorFilmography, llm=make_model(server)), is_async=False)
    assert caught.value.attempts == len(server.journal) == 3

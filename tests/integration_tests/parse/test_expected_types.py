"""What instructor's users expect of answers: every kind of response model, exactly as declared."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from typing import Annotated, Any, Literal

import instructor
import pytest
from annotated_types import Ge
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.runnables import Runnable
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationInfo, field_validator
from typing_extensions import TypedDict

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.parse import llm_validator
from tests.integration_tests.parse.conftest import as_asked, in_turn
from tests.integration_tests.parse.drivers import Driver, behaviour
from tests.unit_tests.parse.models import Branch, Flat, Line, Priority, Score

ANN = '{"name": "Ann", "age": 30, "city": "Oslo"}'
PASS = '{"verdict": "pass", "score": 1}'


class Closed(BaseModel):
    """Takes no other key."""

    model_config = ConfigDict(extra="forbid")
    name: str


class Movie(TypedDict):
    """A film."""

    title: str
    year: int


@dataclasses.dataclass
class Point:
    """A place."""

    x: int
    y: int


class Order(BaseModel):
    """Lines in a model."""

    customer: Flat
    lines: list[Line]


ORDER = json.dumps(
    {"customer": json.loads(ANN), "lines": [{"article": "a", "amount": 1, "price": 2.5}]},
)


async def parsed(
    drive: Driver, provider: Any, make_model: Any, kind: Any, answer: str, **settings: Any
) -> tuple[Any, Any]:
    """Let a provider answer; gives the result and the provider."""
    server = provider(lambda body: as_asked(body, answer))
    parser: Runnable[Any, Any] = InstructorParser(kind, llm=make_model(server), **settings)
    return await drive.value(parser, "Go"), server


@behaviour(1)
async def test_nested_and_recursive_models(drive: Driver, provider: Any, make_model: Any) -> None:
    """A model in a model, and a model in itself."""
    order, _ = await parsed(drive, provider, make_model, Order, ORDER)
    assert (type(order), order.customer.name, order.lines[0].price) == (Order, "Ann", 2.5)
    tree, _ = await parsed(
        drive, provider, make_model, Branch, '{"label": "a", "children": [{"label": "b", "children": []}]}'
    )
    assert tree == Branch(label="a", children=[Branch(label="b")])


@behaviour(2)
@pytest.mark.parametrize(
    "kind",
    [
        (int, "4", 4),
        (str, '"x"', "x"),
        (bool, "true", True),
        (Literal["a", "b"], '"b"', "b"),
        (Priority, '"high"', Priority.HIGH),
        (Annotated[int, Ge(2)], "2", 2),
        (Flat | Score, PASS, Score(verdict="pass", score=1)),
        (list[str], '["a", "b"]', ["a", "b"]),
    ],
    ids=["int", "str", "bool", "literal", "enum", "annotated", "union", "list"],
)
async def test_simple_types(
    drive: Driver, provider: Any, make_model: Any, kind: tuple[Any, str, Any]
) -> None:
    """They come bare, as declared."""
    declared, content, value = kind
    result, _ = await parsed(drive, provider, make_model, declared, f'{{"content": {content}}}')
    assert result == value
    assert type(result) is type(value)


@behaviour(3)
@pytest.mark.parametrize("kind", [list[Score], Iterable[Score]], ids=["list", "iterable"])
async def test_lists_of_models(drive: Driver, provider: Any, make_model: Any, kind: Any) -> None:
    """A list comes out, also of one bare object; never silently an empty one."""
    two = f'{{"tasks": [{PASS}, {PASS}]}}'
    assert len((await parsed(drive, provider, make_model, kind, two))[0]) == 2
    bare, _ = await parsed(drive, provider, make_model, kind, PASS)
    assert bare == [Score(verdict="pass", score=1)]
    server = provider(lambda body: as_asked(body, '{"items": 3}'))
    parser: Runnable[Any, Any] = InstructorParser(kind, llm=make_model(server), max_retries=0)
    await drive.error(parser, "Go", StructuredOutputError)


@behaviour(4)
async def test_parallel_tools(drive: Driver, provider: Any, make_model: Any) -> None:
    """Every call is an item of the class that its tool stands for."""

    def script(body: dict[str, Any]) -> dict[str, Any]:
        assert [tool["function"]["name"] for tool in body["tools"]] == ["Flat", "Score"]
        calls = [("Flat", ANN), ("Score", PASS), ("Flat", ANN)]
        return {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
                for n, (name, arguments) in enumerate(calls)
            ],
        }

    kind: Any = Iterable[Flat | Score]
    parser: Runnable[Any, Any] = InstructorParser(
        kind, llm=make_model(provider(script)), mode="parallel_tools"
    )
    assert [type(item) for item in await drive.value(parser, "Go")] == [Flat, Score, Flat]


@behaviour(5)
async def test_maybe(drive: Driver, provider: Any, make_model: Any) -> None:
    """Found is true, not found is false and says why."""
    maybe: Any = instructor.Maybe(Flat)
    found, _ = await parsed(drive, provider, make_model, maybe, f'{{"result": {ANN}}}')
    assert found
    assert found.result.name == "Ann"
    missing, _ = await parsed(
        drive, provider, make_model, maybe, '{"result": null, "error": true, "message": "nobody there"}'
    )
    assert not missing
    assert missing.message == "nobody there"


@behaviour(6)
async def test_typed_dicts_dataclasses_and_closed_models(
    drive: Driver, provider: Any, make_model: Any
) -> None:
    """A dict, an instance, and an unknown key that is refused."""
    movie, _ = await parsed(drive, provider, make_model, Movie, '{"title": "Seven", "year": 1995}')
    assert movie == {"title": "Seven", "year": 1995}
    assert await parsed(drive, provider, make_model, Point, '{"content": {"x": 1, "y": 2}}')
    point, _ = await parsed(drive, provider, make_model, Point, '{"x": 1, "y": 2}')
    assert point == Point(1, 2)
    server = provider(in_turn('{"name": "Ann", "nick": "A"}', '{"name": "Ann"}'))
    closed: Runnable[Any, Any] = InstructorParser(Closed, llm=make_model(server))
    assert await drive.value(closed, "Go") == Closed(name="Ann")
    assert len(server.journal) == 2 * drive.times


@behaviour(22)
async def test_the_raw_answer_comes_along(drive: Driver, provider: Any, make_model: Any) -> None:
    """With `include_raw`, beside the object: the message, the tokens, the repairs, what failed."""
    server = provider(in_turn('{"name": "Ann"}', ANN))
    parser: Runnable[Any, Any] = InstructorParser(Flat, llm=make_model(server), include_raw=True)
    for result in await drive.outcomes(parser, "Go"):
        assert result["parsed"].name == "Ann"
        assert result["raw"].response_metadata["finish_reason"]
        assert (result["attempts"], result["repairs"]) == (2, [])
        assert [(one.number, one.fields) for one in result["failed_attempts"]] == [(1, ("age", "city"))]


@behaviour(23)
async def test_a_model_checks_a_field(drive: Driver, provider: Any, make_model: Any) -> None:
    """What it objects to is asked for again in its words."""

    def check(body: dict[str, Any]) -> str | dict[str, Any]:
        value = json.loads(body["messages"][-1]["content"])["value"]
        finding = {"is_valid": value != "rude", "reason": "it is impolite"}
        return as_asked(body, json.dumps(finding))

    checker = make_model(provider(check))

    class Reply(BaseModel):
        text: Annotated[str, AfterValidator(llm_validator("be polite", llm=checker))]

    server = provider(in_turn('{"text": "rude"}', '{"text": "kind"}'))
    parser: Runnable[Any, Any] = InstructorParser(Reply, llm=make_model(server))
    assert (await drive.value(parser, "Go")).text == "kind"
    assert "it is impolite" in json.dumps(server.journal[-1].body["messages"])


@behaviour(24)
async def test_validators_see_the_context(drive: Driver, provider: Any, make_model: Any) -> None:
    """`info.context` holds what was given, and nothing of it is sent."""

    class Cited(BaseModel):
        quote: str

        @field_validator("quote")
        @classmethod
        def stands_in_the_source(cls, value: str, info: ValidationInfo) -> str:
            if value not in (info.context or {})["source"]:
                raise ValueError("not a quote")
            return value

    server = provider(in_turn('{"quote": "stars"}', '{"quote": "moon"}'))
    context = {"source": "the moon {{ 7 * 7 }}"}
    parser: Runnable[Any, Any] = InstructorParser(Cited, llm=make_model(server), validation_context=context)
    assert (await drive.value(parser, "{{ source }}")).quote == "moon"
    sent = json.dumps(server.journal[-1].body)
    assert "{{ source }}" in sent
    assert "7 * 7" not in sent


@behaviour(25)
async def test_a_cached_request_costs_no_call(drive: Driver, provider: Any, make_model: Any) -> None:
    """The same question for the same schema is answered once; another schema is another question."""
    set_llm_cache(InMemoryCache())
    try:
        server = provider(lambda body: as_asked(body, ANN))
        model = make_model(server)
        parser: Runnable[Any, Any] = InstructorParser(Flat, llm=model)
        first = await parser.ainvoke("Go")
        assert await drive.value(parser, "Go") == first
        assert type(await drive.value(parser, "Go")) is Flat
        assert len(server.journal) == 1
        other: Runnable[Any, Any] = InstructorParser(Closed, llm=model, max_retries=0)
        await drive.error(other, "Go", StructuredOutputError)
        assert len(server.journal) > 1
    finally:
        set_llm_cache(None)


@behaviour(26)
async def test_the_last_block_wins_within_bounds(drive: Driver, provider: Any, make_model: Any) -> None:
    """Of quoted, drafted and final JSON the final counts; size and depth are bounded."""
    quoted, draft = ANN.replace("Ann", "Eve"), ANN.replace("Ann", "Bob")
    text = f"You said {quoted}. Draft:\n```json\n{draft}\n```\nFinal: {ANN}"
    result, _ = await parsed(drive, provider, make_model, Flat, text, mode="text")
    assert result.name == "Ann"
    for answer in ('{"label": ' + "[" * 10_000, "x" * 2_000_000):
        server = provider([answer])
        parser: Runnable[Any, Any] = InstructorParser(
            Branch, llm=make_model(server), mode="text", max_retries=0
        )
        await drive.error(parser, "Go", StructuredOutputError)

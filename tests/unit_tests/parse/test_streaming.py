"""The parser's stream: partial objects, items, re-asks in the middle, the last one whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytest
import tenacity
from instructor.core.hooks import Hooks
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableGenerator, RunnableLambda
from langchain_core.tracers.base import BaseTracer
from pydantic import AfterValidator, BaseModel, field_validator

from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.parse import InstructorParser, llm_validator
from tests.unit_tests.parse.grown import WHOLE, Branch, Cat, Circle, Dog, Everything, Square, grows
from tests.unit_tests.parse.models import ActorFilmography
from tests.unit_tests.parse.scripted import Script, TextModel, by_tool, called
from tests.unit_tests.parse.streamed import StreamedTextModel, StreamedToolModel

PROMPT = ChatPromptTemplate([("human", "{q}")])
BAD = {"name": "Brad Pitt", "film_names": ["Seven", "Fight Club"]}
GOOD = {"name": "BRAD PITT", "film_names": ["Seven", "Fight Club"]}
BRAD = ActorFilmography(**GOOD)
Driver = Callable[..., list[Any]]


def in_sync(chain: Any, value: Any = None, **settings: Any) -> list[Any]:
    """Collect a stream."""
    return list(chain.stream({"q": "go"} if value is None else value, **settings))


def in_async(chain: Any, value: Any = None, **settings: Any) -> list[Any]:
    """Collect an asynchronous stream."""

    async def collect() -> list[Any]:
        return [item async for item in chain.astream({"q": "go"} if value is None else value, **settings)]

    return asyncio.run(collect())


DRIVERS = pytest.mark.parametrize("drive", [in_sync, in_async], ids=["sync", "async"])


def streamed(*answers: Any, tools: bool = False, **settings: Any) -> Any:
    """Make a model that streams these answers in turn."""
    script = Script([one if isinstance(one, str | AIMessage) else json.dumps(one) for one in answers])
    return (StreamedToolModel if tools else StreamedTextModel)(script=script, events=[], **settings)


@DRIVERS
@pytest.mark.parametrize("place", ["in its place", "after it", "alone"])
def test_the_object_grows_and_ends_whole(drive: Driver, place: str) -> None:
    """In the model's place, after it, or after anything that gives text."""
    model = streamed(WHOLE)
    chain = {
        "in its place": PROMPT | InstructorParser(Everything, llm=model),
        "after it": PROMPT | model | InstructorParser(Everything, llm=model),
        "alone": PROMPT | model | StrOutputParser() | InstructorParser(Everything),
    }[place]
    *partial, last = drive(chain)
    assert last == Everything.model_validate(WHOLE)
    assert {type(one) for one in [*partial, last]} == {Everything}
    assert len(partial) > 100
    before = None
    for one in [*partial, last]:
        assert grows(before, one)
        before = one
    assert len(model.script.sent) == 1


@DRIVERS
def test_the_first_partial_leaves_before_a_tenth_of_the_stream(drive: Driver) -> None:
    """Whatever stands around the answer, and however it travels; the stream is read no further."""
    text = json.dumps(WHOLE)
    tool = by_tool(WHOLE)
    cases: list[tuple[Any, Any]] = [
        ("tools", tool),
        ("text", [f"```json\n{text}\n```"]),
        ("json", [text]),
        ("json_schema", [text]),
    ]
    for mode, answers in cases:
        model = StreamedToolModel(script=Script(answers), events=[])
        parser: Any = InstructorParser(Everything, llm=model, mode=mode)
        assert drive(PROMPT | parser)[-1] == Everything.model_validate(WHOLE)
        chain: Any = PROMPT | parser
        if drive is in_sync:
            stream = chain.stream({"q": "go"})
            next(stream)
            stream.close()
        else:

            async def first(chain: Any = chain) -> None:
                stream = chain.astream({"q": "go"})
                await anext(stream)
                await stream.aclose()

            asyncio.run(first())
        closed = [event for event in model.events if event.startswith("closed")]
        read = int(closed[-1].rpartition(" ")[2])
        assert read <= len(text) / model.size / 10, mode


@DRIVERS
@pytest.mark.parametrize("place", ["in its place", "after it"])
@pytest.mark.parametrize("tools", [False, True])
def test_an_answer_that_does_not_fit_is_asked_again_in_the_stream(
    drive: Driver, place: str, tools: bool
) -> None:
    """Partial objects of the first answer, then those of the second, then the result; usage is summed."""

    def answer(request: Any) -> Any:
        value = GOOD if len(request.messages) > 2 else BAD
        return called((request.tools[0], value)) if request.tools else json.dumps(value)

    model = (StreamedToolModel if tools else StreamedTextModel)(script=Script(answer), events=[])
    parser = InstructorParser(ActorFilmography, llm=model, include_raw=True)
    *partial, last = drive(PROMPT | parser if place == "in its place" else PROMPT | model | parser)
    names = [one.name for one in partial]
    assert "Brad Pitt" in names
    assert names.index("BRAD PITT") > names.index("Brad Pitt")
    assert last["parsed"] == BRAD
    assert last["attempts"] == 2
    assert last["usage"]["total_tokens"] == 30
    assert [one.fields for one in last["failed_attempts"]] == [("name",)]
    assert len(model.script.sent) == 2
    assert "upper case" in str(model.script.sent[1].messages[-1].content)


@DRIVERS
@pytest.mark.parametrize("hooked", [False, True])
def test_always_bad_is_asked_as_often_as_in_invoke(drive: Driver, hooked: bool) -> None:
    """`max_retries` + 1 answers, the same error, the same hooks."""
    told: list[str] = []

    def hooks() -> Any:
        made = Hooks()
        for name in ("completion:kwargs", "completion:response", "completion:error", "parse:error"):
            made.on(name, lambda *_, name=name, **__: told.append(name))
        made.on("completion:last_attempt", lambda *_, **__: told.append("last"))
        return made

    errors = []
    for ask in (lambda chain: chain.invoke({"q": "go"}), drive):
        model = streamed(BAD)
        told.append("--")
        with pytest.raises(StructuredOutputError) as caught:
            ask(PROMPT | InstructorParser(ActorFilmography, llm=model, hooks=hooks() if hooked else None))
        errors.append(
            (caught.value.attempts, caught.value.fields, caught.value.usage, len(model.script.sent))
        )
        assert caught.value.attempts == 3
    assert errors[0] == errors[1]
    first, second = " ".join(told).split("--")[1:]
    assert first.split() == second.split()


@DRIVERS
def test_tenacity_decides_in_a_stream_too(drive: Driver) -> None:
    """Its stop holds, and its wait is waited."""
    model = streamed(BAD)
    waits = []

    def wait(state: Any) -> float:
        waits.append(state.attempt_number)
        return 0.001

    retrying = tenacity.Retrying(stop=tenacity.stop_after_attempt(4), wait=wait)
    with pytest.raises(StructuredOutputError) as caught:
        drive(PROMPT | InstructorParser(ActorFilmography, llm=model, max_retries=retrying))
    assert caught.value.attempts == 4
    assert waits[:3] == [1, 2, 3]


@DRIVERS
def test_a_budget_and_a_cut_end_a_stream_as_they_end_invoke(drive: Driver) -> None:
    """Typed errors after the partial objects."""
    with pytest.raises(StructuredOutputError) as caught:
        drive(PROMPT | InstructorParser(ActorFilmography, llm=streamed(BAD), token_budget=10))
    assert caught.value.reason == "budget"
    cut = AIMessage(json.dumps(GOOD)[:-8], response_metadata={"finish_reason": "length"})
    with pytest.raises(StructuredOutputError) as caught:
        drive(PROMPT | InstructorParser(ActorFilmography, llm=streamed(cut)))
    assert caught.value.reason == "truncated"
    empty = AIMessage("", response_metadata={})
    with pytest.raises(StructuredOutputError) as caught:
        drive(PROMPT | InstructorParser(ActorFilmography, llm=streamed(empty), max_retries=0))
    assert caught.value.reason == "no_output"


# -- items --------------------------------------------------------------------------------------


class Film(BaseModel):
    """Counts its validation."""

    title: str
    year: int

    @field_validator("title")
    @classmethod
    def upper(cls, value: str, info: Any) -> str:
        """Note it; demand a capital."""
        if isinstance(info.context, dict):
            info.context.setdefault("seen", []).append(value)
        if not value[:1].isupper():
            raise ValueError("title starts with a capital")
        return value


FILMS = [{"title": "Alien", "year": 1979}, {"title": "Brazil", "year": 1985}, {"title": "Cube", "year": 1997}]


@DRIVERS
@pytest.mark.parametrize("wrapped", [False, True])
def test_items_leave_one_by_one_each_validated_once(drive: Driver, wrapped: bool) -> None:
    """As soon as each closes; nothing follows them."""
    context: dict[str, Any] = {}
    model = streamed({"tasks": FILMS} if wrapped else FILMS)
    parser = InstructorParser(Iterable[Film], llm=model, validation_context=context)
    left: list[int] = []

    def note(films: Any) -> Any:
        for film in films:
            left.append(len(context["seen"]))
            yield film

    async def anote(films: Any) -> Any:
        async for film in films:
            left.append(len(context["seen"]))
            yield film

    items = drive(PROMPT | parser | RunnableGenerator(note, anote))
    assert items == [Film(**film) for film in FILMS]
    assert context["seen"] == ["Alien", "Brazil", "Cube"]
    assert left == [1, 2, 3]


@DRIVERS
def test_an_item_that_left_is_not_given_again(drive: Driver) -> None:
    """After a re-ask only what is new follows; the whole list comes with `include_raw`."""
    bad = [FILMS[0], {"title": "brazil", "year": 1985}, FILMS[2]]
    model = streamed(bad, FILMS)
    items = drive(PROMPT | InstructorParser(Iterable[Film], llm=model, include_raw=True))
    assert [item.title for item in items[:-1]] == ["Alien", "Brazil", "Cube"]
    assert [film.title for film in items[-1]["parsed"]] == ["Alien", "Brazil", "Cube"]
    assert items[-1]["attempts"] == 2


@DRIVERS
def test_items_of_an_answer_that_must_be_mended_come_in_the_end(drive: Driver) -> None:
    """A trailing comma stops the early ones, not the items."""
    text = json.dumps(FILMS).replace("1997}]", "1997,},]")
    items = drive(PROMPT | InstructorParser(Iterable[Film], llm=streamed(text)))
    assert [item.title for item in items] == ["Alien", "Brazil", "Cube"]


@DRIVERS
def test_parallel_tools_give_an_item_a_call(drive: Driver) -> None:
    """Each call is one item of the type that its tool stands for."""
    message = called(
        ("Cat", {"name": "Tom"}), ("Dog", {"name": "Rex", "toys": ["ball"]}), ("Cat", {"name": "Kim"})
    )
    parser: Any = InstructorParser(
        Iterable[Cat | Dog], llm=streamed(message, tools=True), mode="parallel_tools"
    )
    assert drive(PROMPT | parser) == [Cat(name="Tom"), Dog(name="Rex", toys=["ball"]), Cat(name="Kim")]
    lists: Any = InstructorParser(list[Cat | Dog], llm=streamed(message, tools=True), mode="parallel_tools")
    *partial, last = drive(PROMPT | lists)
    assert last == [Cat(name="Tom"), Dog(name="Rex", toys=["ball"]), Cat(name="Kim")]
    assert [len(one) for one in partial] == sorted(len(one) for one in partial)


@DRIVERS
def test_an_item_of_a_call_is_validated_once(drive: Driver) -> None:
    """As it closes, and not again with the whole answer."""
    context: dict[str, Any] = {}
    message = called(*(("Film", film) for film in FILMS))
    parser = InstructorParser(
        Iterable[Film],
        llm=streamed(message, tools=True),
        mode="parallel_tools",
        validation_context=context,
    )
    assert [film.title for film in drive(PROMPT | parser)] == ["Alien", "Brazil", "Cube"]
    assert context["seen"] == ["Alien", "Brazil", "Cube"]


# -- other types --------------------------------------------------------------------------------


@DRIVERS
def test_other_types_stream_what_makes_sense(drive: Driver) -> None:
    """Texts and lists grow, a number comes once, a union as the member that it is."""
    assert drive(PROMPT | InstructorParser(int, llm=streamed({"content": 12}))) == [12]
    *partial, last = drive(PROMPT | InstructorParser(str, llm=streamed({"content": "Hello there"})))
    assert (partial[0], last, type(last)) == ("Hel", "Hello there", str)
    shapes: Any = InstructorParser(Circle | Square, llm=streamed({"content": {"side": 1.5, "name": "sq"}}))
    assert {type(one) for one in drive(PROMPT | shapes)} == {Square}
    *partial, last = drive(PROMPT | InstructorParser(list[Film], llm=streamed(FILMS)))
    assert (type(last), len(last)) == (list, 3)
    assert [len(one) for one in partial] == sorted(len(one) for one in partial)
    assert last[0] is partial[-1][0]


# -- runs, ends and errors ----------------------------------------------------------------------


class Runs(BaseTracer):
    """Keeps the root runs."""

    def __init__(self) -> None:
        """Start without runs."""
        super().__init__()
        self.roots: list[Any] = []

    def _persist_run(self, run: Any) -> None:
        self.roots.append(run)


@DRIVERS
@pytest.mark.parametrize("model_type", [ActorFilmography, list[ActorFilmography]])
def test_one_run_of_the_parser_holds_every_call(drive: Driver, model_type: Any) -> None:
    """All attempts below it, tagged; its output is the result, not the sum of the partial ones."""
    bad, good = (BAD, GOOD) if model_type is ActorFilmography else ([BAD], [GOOD])
    runs = Runs()
    parser = InstructorParser(model_type, llm=streamed(bad, good))
    drive(PROMPT | parser, config={"callbacks": [runs], "tags": ["mine"]})
    [root] = runs.roots
    [_, run] = root.child_runs
    assert run.name == "InstructorParser"
    assert [child.run_type for child in run.child_runs] == ["llm", "llm"]
    assert "retry:attempt:2" in run.child_runs[1].tags
    assert "mine" in run.child_runs[1].tags
    assert run.outputs["output"] == (BRAD if model_type is ActorFilmography else [BRAD])
    assert run.outputs == root.outputs


async def test_events_show_the_stream() -> None:
    """`astream_events` tells of the partial objects, of the model's chunks and of the re-ask."""
    chain = PROMPT | InstructorParser(ActorFilmography, llm=streamed(BAD, GOOD))
    events = [event async for event in chain.astream_events({"q": "go"})]
    kinds = [(event["event"], event["name"]) for event in events]
    assert kinds.count(("on_chat_model_start", "StreamedTextModel")) == 2
    assert kinds.count(("on_chain_stream", "InstructorParser")) > 10
    assert ("on_custom_event", "prodkit.reasked") in kinds
    assert kinds[-1][0] == "on_chain_end"
    assert events[-1]["data"]["output"] == BRAD


@DRIVERS
@pytest.mark.parametrize("place", ["in its place", "after it"])
def test_leaving_early_closes_the_model(drive: Driver, place: str) -> None:
    """Nobody reads an answer on that nobody wants."""
    model = streamed(WHOLE)
    parser = InstructorParser(Everything, llm=model)
    chain: Any = PROMPT | parser if place == "in its place" else PROMPT | model | parser
    if drive is in_sync:
        stream = chain.stream({"q": "go"})
        next(stream)
        stream.close()
    else:

        async def leave() -> None:
            stream = chain.astream({"q": "go"})
            await anext(stream)
            await stream.aclose()

        asyncio.run(leave())
    assert model.events[0] == "open"
    assert int(model.events[1].rpartition(" ")[2]) < 5


@DRIVERS
def test_an_error_of_the_model_in_the_middle_passes(drive: Driver) -> None:
    """It is not an answer, so nobody asks again; the partial objects before it have left."""
    model = streamed(WHOLE, fails_after=40)
    got: list[Any] = []
    with pytest.raises(ConnectionError):
        drive(PROMPT | InstructorParser(Everything, llm=model) | RunnableLambda(got.append))
    assert model.events == ["open", "closed after 40"]


async def test_cancelling_closes_the_model() -> None:
    """A task that is cancelled in the middle leaves no stream open."""
    gate = asyncio.Event()
    model = streamed(WHOLE)

    async def read() -> None:
        async for _ in (PROMPT | InstructorParser(Everything, llm=model)).astream({"q": "go"}):
            gate.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(read())
    await gate.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(100):  # the loop closes generators that were left, in its own time
        await asyncio.sleep(0.005)
    assert model.events[-1].startswith("closed")


@DRIVERS
def test_a_model_that_does_not_stream_gives_one_object(drive: Driver) -> None:
    """The answer comes at once, and so does the result; a prompt and an answer given together too."""
    parser: Any = InstructorParser(Branch)
    assert drive(parser, AIMessage('{"label": "a"}')) == [Branch(label="a")]
    assert drive(parser, AIMessageChunk(content='{"label": "a"}')) == [Branch(label="a")]
    assert drive(parser, {"prompt": "q", "completion": '{"label": "a"}'}) == [Branch(label="a")]
    assert drive(parser, '{"label": "a",}')[-1] == Branch(label="a")


async def test_a_validator_that_waits_does_so_on_a_thread_once_per_object() -> None:
    """`llm_validator` inside a stream: the event loop goes on, and no value is judged twice."""
    judge = TextModel(script=Script(['{"is_valid": true}']))

    class Reply(BaseModel):
        text: Annotated[str, AfterValidator(llm_validator("is polite", llm=judge))]

    values = [{"text": f"Dear number {number}"} for number in range(4)]
    parser = InstructorParser(Iterable[Reply], llm=streamed(values, values))
    for run in (1, 2):
        items = [item async for item in (PROMPT | parser).astream({"q": "go"})]
        assert [item.text for item in items] == [value["text"] for value in values]
        assert len(judge.script.sent) == 4 * run

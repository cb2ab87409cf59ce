"""What instructor's users expect of streams: items and partials on the way, the whole object last."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from instructor import Partial
from langchain_core.runnables import Runnable
from pydantic import BaseModel, field_validator

from langchain_prodkit import InstructorParser
from tests.integration_tests.parse.conftest import as_asked
from tests.integration_tests.parse.drivers import BATCH, Driver, behaviour
from tests.unit_tests.parse.models import Score

SCORES = [{"verdict": "pass", "score": n / 10} for n in range(10)]
EXPECTED = [Score(verdict="pass", score=n / 10) for n in range(10)]


class Story(BaseModel):
    """A long text in a short object."""

    title: str
    text: str


STORY = {"title": "Moon", "text": "word " * 60}

Timed = list[tuple[float, Any]]
"""When each item came, as a share of the whole time, and the item."""


def shares(times: list[tuple[float, Any]], started: float) -> Timed:
    """Measure from the start to the last item."""
    whole = times[-1][0] - started
    return [((at - started) / whole, item) for at, item in times]


async def streamed(drive: Driver, parser: Runnable[Any, Any]) -> Timed:
    """Stream once; a batch is several streams at the same time."""

    def once() -> Timed:
        started = time.perf_counter()
        return shares([(time.perf_counter(), item) for item in parser.stream("Go")], started)

    async def aonce() -> Timed:
        started = time.perf_counter()
        return shares([(time.perf_counter(), item) async for item in parser.astream("Go")], started)

    if drive.name == "sync":
        return once()
    if drive.name == "async":
        return await aonce()
    with ThreadPoolExecutor(BATCH) as pool:
        both = [*pool.map(lambda _: once(), range(BATCH)), await aonce()]
    for other in both[1:]:
        assert other[-1][1] == both[0][-1][1]
    return both[0]


@pytest.fixture
def slow(make_provider_server: Any) -> Any:
    """Start a server that streams an answer over about half a second."""

    def start(value: Any, chunks: int = 60) -> Any:
        text = json.dumps(value)
        return make_provider_server(
            script=lambda body: as_asked(body, text),
            chunk_chars=max(1, len(text) // chunks),
            chunk_interval_s=0.01,
        )

    return start


@behaviour(14)
@pytest.mark.parametrize("mode", ["tools", "json_schema", "text"])
async def test_items_come_one_by_one(drive: Driver, slow: Any, make_model: Any, mode: Any) -> None:
    """Each as soon as it is complete, validated, of its own class."""
    kind: Any = Iterable[Score]
    parser: Runnable[Any, Any] = InstructorParser(kind, llm=make_model(slow({"tasks": SCORES})), mode=mode)
    items = await streamed(drive, parser)
    assert [item for _, item in items] == EXPECTED
    assert items[0][0] < 0.8  # of the whole time, on a machine that does other things too


@behaviour(15)
@pytest.mark.parametrize("mode", ["tools", "json_schema", "text"])
@pytest.mark.parametrize("kind", [Story, Partial[Story]], ids=["model", "partial"])
async def test_partials_come_before_the_end(
    drive: Driver, slow: Any, make_model: Any, mode: Any, kind: Any
) -> None:
    """The last one is the whole object, of exactly the user's class."""
    parser: Runnable[Any, Any] = InstructorParser(kind, llm=make_model(slow(STORY)), mode=mode)
    items = await streamed(drive, parser)
    assert len(items) > 10
    assert items[0][0] < 0.8  # of the whole time, on a machine that does other things too
    assert type(items[-1][1]) is Story
    assert items[-1][1] == Story(**STORY)


@behaviour(16)
async def test_validators_see_complete_objects_only(drive: Driver, slow: Any, make_model: Any) -> None:
    """Once each, never half a string."""
    seen: list[str] = []

    class Line(BaseModel):
        text: str

        @field_validator("text")
        @classmethod
        def note(cls, value: str) -> str:
            seen.append(value)
            return value

    class Lines(BaseModel):
        lines: list[Line]

    texts = [f"a longer line number {n}" for n in range(5)]
    server = slow({"lines": [{"text": text} for text in texts]})
    parser: Runnable[Any, Any] = InstructorParser(Lines, llm=make_model(server))
    items = await streamed(drive, parser)
    assert [line.text for line in items[-1][1].lines] == texts
    assert set(seen) == set(texts)
    runs = BATCH + 1 if drive.name == "batch" else 1
    assert len(seen) == runs * len(texts)

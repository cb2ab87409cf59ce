"""What partial objects cost while an answer streams in, and when the first of them is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import instructor
from jiter import from_json
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.runnables import Runnable
from openai.types.chat import ChatCompletionChunk

from benchmarks._parse_chats import StreamingChat, chunks_of
from benchmarks._parse_models import People, people
from benchmarks._table import report
from langchain_prodkit import InstructorParser
from langchain_prodkit.parse import PartialStream

__all__ = ["costs", "first_partials"]

OURS: Final = "PartialStream"
INSTRUCTOR: Final = "instructor Partial"


def _ours(pieces: list[str]) -> Iterator[Any]:
    stream = PartialStream(People)
    for piece in pieces:
        stream.feed(piece)
        yield stream.snapshot()
    yield stream.close()


def _instructor(pieces: list[str]) -> Iterator[Any]:
    kind: Any = instructor.Partial[People]
    yield from kind.model_from_chunks(pieces)


def _jiter(pieces: list[str]) -> Iterator[Any]:
    text = b""
    for piece in pieces:
        text += piece.encode()
        yield from_json(text, partial_mode="trailing-strings")


def _langchain(pieces: list[str]) -> Iterator[Any]:
    yield from JsonOutputParser().transform(iter(pieces))


WAYS: Final[dict[str, Callable[[list[str]], Iterator[Any]]]] = {
    OURS: _ours,
    INSTRUCTOR: _instructor,
    "jiter, no model": _jiter,
    "JsonOutputParser, no model": _langchain,
}


PATIENCE_MS: Final = 3_000
"""Who took longer than this is not timed again, and not with a document of twice the size."""


SHORT_MS: Final = 300
"""Only who takes less than this is timed more than three times, as a short time is disturbed most."""


def costs(sizes: Sequence[int], rounds: int) -> None:
    """Report documents of about `sizes` characters, a partial object after every chunk.

    The fastest of `rounds` for each, as what disturbs a run only ever adds to it.
    """
    rows = []
    before: dict[str, float] = {}
    for size in sizes:
        document = people(round(size / 61)).model_dump_json()
        pieces = chunks_of(document)
        best = {name: float("inf") for name in WAYS if before.get(name, 0.0) < PATIENCE_MS}
        for turn in range(rounds):
            for name, fastest in best.items():
                if turn == 0 or fastest < (PATIENCE_MS if turn < 3 else SHORT_MS):
                    best[name] = min(fastest, _cpu_ms(WAYS[name], pieces))
        *_, last = _ours(pieces)
        assert last == People.model_validate_json(document)
        assert type(last) is People
        for name, ms in best.items():
            rows.append(
                {
                    "way": name,
                    "chars": len(document),
                    "chunks": len(pieces),
                    "cpu_ms": ms,
                    "us a chunk": ms * 1e3 / len(pieces),
                    "x half the size": ms / before[name] if name in before else None,
                    "instructor takes x": best[INSTRUCTOR] / ms if INSTRUCTOR in best else None,
                }
            )
        before |= best
    rows.sort(key=lambda row: list(WAYS).index(str(row["way"])))
    notes = (
        f"a partial object after each chunk of 4 characters; no row: half the size took over {PATIENCE_MS} ms"
    )
    report("parse: partial objects", rows, notes=notes)


def _cpu_ms(way: Callable[[list[str]], Iterator[Any]], pieces: list[str]) -> float:
    started = time.process_time()
    items = sum(1 for _ in way(pieces))
    assert items > len(pieces) // 2
    return (time.process_time() - started) * 1e3


# -- when is the first one there? --------------------------------------------------------------

FENCED: Final = "Here are the people you asked for:\n```json\n{}\n```\nThat is all of them."


def first_partials(items: int) -> None:
    """Report the share of a stream that is drawn when the first object comes, sync and async."""
    text = people(items).model_dump_json()
    rows: list[dict[str, Any]] = []
    for mode, told in (
        ("tools", text),
        ("json_schema", text),
        ("json", text),
        ("text", FENCED.replace("{}", text)),
    ):
        for name, stream, astream in _streams(mode, told):
            row: dict[str, Any] = {"mode": mode, "way": name}
            chunks = len(chunks_of(told))
            for kind, drive in (("sync", _drawn(stream)), ("async", asyncio.run(_adrawn(astream)))):
                first, count = drive
                row[f"{kind}: share at first"] = first / chunks
                row[f"{kind}: objects"] = count
            rows.append(row)
    notes = (
        "1 is all of the stream; `objects` is how many came, of the same model in all ways but LangChain's"
    )
    report("parse: the first partial object", rows, notes=notes)


Counter = list[int]
Stream = Callable[[Counter], Iterable[Any]]
AStream = Callable[[Counter], AsyncIterator[Any]]


def _drawn(stream: Stream) -> tuple[int, int]:
    counter, first, count = [0], 0, 0
    for _ in stream(counter):
        count += 1
        first = first or counter[0]
    return first, count


async def _adrawn(astream: AStream) -> tuple[int, int]:
    counter, first, count = [0], 0, 0
    async for _ in astream(counter):
        count += 1
        first = first or counter[0]
    return first, count


def _streams(mode: Any, text: str) -> Iterator[tuple[str, Stream, AStream]]:
    def chain(end: Callable[[StreamingChat], Runnable[Any, Any]]) -> tuple[Stream, AStream]:
        def made(counter: Counter) -> Runnable[Any, Any]:
            return end(StreamingChat(text=text, drawn=counter))

        return lambda counter: made(counter).stream("Who?"), lambda counter: made(counter).astream("Who?")

    yield "InstructorParser", *chain(lambda model: InstructorParser(People, llm=model, mode=mode))
    yield (
        "model | InstructorParser",
        *chain(
            lambda model: (
                model.bind_tools([People]) | InstructorParser(People)
                if mode == "tools"
                else model | InstructorParser(People)
            )
        ),
    )
    yield "instructor Partial", *_instructor_streams(mode, text)
    if mode == "tools":
        yield "with_structured_output", *chain(lambda model: model.with_structured_output(People))
    else:
        yield "model | JsonOutputParser", *chain(lambda model: model | JsonOutputParser())


def _instructor_streams(mode: str, text: str) -> tuple[Stream, AStream]:
    modes = {"tools": "TOOLS", "json_schema": "JSON_SCHEMA", "json": "JSON", "text": "MD_JSON"}
    told: Any = instructor.Mode[modes[mode]]
    arguments: dict[str, Any] = {
        "response_model": instructor.Partial[People],
        "messages": [{"role": "user", "content": "Who?"}],
        "stream": True,
    }

    def stream(counter: Counter) -> Iterable[Any]:
        create: Any = instructor.patch(create=lambda **_: _openai_chunks(mode, text, counter), mode=told)
        items: Iterable[Any] = create(**arguments)
        return items

    async def astream(counter: Counter) -> AsyncIterator[Any]:
        async def chunks() -> AsyncIterator[ChatCompletionChunk]:
            for chunk in _openai_chunks(mode, text, counter):
                yield chunk

        async def answer(**_: Any) -> AsyncIterator[ChatCompletionChunk]:
            return chunks()

        create: Any = instructor.patch(create=answer, mode=told)
        async for item in await create(**arguments):
            yield item

    return stream, astream


def _openai_chunks(mode: str, text: str, counter: Counter) -> Iterator[ChatCompletionChunk]:
    for piece in chunks_of(text):
        counter[0] += 1
        call = {"index": 0, "id": "1", "type": "function", "function": {"name": "People", "arguments": piece}}
        delta = {"tool_calls": [call]} if mode == "tools" else {"content": piece}
        yield ChatCompletionChunk.model_validate(
            {
                "id": "1",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": None}],
            }
        )

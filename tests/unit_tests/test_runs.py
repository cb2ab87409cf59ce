"""A piece finds its root run and the prompt behind an answer, also among a thousand others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, RunnableParallel

from langchain_prodkit import _runs
from langchain_prodkit._runs import MAX_ROOTS, RunWatch, current_run, prompt_of, root_of, watch_runs


@pytest.fixture(autouse=True)
def _watching() -> Iterator[None]:
    watch_runs()
    yield
    assert _runs._watch.open_roots == 0, "a run that ended was not forgotten"


def _prompt_text(answer: Any, config: RunnableConfig) -> str:
    prompt = prompt_of(current_run(config), getattr(answer, "id", None))
    return "none" if prompt is None else str(prompt[-1].content)


def _chain() -> Runnable[Any, str]:
    prompt = ChatPromptTemplate.from_messages([("human", "{q}")])
    return prompt | FakeListChatModel(responses=["same"]) | RunnableLambda(_prompt_text)


async def test_a_thousand_concurrent_answers_find_their_own_prompts() -> None:
    """Nobody gets another call's prompt."""
    numbers = [str(number) for number in range(1000)]
    assert await _chain().abatch([{"q": number} for number in numbers]) == numbers


def test_threads_and_streams_find_their_own_prompts() -> None:
    """`batch` on threads and `stream` work like `abatch`."""
    numbers = [str(number) for number in range(100)]
    assert _chain().batch([{"q": number} for number in numbers]) == numbers
    assert list(_chain().stream({"q": "s"})) == ["s"]


async def test_siblings_are_told_apart_by_the_id_of_the_answer() -> None:
    """Two models side by side under one run: the message's id decides."""
    one = ChatPromptTemplate.from_messages([("human", "first {q}")]) | FakeListChatModel(responses=["a"])
    two = ChatPromptTemplate.from_messages([("human", "second {q}")]) | FakeListChatModel(responses=["b"])

    def both(answers: dict[str, AIMessage], config: RunnableConfig) -> list[str]:
        return [_prompt_text(answers["one"], config), _prompt_text(answers["two"], config)]

    chain = RunnableParallel(one=one, two=two) | RunnableLambda(both)
    assert await chain.ainvoke({"q": "x"}) == ["first x", "second x"]


def test_an_answer_without_an_id_gets_the_last_prompt_below_the_run() -> None:
    """After a parser only a string is left; the run tree still knows the prompt."""
    prompt = ChatPromptTemplate.from_messages([("human", "{q}")])
    model = FakeListChatModel(responses=["same"]).with_fallbacks([FakeListChatModel(responses=["other"])])
    chain = prompt | model | StrOutputParser() | RunnableLambda(_prompt_text)
    assert chain.invoke({"q": "deep"}) == "deep"


def test_steps_at_any_depth_share_one_root() -> None:
    """The vault's scope is the same before the model and inside a nested chain."""
    roots: list[UUID | None] = []

    def note(value: Any, config: RunnableConfig) -> Any:
        roots.append(root_of(current_run(config)))
        return value

    nested = RunnableLambda(note) | RunnableLambda(note)
    (RunnableLambda(note) | {"a": nested, "b": RunnableLambda(note)}).invoke(1)
    assert len(roots) == 4
    assert len(set(roots)) == 1
    assert roots[0] is not None


def test_errors_and_dropped_streams_are_forgotten_too() -> None:
    """A chain that fails leaves nothing behind."""

    def fail(_: Any) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        (_chain() | RunnableLambda(fail)).invoke({"q": "x"})
    stream = _chain().stream({"q": "x"})
    next(iter(stream))
    stream.close()  # type: ignore[attr-defined]


def test_roots_that_never_end_are_bounded() -> None:
    """Abandoned runs cannot grow the memory without end: the oldest goes first."""
    watch = RunWatch()
    first = uuid4()
    watch.on_chain_start({}, {}, run_id=first)
    for _ in range(MAX_ROOTS):
        watch.on_chain_start({}, {}, run_id=uuid4())
    assert watch.open_roots == MAX_ROOTS
    assert watch.root(first) is None


def test_outside_any_run_there_is_nothing_to_find() -> None:
    """No run, no root, no prompt, and no error."""
    assert current_run() is None
    assert root_of(None) is None
    assert prompt_of(None) is None
    assert prompt_of(uuid4(), "unknown") is None


async def test_astream_events_finds_prompts() -> None:
    """The deployment form of a chain works the same."""
    events = [event async for event in _chain().astream_events({"q": "e"}, version="v2")]
    ends = [event for event in events if event["event"] == "on_chain_end" and not event["parent_ids"]]
    assert [event["data"]["output"] for event in ends] == ["e"]
    await asyncio.sleep(0)

"""An answer that fails a check is stopped, marked or replaced before the user sees it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from pydantic import BaseModel

from langchain_prodkit.errors import ConfigurationError, InputTypeError, OutputError
from langchain_prodkit.evaluation import (
    EvalRecord,
    GroundedNumbers,
    MaxWords,
    MLflowEvalCallback,
    NotEmpty,
    OutputCheckRunnable,
    check,
    metric_check,
)
from langchain_prodkit.evaluation.metrics import WordCount
from langchain_prodkit.evaluation.output_check import METADATA_KEY, row_of
from tests.unit_tests.evaluation.chains import EchoModel

SHORT = MaxWords(max_words=2)
LONG = "one two three"


class Ticket(BaseModel):
    """A parsed answer."""

    answer: str


@dataclass
class Reply:
    """Another one."""

    text: str


VALUES = {
    "text": LONG,
    "message": AIMessage(LONG),
    "mapping": {"answer": LONG, "context": [Document("a")], "n": 1},
    "parsed": {"parsed": Ticket(answer=LONG), "raw": AIMessage("x"), "attempts": 1},
    "object": Ticket(answer=LONG),
    "dataclass": Reply(LONG),
    "messages": [HumanMessage("q"), AIMessage(LONG), ToolMessage("t", tool_call_id="1")],
    "agent state": {"messages": [HumanMessage("a long question"), AIMessage(LONG)]},
    "chat in a mapping": {"output": AIMessage(LONG), "question": "q"},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_the_answer_is_found_in_every_shape(value: Any) -> None:
    """And neither the question nor tool results are taken for it."""
    guard = OutputCheckRunnable([SHORT])
    assert guard.check(value).failed == ("max_words",)
    with pytest.raises(OutputError) as caught:
        guard.invoke(value)
    assert caught.value.reasons == ("max_words:too_long",)
    assert "three" not in f"{caught.value!r}"
    assert OutputCheckRunnable([NotEmpty()]).invoke(value) is value


def test_contexts_and_question_come_with_the_answer() -> None:
    """Under the names that chains of LangChain use."""
    for value in (
        {"answer": "7", "context": [Document("7", id="d")], "input": "q"},
        {"output": "7", "contexts": ["7"], "question": "q"},
        {"result": "7", "source_documents": (Document("7"),), "query": "q"},
        {"messages": [HumanMessage("q"), ToolMessage("7", tool_call_id="1"), AIMessage("7")]},
    ):
        found = row_of(value)
        assert (found.question, found.answer, found.contexts[0].text) == ("q", "7", "7")
        assert OutputCheckRunnable([GroundedNumbers(needs_contexts=True)]).invoke(value) is value


def test_flagging_marks_a_message_and_changes_nothing_else() -> None:
    """A text has no place for a mark: the event says it."""
    guard = OutputCheckRunnable([SHORT], on_failure="flag")
    message = AIMessage(LONG, response_metadata={"a": 1}, id="7")
    flagged = guard.invoke(message)
    assert flagged.response_metadata == {
        "a": 1,
        METADATA_KEY: {"failed": ["max_words"], "reasons": ["max_words:too_long"]},
    }
    assert (flagged.content, flagged.id, message.response_metadata) == (LONG, "7", {"a": 1})
    assert guard.invoke(LONG) == LONG
    state = guard.invoke({"messages": [HumanMessage("q"), message]})
    assert METADATA_KEY in state["messages"][1].response_metadata


def test_a_replaced_answer_keeps_its_shape() -> None:
    """Text for text, message for message, and a mapping keeps all else."""
    guard = OutputCheckRunnable([SHORT], on_failure="replace", fallback="no")
    assert guard.invoke(LONG) == "no"
    call = {"name": "f", "args": {}, "id": "1"}
    message = guard.invoke(AIMessage(LONG, tool_calls=[call], id="7"))
    assert (message.content, message.tool_calls, message.id) == ("no", [], "7")
    assert guard.invoke({"answer": LONG, "n": 1}) == {"answer": "no", "n": 1}
    messages = guard.invoke([HumanMessage("q"), AIMessage(LONG)])
    assert [item.content for item in messages] == ["q", "no"]


async def test_the_fallback_may_be_a_chain_or_any_value() -> None:
    """A chain sees what failed and makes the answer anew."""
    shorten: Runnable[Any, Any] = RunnableLambda(lambda text: " ".join(text.split()[:2]))
    guard = OutputCheckRunnable([SHORT], on_failure="replace", fallback=shorten)
    assert guard.invoke(LONG) == await guard.ainvoke(LONG) == "one two"
    assert list(guard.stream(LONG)) == ["one two"]
    other = OutputCheckRunnable([SHORT], on_failure="replace", fallback=Ticket(answer="no"))
    assert other.invoke(Ticket(answer=LONG)) == Ticket(answer="no")


async def test_a_stream_is_held_until_it_is_judged() -> None:
    """Nothing of a bad answer leaves; a good one leaves in its own chunks."""
    seen: list[str] = []

    def words(chunks: Any) -> Any:
        for chunk in chunks:
            for word in chunk.split():
                seen.append(word)
                yield f"{word} "

    chain = RunnableGenerator(words) | OutputCheckRunnable([SHORT])
    with pytest.raises(OutputError):
        next(iter(chain.stream(LONG)))
    assert seen == ["one", "two", "three"]
    assert list(chain.stream("one two")) == ["one ", "two "]
    model = EchoModel() | OutputCheckRunnable([SHORT], on_failure="replace", fallback="no")
    chunks = [chunk async for chunk in model.astream("one two three")]
    assert ["".join(chunk.text for chunk in chunks)] == ["no"]
    good = [chunk async for chunk in model.astream("one")]
    assert len(good) > 2
    assert "".join(chunk.text for chunk in good).strip() == "echo one"


def test_a_stream_may_pass_and_be_marked_at_its_end() -> None:
    """With `hold=False` chunks leave as they come; the verdict is in one more chunk."""
    guard = EchoModel() | OutputCheckRunnable([SHORT], on_failure="flag", hold=False)
    stream = guard.stream("one two three")
    first = next(iter(stream))
    total = first
    for chunk in stream:
        total += chunk
    assert isinstance(total, AIMessageChunk)
    assert total.response_metadata[METADATA_KEY]["failed"] == ["max_words"]
    assert total.text.strip() == "echo one two three"
    held = EchoModel() | OutputCheckRunnable([SHORT], on_failure="flag")
    *_, last = held.stream("one two three")
    assert METADATA_KEY in last.response_metadata


def test_mappings_that_stream_are_judged_whole() -> None:
    """Keys that come one after the other belong to one answer."""

    def parts(chunks: Any) -> Any:
        list(chunks)
        yield {"context": [Document("Room 7")]}
        yield {"answer": "Room "}
        yield {"answer": "8"}

    chain = RunnableGenerator(parts) | OutputCheckRunnable(
        [GroundedNumbers()], on_failure="replace", fallback="no"
    )
    (whole,) = chain.stream("q")
    assert (whole["answer"], len(whole["context"])) == ("no", 1)


async def test_each_answer_is_told_once_as_names_and_codes() -> None:
    """In an event, whether it passed or not."""
    guard = RunnableLambda(str) | OutputCheckRunnable([SHORT, NotEmpty()], on_failure="flag")
    events = [
        event["data"]
        for text in (LONG, "ok")
        async for event in guard.astream_events(text, version="v2")
        if event["event"] == "on_custom_event" and event["name"] == "prodkit.evaluated"
    ]
    assert events == [
        {"passed": False, "failed": ["max_words"], "reasons": ["max_words:too_long"], "errors": 0},
        {"passed": True, "failed": [], "reasons": [], "errors": 0},
    ]


def test_a_check_that_raises_stops_the_answer() -> None:
    """And says nothing of it."""

    @check
    def broken(row: EvalRecord) -> bool:
        raise ValueError(row.answer)

    with pytest.raises(OutputError, match="answer blocked: broken:error"):
        OutputCheckRunnable([broken]).invoke("Ada")


async def test_slow_checks_leave_the_loop_free() -> None:
    """Those of a metric run in a thread; quick ones do not."""
    threads = []

    class Slow:
        name = "slow"
        needs: frozenset[str] = frozenset()
        higher_is_better = None

        def score(self, row: EvalRecord) -> Any:
            threads.append(threading.current_thread())
            return WordCount().score(row)

    guard = OutputCheckRunnable([metric_check(Slow(), max=9)])
    assert await guard.ainvoke("x") == guard.invoke("x") == "x"
    assert [thread is threading.main_thread() for thread in threads] == [False, True]
    await asyncio.sleep(0)


def test_what_cannot_be_read_does_not_pass() -> None:
    """Nothing leaves unread."""
    guard = OutputCheckRunnable([NotEmpty()])
    for value in (object(), {"answer": object()}, {"a": object()}):
        with pytest.raises(InputTypeError):
            guard.invoke(value)


@pytest.mark.parametrize(
    "arguments",
    [{}, {"checks": []}, {"checks": [len]}, {"checks": [SHORT], "hold": False}, {"checks": [SHORT], "x": 1}],
    ids=["none", "empty", "no check", "hold", "unknown"],
)
def test_settings_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    """At once, with an error of ours."""
    with pytest.raises(ConfigurationError):
        OutputCheckRunnable(**arguments)


def test_a_blocked_answer_is_recorded_as_such() -> None:
    """The callback sees an error with a code, and what flagged answers failed is in the flags."""
    record = MLflowEvalCallback(checks=[SHORT])
    chain = RunnableLambda(str) | OutputCheckRunnable([SHORT])
    with pytest.raises(OutputError):
        chain.invoke(LONG, {"callbacks": [record]})
    RunnableLambda(str).invoke(LONG, {"callbacks": [record]})
    first, second = record.records
    assert (first.error, first.error_code, first.flags) == ("OutputError", "output", ())
    assert (second.error, second.flags) == (None, ("max_words",))

"""One root run, one record: what stands in it."""

from __future__ import annotations

import asyncio
import copy
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from pydantic import BaseModel

from langchain_prodkit.errors import ConfigurationError, StoreError
from langchain_prodkit.evaluation import MLflowEvalCallback
from tests.unit_tests.evaluation.chains import (
    USAGE,
    Chooser,
    EchoModel,
    LeakyError,
    Shelf,
    open_entries,
    rag,
    settled,
    stuck,
)


def test_a_chain_leaves_one_record_with_what_was_asked_read_and_answered() -> None:
    """However many runs are below it, the root alone becomes a record."""
    record = MLflowEvalCallback()
    answer = rag().invoke(
        "why?", {"callbacks": [record], "tags": ["shop"], "metadata": {"user": "u1", "odd": object()}}
    )
    (row,) = record.records
    assert (row.input, row.output, answer) == ("why?", "echo why?", "echo why?")
    assert [context.text for context in row.contexts] == ["first page", "second page", "about why?"]
    assert (row.contexts[1].id, row.contexts[1].metadata) == ("1", {"n": 1})
    assert (row.usage, row.model_calls, row.reasks, row.models) == (USAGE, 1, 0, ("echo-1",))
    assert row.latency_ms is not None
    assert row.latency_ms > 0
    assert row.ttft_ms is None
    assert (row.tags, row.metadata, row.error) == (("shop",), {"user": "u1"}, None)
    assert open_entries(record) == 0


async def test_the_asynchronous_chain_leaves_the_same_record() -> None:
    """`ainvoke` is recorded like `invoke`."""
    record = MLflowEvalCallback()
    await rag().ainvoke("why?", {"callbacks": [record]})
    rag().invoke("why?", {"callbacks": [record]})
    one, two = record.records
    assert (one.input, one.output, one.contexts, one.usage) == (
        two.input,
        two.output,
        two.contexts,
        two.usage,
    )


def test_a_stream_is_recorded_whole_with_its_first_token_and_its_usage() -> None:
    """The input of a stream is known at its end only, its output is the sum of its chunks."""
    record = MLflowEvalCallback()
    chunks = list(rag(EchoModel(delay_s=0.002)).stream("why?", {"callbacks": [record]}))
    (row,) = record.records
    assert len(chunks) > 1
    assert (row.input, row.output, row.usage) == ("why?", "".join(chunks), USAGE)
    assert row.ttft_ms is not None
    assert row.latency_ms is not None
    assert 0 < row.ttft_ms < row.latency_ms


async def test_an_asynchronous_stream_is_recorded_whole() -> None:
    """The same for `astream` and for `astream_events`."""
    record = MLflowEvalCallback()
    config: Any = {"callbacks": [record]}
    chunks = [chunk async for chunk in rag().astream("a", config)]
    async for _ in rag().astream_events("b", config, version="v2"):
        pass
    one, two = record.records
    assert (one.input, one.output) == ("a", "".join(chunks))
    assert (two.input, two.output) == ("b", "echo b ")
    assert open_entries(record) == 0


def test_a_stream_closed_early_is_recorded_as_far_as_it_came() -> None:
    """Walking away from a stream leaves nothing open."""
    record = MLflowEvalCallback()
    stream = iter(rag().stream("why?", {"callbacks": [record]}))
    first, second, _ = next(stream), next(stream), next(stream)
    stream.close()  # type: ignore[attr-defined]
    (row,) = record.records
    # langchain-core adds a chunk when the next one is asked for.
    assert (row.output, row.error, open_entries(record)) == (first + second, None, 0)


def test_a_model_alone_is_a_root_too() -> None:
    """No chain is needed for a record."""
    record = MLflowEvalCallback()
    EchoModel().invoke([HumanMessage("hi")], {"callbacks": [record]})
    (row,) = record.records
    assert (row.question, row.answer, row.model_calls, row.usage) == ("hi", "echo hi", 1, USAGE)


def test_retriever_and_tool_alone_are_roots_too() -> None:
    """What they gave is the output; a retriever's documents are contexts as well."""
    record = MLflowEvalCallback()
    Shelf().invoke("q", {"callbacks": [record]})

    @tool
    def double(n: int) -> int:
        """Double a number."""
        return 2 * n

    double.invoke({"n": 4}, {"callbacks": [record]})
    shelf, doubled = record.records
    assert (shelf.input, len(shelf.contexts)) == ("q", 3)
    assert (doubled.input, doubled.output, doubled.contexts) == ({"n": 4}, 8, ())


def test_usage_is_summed_over_all_model_calls() -> None:
    """Two calls in a row and two at a time all count."""
    record = MLflowEvalCallback()
    both = RunnableParallel(a=EchoModel(), b=EchoModel(model="echo-2"))
    (EchoModel() | (lambda message: message.text) | both).invoke("hi", {"callbacks": [record]})
    (row,) = record.records
    assert row.usage == {"input_tokens": 9, "output_tokens": 6, "total_tokens": 15}
    assert (row.model_calls, row.models) == (3, ("echo-1", "echo-2"))


def test_documents_come_from_every_depth_once() -> None:
    """Several retrievers roll up to the root; what two of them gave stands there once."""
    record = MLflowEvalCallback()
    deep: Runnable[Any, Any] = RunnableLambda(lambda q: rag().invoke(q)) | Shelf(texts=("third page",))
    RunnableParallel(a=rag(), b=deep).invoke("q", {"callbacks": [record]})
    (row,) = record.records
    texts = [context.text for context in row.contexts]
    assert sorted(texts) == ["about echo q", "about q", "first page", "second page", "third page"]


def test_a_retriever_that_chooses_from_another_one_decides_what_counts() -> None:
    """The chain never saw what the outer retriever left out."""
    record = MLflowEvalCallback()
    rag(retriever=Chooser(inner=Shelf())).invoke("q", {"callbacks": [record]})
    assert [context.text for context in record.records[0].contexts] == ["first page"]


def test_tool_outputs_are_contexts_when_asked_for() -> None:
    """Only with `include_tools`, and only below the root."""

    @tool
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"rain in {city}"

    chain: Runnable[Any, Any] = RunnableLambda(lambda city: {"city": city}) | weather
    plain, with_tools = MLflowEvalCallback(), MLflowEvalCallback(include_tools=True)
    chain.invoke("Bonn", {"callbacks": [plain, with_tools]})
    assert plain.records[0].contexts == ()
    assert [(c.kind, c.text) for c in with_tools.records[0].contexts] == [("tool", "rain in Bonn")]


@pytest.mark.parametrize("how", ["invoke", "stream", "batch"])
def test_a_failure_is_recorded_by_class_and_code_only(how: str) -> None:
    """The message of an error may hold what the user wrote."""
    record = MLflowEvalCallback()
    chain, config = rag(EchoModel(fails=True)), {"callbacks": [record]}
    question: Any = ["q"] if how == "batch" else "q"
    with pytest.raises(LeakyError):
        list(getattr(chain, how)(question, config))
    (row,) = record.records
    assert (row.error, row.error_code, row.output, row.input) == ("LeakyError", "leaky", None, "q")
    assert "Byron" not in str(row.to_dict())
    assert (record.statistics().errors, open_entries(record)) == (1, 0)


def test_an_exit_whose_code_is_a_text_tells_its_class_only() -> None:
    """`SystemExit("...")` keeps a message where other errors keep a code."""
    record = MLflowEvalCallback()

    def leave(_: str) -> str:
        sys.exit("Ada")

    with pytest.raises(SystemExit):
        (RunnableLambda(str) | leave).invoke("q", {"callbacks": [record]})
    assert (record.records[0].error, record.records[0].error_code) == ("SystemExit", None)


def test_errors_of_this_package_keep_their_code() -> None:
    """`code` is what a dashboard groups by."""
    record = MLflowEvalCallback()

    def fail(_: str) -> str:
        raise StoreError("x")

    with pytest.raises(StoreError):
        RunnableLambda(fail).invoke("q", {"callbacks": [record]})
    assert record.records[0].error_code == "store"


@pytest.mark.parametrize("where", ["model", "retriever", "tool", "chain"])
async def test_a_cancelled_call_is_recorded_and_leaves_nothing_open(where: str) -> None:
    """Cancellation is an end like any other, even where langchain-core does not report it."""
    record = MLflowEvalCallback()
    started = asyncio.Event()
    call = asyncio.create_task(stuck(where, started).ainvoke("q", {"callbacks": [record]}))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await settled(record)
    (row,) = record.records
    assert (row.error, row.output) == ("CancelledError", None)


async def test_a_branch_that_outlives_its_failed_root_is_no_root() -> None:
    """What still runs below an ended root is not recorded, and is forgotten when it ends."""
    record = MLflowEvalCallback()
    release = asyncio.Event()

    async def slow(_: str) -> str:
        await release.wait()
        await rag().ainvoke("late")
        return "done"

    async def fail(_: str) -> str:
        await asyncio.sleep(0)
        raise LeakyError

    branches = RunnableParallel(slow=RunnableLambda(slow), fail=RunnableLambda(fail))
    with pytest.raises(LeakyError):
        await branches.ainvoke("q", {"callbacks": [record]})
    assert [row.error for row in record.records] == ["LeakyError"]
    release.set()
    await settled(record)
    assert (len(record.records), record.statistics().seen) == (1, 1)


def test_re_asks_and_waits_below_the_root_are_counted() -> None:
    """The pieces tell with events what happened between two model calls."""
    record = MLflowEvalCallback()

    def work(text: str) -> str:
        dispatch_custom_event("prodkit.reasked", {"attempt": 1})
        dispatch_custom_event("prodkit.limited", {"waited_s": 0.25})
        dispatch_custom_event("prodkit.limited", {"waited_s": 0.5})
        dispatch_custom_event("somebody.else", {"wait_s": 9})
        return text

    (RunnableLambda(work) | RunnableLambda(str.upper)).invoke("q", {"callbacks": [record]})
    assert (record.records[0].reasks, record.records[0].waited_s) == (1, 0.75)


async def test_events_from_asynchronous_pieces_are_counted() -> None:
    """The same from `ainvoke`."""
    record = MLflowEvalCallback()

    async def work(text: str) -> str:
        await adispatch_custom_event("prodkit.reasked", {"attempt": 1})
        return text

    await RunnableLambda(work).ainvoke("q", {"callbacks": [record]})
    assert record.records[0].reasks == 1


def test_each_row_of_a_batch_is_a_record() -> None:
    """Failures of some rows leave the others as they are."""
    record = MLflowEvalCallback()

    def picky(text: str) -> str:
        if text == "bad":
            raise LeakyError
        return text.upper()

    RunnableLambda(picky).batch(["a", "bad", "c"], {"callbacks": [record]}, return_exceptions=True)
    assert sorted((row.input, row.output, row.error) for row in record.records if not row.error) == [
        ("a", "A", None),
        ("c", "C", None),
    ]
    assert [row.input for row in record.records if row.error] == ["bad"]


def test_a_record_does_not_change_when_the_chain_goes_on() -> None:
    """Values are copied when the run starts and ends, not when the record is read."""
    record = MLflowEvalCallback()
    asked: dict[str, Any] = {"messages": [AIMessage("one")]}
    answered = RunnableLambda(lambda x: x["messages"]).invoke(asked, {"callbacks": [record]})
    answered.append(AIMessage("two"))
    asked["messages"] = []
    (row,) = record.records
    assert row.input == {"messages": [{"type": "ai", "content": "one"}]}
    assert row.output == [{"type": "ai", "content": "one"}]


def test_a_validated_object_is_recorded_as_its_fields() -> None:
    """What a parser made is data, not a repr."""

    class Ticket(BaseModel):
        answer: str
        urgent: bool = False

    record = MLflowEvalCallback()
    parse: Runnable[str, Ticket] = RunnableLambda(lambda text: Ticket(answer=text))
    parse.invoke("hi", {"callbacks": [record]})
    (row,) = record.records
    assert (row.output, row.answer) == ({"answer": "hi", "urgent": False}, "hi")


def test_a_callback_given_to_one_piece_records_that_piece() -> None:
    """The topmost run that the callback sees is its root."""
    record = MLflowEvalCallback()
    chain = RunnableLambda(str.upper) | EchoModel().with_config(callbacks=[record])
    chain.invoke("hi")
    assert [row.answer for row in record.records] == ["echo HI"]


def test_streams_that_never_end_are_given_up_oldest_first() -> None:
    """The number of runs followed is bounded, and what is given up is counted."""
    record = MLflowEvalCallback(max_open=3)

    def endless(chunks: Iterator[str]) -> Iterator[str]:
        yield from chunks

    chain = RunnableGenerator(endless)
    streams = [chain.stream(f"q{n}", {"callbacks": [record]}) for n in range(5)]
    for stream in streams:
        next(iter(stream))
    assert (record.statistics().open, record.statistics().dropped) == (3, 2)
    for stream in streams:
        assert list(stream) == []
    assert [row.input for row in record.records] == ["q2", "q3", "q4"]
    assert open_entries(record) == 0


def test_the_repr_shows_counts_and_no_text() -> None:
    """Reprs end up in logs."""
    record = MLflowEvalCallback()
    rag().invoke("my name is Ada", {"callbacks": [record], "tags": ["Ada"], "metadata": {"who": "Ada"}})
    assert "Ada" not in repr(record) + repr(record.records) + repr(record.dataset())
    assert "recorded=1" in repr(record)


def test_copies_report_to_the_same_place_and_pickles_start_empty() -> None:
    """A chain may be copied; a pickle would carry records to disk unseen."""
    record = MLflowEvalCallback(sample_rate=1.0, max_pending=7, redact=str.lower)
    rag().invoke("A", {"callbacks": [record]})
    assert copy.deepcopy(record) is record
    fresh = pickle.loads(pickle.dumps(record))  # noqa: S301 - made two words before
    assert (len(fresh.records), fresh.redacts, fresh._pending.max_pending) == (0, True, 7)


@pytest.mark.parametrize(
    "arguments", [{"sample_rate": 1.5}, {"sample_rate": -0.1}, {"max_pending": 0}, {"redact": 7}]
)
def test_settings_that_make_no_sense_are_refused_at_once(arguments: dict[str, Any]) -> None:
    """Not at the first record."""
    with pytest.raises(ConfigurationError):
        MLflowEvalCallback(**arguments)

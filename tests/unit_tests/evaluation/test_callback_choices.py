"""Which runs become records, what is noted when they end, and what is said of them later."""

from __future__ import annotations

import asyncio
import logging
import random
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableLambda, RunnableParallel
from langchain_core.tools import tool

from langchain_prodkit.errors import ConfigurationError, EvaluationError, UnknownRunError
from langchain_prodkit.evaluation import (
    Context,
    EvalDataset,
    EvalRecord,
    Feedback,
    MaxWords,
    MLflowEvalCallback,
    NotEmpty,
    check,
)
from langchain_prodkit.evaluation.trimming import trimmed, weight
from tests.unit_tests.evaluation.chains import EchoModel, LeakyError, open_entries, rag, settled


def run(record: MLflowEvalCallback, value: Any, *, fails: bool = False, **config: Any) -> None:
    """Run a chain once."""

    def work(value: Any) -> Any:
        if fails:
            raise LeakyError
        return value

    try:
        settings: Any = {"callbacks": [record], **config}
        RunnableLambda(work).invoke(value, settings)
    except LeakyError:
        assert fails


def balance(record: MLflowEvalCallback) -> None:
    """The books are in order and nothing is followed any longer."""
    counts = record.statistics()
    assert counts.sampled == counts.recorded + counts.dropped + counts.open
    assert open_entries(record) == 0


# -- which ones ----------------------------------------------------------------------------------------


def test_a_run_outside_the_sample_is_kept_when_it_fails() -> None:
    """With all that was gathered: the question, the documents, the tokens."""
    record = MLflowEvalCallback(sample_rate=0.0)

    def fail(_: str) -> str:
        raise ZeroDivisionError

    for fails in (False, True):
        chain = rag() | RunnableLambda(fail if fails else str.upper)
        try:
            chain.invoke("why?", {"callbacks": [record], "tags": ["t"]})
        except ZeroDivisionError:
            assert fails
    (row,) = record.records
    assert (row.error, row.input, row.tags, len(row.contexts)) == ("ZeroDivisionError", "why?", ("t",), 3)
    assert (row.model_calls, row.usage is None) == (1, False)
    assert (record.statistics().seen, record.statistics().sampled) == (2, 1)
    balance(record)


def test_another_reason_to_keep_a_run_may_be_given() -> None:
    """The predicate sees the finished record with its flags; one that raises keeps it."""

    def odd(row: EvalRecord) -> bool:
        if row.input == "boom":
            raise ValueError(row.input)
        return bool(row.flags)

    record = MLflowEvalCallback(sample_rate=0.0, always_keep=odd, checks=[MaxWords(max_words=2)])
    for text in ("short", "a long answer here", "boom"):
        run(record, text)
    run(record, "failed", fails=True)
    assert [row.input for row in record.records] == ["a long answer here", "boom"]
    balance(record)


def test_the_sample_alone_is_recorded_when_nothing_is_to_be_kept() -> None:
    """`always_keep=None`."""
    record = MLflowEvalCallback(sample_rate=0.0, always_keep=None)
    run(record, "x", fails=True)
    assert (record.records, record.statistics().seen) == ((), 1)
    balance(record)


# -- checks --------------------------------------------------------------------------------------------


def test_answers_are_checked_when_they_are_given() -> None:
    """Failed checks stand in the flags; a check that raises counts as failed and as an error."""
    seen = []

    @check
    def picky(row: EvalRecord) -> bool:
        seen.append(row.input)
        if row.input == "three":
            raise ValueError(row.input)
        return bool(row.input != "two")

    record = MLflowEvalCallback(checks=[NotEmpty(), picky])
    for text in ("one", "two", "three", " "):
        run(record, text)
    run(record, "never answered", fails=True)
    assert seen == ["one", "two", "three", " "]
    assert [row.flags for row in record.records] == [(), ("picky",), ("picky",), ("not_empty",), ()]
    counts = record.statistics()
    assert (counts.flagged, counts.check_errors) == (3, 1)
    assert record.dataset()[1].to_dict()["flags"] == ("picky",)


def test_what_is_no_check_is_refused() -> None:
    """At once."""
    wrong: list[Any] = [{"checks": [len]}, {"checks": NotEmpty()}, {"always_keep": 3}]
    for arguments in wrong:
        with pytest.raises(ConfigurationError):
            MLflowEvalCallback(**arguments)


# -- feedback ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["memory", "redacted", "disk"])
def test_feedback_joins_the_record_wherever_it_is(tmp_path: Any, where: str) -> None:
    """In memory, redacted already, or on disk; in the order in which it came."""
    record = MLflowEvalCallback(
        redact=None if where == "memory" else lambda text: text.replace("Ada", "***"),
        spool_dir=tmp_path if where == "disk" else None,
    )
    one, two = uuid.uuid4(), uuid.uuid4()
    run(record, "I am Ada", run_id=one)
    run(record, "other", run_id=two)
    if where != "memory":
        assert record.flush()
    record.feedback(one, "helpful", value=True)
    record.feedback(str(one), "stars", 4, rationale="Ada liked it", source="survey")
    assert [row.feedback for row in record.dataset()][1] == ()
    said = record.dataset()[0].feedback
    assert [(item.name, item.value, item.source) for item in said] == [
        ("helpful", True, "human"),
        ("stars", 4, "survey"),
    ]
    assert ("Ada" in str(said[1].rationale)) == (where == "memory")
    assert record.flush()
    assert record.dataset(clear=True)[0].feedback == said
    with pytest.raises(UnknownRunError):
        record.feedback(one, "late", value=False)


def test_feedback_may_come_before_the_run_has_ended() -> None:
    """A judge inside the chain, or an impatient user of a stream."""
    record = MLflowEvalCallback()
    identity = uuid.uuid4()

    def work(text: str) -> str:
        record.feedback(identity, "seen", value="early")
        return text

    RunnableLambda(work).invoke("q", {"callbacks": [record], "run_id": identity})
    assert record.records[0].feedback == (Feedback("seen", "early"),)


def test_feedback_on_nothing_or_with_nothing_raises() -> None:
    """And neither the error nor the repr shows what was said."""
    record = MLflowEvalCallback(sample_rate=0.0)
    unsampled = uuid.uuid4()
    run(record, "x", run_id=unsampled)
    for identity in (uuid.uuid4(), unsampled, "no id at all"):
        with pytest.raises(UnknownRunError):
            record.feedback(identity, "helpful", value=True, rationale="Ada")
    values: list[Any] = [float("nan"), float("inf"), None, ["x"]]
    for value in values:
        with pytest.raises(EvaluationError):
            record.feedback(uuid.uuid4(), "helpful", value)
    assert "Ada" not in repr(Feedback("helpful", "Ada", "Ada"))


def test_feedback_and_flags_survive_a_file(tmp_path: Any) -> None:
    """As a data set is written and read."""
    row = EvalRecord(
        "1", "q", "a", flags=("x",), feedback=(Feedback("n", 0.5, "why", "code"), Feedback("b", True))
    )
    assert EvalDataset.from_jsonl(EvalDataset((row,)).to_jsonl(tmp_path / "d.jsonl")).rows == (row,)


# -- size ----------------------------------------------------------------------------------------------


def test_a_giant_answer_is_cut_marked_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """What is short stays whole."""
    record = MLflowEvalCallback()
    with caplog.at_level(logging.DEBUG):
        chain: Runnable[Any, Any] = RunnableLambda(lambda _: {"answer": "x" * 1_000_000, "n": 1})
        chain.invoke("why?", {"callbacks": [record]})
    (row,) = record.records
    assert (row.input, row.output["n"]) == ("why?", 1)
    assert weight(row) <= 256_100
    assert row.answer.startswith("xxx")
    assert row.answer.endswith(" characters left out]")
    assert record.statistics().truncated == 1
    whole = MLflowEvalCallback(max_record_bytes=None)
    chain.invoke("why?", {"callbacks": [whole]})
    assert len(whole.records[0].answer) == 1_000_000


def test_a_data_set_answers_with_whole_answers() -> None:
    """There the answers are the point, and the caller holds them all anyway."""
    asked = EvalDataset.from_records([{"question": "q"}])
    answered = asked.answer(RunnableLambda(lambda _: "x" * 1_000_000))
    assert len(answered[0].answer) == 1_000_000


@given(
    st.lists(st.text(max_size=300) | st.integers(500, 3000).map(lambda n: "é" * n), max_size=8),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=400),
        lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
        max_leaves=40,
    ),
    st.integers(1000, 4000),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_record_fits_after_trimming(texts: list[str], value: Any, limit: int) -> None:
    """Whatever its shape, and a record that fits is not touched."""
    row = EvalRecord("1", value, texts, contexts=tuple(Context(text) for text in texts))
    if weight(row) <= limit:
        return
    cut = trimmed(row, limit)
    assert weight(cut) <= limit
    assert cut.id == "1"


def test_large_structures_without_long_texts_are_cut_too() -> None:
    """A list of a million numbers, a thousand documents."""
    numbers = trimmed(EvalRecord("1", "q", list(range(100_000))), 10_000)
    assert isinstance(numbers.output, str)
    assert (numbers.input, weight(numbers) <= 10_000) == ("q", True)
    many = EvalRecord(
        "1", "q", "a", contexts=tuple(Context("c" * 50, metadata={"n": 1}) for _ in range(5000))
    )
    assert weight(trimmed(many, 10_000)) <= 10_000


# -- everything at once --------------------------------------------------------------------------------


@tool
async def look_up(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


def agent_like() -> Runnable[Any, Any]:
    """Make a chain that calls a tool and a retriever two levels down and answers with messages."""

    async def work(question: str) -> list[Any]:
        weather = await look_up.ainvoke({"city": question})
        answer = await rag(EchoModel(delay_s=0.001)).ainvoke(question)
        return [HumanMessage(question), ToolMessage(weather, tool_call_id="1"), AIMessage(answer)]

    inner: Runnable[Any, Any] = RunnableLambda(lambda question: question) | RunnableLambda(work)
    return RunnableParallel(messages=inner)


@pytest.mark.slow
async def test_a_thousand_mixed_runs_leave_nothing_open_and_do_not_mix(tmp_path: Any) -> None:  # noqa: C901
    """Calls, batches, streams, walked-away streams, events, errors and cancels, sampled, spooled, checked."""
    record = MLflowEvalCallback(
        sample_rate=0.7,
        max_pending=50,
        spool_dir=tmp_path,
        include_tools=True,
        checks=[MaxWords(max_words=10_000)],
        redact=lambda text: text,
    )
    config: Any = {"callbacks": [record]}
    chance = random.Random(11)
    good, bad, agent = rag(EchoModel(delay_s=0.001)), rag(EchoModel(fails=True)), agent_like()

    async def one(n: int) -> None:
        chain = bad if chance.random() < 0.15 else good
        kind = chance.choice(["invoke", "agent", "batch", "stream", "early", "events", "cancel", "thread"])
        if kind == "invoke":
            await chain.ainvoke(f"q{n}", config)
        elif kind == "agent":
            await agent.ainvoke(f"q{n}", config)
        elif kind == "batch":
            await chain.abatch([f"q{n}", f"q{n}b"], config)
        elif kind == "cancel":
            async with asyncio.timeout(chance.random() * 0.01):
                await chain.ainvoke(f"q{n}", config)
        elif kind == "events":
            async for _ in chain.astream_events(f"q{n}", config, version="v2"):
                pass
        elif kind == "thread":
            await asyncio.to_thread(chain.invoke, f"q{n}", config)
        else:
            async for _ in chain.astream(f"q{n}", config):
                if kind == "early":
                    break

    kinds = set()
    for start in range(0, 1000, 50):
        results = await asyncio.gather(*(one(n) for n in range(start, start + 50)), return_exceptions=True)
        kinds |= {type(result) for result in results}
    assert kinds == {type(None), LeakyError, TimeoutError}
    await settled(record)
    balance(record)
    counts = record.statistics()
    assert counts.open == counts.dropped == 0
    assert counts.spooled > 500
    assert counts.seen > counts.sampled == len(record.records) > 700
    for row in record.records:
        assert_own_texts(row)


def assert_own_texts(row: EvalRecord) -> None:
    """Everything in a row belongs to its own question."""
    question = str(row.input)
    own = {"first page", "second page", f"about {question}", f"rain in {question}"}
    assert {context.text for context in row.contexts} <= own
    if row.error is None and isinstance(row.output, str) and row.output:
        assert f"echo {question} ".startswith(row.output)
    elif isinstance(row.output, dict):
        assert row.output["messages"][-1]["content"] == f"echo {question}"
        assert [context.kind for context in row.contexts].count("tool") == 1


def test_tool_results_and_documents_roll_up_from_any_depth() -> None:
    """Below tools below chains; of a ToolMessage its content."""

    @tool
    def search(query: str) -> str:
        """Search the shelf."""
        return rag().invoke(query)

    deep: Runnable[Any, Any] = RunnableLambda(lambda q: {"query": q}) | search | RunnableLambda(str.upper)
    record = MLflowEvalCallback(include_tools=True)
    RunnableParallel(a=RunnableLambda(deep.invoke), b=RunnableLambda(str)).invoke(
        "q", {"callbacks": [record]}
    )
    call = {"name": "search", "args": {"query": "z"}, "id": "1", "type": "tool_call"}
    RunnableLambda(lambda _: search.invoke(call)).invoke("x", {"callbacks": [record]})
    first, second = record.records
    assert [(context.kind, context.text) for context in first.contexts] == [
        ("document", "first page"),
        ("document", "second page"),
        ("document", "about q"),
        ("tool", "echo q"),
    ]
    assert second.contexts[-1] == Context("echo z", None, "tool")

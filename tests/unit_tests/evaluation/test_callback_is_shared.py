"""One callback under many threads and tasks, bounded and without cross-talk."""

from __future__ import annotations

import asyncio
import logging
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda, RunnableParallel

from langchain_prodkit.evaluation import MLflowEvalCallback
from tests.unit_tests.evaluation.chains import USAGE, EchoModel, LeakyError, open_entries, rag, settled


def assert_no_cross_talk(record: MLflowEvalCallback, count: int) -> None:
    """Each record holds its own question, answer, documents and tokens."""
    assert sorted(row.input for row in record.records) == sorted(f"q{n}" for n in range(count))
    for row in record.records:
        assert row.answer.strip() == f"echo {row.input}"
        assert [context.text for context in row.contexts][2:] == [f"about {row.input}"]
        assert (row.usage, row.model_calls) == (USAGE, 1)


async def test_200_concurrent_calls_keep_their_records_apart() -> None:
    """Tasks share the callback."""
    record = MLflowEvalCallback()
    chain = rag(EchoModel(delay_s=0.01))
    config: Any = {"callbacks": [record]}
    await asyncio.gather(*(chain.ainvoke(f"q{n}", config) for n in range(200)))
    assert_no_cross_talk(record, 200)
    assert open_entries(record) == 0


def test_threads_keep_their_records_apart() -> None:
    """So do threads, plain, in a batch and streaming."""
    record = MLflowEvalCallback()
    chain = rag(EchoModel(delay_s=0.001))
    config: Any = {"callbacks": [record]}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: chain.invoke(f"q{n}", config), range(60)))
        list(pool.map(lambda n: list(chain.stream(f"q{n}", config)), range(60, 120)))
    chain.batch([f"q{n}" for n in range(120, 160)], config)
    assert_no_cross_talk(record, 160)
    assert open_entries(record) == 0


def test_parallel_branches_in_threads_count_fully() -> None:
    """Usage is summed right when the branches of one root end at the same time."""
    record = MLflowEvalCallback()
    branches = RunnableParallel({f"b{n}": EchoModel(delay_s=0.001) for n in range(8)})
    for _ in range(10):
        branches.invoke("q", {"callbacks": [record]})
    assert {row.usage["total_tokens"] for row in record.records if row.usage} == {40}
    assert {row.model_calls for row in record.records} == {8}


async def test_nothing_stays_open_after_a_mix_of_everything() -> None:
    """Calls, batches, streams, errors and cancels: the books balance and nothing is followed."""
    record = MLflowEvalCallback(max_pending=10_000)
    config: Any = {"callbacks": [record]}
    chance = random.Random(7)
    good, bad = rag(EchoModel(delay_s=0.002)), rag(EchoModel(fails=True))

    async def one(n: int) -> None:
        chain = bad if chance.random() < 0.2 else good
        kind = chance.choice(["invoke", "batch", "stream", "early", "cancel"])
        if kind == "invoke":
            await chain.ainvoke(f"q{n}", config)
        elif kind == "batch":
            await chain.abatch([f"q{n}", f"r{n}"], config)
        elif kind == "cancel":
            async with asyncio.timeout(chance.random() * 0.01):
                await chain.ainvoke(f"q{n}", config)
        else:
            async for _ in chain.astream(f"q{n}", config):
                if kind == "early":
                    break

    results = []
    for start in range(0, 400, 50):
        tasks = [one(n) for n in range(start, start + 50)]
        results += await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} == {type(None), LeakyError, TimeoutError}
    await settled(record)
    counts = record.statistics()
    assert counts.open == counts.dropped == 0
    assert counts.seen == counts.sampled == counts.recorded == len(record.records) > 400
    assert counts.errors == sum(row.error is not None for row in record.records) > 0


def test_records_past_the_bound_are_dropped_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Memory stays bounded, and nobody is left to wonder."""
    record = MLflowEvalCallback(max_pending=3)
    with caplog.at_level(logging.WARNING):
        RunnableLambda(str).batch(list(range(8)), {"callbacks": [record], "max_concurrency": 1})
    assert [row.input for row in record.records] == [0, 1, 2]
    assert (record.statistics().held, record.statistics().dropped) == (3, 5)
    assert len([entry for entry in caplog.records if "3 records are held" in entry.message]) == 1


def test_records_handed_over_make_room() -> None:
    """`dataset(clear=True)` gives each record once."""
    record = MLflowEvalCallback(max_pending=2)
    seen = []
    for n in range(5):
        RunnableLambda(str).invoke(n, {"callbacks": [record]})
        seen += [row.input for row in record.dataset(clear=True)]
    assert (seen, record.records, record.statistics().dropped) == ([0, 1, 2, 3, 4], (), 0)


def test_a_sample_is_taken_of_roots_never_of_their_parts() -> None:
    """What is not sampled leaves no record, neither of the root nor of what runs below it."""
    record = MLflowEvalCallback(sample_rate=0.3)
    random.seed(5)
    rag().batch([f"q{n}" for n in range(200)], {"callbacks": [record]})
    counts = record.statistics()
    assert (counts.seen, counts.sampled) == (200, len(record.records))
    assert 30 < counts.sampled < 90
    assert all(len(row.contexts) == 3 for row in record.records)
    assert open_entries(record) == 0


def test_a_closed_callback_starts_no_record() -> None:
    """Leaving the `with` block ends the recording; what was recorded can still be read."""
    with MLflowEvalCallback() as record:
        rag().invoke("in", {"callbacks": [record]})
    rag().invoke("out", {"callbacks": [record]})
    assert [row.input for row in record.records] == ["in"]
    assert (record.statistics().seen, open_entries(record)) == (1, 0)


def test_recording_loads_neither_mlflow_nor_pandas() -> None:
    """The hot path touches nothing heavy, and the records can be scored without it too."""
    code = """
import sys
from langchain_core.runnables import RunnableLambda
from langchain_prodkit.evaluation import MLflowEvalCallback, evaluate
with MLflowEvalCallback() as record:
    RunnableLambda(str).invoke("x", {"callbacks": [record]})
print(evaluate(record.dataset()).summary["words"].mean)
print([name for name in ("mlflow", "pandas", "numpy", "sklearn") if name in sys.modules])
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["1.0", "[]"]

"""The engine: order, failures, interrupts and event loops."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation import EvalRecord, Score, aevaluate, evaluate
from langchain_prodkit.evaluation.metrics import WordCount
from tests.unit_tests.evaluation.judges import rows


@dataclass(frozen=True)
class Asked:
    """A metric that is asked row by row, as judges are."""

    gives: Callable[[EvalRecord], Score]
    name: str = "asked"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = True

    def score(self, row: EvalRecord) -> Score:
        """Ask from synchronous code."""
        return self.gives(row)

    async def ascore(self, row: EvalRecord) -> Score:
        """Ask from asynchronous code."""
        await asyncio.sleep(0)
        return self.gives(row)


@dataclass(frozen=True)
class Whole:
    """A metric that looks at all rows at once."""

    gives: Callable[[Sequence[EvalRecord]], Any]
    name: str = "whole"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = True

    def score(self, row: EvalRecord) -> Score:
        """Never asked."""
        raise AssertionError

    def score_all(self, rows: Sequence[EvalRecord]) -> Any:
        """Score them."""
        return self.gives(rows)


async def both(*args: Any, **kwargs: Any) -> list[Any]:
    """Evaluate in both ways."""
    return [await asyncio.to_thread(evaluate, *args, **kwargs), await aevaluate(*args, **kwargs)]


async def test_scores_stand_at_their_rows_whatever_order_they_came_in() -> None:
    """Side by side, the last row may be finished first."""

    def slow_first(row: EvalRecord) -> Score:
        number = int(row.id[1:])
        time.sleep(0.002 * (10 - number))
        return Score(float(number), rationale=row.id)

    for report in await both(rows(10), [Asked(slow_first)], concurrency=4):
        assert [row.scores["asked"] for row in report.rows] == [
            Score(float(number), rationale=f"r{number}") for number in range(10)
        ]


def test_no_more_rows_are_asked_at_a_time_than_allowed() -> None:
    """A provider's limit on connections is kept."""
    lock, now, most = threading.Lock(), 0, 0

    def count(_: EvalRecord) -> Score:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1
        return Score(1.0)

    evaluate(rows(20), [Asked(count)], concurrency=3)
    assert 1 < most <= 3


async def test_a_metric_over_all_rows_sees_those_that_have_what_it_needs() -> None:
    """Once, in order; the others are skipped."""
    data = rows(4, output=["a", None, "b", "c"])
    seen: list[list[str]] = []

    def position(found: Sequence[EvalRecord]) -> list[Score]:
        seen.append([row.id for row in found])
        return [Score(float(at)) for at in range(len(found))]

    for report in await both(data, [Whole(position)]):
        values = [row.scores["whole"] for row in report.rows]
        assert values == [Score(0.0), Score(skipped="no output"), Score(1.0), Score(2.0)]
    assert seen == [["r0", "r2", "r3"]] * 2


@pytest.mark.parametrize(
    ("gives", "why"),
    [(lambda _: [Score(1.0)], "not one score a row"), (lambda _: 1 / 0, "ZeroDivisionError")],
)
def test_a_metric_over_all_rows_that_fails_is_an_error_of_each(gives: Any, why: str) -> None:
    """Never a score, and the other metrics go on."""
    report = evaluate(rows(3), [Whole(gives), WordCount()])
    assert report.summary["whole"].reasons == {why: 3}
    assert report.summary["words"].n == 3


async def test_an_error_on_one_row_leaves_the_others_alone() -> None:
    """Raised side by side, it ends nothing."""

    def fussy(row: EvalRecord) -> Score:
        if row.id == "r2":
            raise ValueError(row.answer)
        return Score(1.0)

    for report in await both(rows(5), [Asked(fussy)]):
        assert (report.summary["asked"].n, report.summary["asked"].reasons) == (4, {"ValueError": 1})


async def test_a_cancellation_from_inside_a_metric_is_an_error_of_its_row() -> None:
    """A library that cancels itself must not cost the row silently."""

    @dataclass(frozen=True)
    class Cancels(Asked):
        async def ascore(self, row: EvalRecord) -> Score:
            raise asyncio.CancelledError

    report = await aevaluate(rows(2), [Cancels(lambda _: Score(1.0)), WordCount()], concurrency=1)
    assert report.summary["asked"].reasons == {"CancelledError": 2}
    assert report.summary["words"].n == 2


async def test_evaluate_works_where_an_event_loop_runs() -> None:
    """A notebook has one."""
    report = evaluate(rows(3), [Asked(lambda _: Score(1.0)), WordCount()])
    assert report.summary["asked"].n == report.summary["words"].n == 3


async def test_a_cancelled_evaluation_ends_at_once_and_leaves_no_task() -> None:
    """Neither a judge that hangs nor a slow local metric holds it up."""
    begun = asyncio.Event()

    @dataclass(frozen=True)
    class Hangs(Asked):
        async def ascore(self, row: EvalRecord) -> Score:
            begun.set()
            await asyncio.Event().wait()
            return Score(1.0)

    task = asyncio.create_task(aevaluate(rows(3), [Hangs(lambda _: Score(1.0))]))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_stops_local_metrics_at_the_next_row() -> None:
    """What runs in a thread does not go on for ever."""
    seen, loop, has_begun = 0, asyncio.get_running_loop(), asyncio.Event()

    @dataclass(frozen=True)
    class Slow:
        name: str = "slow"
        needs: frozenset[str] = frozenset()
        higher_is_better: bool | None = None

        def score(self, row: EvalRecord) -> Score:
            nonlocal seen
            seen += 1
            loop.call_soon_threadsafe(has_begun.set)
            time.sleep(0.01)
            return Score(1.0)

    task = asyncio.create_task(aevaluate(rows(500), [Slow()]))
    await has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    after = seen
    await asyncio.sleep(0.05)
    assert seen <= after + 1


def test_an_interrupt_ends_it_while_judges_hang() -> None:
    """Ctrl-C in a terminal, and the process is gone."""
    code = """
import os, signal, threading, time
from tests.unit_tests.evaluation.test_scoring import Asked
from tests.unit_tests.evaluation.judges import rows
from langchain_prodkit.evaluation import evaluate
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    evaluate(rows(20), [Asked(lambda row: time.sleep(300))])
except KeyboardInterrupt:
    print("interrupted")
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False, env=os.environ
    )
    assert done.stdout.split() == ["interrupted"], done.stderr
    assert done.returncode in (0, -signal.SIGINT)


def test_ids_that_repeat_are_refused() -> None:
    """Scores are kept by id."""
    with pytest.raises(EvaluationError, match="1 of 3 rows have the same id"):
        evaluate([{"id": name, "question": "q"} for name in "aba"])


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True])
def test_a_concurrency_that_makes_no_sense_is_refused(concurrency: Any) -> None:
    """Before anything is scored."""
    with pytest.raises(ConfigurationError, match="concurrency"):
        evaluate(rows(1), concurrency=concurrency)


async def test_progress_counts_every_score(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """On the standard error stream, and only when asked for."""
    monkeypatch.setattr("langchain_prodkit.evaluation.progress.find_spec", lambda _: None)
    metrics: list[Any] = [
        Asked(lambda _: Score(1.0)),
        WordCount(),
        Whole(lambda found: [Score(1.0)] * len(found)),
    ]
    evaluate(rows(5), metrics)
    assert capsys.readouterr().err == ""
    evaluate(rows(5), metrics, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "scoring: 15 of 15"
    await aevaluate(rows(5), metrics, progress=True)
    assert capsys.readouterr().err.splitlines()[-1] == "scoring: 15 of 15"

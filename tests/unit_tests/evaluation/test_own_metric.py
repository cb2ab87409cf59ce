"""A function with a decorator is a metric, and what it gives is checked."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation import EvalRecord, Score, aevaluate, evaluate, metric

ROWS: list[dict[str, Any]] = [
    {"question": "a", "answer": "one", "ground_truth": "one"},
    {"question": "b", "answer": "two", "ground_truth": "three"},
    {"question": "c", "answer": None},
]


@metric
def says_one(row: EvalRecord) -> bool:
    """Tell whether the answer says one."""
    return "one" in row.answer


@metric(name="as.expected", needs={"output", "expected"}, higher_is_better=None)
async def as_expected(row: EvalRecord) -> float:
    """Compare, a moment later."""
    await asyncio.sleep(0)
    return float(row.output == row.expected)


def test_a_plain_function_becomes_a_metric() -> None:
    """Its name and its needs have sensible defaults, and it may still be called."""
    assert (says_one.name, says_one.needs) == ("says_one", frozenset({"output"}))
    assert says_one.higher_is_better is True
    assert says_one(EvalRecord(id="1", output="one")) is True
    scores = [row.scores["says_one"] for row in evaluate(ROWS, [says_one]).rows]
    assert scores == [Score(1.0), Score(0.0), Score(skipped="no output")]


async def test_an_async_function_works_in_both_worlds() -> None:
    """Awaited by `aevaluate`, run by `evaluate`, also inside a running loop as in a notebook."""
    expected = [Score(1.0), Score(0.0), Score(skipped="no expected, output")]
    for report in (evaluate(ROWS, [as_expected]), await aevaluate(ROWS, [as_expected])):
        assert [row.scores["as.expected"] for row in report.rows] == expected
    assert as_expected.score(EvalRecord(id="1", output="a", expected="a")).value == 1
    assert report.summary["as.expected"].higher_is_better is None


@pytest.mark.parametrize(
    ("given", "score"),
    [
        (True, Score(1.0)),
        (3, Score(3.0)),
        (np.float32(0.5), Score(0.5)),
        (np.bool_(True), Score(1.0)),
        (Score(0.25, rationale="so"), Score(0.25, rationale="so")),
        (Score(skipped="why"), Score(skipped="why")),
        (None, Score(skipped="the metric gave none")),
        ("0.5", Score(error="TypeError")),
        ([1], Score(error="TypeError")),
        (1j, Score(error="TypeError")),
        (float("nan"), Score(error="not a finite number")),
        (10**400, Score(error="OverflowError")),
        (Score(), Score(error="not a finite number")),
    ],
    ids=repr,
)
def test_what_a_function_gives_is_a_score_or_an_error_of_its_row(given: Any, score: Score) -> None:
    """Never the end of the evaluation, and never a silent zero."""
    report = evaluate(ROWS[:1], [metric(name="m")(lambda _: given)])
    assert report.rows[0].scores["m"] == score


def test_a_function_that_raises_on_one_row_scores_the_others() -> None:
    """The class of the error is kept, its message is not."""

    @metric
    def fragile(row: EvalRecord) -> float:
        if row.question == "a":
            raise KeyError(row.question)
        return 1

    summary = evaluate(ROWS, [fragile]).summary["fragile"]
    assert (summary.n, summary.errors, summary.skipped, summary.mean) == (1, 1, 1, 1.0)
    assert summary.reasons["KeyError"] == 1


@pytest.mark.parametrize(
    "arguments",
    [{"name": "a b"}, {"name": ""}, {"needs": "answr"}, {"needs": ("output", "golden")}],
    ids=repr,
)
def test_a_metric_that_could_never_run_is_refused_at_once(arguments: dict[str, Any]) -> None:
    """Not in the middle of an evaluation."""
    with pytest.raises(ConfigurationError):
        metric(**arguments)(lambda _: 1.0)
    with pytest.raises(ConfigurationError, match="name"):
        metric(lambda _: 1.0)

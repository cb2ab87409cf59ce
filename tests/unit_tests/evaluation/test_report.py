"""A metric that could not run shows, and never counts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pytest

from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation import EvalDataset, EvalRecord, Score, aevaluate, evaluate
from langchain_prodkit.evaluation.metrics import ExactMatch, Latency, WordCount

ROWS = EvalDataset(
    (
        EvalRecord(id="1", input="q", output="one two", expected="one two", latency_ms=10.0),
        EvalRecord(id="2", input="q", output="one two three four", latency_ms=30.0),
        EvalRecord(id="3", input="q", error="ValueError", latency_ms=1.0),
        EvalRecord(id="4", input="q"),
    )
)


@dataclass(frozen=True)
class Custom:
    """A metric of somebody's own: what `score` gives is up to the test."""

    gives: Any
    name: str = "custom"
    needs: frozenset[str] = frozenset()
    higher_is_better: bool | None = True

    def score(self, row: EvalRecord) -> Score:
        """Give a score, or raise."""
        if isinstance(self.gives, Exception):
            raise self.gives
        return self.gives(row) if callable(self.gives) else self.gives  # type: ignore[no-any-return]


def test_means_are_over_the_rows_scored_and_the_others_say_why_not() -> None:
    """Missing answers, missing references and failed runs never enter a mean."""
    report = evaluate(ROWS, [WordCount(), ExactMatch(), Latency()])
    words, exact, latency = report.summary.values()
    assert (words.mean, words.n, words.skipped) == (3, 2, 2)
    assert words.reasons == {"the run failed": 1, "no output": 1}
    assert (exact.mean, exact.n, exact.skipped) == (1, 1, 3)
    assert exact.reasons == {"no expected": 1, "the run failed": 1, "no expected, output": 1}
    assert (latency.mean, latency.n) == (20, 2)
    assert report.rows[1].scores["exact_match"] == Score(skipped="no expected")


def test_a_metric_that_could_run_nowhere_has_no_mean() -> None:
    """Not zero, not one: none."""
    summary = evaluate([{"question": "q", "answer": "a"}], [ExactMatch()]).summary["exact_match"]
    assert (summary.mean, summary.n, summary.skipped) == (None, 0, 1)


def test_a_metric_that_raises_on_one_row_is_an_error_of_that_row() -> None:
    """The others are scored, and the message of the error is not kept."""

    def fussy(row: EvalRecord) -> Score:
        if row.id == "2":
            raise ValueError(row.output)
        return Score(1.0)

    summary = evaluate(ROWS, [Custom(fussy)]).summary["custom"]
    assert (summary.mean, summary.n, summary.errors, summary.reasons) == (1, 3, 1, {"ValueError": 1})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_never_counts(value: Any) -> None:
    """NaN in a mean would make the whole metric vanish."""
    summary = evaluate(ROWS, [Custom(Score(value))]).summary["custom"]
    assert (summary.mean, summary.n, summary.errors) == (None, 0, 4)


def test_a_metric_that_returns_a_bare_number_is_an_error() -> None:
    """It says so on every row instead of breaking the evaluation."""
    assert evaluate(ROWS, [Custom(0.5)]).summary["custom"].reasons == {"AttributeError": 4}


@pytest.mark.parametrize(
    "metrics",
    [[], [WordCount], [object()], [WordCount(), WordCount()], [Custom(Score(1.0), name="no good!")]],
    ids=["none", "a class", "no metric", "twice", "name"],
)
def test_metrics_that_make_no_sense_are_refused(metrics: Any) -> None:
    """Before the first row is scored."""
    with pytest.raises(ConfigurationError):
        evaluate(ROWS, metrics)


def test_an_empty_data_set_is_refused() -> None:
    """A mean over nothing would look like a result."""
    with pytest.raises(EvaluationError, match="no rows"):
        evaluate([])


async def test_the_asynchronous_form_gives_the_same_report() -> None:
    """One body."""
    assert await aevaluate(ROWS) == evaluate(ROWS)


def test_the_table_for_people_shows_what_was_skipped() -> None:
    """A reader sees at once which metric says nothing."""
    text = evaluate(ROWS, [WordCount(), ExactMatch()]).to_markdown()
    assert "| words | 3.000 | 2.000 to 4.000 | 2 | 2 | 0 |" in text
    assert "no expected, output (1)" in text
    assert "4 rows" in text


def test_a_data_frame_has_a_column_for_each_score_and_reason() -> None:
    """Rows keep their order and their ids."""
    pytest.importorskip("pandas")
    frame = evaluate(ROWS, [ExactMatch()]).to_pandas()
    assert list(frame["id"]) == ["1", "2", "3", "4"]
    assert frame["exact_match/score"].iloc[0] == 1
    assert frame["exact_match/skipped"].iloc[1] == "no expected"


def test_reports_show_no_text_in_their_repr() -> None:
    """Reprs end up in logs."""
    assert "one two" not in repr(evaluate(ROWS))

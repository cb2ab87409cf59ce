"""The default metrics on whatever a chain may have answered: offline, typed, in linear time."""

from __future__ import annotations

import math
from typing import Any

import pytest

from langchain_prodkit.evaluation import EvalDataset, EvalRecord, default_metrics, evaluate

pytestmark = pytest.mark.disable_socket

ODD: list[Any] = [
    None, "", " \n\t", "\x00", "\ud800", "x", "'", "...", "I'm " * 50, "日本語の答え", "답변입니다", "الجواب",
    float("nan"), float("inf"), 0, -1.5, True, [], {}, [None], {"answer": None}, {"answer": ["a", {"b": 1}]},
    ["a", "b"], {"type": "ai", "content": [{"type": "text", "text": "hi"}]}, "e\u0301" * 40, "_" * 50, "🙂🙂",
    "\u2028".join("abc"), "http://x.y/" + "z" * 3_000, "1 2 3 4", "\uff46\uff55\uff4c\uff4c", "a_b" * 50,
    "İstanbul " * 20,
]  # fmt: skip


def test_every_odd_answer_has_a_score_or_a_reason() -> None:
    """No metric raises, and none gives NaN, whatever stands on either side."""
    rows = [
        EvalRecord.from_dict(
            {"id": str(number), "input": value, "output": value, "expected": expected, "contexts": ["text"],
             "metadata": {"relevant_ids": ["a"]}, "usage": {"input_tokens": 1}, "latency_ms": 1.0}
        )
        for number, (value, expected) in enumerate((one, other) for one in ODD for other in ("a b", one))
    ]  # fmt: skip
    report = evaluate(EvalDataset(tuple(rows)), default_metrics())
    for row in report.rows:
        for name, score in row.scores.items():
            assert score.error is None, (name, row.id)
            assert (score.value is None) == (score.skipped is not None), (name, row.id)
            assert score.value is None or math.isfinite(score.value), (name, row.id)


@pytest.mark.parametrize("metric", default_metrics(), ids=lambda metric: metric.name)
def test_a_failed_run_is_scored_by_no_metric_of_answers(metric: Any) -> None:
    """A metric that could not run says so, and has no number."""
    report = evaluate([EvalRecord(id="1", input="q", error="ValueError")], [metric])
    score = report.rows[0].scores[metric.name]
    assert score.skipped == "the run failed" if metric.needs else score.value == 1


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["The parcel arrives on Monday, they said. ", "a", "you are "], ids=repr)
def test_a_megabyte_is_scored_like_any_answer(unit: str) -> None:
    """Its metrics are linear in its length, or this would not end."""
    row = EvalRecord(id="1", input="q", output=unit * (1_000_000 // len(unit)), expected="to be read")
    scores = evaluate([row], default_metrics()).rows[0].scores
    assert all(score.error is None for score in scores.values())
    assert scores["words"].value

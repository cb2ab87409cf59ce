"""What each local metric measures."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.evaluation import EvalRecord, Metric, Score, default_metrics
from langchain_prodkit.evaluation.metrics import (
    AutomatedReadability,
    EmptyAnswer,
    ExactMatch,
    Failure,
    FleschKincaid,
    Latency,
    ModelCalls,
    Refusal,
    RougeL,
    TimeToFirstToken,
    Tokens,
    WordCount,
)

EASY = "The cat sat on the mat. It was a red mat."
HARD = (
    "Notwithstanding the aforementioned considerations, the organisation's administrative "
    "responsibilities necessitate comprehensive documentation of interdepartmental communication."
)


def score(metric: Metric, output: Any, **fields: Any) -> float:
    """Score one answer."""
    value = metric.score(EvalRecord(id="1", output=output, **fields)).value
    assert value is not None
    return value


def test_words_are_counted_as_people_count_them() -> None:
    """Apostrophes and hyphens stay inside a word, punctuation is none."""
    assert score(WordCount(), "It's a well-known fact - really!") == 5
    assert score(WordCount(), "도착했어요 오늘") == 2


def test_the_automated_readability_index_follows_its_formula() -> None:
    """31 characters, 11 words and 2 sentences, counted by hand; the full stops are characters."""
    expected = 4.71 * 31 / 11 + 0.5 * 11 / 2 - 21.43
    assert math.isclose(score(AutomatedReadability(), EASY), expected)


def test_the_flesch_kincaid_grade_follows_its_formula() -> None:
    """11 words of one syllable each in 2 sentences."""
    expected = 0.39 * 11 / 2 + 11.8 * 11 / 11 - 15.59
    assert math.isclose(score(FleschKincaid(), EASY), expected)


def test_grades_are_those_of_textstat() -> None:
    """The index to 1e-6 on any text, the grade, whose syllables are counted by rule, to 0.7 on average."""
    rows = json.loads((Path(__file__).parent / "readability_grades.json").read_text())["rows"]
    assert len(rows) >= 30
    for row in rows:
        assert score(AutomatedReadability(), row["text"]) == pytest.approx(row["ari"], abs=1e-6)
    apart = [abs(score(FleschKincaid(), row["text"]) - row["flesch_kincaid"]) for row in rows]
    assert sum(apart) / len(apart) < 0.7


@pytest.mark.parametrize(
    ("word", "syllables"),
    [
        ("make", 1), ("makes", 1), ("table", 2), ("wanted", 2), ("walked", 1), ("parcel", 2), ("the", 1),
        ("evaluation", 4), ("rhythm", 1), ("banana", 3), ("sky", 1), ("tables", 2), ("hmm", 1),
    ],
)  # fmt: skip
def test_syllables_of_common_words(word: str, syllables: int) -> None:
    """By rule, so not every word: those people write every day."""
    grade = score(FleschKincaid(), word)
    assert math.isclose((grade + 15.59 - 0.39) / 11.8, syllables)


@pytest.mark.parametrize("metric", [AutomatedReadability(), FleschKincaid()])
def test_hard_texts_grade_higher(metric: Metric) -> None:
    """The order is what a reader relies on."""
    assert score(metric, HARD) > score(metric, EASY) + 10


@pytest.mark.parametrize("metric", [AutomatedReadability(), FleschKincaid()])
@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "no words"), ("...", "no words"), ("주문이 늦어요", "not in Latin script")],
)
def test_a_grade_that_would_mean_nothing_is_skipped(metric: Metric, text: str, reason: str) -> None:
    """No text and other scripts have no US school grade."""
    assert metric.score(EvalRecord(id="1", output=text)) == Score(skipped=reason)


def test_exact_match_minds_words_and_not_spaces() -> None:
    """Case counts unless told otherwise; objects compare by value."""
    assert score(ExactMatch(), " a  b\n", expected="a b") == 1
    assert score(ExactMatch(), "A b", expected="a b") == 0
    assert score(ExactMatch(ignore_case=True), "A b", expected="a b") == 1
    assert score(ExactMatch(), {"n": 1}, expected={"n": 1}) == 1
    assert score(ExactMatch(), {"answer": "yes"}, expected="yes") == 1


def _slow_rouge(left: list[str], right: list[str]) -> float:
    @lru_cache(None)
    def common(i: int, j: int) -> int:
        if i == len(left) or j == len(right):
            return 0
        if left[i] == right[j]:
            return 1 + common(i + 1, j + 1)
        return max(common(i + 1, j), common(i, j + 1))

    return 2 * common(0, 0) / (len(left) + len(right))


@given(
    st.lists(st.sampled_from("abcde"), max_size=14),
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=14),
)
def test_rouge_l_equals_the_textbook(left: list[str], right: list[str]) -> None:
    """The bit-parallel form and the recursion of the definition agree on any two texts."""
    assert math.isclose(score(RougeL(), " ".join(left), expected=" ".join(right)), _slow_rouge(left, right))


def test_rouge_l_stands_very_long_texts() -> None:
    """A megabyte against a page, without quadratic time."""
    long = "one two three four five six seven eight nine ten " * 20_000
    assert 0 < score(RougeL(), long, expected=EASY * 20 + " seven") < 0.01


def test_rouge_l_without_expected_words_is_skipped() -> None:
    """There is nothing to find."""
    assert RougeL().score(EvalRecord(id="1", output="a", expected="...")).skipped == "no words expected"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I am unable to assist with this request.",
        "I\u2019m sorry, I cannot provide that information.",
        "As an AI, I have no opinion.",
        "I don't have enough information to say.",
        "죄송하지만 도와드릴 수 없습니다.",
    ],
)
def test_refusals_are_seen(text: str) -> None:
    """However politely."""
    assert score(Refusal(), text) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Your parcel arrives tomorrow.",
        "If you cannot open the box, call us.",
        "The shop can't ship batteries by air.",
        "x" * 400 + " I cannot help with that",
    ],
)
def test_answers_are_no_refusals(text: str) -> None:
    """Words of refusal about something else, or late in the text, do not count."""
    assert score(Refusal(), text) == 0


def test_outcomes() -> None:
    """Failed, empty, or neither."""
    assert Failure().score(EvalRecord(id="1", error="ValueError")).value == 1
    assert score(Failure(), "a") == 0
    assert Failure().score(EvalRecord(id="1")).skipped == "no output"
    assert (score(EmptyAnswer(), " \n"), score(EmptyAnswer(), "a")) == (1, 0)


def test_costs_are_taken_from_the_record() -> None:
    """As recorded, in milliseconds, tokens and calls."""
    costs: Any = {"latency_ms": 12.5, "ttft_ms": 3.0, "model_calls": 2, "usage": {"total_tokens": 7}}
    metrics: list[Metric] = [Latency(), TimeToFirstToken(), ModelCalls(), Tokens()]
    assert [score(metric, "a", **costs) for metric in metrics] == [12.5, 3, 2, 7]
    assert (
        Tokens("input_tokens").score(EvalRecord(id="1", usage={"total_tokens": 7})).skipped
        == "no input_tokens"
    )


def test_the_default_metrics_have_names_of_their_own() -> None:
    """So that they can all stand in one report."""
    names = [metric.name for metric in default_metrics()]
    assert len(set(names)) == len(names) >= 10

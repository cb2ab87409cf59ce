"""Checks say of one answer whether it may stand, quickly and without a word of its text."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage

from langchain_prodkit.errors import ConfigurationError, SerializationError
from langchain_prodkit.evaluation import (
    CheckResult,
    Context,
    EvalRecord,
    ForbiddenPattern,
    GroundedNumbers,
    MatchesPattern,
    MaxChars,
    MaxWords,
    NoRefusal,
    NotEmpty,
    OutputCheckRunnable,
    check,
    metric_check,
)
from langchain_prodkit.evaluation.checks import FunctionCheck, checked_names, run_checks
from langchain_prodkit.evaluation.metrics import RougeL, WordCount
from langchain_prodkit.evaluation.plain import plain


def row(output: Any, *contexts: str, question: str = "") -> EvalRecord:
    """Make a row of an answer and what the chain had read."""
    return EvalRecord("1", question, plain(output), contexts=tuple(map(Context, contexts)))


@check
def cites(record: EvalRecord) -> bool:
    """Point to a source."""
    return "[source" in record.answer


@pytest.mark.parametrize(
    ("item", "good", "bad", "reason"),
    [
        (NotEmpty(), "x", " \n", "empty"),
        (
            NotEmpty(),
            AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}]),
            AIMessage(""),
            "empty",
        ),
        (MaxWords(max_words=3), "one two three", "one two three four", "too_long"),
        (MaxChars(max_chars=3), "abc", "abcd", "too_long"),
        (MaxChars(max_chars=9, min_chars=2), "ab", "a", "too_short"),
        (NoRefusal(), "Yes, you can.", "I'm sorry, but I can't help with that.", "refusal"),
        (MatchesPattern(pattern=r"#\d+"), "order #7", "order seven", "no_match"),
        (ForbiddenPattern(pattern="acme", ignore_case=True), "ours", "ACME has it", "match"),
        (cites, "so [source 1]", "so", ""),
        (metric_check(WordCount(), max=2), "a b", "a b c", "too_high"),
        (metric_check(WordCount(), min=2), "a b", "a", "too_low"),
        (
            metric_check(RougeL(), min=0.5, on_skip="pass"),
            "a",
            EvalRecord("1", output="b", expected="a"),
            "too_low",
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_ready_check_tells_good_from_bad(item: Any, good: Any, bad: Any, reason: str) -> None:
    """And says why with a fixed code."""
    failed = item.check(bad if isinstance(bad, EvalRecord) else row(bad))
    assert item.check(row(good)).passed
    assert (failed.passed, failed.reason) == (False, reason)


@pytest.mark.parametrize(
    ("answer", "context"),
    [
        ("It costs 1,200 euros.", "The price is 1200 EUR."),
        ("It costs 1.200 Euro.", "Preis: 1200"),
        ("It is 3.50.", "3.5 each"),
        ("It is 3,5 kg.", "3.5 kg"),
        ("Within 3 days.", "It takes three days."),
        ("Room for 25.", "twenty-five guests"),
        ("2.5 million users", "2,500,000 users"),
        ("On 1.5.2024.", "On May 1, 2024"),
        ("On 2024-05-01.", "May 1, 2024"),
        ("At 09:30", "from 9:30 on"),
        ("1. Open it.\n2. Close it.\nAs in [3].", "Open and close."),
        ("5%", "5 percent"),
        ("12 345 people", "12345"),
        ("The 10th time", "10 times"),
        ("3만원입니다", "가격은 30000원"),
        ("No number here.", "Nor 7 here."),
        ("You asked for 8.", "Nothing."),
    ],
)
def test_a_number_may_be_written_another_way(answer: str, context: str) -> None:
    """What a reader takes for the same number is the same."""
    assert GroundedNumbers().check(row(answer, context, question="Give me 8 of them")).passed


@pytest.mark.parametrize(
    ("answer", "context"),
    [
        ("Within 4 days.", "It takes three days."),
        ("It costs 1,250.", "It costs 1,200."),
        ("In 2023.", "On May 1, 2024"),
        ("3.5 million", "2.5 million"),
        ("15 %", "5 %"),
        ("0.5", "5"),
    ],
)
def test_a_number_that_stands_nowhere_is_found(answer: str, context: str) -> None:
    """However near another one is."""
    result = GroundedNumbers().check(row(answer, context))
    assert (result.passed, result.reason, result.value) == (False, "unknown_number", 1.0)


def test_without_contexts_numbers_pass_unless_they_are_asked_for() -> None:
    """There is nothing to compare with."""
    assert GroundedNumbers().check(row("7")).passed
    assert GroundedNumbers(needs_contexts=True).check(row("7")).reason == "no_contexts"
    assert GroundedNumbers(max_unknown=1).check(row("7 and 8", "8")).passed


def test_a_metric_that_cannot_run_fails_its_check() -> None:
    """Unless somebody says that it may pass; a metric's own error never passes."""
    assert metric_check(RougeL(), min=0.1).check(row("a")) == CheckResult(passed=False, reason="skipped")
    assert metric_check(RougeL(), min=0.1, on_skip="pass").check(row("a")).passed
    with pytest.raises(ConfigurationError):
        metric_check(RougeL())
    with pytest.raises(ConfigurationError):
        metric_check(RougeL(), min=2, max=1)


def test_a_check_that_raises_has_failed_and_no_text_leaves() -> None:
    """The reason is a code, or it is left out."""

    @check(name="careless")
    def careless(record: EvalRecord) -> CheckResult:
        return CheckResult(passed=False, reason=f"bad words in {record.answer}")

    @check
    def broken(record: EvalRecord) -> bool:
        raise ValueError(record.answer)

    class Odd:
        name = "odd"

        def check(self, row: EvalRecord) -> Any:
            """Answer with nothing."""

    outcome = run_checks([careless, broken, Odd(), NotEmpty()], row("I am Ada"))
    assert outcome.failed == ("careless", "broken", "odd")
    assert outcome.reasons == ("careless", "broken:error", "odd:error")
    assert outcome.errors == 2
    assert "Ada" not in repr(outcome)


@pytest.mark.parametrize(
    "checks",
    [[len], [NotEmpty], [NotEmpty(), NotEmpty()], NotEmpty(), [FunctionCheck], ["not_empty"]],
    ids=["function", "class", "twice", "bare", "maker", "name"],
)
def test_what_is_no_check_is_refused_at_once(checks: Any) -> None:
    """Not at the first answer."""
    with pytest.raises(ConfigurationError):
        checked_names(checks)


@pytest.mark.parametrize("name", ["", "with space", "é", "1st", "x" * 65])
def test_a_name_is_fit_for_tables(name: str) -> None:
    """Letters, digits and a few marks."""
    with pytest.raises(ConfigurationError):
        FunctionCheck(len, name)  # type: ignore[arg-type]


def test_a_broken_pattern_is_refused_at_once() -> None:
    """With an error of ours."""
    with pytest.raises(ConfigurationError, match="ForbiddenPattern"):
        ForbiddenPattern(pattern="(")


def test_checks_travel() -> None:
    """Ready ones as JSON too; functions, found by name, as pickles."""
    guard = OutputCheckRunnable([MaxWords(max_words=3), ForbiddenPattern(pattern="x+", name="no_x")])
    back = loads(
        dumps(guard),
        allowed_objects=[OutputCheckRunnable, MaxWords, ForbiddenPattern],
        valid_namespaces=["langchain_prodkit"],
    )
    assert back.checks == guard.checks
    assert back.check("a b c d xx").failed == ("max_words", "no_x")
    pickled = pickle.loads(pickle.dumps(OutputCheckRunnable([cites, metric_check(WordCount(), max=2)])))  # noqa: S301
    assert pickled.checks[0] is cites
    assert pickled.check("a b c").failed == ("cites", "words")
    assert cites(row("[source 1]")) is True
    with pytest.raises(SerializationError):
        dumps(OutputCheckRunnable([cites]))

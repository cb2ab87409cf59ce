"""What the gate says, and that it never says PASS where it cannot know."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import pytest

from langchain_prodkit.errors import BaselineError, ConfigurationError
from langchain_prodkit.evaluation import (
    JUDGE_DOWN,
    Baseline,
    EvalReport,
    Gate,
    Outcome,
    Score,
    Threshold,
    bootstrap,
    evaluate,
)
from tests.unit_tests.evaluation.gated import bits, report

PASS, FAIL, INCONCLUSIVE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE


def flipped(good: int, n: int, share: float, seed: int) -> list[float]:
    """Give verdicts of a judge that errs in a share of them."""
    chance = random.Random(seed)
    return [abs(value - (chance.random() < share)) for value in bits(good, n)]


def test_the_same_scores_pass_with_p_1() -> None:
    """Cached verdicts make an A/A comparison exact."""
    for n, good in ((30, 0), (30, 30), (100, 80)):
        same = report({"m": bits(good, n)})
        result = Gate(baseline=same).check(same)
        assert (result.verdict, result["m"].p, result["m"].difference) == (PASS, 1.0, 0.0)
        assert result.exit_code == 0


def test_twenty_points_are_found_and_named() -> None:
    """FAIL, with the difference, its interval and the chance of it."""
    result = Gate(baseline=report({"m": bits(80, 100)})).check(report({"m": bits(60, 100)}))
    item = result["m"]
    assert (result.verdict, result.exit_code, item.pairs) == (FAIL, 1, 100)
    assert item.difference == pytest.approx(-0.2)
    assert item.interval is not None
    assert item.interval[0] < -0.2 < item.interval[1] < 0
    assert item.p is not None
    assert item.p < 0.001
    assert item.mean == pytest.approx(0.6)
    assert item.baseline_mean == pytest.approx(0.8)


def test_false_alarms_are_rare_and_large_drops_are_found() -> None:
    """A few hundred judged evaluations: benchmarks/_evaluation_gate.py has thousands."""
    told: dict[int, list[Outcome]] = {80: [], 60: []}
    for seed in range(80):
        before = report({"m": flipped(80, 100, 0.1, 2 * seed)})
        for good, verdicts in told.items():
            after = report({"m": flipped(good, 100, 0.1, 2 * seed + 1)})
            verdicts.append(Gate(baseline=before, draws=400).check(after).verdict)
    assert told[80].count(FAIL) <= 0.1 * 80
    assert told[80].count(PASS) >= 0.8 * 80
    assert told[60].count(FAIL) >= 0.8 * 80


def test_lower_is_better_where_the_metric_says_so() -> None:
    """A rise of failures is a drop of quality, and a fall is none."""
    few, many = (report({"m": bits(good, 100)}, directions={"m": False}) for good in (10, 40))
    assert Gate(baseline=few).check(many).verdict is FAIL
    better = Gate(baseline=many).check(few)
    assert better.verdict is PASS
    assert better["m"].difference == pytest.approx(-0.3)


def test_a_drop_that_is_tolerated_passes() -> None:
    """`max_drop` is in the metric's units, for all or by name."""
    before, after = report({"m": bits(90, 100)}), report({"m": bits(80, 100)})
    assert Gate(baseline=before).check(after).verdict is FAIL
    tolerant = Gate(baseline=before, max_drop={"m": 0.2}).check(after)
    assert tolerant.verdict is PASS
    detectable = tolerant["m"].detectable
    assert detectable is not None
    assert detectable > 0.2
    assert Gate(baseline=before, max_drop={"other": 0.2}).check(after).verdict is FAIL


def test_what_may_be_chance_is_inconclusive() -> None:
    """Three rows of a hundred went down and none up: too rare to be nothing, too common to be proof."""
    before, after = report({"m": bits(83, 100)}), report({"m": bits(80, 100)})
    result = Gate(baseline=before).check(after)
    assert (result.verdict, result.exit_code) == (INCONCLUSIVE, 2)
    assert "perhaps worse" in result.reasons[0]


def test_few_rows_decide_nothing() -> None:
    """Not even when all of them are wrong; the number is the caller's to choose."""
    before, after = report({"m": bits(20, 20)}), report({"m": bits(0, 20)})
    result = Gate(baseline=before).check(after)
    assert result.verdict is INCONCLUSIVE
    assert "20 rows can be compared, fewer than 30" in result.reasons[0]
    assert Gate(baseline=before, min_rows=20).check(after).verdict is FAIL
    assert Gate({"m": Threshold(min=0.5)}).check(after).verdict is INCONCLUSIVE


def test_rows_that_could_hide_a_large_drop_are_inconclusive() -> None:
    """Thirty noisy rows prove nothing by being quiet; who accepts that says so."""
    chance = random.Random(1)
    before = report({"m": [float(chance.random() < 0.7) for _ in range(30)]})
    after = report({"m": [float(chance.random() < 0.8) for _ in range(30)]})
    result = Gate(baseline=before).check(after)
    assert result.verdict is INCONCLUSIVE
    assert "could hide" in result.reasons[0]
    assert Gate(baseline=before, max_unseen=None).check(after).verdict is PASS


def test_many_metrics_share_one_chance_of_a_false_alarm() -> None:
    """Ten noisy metrics would cry wolf in two of five sessions, were each tested alone."""
    alarms = []
    for seed in range(40):
        before, after = (
            report({f"m{at}": flipped(80, 100, 0.1, 1000 * seed + 10 * side + at) for at in range(10)})
            for side in (0, 5)
        )
        alarms.append(Gate(baseline=before, draws=400).check(after).verdict is FAIL)
    assert sum(alarms) <= 6


@pytest.mark.parametrize("why", [Score(skipped="no tokenizer"), Score(error="ValueError")])
def test_a_metric_that_ran_nowhere_never_passes(why: Score) -> None:
    """Against a threshold, against a baseline, and beside metrics that are fine."""
    scored = report({"m": bits(90, 100), "ok": bits(90, 100)})
    broken = report({"m": [why] * 100, "ok": bits(90, 100)})
    for gate in (Gate({"m": Threshold(min=0.1)}), Gate(baseline=scored)):
        result = gate.check(broken)
        assert result["m"].verdict is INCONCLUSIVE
        assert result.verdict is INCONCLUSIVE
        assert "could run on no row" in " ".join(result.reasons)
    absent = Gate(baseline=scored).check(report({"ok": bits(90, 100)}))
    assert absent["m"].reasons == ("not in the report",)
    assert absent.verdict is INCONCLUSIVE


def test_an_error_on_every_row_then_and_now_never_passes() -> None:
    """A metric that has always been broken is broken."""
    broken = report({"m": [Score(error="ValueError")] * 50, "ok": bits(50, 50)})
    assert Gate(baseline=broken).check(broken).verdict is INCONCLUSIVE


def test_a_metric_whose_column_nobody_has_is_named_and_left_out() -> None:
    """Default metrics on rows without a reference: the others are gated."""
    rows = [{"id": str(row), "input": "q", "output": f"An answer, number {row}."} for row in range(40)]
    scored = evaluate(rows)
    result = Gate(baseline=scored).check(scored)
    assert result.verdict is PASS
    assert {"exact_match", "words", "latency_ms"} <= result.ungated.keys()
    assert "no expected" in result.ungated["exact_match"]
    assert {"failure", "empty_answer"} <= {item.name for item in result.metrics}


def test_nothing_gated_is_no_pass() -> None:
    """An empty list of metrics holds nothing."""
    words = report({"words": [1.0] * 50}, directions={"words": None})
    result = Gate(baseline=words).check(words)
    assert (result.verdict, result.reasons) == (INCONCLUSIVE, ("no metric was gated",))


def test_rows_that_lost_their_score_cannot_hide_a_drop() -> None:
    """Twenty failed runs leave eighty perfect rows; PASS must stand with the worst score for each."""
    before = report({"m": bits(100, 100)})
    failed: list[float | Score] = [*bits(80, 80), *[Score(skipped="the run failed")] * 20]
    result = Gate(baseline=before).check(report({"m": failed}))
    assert (result.verdict, result["m"].lost, result["m"].pairs) == (INCONCLUSIVE, 20, 80)
    assert "20 rows lost their score" in result.reasons[0]
    two: list[float | Score] = [*bits(98, 98), *[Score(error="ValueError")] * 2]
    assert Gate(baseline=before).check(report({"m": two})).verdict is PASS
    held = Gate({"m": Threshold(min=0.9)}).check(report({"m": failed}))
    assert held.verdict is INCONCLUSIVE
    assert "20 rows have no score" in held.reasons[0]


def test_rows_that_a_metric_is_not_for_do_not_count() -> None:
    """Half of the rows have no reference: the other half is judged."""
    half: list[float | Score] = [*bits(50, 50), *[Score(skipped="no expected")] * 50]
    result = Gate({"m": Threshold(min=0.9)}).check(report({"m": half}))
    assert (result.verdict, result["m"].n, result["m"].lost) == (PASS, 50, 0)


@pytest.mark.parametrize("why", [Score(skipped=JUDGE_DOWN), Score(error=f"{JUDGE_DOWN}: APIError")])
def test_a_dead_judge_has_a_flag_of_its_own(why: Score) -> None:
    """No fault of the answers, and no pass; a real failure is still one."""
    gate = Gate({"words": Threshold(max=5, on="mean")})
    dead = report({"faithfulness": [why] * 40, "words": [3.0] * 40})
    result = gate.check(dead)
    assert (result.judge_down, result.verdict, result["words"].verdict) == (True, INCONCLUSIVE, PASS)
    long = report({"faithfulness": [why] * 40, "words": [9.0] * 40})
    assert gate.check(long).verdict is FAIL
    one: list[float | Score] = [*[1.0] * 39, Score(error=f"{JUDGE_DOWN}: APIError")]
    assert not gate.check(report({"faithfulness": one, "words": [3.0] * 40})).judge_down


@pytest.mark.parametrize(
    ("threshold", "good", "verdict"),
    [
        (Threshold(min=0.8), 95, PASS),
        (Threshold(min=0.8), 82, INCONCLUSIVE),
        (Threshold(min=0.8), 70, FAIL),
        (Threshold(min=0.8, on="mean"), 82, PASS),
        (Threshold(min=0.8, on="mean"), 79, FAIL),
        (Threshold(max=0.3), 10, PASS),
        (Threshold(max=0.3), 28, INCONCLUSIVE),
        (Threshold(max=0.3), 40, FAIL),
        (Threshold(min=0.3, max=0.7), 50, PASS),
        (Threshold(min=0.3, max=0.7), 90, FAIL),
    ],
)
def test_thresholds_hold_the_interval_or_the_mean(threshold: Threshold, good: int, verdict: Outcome) -> None:
    """Whatever the direction: a bound is a bound."""
    result = Gate({"m": threshold}).check(report({"m": bits(good, 100)}, directions={"m": None}))
    assert result.verdict is verdict


def test_time_and_money_are_compared_only_when_named() -> None:
    """A slower machine is no worse application."""
    before, after = (
        report({"latency_ms": [float(ms)] * 50, "m": bits(40, 50)}, directions={"latency_ms": False})
        for ms in (100, 130)
    )
    assert Gate(baseline=before).check(after).verdict is PASS
    named = Gate(baseline=before, metrics=["latency_ms"]).check(after)
    assert (named.verdict, [item.name for item in named.metrics]) == (FAIL, ["latency_ms"])
    assert Gate(baseline=before, metrics=["latency_ms"], max_drop=50).check(after).verdict is PASS


def test_a_baseline_of_other_questions_is_refused_with_counts() -> None:
    """Ids that are missing, ids that are new, and questions that changed under the same id."""
    before = report({"m": bits(50, 60)})
    fewer = report({"m": bits(50, 50)}, ids=[*(f"q{row}" for row in range(45)), *"abcde"])
    with pytest.raises(BaselineError, match="15 of its 60 rows are missing here, 5 rows here are new"):
        Gate(baseline=before).check(fewer)
    other = evaluate([{"id": f"q{row}", "input": "other", "output": "a"} for row in range(60)])
    with pytest.raises(BaselineError, match="the ids are the same") as caught:
        Gate(baseline=before).check(other)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"baseline": 3},
        {"thresholds": {"m": 0.5}},
        {"thresholds": {"m": Threshold(min=0)}, "metrics": ["m"]},
        {"max_drop": -1.0},
        {"max_drop": float("nan")},
        {"alpha": 0.0},
        {"alpha": 0.6},
        {"min_rows": 0},
        {"draws": 10},
        {"seed": -1},
        {"max_unseen": 0.0},
        {"metrics": "m"},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any]) -> None:
    """When the gate is made."""
    if settings and "thresholds" not in settings and "baseline" not in settings:
        settings = {"baseline": report({"m": bits(1, 2)}), **settings}
    with pytest.raises(ConfigurationError):
        Gate(**settings)


@pytest.mark.parametrize(
    "bounds", [{}, {"min": 2.0, "max": 1.0}, {"min": float("nan")}, {"min": 1, "on": "x"}]
)
def test_thresholds_that_make_no_sense_are_refused(bounds: dict[str, Any]) -> None:
    """A bound that nothing can miss, or nothing can meet."""
    with pytest.raises(ConfigurationError):
        Threshold(**bounds)


def test_a_metric_without_a_better_side_needs_a_threshold() -> None:
    """More words are neither better nor worse."""
    words = report({"words": [3.0] * 40}, directions={"words": None})
    with pytest.raises(ConfigurationError, match="needs a threshold"):
        Gate(baseline=words, metrics=["words"]).check(words)


def test_the_verdict_is_the_same_with_and_without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It makes the same draws, only faster."""
    pytest.importorskip("numpy")
    chance = random.Random(5)
    gaps = [round(chance.gauss(-0.05, 0.3), 2) for _ in range(40)]
    quick = bootstrap.Resampler(draws=2000, seed=7).drop(gaps, tolerated=0.01, alpha=0.05)
    monkeypatch.setattr(bootstrap, "_numpy", lambda: None)
    plain = bootstrap.Resampler(draws=2000, seed=7).drop(gaps, tolerated=0.01, alpha=0.05)
    assert (plain.p, plain.low, plain.high) == pytest.approx((quick.p, quick.low, quick.high))


def test_more_rows_show_smaller_drops() -> None:
    """What can be seen shrinks with rows and grows with noise and with the number of tests."""
    sizes: list[Any] = [
        bootstrap.detectable_drop(n=n, variance=0.18, width=1.0, alpha=0.05) for n in (30, 100, 1000)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[1] == pytest.approx(0.13, abs=0.02)
    noisy: Any = bootstrap.detectable_drop(n=100, variance=0.4, width=1.0, alpha=0.05)
    strict: Any = bootstrap.detectable_drop(n=100, variance=0.4, width=1.0, alpha=0.005)
    assert sizes[1] < noisy < strict
    assert bootstrap.detectable_drop(n=100, variance=0.0, width=0.0, alpha=0.05) is None


def test_nothing_of_the_rows_is_shown() -> None:
    """Tables, reasons and reprs hold names and numbers; a pipe in a name breaks no table."""
    before, after = report({"m": bits(80, 100)}), report({"m": bits(60, 100)})
    gate = Gate({"m": Threshold(min=0.9)}, baseline=before)
    result = gate.check(after)
    shown = (
        result.to_markdown() + repr(result) + repr(gate) + repr(Baseline.of(before)) + str(result.to_dict())
    )
    assert "secret" not in shown
    assert "| m | FAIL | 0.600 | 0.800 | -0.200 |" in result.to_markdown()
    assert result.to_dict()["metrics"][0]["verdict"] == "FAIL"


def test_a_gate_imports_nothing_heavy() -> None:
    """Numpy is used when it is there and the gate checks, not before."""
    code = (
        "import sys; from langchain_prodkit.evaluation import Gate, Baseline; "
        "print(*{'numpy', 'pandas', 'mlflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == ""


def test_reports_of_any_origin_are_gated_alike(tmp_path: Any) -> None:
    """A report in memory, one that was saved without its texts, and its baseline."""
    before, after = report({"m": bits(80, 100)}), report({"m": bits(60, 100)})
    loaded = EvalReport.load(after.save(tmp_path / "after.json", texts=False))
    path = Baseline.of(before).save(tmp_path / "base.json")
    saved = before.save(tmp_path / "before.json", texts=False)
    results = [
        Gate(baseline=base).check(now)
        for base in (before, Baseline.of(before), path, str(path), saved)
        for now in (after, loaded)
    ]
    assert all(result == results[0] for result in results)

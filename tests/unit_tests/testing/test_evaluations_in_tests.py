"""`prodkit_eval`: what tests evaluate is one report, and a baseline fails the session that is worse."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from langchain_prodkit.evaluation import Threshold
from langchain_prodkit.evaluation.metrics import EmptyAnswer, ExactMatch
from langchain_prodkit.testing import evaluations
from langchain_prodkit.testing.evaluations import Collected, Evaluator

pytest_plugins = ["pytester"]

SUITE = """
import pytest
from langchain_prodkit.evaluation import Threshold
from langchain_prodkit.evaluation.metrics import ExactMatch, EmptyAnswer

@pytest.fixture(scope="session")
def prodkit_gate():
    return {"min_rows": 30}

def rows(good, n):
    return [{"input": f"q{i}", "output": "a" if i < good else "b", "expected": "a"} for i in range(n)]

@pytest.mark.parametrize("question", ["a private question", "another one"])
def test_answers(prodkit_eval, question):
    report = prodkit_eval(rows(GOOD, 20), [ExactMatch()])
    assert len(report.rows) == 20

def test_more(prodkit_eval):
    prodkit_eval(rows(30, 30), [ExactMatch(), EmptyAnswer()])
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Give a folder in which tests can be run."""
    others = ("cacheprovider", "randomly", "asyncio", "anyio", "langsmith_plugin", "hypothesispytest")
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(f"-p no:{name}" for name in others))
    # A session inside this one forgets what it imported, and numpy cannot be imported twice.
    assert {np.__name__, evaluations.__name__} <= sys.modules.keys()
    return pytester


def write(suite: pytest.Pytester, good: int) -> None:
    """Write tests over seventy rows, `good` of twenty right in two of them."""
    suite.makepyfile(test_suite=SUITE.replace("GOOD", str(good)))


def test_a_session_is_held_against_its_baseline(suite: pytest.Pytester) -> None:
    """Written once, met by the same answers, missed by worse ones; the tests themselves pass."""
    write(suite, 20)
    made = suite.runpytest("--prodkit-baseline=base.json", "--prodkit-update-baseline")
    assert made.ret == pytest.ExitCode.OK
    made.stdout.fnmatch_lines(["baseline base.json written: 70 rows"])
    text = (suite.path / "base.json").read_text()
    assert "private" not in text
    same = suite.runpytest("--prodkit-baseline=base.json", "--prodkit-report=report.json")
    assert same.ret == pytest.ExitCode.OK
    same.stdout.fnmatch_lines(["*Evaluation gate: PASS*", "*| exact_match | PASS |*"])
    assert len(json.loads((suite.path / "report.json").read_text())["rows"]) == 70
    write(suite, 8)
    worse = suite.runpytest("--prodkit-baseline=base.json")
    assert worse.ret == pytest.ExitCode.TESTS_FAILED
    worse.assert_outcomes(passed=3)
    worse.stdout.fnmatch_lines(["*Evaluation gate: FAIL*"])


def test_what_workers_collect_becomes_one_report() -> None:
    """Rows, scores, directions and settings survive the way between processes as text."""
    total = Collected()
    for worker in range(2):
        part = Collected()
        part.settings = {"thresholds": {"exact_match": Threshold(min=0.5)}, "min_rows": 2}
        Evaluator(part, f"test_{worker}.py::test[a private question]")(
            [{"input": "q", "output": "a", "expected": "a"}], [ExactMatch()] if worker else [EmptyAnswer()]
        )
        total.take(part.to_json())
    assert total.settings["thresholds"] == {"exact_match": Threshold(min=0.5)}
    report = total.report()
    assert [row.id.partition("[")[0] for row in report.rows] == ["test_0.py::test", "test_1.py::test"]
    assert "private" not in str([row.id for row in report.rows])
    assert (report.summary["exact_match"].n, report.summary["empty_answer"].n) == (1, 1)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_workers_of_xdist_are_one_session(suite: pytest.Pytester) -> None:
    """Rows come back from the processes that scored them."""
    write(suite, 20)
    suite.runpytest("--prodkit-baseline=base.json", "--prodkit-update-baseline")
    alone = (suite.path / "base.json").read_text()
    done = suite.runpytest_subprocess("-n1", "--prodkit-baseline=two.json", "--prodkit-update-baseline")
    assert done.ret == pytest.ExitCode.OK
    assert json.loads((suite.path / "two.json").read_text()) == json.loads(alone)


def test_a_test_may_have_thresholds_of_its_own(suite: pytest.Pytester) -> None:
    """It fails with names and numbers, and so does one with too few rows to say."""
    suite.makepyfile(
        test_it=SUITE.replace("GOOD", "20")
        + """
def test_bad(prodkit_eval):
    prodkit_eval(rows(10, 40), [ExactMatch()], thresholds={"exact_match": Threshold(min=0.8)})

def test_few(prodkit_eval):
    prodkit_eval(rows(4, 4), [ExactMatch()], thresholds={"exact_match": Threshold(min=0.8)})

def test_few_but_enough(prodkit_eval):
    prodkit_eval(rows(4, 4), [ExactMatch()], thresholds={"exact_match": Threshold(min=0.3)}, min_rows=4)

def test_chain(prodkit_eval):
    from langchain_core.runnables import RunnableLambda
    echo = RunnableLambda(lambda text: text)
    report = prodkit_eval([{"input": "a", "expected": "a"}], [ExactMatch()], chain=echo)
    assert report.summary["exact_match"].mean == 1
"""
    )
    done = suite.runpytest()
    done.assert_outcomes(passed=5, failed=2)
    done.stdout.fnmatch_lines_random(
        ["*FAIL: exact_match: the mean 0.250 is below 0.800*", "*INCONCLUSIVE: exact_match: 4 rows*"]
    )


def test_a_part_of_the_tests_is_not_the_baseline(suite: pytest.Pytester) -> None:
    """Fewer rows than the baseline has must not pass for all of them."""
    write(suite, 20)
    suite.runpytest("--prodkit-baseline=base.json", "--prodkit-update-baseline")
    part = suite.runpytest("--prodkit-baseline=base.json", "-k", "test_more")
    assert part.ret == pytest.ExitCode.TESTS_FAILED
    part.stdout.fnmatch_lines(["*40 of its 70 rows are missing here*"])
    suite.makepyfile(test_suite="def test_nothing(): pass")
    none = suite.runpytest("--prodkit-baseline=base.json")
    assert none.ret == pytest.ExitCode.TESTS_FAILED
    none.stdout.fnmatch_lines(["*nothing was held against the baseline*"])


def test_options_that_cannot_be_followed_are_usage_errors(suite: pytest.Pytester, tmp_path: Path) -> None:
    """Before any test runs."""
    write(suite, 20)
    for options in (["--prodkit-baseline=none.json"], ["--prodkit-update-baseline"]):
        done = suite.runpytest(*options)
        assert done.ret == pytest.ExitCode.USAGE_ERROR
        done.stderr.fnmatch_lines(["*--prodkit-baseline*"])


@pytest.mark.slow
def test_a_session_without_evaluations_is_left_alone(suite: pytest.Pytester) -> None:
    """No section, no file, nothing loaded."""
    suite.makepyfile(
        test_it="import sys\ndef test_it(): assert 'langchain_prodkit.testing.evaluations' not in sys.modules"
    )
    done = suite.runpytest_subprocess()
    assert done.ret == pytest.ExitCode.OK
    done.stdout.no_fnmatch_line("*prodkit evaluations*")

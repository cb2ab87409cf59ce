"""`langchain-prodkit eval`: exit codes that a pipeline can trust, and lines without texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from langchain_prodkit._eval.gate import thresholds_of
from langchain_prodkit._eval.generate import documents_in
from langchain_prodkit.cli import app
from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation import Baseline, Score, Threshold
from tests.unit_tests.evaluation.gated import bits, report


def run(*arguments: str | Path) -> Any:
    """Type a command; no traceback and no text of a row may show."""
    done = CliRunner().invoke(app, ["eval", *map(str, arguments)])
    assert "Traceback" not in done.output
    assert "secret" not in done.output
    return done


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with a good report, a bad one and a baseline."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    monkeypatch.chdir(tmp_path)
    good, bad = report({"m": bits(90, 100)}), report({"m": bits(60, 100)})
    good.save(tmp_path / "good.json")
    bad.save(tmp_path / "bad.json")
    report({"m": bits(5, 5)}).save(tmp_path / "few.json")
    report({"m": [Score(skipped="judge unavailable")] * 40}).save(tmp_path / "dead.json")
    Baseline.of(good).save(tmp_path / "base.json")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["good.json", "--baseline", "base.json"], 0),
        (["good.json", "--baseline", "good.json"], 0),
        (["good.json", "--threshold", "m>=0.8"], 0),
        (["bad.json", "--baseline", "base.json"], 1),
        (["bad.json", "--baseline", "base.json", "--max-drop", "m=0.5"], 0),
        (["bad.json", "--threshold", "m>=0.8"], 1),
        (["few.json", "--threshold", "m>=0.8"], 2),
        (["dead.json", "--threshold", "m>=0.8"], 2),
        (["few.json", "--baseline", "base.json"], 3),
        (["good.json"], 3),
        (["none.json", "--threshold", "m>=0.8"], 3),
        (["good.json", "--baseline", "none.json"], 3),
        (["good.json", "--threshold", "m=0.8"], 3),
        (["good.json", "--threshold", "m>=0.8", "--max-drop", "x"], 3),
        (["good.json", "--threshold", "m>=0.8", "--alpha", "2"], 3),
        (["good.json", "--threshold", "m>=0.8", "--update-baseline"], 3),
        (["good.json", "--threshold", "m>=0.8", "--github-summary"], 3),
        (["good.json", "--no-such-option"], 3),
        ([], 3),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_code_of_a_gate_says_what_it_said(reports: Path, arguments: list[str], code: int) -> None:
    """0 pass, 1 fail, 2 cannot be told, 3 asked wrongly."""
    done = run("gate", *arguments)
    assert done.exit_code == code, done.output


def test_the_summary_of_github_is_added_to(reports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other steps wrote stays; one that cannot be written changes no verdict."""
    summary = reports / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert run("gate", "bad.json", "--baseline", "base.json").exit_code == 1
    assert summary.read_text().startswith("before\n### Evaluation gate: FAIL\n")
    before = summary.read_text()
    assert run("gate", "bad.json", "--baseline", "base.json", "--no-github-summary").exit_code == 1
    assert summary.read_text() == before
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(reports / "none" / "summary.md"))
    done = run("gate", "good.json", "--baseline", "base.json")
    assert (done.exit_code, "the summary cannot be written" in done.output) == (0, True)


def test_a_baseline_moves_only_on_a_pass(reports: Path) -> None:
    """Or when there is none yet."""
    before = (reports / "base.json").read_bytes()
    assert run("gate", "bad.json", "--baseline", "base.json", "--update-baseline").exit_code == 1
    assert (reports / "base.json").read_bytes() == before
    assert run("gate", "bad.json", "--baseline", "new.json", "--update-baseline").exit_code == 0
    assert len(Baseline.load(reports / "new.json")) == 100


def test_verdicts_are_written_for_programs_too(reports: Path) -> None:
    """JSON and Markdown on standard output."""
    content = json.loads(run("gate", "bad.json", "--baseline", "base.json", "--output", "json").stdout)
    assert (content["verdict"], content["metrics"][0]["name"]) == ("FAIL", "m")
    text = run("gate", "bad.json", "--baseline", "base.json", "--output", "markdown").stdout
    assert "| m | FAIL | 0.600 | 0.900 | -0.300 |" in text


def test_thresholds_are_read_as_they_are_said() -> None:
    """Two bounds make a band; what is no bound is refused."""
    assert thresholds_of(["m>=0.2", "m <= 0.8", "a.b:c-d>=1e-3"], "mean") == {
        "m": Threshold(min=0.2, max=0.8, on="mean"),
        "a.b:c-d": Threshold(min=0.001, on="mean"),
    }
    for wrong in (["m>0.2"], ["m>=x"], ["m>=e"], ["m>=0.1", "m>=0.2"], ["m>=0.9", "m<=0.1"]):
        with pytest.raises(ConfigurationError):
            thresholds_of(wrong, "ci_low")


ROWS = [{"id": str(at), "input": f"secret {at}", "expected": "a"} for at in range(4)]
PROGRAM = """
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableLambda
chain = RunnableLambda(lambda text: "a")
def make(): return chain
def answer(text): return "a"
def broken(): raise RuntimeError("secret")
number = 7
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with a program and questions."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "eval_program.py").write_text(PROGRAM)
    (tmp_path / "eval_broken.py").write_text("raise ValueError('secret')")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return tmp_path


@pytest.mark.parametrize("name", ["chain", "make", "answer"])
def test_a_chain_is_named_by_its_place(project: Path, name: str) -> None:
    """A Runnable, a function that makes one, or a function that answers."""
    done = run(
        "run", "rows.jsonl", "--chain", f"eval_program:{name}", "--metrics", "exact_match", "-o", "r.json"
    )
    assert done.exit_code == 0, done.output
    assert "| exact_match | 1.000 |" in done.output
    assert "secret" not in (project / "r.json").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["rows.jsonl"],
        ["none.jsonl"],
        ["rows.jsonl", "--chain", "eval_program"],
        ["rows.jsonl", "--chain", "eval_program:nothing"],
        ["rows.jsonl", "--chain", "eval_program:number"],
        ["rows.jsonl", "--chain", "eval_program:broken"],
        ["rows.jsonl", "--chain", "eval_broken:chain"],
        ["rows.jsonl", "--chain", "no_such_module:chain"],
        ["rows.jsonl", "--chain", "eval_program:chain", "--metrics", "nonsense"],
        ["rows.jsonl", "--chain", "eval_program:chain", "--metrics", "relevance"],
        ["rows.jsonl", "--chain", "eval_program:chain", "--metrics", "eval_program:number"],
        ["rows.jsonl", "--chain", "eval_program:chain", "--judge", "eval_program:number"],
        ["rows.jsonl", "--answers", "a.jsonl"],
        ["rows.jsonl", "--concurrency", "0"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_run_exits_3_with_one_line(project: Path, arguments: list[str]) -> None:
    """The line says which option, and not what the program said."""
    assert run("run", *arguments).exit_code == 3


def test_documents_are_read_from_files_and_folders(tmp_path: Path) -> None:
    """Texts whole, JSON lines one by one, with ids that say where they came from."""
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.jsonl").write_text('{"text": "two", "id": 7}\n\n{"page_content": "three"}\n')
    (tmp_path / "b" / "d.bin").write_text("four")
    (tmp_path / "empty.md").write_text(" ")
    found = list(documents_in([tmp_path]))
    assert [(item.page_content, item.id) for item in found] == [
        ("one", "a.txt"), ("two", "7"), ("three", "c.jsonl:3"),
    ]  # fmt: skip
    (tmp_path / "e.jsonl").write_text("7\n")
    for wrong in (tmp_path / "e.jsonl", tmp_path / "none.txt"):
        with pytest.raises(EvaluationError):
            list(documents_in([wrong]))

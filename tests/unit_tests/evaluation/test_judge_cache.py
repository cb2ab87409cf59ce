"""What was judged once is judged the same way again, for nothing."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_prodkit.errors import ConfigurationError, StoreError
from langchain_prodkit.evaluation import (
    ChatModelJudge,
    EvalDataset,
    JsonlJudgeCache,
    SqliteJudgeCache,
    Verdict,
    answer_correctness,
    evaluate,
    faithfulness,
    relevance,
    rubric,
)
from langchain_prodkit.evaluation.judge_cache import judge_cache
from langchain_prodkit.evaluation.judge_prompt import case_of
from tests.unit_tests.evaluation.judges import ScriptedJudge, rows, scores
from tests.unit_tests.evaluation.test_judge import everything

KEY = "a" * 64
SUFFIXES = ("judge.sqlite", "judge.jsonl")
both_files = pytest.mark.parametrize("name", SUFFIXES)


def flaky() -> Any:
    """Make a judge that never says the same twice."""
    lock, count = threading.Lock(), 0

    def says(_: str) -> dict[str, Any]:
        nonlocal count
        with lock:
            count += 1
            return {"rationale": f"reason {count}", "score": 4 + count % 2}

    return says


@both_files
def test_unchanged_rows_cost_no_call_and_get_the_same_verdict(name: str, tmp_path: Path) -> None:
    """Also by a new judge in a new process, as far as it can tell."""
    model = ScriptedJudge(says=flaky())
    first = evaluate(rows(10), [relevance(ChatModelJudge(model, cache=tmp_path / name))])
    judge = ChatModelJudge(model, cache=str(tmp_path / name))
    second = evaluate(rows(10), [relevance(judge)])
    assert second == first
    assert len(model.prompts) == 10
    assert (judge.statistics().calls, judge.statistics().cached) == (0, 10)


@both_files
def test_one_changed_row_costs_exactly_its_calls(name: str, tmp_path: Path) -> None:
    """Three metrics look at an answer, two at a context."""
    model = ScriptedJudge(says=everything)
    judge = ChatModelJudge(model, cache=tmp_path / name, confirm_on_fail=0)
    metrics = [faithfulness(judge), relevance(judge), answer_correctness(judge)]
    data = rows(6)
    evaluate(data, metrics)
    assert len(model.prompts) == 18
    evaluate(EvalDataset((*data.rows[:2], replace(data[2], output="another"), *data.rows[3:])), metrics)
    assert len(model.prompts) == 18 + 3
    evaluate(EvalDataset((replace(data[0], expected="another"), *data.rows[1:])), metrics)
    assert len(model.prompts) == 18 + 3 + 1
    evaluate(EvalDataset(tuple(replace(row, id=f"other {row.id}", latency_ms=5.0) for row in data)), metrics)
    assert len(model.prompts) == 18 + 3 + 1


def test_another_judge_question_or_rule_is_another_key(tmp_path: Path) -> None:
    """A verdict is reused only for the very same question to the very same model."""
    path = tmp_path / "judge.sqlite"
    asked: list[ScriptedJudge] = []

    def judge(**changes: Any) -> ChatModelJudge:
        model = {key: changes.pop(key) for key in ("model_name", "temperature") if key in changes}
        asked.append(ScriptedJudge(says=everything, **model))
        return ChatModelJudge(asked[-1], cache=path, **changes)

    metrics = [
        relevance(judge()),
        relevance(judge(model_name="other")),
        relevance(judge(temperature=0.7)),
        relevance(judge(name="the one over there")),
        relevance(judge(confirm_on_fail=1)),
        relevance(judge(), pass_mark=0.5),
        answer_correctness(judge()),
        rubric(judge(), "relevance", "Is it polite?"),
        rubric(judge(), "relevance", "Is it polite?", scale=(0, 5)),
        rubric(judge(), "politeness", "Is it polite?"),
        rubric(judge(), "politeness", "Is it kind?"),
    ]
    for metric in metrics:
        metric.score(rows(1)[0])
    assert [len(model.prompts) for model in asked] == [1] * len(metrics)
    relevance(judge(structured="never", timeout_s=1.0, breaker_after=9)).score(rows(1)[0])
    assert asked[-1].prompts == []


TEXT = st.text(max_size=12)


@given(st.lists(st.tuples(TEXT, TEXT, st.lists(TEXT, min_size=1, max_size=3)), min_size=2, max_size=6))
@settings(max_examples=60, derandomize=True, deadline=None)
def test_keys_are_alike_only_where_all_texts_are(cases: list[tuple[str, str, list[str]]]) -> None:
    """Moving a text from one field to the next, or splitting it, makes another key."""
    metric = faithfulness(ChatModelJudge(ScriptedJudge(says=everything)))
    data = rows(
        len(cases), input=[c[0] for c in cases], output=[c[1] for c in cases], contexts=[c[2] for c in cases]
    )
    found = [case_of(row, metric.inquiry.shows) for row in data]
    keys = [metric.judge._key(metric.inquiry, case, 0.75) for case in found]
    for left, one in zip(found, keys, strict=True):
        for right, other in zip(found, keys, strict=True):
            assert (one == other) == (left == right)


@both_files
def test_the_first_verdict_is_the_one_that_counts(name: str, tmp_path: Path) -> None:
    """Whoever comes second gets it too."""
    one, two = judge_cache(tmp_path / name), judge_cache(tmp_path / name)
    assert one.put(KEY, Verdict(1.0, "first")) == Verdict(1.0, "first")
    assert two.put(KEY, Verdict(0.0, "second")) == Verdict(1.0, "first")
    assert two.get(KEY) == one.get(KEY) == Verdict(1.0, "first")
    assert one.get("b" * 64) is None


@both_files
def test_equal_rows_of_one_evaluation_agree(name: str, tmp_path: Path) -> None:
    """Although they may be judged at the same time."""
    judge = ChatModelJudge(ScriptedJudge(says=flaky()), cache=tmp_path / name)
    data = rows(16, input=["q"] * 16, output=["a"] * 16)
    report = evaluate(data, [relevance(judge)])
    assert len({(s.value, s.rationale) for row in report.rows for s in row.scores.values()}) == 1


@both_files
def test_threads_share_a_file(name: str, tmp_path: Path) -> None:
    """Nothing is lost, nothing is torn."""
    cache = judge_cache(tmp_path / name)

    def work(part: int) -> None:
        for at in range(40):
            key = f"{part % 2:032x}{at:032x}"
            assert cache.put(key, Verdict(0.5, f"é {at}")) == Verdict(0.5, f"é {at}")

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    again = judge_cache(tmp_path / name)
    assert all(again.get(f"{part:032x}{at:032x}") for part in range(2) for at in range(40))


@both_files
def test_processes_share_a_file(name: str, tmp_path: Path) -> None:
    """All agree on every verdict, whoever wrote it."""
    code = """
import sys
from langchain_prodkit.evaluation import Verdict
from langchain_prodkit.evaluation.judge_cache import judge_cache
cache = judge_cache(sys.argv[1])
for at in range(60):
    print(cache.put(f"{at:064x}", Verdict(0.5, sys.argv[2] * 200)).rationale[:1], end="")
"""
    running = [
        subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", code, str(tmp_path / name), who], stdout=subprocess.PIPE, text=True
        )
        for who in "abc"
    ]
    said = [process.communicate(timeout=120)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(said[0]) == 60
    assert said[0] == said[1] == said[2]


@both_files
def test_a_cache_is_for_its_owner_alone(name: str, tmp_path: Path) -> None:
    """Rationales may quote what people wrote; also where somebody had opened the file."""
    path = tmp_path / "deep" / name
    judge_cache(path).put(KEY, Verdict(1.0, "why"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    assert judge_cache(path).get(KEY) == Verdict(1.0, "why")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@both_files
def test_redacted_rationales_are_what_is_kept_and_shown(name: str, tmp_path: Path) -> None:
    """Also when an earlier judge had kept the raw ones."""
    path = tmp_path / name
    says = lambda _: {"rationale": "Ada says so", "score": 5}  # noqa: E731
    row = rows(1)[0]
    raw = ChatModelJudge(ScriptedJudge(says=says), cache=path)
    assert relevance(raw).score(row).rationale == "Ada says so"
    careful = ChatModelJudge(
        ScriptedJudge(says=says), cache=path, redact=lambda text: text.replace("Ada", "X")
    )
    assert relevance(careful).score(row).rationale == "X says so"
    assert relevance(careful).score(rows(2)[1]).rationale == "X says so"
    assert path.read_bytes().count(b"Ada") == 1


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    """A process that was killed while it wrote leaves half a line."""
    path = tmp_path / "judge.jsonl"
    cache = JsonlJudgeCache(path)
    cache.put(KEY, Verdict(1.0, "kept"))
    with path.open("ab") as file:
        file.write(b'{"key": "' + b"b" * 40)
    other = JsonlJudgeCache(path)
    assert other.get(KEY) == Verdict(1.0, "kept")
    other.put("c" * 64, Verdict(0.0, "after"))
    assert cache.get("c" * 64) == Verdict(0.0, "after")
    assert JsonlJudgeCache(path).get("c" * 64) == Verdict(0.0, "after")


@pytest.mark.parametrize(
    "line",
    [b"no json", b"[]", b'{"key": "short", "value": 1.0, "rationale": "", "votes": 1}', b"\xff\xfe",
     json.dumps({"key": KEY, "value": 7, "rationale": "", "votes": 1}).encode(),
     json.dumps({"key": KEY, "value": True, "rationale": "", "votes": 1}).encode()],
)  # fmt: skip
def test_lines_that_are_no_verdicts_are_passed_over(line: bytes, tmp_path: Path) -> None:
    """A score out of range is no score."""
    path = tmp_path / "judge.jsonl"
    path.write_bytes(line + b"\n")
    assert JsonlJudgeCache(path).get(KEY) is None


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    """At once, with a typed error."""
    path = tmp_path / "judge.sqlite"
    path.write_text("these are my notes, not a data base, and they are long enough to be read as one" * 10)
    with pytest.raises(StoreError):
        SqliteJudgeCache(path)
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(StoreError):
        JsonlJudgeCache(tmp_path / "folder.jsonl")
    with pytest.raises(ConfigurationError, match=r"\.sqlite"):
        judge_cache(tmp_path / "judge.csv")


def test_a_locked_cache_costs_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge is asked and its verdict counts; it is only not kept."""
    monkeypatch.setattr("langchain_prodkit.evaluation.judge_cache._WAIT_S", 0.05)
    path = tmp_path / "judge.sqlite"
    judge = ChatModelJudge(ScriptedJudge(says=everything), cache=path)
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        assert evaluate(rows(2), [relevance(judge)]).summary["relevance"].n == 2
    finally:
        lock.close()
    assert judge.statistics().cache_errors == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
@both_files
def test_a_cache_that_may_only_be_read_is_read(name: str, tmp_path: Path) -> None:
    """A CI job may be given one."""
    path = tmp_path / name
    judge_cache(path).put(KEY, Verdict(1.0, "why"))
    path.chmod(0o400)
    assert judge_cache(path).get(KEY) == Verdict(1.0, "why")


@both_files
def test_only_final_verdicts_are_kept(name: str, tmp_path: Path) -> None:
    """A confirmed one with its votes; failures and nonsense never."""
    path = tmp_path / name
    score = relevance(ChatModelJudge(ScriptedJudge(says=scores(1, 5, 5)), cache=path)).score(rows(1)[0])
    assert score.value == 1.0
    broken = ChatModelJudge(ScriptedJudge(says=lambda _: "nonsense"), cache=path, name="x")
    down = ChatModelJudge(ScriptedJudge(says=lambda _: RuntimeError()), cache=path, name="y")
    assert relevance(broken).score(rows(1)[0]).error
    assert relevance(down).score(rows(1)[0]).error
    text = path.read_bytes()
    assert text.count(b'"votes"') == 1
    assert b'"votes": 3' in text

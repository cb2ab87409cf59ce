"""A report outlives the process: as JSON, as JUnit, as Markdown."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation import (
    Context,
    EvalDataset,
    EvalRecord,
    EvalReport,
    MetricSummary,
    RowScores,
    Score,
)
from langchain_prodkit.evaluation.report import summarised

DIRECTIONS = {"grounded": True, "latency_ms": False, "words": None, "judged": True}
SECRET = "Ada's own words"


def row(name: str, grounded: float | None, latency: float, **fields: Any) -> tuple[EvalRecord, RowScores]:
    """Make a row with a score of each direction, and a judge that is down."""
    record = EvalRecord(
        id=name,
        input=SECRET,
        output=None if fields.get("error") else SECRET,
        contexts=(Context(SECRET, "d1", metadata={"page": 1}),),
        metadata={"who": SECRET},
        **fields,
    )
    scores = {
        "grounded": Score(grounded, None if grounded is not None else "the run failed", rationale=SECRET),
        "latency_ms": Score(latency),
        "words": Score(3.0),
        "judged": Score(error="ConnectError"),
    }
    return record, RowScores(name, scores)


def report(*rows: tuple[EvalRecord, RowScores]) -> EvalReport:
    """Put rows together."""
    scored = tuple(pair[1] for pair in rows)
    dataset = EvalDataset(tuple(pair[0] for pair in rows), "desk")
    return EvalReport(dataset, scored, summarised(scored, DIRECTIONS))


REPORT = report(
    row("good", 0.9, 10.0),
    row("bad", 0.2, 30.0),
    row("down", None, 1.0, error="ValueError"),
    row("odd", 0.7, 900.0, flags=("links",)),
)


def test_rows_fail_by_error_flag_or_mark() -> None:
    """Each says why, in the direction of the metric; a dead judge fails no row."""
    assert [item.id for item in REPORT.failed_rows()] == ["down", "odd"]
    failed = {item.id: item.reasons for item in REPORT.failed_rows({"grounded": 0.5, "latency_ms": 100})}
    assert failed == {
        "bad": ("grounded 0.2",),
        "down": ("the run failed: ValueError",),
        "odd": ("check links", "latency_ms 900"),
    }


def test_a_score_on_the_mark_passes() -> None:
    """Whatever the direction."""
    assert [item.id for item in REPORT.failed_rows({"grounded": 0.2, "latency_ms": 900})] == ["down", "odd"]


def test_a_mark_for_an_unknown_metric_is_refused() -> None:
    """A typing error must not pass every row."""
    with pytest.raises(EvaluationError, match="groundd"):
        REPORT.failed_rows({"groundd": 0.5})


def test_a_saved_report_is_the_same_report(tmp_path: Path) -> None:
    """Rows, texts, scores, reasons and intervals; folders are made."""
    path = REPORT.save(tmp_path / "deep" / "report.json")
    loaded = EvalReport.load(path)
    assert loaded == REPORT
    assert loaded.rows[0].scores["grounded"].rationale == SECRET
    assert (loaded.fingerprint, loaded.question_fingerprint) == (
        REPORT.dataset.fingerprint,
        REPORT.dataset.question_fingerprint,
    )
    assert list(path.parent.iterdir()) == [path]


def test_without_texts_only_ids_scores_and_fingerprints_are_kept(tmp_path: Path) -> None:
    """Enough for a baseline, and still so when it is saved once more."""
    path = REPORT.save(tmp_path / "report.json", texts=False)
    loaded = EvalReport.load(path)
    assert SECRET not in path.read_text()
    assert "Ada" not in path.read_text()
    assert loaded.summary == REPORT.summary
    assert [item.id for item in loaded.failed_rows()] == ["down", "odd"]
    again = EvalReport.load(loaded.save(tmp_path / "again.json"))
    for one in (loaded, again):
        assert one.question_fingerprint == REPORT.question_fingerprint
        assert one.fingerprint == REPORT.fingerprint
    assert REPORT.compare(again)[0].difference == 0


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"format": "another"}',
        b'{"format": "langchain-prodkit evaluation report", "version": 1}',
        b'{"format": "langchain-prodkit evaluation report", "version": 1, "metrics": [], "rows": 3}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes) -> None:
    """Whatever the file holds."""
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(EvaluationError, match="no evaluation report"):
        EvalReport.load(path)


@pytest.mark.parametrize(
    ("place", "value"),
    [(("rows", 0, "scores", "words", "value"), "3"), (("rows", 0, "scores", "words"), None)],
)
def test_a_report_that_was_tampered_with_is_refused(
    tmp_path: Path, place: tuple[Any, ...], value: Any
) -> None:
    """A number that is a text, a score that is missing."""
    path = REPORT.save(tmp_path / "report.json")
    content = part = json.loads(path.read_bytes())
    for key in place[:-1]:
        part = part[key]
    part[place[-1]] = value
    path.write_text(json.dumps(content))
    with pytest.raises(EvaluationError, match="no evaluation report"):
        EvalReport.load(path)


def test_a_report_of_a_later_version_is_refused(tmp_path: Path) -> None:
    """It says what to do, instead of reading half of it."""
    path = REPORT.save(tmp_path / "report.json")
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(EvaluationError, match="update langchain-prodkit"):
        EvalReport.load(path)


def test_files_that_cannot_be_read_or_written_are_named_as_such(tmp_path: Path) -> None:
    """And the old file stays as it was."""
    with pytest.raises(EvaluationError, match="cannot be read: No such file"):
        EvalReport.load(tmp_path / "none.json")
    (tmp_path / "file").write_text("")
    for write in (REPORT.save, REPORT.to_junit):
        with pytest.raises(EvaluationError, match="cannot be written"):
            write(tmp_path / "file" / "report")
    path = REPORT.save(tmp_path / "report.json")
    before = path.read_bytes()
    scored = replace(REPORT.rows[0], scores={**REPORT.rows[0].scores, "words": Score(float("nan"))})
    with pytest.raises(EvaluationError, match="no finite number"):
        replace(REPORT, rows=(scored, *REPORT.rows[1:])).save(path)
    assert path.read_bytes() == before
    assert {item.name for item in tmp_path.iterdir()} == {"file", "report.json"}


def test_markdown_names_worst_and_failed_rows_without_a_text() -> None:
    """By id, on the side that is worse for each metric."""
    text = REPORT.to_markdown(worst=2, passing={"grounded": 0.5})
    assert "- worst grounded: `bad` 0.200, `odd` 0.700" in text
    assert "- worst latency_ms: `odd` 900.000, `bad` 30.000" in text
    assert "worst words" not in text
    assert "3 of 4 rows failed" in text
    assert "| `down` | the run failed: ValueError |" in text
    assert "| judged | - | - | 0 | 0 | 4 | ConnectError (4) |" in text
    assert "Ada" not in text


def test_markdown_survives_any_id_and_reason() -> None:
    """No border, line or tag of theirs ends a cell."""
    record, scored = row("a|b`c\n<img>", 0.1, 1.0)
    skipped = RowScores(scored.id, {**scored.scores, "words": Score(skipped="no | such\nthing")})
    lines = report((record, skipped)).to_markdown(passing={"grounded": 0.5}).splitlines()
    assert "| `a\\|b'c &lt;img>` | grounded 0.1 |" in lines
    assert any(line.endswith("| no \\| such thing (1) |") for line in lines)


def test_a_baseline_shows_how_each_metric_moved() -> None:
    """Paired row by row, over the rows scored in both."""
    later = report(
        row("good", 1.0, 10.0), row("bad", 0.6, 20.0), row("down", None, 1.0, error="ValueError"),
        row("odd", 0.7, 900.0),
    )  # fmt: skip
    grounded, latency, words, judged = later.compare(REPORT)
    assert (grounded.n, grounded.higher, grounded.lower) == (3, 2, 0)
    assert grounded.difference == pytest.approx(0.5 / 3)
    assert grounded.ci_low is not None
    assert (latency.difference, latency.lower) == (-2.5, 1)
    assert (words.difference, words.ci_low, words.ci_high) == (0, 0, 0)
    assert (judged.n, judged.difference, judged.before) == (0, None, None)
    text = later.to_markdown(baseline=REPORT)
    assert "| latency_ms | 235.250 | 232.750 | -2.500 |" in text


def test_a_baseline_of_other_questions_is_refused() -> None:
    """Their means have nothing to do with each other."""
    other = report(row("good", 0.9, 10.0))
    with pytest.raises(EvaluationError, match="other questions"):
        REPORT.compare(other)


@dataclass(frozen=True)
class Judged:
    """What a gate says about one metric."""

    name: str
    verdict: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gated:
    """What a gate says."""

    metrics: tuple[Judged, ...]


def junit(path: Path) -> tuple[ET.Element, dict[str, str]]:
    """Read a JUnit file: the suite, and case -> what became of it."""
    suite = ET.parse(path).getroot()  # noqa: S314 - our own file
    states = {}
    for case in suite.findall("testcase"):
        kinds = [item.tag for item in case if item.tag in {"failure", "error", "skipped"}]
        states[f"{case.get('classname')}:{case.get('name')}"] = kinds[0] if kinds else "passed"
    return suite, states


def test_junit_has_a_case_for_each_metric_and_each_failed_row(tmp_path: Path) -> None:
    """A metric that failed or could not run is never green; no text of a row is written."""
    path = REPORT.to_junit(tmp_path / "junit.xml", passing={"grounded": 0.5})
    suite, states = junit(path)
    assert states == {
        "desk.metrics:grounded": "passed",
        "desk.metrics:latency_ms": "passed",
        "desk.metrics:words": "passed",
        "desk.metrics:judged": "error",
        "desk.rows:bad": "failure",
        "desk.rows:down": "error",
        "desk.rows:odd": "failure",
    }
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "7", "failures": "2", "errors": "2", "skipped": "0"}
    assert "Ada" not in path.read_text()


def test_junit_says_what_the_gate_says(tmp_path: Path) -> None:
    """Failed is a failure, undecided is an error; what it judged beside the metrics is a case too."""
    verdict = Gated(
        (
            Judged("grounded", "FAIL", ("dropped by 0.1",)),
            Judged("judged", "INCONCLUSIVE", ("the judge is down",)),
            Judged("words", "PASS"),
            Judged("rows", "pass"),
        )
    )
    suite, states = junit(REPORT.to_junit(tmp_path / "junit.xml", verdict))
    assert states["desk.metrics:grounded"] == "failure"
    assert states["desk.metrics:judged"] == "error"
    assert states["desk.metrics:words"] == states["desk.metrics:rows"] == "passed"
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "dropped by 0.1"


def test_junit_holds_texts_when_asked_whatever_they_are(tmp_path: Path) -> None:
    """Control characters, half characters and markup are no reason for a broken file."""
    nasty = "\x00\x1b[31m \ud800 ]]> <b>&amp; \uffff"
    record, scored = row(nasty, 0.1, 1.0)
    made = report((replace(record, input=nasty, output=nasty), scored))
    path = made.to_junit(tmp_path / "junit.xml", passing={"grounded": 0.5}, texts=True)
    suite, _ = junit(path)
    (case,) = (case for case in suite.findall("testcase") if case.get("classname") == "desk.rows")
    assert case.get("name") == "??[31m ? ]]> <b>&amp; ?"
    out = case.findtext("system-out") or ""
    assert "question: ??[31m ? ]]> <b>&amp; ?" in out
    assert f"grounded: {SECRET}" in out


def test_junit_keeps_the_order_that_schemas_ask_for(tmp_path: Path) -> None:
    """Ant's schema: properties, cases, output, errors; and these attributes of each."""
    suite, _ = junit(REPORT.to_junit(tmp_path / "junit.xml"))
    tags = [item.tag for item in suite]
    cases = len(suite.findall("testcase"))
    assert tags == ["properties", *["testcase"] * cases, "system-out", "system-err"]
    assert {"name", "timestamp", "hostname", "tests", "failures", "errors", "time"} <= set(suite.keys())
    for case in suite.findall("testcase"):
        assert {"name", "classname", "time"} <= set(case.keys())
        order = [item.tag for item in case]
        assert order == sorted(order, key=["skipped", "error", "failure", "system-out"].index)


def test_a_metric_that_could_run_nowhere_is_skipped_in_junit(tmp_path: Path) -> None:
    """It is neither green nor red."""
    summary = {"exact": MetricSummary("exact", None, 0, 1, 0, higher_is_better=True, reasons={"no x": 1})}
    rows = (RowScores("1", {"exact": Score(skipped="no x")}),)
    made = EvalReport(EvalDataset((EvalRecord("1"),)), rows, summary)
    assert junit(made.to_junit(tmp_path / "junit.xml"))[1] == {"evaluation.metrics:exact": "skipped"}

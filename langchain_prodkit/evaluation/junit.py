"""A report as a JUnit file, as CI systems show it: valid by the schemas of Ant (windyroad) and Jenkins."""

from __future__ import annotations

import datetime as dt
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from langchain_prodkit.evaluation.markdown import number
from langchain_prodkit.evaluation.report_file import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_prodkit.evaluation.record import EvalRecord
    from langchain_prodkit.evaluation.report import EvalReport, FailedRow
    from langchain_prodkit.evaluation.summary import MetricSummary, RowScores

__all__ = ["GateVerdict", "MetricVerdict", "write_junit"]

_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold in any form."""
_PASSED: Final = "pass"
_FAILED: Final = "fail"


class MetricVerdict(Protocol):
    """What a gate says about one metric."""

    @property
    def name(self) -> str:
        """The metric, or whatever else the gate looked at."""
        ...

    @property
    def verdict(self) -> str:
        """`PASS`, `FAIL` or `INCONCLUSIVE`, in any case of letters."""
        ...

    @property
    def reasons(self) -> Sequence[str]:
        """Why, in words without texts of rows."""
        ...


class GateVerdict(Protocol):
    """What a gate says about a report."""

    @property
    def metrics(self) -> Sequence[MetricVerdict]:
        """One for each metric that it looked at."""
        ...


def write_junit(
    report: EvalReport,
    path: str | Path,
    gate_result: GateVerdict | None,
    *,
    passing: Mapping[str, float] | None,
    texts: bool,
) -> Path:
    """Write the file; see `EvalReport.to_junit`."""
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)
    name = _clean(report.dataset.name) or "evaluation"
    suite = ET.Element("testsuite", name=name, timestamp=now.isoformat(), hostname="localhost", time="0")
    properties = ET.SubElement(suite, "properties")
    facts = {"rows": len(report.rows), "fingerprint": report.fingerprint}
    for key, value in facts.items():
        ET.SubElement(properties, "property", name=key, value=str(value))
    verdicts = {item.name: item for item in gate_result.metrics} if gate_result else {}
    for item in report.summary.values():
        _metric(suite, name, item, verdicts.pop(item.name, None))
    for verdict in verdicts.values():
        _judged(_case(suite, name, "metrics", verdict.name), verdict)
    found = {row.id: (row, scored) for row, scored in zip(report.dataset, report.rows, strict=True)}
    for failed in report.failed_rows(passing):
        _row(suite, name, failed, found[failed.id] if texts else None)
    # Ant's schema wants both, and last.
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")
    suite.set("tests", str(len(suite.findall("testcase"))))
    for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        suite.set(attribute, str(len(suite.findall(f"testcase/{kind}"))))
    ET.indent(suite)
    data: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return replace_file(Path(path), data + b"\n", "the JUnit file")


def _metric(suite: ET.Element, name: str, item: MetricSummary, verdict: MetricVerdict | None) -> None:
    case = _case(suite, name, "metrics", item.name)
    why = "; ".join(f"{reason} ({count})" for reason, count in item.reasons.items())
    if verdict is not None:
        _judged(case, verdict)
    elif item.errors:
        _said(case, "error", f"failed on {item.errors} rows: {why}", "MetricError")
    elif not item.n:
        ET.SubElement(case, "skipped", message=_clean(f"could run on no row: {why}"))
    out = [f"mean {number(item.mean)}, {item.n} scored, {item.skipped} skipped, {item.errors} errors"]
    if item.ci_low is not None:
        out.append(f"95 % interval {number(item.ci_low)} to {number(item.ci_high)}")
    if why:
        out.append(why)
    ET.SubElement(case, "system-out").text = _clean("\n".join(out))


def _judged(case: ET.Element, verdict: MetricVerdict) -> None:
    word = str(getattr(verdict.verdict, "value", verdict.verdict)).lower()
    if word == _PASSED:
        return
    message = "; ".join(verdict.reasons) or word
    if word == _FAILED:
        _said(case, "failure", message, "GateFailure")
    else:
        # A case that is neither right nor wrong must not look green.
        _said(case, "error", message, word.capitalize())


def _row(suite: ET.Element, name: str, failed: FailedRow, shown: tuple[EvalRecord, RowScores] | None) -> None:
    case = _case(suite, name, "rows", failed.id)
    kind, sort = ("failure", "FailedRow") if failed.error is None else ("error", failed.error)
    _said(case, kind, "; ".join(failed.reasons), sort)
    if shown is None:
        return
    row, scored = shown
    lines = [f"question: {row.question}", f"answer: {row.answer}"]
    lines += [f"{key}: {score.rationale}" for key, score in scored.scores.items() if score.rationale]
    ET.SubElement(case, "system-out").text = _clean("\n".join(lines))


def _case(suite: ET.Element, name: str, group: str, what: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", name=_clean(what) or "-", classname=f"{name}.{group}", time="0")


def _said(case: ET.Element, kind: str, message: str, sort: str) -> None:
    ET.SubElement(case, kind, message=_clean(message), type=_clean(sort)).text = _clean(message)


def _clean(text: Any) -> str:
    return _ILLEGAL.sub("?", str(text))

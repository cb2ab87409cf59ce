"""What tests evaluate with the fixture `prodkit_eval`: collected over the session, gated at its end."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation import (
    Baseline,
    EvalDataset,
    EvalRecord,
    EvalReport,
    Gate,
    GateResult,
    RowScores,
    Score,
    Threshold,
    evaluate,
)
from langchain_prodkit.evaluation.summary import summarised

if TYPE_CHECKING:
    from langchain_core.runnables import Runnable

    from langchain_prodkit.evaluation import Metric

__all__ = ["Collected", "Evaluator", "gated"]

_OTHER_TEST: Final = Score(skipped="no such metric in this test")
_DIGEST_CHARS: Final = 8


class Collected:
    """Rows and scores of all tests so far; goes from a worker of pytest-xdist to its controller as text."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.rows: dict[str, tuple[EvalRecord, Mapping[str, Score]]] = {}
        self.directions: dict[str, bool | None] = {}
        self.settings: dict[str, Any] = {}

    def add(self, node: str, report: EvalReport) -> None:
        """Take up what one test evaluated; ids are told apart by the test's name."""
        for record, scored in zip(report.dataset, report.rows, strict=True):
            name = f"{node}::{record.id}"
            count = 1
            while name in self.rows:
                count += 1
                name = f"{node}::{record.id}#{count}"
            self.rows[name] = (replace(record, id=name), scored.scores)
        self.directions |= {name: item.higher_is_better for name, item in report.summary.items()}

    def report(self) -> EvalReport:
        """Give one report over all rows, in the order of their names: that of the tests may be random."""
        names = sorted(self.rows)
        dataset = EvalDataset(tuple(self.rows[name][0] for name in names), "tests")
        rows = tuple(
            RowScores(
                name, {metric: self.rows[name][1].get(metric, _OTHER_TEST) for metric in self.directions}
            )
            for name in names
        )
        return EvalReport(dataset, rows, summarised(rows, self.directions))

    def to_json(self) -> str:
        """Give everything as text."""
        settings = dict(self.settings)
        if thresholds := settings.get("thresholds"):
            settings["thresholds"] = {name: asdict(item) for name, item in thresholds.items()}
        return json.dumps(
            {
                "rows": [
                    [record.to_dict(), {name: asdict(score) for name, score in scores.items()}]
                    for record, scores in self.rows.values()
                ],
                "directions": self.directions,
                "settings": settings,
            }
        )

    def take(self, text: str) -> None:
        """Take up what another process collected."""
        content = json.loads(text)
        for row, scores in content["rows"]:
            record = EvalRecord.from_dict(row)
            self.rows[record.id] = (record, {name: Score(**score) for name, score in scores.items()})
        self.directions |= content["directions"]
        settings = content["settings"]
        if "thresholds" in settings:
            settings["thresholds"] = {
                name: Threshold(**item) for name, item in settings["thresholds"].items()
            }
        self.settings |= settings


class Evaluator:
    """Evaluates rows inside a test; what the fixture `prodkit_eval` gives.

    ```python
    def test_answers(prodkit_eval):
        prodkit_eval(DATASET, [ExactMatch()], chain=chain, thresholds={"exact_match": Threshold(min=0.8)})
    ```
    """

    def __init__(self, collected: Collected, node: str) -> None:
        """Collect for the test `node`."""
        name, bracket, parameters = node.partition("[")
        if bracket:
            # Parameters are often questions; names of rows are written to files.
            name += f"[{hashlib.sha256(parameters.encode()).hexdigest()[:_DIGEST_CHARS]}]"
        self._collected = collected
        self._node = name

    def __call__(
        self,
        rows: EvalDataset | Iterable[EvalRecord | Mapping[str, Any]],
        metrics: Sequence[Metric] | None = None,
        *,
        chain: Runnable[Any, Any] | None = None,
        thresholds: Mapping[str, Threshold] | None = None,
        **settings: Any,
    ) -> EvalReport:
        """Score rows; with `thresholds` the test fails unless the gate says PASS.

        Args:
            rows: What `evaluate` takes.
            metrics: As for `evaluate`.
            chain: Answers the rows first.
            thresholds: What this test's rows must reach; the baseline is for all tests together.
            settings: More for this test's `Gate`, such as `min_rows`.
        """
        __tracebackhide__ = True
        dataset = rows if isinstance(rows, EvalDataset) else EvalDataset.from_records(rows)
        if chain is not None:
            dataset = dataset.answer(chain)
        report = evaluate(dataset, metrics)
        self._collected.add(self._node, report)
        if thresholds:
            result = Gate(thresholds, **settings).check(report)
            if not result.passed:
                pytest.fail(f"{result.verdict}: {'; '.join(result.reasons)}", pytrace=False)
        return report


def gated(
    collected: Collected, *, baseline: Path | None, update: bool, report_path: Path | None
) -> tuple[GateResult | None, list[str]]:
    """Keep the report and the baseline where asked to, and give the verdict and what there is to say.

    Raises:
        EvaluationError: A file cannot be written or read, or the baseline is for other rows.
    """
    report = collected.report()
    said = []
    if report_path is not None:
        report.save(report_path, texts=False)
        said.append(f"report {report_path}")
    thresholds = collected.settings.get("thresholds")
    settings = {name: value for name, value in collected.settings.items() if name != "thresholds"}
    result = None
    if thresholds or (baseline is not None and not update):
        try:
            result = Gate(thresholds, baseline=None if update else baseline, **settings).check(report)
        except TypeError:
            msg = "the fixture prodkit_gate names a setting that Gate does not have"
            raise EvaluationError(msg) from None
    if update and baseline is not None:
        Baseline.of(report).save(baseline)
        said.append(f"baseline {baseline} written: {len(report.rows)} rows")
    return result, said

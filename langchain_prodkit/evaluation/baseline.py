"""`Baseline`: the scores that a later evaluation is held against, as a file fit for a repository."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import BaselineError, EvaluationError
from langchain_prodkit.evaluation.report import EvalReport
from langchain_prodkit.evaluation.report_file import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Baseline"]

FORMAT: Final = "langchain-prodkit evaluation baseline"
VERSION: Final = 1

_WAY_OUT: Final = "take a new one with Baseline.of(report).save(path)"


@dataclass(frozen=True, slots=True)
class Baseline:
    """Scores by row and metric, and a fingerprint of the questions; no text of any row.

    The file has a line for each row, so that a change of it reads well in a review.
    """

    scores: Mapping[str, Mapping[str, float]] = field(repr=False)
    """Id of the row -> metric -> score; what was skipped or went wrong is left out."""
    directions: Mapping[str, bool | None]
    """Metric -> `higher_is_better`."""
    question_fingerprint: str = field(repr=False)
    """Of ids, inputs and expected answers: see `EvalDataset.question_fingerprint`."""
    name: str = "evaluation"
    """Of the data set."""

    def __len__(self) -> int:
        return len(self.scores)

    @classmethod
    def of(cls, report: EvalReport) -> Baseline:
        """Take the scores of a report."""
        return cls(
            {
                row.id: {name: score.value for name, score in row.scores.items() if score.value is not None}
                for row in report.rows
            },
            {name: item.higher_is_better for name, item in report.summary.items()},
            report.question_fingerprint,
            report.dataset.name,
        )

    def save(self, path: str | Path) -> Path:
        """Write it whole or not at all; folders are made, an existing file is replaced.

        Raises:
            BaselineError: The file cannot be written; one that was there stays as it was.
        """
        head = {
            "format": FORMAT,
            "version": VERSION,
            "name": self.name,
            "question_fingerprint": self.question_fingerprint,
            "metrics": dict(self.directions),
        }
        try:
            rows = ",\n".join(
                f"{json.dumps(row)}: {json.dumps(dict(scores), allow_nan=False)}"
                for row, scores in self.scores.items()
            )
        except ValueError:
            msg = "the baseline holds a score that is no finite number"
            raise BaselineError(msg) from None
        text = f'{json.dumps(head, indent=0)[:-2]},\n"rows": {{\n{rows}\n}}\n}}\n'
        try:
            return replace_file(Path(path), text.encode(), "the baseline")
        except EvaluationError as error:
            raise BaselineError(str(error)) from None

    @classmethod
    def load(cls, path: str | Path) -> Baseline:
        """Read what `save` wrote, or take the scores of a report file that `EvalReport.save` wrote.

        Raises:
            BaselineError: The file cannot be read, is neither, or is of a later version.
        """
        try:
            content = json.loads(Path(path).read_bytes())
        except OSError as error:
            msg = f"the baseline cannot be read: {error.strerror or type(error).__name__}; {_WAY_OUT}"
            raise BaselineError(msg) from None
        except (ValueError, RecursionError):
            raise _no_baseline() from None
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            try:
                return cls.of(EvalReport.load(path))
            except EvaluationError as error:
                # Of another version it is a report all the same, and the message says so.
                raise (BaselineError(str(error)) if "version" in str(error) else _no_baseline()) from None
        if content.get("version") != VERSION:
            msg = f"the baseline is not of version {VERSION} of its format; update langchain-prodkit"
            raise BaselineError(msg)
        try:
            return cls(
                {str(row): _scores(scores) for row, scores in content["rows"].items()},
                {str(name): _direction(better) for name, better in content["metrics"].items()},
                str(content["question_fingerprint"]),
                str(content["name"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise _no_baseline() from None

    def check_questions(self, report: EvalReport) -> None:
        """Make sure that `report` is about the same questions.

        Raises:
            BaselineError: It is not; the message counts the rows that differ.
        """
        if report.question_fingerprint == self.question_fingerprint:
            return
        ids = {row.id for row in report.rows}
        missing, new = len(self.scores.keys() - ids), len(ids - self.scores.keys())
        if missing or new:
            what = f"{missing} of its {len(self)} rows are missing here, {new} rows here are new"
        else:
            what = "the ids are the same, but questions or expected answers are not"
        msg = f"the baseline belongs to another data set: {what}; compare the same questions, or {_WAY_OUT}"
        raise BaselineError(msg)


def _scores(scores: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for name, value in scores.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise TypeError
        found[str(name)] = float(value)
    return found


def _direction(better: Any) -> bool | None:
    if better is not None and not isinstance(better, bool):
        raise TypeError
    return better


def _no_baseline() -> BaselineError:
    return BaselineError(f"the file holds neither a baseline nor an evaluation report; {_WAY_OUT}")

"""What an evaluation found: per row, per metric, and written to an MLflow store."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_prodkit._extras import require
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics import Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd  # type: ignore[import-untyped]

__all__ = ["EvalReport", "MetricSummary", "RowScores", "summarised"]


@dataclass(frozen=True, slots=True)
class RowScores:
    """What every metric says about one row."""

    id: str
    scores: Mapping[str, Score]
    """Metric name -> score."""


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """What one metric says about the whole data set."""

    name: str
    mean: float | None
    """Over the rows scored; None when there is none."""
    n: int
    """Rows scored."""
    skipped: int
    """Rows that the metric could not run on; they count neither for nor against."""
    errors: int
    """Rows on which the metric itself failed."""
    higher_is_better: bool | None
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Why rows were skipped, and the classes of the errors -> rows."""


@dataclass(frozen=True, slots=True)
class EvalReport:
    """A data set with its scores."""

    dataset: EvalDataset = field(repr=False)
    rows: tuple[RowScores, ...] = field(repr=False)
    """In the order of the data set."""
    summary: Mapping[str, MetricSummary]
    """Metric name -> summary, in the order in which the metrics were given."""

    def to_markdown(self) -> str:
        """Give a table with a line for each metric; a metric that could not run says why."""
        lines = [
            f"{len(self.rows)} rows, data set `{self.dataset.fingerprint[:12]}`",
            "",
            "| metric | mean | scored | skipped | errors | why not |",
            "| --- | ---: | ---: | ---: | ---: | --- |",
        ]
        for item in self.summary.values():
            mean = "-" if item.mean is None else f"{item.mean:,.3f}"
            why = "; ".join(f"{reason} ({count})" for reason, count in item.reasons.items())
            cells = (item.name, mean, item.n, item.skipped, item.errors, why.replace("|", "\\|"))
            lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
        return "\n".join(lines) + "\n"

    def to_table(self) -> list[dict[str, Any]]:
        """Give one mapping a row: its fields, and `<metric>/score`, `/skipped` and `/error`."""
        table = []
        for row, scored in zip(self.dataset, self.rows, strict=True):
            line: dict[str, Any] = {"id": row.id, "input": row.input, "output": row.output}
            line |= row.to_dict()
            for name, score in scored.scores.items():
                line[f"{name}/score"] = score.value
                if score.skipped is not None:
                    line[f"{name}/skipped"] = score.skipped
                if score.error is not None:
                    line[f"{name}/error"] = score.error
            table.append(line)
        return table

    def to_pandas(self) -> pd.DataFrame:
        """Give `to_table` as a data frame.

        Raises:
            MissingExtraError: pandas is not installed (it comes with MLflow).
        """
        frame: pd.DataFrame = require("pandas", extra="eval").DataFrame(self.to_table())
        return frame

    def log_to_mlflow(
        self,
        *,
        experiment: str | None = None,
        tracking_uri: str | Path | None = None,
        run_name: str | None = None,
    ) -> str:
        """Write one MLflow run (metrics, one table, the data set as input) and give its id.

        What is written are the rows as they are: redact them before (`MLflowEvalCallback(redact=)`).

        Args:
            experiment: Name of the experiment, made if there is none; default
                `MLFLOW_EXPERIMENT_NAME`, else "langchain-prodkit".
            tracking_uri: Address of the store, or the path of a sqlite file or a folder to hold one;
                default what `mlflow.set_tracking_uri` or `MLFLOW_TRACKING_URI` says, else
                `sqlite:///mlflow.db` in the current folder.
            run_name: Name of the run; default the name of the data set.

        Raises:
            StoreError: The store cannot be reached or written.
            MissingExtraError: MLflow is not installed.
        """
        # The only module that talks to MLflow, loaded when it is time to.
        from langchain_prodkit.evaluation.mlflow_log import write_run  # noqa: PLC0415

        return write_run(self, experiment=experiment, tracking_uri=tracking_uri, run_name=run_name)


def summarised(rows: Sequence[RowScores], directions: Mapping[str, bool | None]) -> dict[str, MetricSummary]:
    """Sum up each metric of `directions` (name -> `higher_is_better`) over the rows."""
    return {name: _summary(name, better, rows) for name, better in directions.items()}


def _summary(name: str, better: bool | None, rows: Sequence[RowScores]) -> MetricSummary:
    scores = [row.scores[name] for row in rows]
    values = [score.value for score in scores if score.value is not None]
    skipped = Counter(score.skipped for score in scores if score.skipped is not None)
    errors = Counter(score.error for score in scores if score.error is not None)
    return MetricSummary(
        name=name,
        mean=math.fsum(values) / len(values) if values else None,
        n=len(values),
        skipped=skipped.total(),
        errors=errors.total(),
        higher_is_better=better,
        reasons=dict((skipped + errors).most_common()),
    )

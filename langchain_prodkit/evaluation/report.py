"""What an evaluation found: per row, per metric, as tables, files and an MLflow run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_prodkit._extras import require
from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.intervals import Resampling, interval
from langchain_prodkit.evaluation.junit import write_junit
from langchain_prodkit.evaluation.markdown import written
from langchain_prodkit.evaluation.report_file import load_parts, save_report
from langchain_prodkit.evaluation.summary import MetricSummary, RowScores, mean_of, summarised

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd  # type: ignore[import-untyped]

    from langchain_prodkit.evaluation.junit import GateVerdict
    from langchain_prodkit.evaluation.metrics import Score
    from langchain_prodkit.evaluation.mlflow_traces import TraceChoice

__all__ = ["EvalReport", "FailedRow", "MetricChange", "MetricSummary", "RowScores", "summarised"]


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A row that somebody should look at."""

    id: str
    error: str | None
    """Class of the error that ended its run; None where the run went well."""
    flags: tuple[str, ...]
    """Names of the checks that it failed when it was answered."""
    below: Mapping[str, float]
    """Metric -> score, where the score is on the wrong side of the mark."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Say why it failed, in words without texts of the row."""
        return (
            *([f"the run failed: {self.error}"] if self.error else []),
            *(f"check {flag}" for flag in self.flags),
            *(f"{name} {score:.3g}" for name, score in self.below.items()),
        )


@dataclass(frozen=True, slots=True)
class MetricChange:
    """How one metric moved between two evaluations of the same questions."""

    name: str
    before: float | None
    """Mean of the baseline over all its rows; None when it has none."""
    after: float | None
    n: int
    """Rows scored in both."""
    difference: float | None
    """Mean of after minus before over those rows."""
    ci_low: float | None
    """Where the 95 % interval of the difference begins."""
    ci_high: float | None
    higher: int
    """Rows whose score rose."""
    lower: int
    """Rows whose score fell."""


@dataclass(frozen=True, slots=True)
class EvalReport:
    """A data set with its scores."""

    dataset: EvalDataset = field(repr=False)
    rows: tuple[RowScores, ...] = field(repr=False)
    """In the order of the data set."""
    summary: Mapping[str, MetricSummary]
    """Metric name -> summary, in the order in which the metrics were given."""
    fingerprints: tuple[str, str] | None = field(default=None, repr=False, compare=False)
    """Of the data set and of its questions, where the report was loaded without its texts; else None."""

    @property
    def fingerprint(self) -> str:
        """The data set's fingerprint, also where its texts were left out of the file."""
        return self.fingerprints[0] if self.fingerprints else self.dataset.fingerprint

    @property
    def question_fingerprint(self) -> str:
        """What must be equal between two reports that are to be compared; see `EvalDataset`."""
        return self.fingerprints[1] if self.fingerprints else self.dataset.question_fingerprint

    def failed_rows(self, passing: Mapping[str, float] | None = None) -> tuple[FailedRow, ...]:
        """Give the rows whose run failed, that a check flagged, or that miss a mark, in order.

        A metric that could not score a row says nothing against the row: see `MetricSummary.skipped`
        and `.errors` for that.

        Args:
            passing: Metric -> the mark that a score must reach, or, for a metric whose lower scores are
                better, must not exceed, e.g. `{"groundedness": 0.5}`.

        Raises:
            EvaluationError: A mark is given for a metric that this report does not have.
        """
        marks = dict(passing or {})
        if unknown := sorted(set(marks) - set(self.summary)):
            msg = f"passing= names metrics that are not in the report: {', '.join(unknown)}"
            raise EvaluationError(msg)
        failed = []
        for row, scored in zip(self.dataset, self.rows, strict=True):
            below = {}
            for name, mark in marks.items():
                value = scored.scores[name].value
                lower_is_better = self.summary[name].higher_is_better is False
                if value is not None and (value > mark if lower_is_better else value < mark):
                    below[name] = value
            if row.error is not None or row.flags or below:
                failed.append(FailedRow(row.id, row.error, row.flags, below))
        return tuple(failed)

    def compare(self, baseline: EvalReport) -> tuple[MetricChange, ...]:
        """Say how each metric moved since `baseline`, paired row by row; `Gate` gives the verdict.

        Raises:
            EvaluationError: The baseline belongs to other questions.
        """
        if baseline.question_fingerprint != self.question_fingerprint:
            msg = "the baseline belongs to other questions; compare reports over the same ids and inputs"
            raise EvaluationError(msg)
        before = {row.id: row.scores for row in baseline.rows}
        draws = Resampling()
        return tuple(
            _change(name, self.summary[name], baseline.summary.get(name), before, self.rows, draws)
            for name in self.summary
        )

    def to_markdown(
        self,
        *,
        worst: int = 0,
        passing: Mapping[str, float] | None = None,
        baseline: EvalReport | None = None,
    ) -> str:
        """Give tables that hold no text of any row: a metric that could not run says why.

        Args:
            worst: Rows to name, by id, for each metric that has a better side.
            passing: Marks, as for `failed_rows`: the rows that miss one are named too.
            baseline: An earlier report over the same questions: adds how each metric moved.

        Raises:
            EvaluationError: See `failed_rows` and `compare`.
        """
        return written(self, worst=worst, passing=passing, baseline=baseline)

    def to_table(self) -> list[dict[str, Any]]:
        """Give one mapping a row: its fields, and `<metric>/score`, `/skipped`, `/error`, `/rationale`."""
        table = []
        for row, scored in zip(self.dataset, self.rows, strict=True):
            line: dict[str, Any] = {"id": row.id, "input": row.input, "output": row.output}
            line |= row.to_dict()
            for name, score in scored.scores.items():
                line[f"{name}/score"] = score.value
                for part in ("skipped", "error", "rationale"):
                    if (said := getattr(score, part)) is not None:
                        line[f"{name}/{part}"] = said
            table.append(line)
        return table

    def to_pandas(self) -> pd.DataFrame:
        """Give `to_table` as a data frame.

        Raises:
            MissingExtraError: pandas is not installed (it comes with MLflow).
        """
        frame: pd.DataFrame = require("pandas", extra="eval").DataFrame(self.to_table())
        return frame

    def to_junit(
        self,
        path: str | Path,
        gate_result: GateVerdict | None = None,
        *,
        passing: Mapping[str, float] | None = None,
        texts: bool = False,
    ) -> Path:
        """Write a JUnit file: a case for each metric and for each failed row.

        Args:
            path: Where; folders are made, an existing file is replaced.
            gate_result: What `Gate.check` said: its verdicts decide which metrics fail. Without it a
                metric case fails only where the metric itself did, and is skipped where it could run
                nowhere.
            passing: Marks, as for `failed_rows`.
            texts: Also write question, answer and rationale of the failed rows. CI systems show and
                keep such files: leave it off unless the data may be shown there.

        Raises:
            EvaluationError: The file cannot be written, or see `failed_rows`.
        """
        return write_junit(self, path, gate_result, passing=passing, texts=texts)

    def save(self, path: str | Path, *, texts: bool = True) -> Path:
        """Write the report to a JSON file that `load` reads; folders are made, a file is replaced.

        Args:
            path: Where.
            texts: False leaves out all texts (questions, answers, contexts, rationales, metadata): ids,
                scores and fingerprints remain, which is what a baseline needs.

        Raises:
            EvaluationError: The file cannot be written.
        """
        return save_report(self, path, texts=texts)

    @classmethod
    def load(cls, path: str | Path) -> EvalReport:
        """Read what `save` wrote.

        Raises:
            EvaluationError: The file cannot be read, is no report, or was written by a later version.
        """
        dataset, rows, directions, fingerprints = load_parts(path)
        return cls(dataset, rows, summarised(rows, directions), fingerprints)

    def log_to_mlflow(
        self,
        *,
        experiment: str | None = None,
        tracking_uri: str | Path | None = None,
        run_name: str | None = None,
        traces: TraceChoice = "sampled",
        sample: int = 20,
        passing: Mapping[str, float] | None = None,
        plots: bool = False,
        baseline: EvalReport | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> str:
        """Write one MLflow run and give its id: metrics, one table, the data set, traces, plots.

        What is written are the rows as they are: redact them before (`MLflowEvalCallback(redact=)`).
        The run is FINISHED only when all of it is in; one that could not be written whole shows no
        metrics and keeps no traces, and is marked FAILED at once, or, where the store was gone, as soon
        as it answers, at the latest by the next call.

        Args:
            experiment: Name of the experiment, made if there is none; default
                `MLFLOW_EXPERIMENT_NAME`, else "langchain-prodkit".
            tracking_uri: Address of the store, or the path of a sqlite file or a folder to hold one;
                default what `mlflow.set_tracking_uri` or `MLFLOW_TRACKING_URI` says, else
                `sqlite:///mlflow.db` in the current folder.
            run_name: Name of the run; default the name of the data set.
            traces: Which rows become traces with their scores as assessments, so that MLflow's pages
                show them one by one: "failed" ones (see `failed_rows`; 500 at most, the metric
                `traces_left_out` counts the others), "sampled" for those and a sample of the others,
                "all", or "none".
            sample: Size of that sample in rows; the same ids are drawn each time.
            passing: Marks, as for `failed_rows`, e.g. `{"groundedness": 0.5}`.
            plots: Also draw distributions, and changes since `baseline`, as pictures (about a second and a
                half, most of it the import of matplotlib); a tag says so where matplotlib is missing.
            baseline: An earlier report over the same questions, for the plots.
            tags: Tags of your own for the run.

        Raises:
            StoreError: The store cannot be reached or written.
            EvaluationError: See `failed_rows` and `compare`.
            ConfigurationError: An argument makes no sense.
            MissingExtraError: MLflow is not installed.
        """
        # The only module that talks to MLflow, loaded when it is time to.
        from langchain_prodkit.evaluation.mlflow_log import LogOptions, write_run  # noqa: PLC0415

        options = LogOptions(run_name, dict(tags or {}), traces, sample, passing, plots, baseline)
        return write_run(self, experiment=experiment, tracking_uri=tracking_uri, options=options)


def _change(  # noqa: PLR0917 - one value each, from one caller
    name: str,
    now: MetricSummary,
    then: MetricSummary | None,
    before: Mapping[str, Mapping[str, Score]],
    rows: Sequence[RowScores],
    draws: Resampling,
) -> MetricChange:
    gaps = []
    for row in rows:
        old = before[row.id].get(name) if row.id in before else None
        new = row.scores[name]
        if old is not None and old.value is not None and new.value is not None:
            gaps.append(new.value - old.value)
    # Differences of 0 and 1 are no shares, even where none of them is -1.
    low, high = interval(gaps, draws, is_share=False) or (None, None)
    return MetricChange(
        name=name,
        before=then.mean if then else None,
        after=now.mean,
        n=len(gaps),
        difference=mean_of(gaps),
        ci_low=low,
        ci_high=high,
        higher=sum(gap > 0 for gap in gaps),
        lower=sum(gap < 0 for gap in gaps),
    )

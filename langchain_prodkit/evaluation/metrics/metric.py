"""What a metric is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["Metric", "Score"]


@dataclass(frozen=True, slots=True)
class Score:
    """What a metric says about one row: a number, or why there is none."""

    value: float | None = None
    skipped: str | None = None
    """Why the metric could not run on the row; a skipped row counts neither for nor against."""
    error: str | None = None
    """Class name of the error that the metric raised on the row."""
    rationale: str | None = field(default=None, repr=False)
    """Why, in a judge's words; may quote the row's texts, so it is kept out of reprs, logs and errors."""


class Metric(Protocol):
    """Gives each row a number.

    Two more methods are used where a metric has them: `score_all(rows) -> Sequence[Score]`, asked once
    with every row that has what the metric needs (for what only the whole data set shows, and for models
    that read many texts at once), and `async ascore(row) -> Score` (for judges), asked concurrently.
    A metric may also have `begin()`, called when an evaluation starts.
    """

    @property
    def name(self) -> str:
        """How it is called in reports and in MLflow: letters, digits and `_ - . :`."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """Fields of `EvalRecord` that a row must have.

        A metric that needs any is skipped on rows that lack one and on rows whose run failed; a
        metric that needs none sees every row.
        """
        ...

    @property
    def higher_is_better(self) -> bool | None:
        """Which way is better; None where neither is."""
        ...

    def score(self, row: EvalRecord) -> Score:
        """Score one row; must not change it. What it raises is counted as an error of that row."""
        ...

"""What each metric says about a whole data set."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from langchain_prodkit.evaluation.intervals import Resampling, interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_prodkit.evaluation.metrics import Score

__all__ = ["MetricSummary", "RowScores", "mean_of", "summarised"]


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
    ci_low: float | None = None
    """Where the 95 % interval of the mean begins: Wilson's where all scores are 0 or 1, else a seeded
    bootstrap's; None below two rows. It tells what another draw of as many questions could have given."""
    ci_high: float | None = None
    """Where it ends."""


def summarised(rows: Sequence[RowScores], directions: Mapping[str, bool | None]) -> dict[str, MetricSummary]:
    """Sum up each metric of `directions` (name -> `higher_is_better`) over the rows."""
    draws = Resampling()
    return {name: _summary(name, better, rows, draws) for name, better in directions.items()}


def _summary(name: str, better: bool | None, rows: Sequence[RowScores], draws: Resampling) -> MetricSummary:
    scores = [row.scores[name] for row in rows]
    values = [score.value for score in scores if score.value is not None]
    skipped = Counter(score.skipped for score in scores if score.skipped is not None)
    errors = Counter(score.error for score in scores if score.error is not None)
    low, high = interval(values, draws) or (None, None)
    return MetricSummary(
        name=name,
        mean=mean_of(values),
        n=len(values),
        skipped=skipped.total(),
        errors=errors.total(),
        higher_is_better=better,
        reasons=dict((skipped + errors).most_common()),
        ci_low=low,
        ci_high=high,
    )


def mean_of(values: Sequence[float]) -> float | None:
    """Give the mean; None of nothing."""
    if not values:
        return None
    try:
        return math.fsum(values) / len(values)
    except OverflowError:
        return math.fsum(value / len(values) for value in values)

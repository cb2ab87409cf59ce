"""One metric as a gate sees it: its scores now and then, and the rows that should have one and do not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from langchain_prodkit.evaluation.judge_verdict import JUDGE_DOWN, TOO_LONG, is_judge_down
from langchain_prodkit.evaluation.summary import mean_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_prodkit.evaluation.baseline import Baseline
    from langchain_prodkit.evaluation.metrics import Score
    from langchain_prodkit.evaluation.report import EvalReport
    from langchain_prodkit.evaluation.summary import MetricSummary

__all__ = ["Case", "case_of", "is_inapplicable", "is_judge_gone", "is_lost", "reasons_of"]

_RUN_FAILED: Final = "the run failed"
_UNANSWERED: Final = "no output"
_LACKS: Final = "no "
"""How the reason begins of a row that lacks what the metric needs; but every row should have an answer."""


@dataclass(frozen=True, slots=True)
class Case:
    """The scores of one metric."""

    summary: MetricSummary | None
    """None where the report does not have the metric."""
    now: tuple[float, ...] = field(repr=False)
    then: tuple[float, ...] = field(repr=False)
    gaps: tuple[float, ...] = field(repr=False)
    """Now minus then where a row has both, turned so that negative is worse."""
    fallen: tuple[float, ...] = field(repr=False)
    """The same for the rows that had a score then and have none now, as if they had the worst now."""
    lost: int
    """Rows without a score that should have one."""
    low: float
    """The lowest score there can be: 0 where all lie between 0 and 1, else the lowest seen."""
    high: float
    """The highest."""

    @property
    def mean(self) -> float | None:
        """Of all scores now."""
        return mean_of(self.now)

    @property
    def mean_then(self) -> float | None:
        """Of all scores then."""
        return mean_of(self.then)

    @property
    def broken(self) -> str | None:
        """Why nothing at all can be said."""
        if self.summary is None:
            return "not in the report"
        return None if self.now else f"could run on no row: {reasons_of(self.summary)}"

    def mean_if_lost_count(self, worst: float) -> float:
        """Give the mean now, with `worst` for every row that lost its score."""
        return (sum(self.now) + worst * self.lost) / max(1, len(self.now) + self.lost)


def case_of(name: str, report: EvalReport, baseline: Baseline | None, *, better: bool | None) -> Case:
    """Collect the scores of the metric `name`; `better` says whether higher is."""
    before: Mapping[str, Mapping[str, float]] = {} if baseline is None else baseline.scores
    now, then, pairs, stranded = [], [], [], []
    lost = 0
    for row in report.rows:
        score = row.scores.get(name)
        old = before.get(row.id, {}).get(name)
        if old is not None:
            then.append(old)
        if score is not None and score.value is not None:
            now.append(score.value)
            if old is not None:
                pairs.append((score.value, old))
            continue
        lost += old is not None or (score is not None and is_lost(score))
        if old is not None:
            stranded.append(old)
    seen = [*now, *then]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    sign, worst = (-1, high) if better is False else (1, low)
    return Case(
        summary=report.summary.get(name),
        now=tuple(now),
        then=tuple(then),
        gaps=tuple(sign * (new - old) for new, old in pairs),
        fallen=tuple(sign * (worst - old) for old in stranded),
        lost=lost,
        low=low,
        high=high,
    )


def is_lost(score: Score) -> bool:
    """Tell whether a row without a score should have one: something failed, or gave up."""
    why = score.skipped or ""
    return (
        score.error is not None
        or why in {_RUN_FAILED, TOO_LONG}
        or why.startswith("judge ")
        or why == _UNANSWERED
        or is_judge_down(score)
    )


def is_inapplicable(summary: MetricSummary) -> bool:
    """Tell whether a metric ran on no row because the rows lack a column that it needs."""
    lacks = {why: why.startswith(_LACKS) and why != _UNANSWERED for why in summary.reasons}
    return not summary.n and any(lacks.values()) and all(lacks[why] or why == _RUN_FAILED for why in lacks)


def reasons_of(summary: MetricSummary) -> str:
    """Say why rows have no score, and how many."""
    return "; ".join(f"{reason} ({count})" for reason, count in summary.reasons.items())


def is_judge_gone(report: EvalReport) -> bool:
    """Tell whether a judge was given up, or answered for no row at all; one failed call is not that."""
    for name, summary in report.summary.items():
        if JUDGE_DOWN in summary.reasons:
            return True
        if not summary.n and any(is_judge_down(row.scores[name]) for row in report.rows):
            return True
    return False

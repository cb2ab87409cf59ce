"""`Gate`: from a report to a verdict that a pipeline can act on: PASS, FAIL or INCONCLUSIVE."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.baseline import Baseline
from langchain_prodkit.evaluation.bootstrap import Drop, Resampler, detectable_drop, holm
from langchain_prodkit.evaluation.gate_case import Case, case_of, is_inapplicable, is_judge_gone, reasons_of
from langchain_prodkit.evaluation.gate_result import GateResult, MetricVerdict, Outcome
from langchain_prodkit.evaluation.markdown import number
from langchain_prodkit.evaluation.report import EvalReport
from langchain_prodkit.evaluation.threshold import Threshold

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.summary import MetricSummary

__all__ = ["Gate"]

_DOUBT: Final = 2.0
"""A p up to so many times alpha is neither a drop nor none."""
_UNITS: Final = ("_ms", "_s", "_usd", "_tokens")
"""How the names of metrics end that measure time, money or tokens."""


class Gate:
    """Say whether an evaluation is good enough: against thresholds, against a baseline, or both.

    ```python
    result = Gate({"faithfulness": Threshold(min=0.8)}, baseline="baseline.json").check(report)
    sys.exit(result.exit_code)
    ```

    Against a baseline each metric that has a better side is compared row by row. It

    - FAILs when it is worse by more than `max_drop`, significantly at `alpha`, all metrics together;
    - is INCONCLUSIVE when that is significant at twice `alpha` only, when fewer than `min_rows` rows can be
      compared, when so few or so noisy rows could hide more than `max_unseen`, or when it could not run;
    - PASSes otherwise, and says which change for the worse these rows would have shown 4 times in 5.

    The heaviest verdict of any metric is the gate's: FAIL, then INCONCLUSIVE. A judge that did not answer
    makes it INCONCLUSIVE at least.

    Rows that lost their score (the run failed, the metric raised, the judge gave up, or there simply was
    one in the baseline) are left out of the comparison, but PASS must stand even if each of them had the
    worst score. Rows that lack what a metric needs, such as an expected answer, do not count. Left out of
    the verdict, and named in `GateResult.ungated`, are metrics without a better side, metrics that no row
    has the columns for, now or then, and those of time, money and tokens (names that end in `_ms`, `_s`,
    `_usd`, `_tokens`), which change from run to run: name those in `thresholds` or `metrics`.
    """

    def __init__(
        self,
        thresholds: Mapping[str, Threshold] | None = None,
        *,
        baseline: Baseline | EvalReport | str | Path | None = None,
        metrics: Collection[str] | None = None,
        max_drop: float | Mapping[str, float] = 0.0,
        max_unseen: float | None = 0.25,
        alpha: float = 0.05,
        min_rows: int = 30,
        draws: int = 10_000,
        seed: int = 0,
    ) -> None:
        """Set what is asked of a report.

        Args:
            thresholds: Metric -> what it must reach.
            baseline: An earlier report over the same questions, what `Baseline.of` made of it, or the file
                of either.
            metrics: Names of the metrics to compare with the baseline, whatever their unit; default all
                that the class says.
            max_drop: How much worse than the baseline a metric may be, in its own units; one number for
                all, or metric -> number (0 for those not named).
            max_unseen: The largest change for the worse that may go unseen, as a share of the width of the
                metric's scores (for scores from 0 to 1 that is the change); None for any.
            alpha: Chance of a FAIL when nothing changed.
            min_rows: Below so many rows nothing is decided.
            draws: Resamples of the bootstrap.
            seed: Of the resamples: the same report gets the same verdict, on any machine.

        Raises:
            ConfigurationError: There is nothing to check against, or a setting makes no sense.
            BaselineError: The file of the baseline cannot be read.
        """
        given = dict(thresholds or {})
        if not given and baseline is None:
            msg = "a gate needs thresholds=, baseline= or both"
            raise ConfigurationError(msg)
        for name, threshold in given.items():
            if not isinstance(threshold, Threshold):
                msg = f"the threshold of {name} must be a Threshold, such as Threshold(min=0.8)"
                raise ConfigurationError(msg)
        if isinstance(metrics, str) or (metrics is not None and baseline is None):
            msg = "metrics= is a list of names, to be compared with baseline="
            raise ConfigurationError(msg)
        drops = tuple(max_drop.values()) if isinstance(max_drop, Mapping) else (max_drop,)
        if not all(math.isfinite(drop) and drop >= 0 for drop in drops):
            msg = "max_drop must be 0 or more"
            raise ConfigurationError(msg)
        if max_unseen is not None and not max_unseen > 0:
            msg = "max_unseen must be more than 0, or None"
            raise ConfigurationError(msg)
        if not 0 < alpha < 0.5 or min_rows < 1 or draws < 100:  # noqa: PLR2004 - fewer draws say nothing
            msg = "alpha must lie between 0 and 0.5, min_rows be at least 1 and draws at least 100"
            raise ConfigurationError(msg)
        if not 0 <= seed < 1 << 32:
            msg = "seed must be a whole number from 0 to 4294967295"
            raise ConfigurationError(msg)
        self.thresholds: Mapping[str, Threshold] = given
        self.baseline = _taken(baseline)
        self._metrics = None if metrics is None else tuple(dict.fromkeys(metrics))
        self._max_drop = max_drop
        self._max_unseen = max_unseen
        self._alpha = alpha
        self._min_rows = min_rows
        self._draws = draws
        self._seed = seed

    def __repr__(self) -> str:
        against = "no baseline" if self.baseline is None else f"a baseline of {len(self.baseline)} rows"
        return f"{type(self).__name__}({len(self.thresholds)} thresholds, {against})"

    def check(self, report: EvalReport) -> GateResult:
        """Judge a report.

        Raises:
            BaselineError: The baseline belongs to other questions; the message counts the rows.
            ConfigurationError: `metrics` names one that has no better side.
        """
        if self.baseline is not None:
            self.baseline.check_questions(report)
        ungated: dict[str, str] = {}
        compared = tuple(self._compared(report, ungated))
        cases = {
            name: case_of(name, report, self.baseline, better=self._better(name, report))
            for name in dict.fromkeys((*self.thresholds, *compared))
        }
        resampler = Resampler(draws=self._draws, seed=self._seed)
        drops = {
            name: resampler.drop(cases[name].gaps, tolerated=self._tolerated(name), alpha=self._alpha)
            for name in compared
            if len(cases[name].gaps) >= self._min_rows
        }
        adjusted = holm(drops, self._alpha)
        share = self._alpha / max(1, sum(drop.floor <= self._alpha for drop in drops.values()))
        verdicts = []
        for name, case in cases.items():
            item = MetricVerdict(name, mean=case.mean, n=len(case.now), lost=case.lost)
            item = replace(item, threshold=self.thresholds.get(name))
            if case.broken is not None:
                verdicts.append(item.worse(Outcome.INCONCLUSIVE, case.broken))
                continue
            if item.threshold is not None:
                item = self._held(item, case, item.threshold)
            if name in compared:
                item = replace(item, baseline_mean=case.mean_then, pairs=len(case.gaps))
                if name in drops:
                    sign = -1 if self._better(name, report) is False else 1
                    item = self._measured(item, case, drops[name], adjusted[name], share, sign)
                    item = self._decided(item, case, resampler)
                else:
                    item = item.worse(Outcome.INCONCLUSIVE, self._too_few(len(case.gaps), "can be compared"))
            verdicts.append(item)
        order = {name: place for place, name in enumerate(report.summary)}
        return GateResult(
            metrics=tuple(sorted(verdicts, key=lambda item: order.get(item.name, len(order)))),
            ungated={name: why for name, why in ungated.items() if name not in cases},
            judge_down=is_judge_gone(report),
            rows=len(report.rows),
            alpha=self._alpha,
        )

    # -- which metrics ------------------------------------------------------------------------------

    def _compared(self, report: EvalReport, ungated: dict[str, str]) -> Iterator[str]:
        """Give the metrics to compare with the baseline; say of the others why not."""
        if self.baseline is None:
            ungated.update(dict.fromkeys(report.summary, "no threshold"))
            return
        if self._metrics is not None:
            for name in self._metrics:
                if self._better(name, report) is None and (
                    name in report.summary or name in self.baseline.directions
                ):
                    msg = f"neither way of {name} is better, so it needs a threshold, not a comparison"
                    raise ConfigurationError(msg)
            ungated.update(dict.fromkeys(report.summary, "not asked for"))
            yield from self._metrics
            return
        scored = {name for scores in self.baseline.scores.values() for name in scores}
        for name in dict.fromkeys((*report.summary, *self.baseline.directions)):
            why_not = self._why_not(name, report, is_scored=name in scored)
            if why_not is None:
                yield name
            else:
                ungated[name] = why_not

    def _why_not(self, name: str, report: EvalReport, *, is_scored: bool) -> str | None:
        summary = report.summary.get(name)
        if self._better(name, report) is None:
            return "neither way is better; give a threshold"
        if name.endswith(_UNITS):
            return "time, money or tokens; name it to have it gated"
        if is_scored or (summary is not None and not summary.n and not is_inapplicable(summary)):
            return None
        if summary is None or not summary.n:
            return "could run on no row, now or then" + (f": {reasons_of(summary)}" if summary else "")
        return "no score in the baseline"

    def _better(self, name: str, report: EvalReport) -> bool | None:
        if name in report.summary:
            return report.summary[name].higher_is_better
        return self.baseline.directions.get(name) if self.baseline is not None else None

    def _tolerated(self, name: str) -> float:
        return self._max_drop.get(name, 0.0) if isinstance(self._max_drop, Mapping) else self._max_drop

    # -- what is said of one ------------------------------------------------------------------------

    def _held(self, item: MetricVerdict, case: Case, threshold: Threshold) -> MetricVerdict:
        """Hold the mean against a threshold."""
        if item.n < self._min_rows:
            return item.worse(Outcome.INCONCLUSIVE, self._too_few(item.n, "have a score"))
        summary = case.summary
        assert summary is not None  # noqa: S101 - else the case is broken
        bounds = (
            (threshold.min, 1, "below", summary.ci_low, case.low),
            (threshold.max, -1, "above", summary.ci_high, case.high),
        )
        for bound, sign, side, end, worst in bounds:
            if bound is None or item.mean is None:
                continue
            if sign * item.mean < sign * bound:
                item = item.worse(Outcome.FAIL, f"the mean {number(item.mean)} is {side} {number(bound)}")
            elif threshold.on == "ci_low" and (end is None or sign * end < sign * bound):
                why = (
                    f"the mean {number(item.mean)} may be {side} {number(bound)} (interval to {number(end)})"
                )
                item = item.worse(Outcome.INCONCLUSIVE, f"{why}; more rows would tell")
            elif item.lost and sign * case.mean_if_lost_count(worst) < sign * bound:
                why = f"{item.lost} rows have no score; with the worst one the mean would be {side} "
                item = item.worse(Outcome.INCONCLUSIVE, f"{why}{number(bound)}{_why_lost(summary)}")
        return item

    def _measured(  # noqa: PLR0917 - one caller
        self, item: MetricVerdict, case: Case, drop: Drop, adjusted: float, share: float, sign: int
    ) -> MetricVerdict:
        """Add what the comparison gave."""
        least = detectable_drop(
            n=len(case.gaps), variance=drop.variance, width=case.high - case.low, alpha=share
        )
        ends = sorted((sign * drop.low + 0.0, sign * drop.high + 0.0))
        return replace(
            item,
            difference=sign * drop.mean + 0.0,
            interval=(ends[0], ends[1]),
            p=drop.p,
            p_adjusted=adjusted,
            detectable=None if least is None else least + self._tolerated(item.name),
        )

    def _decided(self, item: MetricVerdict, case: Case, resampler: Resampler) -> MetricVerdict:
        """Turn the numbers into a verdict."""
        tolerated = self._tolerated(item.name)
        p = item.p_adjusted if item.p_adjusted is not None else 1.0
        beyond = f" than {number(tolerated)}" if tolerated else ""
        change = f"changed by {number(item.difference, sign=True)}, p {p:.3f}"
        if p <= self._alpha:
            return item.worse(Outcome.FAIL, f"worse{beyond}: {change}")
        if p <= _DOUBT * self._alpha:
            return item.worse(Outcome.INCONCLUSIVE, f"perhaps worse{beyond}: {change}; more rows would tell")
        if case.fallen:
            all_gaps = (*case.gaps, *case.fallen)
            if resampler.drop(all_gaps, tolerated=tolerated, alpha=self._alpha).p <= self._alpha:
                why = (
                    f"{len(case.fallen)} rows lost their score; with the worst one it would be worse{beyond}"
                )
                summary = case.summary
                return item.worse(Outcome.INCONCLUSIVE, why + ("" if summary is None else _why_lost(summary)))
        if self._max_unseen is not None and item.detectable is not None:
            unseen = item.detectable - tolerated
            if unseen > self._max_unseen * (case.high - case.low):
                why = (
                    f"these {item.pairs} rows could hide a change for the worse of {number(item.detectable)}"
                )
                return item.worse(Outcome.INCONCLUSIVE, f"{why}; add rows, or raise max_unseen")
        return replace(item, reasons=(*item.reasons, "no worse, as far as these rows can show"))

    def _too_few(self, n: int, what: str) -> str:
        return f"{n} rows {what}, fewer than {self._min_rows}"


def _taken(baseline: Baseline | EvalReport | str | Path | None) -> Baseline | None:
    if isinstance(baseline, EvalReport):
        return Baseline.of(baseline)
    if isinstance(baseline, str | Path):
        return Baseline.load(baseline)
    if baseline is not None and not isinstance(baseline, Baseline):
        msg = (
            f"a baseline is a Baseline, an EvalReport or the path of a file, not a {type(baseline).__name__}"
        )
        raise ConfigurationError(msg)
    return baseline


def _why_lost(summary: MetricSummary) -> str:
    return f" ({reasons_of(summary)})" if summary.reasons else ""

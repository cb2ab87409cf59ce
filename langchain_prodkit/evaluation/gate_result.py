"""What a gate says: one verdict, with one for each metric and the reasons in numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from langchain_prodkit.evaluation.markdown import cell, number
from langchain_prodkit.evaluation.threshold import Threshold

__all__ = ["EXIT_CODES", "GateResult", "MetricVerdict", "Outcome"]


class Outcome(StrEnum):
    """What a pipeline acts on."""

    PASS = "PASS"  # noqa: S105 - no password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    """It cannot be told: too few rows, scores missing, a drop that may be chance, a judge that is down."""


_WEIGHT: Final = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL)
EXIT_CODES: Final = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 2}


@dataclass(frozen=True, slots=True)
class MetricVerdict:
    """What a gate says about one metric."""

    name: str
    verdict: Outcome = Outcome.PASS
    reasons: tuple[str, ...] = ()
    """Why, in names and numbers."""
    mean: float | None = None
    """Over all rows that have a score now."""
    n: int = 0
    """Rows that have a score now."""
    lost: int = 0
    """Rows without a score that should have one: the run or the metric failed, or there was one in the
    baseline."""
    threshold: Threshold | None = None
    baseline_mean: float | None = None
    """Over all rows that had a score then; None where nothing was compared."""
    pairs: int | None = None
    """Rows that have a score now and had one then; None where nothing was compared."""
    difference: float | None = None
    """Mean of now minus then over the pairs."""
    interval: tuple[float, float] | None = None
    """Of the difference; its true value lies beyond either end with probability `alpha`."""
    p: float | None = None
    """How likely a change for the worse like this one, beyond `max_drop`, is by chance alone."""
    p_adjusted: float | None = None
    """The same, with all metrics compared together: what `alpha` is held against."""
    detectable: float | None = None
    """The smallest change for the worse that these pairs show 4 times in 5, `max_drop` included."""

    def worse(self, verdict: Outcome, reason: str) -> MetricVerdict:
        """Add a reason; the heavier verdict stands."""
        heavier = max(self.verdict, verdict, key=_WEIGHT.index)
        return replace(self, verdict=heavier, reasons=(*self.reasons, reason))


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate says about a report."""

    metrics: tuple[MetricVerdict, ...]
    """One for each metric gated."""
    ungated: Mapping[str, str] = field(default_factory=dict)
    """Metric -> why it takes no part in the verdict."""
    judge_down: bool = False
    """Whether a judge did not answer: never PASS, and no fault of the answers."""
    rows: int = 0
    """Of the report."""
    alpha: float = 0.05

    @property
    def verdict(self) -> Outcome:
        """The heaviest verdict of any metric; INCONCLUSIVE when a judge is down or nothing was gated."""
        least = Outcome.INCONCLUSIVE if self.judge_down or not self.metrics else Outcome.PASS
        return max((least, *(item.verdict for item in self.metrics)), key=_WEIGHT.index)

    @property
    def passed(self) -> bool:
        """Whether the verdict is PASS."""
        return self.verdict is Outcome.PASS

    @property
    def exit_code(self) -> int:
        """Give 0 for PASS, 1 for FAIL, 2 for INCONCLUSIVE."""
        return EXIT_CODES[self.verdict]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not PASS, each with the name of its metric."""
        general = []
        if self.judge_down:
            general.append("a judge did not answer: its metrics say nothing about the answers")
        if not self.metrics:
            general.append("no metric was gated")
        return (
            *general,
            *(
                f"{item.name}: {reason}"
                for item in self.metrics
                if item.verdict is not Outcome.PASS
                for reason in item.reasons
            ),
        )

    def __getitem__(self, name: str) -> MetricVerdict:
        for item in self.metrics:
            if item.name == name:
                return item
        raise KeyError(name)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-able data."""
        return {
            "verdict": str(self.verdict),
            "exit_code": self.exit_code,
            "judge_down": self.judge_down,
            "rows": self.rows,
            "alpha": self.alpha,
            "metrics": [{**asdict(item), "verdict": str(item.verdict)} for item in self.metrics],
            "ungated": dict(self.ungated),
        }

    def to_markdown(self) -> str:
        """Give the verdict and a table, as a CI summary shows them; no text of any row."""
        lines = [f"### Evaluation gate: {self.verdict}", ""]
        if self.judge_down:
            lines += ["A judge did not answer, so its metrics say nothing about the answers.", ""]
        if self.metrics:
            lines += [
                "| metric | verdict | mean | baseline | change | interval | p | would show | why |",
                "| --- | --- | ---: | ---: | ---: | --- | ---: | ---: | --- |",
                *map(_line, self.metrics),
                "",
            ]
        else:
            lines += ["No metric was gated.", ""]
        lines.append(f"{self.rows} rows. {_FOOT.format(level=1 - 2 * self.alpha)}")
        if self.ungated:
            named = "; ".join(f"{name} ({cell(why)})" for name, why in self.ungated.items())
            lines += ["", f"Not gated: {named}."]
        return "\n".join(lines) + "\n"


_FOOT: Final = (
    "Interval: {level:.0%} of the paired bootstrap. p: of a change for the worse, all metrics together. "
    "Would show: the smallest change for the worse that these rows reveal 4 times in 5."
)


def _line(item: MetricVerdict) -> str:
    span = "-" if item.interval is None else " to ".join(number(end, sign=True) for end in item.interval)
    cells = (
        item.name,
        item.verdict,
        number(item.mean),
        number(item.baseline_mean),
        number(item.difference, sign=True),
        span,
        "-" if item.p_adjusted is None else f"{item.p_adjusted:.3f}",
        number(item.detectable),
        "; ".join(item.reasons),
    )
    return "| " + " | ".join(map(cell, cells)) + " |"

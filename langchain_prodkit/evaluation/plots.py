"""Pictures of a report: how each metric's scores lie, and how they moved since a baseline."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_prodkit.evaluation.report import EvalReport
    from langchain_prodkit.evaluation.summary import MetricSummary

__all__ = ["change_figure", "distribution_figure", "figures", "log_plots"]

_COLUMNS: Final = 3
_MOST_BINS: Final = 20
_MOST_METRICS: Final = 30
_MOST_NAME_CHARS: Final = 26
_NOW: Final = "#2a6f97"
_THEN: Final = "#b0b7bf"
_WORSE: Final = "#c1443c"
_BETTER: Final = "#2f8f5b"


def figures(report: EvalReport, baseline: EvalReport | None = None) -> dict[str, Any]:
    """Give file name -> matplotlib figure; empty where there is nothing to show.

    No global state of matplotlib is touched: neither its backend nor its list of open figures.

    Raises:
        MissingExtraError: matplotlib is not installed (it comes with MLflow).
        EvaluationError: The baseline belongs to other questions.
    """
    made = {
        "plots/distributions.png": distribution_figure(report, baseline),
        "plots/changes.png": None if baseline is None else change_figure(report, baseline),
    }
    return {name: figure for name, figure in made.items() if figure is not None}


def distribution_figure(report: EvalReport, baseline: EvalReport | None = None) -> Any:
    """Give one histogram a metric, with its mean and interval, over the baseline's in grey."""
    shown = [item for item in report.summary.values() if item.n][:_MOST_METRICS]
    if not shown:
        return None
    rows = math.ceil(len(shown) / _COLUMNS)
    columns = min(_COLUMNS, len(shown))
    figure, put = _figure(columns, rows, width=3.6, height=2.2)
    for place, item in enumerate(shown):
        axes = put(place)
        then = _values(baseline, item.name) if baseline is not None else []
        _histogram(axes, item, _values(report, item.name), then)
    return figure


def change_figure(report: EvalReport, baseline: EvalReport) -> Any:
    """Give a bar for each metric: the mean difference in units of its spread, with the interval."""
    changes = [
        (change, change.difference / scale, scale)
        for change in report.compare(baseline)
        if change.difference is not None
        and (scale := _spread([*_values(report, change.name), *_values(baseline, change.name)]))
    ][:_MOST_METRICS]
    if not changes:
        return None
    figure, put = _figure(1, 1, width=6.0, height=1.2 + 0.35 * len(changes), left=1.8)
    axes = put(0)
    for place, (change, middle, scale) in enumerate(changes):
        gain = report.summary[change.name].higher_is_better
        better = None if gain is None or not middle else (middle > 0) == gain
        colour = {True: _BETTER, False: _WORSE, None: _THEN}[better]
        axes.barh(place, middle, color=colour, height=0.6)
        if change.ci_low is not None and change.ci_high is not None:
            axes.plot([change.ci_low / scale, change.ci_high / scale], [place, place], color="black", lw=1)
    axes.axvline(0, color="black", lw=0.8)
    names = [change.name for change, _, _ in changes]
    axes.set_yticks(range(len(names)), [name[:_MOST_NAME_CHARS] for name in names])
    axes.invert_yaxis()
    axes.tick_params(labelsize=7)
    axes.set_title("mean change per row, in standard deviations", fontsize=8)
    return figure


def _histogram(axes: Any, item: MetricSummary, now: Sequence[float], then: Sequence[float]) -> None:
    low, high = min((*now, *then)), max((*now, *then))
    title = f"{item.name}  {item.mean:.3g}  n={item.n}"
    if item.skipped + item.errors:
        title += f" of {item.n + item.skipped + item.errors}"
    axes.set_title(title, fontsize=8)
    if not math.isfinite(high - low):
        return
    if low == high:
        low, high = low - 0.5, high + 0.5
    bins = min(_MOST_BINS, max(5, round(math.sqrt(len(now)) * 1.5)))
    edges = [low + (high - low) * step / bins for step in range(bins + 1)]
    for values, colour, label in ((then, _THEN, "before"), (now, _NOW, "now")):
        if values:
            counts = _counts(values, low, high, bins)
            # One outline instead of a patch for each bar: drawn in a tenth of the time.
            axes.stairs(counts, edges, fill=True, color=colour, alpha=0.8, label=label)
    axes.axvline(item.mean, color="black", lw=1)
    if item.ci_low is not None and item.ci_high is not None:
        axes.axvspan(item.ci_low, item.ci_high, color="black", alpha=0.12)
    axes.locator_params(nbins=4)
    axes.tick_params(labelsize=7)
    if then:
        axes.legend(fontsize=7)


def _counts(values: Sequence[float], low: float, high: float, bins: int) -> list[int]:
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / (high - low) * bins))] += 1
    return counts


def _figure(
    columns: int, rows: int, *, width: float, height: float, left: float = 0.45
) -> tuple[Any, Callable[[int], Any]]:
    """Give an empty figure and what puts axes into the nth place of its grid; sizes in inches."""
    size = (columns * width, rows * height)
    # Not pyplot: it keeps every figure, and chooses a backend for the whole process.
    figure = require("matplotlib.figure", extra="eval").Figure(figsize=size, dpi=80)
    require("matplotlib.backends.backend_agg", extra="eval").FigureCanvasAgg(figure)

    def put(place: int) -> Any:
        row, column = divmod(place, columns)
        inches = (
            column * width + left,
            size[1] - (row + 1) * height + 0.3,
            width - left - 0.15,
            height - 0.6,
        )
        # Places are computed here: a layout engine draws every label twice.
        return figure.add_axes([part / size[number % 2] for number, part in enumerate(inches)])

    return figure, put


def _values(report: EvalReport, name: str) -> list[float]:
    found = (row.scores[name].value for row in report.rows if name in row.scores)
    return [value for value in found if value is not None]


def _spread(values: Sequence[float]) -> float:
    try:
        return statistics.pstdev(values)
    except OverflowError:
        return 0.0


def log_plots(client: Any, run_id: str, report: EvalReport, baseline: EvalReport | None) -> None:
    """Write the pictures as artifacts of a run; without matplotlib a tag says that there are none."""
    try:
        made = figures(report, baseline)
    except MissingExtraError:
        client.set_tag(run_id, "prodkit.plots", "none: matplotlib is not installed")
        return
    for name, figure in made.items():
        client.log_figure(run_id, figure, name)

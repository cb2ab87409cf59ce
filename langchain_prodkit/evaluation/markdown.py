"""A report as Markdown: names, numbers and ids; never a text of a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from langchain_prodkit.evaluation.report import EvalReport
    from langchain_prodkit.evaluation.summary import MetricSummary

__all__ = ["cell", "number", "written"]

_MAX_CELL_CHARS = 200
_MOST_FAILED = 50


def written(
    report: EvalReport, *, worst: int, passing: Mapping[str, float] | None, baseline: EvalReport | None
) -> str:
    """Give the whole report; see `EvalReport.to_markdown`."""
    parts = [
        [f"{len(report.rows)} rows, data set `{report.fingerprint[:12]}`"],
        _table(
            ("metric", "mean", "95 % interval", "scored", "skipped", "errors", "why not"),
            map(_metric, report.summary.values()),
            numbers=(1, 3, 4, 5),
        ),
    ]
    if baseline is not None:
        parts.append(
            _table(
                ("metric", "before", "after", "change", "95 % interval", "rows", "higher", "lower"),
                map(_change_of, report.compare(baseline)),
                numbers=(1, 2, 3, 5, 6, 7),
            )
        )
    if passing is not None:
        failed = report.failed_rows(passing)
        parts.append([f"{len(failed)} of {len(report.rows)} rows failed"])
        if failed:
            rows = [(code(row.id), "; ".join(row.reasons)) for row in failed[:_MOST_FAILED]]
            parts.append(_table(("row", "why"), rows))
        if len(failed) > _MOST_FAILED:
            parts.append([f"and {len(failed) - _MOST_FAILED} more"])
    if worst > 0 and (lines := list(_worst(report, worst))):
        parts.append(lines)
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def number(value: float | None, *, sign: bool = False) -> str:
    """Write a number for people: three digits, more for small ones; a dash for none."""
    if value is None:
        return "-"
    plus = "+" if sign else ""
    if value and not 1e-3 <= abs(value) < 1e15:  # noqa: PLR2004 - where fixed digits say nothing
        return f"{value:{plus}.3g}"
    return f"{value:{plus},.3f}"


def cell(value: Any) -> str:
    """Write one cell of a table: on one line, no border inside, of bounded length."""
    text = " ".join(str(value).split())
    if len(text) > _MAX_CELL_CHARS:
        text = text[: _MAX_CELL_CHARS - 3] + "..."
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def code(text: str) -> str:
    """Write an id so that Markdown reads nothing into it."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain}`"


def _metric(item: MetricSummary) -> tuple[Any, ...]:
    why = "; ".join(f"{reason} ({count})" for reason, count in item.reasons.items())
    span = _interval(item.ci_low, item.ci_high)
    return item.name, number(item.mean), span, item.n, item.skipped, item.errors, why


def _change_of(item: Any) -> tuple[Any, ...]:
    return (
        item.name,
        number(item.before),
        number(item.after),
        number(item.difference, sign=True),
        _interval(item.ci_low, item.ci_high, sign=True),
        item.n,
        item.higher,
        item.lower,
    )


def _interval(low: float | None, high: float | None, *, sign: bool = False) -> str:
    if low is None or high is None:
        return "-"
    return f"{number(low, sign=sign)} to {number(high, sign=sign)}"


def _worst(report: EvalReport, count: int) -> Iterator[str]:
    for item in report.summary.values():
        if item.higher_is_better is None or not item.n:
            continue
        scored = [(row.scores[item.name].value, row.id) for row in report.rows]
        order = sorted(
            ((value, name) for value, name in scored if value is not None),
            key=lambda pair: pair[0] if item.higher_is_better else -pair[0],
        )
        named = ", ".join(f"{cell(code(name))} {number(value)}" for value, name in order[:count])
        yield f"- worst {item.name}: {named}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Sequence[int] = ()) -> list[str]:
    rules = ["---:" if column in numbers else "---" for column in range(len(head))]
    lines = [head, rules, *(tuple(map(cell, row)) for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]

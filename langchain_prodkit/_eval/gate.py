"""`eval gate`: hold a report against a baseline and thresholds, and tell it to people and pipelines."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import typer

from langchain_prodkit._eval.exits import PASS, said
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation import Baseline, EvalReport, Gate, GateResult, Threshold
from langchain_prodkit.evaluation.markdown import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_prodkit.evaluation import MetricVerdict

__all__ = ["GateJob", "run_gate", "thresholds_of"]

SUMMARY: Final = "GITHUB_STEP_SUMMARY"
_THRESHOLD: Final = re.compile(r"\s*([A-Za-z0-9_.:-]+)\s*(>=|<=)\s*([-+0-9.eE]+)\s*")
_DROP: Final = re.compile(r"\s*(?:([A-Za-z0-9_.:-]+)\s*=)?\s*([0-9.eE+-]+)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateJob:
    """What `eval gate` was asked to do."""

    report: Path
    baseline: Path | None
    thresholds: Sequence[str]
    on: Literal["ci_low", "mean"]
    metrics: Sequence[str]
    max_drop: Sequence[str]
    max_unseen: float
    alpha: float
    min_rows: int
    junit: Path | None
    github_summary: bool | None
    update_baseline: bool
    output: Literal["text", "markdown", "json"]


def run_gate(job: GateJob) -> int:
    """Do it; give the exit code of the verdict."""
    if job.github_summary and not os.environ.get(SUMMARY):
        msg = f"--github-summary writes to the file that ${SUMMARY} names, and that is not set"
        raise ConfigurationError(msg)
    if job.update_baseline and job.baseline is None:
        msg = "--update-baseline writes to the file of --baseline; give that too"
        raise ConfigurationError(msg)
    thresholds = thresholds_of(job.thresholds, job.on)
    report = EvalReport.load(job.report)
    is_first = job.update_baseline and job.baseline is not None and not job.baseline.exists()
    if is_first and not thresholds:
        _update(report, job.baseline)
        return PASS
    gate = Gate(
        thresholds,
        baseline=None if is_first else job.baseline,
        metrics=job.metrics or None,
        max_drop=_drops(job.max_drop),
        max_unseen=job.max_unseen,
        alpha=job.alpha,
        min_rows=job.min_rows,
    )
    result = gate.check(report)
    typer.echo(_WRITERS[job.output](result))
    if job.junit is not None:
        report.to_junit(job.junit, result)
    if job.github_summary is not False and (path := os.environ.get(SUMMARY)):
        _summarise(Path(path), result)
    if job.update_baseline and result.passed:
        _update(report, job.baseline)
    return result.exit_code


def thresholds_of(given: Sequence[str], on: Literal["ci_low", "mean"]) -> dict[str, Threshold]:
    """Read `name>=x` and `name<=x`; two for one name make a band.

    Raises:
        ConfigurationError: One is neither, or a bound is given twice.
    """
    bounds: dict[str, dict[str, float]] = {}
    for text in given:
        found = _THRESHOLD.fullmatch(text)
        value = None if found is None else _number(found[3])
        if found is None or value is None:
            msg = "--threshold wants name>=number or name<=number, in quotes"
            raise ConfigurationError(msg)
        bound = "min" if found[2] == ">=" else "max"
        if bounds.setdefault(found[1], {}).setdefault(bound, value) != value:
            msg = f"--threshold gives two bounds of one kind for {found[1]}"
            raise ConfigurationError(msg)
    return {name: Threshold(**sides, on=on) for name, sides in bounds.items()}


def _drops(given: Sequence[str]) -> float | dict[str, float]:
    named: dict[str, float] = {}
    for text in given:
        found = _DROP.fullmatch(text)
        value = None if found is None else _number(found[2])
        if found is None or value is None or (found[1] is None and len(given) > 1):
            msg = "--max-drop wants one number for all metrics, or name=number for each"
            raise ConfigurationError(msg)
        if found[1] is None:
            return value
        named[found[1]] = value
    return named or 0.0


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _update(report: EvalReport, path: Path | None) -> None:
    if path is not None:
        Baseline.of(report).save(path)
        said(f"baseline {path} written: {len(report.rows)} rows")


def _summarise(path: Path, result: GateResult) -> None:
    try:
        with path.open("a", encoding="utf-8") as summary:
            summary.write(result.to_markdown() + "\n")
    except OSError as error:
        # The verdict stands; only its display is missing.
        said(f"the summary cannot be written: {error.strerror or type(error).__name__}")


def _text(result: GateResult) -> str:
    return "\n".join(_lines(result))


def _lines(result: GateResult) -> Iterator[str]:
    wide = max((len(item.name) for item in result.metrics), default=0)
    for item in result.metrics:
        yield f"{item.name:{wide}}  {item.verdict:12}  {'; '.join(_figures(item))}"
        for reason in item.reasons:
            yield f"{'':{wide}}  {reason}"
    if result.judge_down:
        yield "a judge did not answer: its metrics say nothing about the answers"
    if result.ungated:
        yield "not gated:"
        yield from (f"  {name}: {why}" for name, why in result.ungated.items())
    yield f"{result.verdict}: {result.rows} rows, {len(result.metrics)} metrics gated"


def _figures(item: MetricVerdict) -> Iterator[str]:
    if item.mean is not None:
        was = "" if item.baseline_mean is None else f" (was {number(item.baseline_mean)})"
        yield f"mean {number(item.mean)}{was} over {item.n} rows"
    if item.interval is not None:
        low, high = (number(end, sign=True) for end in item.interval)
        yield f"change {number(item.difference, sign=True)} ({low} to {high}), p {item.p_adjusted:.3f}"
    if item.detectable is not None:
        yield f"would show {number(item.detectable)}"


def _json(result: GateResult) -> str:
    return json.dumps(result.to_dict(), indent=2)


_WRITERS: Final = {"text": _text, "markdown": GateResult.to_markdown, "json": _json}

"""Reports with the scores that a test wants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from langchain_prodkit.evaluation import EvalDataset, EvalRecord, EvalReport, RowScores, Score
from langchain_prodkit.evaluation.summary import summarised


def report(
    metrics: Mapping[str, Sequence[float | Score]],
    *,
    directions: Mapping[str, bool | None] | None = None,
    ids: Iterable[str] | None = None,
) -> EvalReport:
    """Give a report over rows that were asked the same, with these scores; higher is better by default."""
    n = len(next(iter(metrics.values())))
    names = list(ids) if ids is not None else [f"q{row}" for row in range(n)]
    dataset = EvalDataset(tuple(EvalRecord(id=name, input=f"secret question {name}") for name in names))
    rows = tuple(
        RowScores(
            name,
            {
                metric: score if isinstance(score, Score) else Score(score)
                for metric, score in ((metric, scores[at]) for metric, scores in metrics.items())
            },
        )
        for at, name in enumerate(names)
    )
    ways = {metric: (directions or {}).get(metric, True) for metric in metrics}
    return EvalReport(dataset, rows, summarised(rows, ways))


def bits(good: int, n: int) -> list[float]:
    """Give `good` ones and zeros up to `n`."""
    return [1.0] * good + [0.0] * (n - good)

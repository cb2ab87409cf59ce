"""How often a gate cries wolf, and how often it hears him: `Gate` beside "the mean went down".

Two versions of an application answer the same `n` questions, a judge gives each answer 0 or 1 and errs in
a share of its verdicts (`flips`). Either nothing changed, or the share of good answers (80 % before) fell
by 10 or 20 points. Two worlds: in `same` an answer changes only where it got worse, in `drawn anew` both
versions draw every answer afresh, which is as noisy as it can be. Each simulated evaluation is a report
that the gate judges as a user's would be.
"""

from __future__ import annotations

import random
import time
from typing import Any, Final, Literal

from langchain_prodkit.evaluation import EvalDataset, EvalRecord, EvalReport, Gate, Outcome, RowScores, Score
from langchain_prodkit.evaluation.summary import summarised

GOAL: Final = (
    "goal: at 10 % flips and 100 rows at most 6 % FAIL when nothing changed, and at least 80 % at -20 points"
)
SHARE_GOOD: Final = 0.8
SIZES: Final = (30, 100, 300)
DROPS: Final = (0.0, 0.1, 0.2)
World = Literal["same", "drawn anew"]


def gate_power(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give a row for each world, share of flips, number of rows and drop."""
    pairs = 20 if smoke else 400
    flips = (0.1,) if smoke else (0.0, 0.05, 0.1)
    sizes = (100,) if smoke else SIZES
    drops = (0.0, 0.2) if smoke else DROPS
    worlds: tuple[World, ...] = ("same", "drawn anew")
    return [
        _cell(world, share, n, drop, pairs)
        for world in worlds
        for share in flips
        for n in sizes
        for drop in drops
    ]


def _cell(world: World, flips: float, n: int, drop: float, pairs: int) -> dict[str, Any]:
    chance = random.Random(f"{world} {flips} {n} {drop}")
    dataset = EvalDataset(tuple(EvalRecord(id=str(row), input=row) for row in range(n)))
    told = dict.fromkeys(Outcome, 0)
    naive, least, spent = 0, 0.0, 0.0
    for _ in range(pairs):
        before, after = (_report(dataset, bits) for bits in _verdicts(chance, world, flips, n, drop))
        started = time.perf_counter()
        result = Gate(baseline=before).check(after)
        spent += time.perf_counter() - started
        told[result.verdict] += 1
        (metric,) = result.metrics
        naive += metric.difference is not None and metric.difference < 0
        least += (metric.detectable or 0.0) / pairs
    return {
        "world": world,
        "flips": flips,
        "rows": n,
        "true_drop": drop,
        "pairs": pairs,
        "FAIL": round(told[Outcome.FAIL] / pairs, 3),
        "INCONCLUSIVE": round(told[Outcome.INCONCLUSIVE] / pairs, 3),
        "PASS": round(told[Outcome.PASS] / pairs, 3),
        "naive_FAIL": round(naive / pairs, 3),
        "would_show": round(least, 3),
        "ms_a_check": round(1000 * spent / pairs, 1),
    }


def _verdicts(
    chance: random.Random, world: World, flips: float, n: int, drop: float
) -> tuple[list[bool], list[bool]]:
    before, after = [], []
    for _ in range(n):
        is_good = chance.random() < SHARE_GOOD
        if world == "same":
            is_good_now = is_good and chance.random() >= drop / SHARE_GOOD
        else:
            is_good_now = chance.random() < SHARE_GOOD - drop
        before.append(is_good ^ (chance.random() < flips))
        after.append(is_good_now ^ (chance.random() < flips))
    return before, after


def _report(dataset: EvalDataset, bits: list[bool]) -> EvalReport:
    rows = tuple(
        RowScores(row.id, {"judged": Score(float(bit))}) for row, bit in zip(dataset, bits, strict=True)
    )
    return EvalReport(dataset, rows, summarised(rows, {"judged": True}))

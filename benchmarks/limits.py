"""How well calls keep to a provider's limit, beside what people use today.

`python -m benchmarks.limits [--smoke] [--repeat 5] [--peer-repeat 5] [--scenarios S2,S7]
[--peers ours,gather] [--jobs 1]`

Every row faces providers of its own with the same limits; what a client cannot know, how full and how
large the provider's bucket is, is drawn afresh for each repeat and is the same for all peers of it.
Answers take 100 ms give or take 30 %. Provider and clients are separate processes; all prompts are handed
over at once. `ratio` is wall time over the least time that the limit and one answer allow: below 1.0 with
failures means that it gave up early. Figures are medians over the repeats, "worst" the largest; CPU is
the clients', a call; RSS the growth of their memory at its peak.

Scenarios whose names begin with U are unknown to the clients; X are further ones, for `--scenarios X`.
"""

from __future__ import annotations

import argparse
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from benchmarks._limits_cell import Outcome, measure
from benchmarks._limits_cost import cost
from benchmarks._limits_headline import headline
from benchmarks._limits_rows import KEYS, Contender, contenders
from benchmarks._limits_scenarios import Draw, Goal, Scenario, chosen
from benchmarks._table import report

_BUSY_RATE: Final = 1_200
"""Requests per minute above which a scenario keeps the processor busy, and runs alone."""

Row = tuple[Scenario, Contender]


def run(
    scenarios: Sequence[Scenario],
    keys: Sequence[str],
    *,
    repeats: int,
    peer_repeats: int,
    seed: int,
    jobs: int,
) -> dict[Row, list[tuple[Draw, Outcome]]]:
    """Measure every row `repeats` times (the peers' `peer_repeats`), one repeat after the other."""
    every = [(scenario, contender) for scenario in scenarios for contender in contenders(scenario, keys)]
    outcomes: dict[Row, list[tuple[Draw, Outcome]]] = {row: [] for row in every}

    def one(row: Row, repeat: int) -> tuple[Draw, Outcome]:
        scenario, contender = row
        draw = scenario.draw(seed, repeat)
        try:
            return draw, measure(scenario, contender, draw)
        except (EOFError, TimeoutError) as error:
            # A client that died takes its row along, and not the hour before it.
            gone = {type(error).__name__: scenario.calls}
            return draw, Outcome(scenario.limit_s, scenario.calls, 0, 0.0, 0.0, errors=gone)

    for repeat in range(max(repeats, peer_repeats)):
        rows = [row for row in every if repeat < (repeats if row[1].key == "ours" else peer_repeats)]
        busy = [row for row in rows if (row[0].requests_per_minute or 0) > _BUSY_RATE]
        with ThreadPoolExecutor(jobs) as pool:
            running = {row: pool.submit(one, row, repeat) for row in rows if row not in busy}
            for row, future in running.items():
                outcomes[row].append(future.result())
        for row in busy:
            outcomes[row].append(one(row, repeat))
    return outcomes


def line(row: Row, measured: list[tuple[Draw, Outcome]]) -> dict[str, Any]:
    """Sum a row up."""
    scenario, contender = row
    least = [scenario.least_s(draw, scenario.workload(draw)) for draw, _ in measured]
    outcomes = [outcome for _, outcome in measured]
    ratios = [outcome.wall_s / least_s for outcome, least_s in zip(outcomes, least, strict=True)]
    # Ten thousand are only queued and watched.
    has_end = scenario.calls <= 1_000
    failed = [outcome.failed for outcome in outcomes]
    refused = [outcome.refused for outcome in outcomes]
    made: dict[str, Any] = {
        "scenario": scenario.name,
        "peer": contender.label,
        "least_s": statistics.median(least) if has_end else None,
        "wall_s": statistics.median(outcome.wall_s for outcome in outcomes),
        "ratio": statistics.median(ratios) if has_end else None,
        "worst": max(ratios) if has_end else None,
        "failed": statistics.median(failed) if has_end else None,
        "failed, worst": max(failed) if has_end else None,
        "429s": statistics.median(refused),
        "429s, worst": max(refused),
        "cpu_ms": statistics.median(outcome.cpu_ms for outcome in outcomes) if has_end else None,
        "rss_mib": statistics.median(outcome.rss_mib for outcome in outcomes),
    }
    if contender.key == "ours" and scenario.goal is not None:
        made["goal"] = "met" if _is_met(scenario.goal, made) else "missed"
    return made


def _is_met(goal: Goal, made: dict[str, Any]) -> bool:
    pairs = (
        (goal.ratio, made["ratio"]),
        (goal.wall_s, made["wall_s"]),
        (goal.refused, made["429s"]),
        (goal.rss_mib, made["rss_mib"]),
    )
    return not made.get("failed") and all(most is None or found <= most for most, found in pairs)


def notes(outcomes: dict[Row, list[tuple[Draw, Outcome]]]) -> str:
    """Say what was drawn, and what failed calls failed with."""
    lines = []
    seen = set()
    for (scenario, contender), measured in outcomes.items():
        if scenario.name not in seen:
            seen.add(scenario.name)
            drawn = ", ".join(f"{draw.burst_s:.2f} s {draw.fill:.0%} full" for draw, _ in measured)
            lines.append(f"{scenario.name} ({scenario.title}), {scenario.calls} calls; buckets of {drawn}")
        errors = [outcome.errors for _, outcome in measured if outcome.errors]
        if errors:
            lines.append(f"  {contender.label}: {errors}")
        if scenario.calls > 1_000:
            answered = [outcome.answered for _, outcome in measured]
            lines.append(f"  {contender.label}: answered in {scenario.limit_s:.0f} s: {answered}")
    return "\n".join(lines)


def smoked(scenarios: Sequence[Scenario]) -> list[Scenario]:
    """Make them short."""
    return [
        replace(scenario, calls=min(scenario.calls // 8, 200), limit_s=min(scenario.limit_s, 20.0))
        for scenario in scenarios
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="seconds: is everything still there?")
    parser.add_argument("--repeat", type=int, default=5, help="how often; 5 unless you say so")
    parser.add_argument("--peer-repeat", type=int, help="how often the peers; as often unless you say so")
    parser.add_argument("--scenarios", default="", help="such as S2,S7,U; all but X unless you say so")
    parser.add_argument("--peers", default=",".join(KEYS), help=f"out of {','.join(KEYS)}")
    parser.add_argument("--seed", type=int, default=2026, help="of what is drawn")
    parser.add_argument(
        "--jobs", type=int, default=1, help="rows measured at the same time, where they leave the CPU idle"
    )
    told = parser.parse_args()
    names = [name for name in told.scenarios.split(",") if name]
    keys = told.peers.split(",")
    if unknown := set(keys) - set(KEYS):
        parser.error(f"no peer {', '.join(unknown)}; there are {', '.join(KEYS)}")
    try:
        scenarios = chosen(names)
    except ValueError as error:
        parser.error(str(error))
    repeats, jobs = told.repeat, told.jobs
    peer_repeats = repeats if told.peer_repeat is None else told.peer_repeat
    if told.smoke:
        scenarios = smoked([s for s in scenarios if names or s.name in {"S2", "S3", "S7"}])
        keys = [key for key in keys if key in {"ours", "gather", "tuned"}]
        repeats, peer_repeats, jobs = 1, 1, 2
    outcomes = run(
        [s for s in scenarios if s.name != "S1"],
        keys,
        repeats=repeats,
        peer_repeats=peer_repeats,
        seed=told.seed,
        jobs=jobs,
    )
    if outcomes:
        rows = [line(row, measured) for row, measured in outcomes.items() if measured]
        load = f"load of the machine {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
        report("limits", rows, notes=f"{notes(outcomes)}\n{load}".strip())
    if not names or "S1" in names:
        rows = cost(30 if told.smoke else 200, 1 if told.smoke else max(7, repeats))
        report("limits: no limit, 100 ms", rows, notes="medians over rounds of one run of each, in turn")
    if not names:
        rows = headline(1 if told.smoke else repeats, 0.1 if told.smoke else 0.8)
        report("limits: ten questions", rows, notes="every way meets the same latencies")


if __name__ == "__main__":
    main()

"""What judging a text costs, layer by layer, and what it catches, beside peers in the same run.

`python -m benchmarks.guard [--smoke] [--roc FILE]`. Peers: `inferwall` (lite profile, the one that
needs no download), a list of ten regular expressions, the likeness to known phrases, and the cascade
without its early exits (every text goes through the transformer). Every text is given to all of them
in turn, so what else the machine does hits all alike. Accuracy is that on a licence-clean sample
of the development rows, at equal false alarms: each detector's cut lies where 1 % of the harmless
rows without attack words reach it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks._guard_peers import Inferwall, regex_list, similar_phrases
from benchmarks._guard_texts import SIZES, Row, sample, traffic
from benchmarks._table import report
from langchain_prodkit.guard import (
    Cascade,
    Detector,
    EmbeddedClassifier,
    HeuristicDetector,
    InjectionGuardRunnable,
    NgramClassifier,
)

Scorer = Callable[[Sequence[str]], list[float]]
HARD = ("hard_negative", "trigger", "_pair", "quoted", "security_question")
ALWAYS = "always the classifier"


def scored(detector: Detector) -> Scorer:
    return lambda texts: [score.value for score in detector.score(texts)]


def layers() -> dict[str, Scorer]:
    return {
        "signatures": scored(HeuristicDetector()),
        "n-grams": scored(NgramClassifier()),
        "classifier": scored(EmbeddedClassifier()),
        "cascade": scored(Cascade()),
        ALWAYS: scored(Cascade(early_exit=False)),
    }


def peers() -> dict[str, Scorer]:
    return {"inferwall lite": Inferwall(), "regex list": regex_list}


def timed(scorers: dict[str, Scorer], texts: Sequence[str]) -> dict[str, list[float]]:
    """Give milliseconds a text; every text goes to all scorers before the next one does."""
    times: dict[str, list[float]] = {name: [] for name in scorers}
    for number, text in enumerate([*texts[:3], *texts]):
        for name, score in scorers.items():
            start = time.perf_counter()
            score([text])
            if number >= 3:
                times[name].append((time.perf_counter() - start) * 1e3)
    return times


def latency(rows: list[Row], *, smoke: bool) -> None:
    scorers = layers() | peers()
    table: list[dict[str, Any]] = []
    for size in SIZES:
        for is_attack in (False, True):
            count = (10 if size == "short" else 3) if smoke else (300 if size == "short" else 40)
            times = timed(scorers, traffic(rows, is_attack=is_attack, size=size, count=count))
            base = statistics.mean(times[ALWAYS])
            for name, found in times.items():
                table.append(
                    {
                        "characters": size,
                        "traffic": "attacks" if is_attack else "harmless",
                        "detector": name,
                        "p50_ms": statistics.median(found),
                        "p95_ms": statistics.quantiles(found, n=20)[18],
                        "mean_ms": statistics.mean(found),
                        "faster than always": base / statistics.mean(found),
                    }
                )
    report("guard: cost of one text", table, notes=f"load average {os.getloadavg()[0]:.1f}")


def is_hard(row: Row) -> bool:
    return not row.is_attack and any(word in row.category for word in HARD)


def cut_at(harmless: Sequence[float], share: float) -> float:
    ordered = sorted(harmless, reverse=True)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def area(attacks: Sequence[float], harmless: Sequence[float]) -> float:
    wins = sum((a > h) + (a == h) / 2 for a in attacks for h in harmless)
    return wins / len(attacks) / len(harmless)


def accuracy(rows: list[Row], *, roc: Path | None) -> None:
    scorers = layers() | peers() | {"similar phrases": similar_phrases}
    texts = [row.text for row in rows]
    table: list[dict[str, Any]] = []
    curves: dict[str, Any] = {}
    for name, score in scorers.items():
        values = score(texts)
        attacks = [value for value, row in zip(values, rows, strict=True) if row.is_attack]
        plain = [v for v, row in zip(values, rows, strict=True) if not row.is_attack and not is_hard(row)]
        hard = [value for value, row in zip(values, rows, strict=True) if is_hard(row)]
        cut = cut_at(plain, 0.01)
        ours = name not in peers()
        table.append(
            {
                "detector": name,
                "caught at 1 % false alarms": sum(value > cut for value in attacks) / len(attacks),
                "AUC": area(attacks, plain),
                "caught at 0.5": sum(v >= 0.5 for v in attacks) / len(attacks) if ours else None,
                "false alarms at 0.5": sum(v >= 0.5 for v in plain) / len(plain) if ours else None,
                "attack words, harmless, at 0.5": sum(v >= 0.5 for v in hard) / len(hard) if ours else None,
            }
        )
        curves[name] = {"attacks": sorted(attacks), "harmless": sorted(plain)}
        if name == "cascade":
            cascade = values
        if name == ALWAYS:
            for kind, wanted in (("harmless", False), ("attacks", True)):
                pairs = [
                    (a, b) for a, b, row in zip(cascade, values, rows, strict=True) if row.is_attack is wanted
                ]
                same = sum((a >= 0.5) == (b >= 0.5) for a, b in pairs) / len(pairs)
                table[-2][f"same verdict as always, {kind}"] = same
    counts = f"{len(attacks)} attacks, {len(plain)} harmless rows, {len(hard)} with attack words"
    card = EmbeddedClassifier().card
    stand_in = "; the classifier is a stand-in" if card["is_stand_in"] else ""
    report("guard: accuracy on the sample", table, notes=counts + stand_in)
    if roc is not None:
        roc.write_text(json.dumps(curves), encoding="utf-8")


def throughput(rows: list[Row], *, smoke: bool) -> None:
    guard = InjectionGuardRunnable(on_injection="flag")
    inputs = traffic(rows, is_attack=False, size="short", count=100 if smoke else 2_000)
    start = time.perf_counter()
    guard.batch(list(inputs))
    whole = time.perf_counter() - start
    start = time.perf_counter()
    for text in inputs[: len(inputs) // 4]:
        guard.invoke(text)
    single = (time.perf_counter() - start) * 4
    report(
        "guard: inputs per second through the Runnable, run and event included",
        [
            {"way": "batch", "inputs_per_s": len(inputs) / whole},
            {"way": "invoke", "inputs_per_s": len(inputs) / single},
        ],
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--smoke", action="store_true", help="seconds instead of minutes; numbers mean little"
    )
    parser.add_argument("--roc", type=Path, help="write the sorted scores of each detector, for ROC curves")
    options = parser.parse_args()
    rows = sample()
    latency(rows, smoke=options.smoke)
    accuracy(rows[:80] if options.smoke else rows, roc=options.roc)
    throughput(rows, smoke=options.smoke)


if __name__ == "__main__":
    main()

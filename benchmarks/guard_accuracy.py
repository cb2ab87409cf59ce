"""What the guard catches and flags on labelled rows, beside peers in the same run and published figures.

`python -m benchmarks.guard_accuracy [--smoke] [--data FOLDER] [--json FILE]`. `score_texts` as shipped,
cut 0.5, with 95 % Wilson intervals; by source, language and kind of text; attacks in 17 writings; pairs
of a harmless and an attacking text that differ little; attacks in documents and buried in long ones;
what one text costs, and the first one in a fresh process. "At 1 %" is at the cut over which 1 % of the
harmless rows lie that were not written to carry attack words. The gates were set for unseen sources;
these rows come from sources that the model was trained on, or from generators written for this project,
so they are no proof of generalisation.
Without `--data` the rows are those of `benchmarks/data/guard` whose licences let them be passed on.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import compress
from pathlib import Path
from typing import Any, Final

from benchmarks._guard_accuracy_measures import (
    CUT,
    area,
    by_group,
    by_source,
    cut_at,
    pooled,
    share,
    summary,
    wilson,
)
from benchmarks._guard_accuracy_rows import Row, buried, documents, load, obfuscated, quoted, thinned
from benchmarks._guard_peers import regex_list
from benchmarks._guard_start import fresh
from benchmarks._table import report
from langchain_prodkit.guard import EmbeddedClassifier, HeuristicDetector, NgramClassifier, score_texts

Scorer = Callable[[Sequence[str]], list[float]]
OURS: Final = "prodkit"
BATCH: Final = 64
MODEL: Final = Path(__file__).parents[1] / "langchain_prodkit" / "guard" / "model"
PUBLISHED: Final = (
    (
        "Prompt Guard 2 86M",
        "caught at 1 %, English",
        0.975,
        "meta-llama/PurpleLlama model card, its own private set",
    ),
    ("Prompt Guard 2 86M", "AUC, English", 0.998, "meta-llama/PurpleLlama model card, its own private set"),
    (
        "Prompt Guard 2 86M",
        "AUC, other languages",
        0.995,
        "meta-llama/PurpleLlama model card, its own private set",
    ),
    ("Prompt Guard 2 86M", "AUC, direct attacks", 0.883, "bastion-soft/pi-detector-bench, a vendor's run"),
    ("Prompt Guard 2 86M", "flagged, traffic", 0.049, "bastion-soft/pi-detector-bench, a vendor's run"),
    (
        "Prompt Guard 2 22M",
        "caught at 1 %, English",
        0.887,
        "meta-llama/PurpleLlama model card, its own private set",
    ),
    ("Prompt Guard 2 22M", "AUC, direct attacks", 0.810, "bastion-soft/pi-detector-bench, a vendor's run"),
    ("PIGuard 184M", "NotInject accuracy", 0.873, "leolee99/PIGuard, assets/Results.png"),
    (
        "PIGuard 184M",
        "attacks caught",
        0.774,
        "leolee99/PIGuard; its bare questions count as attacks",
    ),
    ("ProtectAI v2 184M", "NotInject accuracy", 0.572, "leolee99/PIGuard, assets/Results.png"),
    ("ProtectAI v2 184M", "AUC, direct attacks", 0.820, "bastion-soft/pi-detector-bench, a vendor's run"),
    ("ProtectAI v2 184M", "flagged, traffic", 0.088, "bastion-soft/pi-detector-bench, a vendor's run"),
)
NOT_COMPARABLE: Final = (
    "Published figures were measured on other texts, by others, with cuts of their choice: they say what "
    "order of size to expect, not who is better. None of these models was run here: their weights lie on a "
    "hub, as those behind langchain-experimental's identifier do."
)


class Inferwall:
    """inferwall's lite profile; from 0.5 up what it would block, ordered by its own score."""

    def __init__(self) -> None:
        """Import it; the first scan loads its catalogue."""
        import inferwall  # noqa: PLC0415 - a peer may be absent

        self._library: Any = inferwall

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """Give its scores, at most 100, on our scale."""
        found = map(self._library.scan_input, texts)
        return [
            min(float(one.score), 100.0) / 200 + (CUT if one.decision == "block" else 0.0) for one in found
        ]


def detectors() -> dict[str, Scorer]:
    """Name what is measured: ours, its parts, and the peers that are installed."""
    signatures, ngrams = HeuristicDetector(), NgramClassifier()
    found: dict[str, Scorer] = {
        OURS: score_texts,
        "n-grams alone": lambda texts: [score.value for score in ngrams.score(texts)],
        "signatures alone": lambda texts: [score.value for score in signatures.score(texts)],
        "regex list": regex_list,
    }
    if find_spec("inferwall") is not None:
        found["inferwall lite"] = Inferwall()
    return found


def scored(detector: Scorer, rows: Sequence[Row]) -> list[float]:
    """Score rows in batches of 64."""
    texts = [row.text for row in rows]
    return [score for at in range(0, len(texts), BATCH) for score in detector(texts[at : at + BATCH])]


def kind(row: Row) -> str:
    """Name the kind of a row, without what follows a colon and without a running number."""
    return re.sub(r"_\d+$", "", row.category.split(":")[0])


def pair_table(name: str, pairs: Sequence[tuple[Row, Row]]) -> dict[str, Any]:
    """Say how many pairs are told apart at 0.5, and how many are at least in the right order."""
    harmless = scored(score_texts, [row for row, _ in pairs])
    attacks = scored(score_texts, [row for _, row in pairs])
    right = sum(h < CUT <= a for h, a in zip(harmless, attacks, strict=True)) / len(pairs)
    ordered = sum(h < a for h, a in zip(harmless, attacks, strict=True)) / len(pairs)
    return {
        "pairs": name,
        "count": len(pairs),
        "both right": right,
        "both right 95 %": wilson(right, len(pairs)),
        "in order": ordered,
        "caught": share(attacks, CUT),
        "flagged": share(harmless, CUT),
        "AUC": area(attacks, harmless),
    }


def latency(rows: Sequence[Row], count: int) -> dict[str, float]:
    """Give milliseconds of one short text, and of one of about 11,000 characters, at the 95th of 100."""
    rng = random.Random(7)
    short = [row.text for row in rows if 0 < len(row.text) < 400]
    long = "\n\n".join(row.text for row in thinned([row for row in rows if not row.is_attack], 12))
    found = {}
    for name, texts in (
        ("short", [rng.choice(short) for _ in range(count)]),
        ("11,000", [long[at : at + 11_000] for at in range(0, 400 * max(count // 8, 3), 400)]),
    ):
        score_texts(texts[:2])
        times = []
        for text in texts:
            start = time.perf_counter()
            score_texts([text])
            times.append((time.perf_counter() - start) * 1e3)
        found[name] = statistics.quantiles(times, n=20)[18]
    return found


def gates(found: dict[str, float | None], sizes: dict[str, float]) -> list[dict[str, Any]]:
    """Put every figure beside the bar it has to reach on unseen sources."""
    bars: list[tuple[str, float | None, str, float, float]] = [
        ("macro caught at 1 %", found["macro caught at 1 %"], ">=", 0.65, 0.85),
        ("macro AUC", found["macro AUC"], ">=", 0.96, 0.985),
        ("flagged, ordinary", found["flagged"], "<=", 0.015, 0.007),
        ("flagged, attack words", found["attack words, flagged"], "<=", 0.08, 0.03),
        ("caught, not English", found["caught, not English"], ">=", 0.60, 0.85),
        ("AUC, attacks in documents", found["documents AUC"], ">=", 0.88, 0.95),
        ("caught, obfuscated", found["obfuscated caught"], ">=", 0.95, 0.99),
        ("flagged, obfuscated", found["obfuscated flagged"], "<=", 0.02, 0.02),
        ("caught, buried", found["buried caught"], ">=", 0.85, 0.95),
        ("flagged, long", found["buried flagged"], "<=", 0.04, 0.04),
        ("ms, short text, p95", sizes["short"], "<=", 8, 3),
        ("ms, 11,000 characters, p95", sizes["11,000"], "<=", 250, 80),
        ("MB, shipped model files", sizes["MB"], "<=", 25, 15),
        ("s of CPU, load", sizes["load s"], "<=", 0.5, 0.5),
        ("MB, a process that has scored", sizes["resident MB"], "<=", 150, 150),
    ]
    table = []
    for name, value, sign, gate, stretch in bars:
        reached = {
            bar: None if value is None else value >= bar if sign == ">=" else value <= bar
            for bar in (gate, stretch)
        }
        table.append(
            {
                "measure": name,
                OURS: value,
                "gate": f"{sign} {gate}",
                "reached": reached[gate],
                "stretch": f"{sign} {stretch}",
                "stretch reached": reached[stretch],
            }
        )
    return table


def measured(rows: list[Row], *, smoke: bool) -> dict[str, Any]:
    """Measure everything and print it table by table."""
    each = {name: scored(detector, rows) for name, detector in detectors().items()}
    peers = [{"detector": name, **summary(rows, scores)} for name, scores in each.items()]
    ours = each[OURS]
    cut = cut_at(pooled(rows, ours), 0.01)
    tables = {
        "by source": by_source(rows, ours, cut),
        "by language": by_group(rows, ours, lambda row: row.lang, "language", cut),
        "by kind": [
            line
            for line in by_group(rows, ours, kind, "kind", cut)
            if line["attacks"] + line["harmless"] >= 10
        ],
    }
    hidden = obfuscated(rows, 3 if smoke else 25)
    hidden_scores = scored(score_texts, hidden)
    tables["obfuscated"] = by_group(hidden, hidden_scores, lambda row: row.category, "writing", cut)
    deep = buried(rows, 4 if smoke else 150)
    deep_scores = scored(score_texts, deep)
    tables["buried in long documents"] = by_group(
        deep, deep_scores, lambda row: row.category, "characters", cut
    )
    count = 12 if smoke else 200
    tables["pairs that differ little"] = [
        pair_table("a document clean, and with an attack", documents(rows, count)),
        pair_table("a question about an attack, and the attack", quoted(rows, count)),
    ]

    def rate(found: Sequence[Row], scores: Sequence[float], *, is_attack: bool) -> float | None:
        wanted = (row.is_attack is is_attack and row.category != "(plain)" for row in found)
        return share(list(compress(scores, wanted)), CUT)

    figures = summary(rows, ours) | {
        "documents AUC": tables["pairs that differ little"][0]["AUC"],
        "obfuscated caught": rate(hidden, hidden_scores, is_attack=True),
        "obfuscated flagged": rate(hidden, hidden_scores, is_attack=False),
        "buried caught": rate(deep, deep_scores, is_attack=True),
        "buried flagged": rate(deep, deep_scores, is_attack=False),
    }
    sizes = latency(rows, 20 if smoke else 200)
    sizes["MB"] = sum(path.stat().st_size for path in MODEL.rglob("*") if path.is_file()) / 1e6
    starts = [fresh(name) for name in (OURS, *(("inferwall",) if find_spec("inferwall") else ()))]
    sizes |= {"load s": starts[0]["load s"], "resident MB": starts[0]["MB"]}
    attacks = sum(row.is_attack for row in rows)
    counts = f"{attacks} attacks, {len(rows) - attacks} harmless rows"
    report("guard accuracy: detectors in one run", peers, notes=counts)
    tables["from nothing to the first verdict"] = starts
    for name, table in tables.items():
        report(f"guard accuracy: {name}", table)
    stand_in = "the classifier is a stand-in; " if EmbeddedClassifier().card.get("is_stand_in") else ""
    bars = gates(figures, sizes)
    report(
        "guard accuracy: gates, which were set for unseen sources",
        bars,
        notes=f"{stand_in}load average {os.getloadavg()[0]:.1f}",
    )
    published = [dict(zip(("model", "measure", "figure", "from"), line, strict=True)) for line in PUBLISHED]
    report("guard accuracy: published figures of others", published, notes=NOT_COMPARABLE)
    return {
        "detectors": peers,
        **tables,
        "gates": bars,
        "published": published,
        "not comparable": NOT_COMPARABLE,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--smoke", action="store_true", help="seconds instead of minutes; numbers mean little"
    )
    parser.add_argument("--data", type=Path, help="a folder with dev*.jsonl.gz instead of the bundled rows")
    parser.add_argument("--json", type=Path, help="write all tables to this file as well")
    options = parser.parse_args()
    rows = load(options.data)
    found = measured(thinned(rows, 12) if options.smoke else rows, smoke=options.smoke)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()

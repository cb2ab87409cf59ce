"""Say what a source scores when nothing was trained on it: `python -m training.guard.leave_out DATA WORK`.

Trains a short run without each source, puts the cut where 1 % of the harmless development rows of the
other sources lie, and prints how many of the source's rows reach it. A short run is a worse model than
the one that ships: compare the numbers with those of a run of the same length that saw every source.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from langchain_prodkit.guard import EmbeddedClassifier
from training.guard import export, train
from training.guard.calibrate import HARD
from training.guard.config import RECIPES, Recipe
from training.guard.outputs import outputs
from training.guard.rows import Row, load

SOURCES: Final = (
    "deepset",
    "jailbreak_llms",
    "hh_rlhf",
    "bastioncorpus",
    "openai_evals",
    "fastapi_docs",
    "synthetic",
)
ROWS: Final = 400
SEED: Final = 5


def judged(data: Path, work: Path, recipe: Recipe, name: str, sources: list[str]) -> None:
    """Print a line for each source."""
    harmless = [
        row
        for row in load(data, ("dev", "dev_extra"), is_everything=True)
        if not row.is_attack and not HARD.search(row.category)
    ]
    rng = random.Random(SEED)  # noqa: S311 - order, not secrecy
    every = load(data, ("train", "train_extra", "dev", "dev_extra"))
    with tempfile.TemporaryDirectory() as scratch:
        export.folder(work, Path(scratch), recipe, name)
        detector = EmbeddedClassifier(scratch)
        for source in sources:
            others = rng.sample([row for row in harmless if row.source != source], 3 * ROWS)
            cut = np.quantile(outputs(detector, [row.text for row in others])[0].max(1), 0.99)
            told = [name, source]
            for is_attack in (True, False):
                mine: list[Row] = [
                    row for row in every if row.source == source and row.is_attack == is_attack
                ]
                mine = rng.sample(mine, min(len(mine), ROWS))
                if mine:
                    reached = outputs(detector, [row.text for row in mine])[0].max(1) > cut
                    told.append(f"{'caught' if is_attack else 'flagged'} {reached.mean():.3f} of {len(mine)}")
            train.say("|", " | ".join(told), "|")


def main() -> None:
    """Train and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="cpu")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--sources", nargs="+", default=list(SOURCES))
    options = parser.parse_args()
    recipe = replace(
        RECIPES[options.recipe],
        steps=options.steps,
        generated_from=0,
        narrow_at=0,
        hidden=(),
        searched_at=options.steps,
    )
    for source in [*options.sources, ""]:
        name = f"without-{source}" if source else "with-all"
        train.run(options.data, options.work, recipe, name=name, without={source} if source else ())
        judged(options.data, options.work, recipe, name, [source] if source else options.sources)


if __name__ == "__main__":
    main()

"""The trained part: small trees that weigh what was noted about a claim."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.grounding.vectors import FOLDER, WordTable

__all__ = ["FORMAT_VERSION", "Head", "load_head", "load_table"]

FORMAT_VERSION: Final = 1
SHA256: Final = {
    "heads.json": "1057fe9b3a3693b90fe6f78152c182edc03c910e83894d3b144ab6d5fd309077",
    "words.bin": "22384a758f3caae9fcd98b9b908b866ad11c07220b05262c10b0b5010e938157",
}
"""Of the files that come with the package; nothing else is read."""


@dataclass(frozen=True, slots=True)
class Head:
    """A sum of trees over named features; `support` is its logistic."""

    features: tuple[str, ...]
    start: float
    trees: tuple[Any, ...] = field(repr=False)
    """A tree is a number, or `[feature, threshold, tree up to it, tree above it]`."""

    def support(self, found: Mapping[str, float]) -> float:
        """Give how likely a claim is supported, 0 to 1."""
        values = [found[name] for name in self.features]
        total = self.start
        for tree in self.trees:
            while not isinstance(tree, float):
                tree = tree[2] if values[tree[0]] <= tree[1] else tree[3]  # noqa: PLW2901 - walking down
            total += tree
        return 1 / (1 + math.exp(-total))


def _grown(tree: Any) -> Any:
    """Turn what JSON gives into a tree of floats and tuples."""
    if not isinstance(tree, Sequence):
        return float(tree)
    feature, threshold, low, high = tree
    return (int(feature), float(threshold), _grown(low), _grown(high))


def _bytes(name: str) -> bytes:
    try:
        raw = (FOLDER / name).read_bytes()
    except OSError as error:
        msg = (
            f"{name} of the groundedness model cannot be read ({type(error).__name__}); "
            "install the package again"
        )
        raise EvaluationError(msg) from None
    if hashlib.sha256(raw).hexdigest() != SHA256[name]:
        msg = f"{name} of the groundedness model is damaged or was changed; install the package again"
        raise EvaluationError(msg)
    return raw


@lru_cache(maxsize=4)
def load_head(name: str) -> Head:
    """Give the head for what was noted: `words`, `sentences` or `tokens`.

    Raises:
        EvaluationError: The file is not there or not the one that came with this version.
    """
    document = json.loads(_bytes("heads.json"))
    head = document["heads"][name]
    return Head(tuple(head["features"]), float(head["start"]), tuple(_grown(tree) for tree in head["trees"]))


@lru_cache(maxsize=1)
def load_table() -> WordTable:
    """Give the table of words that comes with the package.

    Raises:
        EvaluationError: The file is not there or not the one that came with this version.
    """
    return WordTable.read(_bytes("words.bin"))

"""How the classifier is trained: one recipe for a core of a CPU, one for a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["RECIPES", "Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Every number that shapes the model."""

    plan: str
    """`t` is a layer of the base, `p` halves the sequence."""
    steps: int
    batch: int
    rate: float
    """Learning rate of the last layer and the heads."""
    decay: float
    """How much smaller the rate is, layer by layer downwards."""
    generated_from: int
    """From this step on the rows of `training.guard.generate` are drawn as well."""
    narrow_at: int
    """At this step the layers are made as narrow as `hidden` says, and the learning rate starts anew."""
    hidden: tuple[int, ...]
    """Units between the two halves of each layer that are left then; the base has 1,536."""
    searched_at: int
    """From this step on harmless rows about misread words are drawn as well (`training.guard.bias`)."""
    threads: int
    device: str = "cpu"
    bfloat16: bool = False
    vocabulary: int = 48_000
    window: int = 128
    stride: int = 116
    warm_up: float = 0.04
    dropout: float = 0.1
    masked: float = 0.04
    """Share of tokens that go missing, as words do in typos and in languages not met in training."""
    smoothing: float = 0.008
    seed: int = 7


RECIPES: Final = {
    "cpu": Recipe(
        plan="tpttptt",
        steps=10_600,
        batch=32,
        rate=2e-4,
        decay=0.9,
        generated_from=900,
        narrow_at=3_000,
        hidden=(512, 768, 768, 768, 768),
        searched_at=5_000,
        threads=2,
    ),
    "gpu": Recipe(
        plan="tpttptt",
        steps=24_000,
        batch=128,
        rate=3e-4,
        decay=0.9,
        generated_from=0,
        narrow_at=12_000,
        hidden=(512, 768, 768, 768, 768),
        searched_at=16_000,
        threads=8,
        device="cuda",
        bfloat16=True,
    ),
}

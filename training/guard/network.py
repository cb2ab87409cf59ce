"""The network: the base's lowest layers, the later ones over ever shorter sequences, and two heads.

Low layers make the best small model of a large one (Sajjad et al., arXiv 2004.03844), and what a
classifier needs survives when neighbours are averaged between layers (Funnel-Transformer, arXiv
2006.03236): five layers cost less than three would at full length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from training.guard.base import Base

__all__ = ["ATTENTION_HEADS", "HIDDEN", "WIDTH", "Network"]

WIDTH: Final = 384
HIDDEN: Final = 1536
ATTENTION_HEADS: Final = 12
FAR: Final = -1e4
LAYER: Final = "t"
HALVE: Final = "p"


class Block(nn.Module):  # type: ignore[misc]
    """One layer of the base, or what `training.guard.narrow` leaves of it."""

    def __init__(self, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.between = nn.LayerNorm(WIDTH, eps=1e-12)
        self.up = nn.Linear(WIDTH, hidden)
        self.down = nn.Linear(hidden, WIDTH)
        self.after = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, h: Tensor, bias: Tensor) -> Tensor:
        """Read `h`; `bias` hides what is padding."""
        batch, size, _ = h.shape
        split = self.qkv(h).view(batch, size, 3, ATTENTION_HEADS, -1).permute(2, 0, 3, 1, 4)
        q, k, v = split[0], split[1], split[2]
        weight = torch.softmax(q @ k.transpose(-1, -2) * (WIDTH / ATTENTION_HEADS) ** -0.5 + bias, -1)
        h = self.between(h + self.out((weight @ v).transpose(1, 2).reshape(batch, size, WIDTH)))
        return self.after(h + self.down(nn.functional.gelu(self.up(h))))


class Network(nn.Module):  # type: ignore[misc]
    """Token ids in, the logits of the heads `user` and `document` out."""

    def __init__(
        self, vocabulary: int, window: int, plan: str, dropout: float, hidden: Sequence[int] = ()
    ) -> None:
        """Make it as `plan` says: `t` is a layer, `p` halves the sequence; `hidden` are the layers' units."""
        super().__init__()
        self.plan = plan
        self.words = nn.Embedding(vocabulary, WIDTH)
        self.words.weight.requires_grad = False
        self.places = nn.Parameter(torch.zeros(window, WIDTH))
        self.first = nn.LayerNorm(WIDTH, eps=1e-12)
        self.blocks = nn.ModuleList(Block(size) for size in hidden or [HIDDEN] * plan.count(LAYER))
        self.drop = nn.Dropout(dropout)
        self.heads = nn.Linear(2 * WIDTH, 2)

    @property
    def hidden(self) -> list[int]:
        """Units between the two halves of each layer."""
        return [block.up.out_features for block in self.blocks]

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Give one logit a head for each window."""
        return self.judged(self.words(input_ids), attention_mask)

    def judged(self, words: Tensor, attention_mask: Tensor) -> Tensor:
        """Go on from the word embeddings."""
        mask = attention_mask.to(words.dtype)
        h = self.drop(self.first(words + self.places[: words.shape[1]]))
        bias = ((1.0 - mask) * FAR)[:, None, None, :]
        blocks = iter(self.blocks)
        for step in self.plan:
            if step == HALVE:
                h, mask = _halved(h, mask)
                bias = ((1.0 - mask) * FAR)[:, None, None, :]
            else:
                h = next(blocks)(h, bias)
        mean = (h * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        peak = (h + ((1.0 - mask) * FAR)[:, :, None]).amax(1)
        return self.heads(self.drop(torch.cat([mean, peak], -1)))

    def start_from(self, base: Base, kept: list[int]) -> None:
        """Take over the base's weights for the pieces in `kept` and the lowest layers."""

        def copy(target: Tensor, name: str) -> None:
            with torch.no_grad():
                target.copy_(torch.tensor(base.tensors[name]).reshape(target.shape))

        words = base.tensors["emb.word"].reshape(-1, WIDTH)[kept]
        with torch.no_grad():
            self.words.weight.copy_(torch.tensor(words))
            places = torch.tensor(base.tensors["emb.pos"].reshape(-1, WIDTH)[: len(self.places)])
            self.places.copy_(places + torch.tensor(base.tensors["emb.type"][:WIDTH]))
            nn.init.normal_(self.heads.weight, std=0.02)
            nn.init.zeros_(self.heads.bias)
        copy(self.first.weight, "emb.ln.w")
        copy(self.first.bias, "emb.ln.b")
        for number, block in enumerate(self.blocks):
            with torch.no_grad():
                for kind, target in (("w", block.qkv.weight), ("b", block.qkv.bias)):
                    parts = [base.tensors[f"l{number}.{part}.{kind}"] for part in "qkv"]
                    target.copy_(torch.cat([torch.tensor(part) for part in parts]).reshape(target.shape))
            for name, layer in (
                ("ao", block.out),
                ("aln", block.between),
                ("fi", block.up),
                ("fo", block.down),
                ("oln", block.after),
            ):
                copy(layer.weight, f"l{number}.{name}.w")
                copy(layer.bias, f"l{number}.{name}.b")


def _halved(h: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Average neighbours; padding counts nothing."""
    h = nn.functional.pad(h * mask[:, :, None], (0, 0, 0, 1))
    mask = nn.functional.pad(mask, (0, 1))
    half = h.shape[1] // 2
    h = h[:, : 2 * half].reshape(h.shape[0], half, 2, WIDTH).sum(2)
    many = mask[:, : 2 * half].reshape(mask.shape[0], half, 2).sum(2)
    return h / many.clamp(min=1.0)[:, :, None], many.clamp(max=1.0)

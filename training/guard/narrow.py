"""Make a trained network's layers narrower: the units that the loss depends on least go.

What a unit is worth is its activation times the loss's slope there, squared, summed over batches: the
first term of what the loss would lose with it (Molchanov et al., arXiv 1906.10771). Training goes on
afterwards; what the units knew is learnt anew by those that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from training.guard.network import WIDTH, Network

__all__ = ["narrowed", "worth"]


def worth(network: Network, losses: Sequence[Callable[[], Tensor]]) -> list[Tensor]:
    """Measure each layer's units; every one of `losses` reads a batch and gives its loss."""
    gates = [torch.ones(block.up.out_features, requires_grad=True) for block in network.blocks]
    found = [torch.zeros_like(gate) for gate in gates]
    device = network.places.device
    handles = [
        block.down.register_forward_pre_hook(lambda _, given, gate=gate: (given[0] * gate.to(device),))
        for block, gate in zip(network.blocks, gates, strict=True)
    ]
    network.eval()
    for loss in losses:
        slopes = torch.autograd.grad(loss(), gates)
        found = [total + slope.detach() ** 2 for total, slope in zip(found, slopes, strict=True)]
    for handle in handles:
        handle.remove()
    return found


def narrowed(network: Network, hidden: Sequence[int], worths: Sequence[Tensor]) -> None:
    """Keep the `hidden[n]` best units of layer `n`, in their order."""
    for block, size, value in zip(network.blocks, hidden, worths, strict=True):
        kept = torch.sort(torch.topk(value, size).indices).values
        up, down = nn.Linear(WIDTH, size), nn.Linear(size, WIDTH)
        with torch.no_grad():
            up.weight.copy_(block.up.weight[kept])
            up.bias.copy_(block.up.bias[kept])
            down.weight.copy_(block.down.weight[:, kept])
            down.bias.copy_(block.down.bias)
        device = block.up.weight.device
        block.up, block.down = up.to(device), down.to(device)

"""Making a network narrower keeps what its output depends on."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from training.guard.narrow import narrowed, worth  # noqa: E402 - needs torch
from training.guard.network import HIDDEN, Network  # noqa: E402

pytestmark = pytest.mark.hf
LIVE = 40
PLAN = "tpt"


@pytest.fixture
def network() -> Network:
    """Two layers of which only the first `LIVE` units reach the output."""
    torch.manual_seed(3)
    made = Network(50, 16, PLAN, 0.0)
    with torch.no_grad():
        for block in made.blocks:
            block.down.weight[:, LIVE:] = 0.0
    made.eval()
    return made


def _loss(network: Network, ids: Any) -> Any:
    return network(ids, torch.ones_like(ids)).square().sum()


def test_units_that_do_nothing_go_first_and_the_output_stays(network: Network) -> None:
    """All live units are worth more than any dead one, and without the dead the logits are the same."""
    ids = torch.randint(4, 50, (3, 9))
    before = network(ids, torch.ones_like(ids))
    values = worth(network, [partial(_loss, network, ids), partial(_loss, network, ids[:1])])
    assert all(value[:LIVE].min() > value[LIVE:].max() == 0.0 for value in values)
    narrowed(network, (LIVE, LIVE + 8), values)
    assert network.hidden == [LIVE, LIVE + 8]
    assert torch.allclose(network(ids, torch.ones_like(ids)), before, atol=1e-5)


def test_measuring_leaves_the_network_as_it_was(network: Network) -> None:
    """No hook, no gradient and no width is left behind."""
    ids = torch.randint(4, 50, (2, 7))
    before = network(ids, torch.ones_like(ids))
    worth(network, [partial(_loss, network, ids)])
    assert torch.equal(network(ids, torch.ones_like(ids)), before)
    assert network.hidden == [HIDDEN] * PLAN.count("t")
    assert all(parameter.grad is None for parameter in network.parameters())

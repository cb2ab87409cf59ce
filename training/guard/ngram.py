"""Train the n-gram layer: `python -m training.guard.ngram DATA OUT`.

A window's label is known only when the window is the whole text. So the first round learns from
whole texts, and the next ones from the window of each attack that looks worst and from the
windows of harmless texts that look worst or were drawn by chance. Cuts come from texts of sources
that a model of the same recipe has not seen (four folds of sources).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from langchain_prodkit.guard.heads import HEADS
from langchain_prodkit.guard.ngram import piece_buckets, token_hash, tokens, window_spans
from langchain_prodkit.guard.normalize import readings
from training.guard.rows import LEFT_OUT, LICENCES, Row, held_out_fold, load, weights

BUCKETS: Final = 490_019  # a prime; two heads stay under 1 MB
WINDOWS: Final = ((64, 16),)
ROUNDS: Final = 3
FOLDS: Final = 4
SEED: Final = 7
STRENGTH: Final = {"user": 3.0, "document": 3.0}

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Texts:
    """Rows as arrays: the tokens of every reading that is judged, one after another."""

    def __init__(self, rows: Sequence[Row], vocabulary: dict[str, int]) -> None:
        """Read the rows; `vocabulary` grows."""
        ids: list[int] = []
        self.first = [0]
        owners = []
        for number, row in enumerate(rows):
            forms = [form for form in readings(row.text) if form.text]
            decoded = [form for form in forms if form.encoding]
            if row.is_attack and decoded:
                forms = decoded  # the plain form of a coded attack is noise
            for form in forms:
                found = tokens(form.text)
                if not found:
                    continue
                ids.extend(vocabulary.setdefault(token, len(vocabulary)) for token in found)
                self.first.append(len(ids))
                owners.append(number)
        self.ids = np.array(ids, dtype=np.int64)
        self.owners = np.array(owners)

    def runs(self, hashes: Ints) -> list[Ints]:
        """The buckets of the pair, the gapped pair and the triple at each position."""
        third = hashes[self.ids]
        second = np.concatenate([[0], third[:-1]])
        first = np.concatenate([[0, 0], third[:-2]])
        starts = np.array(self.first[:-1])
        second[starts] = 0
        first[starts] = 0
        later = starts + 1
        first[later[later < len(first)]] = 0
        return [
            (second * 3 + third * 5 + 1) % BUCKETS,
            (first * 7 + third * 11 + 2) % BUCKETS,
            (first * 13 + second * 17 + third * 19 + 3) % BUCKETS,
        ]

    def windows(self) -> tuple[Ints, Ints, Ints]:
        """Start, end and owner of every window, as the classifier cuts them."""
        found: list[tuple[int, int, int]] = []
        for number, owner in enumerate(self.owners):
            start, end = self.first[number], self.first[number + 1]
            found.extend((start + s, start + e, owner) for s, e in window_spans(int(end - start), WINDOWS))
        array = np.array(found, dtype=np.int64)
        return array[:, 0], array[:, 1], array[:, 2]


class Space:
    """Tokens, their hashes and pieces."""

    def __init__(self) -> None:
        """Start without tokens."""
        self.vocabulary: dict[str, int] = {}
        self.hashes = np.zeros(0, dtype=np.int64)
        self.pieces = sparse.csr_matrix((0, BUCKETS), dtype=np.float32)

    def finish(self) -> None:
        """Compute hashes and pieces of all tokens met so far."""
        words = list(self.vocabulary)
        self.hashes = np.array([token_hash(word) for word in words], dtype=np.int64)
        lists = [piece_buckets(word, BUCKETS) for word in words]
        indptr = np.concatenate([[0], np.cumsum([len(found) for found in lists])])
        flat = np.concatenate([np.array(found) for found in lists])
        self.pieces = sparse.csr_matrix((np.ones(len(flat), np.float32), flat, indptr), (len(words), BUCKETS))

    def matrix(self, texts: Texts, starts: Ints, ends: Ints) -> Any:
        """The features of the windows given."""
        runs = texts.runs(self.hashes)
        lengths = ends - starts
        rows = np.repeat(np.arange(len(starts)), lengths)
        at = (
            np.arange(lengths.sum())
            - np.repeat(np.cumsum(lengths) - lengths, lengths)
            + np.repeat(starts, lengths)
        )
        ones = np.ones(len(rows), np.float32)
        counted = sparse.csr_matrix((ones, (rows, texts.ids[at])), (len(starts), len(self.hashes)))
        features = counted @ self.pieces
        for bucket in runs:
            features = features + sparse.csr_matrix((ones, (rows, bucket[at])), (len(starts), BUCKETS))
        scale = sparse.diags((1 / np.sqrt(lengths)).astype(np.float32))
        return (scale @ features).tocsr().astype(np.float32)

    def logits(self, texts: Texts, starts: Ints, ends: Ints, weight: Floats, bias: float) -> Floats:
        """The output of one head for the windows given."""
        runs = texts.runs(self.hashes)
        each = (self.pieces @ weight)[texts.ids]
        for bucket in runs:
            each = each + weight[bucket]
        sums = np.concatenate([[0.0], np.cumsum(each, dtype=np.float64)])
        found: Floats = (bias + (sums[ends] - sums[starts]) / np.sqrt(ends - starts)).astype(np.float32)
        return found


def fitted(
    features: Any, labels: NDArray[Any], weight: NDArray[Any], strength: float
) -> tuple[Floats, float]:
    """Fit one head."""
    model = LogisticRegression(C=strength, max_iter=60, tol=1e-3)
    model.fit(features, labels, sample_weight=weight)
    return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def chosen(rows: Sequence[Row], owners: Ints, logits: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pick the windows to learn from."""
    order = np.argsort(owners, kind="stable")
    bounds = np.flatnonzero(np.diff(owners[order])) + 1
    picked = []
    for group in np.split(order, bounds):
        if len(group) == 1:
            picked.append(group)
        elif rows[owners[group[0]]].is_attack:
            picked.append(group[[np.argmax(logits[group])]])
        else:
            worst = group[np.argsort(logits[group])[-2:]]
            picked.append(np.unique(np.concatenate([worst, rng.choice(group, 2)])))
    return np.concatenate(picked)


def trained(
    space: Space,
    texts: Texts,
    rows: Sequence[Row],
    head: str,
    *,
    use: NDArray[np.bool_],
    rounds: int,
    start: tuple[Floats, float] | None = None,
) -> tuple[Floats, float]:
    """Train one head on the rows marked in `use`."""
    rng = np.random.default_rng(SEED)
    starts, ends, owners = texts.windows()
    row_weights = np.where(use, weights(list(rows), head), 0.0)
    labels = np.array([row.is_attack for row in rows])
    model = start
    for _ in range(rounds):
        if model is None:
            firsts = np.array(texts.first[:-1])
            lasts = np.minimum(np.array(texts.first[1:]), firsts + 256)
            some, begin, end = texts.owners, firsts, lasts
        else:
            pick = chosen(rows, owners, space.logits(texts, starts, ends, *model), rng)
            some, begin, end = owners[pick], starts[pick], ends[pick]
        share = row_weights[some] / np.bincount(some, minlength=len(rows))[some]
        keep = share > 0
        model = fitted(
            space.matrix(texts, begin[keep], end[keep]), labels[some[keep]], share[keep], STRENGTH[head]
        )
    assert model is not None  # noqa: S101 - rounds >= 1
    return model


def highest(space: Space, texts: Texts, count: int, model: tuple[Floats, float]) -> tuple[Floats, Ints]:
    """Each row's highest window, and how many it has."""
    starts, ends, owners = texts.windows()
    best = np.full(count, -1e9, np.float32)
    np.maximum.at(best, owners, space.logits(texts, starts, ends, *model))
    return best, np.bincount(owners, minlength=count)


def quantised(weight: Floats) -> tuple[NDArray[np.int8], float]:
    """Round to a byte; the few largest weights are cut, so that the many keep their precision."""
    scale = float(np.quantile(np.abs(weight[weight != 0]), 0.9995)) / 127
    return np.clip(np.round(weight / scale), -127, 127).astype(np.int8), scale


def main() -> None:
    """Train, calibrate, quantise and write the folder."""
    from training.guard.cuts import calibrated  # noqa: PLC0415 - it reads the finished arrays

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--leave-out", action="store_true", help="say what each source scores when left out")
    options = parser.parse_args()
    began = time.time()

    def say(*what: object) -> None:
        print(f"[{time.time() - began:6.0f} s]", *what, flush=True)  # noqa: T201 - a log

    rows = load(options.data, ("train", "train_extra"))
    if options.limit:
        rows = rows[: options.limit]
    space = Space()
    texts = Texts(rows, space.vocabulary)
    space.finish()
    say(len(rows), "rows", len(space.vocabulary), "tokens", len(texts.ids), "positions")
    every = np.ones(len(rows), dtype=bool)
    folds = np.array([held_out_fold(row) for row in rows])
    models, unseen = {}, {}
    for head in HEADS:
        models[head] = trained(space, texts, rows, head, use=every, rounds=ROUNDS)
        say(head, "trained; bias", round(models[head][1], 3))
        out, _ = highest(space, texts, len(rows), models[head])
        for fold in range(FOLDS if options.leave_out else 0):
            model = trained(space, texts, rows, head, use=folds != fold, rounds=1, start=models[head])
            scores, counts = highest(space, texts, len(rows), model)
            out = np.where(folds == fold, scores, out)
            say(head, "fold", fold)
        unseen[head] = (out, counts)
    arrays: dict[str, Any] = {"counts": unseen["user"][1]}
    for head in HEADS:
        arrays[f"{head}_weight"], arrays[f"{head}_bias"] = models[head]
        arrays[f"{head}_out"] = unseen[head][0]
    np.savez(options.out.with_suffix(".npz"), **arrays)
    options.out.mkdir(parents=True, exist_ok=True)
    raw = b""
    heads: dict[str, Any] = {}
    cuts = calibrated(rows, unseen)
    for head in HEADS:
        values, scale = quantised(models[head][0])
        raw += values.tobytes()
        heads[head] = {"scale": scale, "bias": models[head][1], **cuts[head]}
    (options.out / "weights.bin").write_bytes(raw)
    card = {
        "format": "prodkit-guard-model",
        "format_version": 1,
        "kind": "ngram",
        "name": "prodkit-guard-ngram",
        "version": "1",
        "is_stand_in": False,
        "files": {"weights.bin": hashlib.sha256(raw).hexdigest()},
        "buckets": BUCKETS,
        "windows": WINDOWS,
        "heads": heads,
        "trained_on": {
            source: LICENCES[source]
            for source in sorted({part for row in rows for part in row.source.split("+")})
        },
        "left_out": sorted(LEFT_OUT),
        "seed": SEED,
        "licence": "Apache-2.0",
    }
    (options.out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    say("written", len(raw), "bytes")


if __name__ == "__main__":
    main()

"""Train the heads of `Groundedness` on the claims written for it.

`python -m training.groundedness.train [--check]`: three minutes on one core, needs extra `embeddings` and
scikit-learn. Reads `claims.jsonl` beside it and the development half of
`benchmarks/data/groundedness/claims.jsonl`; never the test half. Each head is a sum of trees of depth 2.
`--check` cross-validates instead of writing (whole contexts held out).

Each claim is also read beside a second form of its context, whose sentences are joined or stand among those
of another one, and copied clauses and sentences from elsewhere are added (`more_of`): so that long sentences
and long contexts are no surprise.

Word by word, supported claims of such a set are either copies or far from their source, and unsupported
ones in between; a model that learns this knows the set, not the task. So claims are weighed such that in each
band of overlap both labels count nearly alike (`EVENNESS`; 1 would be alike).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]

from langchain_prodkit.evaluation.embeddings import MiniLMEmbeddings
from langchain_prodkit.evaluation.grounding.claims import FUNCTION, sentences
from langchain_prodkit.evaluation.grounding.comparison import FEATURES
from langchain_prodkit.evaluation.grounding.head import FORMAT_VERSION, load_table
from langchain_prodkit.evaluation.grounding.meaning import (
    SENTENCE_FEATURES,
    TOKEN_FEATURES,
    SentenceMeanings,
    TokenMeanings,
)
from langchain_prodkit.evaluation.grounding.source import Source
from langchain_prodkit.evaluation.grounding.support import claims_of, noted
from langchain_prodkit.evaluation.grounding.vectors import FOLDER

HERE = Path(__file__).parent
DEVELOPMENT = HERE.parents[1] / "benchmarks" / "data" / "groundedness" / "claims.jsonl"
SEED = 8
LEAST_WORDS = 4
EVENNESS = 0.5
BANDS = (0.15, 0.35, 0.55, 0.75, 0.95)
HEADS: dict[str, tuple[str, ...]] = {
    "words": FEATURES,
    "sentences": FEATURES + SENTENCE_FEATURES,
    "tokens": FEATURES + TOKEN_FEATURES,
}
TREES = {
    "n_estimators": 450,
    "learning_rate": 0.02,
    "max_depth": 2,
    "subsample": 0.5,
    "min_samples_leaf": 8,
    "max_features": 0.4,
}


def rows() -> list[dict[str, Any]]:
    """Read what may be trained on."""
    own = [json.loads(line) for line in (HERE / "claims.jsonl").read_text(encoding="utf-8").splitlines()]
    shown = [json.loads(line) for line in DEVELOPMENT.read_text(encoding="utf-8").splitlines()]
    return own + [row for row in shown if row["half"] == "dev"]


def more_of(claims: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    """Add what costs no writing: other forms of the contexts, copied clauses, and what stands elsewhere."""
    contexts = {context: sentences(context) for context in dict.fromkeys(row["context"] for row in claims)}
    found = list(claims)
    others = list(contexts)
    forms = {}
    for context, said in contexts.items():
        stranger = contexts[chance.choice([other for other in others if other != context])]
        at = chance.randrange(len(stranger))
        forms[context] = (_joined(said, chance), " ".join([*stranger[:at], *said, *stranger[at:]]))
        clauses = [
            clause
            for sentence in said
            for clause in re.split(r"(?:[,;] (?:but|and|while|whereas|yet)|[,;]) ", sentence)
            if len(clause.split()) > LEAST_WORDS
        ]
        found += [
            {"context": context, "label": 1, "claim": clause[0].upper() + clause[1:].rstrip(".") + "."}
            for clause in chance.sample(clauses, min(3, len(clauses)))
        ]
        found.append({"context": context, "label": 0, "claim": chance.choice(stranger)})
    found += [{**row, "form": chance.choice(forms[row["context"]])} for row in list(found)]
    return found


def _joined(said: list[str], chance: random.Random) -> str:
    """Make one sentence of each two."""
    pairs = []
    for place in range(0, len(said), 2):
        pair = said[place : place + 2]
        if len(pair) > 1:
            first = pair[1].split()[0]
            start = pair[1][0].lower() if first.lower() in FUNCTION else pair[1][0]
            pair = [
                pair[0].rstrip(".")
                + chance.choice((", and ", "; ", ", while ", ", but "))
                + start
                + pair[1][1:]
            ]
        pairs += pair
    return " ".join(pairs)


def notes(claims: list[dict[str, Any]], model: MiniLMEmbeddings) -> dict[str, Any]:
    """Give what each head reads of every claim."""
    kinds: dict[str, Any] = {
        "words": None,
        "sentences": SentenceMeanings(model),
        "tokens": TokenMeanings(model),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in HEADS}
    for row in claims:
        source = Source([row.get("form", row["context"])], load_table())
        claim = claims_of(row["claim"])[0]
        passage = source.passages(claim)[0]
        for name, meanings in kinds.items():
            if meanings is not None:
                meanings.learn([claim.text, *(sentence.text for sentence in passage.sentences)])
            values = noted(claim, passage, source, meanings)
            found[name].append([values[feature] for feature in HEADS[name]])
    return {name: np.array(values) for name, values in found.items()}


def weights(values: Any, labels: Any) -> Any:
    """Make both labels count alike, as far as `EVENNESS` says, among claims that overlap alike."""
    bands = np.digitize(values[:, FEATURES.index("bigrams")], BANDS)
    given = np.ones(len(labels))
    for band in set(bands.tolist()):
        for label in (0, 1):
            those = (bands == band) & (labels == label)
            if those.any():
                given[those] = ((bands == band).sum() / 2 / those.sum()) ** EVENNESS
    return np.clip(given, 0.2, 5)


def fitted(values: Any, labels: Any) -> GradientBoostingClassifier:
    """Fit one head."""
    model = GradientBoostingClassifier(random_state=SEED, **TREES)
    return model.fit(values, labels, sample_weight=weights(values, labels))


def as_document(model: GradientBoostingClassifier, names: tuple[str, ...]) -> dict[str, Any]:
    """Write a head as plain numbers."""
    trees = []
    for (estimator,) in model.estimators_:
        tree = estimator.tree_

        def grown(node: int, tree: Any = tree) -> Any:
            if tree.children_left[node] < 0:
                return round(float(tree.value[node][0][0]) * TREES["learning_rate"], 6)
            low, high = tree.children_left[node], tree.children_right[node]
            return [int(tree.feature[node]), round(float(tree.threshold[node]), 6), grown(low), grown(high)]

        trees.append(grown(0))
    prior = model.init_.class_prior_
    return {"features": list(names), "start": round(float(np.log(prior[1] / prior[0])), 6), "trees": trees}


def main() -> int:
    """Train, or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="cross-validate, write nothing")
    arguments = parser.parse_args()
    claims = more_of(rows(), random.Random(SEED))  # noqa: S311 - a draw, not a secret
    labels = np.array([row["label"] for row in claims])
    groups = np.array([row["context"] for row in claims])
    values = notes(claims, MiniLMEmbeddings())
    heads = {}
    for name, names in HEADS.items():
        if arguments.check:
            scores = np.zeros(len(labels))
            for seen, held in GroupKFold(6).split(values[name], labels, groups):
                scores[held] = fitted(values[name][seen], labels[seen]).decision_function(values[name][held])
            found = roc_auc_score(labels, scores)
            print(f"{name}: AUC {found:.3f}, whole contexts held out")  # noqa: T201 - the result
        else:
            heads[name] = as_document(fitted(values[name], labels), names)
    if heads:
        document = {"format": "prodkit-groundedness", "version": FORMAT_VERSION, "heads": heads}
        raw = json.dumps(document, separators=(",", ":")).encode()
        (FOLDER / "heads.json").write_bytes(raw)
        digest = hashlib.sha256(raw).hexdigest()
        print(f"heads.json: {len(raw):,} bytes, SHA-256 {digest}")  # noqa: T201 - the result
    return 0


if __name__ == "__main__":
    sys.exit(main())

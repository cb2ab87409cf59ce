"""Make the table of word stems: what MiniLM thinks of each word, in 48 numbers of 8 bits.

`python -m training.groundedness.words`: half a minute on one core, needs extra `embeddings`. The words are
the whole words of MiniLM's own vocabulary (most frequent first) and those of `words.txt` (frequent words
of English prose and documentation that it writes in pieces). Forms of one stem are averaged, the mean
is taken off, and the 48 directions that tell the words of the vocabulary apart best are kept.
"""

from __future__ import annotations

import hashlib
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from langchain_prodkit.evaluation.embeddings import MiniLMEmbeddings
from langchain_prodkit.evaluation.grounding.claims import FUNCTION, stem
from langchain_prodkit.evaluation.grounding.vectors import FOLDER, SIZE

HERE = Path(__file__).parent
VOCABULARY = FOLDER.parents[1] / "minilm" / "vocab.txt"
SPREAD = 2.2
"""Times a unit vector: few entries of 48 are larger than 1 / 2.2, and those are cut."""


def by_stem(words: list[str], vectors: Any) -> dict[str, Any]:
    """Give each stem the mean direction of its forms, in order of the first."""
    sums: dict[str, Any] = {}
    for word, vector in zip(words, vectors, strict=True):
        if word not in FUNCTION:
            sums[stem(word)] = sums.get(stem(word), 0) + vector
    return {name: total / np.linalg.norm(total) for name, total in sums.items()}


def table() -> bytes:
    """Compute the file."""
    model = MiniLMEmbeddings()
    known = [
        word
        for word in VOCABULARY.read_text(encoding="utf-8").split("\n")
        if word.isascii() and word.isalpha() and len(word) > 1
    ]
    more = (HERE / "words.txt").read_text(encoding="utf-8").split()
    stems = by_stem(known, np.array(model.embed_documents(known)))
    centre = np.mean(list(stems.values()), axis=0)
    _, _, axes = np.linalg.svd(np.array(list(stems.values())) - centre, full_matrices=False)
    # The sign of an axis is arbitrary; fixed here, so that two runs give the same file.
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    for name, vector in by_stem(more, np.array(model.embed_documents(more))).items():
        stems.setdefault(name, vector)
    reduced = (np.array(list(stems.values())) - centre) @ axes[:SIZE].T
    reduced /= np.linalg.norm(reduced, axis=1, keepdims=True)
    bytes_of = np.clip(np.round(reduced * 127 * SPREAD), -127, 127).astype(np.int8)
    return zlib.compress("\n".join(stems).encode() + b"\0" + bytes_of.tobytes(), 9)


def main() -> int:
    """Write `words.bin` and print its SHA-256, which `head.py` pins."""
    raw = table()
    (FOLDER / "words.bin").write_bytes(raw)
    digest = hashlib.sha256(raw).hexdigest()
    print(f"words.bin: {len(raw):,} bytes, SHA-256 {digest}")  # noqa: T201 - the result
    return 0


if __name__ == "__main__":
    sys.exit(main())

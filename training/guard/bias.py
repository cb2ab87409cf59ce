"""Words that a model takes for attacks by themselves, and harmless rows that teach it otherwise.

`python -m training.guard.bias MODEL [--out FILE]` scores every whole word of the model's vocabulary,
alone and in neutral sentences, and neutral sentences without it. What scores over 0.3 is listed; around
each such word rows are made. The idea is PIGuard's (leolee99/PIGuard, ACL 2025), the texts are our own.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from training.guard.grammar import Grammar
from training.guard.rows import Row

__all__ = ["LEAST", "biased", "rows", "words_of"]

LEAST: Final = 0.3
"""From this score up a harmless text counts as misread."""
SEED: Final = 20261125
BATCH: Final = 256
_WORD_START: Final = "\u2581"
Scorer = Callable[[Sequence[str]], Sequence[float]]


def words_of(model: Path, *, least_letters: int = 3) -> list[str]:
    """Give the whole words of a model folder's vocabulary, in its order."""
    listed = model / "pieces.txt"
    if listed.exists():
        pieces = [line.partition("\t")[2] for line in listed.read_text(encoding="utf-8").split("\n")]
    else:
        raw: Any = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        pieces = [str(entry if isinstance(entry, str) else entry[0]) for entry in raw]
    if any(piece.startswith(_WORD_START) for piece in pieces):
        pieces = [piece[1:] for piece in pieces if piece.startswith(_WORD_START)]
    return [piece for piece in pieces if len(piece) >= least_letters and piece.isalpha()]


def biased(score: Scorer, texts: Iterable[str], *, least: float = LEAST) -> list[tuple[str, float]]:
    """Give the texts that score `least` or more, the worst first."""
    wanted = list(texts)
    found = [
        (text, value)
        for at in range(0, len(wanted), BATCH)
        for text, value in zip(wanted[at : at + BATCH], score(wanted[at : at + BATCH]), strict=True)
        if value >= least
    ]
    return sorted(found, key=lambda one: -one[1])


def rows(words: Sequence[str], seed: int = SEED, *, each: int = 12) -> list[Row]:
    """Make `each` harmless rows around every word, alone and in sentences of any kind."""
    rng = random.Random(seed)  # noqa: S311 - reproducible, not secret
    grammar = Grammar(rng, "common", "neutral")
    texts = {
        grammar.say("neutral" if number % 4 else "bare", word=word, other=rng.choice(words))
        for word in words
        for number in range(each)
    }
    return [Row(text, False, "own", "own_word_harmless", "en") for text in sorted(texts)]


def sentences(seed: int = SEED, *, count: int = 2_000) -> list[str]:
    """Make short harmless sentences without any word of interest, and everyday requests."""
    grammar = Grammar(random.Random(seed + 1), "common", "harmless", "neutral")  # noqa: S311 - reproducible
    made = (
        grammar.say(rule) for _ in range(count // 4) for rule in ("thing_said", "everyday", "safe", "tools")
    )
    return sorted(set(made))


def _search(score: Scorer, words: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Yield what is misread: words, then words in a sentence, then sentences."""
    alone = biased(score, words)
    yield "words", alone
    framed = {f'My neighbour wrote "{word}" again.': word for word in words}
    yield "words in a sentence", [(framed[text], value) for text, value in biased(score, framed)]
    yield "sentences", biased(score, sentences())


def search(model: Path, *, most: int = 0, show: int = 0) -> list[Row]:
    """Search a model folder and give rows about the words it misreads; print the worst `show` of each kind.

    `most` words are looked at, drawn at random; 0 for all.
    """
    from langchain_prodkit.guard import EmbeddedClassifier  # noqa: PLC0415 - the rest does without onnxruntime

    classifier = EmbeddedClassifier(model)
    words = words_of(model)
    if most and most < len(words):
        words = random.Random(SEED).sample(words, most)  # noqa: S311 - reproducible

    def score(texts: Sequence[str]) -> list[float]:
        return [one.value for one in classifier.score(texts, source="user")]

    misread: list[str] = []
    for kind, found in _search(score, words):
        print(f"{kind}: {len(found)} over {LEAST}")  # noqa: T201
        for text, value in found[:show]:
            print(f"  {value:.2f} {text}")  # noqa: T201
        if kind != "sentences":
            misread += [word for word, _ in found]
    made = rows(list(dict.fromkeys(misread))) if misread else []
    print(f"{len(made)} rows about {len(set(misread))} of {len(words)} words")  # noqa: T201
    return made


def main() -> None:
    """Search the model, print what it misreads, and write rows about it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("model", type=Path, help="a model folder")
    parser.add_argument("--most", type=int, default=0, help="words to look at, drawn at random; 0 for all")
    parser.add_argument("--show", type=int, default=40, help="of each kind, how many are printed")
    parser.add_argument("--out", type=Path, help="write the new rows to this JSONL file")
    options = parser.parse_args()
    made = search(options.model, most=options.most, show=options.show)
    if options.out is not None:
        lines = (json.dumps(asdict(row), ensure_ascii=False) for row in made)
        options.out.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    main()

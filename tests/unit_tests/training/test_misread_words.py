"""Words that a model takes for attacks are found and become harmless rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from training.guard.bias import biased, rows, words_of


@pytest.mark.parametrize(
    "vocabulary",
    [
        [
            ["<s>", 0.0],
            ["\u2581secret", -3.0],
            ["\u2581a", -1.0],
            ["tail", -4.0],
            ["\u2581stern", -5.0],
            ["\u258112", -6.0],
        ],
        {"[PAD]": 0, "secret": 1, "##tail": 2, "a": 3, "stern": 4, "12": 5},
    ],
    ids=["unigram", "wordpiece"],
)
def test_whole_words_are_read_from_a_tokenizer(tmp_path: Path, vocabulary: Any) -> None:
    """No parts of words, no marks, no numbers, nothing too short."""
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    assert words_of(tmp_path) == ["secret", "stern"]


def test_whole_words_are_read_from_a_list_of_pieces(tmp_path: Path) -> None:
    """The other form of vocabulary says the same."""
    pieces = "0.0\t<s>\n-3.0\t\u2581secret\n-1.0\t\u2581a\n-4.0\ttail\n-5.0\t\u2581stern\n-6.0\t\u258112\n"
    (tmp_path / "pieces.txt").write_text(pieces, encoding="utf-8")
    assert words_of(tmp_path) == ["secret", "stern"]


def test_what_scores_high_is_listed_worst_first() -> None:
    """All texts are asked about, in batches."""
    asked: list[int] = []

    def score(texts: Sequence[str]) -> list[float]:
        asked.append(len(texts))
        return [float(text) for text in texts]

    found = biased(score, [str(number / 1000) for number in range(700)], least=0.697)
    assert found == [("0.699", 0.699), ("0.698", 0.698), ("0.697", 0.697)]
    assert sum(asked) == 700


def test_new_rows_are_harmless_and_about_the_word() -> None:
    """Every row holds one of the words; the same seed gives the same rows."""
    made = rows(["ocelot", "zither"])
    assert made == rows(["ocelot", "zither"])
    assert len(made) > 15
    for row in made:
        assert not row.is_attack
        assert not row.is_document
        assert "ocelot" in row.text.lower() or "zither" in row.text.lower()

"""What the network is shown: an attack's window holds the attack, a harmless one none, and all fit."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from training.guard.draws import Draws
from training.guard.rows import Row
from training.guard.texts import Text

SIGN = "\u653b"
WINDOW = 128


class Characters:
    """A tokenizer that gives every character a number."""

    def encode(self, text: str, *, add_special_tokens: bool) -> Any:
        """Cut."""
        assert not add_special_tokens
        return SimpleNamespace(
            ids=[ord(char) for char in text], offsets=[(at, at + 1) for at in range(len(text))]
        )


@pytest.fixture(scope="module")
def draws() -> Draws:
    """Clean documents, attacks by users, attacks in long documents and questions."""
    texts = []
    for number in range(40):
        paper = f"Part {number} was built in the spring. Nobody saw it. " * 12
        place = 37 * number % 400
        texts += [
            Text(paper, Row(paper, False, "structlog", "document_md", "en"), None),
            Text(SIGN * 24, Row(SIGN * 24, True, "deepset", "direct", "en"), None),
            Text("Where is it?", Row("Where is it?", False, "openai_evals", "question", "en"), None),
            Text(
                paper[:place] + SIGN * 24 + paper[place:],
                Row(paper, True, "generated", "carrier_email", "en"),
                place + 12,
            ),
        ]
    return Draws(texts, Characters(), window=WINDOW, batch=16, seed=3)  # type: ignore[arg-type]


def test_a_window_has_its_label_in_it_and_is_no_longer_than_it_may_be(draws: Draws) -> None:
    """Wherever in the document the attack stood, however short the window is."""
    seen = set()
    for number in range(60):
        for draw in draws[number]:
            assert len(draw.ids) <= WINDOW
            assert (ord(SIGN) in draw.ids) is draw.is_attack
            seen.add((draw.is_attack, draw.weights))
    assert len(seen) >= 4


def test_a_batch_is_the_same_whenever_it_is_asked_for(draws: Draws) -> None:
    """A run that was stopped goes on with what it would have seen."""
    first = draws[3]
    assert draws[25] != first
    assert draws[3] == first

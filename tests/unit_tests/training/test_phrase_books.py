"""Every line of every phrase book can be said, and every writing can be read again."""

from __future__ import annotations

import base64
import codecs
import random
import re
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.guard.encodings import ENCODINGS, encoded
from training.guard.generate import LANGUAGES, TECHNIQUES
from training.guard.grammar import Grammar
from training.guard.likeness import near_pairs, runs

BOUND = dict.fromkeys(
    ("quote", "one", "two", "coded", "coded_fine", "rep", "word", "other", "who", "said"), "X"
)
BOOKS = [
    ("common", "attacks", "attacks_more"),
    ("common", "harmless"),
    ("common", "attacks", "attacks_more", "carriers"),
    ("common", "neutral"),
    *(("common", f"tongues/{code}") for code in LANGUAGES),
]
SLOT = re.compile(r"\{[a-z_]+[+-]?\^?\}")


@pytest.mark.parametrize("books", BOOKS, ids=lambda books: books[-1])
def test_every_line_can_be_said(books: tuple[str, ...]) -> None:
    """No slot without a rule, no choice that was not made."""
    grammar = Grammar(random.Random(3), *books)
    for rule, lines in grammar.rules.items():
        assert lines, rule
        for line in lines:
            for _ in range(4):
                said = grammar.fill(line, **BOUND)
                assert SLOT.search(said) is None, (rule, line)
                assert "|]" not in said, (rule, line)


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_language_has_every_kind_of_line(code: str) -> None:
    """Attacks, notes in documents, look-alikes, everyday requests, dangerous topics, documents."""
    grammar = Grammar(random.Random(3), f"tongues/{code}")
    assert {"over", "secret", "goal", "bad", "doc", "fine", "day", "talk", "text"} <= set(grammar.rules)
    assert sum("{quote}" in line for line in grammar.rules["fine"]) >= 2


def test_every_technique_has_attacks_and_look_alikes() -> None:
    """Several wordings of each."""
    grammar = Grammar(random.Random(3), "attacks", "attacks_more")
    for family in TECHNIQUES:
        assert len(grammar.rules[family + "+"]) >= 3
        assert len(grammar.rules[family + "-"]) >= 3


@pytest.mark.parametrize("name", sorted(ENCODINGS))
def test_a_writing_differs_and_is_reproducible(name: str) -> None:
    """The same chance gives the same writing."""
    text = "Please tell me what the assistant keeps in the box."
    first = encoded(random.Random(4), name, text)
    assert first == encoded(random.Random(4), name, text)
    assert first != text or name == "case"


def test_what_is_encoded_can_be_decoded() -> None:
    """The rows hold what they are said to hold."""
    text = "Tell the truth, 42 times!"
    for seed in range(20):
        rng = random.Random(seed)
        said = {name: encoded(rng, name, text) for name in ENCODINGS}
        assert base64.b64decode(re.split(r"[ :=](?=[\w+/]{12})", said["base64"])[-1]).decode() == text
        assert unquote(said["url"]) == text
        assert text in codecs.encode(said["rot13"], "rot13")
        assert "".join(chr(ord(c) - 0xE0000) for c in said["tagged"] if ord(c) > 0xE0000) == text
        assert re.sub("[\u200b-\u200d\u2060\ufeff\u00ad]", "", said["hidden"]) == text


@settings(max_examples=60, derandomize=True, deadline=None)
@given(
    st.lists(st.text(alphabet="abc ", min_size=1, max_size=24), max_size=12),
    st.sampled_from((0.5, 0.75, 0.9)),
)
def test_likeness_is_found_exactly(texts: list[str], least: float) -> None:
    """The quick search finds the pairs that comparing all with all finds."""
    sets = [runs(text) for text in texts]
    slow = {
        (later, earlier)
        for later in range(len(sets))
        for earlier in range(later)
        if len(sets[later] & sets[earlier]) >= least * len(sets[later] | sets[earlier])
    }
    assert set(near_pairs(texts, least=least)) == slow

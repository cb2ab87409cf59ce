"""The rows of our own making are reproducible, balanced, told apart, and labelled where they say."""

from __future__ import annotations

import json
import random
from collections import defaultdict

import pytest

from training.guard.carriers import KINDS, carrier
from training.guard.encodings import ENCODINGS
from training.guard.generate import LANGUAGES, TECHNIQUES, long_rows, rows
from training.guard.grammar import Grammar
from training.guard.likeness import near_pairs
from training.guard.rows import Row

SCALE = 0.03


@pytest.fixture(scope="module")
def made() -> list[Row]:
    """Three in a hundred of all rows."""
    return rows(scale=SCALE)


@pytest.fixture(scope="module")
def deep() -> list[Row]:
    """Long documents, clean and injected in turn."""
    return long_rows(count=12)


def labels(found: list[Row], key: str) -> dict[str, set[bool]]:
    """Say which labels every value of a field has."""
    by: dict[str, set[bool]] = defaultdict(set)
    for row in found:
        by[getattr(row, key)].add(row.is_attack)
    return by


def test_the_same_seed_gives_the_same_rows(made: list[Row]) -> None:
    """What a model was trained on can be made again."""
    assert rows(scale=SCALE) == made
    assert {row.text for row in rows(1, scale=SCALE)} != {row.text for row in made}


def test_every_language_holds_both_labels(made: list[Row]) -> None:
    """No language is a sign of an attack, and English is not the only one."""
    by = labels(made, "lang")
    assert set(LANGUAGES) | {"en"} <= set(by)
    assert len(LANGUAGES) >= 20
    assert all(found == {True, False} for found in by.values())


def test_every_technique_has_harmless_rows_with_its_words(made: list[Row]) -> None:
    """Each family of attacks has its look-alikes."""
    by = labels(made, "category")
    for family in TECHNIQUES:
        assert by[f"own_{family}"] == {True}
        assert by[f"own_{family}_pair"] == {False}


def test_every_writing_holds_both_labels(made: list[Row]) -> None:
    """An encoding alone is no sign of an attack."""
    by = labels(made, "category")
    assert all(by[f"own_enc_{name}"] == {True, False} for name in ENCODINGS)


def test_every_carrier_is_as_often_clean_as_injected(made: list[Row]) -> None:
    """A kind of document is no sign of an attack."""
    counts: dict[str, int] = defaultdict(int)
    for row in made:
        if row.is_document and "long" not in row.category:
            counts[row.category.split(":")[0].split("_", 1)[1]] += 1 if row.is_attack else -1
    assert set(KINDS) <= set(counts)
    assert all(abs(more) <= 1 for more in counts.values())


def test_the_labels_are_about_equal(made: list[Row]) -> None:
    """No label can be guessed from how common it is."""
    attacks = sum(row.is_attack for row in made)
    assert 0.4 < attacks / len(made) < 0.6


def test_no_row_stands_twice(made: list[Row]) -> None:
    """Neither exactly, nor nearly with the other label, apart from documents and encodings."""
    assert len({row.text for row in made}) == len(made)
    loose = [row for row in made if not row.is_document and not row.category.startswith("own_enc")]
    for later, earlier in near_pairs([row.text for row in loose], least=0.75):
        assert loose[later].is_attack is loose[earlier].is_attack


@pytest.mark.parametrize("kind", KINDS)
def test_a_carrier_says_where_it_was_written_to(kind: str) -> None:
    """The span holds what was put in and nothing else, and the rest is as it was."""
    rng = random.Random(5)
    grammar = Grammar(rng, "common", "attacks", "attacks_more", "carriers")
    for size in (0, 1, 3):
        paper = carrier(kind, rng, grammar, size=size)
        assert paper.kind == kind
        said = 'Tell "nobody":\nsay QUIETLY hello'
        text, (start, end) = paper.holding(said)
        assert "QUIETLY hello" in text[start:end]
        assert text[start:end].startswith("Tell")
        assert paper.text == text[:start] + "\x00" + text[end:]
        assert "\x00" not in text + paper.clean()


def test_json_stays_json() -> None:
    """A tool result with an attack in it can still be parsed."""
    rng = random.Random(8)
    grammar = Grammar(rng, "common", "attacks", "attacks_more", "carriers")
    parsed = 0
    for _ in range(40):
        text, _ = carrier("bank", rng, grammar).holding('He said "stop" \\ and\nwent')
        if text.startswith(("[", "{")):
            parsed += 1
            assert 'He said "stop" \\ and\nwent' in json.dumps(json.loads(text), ensure_ascii=False).replace(
                "\\n", "\n"
            ).replace('\\"', '"').replace("\\\\", "\\")
    assert parsed


def test_a_buried_attack_is_where_the_row_says(deep: list[Row]) -> None:
    """The clean twin differs from the injected one in that place only."""
    for clean, injected in zip(deep[::2], deep[1::2], strict=True):
        assert clean.place is None
        assert not clean.is_attack
        assert injected.place is not None
        start, end = injected.place
        assert 0 <= start < end <= len(injected.text)
        assert clean.text[:start] == injected.text[:start]
        tail = injected.text[end:]
        assert clean.text[len(clean.text) - len(tail) :] == tail


def test_long_documents_are_long(deep: list[Row]) -> None:
    """They need several windows, and none is longer than promised."""
    assert all(3_000 <= len(row.text) <= 14_000 for row in deep)


def test_an_attack_in_a_document_is_where_the_row_says(made: list[Row]) -> None:
    """What was put into a document can be cut out by the recorded place."""
    placed = [row for row in made if row.place is not None]
    assert len(placed) > 50
    for row in placed:
        start, end = row.place or (0, 0)
        assert row.is_attack
        assert row.is_document
        assert row.text[start:end].strip()
        assert end <= len(row.text)

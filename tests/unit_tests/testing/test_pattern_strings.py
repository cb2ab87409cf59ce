"""A string made for a pattern matches it, or there is none."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.testing.pattern import string_matching

PARTS = st.sampled_from(
    ["a", "[a-z]", "[^0-9]", r"\d", r"\w", r"\s", ".", "(ab|c)", "(?:x)", r"\.", "[A-Z_]", r"[^\w\s]", r"\S"]
)
COUNTS = st.sampled_from(["", "+", "*", "?", "{2}", "{1,3}", "{2,}", "*?"])


@given(st.lists(st.tuples(PARTS, COUNTS), min_size=1, max_size=6), st.booleans())
def test_a_string_made_for_a_pattern_matches_it(parts: list[tuple[str, str]], is_anchored: bool) -> None:
    """Classes, repeats, groups and alternatives in any mix."""
    pattern = "".join(part + count for part, count in parts)
    pattern = f"^{pattern}$" if is_anchored else pattern
    text = string_matching(pattern)
    assert text is not None
    assert re.search(pattern, text)


@pytest.mark.parametrize("pattern", [r"^\d{3}-\d{4}$", r"^(\w)\1$", r"^[^@]+@[^@]+\.com$", r"^(?!_)\w+$"])
def test_common_patterns_are_matched(pattern: str) -> None:
    """Phone numbers, repetitions by reference, addresses, simple look-ahead."""
    text = string_matching(pattern)
    assert text is not None
    assert re.search(pattern, text)


def test_a_minimum_length_is_kept() -> None:
    """A repeat is taken more often when the length asks for it."""
    text = string_matching(r"^[a-z]+$", min_length=12)
    assert text is not None
    assert len(text) >= 12


@pytest.mark.parametrize("pattern", ["(", r"\p{L}", "a{99999999999}", r"^(?=.*\d)(?=.*[A-Z])$"])
def test_a_pattern_beyond_us_gives_none(pattern: str) -> None:
    """What cannot be read or satisfied is said, not guessed."""
    assert string_matching(pattern) is None


def test_a_huge_repeat_stays_small() -> None:
    """A thousand million letters are not made."""
    text = string_matching("a{0,1000000000}")
    assert text is not None
    assert len(text) < 2000

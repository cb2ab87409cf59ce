"""No pattern can be made to run for long, whatever text it meets."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_prodkit.guard import (
    HeuristicDetector,
    decode,
    mention,
    normalize,
    signatures,
    subject,
    vocabulary,
)

pytestmark = pytest.mark.slow
MODULES = (decode, mention, normalize, signatures, subject, vocabulary)
CHARS = 12_000
SECONDS = 2.0
"""Twelve thousand characters take milliseconds; a pattern that is quadratic in them takes far longer."""


def _patterns(value: Any, name: str) -> Iterator[tuple[str, re.Pattern[str]]]:
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, tuple | list):
        for index, item in enumerate(value):
            yield from _patterns(item, f"{name}.{index}")


PATTERNS = [
    found
    for module in MODULES
    for name, value in sorted(vars(module).items())
    for found in _patterns(value, f"{module.__name__.rpartition('.')[2]}.{name}")
]
PIECES = [
    "a",
    "A",
    "0",
    "1",
    "01",
    "aa",
    " ",
    "  ",
    "\n",
    ".",
    "-",
    "_",
    "%41",
    "%",
    "\\x41",
    "\\u0041",
    "&#65;",
    "&",
    "<",
    "</",
    "<system",
    "[",
    "![",
    "](http",
    "](https://a?b=",
    "?",
    "=",
    "'",
    '"',
    "'a",
    "user:",
    "\nuser: a",
    "system",
    "\nsystem",
    "ignore ",
    "the ",
    "you ",
    "gur lbh ",
    "eht uoy ",
    "first ",
    "first a b ",
    "end of ",
    "--- ",
    "@a",
    "http",
    "www.",
    "я",
    "가",
    "忽",
    "नि",
    "\u200b",
    "\u200c",
    "\ufe00",
    "\U000e0041",
    "\U0001f3f4",
    "\u1100\u1161",
    "QUJD",
    "4142",
    "=",
    "==",
    "1gn0r3 ",
    "a1b ",
    "i g n o ",
    "i.g.",
    "<!--",
    "-->",
    "\n\n",
    "! ",
    "ignore all rules ",
    "vergiss bitte ",
    "negeer a ",
]


def test_every_pattern_was_found() -> None:
    """The check below must not run over nothing."""
    assert len(PATTERNS) > 30


@pytest.mark.parametrize(("name", "pattern"), PATTERNS, ids=[name for name, _ in PATTERNS])
def test_a_pattern_ends_soon_on_anything(name: str, pattern: re.Pattern[str]) -> None:
    """Every piece, repeated, and every two of a sample: none makes it slow."""
    start = time.process_time()
    texts = [piece * (CHARS // len(piece)) for piece in PIECES]
    for text in texts:
        for _ in pattern.finditer(text):
            pass
    assert time.process_time() - start < SECONDS * len(texts) / 4, name


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=4), st.sampled_from(PIECES))
def test_the_detector_ends_soon_on_anything(pieces: list[str], end: str) -> None:
    """All patterns together, on what they were made to stumble over."""
    unit = "".join(pieces)
    text = unit * (CHARS // len(unit)) + end
    start = time.process_time()
    HeuristicDetector().score([text], source="document")
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    ("opening", "rest"),
    [("%", "25"), ("&", "amp;"), ("\\", "u005c"), ("&", "#38;"), ("%", "2525"), ("&", "amp;#38;")],
    ids=["url", "entity", "escape", "number", "url twice", "mixed"],
)
def test_ten_thousand_nested_encodings_end_soon(opening: str, rest: str) -> None:
    """A decode bomb is opened a few times and read to its end."""
    bomb = opening + rest * 10_000 + "41"
    start = time.process_time()
    (score,) = HeuristicDetector().score([bomb])
    assert time.process_time() - start < SECONDS
    assert score.scanned_chars == len(bomb)

"""A name that is introduced as one is found, whatever stands around it."""

from __future__ import annotations

import pytest

from langchain_prodkit.privacy import PresidioDetector


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("My name is Ada Byron, call me.", "Ada Byron"),
        ("my name's Ada Byron and I wait", "Ada Byron"),
        ("Hello! I am called Zoë O'Neil-Smith.", "Zoë O'Neil-Smith"),
        ("This is Ada Byron, my coffee machine leaks.", "Ada Byron"),
        ("Hi, this is Ada K. Byron from Leeds.", "Ada K. Byron"),
    ],
)
def test_an_introduced_name_is_found(presidio: PresidioDetector, text: str, name: str) -> None:
    """Exactly the name, not the words around it."""
    spans = presidio.detect([text])[0]
    assert name in {text[span.start : span.end] for span in spans if span.entity == "PERSON"}


@pytest.mark.parametrize(
    "text",
    [
        "my name is not important here",
        "the file name is Report and so on",
        "This is Not What I Ordered",
        "this is a test, nothing else",
        "What is my name?",
    ],
)
def test_ordinary_sentences_are_left_alone(presidio: PresidioDetector, text: str) -> None:
    """Small letters are no names, and not everything that is this is somebody."""
    assert [span for span in presidio.detect([text])[0] if span.entity == "PERSON"] == []

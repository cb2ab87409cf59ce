"""Amounts are read as people mean them."""

from __future__ import annotations

import pytest

from langchain_prodkit.evaluation.grounding.claims import words
from langchain_prodkit.evaluation.grounding.quantities import Quantity, quantities


def only(text: str) -> Quantity:
    """Give the one amount of a text."""
    (found,) = quantities(words(text))
    return found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("an hour and a half", "90 minutes"),
        ("a quarter of an hour", "15 minutes"),
        ("two weeks", "fourteen days"),
        ("14 March", "14/03/2022"),
        ("March 14", "14 March"),
        ("6 pm", "18:00"),
        ("a dozen eggs", "twelve eggs"),
        ("4,200 people", "4200 people"),
        ("1.5 litres", "1,500 ml"),
        ("2.4 billion dollars", "$2,400,000,000"),
        ("half of them", "50 percent"),
        ("three times a day", "3 times per day"),
        ("daily", "every day"),
        ("twenty-five men", "25 men"),
        ("a hundred and five trees", "105 trees"),
        ("8.2 metres", "820 cm"),
    ],
)
def test_one_amount_is_read_alike_however_it_is_written(one: str, other: str) -> None:
    """Units, words and figures are brought to the same value of the same kind."""
    left, right = only(one), only(other)
    assert left.kind == right.kind
    assert left.value == pytest.approx(right.value)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("at least eight years", 1),
        ("eight years or longer", 1),
        ("more than 8 kg", 1),
        ("at most 8 kg", -1),
        ("up to 45 minutes", -1),
        ("within 48 hours", -1),
        ("about 8 kg", 0),
    ],
)
def test_bounds_are_part_of_an_amount(text: str, bound: int) -> None:
    """At least is not at most."""
    assert only(text).bound == bound


@pytest.mark.parametrize("text", ["She may come.", "A cat sat on a mat.", "The last one of us left.", ""])
def test_words_that_only_look_like_amounts_are_none(text: str) -> None:
    """Articles, the month that is a verb, and "one" as a pronoun name no amount."""
    found = quantities(words(text))
    assert not [quantity for quantity in found if quantity.kind != "count"]


@pytest.mark.parametrize(
    "text",
    ["1" * 5000, "9" * 400 + " km", "1,2,3,4", "0/0/0", "99:99", "$", "-", "\u00bd \u00bd", "\u00b2" * 4],
)
def test_nonsense_is_read_without_an_error(text: str) -> None:
    """Whatever stands in an answer, reading it ends well."""
    quantities(words(text))

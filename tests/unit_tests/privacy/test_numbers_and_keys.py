"""Personal data that is no string: numbers, and the keys of mappings."""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig

from langchain_prodkit.privacy import PresidioDetector, PresidioRunnable
from tests.unit_tests.privacy.parts import NameDetector

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
CARD = 4111111111111111


@pytest.fixture(scope="module")
def cards() -> PresidioDetector:
    """Find what has a pattern."""
    return PresidioDetector(profile="patterns")


@pytest.mark.parametrize("value", [CARD, Decimal(CARD)])
def test_a_card_number_is_hidden_and_comes_back_as_a_number(cards: PresidioDetector, value: Any) -> None:
    """In the place of a number stands a placeholder; restored it is a number again."""
    privacy = PresidioRunnable(cards)
    tree = {"card": value, "rows": [1, 2.5, True, None], "text": f"card {CARD}"}
    redacted = privacy.invoke(tree, CONFIG)
    assert redacted["card"] == "<CREDIT_CARD_1>"
    assert redacted["rows"] == [1, 2.5, True, None]
    assert redacted["rows"][2] is True
    assert str(CARD) not in str(redacted)
    restored = privacy.restore().invoke(redacted, CONFIG)
    assert restored == tree
    assert not isinstance(restored["card"], str)


def test_tool_arguments_with_numbers(cards: PresidioDetector) -> None:
    """A model's call that repeats the placeholder reaches the tool with the number."""
    privacy = PresidioRunnable(cards)
    call = {"name": "pay", "args": {"card": CARD, "amount": 12}, "id": "1", "type": "tool_call"}
    redacted = privacy.invoke(AIMessage("", tool_calls=[call]), CONFIG)
    assert redacted.tool_calls[0]["args"] == {"card": "<CREDIT_CARD_1>", "amount": 12}
    assert privacy.restore().invoke(redacted, CONFIG).tool_calls[0]["args"] == {"card": CARD, "amount": 12}
    answer = privacy.restore().invoke("paid with <CREDIT_CARD_1>", CONFIG)
    assert answer == f"paid with {CARD}"


def test_a_number_keeps_its_type_with_surrogates_and_loses_it_with_a_mask(cards: PresidioDetector) -> None:
    """Digits can stand for digits; stars cannot."""
    privacy = PresidioRunnable(cards, operators="surrogate")
    redacted = privacy.invoke({"card": CARD}, CONFIG)
    assert isinstance(redacted["card"], int)
    assert redacted["card"] != CARD
    assert privacy.restore().invoke(redacted, CONFIG) == {"card": CARD}
    assert PresidioRunnable(cards, operators="mask").invoke({"card": CARD}) == {"card": "*" * 16}


@pytest.mark.parametrize("number", [1700000000, 20261122, 3012345678, 123456, -5, 0, 1e300])
def test_counts_and_time_stamps_stay_numbers(cards: PresidioDetector, number: float) -> None:
    """Digits that could be anything are left to the program that reads them."""
    value = {"created": number, "rows": number}
    assert PresidioRunnable(cards).invoke(value) == value


def test_keys_that_hold_data_are_hidden_and_names_of_fields_are_not() -> None:
    """A prompt finds its variables again; a person's name as a key does not pass."""
    privacy = PresidioRunnable(NameDetector(["Ada Byron", "Alan", "question", "김철수"]))
    value = {"question": "Alan?", "ages": {"Ada Byron": 36, "Alan": 41, "김철수": [1], 7: "x"}}
    redacted = privacy.invoke(value, CONFIG)
    assert redacted == {
        "question": "<PERSON_1>?",
        "ages": {"<PERSON_2>": 36, "<PERSON_1>": 41, "<PERSON_3>": [1], 7: "x"},
    }
    assert privacy.restore().invoke(redacted, CONFIG) == value


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType])
def test_a_mapping_keeps_its_type_and_order(kind: Any) -> None:
    """Renamed keys stand where the old ones stood."""
    privacy = PresidioRunnable(NameDetector(["Ada Byron", "Alan Kay"]))
    value = kind({"b": 1, "Alan Kay": 2, "a": 3, "Ada Byron": 4})
    redacted = privacy.invoke(value, CONFIG)
    assert type(redacted) is type(value)
    assert list(redacted) == ["b", "<PERSON_1>", "a", "<PERSON_2>"]
    assert list(privacy.restore().invoke(redacted, CONFIG)) == list(value)
    assert list(value) == ["b", "Alan Kay", "a", "Ada Byron"]


def test_two_keys_that_become_alike_stay_two() -> None:
    """No entry is lost behind a mask."""
    privacy = PresidioRunnable(NameDetector(["Ada Byron", "Ann Baron"]), operators="mask")
    assert privacy.invoke({"Ada Byron": 1, "Ann Baron": 2}) == {"*** *****": 1, "*** ***** (2)": 2}


def test_tuples_as_keys_are_read() -> None:
    """A key may be made of texts."""
    privacy = PresidioRunnable(NameDetector())
    redacted = privacy.invoke({("Ada Byron", 1): "x"}, CONFIG)
    assert redacted == {("<PERSON_1>", 1): "x"}
    assert privacy.restore().invoke(redacted, CONFIG) == {("Ada Byron", 1): "x"}

"""What was personal once in a conversation stays hidden, also where the detector would miss it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda

from langchain_prodkit.privacy import MemoryVault, PresidioRunnable, Span
from tests.unit_tests.privacy.parts import NameDetector

THREAD: RunnableConfig = {"configurable": {"thread_id": "t", "user_id": "u"}}
OTHER: RunnableConfig = {"configurable": {"thread_id": "t", "user_id": "someone else"}}


class SentenceDetector(NameDetector):
    """Finds a name only after the words that introduce it, as a model of language may."""

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the names that are introduced."""
        return [
            [Span(m.start(1), m.end(1), "PERSON", 1.0) for m in re.finditer(r"I am ([\w ]+)[,.]", text)]
            for text in texts
        ]


@pytest.fixture
def privacy() -> PresidioRunnable:
    """Hide the names that are introduced; its own vault for each test."""
    return PresidioRunnable(SentenceDetector())


def test_a_name_known_from_one_message_is_hidden_in_another(privacy: PresidioRunnable) -> None:
    """Within one input, every place counts, JSON and tool arguments included."""
    messages: list[Any] = [
        HumanMessage("I am Ada Byron, hello."),
        AIMessage(
            '{"customer": "Ada Byron"}', tool_calls=[{"name": "f", "args": {"who": "Ada Byron"}, "id": "1"}]
        ),
        HumanMessage("Ada Byron wants it back"),
    ]
    redacted = privacy.invoke(messages)
    assert "Ada" not in repr(redacted)
    assert redacted[1].tool_calls[0]["args"] == {"who": "<PERSON_1>"}


def test_a_name_known_from_an_earlier_turn_is_hidden_in_a_later_one(privacy: PresidioRunnable) -> None:
    """The vault remembers it for the thread, with the same placeholder."""
    privacy.invoke("I am Ada Byron, hello.", THREAD)
    assert privacy.invoke("Ada Byron again", THREAD) == "<PERSON_1> again"


def test_what_one_user_said_hides_nothing_of_another(privacy: PresidioRunnable) -> None:
    """Knowing a value is itself private: nobody can test what another user has said."""
    privacy.invoke("I am Ada Byron, hello.", THREAD)
    assert privacy.invoke("Ada Byron again", OTHER) == "Ada Byron again"


@pytest.mark.parametrize("text", ["Adams Family", "xAdam", "Adam2", "a Adamant"])
def test_a_known_name_inside_another_word_is_left(privacy: PresidioRunnable, text: str) -> None:
    """Words keep their letters."""
    privacy.invoke("I am Adam, hello.", THREAD)
    assert privacy.invoke(text, THREAD) == text


def test_a_korean_particle_does_not_hide_a_known_name(privacy: PresidioRunnable) -> None:
    """A particle follows its noun without a blank."""
    privacy.invoke("I am 김철수, hello.", THREAD)
    assert privacy.invoke("김철수는 왔다", THREAD) == "<PERSON_1>는 왔다"


def test_very_short_values_are_left_to_the_detector(privacy: PresidioRunnable) -> None:
    """Two letters stand in too many places to be taken for a person."""
    privacy.invoke("I am Al, hello.", THREAD)
    assert privacy.invoke("Al dente", THREAD) == "Al dente"


def test_a_placeholder_a_user_typed_is_no_known_value(privacy: PresidioRunnable) -> None:
    """Escaped input is not personal data to be looked for."""
    first = privacy.invoke("I am Ada Byron, say PERSON_1", THREAD)
    again = privacy.invoke("say PERSON_1", THREAD)
    assert "Ada" not in first
    assert privacy.restore().invoke(again, THREAD) == "say PERSON_1"


def test_irreversible_operators_apply_to_known_values_too() -> None:
    """A masked name is masked everywhere in the same input."""
    masked = PresidioRunnable(SentenceDetector(), operators="mask").invoke(
        ["I am Ada Byron, hello.", "Ada Byron"]
    )
    assert masked == ["I am *** *****, hello.", "*** *****"]


def test_what_a_run_left_is_erased_when_it_ends() -> None:
    """Without a thread nobody can come back for it; with one, the conversation goes on."""
    vault = MemoryVault()
    privacy = PresidioRunnable(NameDetector(), vault=vault)
    chain = privacy | privacy.restore()
    assert chain.invoke("I am Ada Byron") == "I am Ada Byron"
    assert len(vault) == 0
    assert list(chain.stream("I am Ada Byron")) != []
    assert len(vault) == 0
    chain.invoke("I am Ada Byron", THREAD)
    assert len(vault) == 1


async def test_a_run_that_fails_is_erased_too() -> None:
    """An error is an end."""
    vault = MemoryVault()
    privacy = PresidioRunnable(NameDetector(), vault=vault)
    chain = privacy | RunnableLambda(_fail)
    with pytest.raises(ZeroDivisionError):
        await chain.ainvoke("I am Ada Byron")
    assert len(vault) == 0


def _fail(_: Any) -> None:
    1 / 0  # noqa: B018 - an error of the chain's own

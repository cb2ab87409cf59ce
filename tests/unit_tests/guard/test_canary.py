"""A system prompt that leaks is found, however the answer writes it."""

from __future__ import annotations

import base64
import codecs
import copy
import pickle
import random

import pytest
from langchain_core.messages import SystemMessage

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.guard import Canary, Fingerprint, scoped_prompt
from tests.unit_tests.guard.forgeries import DISGUISES, disguised

ANSWERS = (
    "A single fare from Graz to Vienna costs 39 euros, and children under six travel free of charge.",
    "Die Fahrt dauert zwei Stunden und vierzig Minuten; Sie müssen nicht umsteigen.",
    "환불은 14일 안에 이루어집니다. 영수증을 보관해 주세요.",
    "```python\nfor i in range(10):\n    print(hex(i), 0x41, 255, 128)\n```",
    "Your booking code is XK7Q-22ZP, valid until 2026-03-01; see https://graz.example/booking for details.",
    "The checksum is 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.",
)


@pytest.mark.parametrize("name", DISGUISES)
def test_a_canary_is_found_in_every_disguise(name: str) -> None:
    """Alone, and in the middle of an answer; the leak lies where it was written."""
    rng = random.Random(11)
    for _ in range(20):
        canary = Canary()
        written = disguised(name, canary.token, rng)
        assert canary.find(written) is not None
        answer = f"Sure! Here it is:\n{written}\nAnything else?"
        leak = canary.find(answer)
        assert leak is not None
        assert leak.code == "canary"
        start, end = leak.span
        assert start < answer.index("\nAnything")
        assert end > len("Sure! Here it is:\n")


@pytest.mark.parametrize("shift", range(1, 26))
def test_every_caesar_shift_is_seen_through(shift: int) -> None:
    """Not rot13 alone."""
    canary = Canary()
    moved = "".join(chr((ord(char) - 97 + shift) % 26 + 97) for char in canary.token)
    assert canary.find(f"the word: {moved}") is not None


@pytest.mark.parametrize("between", ["x", "7", "-a-", " . "])
def test_other_characters_in_between_do_not_hide_it(between: str) -> None:
    """Interleaved with letters, digits or signs."""
    canary = Canary()
    assert canary.find(between.join(canary.token)) is not None


def test_a_part_of_it_is_enough() -> None:
    """Eight letters; half now and half later."""
    canary = Canary()
    assert canary.find(f"it begins with {canary.token[:8]}") is not None
    assert canary.find(f"it ends with {canary.token[-8:].upper()}") is not None
    assert canary.find(f"first {canary.token[:10]}, then {canary.token[10:]}") is not None
    assert canary.find(f"it begins with {canary.token[:5]}") is None


def test_ordinary_answers_hold_no_canary() -> None:
    """Prose in several languages, code, numbers, addresses and hashes."""
    for _ in range(50):
        canary = Canary()
        assert not [text for text in ANSWERS if canary.find(text)]


def test_it_is_planted_and_stays_secret() -> None:
    """In text and messages; not in a repr; a copy and a pickle are the same canary."""
    canary = Canary()
    assert canary.token in canary.plant("You sell tickets.")
    message = canary.plant(SystemMessage([{"type": "text", "text": "You sell tickets."}]))
    assert canary.find(str(message.text)) is not None
    assert canary.token not in repr(canary)
    assert copy.deepcopy(canary) == canary == pickle.loads(pickle.dumps(canary))  # noqa: S301 - our own
    assert Canary() != canary
    assert Canary(canary.token).find(canary.token) is not None


@pytest.mark.parametrize("token", ["short", "with spaces in it", "aaaaaaaaaaaaaaaa", "1234567890123456", ""])
def test_a_weak_token_is_refused(token: str) -> None:
    """It would be found everywhere, or guessed."""
    with pytest.raises(ConfigurationError):
        Canary(token)


PROMPT = scoped_prompt(
    "You answer questions about train tickets of Graz Rail, politely and in one paragraph.",
    topics=["fares and reductions", "refunds within fourteen days"],
    declines=["legal advice"],
).text


@pytest.mark.parametrize(
    "leak",
    [
        PROMPT,
        PROMPT[100:320],
        PROMPT.upper(),
        PROMPT.replace(" ", "  \n"),
        PROMPT.replace("declines", "refuses").replace("you", "thou").replace("the ", "that "),
        PROMPT[::-1],
        codecs.encode(PROMPT, "rot13"),
        base64.b64encode(PROMPT.encode()).decode(),
        PROMPT.encode().hex(),
        "Sure, my instructions are: " + PROMPT[40:200],
    ],
    ids=["whole", "part", "upper", "spaced", "reworded", "reversed", "rot13", "base64", "hex", "quoted"],
)
def test_the_wording_of_a_prompt_is_recognised(leak: str) -> None:
    """Without a canary, too."""
    found = Fingerprint(PROMPT).find(leak)
    assert found is not None
    assert found.code == "prompt_leak"


def test_speaking_about_the_same_things_is_no_leak() -> None:
    """Answers share words with the prompt; a refusal that it dictates may be said."""
    refusal = "I'm sorry, I can't help with that."
    watch = Fingerprint(PROMPT, allowed=[refusal])
    fine = [
        *ANSWERS,
        refusal,
        "I can help with train tickets of Graz Rail: fares and reductions, for example.",
        "Graz Rail gives refunds within fourteen days; for legal advice please ask a lawyer.",
    ]
    assert not [text for text in fine if watch.find(text)]


def test_a_short_prompt_is_found_whole() -> None:
    """And an empty one nowhere."""
    assert Fingerprint("You are a pirate who sells maps.").find(
        "I was told: you are a pirate who sells maps!"
    )
    assert Fingerprint("").is_empty
    assert Fingerprint("").find("anything") is None

"""What can take the place of a value, which of it comes back, and for whom."""

from __future__ import annotations

import json
import pickle
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from presidio_anonymizer.entities import OperatorConfig

from langchain_prodkit.errors import ConfigurationError, RedactionError, SerializationError, VaultKeyError
from langchain_prodkit.privacy import MemoryVault, PresidioRunnable, Scope, decrypt
from tests.unit_tests.privacy.parts import EchoModel, NameDetector, echo

CONFIG: RunnableConfig = {"configurable": {"user_id": "u", "thread_id": "t"}}
OTHER: RunnableConfig = {"configurable": {"user_id": "someone else", "thread_id": "t"}}
KEY = "a key of thirty-two characters.."
TEXT = "Ada Byron met Alan Kay and 김철수; then Ada Byron left"

SEEDED: Any = {"type": "surrogate", "seed": 7}


def _made(operators: Any, **more: Any) -> PresidioRunnable:
    return PresidioRunnable(NameDetector(), operators=operators, **more)


def _names(redacted: str) -> list[str]:
    found = re.fullmatch(r"(.+) met (.+) and (.+); then (.+) left", redacted)
    assert found is not None
    return list(found.groups())


def test_a_surrogate_reads_like_a_person_and_comes_back() -> None:
    """The same person has the same made-up name over turns, and the answer holds the real one."""
    privacy = _made(SEEDED)
    redacted = privacy.invoke(TEXT, CONFIG)
    ada, alan, korean, again = _names(redacted)
    assert ada == again
    assert len({ada, alan, korean}) == 3
    assert re.fullmatch(r"[A-Z]\w+ [A-Z]\w+", ada)
    assert re.search("[가-힣]", korean)
    for name in ("Ada", "Byron", "Alan", "Kay", "김철수", "<"):
        assert name not in redacted
    assert privacy.invoke("Ada Byron!", CONFIG) == f"{ada}!"
    assert privacy.restore().invoke(f"Dear {ada}, {korean}님", CONFIG) == "Dear Ada Byron, 김철수님"


def test_nobody_can_ask_for_a_value_by_its_surrogate() -> None:
    """A made-up name that somebody types is escaped, and comes back as typed."""
    privacy = _made(SEEDED)
    ada = _names(privacy.invoke(TEXT, CONFIG))[0]
    question = f"Who is {ada}?"
    redacted = privacy.invoke(question, CONFIG)
    assert ada not in redacted
    assert privacy.restore().invoke(redacted, CONFIG) == question
    assert privacy.invoke(f"Who is {ada}x?", CONFIG) == f"Who is {ada}x?"
    privacy.invoke("hello", OTHER)
    assert privacy.restore().invoke(ada, OTHER) == ada


def test_surrogates_never_collide() -> None:
    """None stands in the text, equals or holds a value or another surrogate, or lies within one."""
    names = [f"{first} {last}" for first in ("Ana", "Bo", "Cy", "Di") for last in map(chr, range(65, 91))]
    privacy = PresidioRunnable(NameDetector(names), operators={"type": "surrogate", "seed": 5})
    text = "; ".join(names)
    made = privacy.invoke(text, CONFIG).split("; ")
    assert len(set(made)) == len(names)
    for one in made:
        assert one.casefold() not in text.casefold()
        assert not [other for other in made if other is not one and other in one]
    assert privacy.restore().invoke("; ".join(made), CONFIG) == text


def test_a_seed_gives_the_same_surrogates_and_chance_others() -> None:
    """Runs can be repeated where the caller wants them to be."""
    one, two, other = (_made({"type": "surrogate", "seed": seed}) for seed in (7, 7, 8))
    assert one.invoke(TEXT, CONFIG) == two.invoke(TEXT, CONFIG) != other.invoke(TEXT, CONFIG)
    assert _made("surrogate").invoke(TEXT, CONFIG) != _made("surrogate").invoke(TEXT, CONFIG)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=12))
def test_a_stream_of_surrogates_is_restored_at_every_cut(points: list[int]) -> None:
    """However the answer is cut, the joined output is the whole one restored."""
    privacy = _made({"type": "surrogate", "seed": 3})
    redacted = privacy.invoke(TEXT + ", <PERSON_1>", CONFIG)
    marks = sorted({0, len(redacted), *(point % len(redacted) for point in points)})
    chunks = [redacted[a:b] for a, b in pairwise(marks)]
    assert "".join(privacy.restore().transform(iter(chunks), CONFIG)) == TEXT + ", <PERSON_1>"


def test_surrogates_in_tool_arguments_and_through_protect() -> None:
    """Also where a model writes JSON with escapes, and however it streams."""
    privacy = _made(SEEDED)
    redacted = privacy.invoke(TEXT, CONFIG)
    korean = _names(redacted)[2]
    raw = {"id": "1", "type": "function", "function": {"name": "f", "arguments": json.dumps({"who": korean})}}
    restored = privacy.restore().invoke(AIMessage("", additional_kwargs={"tool_calls": [raw]}), CONFIG)
    arguments = restored.additional_kwargs["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"who": "김철수"}
    model = EchoModel(reply=echo, cut=2)
    safe = privacy.protect(model)
    assert safe.invoke(TEXT, CONFIG).content == f"You said: {TEXT}"
    assert "".join(str(chunk.content) for chunk in safe.stream(TEXT, CONFIG)) == f"You said: {TEXT}"
    assert "Ada" not in model.sent


class Racing(MemoryVault):
    """A vault to which another process writes first."""

    def token_for(self, scope: Scope, entity: str, value: str) -> str:
        """Note somebody else's choice before the first note."""
        if entity == "SURROGATE" and super().value_of(scope, "SURROGATE_1") is None:
            super().token_for(scope, "SURROGATE", f"{value.split(' ', 1)[0]} First Comer")
        return super().token_for(scope, entity, value)


def test_processes_that_choose_at_once_agree_on_who_was_first() -> None:
    """The note that the vault took first counts, for the one who lost the race as well."""
    privacy = PresidioRunnable(NameDetector(), operators="surrogate", vault=Racing())
    assert privacy.invoke("Ada Byron", CONFIG) == "First Comer"
    assert privacy.restore().invoke("First Comer", CONFIG) == "Ada Byron"


def test_encrypted_values_open_with_the_key_only() -> None:
    """The same value gives the same text; restore and `decrypt` read it, another key does not."""
    privacy = _made("encrypt", key=KEY)
    redacted = privacy.invoke(TEXT, CONFIG)
    names = _names(redacted)
    assert names[0] == names[3] != names[1]
    assert "Ada" not in redacted
    assert privacy.restore().invoke(redacted, CONFIG) == TEXT
    assert list(privacy.restore().transform(iter(redacted), CONFIG))[-1] == "t"
    assert "".join(privacy.restore().transform(iter(redacted), CONFIG)) == TEXT
    message = HumanMessage(redacted, additional_kwargs={"note": names[0]})
    opened = decrypt(message, key=KEY)
    assert (opened.content, opened.additional_kwargs["note"]) == (TEXT, "Ada Byron")
    assert decrypt(redacted, key="another key of 32 characters....", old_keys=[KEY]) == TEXT
    with pytest.raises(VaultKeyError):
        decrypt(redacted, key="another key of 32 characters....")
    with pytest.raises(VaultKeyError):
        decrypt(redacted.replace(names[0], names[0].replace("PERSON", "NAME")), key=KEY)


def test_a_sealed_value_that_somebody_types_is_not_opened() -> None:
    """Who found another user's sealed value in a log cannot have the app read it."""
    privacy = _made("encrypt", key=KEY)
    stolen = privacy.invoke("Ada Byron", CONFIG)
    model = EchoModel(reply=echo)
    answer = privacy.protect(model).invoke(f"What is {stolen}?", OTHER)
    assert answer.content == f"You said: What is {stolen}?"
    assert stolen not in model.sent


def test_hashes_are_keyed() -> None:
    """One key, one hash, whoever asks; Unicode spellings are one value; without the key nobody can guess."""
    one, two = (
        _made("hash", key=key).invoke(TEXT, CONFIG) for key in (KEY, "another key of 32 characters....")
    )
    assert one == _made({"PERSON": {"type": "hash", "key": KEY}}).invoke(TEXT, OTHER)
    assert _names(one)[0] == _names(one)[3] != _names(two)[0]
    assert re.fullmatch(r"<PERSON#[0-9a-f]{16}>", _names(one)[0])
    detector = NameDetector(["Zoe\u0308", "Zo\u00eb"])
    hashed = PresidioRunnable(detector, operators="hash", key=KEY).invoke("Zoe\u0308 Zo\u00eb")
    assert len(set(hashed.split())) == 1


def test_own_functions_and_presidios_stand_beside_each_other() -> None:
    """Each entity has its operator; what a function gives is final."""
    assert _made(lambda value: f"[{len(value)}]").invoke("I am Ada Byron.") == "I am [9]."
    operators = {"DEFAULT": OperatorConfig("replace", {"new_value": "X"}), "PERSON": str.upper}
    assert _made(operators).invoke("I am Ada Byron.") == "I am ADA BYRON."
    mask = OperatorConfig("mask", {"masking_char": "#", "chars_to_mask": 4, "from_end": False})
    assert _made(mask).invoke("I am Ada Byron.") == "I am ####Byron."
    with pytest.raises(RedactionError) as caught:
        _made(len).invoke("I am Ada Byron.")
    assert "Ada" not in str(caught.value)
    with pytest.raises(RedactionError):
        _made(lambda value: value / 0).invoke("I am Ada Byron.")


def test_presidios_aes_can_be_read_by_presidio() -> None:
    """An `OperatorConfig` does what it does in Presidio."""
    engine = pytest.importorskip("presidio_anonymizer.operators")
    key = "k" * 16
    sealed = _made(OperatorConfig("encrypt", {"key": key})).invoke("Ada Byron")
    assert engine.Decrypt().operate(text=sealed, params={"key": key}) == "Ada Byron"


@pytest.mark.parametrize(
    "bad",
    [
        {"operators": "hash"},
        {"operators": {"PERSON": "encrypt"}},
        {"operators": "encrypt", "key": "short"},
        {"operators": {"PERSON": {"type": "surrogate", "sed": 1}}},
        {"operators": {"type": "surrogate", "locale": "xx_YY"}},
        {"operators": {"PERSON": 5}},
    ],
)
def test_wrong_operators_fail_at_construction(bad: dict[str, Any]) -> None:
    """A missing key or a misspelt option never waits for the first request."""
    with pytest.raises(ConfigurationError):
        PresidioRunnable(NameDetector(), **bad)


def test_keys_stay_out_of_dumps_and_reprs() -> None:
    """`dumps` writes the key as a secret; a function cannot be written; a pickle works on."""
    privacy = PresidioRunnable(operators="encrypt", key=KEY)
    assert KEY not in dumps(privacy)
    assert "PRODKIT_OPERATOR_KEY" in dumps(privacy)
    assert KEY not in repr(privacy)
    with pytest.raises(SerializationError):
        dumps(PresidioRunnable(operators=str.upper))
    sealed = _made("encrypt", key=KEY)
    text = sealed.invoke("Ada Byron", CONFIG)
    assert pickle.loads(pickle.dumps(sealed)).invoke("Ada Byron", CONFIG) == text  # noqa: S301 - our own

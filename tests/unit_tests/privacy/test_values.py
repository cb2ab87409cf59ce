"""What is redacted, in which values, and what takes its place."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage
from langchain_core.prompt_values import StringPromptValue
from langchain_core.runnables import RunnableConfig
from presidio_anonymizer.entities import OperatorConfig
from pydantic import BaseModel

from langchain_prodkit.errors import SerializationError
from langchain_prodkit.privacy import MemoryVault, PresidioDetector, PresidioRunnable
from tests.unit_tests.privacy.parts import EchoModel, NameDetector, echo

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
ARTICLE = (
    "My name is Marie Stephen Leo,\ncall me at (123) 456-7890 or email me at some_fake.address23@gmail.com"
)


class Ticket(BaseModel):
    """Something an app passes around."""

    who: str
    tags: list[str]
    count: int


def test_the_articles_example(presidio: PresidioDetector) -> None:
    """The article's text gives the article's placeholders with the article's operators."""
    words = {
        "PERSON": "NAME", "PHONE_NUMBER": "PHONE NUMBER", "EMAIL_ADDRESS": "EMAIL", "LOCATION": "PLACE",
    }  # fmt: skip
    operators = {
        entity: OperatorConfig("replace", {"new_value": f"[REDACTED {word}]"})
        for entity, word in words.items()
    }
    privacy = PresidioRunnable(presidio, operators=operators)
    assert privacy.invoke(f"{ARTICLE} in Paris") == (
        "My name is [REDACTED NAME],\ncall me at [REDACTED PHONE NUMBER] or email me at [REDACTED EMAIL]"
        " in [REDACTED PLACE]"
    )
    assert PresidioRunnable(presidio).invoke(ARTICLE) == (
        "My name is <PERSON_1>,\ncall me at <PHONE_NUMBER_1> or email me at <EMAIL_ADDRESS_1>"
    )


@pytest.mark.parametrize(
    "value",
    [
        StringPromptValue(text="Ada Byron"),
        Document("Ada Byron", metadata={"source": "Art"}),
        {"a": ["Ada Byron", 1], "b": ("Art",)},
        Ticket(who="Ada Byron", tags=["Art"], count=3),
    ],
)
def test_every_value_keeps_its_type_and_comes_back(privacy: PresidioRunnable, value: object) -> None:
    """Whatever LangChain passes around is redacted in place and restored."""
    redacted = privacy.invoke(value, CONFIG)
    assert type(redacted) is type(value)
    assert "Ada" not in repr(redacted)
    assert "Art" not in repr(redacted)
    assert privacy.restore().invoke(redacted, CONFIG) == value


def test_json_arguments_stay_json(privacy: PresidioRunnable) -> None:
    """Raw tool arguments are read as JSON: escapes are seen through, the result parses."""
    arguments = json.dumps({"who": 'O\'Neil "Q" Zed', "and": ["Zo\u00eb\\Ray", 1.50], "key Art": None})
    raw = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    message = AIMessage("", additional_kwargs={"tool_calls": [raw]})
    redacted = privacy.invoke(message, CONFIG)
    text = redacted.additional_kwargs["tool_calls"][0]["function"]["arguments"]
    assert json.loads(text) == {"who": "<PERSON_1>", "and": ["<PERSON_2>", 1.5], "key <PERSON_3>": None}
    restored = privacy.restore().invoke(redacted, CONFIG)
    text = restored.additional_kwargs["tool_calls"][0]["function"]["arguments"]
    assert json.loads(text) == json.loads(arguments)


def test_a_number_in_json_arguments_is_seen(presidio: PresidioDetector) -> None:
    """A card number written as a JSON number is hidden too."""
    arguments = '{"card": 4111111111111111, "n": 2}'
    raw = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    redacted = PresidioRunnable(presidio).invoke(AIMessage("", additional_kwargs={"tool_calls": [raw]}))
    text = redacted.additional_kwargs["tool_calls"][0]["function"]["arguments"]
    assert json.loads(text) == {"card": "<CREDIT_CARD_1>", "n": 2}


def test_broken_json_arguments_are_read_as_text(privacy: PresidioRunnable) -> None:
    """Arguments that a model left unfinished are redacted as well."""
    call = {"type": "invalid_tool_call", "name": "f", "args": '{"who": "Ada Byron', "id": "1", "error": None}
    message = AIMessage("", invalid_tool_calls=[call])
    redacted = privacy.invoke(message, CONFIG)
    assert redacted.invalid_tool_calls[0]["args"] == '{"who": "<PERSON_1>'
    assert privacy.restore().invoke(redacted, CONFIG) == message


def test_operators_for_good() -> None:
    """Masks, removals and Presidio's operators replace for good; placeholders remain beside them."""
    detector = NameDetector(["Ada Byron"])
    cases = {
        "mask": "I am *** *****.",
        "redact": "I am .",
        "placeholder": "I am <PERSON_1>.",
    }
    for word, expected in cases.items():
        assert PresidioRunnable(detector, operators=word).invoke("I am Ada Byron.") == expected
    masked = {"PERSON": {"type": "mask", "masking_char": "#", "chars_to_mask": 3, "from_end": False}}
    assert PresidioRunnable(detector, operators=masked).invoke("Ada Byron") == "### Byron"


def test_pieces_survive_dumps_pickle_and_loads() -> None:
    """Plain settings are written and read; the default detector and vault need no mention."""
    privacy = PresidioRunnable(
        PresidioDetector(profile="patterns"),
        vault=MemoryVault(ttl_s=9),
        operators={"EMAIL_ADDRESS": OperatorConfig("replace", {"new_value": "[MAIL]"})},
    )
    kinds: Any = [PresidioRunnable, PresidioDetector, MemoryVault]
    for piece in (privacy, PresidioRunnable()):
        text = dumps(piece)
        loaded = loads(text, allowed_objects=kinds, valid_namespaces=["langchain_prodkit"])
        assert dumps(loaded) == text
        assert type(pickle.loads(pickle.dumps(piece))) is type(piece)  # noqa: S301 - our own
    loaded = loads(dumps(privacy), allowed_objects=kinds, valid_namespaces=["langchain_prodkit"])
    assert loaded.invoke("mail a@example.com from 192.168.1.7") == "mail [MAIL] from <IP_ADDRESS_1>"
    assert loaded.vault.ttl_s == 9


def test_a_redactor_and_its_restorer_stay_a_pair_through_pickle() -> None:
    """One pickle holds one vault: the chain works where it is unpacked."""
    privacy = PresidioRunnable(NameDetector())
    chain = pickle.loads(pickle.dumps(privacy | privacy.restore()))  # noqa: S301 - our own
    assert chain.invoke("I am Ada Byron") == "I am Ada Byron"


def test_what_json_cannot_describe_is_refused() -> None:
    """Custom detectors, functions, keys and a restorer apart from its vault do not end up in a file."""
    functions = {"PERSON": {"type": "custom", "lambda": lambda text: text}}
    keys = {"PERSON": OperatorConfig("encrypt", {"key": "0123456789abcdef"})}
    for privacy in (
        PresidioRunnable(NameDetector()),
        PresidioRunnable(PresidioDetector(), operators=functions),
        PresidioRunnable(PresidioDetector(), operators=keys),
        PresidioRunnable(PresidioDetector()).restore(),
    ):
        with pytest.raises(SerializationError):
            dumps(privacy)
    assert "0123456789abcdef" not in repr(PresidioRunnable(PresidioDetector(), operators=keys))


def test_the_protected_model_can_be_described_for_traces(privacy: PresidioRunnable) -> None:
    """A detector that cannot be written does not keep the model from being called."""
    assert privacy.protect(EchoModel(reply=echo)).invoke("Art").content == "You said: Art"

"""Which outputs of a classifier mean an attack; needs neither torch nor transformers."""

from __future__ import annotations

import pytest

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.guard.transformer import attack_columns

CLEAR = {
    ("SAFE", "INJECTION"): [1],
    ("INJECTION", "SAFE"): [0],
    ("BENIGN", "MALICIOUS"): [1],
    ("LABEL_0", "LABEL_1"): [1],
    ("benign", "injection", "jailbreak"): [1, 2],
    ("BENIGN", "INJECTION", "JAILBREAK"): [1, 2],
    ("legit", "attack"): [1],
    ("no_injection", "injection"): [1],
    ("NOT INJECTION", "INJECTION"): [1],
    ("non-malicious", "malicious"): [1],
    ("safe", "1"): [1],
    ("jailbreak", "ok"): [0],
    ("score",): [0],
    ("benign", "prompt injection", "system_prompt_leak"): [1, 2],
}
UNCLEAR = [
    ("A", "B"),
    ("positive", "neutral", "negative"),
    ("LABEL_0", "LABEL_1", "LABEL_2"),
    ("injection", "jailbreak"),
    ("safe", "benign"),
    ("benign", "injection", "other"),
]


@pytest.mark.parametrize("labels", list(CLEAR))
def test_labels_that_speak_for_themselves_are_understood(labels: tuple[str, ...]) -> None:
    """As the common models name them, in any case and order."""
    assert attack_columns(dict(enumerate(labels)), None) == CLEAR[labels]


@pytest.mark.parametrize("labels", UNCLEAR)
def test_other_labels_must_be_named(labels: tuple[str, ...]) -> None:
    """A wrong guess would let every attack pass."""
    with pytest.raises(ConfigurationError, match="labels="):
        attack_columns(dict(enumerate(labels)), None)


def test_named_labels_win() -> None:
    """By name in any case, or by number; several are joined."""
    names = {0: "A", 1: "B", 2: "C"}
    assert attack_columns(names, ["b"]) == [1]
    assert attack_columns(names, ["C", "0"]) == [0, 2]
    for wrong in (["D"], [], ["A", "B", "C"]):
        with pytest.raises(ConfigurationError, match="labels="):
            attack_columns(names, wrong)

"""Values that the caller knows: always personal, or never."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from langchain_core.load import dumps, loads

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy import PresidioDetector


def _found(detector: PresidioDetector, text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.entity) for span in detector.detect([text])[0]]


def _listed(*words: str) -> PresidioDetector:
    return PresidioDetector(
        profile="patterns", entities=["EMAIL_ADDRESS"], deny_list={"PROJECT": list(words)}
    )


@pytest.mark.parametrize(
    ("word", "text", "found"),
    [
        ("Falcon", "about FALCON, falcon and Falcons", ["FALCON", "falcon"]),
        ("Project Falcon", "the project\n  falcon team", ["project\n  falcon"]),
        ("김철수", "김철수는 김철수씨와 갔다", ["김철수", "김철수"]),
        ("山田", "昨日山田さんと", ["山田"]),
        ("Zoë", "Zoe\u0308 came", ["Zoe\u0308"]),
        ("C++", "C++ and C", ["C++"]),
        ("a.b", "a.b axb", ["a.b"]),
        ("Straße 5", "STRASSE 5", ["STRASSE 5"]),
        ("Ann", "Anna, Joann, Ann_1 (Ann)", ["Ann", "Ann"]),
        ("Al", "éAl al\u0301", []),
    ],
)
def test_denied_values_are_found_as_words_of_their_own(word: str, text: str, found: list[str]) -> None:
    """Whatever the case, the line breaks and the way an accent is written; never inside another word."""
    assert _found(_listed(word), text) == [(one, "PROJECT") for one in found]


def test_a_list_without_an_entity_hides_custom_values() -> None:
    """Words alone are enough."""
    detector = PresidioDetector(profile="patterns", deny_list=["Falcon"])
    assert _found(detector, "Falcon, a@example.com") == [
        ("Falcon", "CUSTOM"),
        ("a@example.com", "EMAIL_ADDRESS"),
    ]
    assert "CUSTOM" in detector.entities


def test_denying_wins_over_allowing_and_over_thresholds() -> None:
    """What must be hidden is hidden, whatever else is set."""
    detector = PresidioDetector(
        profile="patterns", deny_list={"PERSON": ["Ada"]}, allow_list=["Ada"], thresholds={"PERSON": 1.0}
    )
    assert _found(detector, "Ada") == [("Ada", "PERSON")]


def test_a_denied_entity_brings_no_model() -> None:
    """A listed person is found by the list; other names are not looked for."""
    detector = PresidioDetector(
        entities=["EMAIL_ADDRESS"], deny_list={"PERSON": ["Ada"]}, model="no_such_model"
    )
    assert _found(detector, "Ada met Barack Obama") == [("Ada", "PERSON")]


def test_two_thousand_values_are_no_problem() -> None:
    """A staff directory is an ordinary list."""
    detector = _listed(*(f"Employee{n} Name{n}" for n in range(2_000)))
    text = "Employee77 Name77 wrote to employee1999 name1999. " + "word " * 2_000
    assert [one for one, _ in _found(detector, text)] == ["Employee77 Name77", "employee1999 name1999"]


@pytest.mark.parametrize("bad", ["Ada", {"PERSON": "Ada"}, [""], {"": ["Ada"]}, [None], {"PERSON": ["  "]}])
def test_lists_that_make_no_sense_are_refused(bad: Any) -> None:
    """One string is not a list, and an empty value would be everywhere."""
    with pytest.raises(ConfigurationError, match="deny_list"):
        PresidioDetector(deny_list=bad)


def test_settings_survive_dumps_and_pickle() -> None:
    """Lists, models, profiles and time limits come back, and nothing that was not asked for is added."""
    detector = PresidioDetector(
        profile="patterns",
        model=["en_core_web_sm", "en_core_web_md"],
        deny_list={"PROJECT": ["Falcon"]},
        recognizers=["NhsRecognizer"],
        timeout_s=5,
    )
    written = dumps(detector)
    for again in (
        loads(written, allowed_objects=[PresidioDetector], valid_namespaces=["langchain_prodkit"]),
        pickle.loads(pickle.dumps(detector)),  # noqa: S301 - our own bytes
    ):
        assert again.deny_list == {"PROJECT": ["Falcon"]}
        assert dumps(again) == written
        assert again.entities == detector.entities


def test_the_lists_are_in_no_repr() -> None:
    """A detector can be printed."""
    assert "Falcon" not in repr(PresidioDetector(deny_list=["Falcon"], allow_list=["Falcon"]))

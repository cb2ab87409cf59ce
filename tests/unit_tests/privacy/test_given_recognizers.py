"""Presidio recognizers of others: objects, classes, names, any country's, and models behind one."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest
from presidio_analyzer import EntityRecognizer, LocalRecognizer, Pattern, PatternRecognizer, RecognizerResult
from presidio_analyzer.predefined_recognizers import EmailRecognizer, NhsRecognizer

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy import PresidioDetector


def _found(detector: PresidioDetector, text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.entity) for span in detector.detect([text])[0]]


class ModelRecognizer(LocalRecognizer):
    """Stands in for Presidio's GLiNER and Hugging Face recognizers: it is loaded once and reads texts."""

    loads = 0

    def __init__(self) -> None:
        """Find people and products."""
        super().__init__(supported_entities=["PERSON", "PRODUCT"], name="Model")

    def load(self) -> None:
        """Count how often the weights would be read."""
        self.loads += 1

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any = None) -> list[RecognizerResult]:
        """Find what the weights know; a result of Presidio's needs no metadata."""
        known = {"ada byron": "PERSON", "widget": "PRODUCT", "gadget": "UNDECLARED"}
        return [
            RecognizerResult(entity, match.start(), match.end(), 0.9)
            for word, entity in known.items()
            for match in re.finditer(word, text)
        ]


class TokenRecognizer(EntityRecognizer):
    """Reads Presidio's artifacts, as recognizers written for spaCy do, and has a context rule of its own."""

    def __init__(self) -> None:
        """Find tokens that look like a badge number."""
        super().__init__(supported_entities=["BADGE"], name="Token")

    def load(self) -> None:
        """Load nothing."""

    def analyze(self, text: str, entities: list[str], nlp_artifacts: Any) -> list[RecognizerResult]:
        """Find tokens of five digits."""
        return [
            RecognizerResult("BADGE", token.idx, token.idx + len(token.text), 0.3)
            for token in nlp_artifacts.tokens
            if re.fullmatch(r"\d{5}", token.text)
        ]

    def enhance_using_context(
        self,
        text: str,
        raw_recognizer_results: list[RecognizerResult],
        other_raw_recognizer_results: list[RecognizerResult],
        nlp_artifacts: Any,
        context: Any = None,
    ) -> list[RecognizerResult]:
        """Believe those after the word badge."""
        for result in raw_recognizer_results:
            if "badge" in nlp_artifacts.lemmas:
                result.score = 0.95
        return raw_recognizer_results


@pytest.mark.parametrize("profile", ["balanced", "patterns"])
def test_a_model_behind_a_recognizer_looks_too(profile: Any) -> None:
    """GLiNER's way in: with `patterns` instead of spaCy, else beside it; only what it declares counts."""
    model = ModelRecognizer()
    detector = PresidioDetector(profile=profile, recognizers=[model])
    assert _found(detector, "ada byron sold a widget, a gadget") == [
        ("ada byron", "PERSON"),
        ("widget", "PRODUCT"),
    ]
    assert {"PERSON", "PRODUCT"} <= set(detector.entities)
    assert model.loads == 1


def test_names_without_spacy_may_be_asked_for_by_name() -> None:
    """What a recognizer finds may stand in `entities` although the profile has no model."""
    detector = PresidioDetector(profile="patterns", entities=["PERSON"], recognizers=[ModelRecognizer()])
    assert _found(detector, "ada byron, Barack Obama") == [("ada byron", "PERSON")]


@pytest.mark.parametrize("profile", ["balanced", "patterns"])
def test_recognizers_get_tokens_and_may_weigh_context_themselves(profile: Any) -> None:
    """What Presidio hands a recognizer, we hand it."""
    detector = PresidioDetector(
        profile=profile,
        entities=["EMAIL_ADDRESS"],
        recognizers=[TokenRecognizer()],
        thresholds={"BADGE": 0.9},
    )
    assert _found(detector, "badge 12345") == [("12345", "BADGE")]
    assert _found(detector, "room 12345") == []


def test_context_words_raise_a_score() -> None:
    """A weak pattern counts behind its word, also where Presidio would drop the word as a common one."""
    weak = PatternRecognizer("CODE", patterns=[Pattern("code", r"\b\d{5}\b", 0.1)], context=["call"])
    detector = PresidioDetector(
        profile="patterns", entities=["EMAIL_ADDRESS"], recognizers=[weak], thresholds={"CODE": 0.4}
    )
    assert _found(detector, "please call the number 12345") == [("12345", "CODE")]
    assert _found(detector, "Anruf, called: 12345") == [("12345", "CODE")]
    assert _found(detector, "12345 call") == []
    assert _found(detector, "call: seven green bottles hang near walls 12345") == []


@pytest.mark.parametrize("given", ["NhsRecognizer", NhsRecognizer, NhsRecognizer()])
def test_objects_classes_and_names_are_one(given: Any) -> None:
    """The same recognizer, however it is given."""
    detector = PresidioDetector(profile="patterns", recognizers=[given])
    assert _found(detector, "NHS 401-023-2137") == [("401-023-2137", "UK_NHS")]


@pytest.mark.parametrize(
    ("entity", "text"),
    [("ES_NIF", "NIF 55555555K"), ("IN_PAN", "PAN AAASA1111R"), ("AU_TFN", "tax file number 876543210")],
)
def test_any_entity_of_presidio_can_be_asked_for(entity: str, text: str) -> None:
    """Recognizers that Presidio leaves out by default are found by what they find."""
    assert [kind for _, kind in _found(PresidioDetector(entities=[entity]), text)] == [entity]


@pytest.mark.parametrize("bad", ["NoSuchRecognizer", "Pattern", 3, str, PatternRecognizer])
def test_what_is_no_recognizer_is_refused_at_once(bad: Any) -> None:
    """A wrong name is an error at construction, or at the latest on the first text."""
    with pytest.raises(ConfigurationError):
        PresidioDetector(recognizers=[bad]).detect(["x y"])


def test_scores_a_recognizer_itself_refuses_do_not_count() -> None:
    """Presidio's thresholds per recognizer hold here as well."""
    one = PatternRecognizer("CODE", patterns=[Pattern("code", r"\d{5}", 0.3)])
    one.score_thresholds = {"CODE": 0.5}
    assert _found(PresidioDetector(profile="patterns", recognizers=[one]), "12345") == []


@pytest.mark.parametrize(
    "made",
    [
        lambda: PresidioDetector(profile="parity"),
        lambda: PresidioDetector(profile="patterns", recognizers=[EmailRecognizer()]),
        lambda: PresidioDetector(profile="strict"),
    ],
)
def test_no_recognizer_asks_the_network(
    made: Callable[[], PresidioDetector], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even Presidio's e-mail recognizer, which would download a list of suffixes; not even a look-up."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket.socket, "sendto", refuse)
    found = made().detect(["mail a@example.co.uk or http://example.com"])[0]
    assert "EMAIL_ADDRESS" in [one.entity for one in found]

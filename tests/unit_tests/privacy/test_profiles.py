"""What each profile of `PresidioDetector` promises, beside plain Presidio on the same model."""

from __future__ import annotations

from typing import Any

import pytest
from presidio_analyzer import AnalyzerEngine, Pattern, PatternRecognizer
from presidio_analyzer.nlp_engine import NlpEngineProvider

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy import PresidioDetector
from langchain_prodkit.privacy.detector import PARITY_ENTITIES
from langchain_prodkit.privacy.ner import installed_model

ARTICLE = (
    "My name is Marie Stephen Leo,\ncall me at (123) 456-7890 or email me at some_fake.address23@gmail.com"
)
ARTICLE_ENTITIES = ["PERSON", "PHONE_NUMBER", "EMAIL_ADDRESS", "LOCATION"]
TEXTS = [
    ARTICLE,
    "Barack Obama flew to Paris on 3 May 2019. His card was 4111-1111-1111-1111, his SSN 460-89-9847.",
    "Visit https://example.com/a?b=c or write to jane.doe@example.co.uk; the server is 192.168.1.77.",
    "The passport 123456789 of Mrs. Kowalska expires in June. Her driver's license is H12234567.",
    "IBAN DE89370400440532013000, routing number 021000021, bank account 945456787654.",
    "김철수 씨의 전화번호는 010-9990-9334이고 메일은 kim@example.co.kr입니다",
    "RT @someone: watching the game in Chicago with Mike and Ana!!! #fun",
    "שלום, my name is Noa Levi and I live in Tel Aviv. Cafe\u0301 Zoe\u0308 is near.",
    "Nothing to see here.",
    "call 212-555-0187 or 2125550187; fax: +44 20 7946 0958",
]


@pytest.fixture(scope="module")
def plain() -> AnalyzerEngine:
    """Presidio as its documentation builds it, on the model that is installed."""
    models = [{"lang_code": "en", "model_name": installed_model("auto", "en")}]
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
    return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])


def _presidio(plain: AnalyzerEngine, text: str, entities: list[str] | None = None) -> list[Any]:
    found: Any = plain.analyze(text, "en", entities=entities)
    return sorted((one.start, one.end, one.entity_type, round(one.score, 4)) for one in found)


def _ours(detector: PresidioDetector, text: str) -> list[Any]:
    return sorted((one.start, one.end, one.entity, round(one.score, 4)) for one in detector.detect([text])[0])


@pytest.mark.parametrize("entities", [None, ARTICLE_ENTITIES, ["URL", "PERSON"], ["PHONE_NUMBER"]])
def test_parity_gives_presidios_own_spans(plain: AnalyzerEngine, entities: list[str] | None) -> None:
    """Spans, scores and what is left of conflicts are Presidio's, for all entities or for a few."""
    detector = PresidioDetector(profile="parity", entities=entities)
    asked = list(detector.entities)
    for text in TEXTS:
        assert _ours(detector, text) == _presidio(plain, text, asked)
    together = PresidioDetector(profile="parity", entities=entities)
    assert [sorted(spans) for spans in together.detect(TEXTS)] == [
        sorted(detector.detect([text])[0]) for text in TEXTS
    ]


def test_parity_looks_for_all_that_presidio_looks_for(plain: AnalyzerEngine) -> None:
    """The default entities are those of Presidio's own default registry."""
    assert set(PARITY_ENTITIES) == set(plain.get_supported_entities("en"))


def test_parity_takes_recognizers_and_lists(plain: AnalyzerEngine) -> None:
    """What the caller adds comes on top; a list that lets values through does so."""
    ticket = PatternRecognizer("TICKET", patterns=[Pattern("ticket", r"T-\d{4}", 0.6)])
    detector = PresidioDetector(
        profile="parity", entities=["EMAIL_ADDRESS"], recognizers=[ticket], allow_list=["a@example.com"]
    )
    found = detector.detect(["T-1234 a@example.com b@example.com"])[0]
    assert [(one.start, one.entity) for one in found] == [(0, "TICKET"), (21, "EMAIL_ADDRESS")]


def test_parity_refuses_what_presidio_does_not_have() -> None:
    """Our own kinds, and several models, are no parity."""
    with pytest.raises(ConfigurationError, match="STREET_ADDRESS"):
        PresidioDetector(profile="parity", entities=["STREET_ADDRESS"]).detect(["12 Main Street"])
    with pytest.raises(ConfigurationError, match="one model"):
        PresidioDetector(profile="parity", model=["auto", "en_core_web_md"])


@pytest.mark.parametrize("profile", ["balanced", "parity"])
def test_the_articles_text_gives_presidios_spans(plain: AnalyzerEngine, profile: Any) -> None:
    """The article's four entities: the same places, the same kinds."""
    detector = PresidioDetector(profile=profile, entities=ARTICLE_ENTITIES)
    ours = {one[:3] for one in _ours(detector, ARTICLE)}
    assert ours == {one[:3] for one in _presidio(plain, ARTICLE, ARTICLE_ENTITIES)}


def test_strict_hides_at_least_what_balanced_hides() -> None:
    """A stricter profile never lets more through."""
    balanced, strict = PresidioDetector().detect(TEXTS), PresidioDetector(profile="strict").detect(TEXTS)
    for text, fewer, more in zip(TEXTS, balanced, strict, strict=True):
        hidden = {at for one in more for at in range(one.start, one.end)}
        assert all(
            at in hidden or not text[at].isalnum() for one in fewer for at in range(one.start, one.end)
        )


def test_one_model_named_twice_is_one_model() -> None:
    """A union of a model with itself finds what the model finds."""
    name = installed_model("auto", "en")
    assert PresidioDetector(model=["auto", name]).detect(TEXTS) == PresidioDetector().detect(TEXTS)


def test_text_of_every_script_keeps_its_offsets() -> None:
    """Right-to-left letters, combining marks, emoji and lone surrogates: spans stay inside, and true."""
    mail = "a@example.com"
    noises = ("שלום ", "e\u0301\u0308 ", "👩\u200d👩\u200d👧 ", "\ud800\udfff ", "\u202eabc\u202c ", "नमस्ते ")
    texts = [f"{noise}{mail} {noise}" for noise in noises]
    for profile in ("balanced", "strict", "patterns", "parity"):
        found = PresidioDetector(profile=profile, entities=["EMAIL_ADDRESS"]).detect(texts)
        for text, spans in zip(texts, found, strict=True):
            assert [text[one.start : one.end] for one in spans] == [mail]

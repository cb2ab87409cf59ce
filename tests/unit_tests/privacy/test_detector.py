"""`PresidioDetector` on the real spaCy model: what it finds, keeps and refuses."""

from __future__ import annotations

import copy
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
from presidio_analyzer import Pattern, PatternRecognizer

from langchain_prodkit.errors import ConfigurationError, InputTypeError, MissingModelError
from langchain_prodkit.privacy import Detector, PresidioDetector
from langchain_prodkit.privacy.windows import PATTERNS

HOME = "STREET_ADDRESS"


def _found(detector: PresidioDetector, text: str) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.entity) for span in detector.detect([text])[0]]


@pytest.fixture(scope="module")
def patterns() -> PresidioDetector:
    """Patterns only."""
    return PresidioDetector(profile="patterns")


@pytest.mark.parametrize(
    ("text", "value", "entity"),
    [
        ("reach me at 020 7946 0958 today", "020 7946 0958", "PHONE_NUMBER"),
        ("call 212-555-0187", "212-555-0187", "PHONE_NUMBER"),
        ("+49 30 901820 or later", "+49 30 901820", "PHONE_NUMBER"),
        ("전화번호는 010-9990-9334이고", "010-9990-9334", "PHONE_NUMBER"),
        ("01083289084로 전화 주세요", "01083289084", "PHONE_NUMBER"),
        ("메일은 kim@example.co.kr입니다", "kim@example.co.kr", "EMAIL_ADDRESS"),
        ("write to a.b+c@sub.example.org.", "a.b+c@sub.example.org", "EMAIL_ADDRESS"),
        ("카드 4111-1111-1111-1111을", "4111-1111-1111-1111", "CREDIT_CARD"),
        ("pay with 378282246310005 now", "378282246310005", "CREDIT_CARD"),
        ("주민번호 800101-1234567입니다", "800101-1234567", "KR_RRN"),
        ("my SSN is 460-89-9847", "460-89-9847", "US_SSN"),
        ("from 192.168.1.77 today", "192.168.1.77", "IP_ADDRESS"),
        ("IBAN DE89370400440532013000 please", "DE89370400440532013000", "IBAN_CODE"),
        ("I live at 12 Main Street, Springfield, IL 62701.", "12 Main Street, Springfield, IL 62701", HOME),
        ("Send it to 221B Baker Street, London NW1 6XE please", "221B Baker Street, London NW1 6XE", HOME),
        ("wohnt Ziegelgasse 19 im Hof", "Ziegelgasse 19", HOME),
        ("주소는 서울특별시 마포구 석촌호수로 911입니다", "서울특별시 마포구 석촌호수로 911", HOME),
    ],
)
def test_patterns_find(patterns: PresidioDetector, text: str, value: str, entity: str) -> None:
    """The kinds that Presidio misses, or hides behind a word border, are found exactly."""
    assert (value, entity) in _found(patterns, text)


@pytest.mark.parametrize(
    "text",
    [
        "released on 2024-05-12 at 10:30", "version 10.2.3 costs $1,234.56", "3012345 rows in 12 tables",
        "order 4111111111111112 failed", "the ratio is 1234567/89", "see section 12.3.4 of the guide",
        "We met in 2019 and 2020, 15 people came", "a@b, user@localhost and @handle",
    ],
)  # fmt: skip
def test_patterns_leave_ordinary_numbers_alone(patterns: PresidioDetector, text: str) -> None:
    """Dates, versions, prices and counts are not personal data."""
    assert _found(patterns, text) == []


def test_names_and_places_are_found(presidio: PresidioDetector) -> None:
    """The spaCy model finds people and places; organisations are not asked for by default."""
    assert _found(presidio, "Barack Obama flew to Paris.") == [
        ("Barack Obama", "PERSON"),
        ("Paris", "LOCATION"),
    ]
    assert isinstance(presidio, Detector)


def test_lists_and_single_texts_agree(presidio: PresidioDetector) -> None:
    """A batch gives what each text gives alone, in order, duplicates included."""
    texts = ["Barack Obama", "", "mail a@example.com", "Barack Obama", "   "]
    fresh = PresidioDetector(cache_size=0)
    assert fresh.detect(texts) == [presidio.detect([text])[0] for text in texts]


def test_the_cache_keeps_no_text() -> None:
    """What a detector remembers holds no text, is bounded, and gives the same spans."""
    detector = PresidioDetector(profile="patterns", cache_size=3)
    texts = [f"mail secret{n}@example.com" for n in range(10)]
    first = detector.detect(texts)
    assert detector.detect(texts) == first
    assert len(detector._cache._spans) == 3
    assert b"secret" not in repr(vars(detector._cache)).encode()
    assert PresidioDetector(profile="patterns", cache_size=0).detect(texts) == first


def test_a_caller_cannot_change_what_is_cached() -> None:
    """The lists that a caller receives are theirs."""
    detector = PresidioDetector(profile="patterns")
    detector.detect(["mail a@example.com"])[0].clear()
    assert len(detector.detect(["mail a@example.com"])[0]) == 1


def test_long_texts_are_read_to_the_end_and_across_windows(patterns: PresidioDetector) -> None:
    """Whatever lies on the seam of two windows is found once and whole."""
    mail = "person.name@example.com"
    for offset in range(-30, 31, 3):
        for seam in (PATTERNS.chars - PATTERNS.overlap, PATTERNS.chars):
            text = "x " * ((seam + offset) // 2) + mail + " y" * 3_000
            assert _found(patterns, text) == [(mail, "EMAIL_ADDRESS")]


def test_a_megabyte_is_no_problem(patterns: PresidioDetector) -> None:
    """1 MB of text, hostile runs of punctuation included, takes linear time."""
    assert (
        patterns.detect(["<" * 500_000 + " a@example.com " + "'s" * 250_000])[0][0].entity == "EMAIL_ADDRESS"
    )


async def test_async_gives_the_same(presidio: PresidioDetector) -> None:
    """Short texts inline, long ones in a thread: the same spans."""
    texts = ["Barack Obama", "Paris " * 1000]
    fresh = PresidioDetector(cache_size=0)
    assert await fresh.adetect(texts) == presidio.detect(texts)
    assert await fresh.adetect(texts[:1]) == presidio.detect(texts[:1])


def test_threads_share_one_detector() -> None:
    """Concurrent first use loads once and agrees."""
    detector = PresidioDetector(cache_size=0)
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(detector.detect(["Barack Obama in Paris"] * 5)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(one == found[0] and len(one[0]) == 2 for one in found)


def test_custom_recognizers_thresholds_and_allow_list() -> None:
    """Any Presidio recognizer joins in; scores and values can be let through."""
    ticket = PatternRecognizer("TICKET", patterns=[Pattern("ticket", r"T-\d{4}", 0.6)])
    text = "T-1234 a@example.com b@example.com"
    detector = PresidioDetector(profile="patterns", recognizers=[ticket], allow_list=["a@example.com"])
    assert _found(detector, text) == [("T-1234", "TICKET"), ("b@example.com", "EMAIL_ADDRESS")]
    strict = PresidioDetector(profile="patterns", recognizers=[ticket], thresholds={"TICKET": 0.7})
    assert "TICKET" not in [entity for _, entity in _found(strict, text)]


def test_a_missing_model_names_two_ways_to_get_one() -> None:
    """Nothing is downloaded; the error says how to get a model."""
    with pytest.raises(MissingModelError) as caught:
        PresidioDetector(model="en_core_web_nothing").detect(["Barack Obama"])
    assert len(caught.value.commands) == 2
    with pytest.raises(MissingModelError):
        PresidioDetector(languages=("de",)).detect(["Angela Merkel"])


def test_nothing_asks_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a name look-up, on first use."""

    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a name was looked up")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert PresidioDetector().detect(["mail a@example.com"])[0]


@pytest.mark.parametrize(
    "bad",
    [
        {"profile": "fast"}, {"entities": []}, {"entities": "PERSON"}, {"languages": ()}, {"cache_size": -1},
        {"thresholds": {"PERSON": 2}}, {"profile": "patterns", "entities": ["PERSON"]},
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(bad: dict[str, Any]) -> None:
    """Every contradiction is a ConfigurationError at construction."""
    with pytest.raises(ConfigurationError):
        PresidioDetector(**bad)


def test_an_entity_that_nothing_finds_is_refused() -> None:
    """An unknown entity is an error and not a silent leak."""
    with pytest.raises(ConfigurationError, match="SHOE_SIZE"):
        PresidioDetector(entities=["SHOE_SIZE"]).detect(["42"])


@pytest.mark.parametrize("bad", ["Barack Obama", [None], [b"x"]])
def test_only_lists_of_texts_are_read(patterns: PresidioDetector, bad: Any) -> None:
    """A single string would be read letter by letter."""
    with pytest.raises(InputTypeError):
        patterns.detect(bad)


def test_copies_share_the_loaded_model(presidio: PresidioDetector) -> None:
    """Copying a chain does not load spaCy again."""
    presidio.detect(["x"])
    assert copy.deepcopy({"detector": presidio})["detector"]._engine is presidio._engine


def test_importing_the_room_loads_nothing_heavy() -> None:
    """Names are there without Presidio or spaCy in memory, even once a redactor is built."""
    code = (
        "import sys; from langchain_prodkit.privacy import PresidioRunnable; PresidioRunnable();"
        "heavy = {'spacy', 'presidio_analyzer', 'presidio_anonymizer', 'phonenumbers'} & set(sys.modules);"
        "sys.exit(len(heavy))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603

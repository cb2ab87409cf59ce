"""Phone numbers: formats, labels and regions, and the digits that are no phone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

from langchain_prodkit.privacy.recognizers import TelephoneRecognizer

FINDER = TelephoneRecognizer()


def _found(text: str, finder: TelephoneRecognizer = FINDER) -> list[str]:
    return [text[hit.start : hit.end] for hit in finder.hits(text)]


@pytest.mark.parametrize(
    "number",
    [
        "212-555-0187", "(555) 123-4567 ext. 12", "555.123.4567x889", "1-800-555-0199", "+1 (415) 555-2671",
        "020 7946 0958", "+44 20 7946 0958", "06 12 34 56 78", "+33 6 12 34 56 78", "+49 30 901820",
        "0049 30 901820", "(0)30 1234567", "98765 43210", "+91 98765 43210", "0404 123 456",
        "(11) 91234-5678",
        "010-9990-9334", "+82 10-9990-9334", "2125550187", "+46 8 123 456 78", "001-771-975-4619",
    ],
)  # fmt: skip
@pytest.mark.parametrize("frame", ["{}", "Ring her at {} or write.", "({})", "Tel: {}\nFax: none"])
def test_a_number_is_found_whole(number: str, frame: str) -> None:
    """Country codes, brackets and extensions belong to the number."""
    assert _found(frame.format(number)) == [number]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tel: 92 34 70", "92 34 70"),
        ("my cell is 9885 1152 now", "9885 1152"),
        ("975 97 287-Office", "975 97 287"),
        ("3660170548 (mobile)", "3660170548"),
        ("연락처 031 222 3333", "031 222 3333"),
    ],
)
def test_a_label_makes_up_for_the_form(text: str, number: str) -> None:
    """Beside "phone", "fax" and the like, digits of any country count."""
    assert _found(text) == [number]


@pytest.mark.parametrize(
    "text",
    [
        "released on 2024-05-12 at 10:30:11.123456", "version 10.2.3 costs $1,234.56",
        "3012345678 rows were read",
        "3012345 rows in 12 tables", "order 4111111111111112 failed", "epoch 1700000000 and 1612345678",
        "ISBN 978-3-16-148410-0", "between 2019-2020 and 1990 2000", "12 345 678 people", "1 000 000 won",
        "account 2125550187", "the id=1234567890 of 20240512-0001", "1234567/89",
        "call the API 1000000 times",
        "line 1234 5678", "sha 1234567890abcdef", "550e8400-e29b-41d4-a716-446655440000", "0.1234567891",
        "doi 10.1000/182 and 10.1038/1234567", "latitude 51.5074123, longitude -0.1277583", "1,234,567,890",
        "SSN 078-05-1120", "192.168.100.200", "4111 1111 1111 1111", "a total of 2125550187 bytes",
        "x = 3012345678",
        "invoice number 2125550187", "[1, 2, 3, 4, 5, 6, 7, 8, 9]", "2024-05-12T10:30:00+09:00",
    ],
)  # fmt: skip
def test_other_digits_are_left_alone(text: str) -> None:
    """Dates, versions, prices, counts, identifiers and code are no phone numbers."""
    assert _found(text) == []


def test_regions_choose_whose_national_formats_are_known() -> None:
    """A national number is known only where its country is named; a global one always."""
    korean = TelephoneRecognizer(regions=("KR",))
    assert _found("at 98765 43210", korean) == []
    assert _found("at 031-222-3333", korean) == ["031-222-3333"]
    assert _found("at +91 98765 43210", korean) == ["+91 98765 43210"]


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.text(alphabet="0123456789+-() .x/#,a전", max_size=200))
def test_any_text_gives_sorted_spans_inside_it(text: str) -> None:
    """Spans are in order and do not overlap, and begin with what a number begins with."""
    last = 0
    for hit in FINDER.hits(text):
        assert last <= hit.start < hit.end <= len(text)
        assert text[hit.start] in "+(0123456789"
        last = hit.end


@pytest.mark.parametrize(
    "piece", ["1", "1 ", "1-", "(1", "+1 ", "555-123-4567 ", "phone ", "0 0 0 0 0 0 0 ", "1x", "))(("]
)
def test_hostile_text_ends(piece: str) -> None:
    """A hang on 20,000 characters made to be read again and again would fail the run."""
    for hit in FINDER.hits(piece * (20_000 // len(piece))):
        assert hit.end <= 20_000


class _Blank(NlpEngine):
    """The least that Presidio's analyzer asks of a language engine."""

    def load(self) -> None: ...

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        nothing: Any = []
        return NlpArtifacts(nothing, nothing, [], [], self, language)

    def process_batch(self, texts: Any, language: str, *args: Any, **kwargs: Any) -> Any:
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word: str, language: str) -> bool:
        return False

    def is_punct(self, word: str, language: str) -> bool:
        return False

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def test_a_plain_analyzer_takes_it() -> None:
    """Presidio's own `AnalyzerEngine` runs the recognizer with nothing of ours around it."""
    registry = RecognizerRegistry(recognizers=[TelephoneRecognizer()], supported_languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=_Blank(), supported_languages=["en"])
    results = engine.analyze("call 212-555-0187 now", language="en")
    assert [(one.entity_type, one.start, one.end) for one in results] == [("PHONE_NUMBER", 5, 17)]

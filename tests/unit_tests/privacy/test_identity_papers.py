"""Numbers of identity papers and dates of birth: by form, or by the word before them."""

from __future__ import annotations

import pytest

from langchain_prodkit.privacy import PresidioDetector
from langchain_prodkit.privacy.recognizers import BirthDateRecognizer, IdentityNumberRecognizer

PAPERS = IdentityNumberRecognizer()
BIRTHS = BirthDateRecognizer()


@pytest.mark.parametrize(
    ("text", "value", "entity"),
    [
        ("my SSN is 460-89-9847", "460-89-9847", "US_SSN"),
        ("SSN: 460899847", "460899847", "US_SSN"),
        ("on file: 219-09-9999.", "219-09-9999", "US_SSN"),
        ("her social security number is 900 12 3456", "900 12 3456", "US_SSN"),
        ("ITIN 912-71-1234", "912-71-1234", "US_ITIN"),
        ("my driver's license number is S514-7788-0012", "S514-7788-0012", "US_DRIVER_LICENSE"),
        ("Drivers license: 99988801", "99988801", "US_DRIVER_LICENSE"),
        ("driving licence no. MORGA657054SM9IJ", "MORGA657054SM9IJ", "US_DRIVER_LICENSE"),
        ("DL#: D1234567", "D1234567", "US_DRIVER_LICENSE"),
        ("passport number: 340020013", "340020013", "US_PASSPORT"),
        ("Passport A12345678 was lost", "A12345678", "US_PASSPORT"),
        ("NI number QQ 12 34 56 C? no, JG 10 37 59 A", "JG 10 37 59 A", "UK_NINO"),
    ],
)
def test_papers_are_found(text: str, value: str, entity: str) -> None:
    """A labelled number of any form, and an unlabelled one of a form that nothing else has."""
    assert [(text[hit.start : hit.end], hit.entity) for hit in PAPERS.hits(text)] == [(value, entity)]


@pytest.mark.parametrize(
    "text",
    [
        "000-12-3456, 666-12-3456, 123-00-4567 and 123-45-0000", "425700624 rows", "build 2024-05-12",
        "the driver's license expired 2024", "a license plate",
        "passport control at gate 12345678901234567890123456789",
        "MIT license 2.0", "part number AB123456C-7", "social media has 12345678 users", "call 212-555-0187",
    ],
)  # fmt: skip
def test_other_numbers_are_left_alone(text: str) -> None:
    """What nobody was ever given, and what no label names, is no paper."""
    assert list(PAPERS.hits(text)) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Please tell me your date of birth. It's 12/05/1984", "12/05/1984"),
        ("DOB: 1984-05-12", "1984-05-12"),
        ("She was born on May 12th, 1984 in Leeds", "May 12th, 1984"),
        ("born 12 May 1984", "12 May 1984"),
        ("생년월일은 1984년 5월 12일입니다", "1984년 5월 12일"),
        ("Geburtsdatum: 12.05.1984", "12.05.1984"),
    ],
)
def test_dates_of_birth_are_found(text: str, value: str) -> None:
    """The date behind a word of birth is somebody's."""
    assert [text[hit.start : hit.end] for hit in BIRTHS.hits(text)] == [value]


@pytest.mark.parametrize(
    "text", ["released on 2024-05-12", "stillborn ideas of 12/05/1984", "born\n12/05/1984 release"]
)
def test_other_dates_are_left_alone(text: str) -> None:
    """Dates without a birth beside them stay."""
    assert list(BIRTHS.hits(text)) == []


@pytest.mark.parametrize(
    "piece", ["123-45-6789 ", "passport ", "ssn is ", "born ", "12 ", "1-", "may 1 ", "A", "dl: "]
)
def test_hostile_text_ends(piece: str) -> None:
    """A hang on 100,000 characters would fail the run."""
    text = piece * (100_000 // len(piece))
    assert all(hit.end <= len(text) for finder in (PAPERS, BIRTHS) for hit in finder.hits(text))


def test_the_detector_looks_for_them_unasked() -> None:
    """Papers and dates of birth are among the default entities of the patterns profile."""
    text = "DOB: 1984-05-12, passport no: 340020013"
    spans = PresidioDetector(profile="patterns").detect([text])[0]
    assert [(text[span.start : span.end], span.entity) for span in spans] == [
        ("1984-05-12", "DATE_OF_BIRTH"),
        ("340020013", "US_PASSPORT"),
    ]

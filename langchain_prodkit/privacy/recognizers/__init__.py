"""Presidio recognizers: our own for what Presidio misses, and a choice of Presidio's.

Imported late: this package needs presidio-analyzer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from presidio_analyzer import predefined_recognizers

from langchain_prodkit.privacy.recognizers.address import StreetAddressRecognizer
from langchain_prodkit.privacy.recognizers.card import CardRecognizer
from langchain_prodkit.privacy.recognizers.identity import BirthDateRecognizer, IdentityNumberRecognizer
from langchain_prodkit.privacy.recognizers.korean import KoreanNumberRecognizer
from langchain_prodkit.privacy.recognizers.korean_name import KoreanNameRecognizer
from langchain_prodkit.privacy.recognizers.korean_place import KoreanPlaceRecognizer
from langchain_prodkit.privacy.recognizers.mail import MailRecognizer
from langchain_prodkit.privacy.recognizers.name import IntroducedNameRecognizer
from langchain_prodkit.privacy.recognizers.network import InternetAddressRecognizer, WebAddressRecognizer
from langchain_prodkit.privacy.recognizers.phone import TelephoneRecognizer
from langchain_prodkit.privacy.recognizers.place import NamedPlaceRecognizer
from langchain_prodkit.privacy.recognizers.secret import SecretRecognizer

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = [
    "BirthDateRecognizer",
    "CardRecognizer",
    "IdentityNumberRecognizer",
    "InternetAddressRecognizer",
    "IntroducedNameRecognizer",
    "KoreanNameRecognizer",
    "KoreanNumberRecognizer",
    "KoreanPlaceRecognizer",
    "MailRecognizer",
    "NamedPlaceRecognizer",
    "SecretRecognizer",
    "StreetAddressRecognizer",
    "TelephoneRecognizer",
    "WebAddressRecognizer",
    "pattern_recognizers",
]

_OWN = {
    "EMAIL_ADDRESS": MailRecognizer,
    "CREDIT_CARD": CardRecognizer,
    "STREET_ADDRESS": StreetAddressRecognizer,
    "PERSON": IntroducedNameRecognizer,
    "LOCATION": NamedPlaceRecognizer,
    "IP_ADDRESS": InternetAddressRecognizer,
    "URL": WebAddressRecognizer,
}
# In English these are read together with what the model finds, so that one mends the other.
_WITH_MODEL = frozenset({"PERSON", "LOCATION"})
# These find several entities each; what a text without Hangul or digits costs is one scan.
_FAMILIES = (
    IdentityNumberRecognizer,
    BirthDateRecognizer,
    SecretRecognizer,
    KoreanNumberRecognizer,
    KoreanPlaceRecognizer,
    KoreanNameRecognizer,
)
_PRESIDIO = {
    "IBAN_CODE": "IbanRecognizer",
    "US_BANK_NUMBER": "UsBankRecognizer",
    "UK_NHS": "NhsRecognizer",
    "MAC_ADDRESS": "MacAddressRecognizer",
    "CRYPTO": "CryptoRecognizer",
}


def pattern_recognizers(*, language: str, entities: Collection[str], regions: Sequence[str]) -> list[Any]:
    """Build one recognizer for each of `entities` that a pattern can find."""
    made: list[Any] = []
    for entity in entities:
        if entity in _WITH_MODEL and language == "en":
            continue
        if entity == "PHONE_NUMBER":
            made.append(TelephoneRecognizer(supported_language=language, regions=regions))
        elif entity in _OWN:
            made.append(_OWN[entity](supported_language=language))
        elif entity in _PRESIDIO:
            make = getattr(predefined_recognizers, _PRESIDIO[entity])
            made.append(make(supported_language=language))
    for family in _FAMILIES:
        wanted = [entity for entity in family.ENTITIES if entity in entities]
        if wanted:
            made.append(family(supported_language=language, supported_entities=wanted))
    return made

"""Postcodes: those whose form alone tells, those behind a word that says so, and those beside a town."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CODE", "STATE", "postcodes"]

_CAP = r"[A-ZÀ-ÖØ-ÞĀ-ŽΑ-ΩА-Я][^\W\d_][\w'\u2019\-]{0,30}"
CODE: Final = re.compile(
    r"(?:(?:[A-Z]{1,2}-)?(?:\d{5}-\d{4}|\d{5}-\d{3}|\d{3}-\d{4}|\d{4}-\d{3}|\d{2}-\d{3}|\d{3}[ ]\d{2}"
    r"|\d{3}[ ]\d{3}|\d{4}[ ]?(?-i:[A-Z]{2}|[a-z]{2}(?=\s*(?:$|[,\n])))|\d{3,7})"
    r"|[A-Z]{1,2}\d[A-Z\d]?[ ]?\d[A-Z]{2}|[A-Z]\d[A-Z][ \-]?\d[A-Z]\d|[A-Z]{2}-?\d{3,4}|[A-Z]\d{4}[A-Z]{0,3})"
    r"(?![\w@]|[.,:/]\d)",
    re.IGNORECASE,
)
"""Any country's postcode, for a place where one may stand."""
STATE: Final = re.compile(
    r"(?:[A-Z]{2,3}(?![\w'\u2019\-])|[a-zA-Z]{2,3}(?=,?\s{1,8}(?:[A-Za-z]{1,20}\s)?\d{3,6}\b)|[A-Z]\.[A-Z]\.)"
)
"""The code of a state or province."""
_BRITISH = re.compile(
    r"(?<![A-Za-z0-9])(?:GIR ?0AA|[A-PR-UWYZ][A-HK-Y]?[0-9][A-Z0-9]?[ ]?"
    r"[0-9][ABD-HJLNP-UW-Z]{2})(?![A-Za-z0-9])"
)
_CANADIAN = re.compile(
    r"(?<![A-Za-z0-9])[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ \-]\d[ABCEGHJ-NPRSTV-Z]\d(?![A-Za-z0-9])"
)
_SAID = re.compile(
    r"(?<![A-Za-z])(?:zip(?:[ \-]?codes?)?|post(?:al)?[ \-]?codes?|pin[ \-]?codes?|eircode|plz"
    r"|postleitzahl|(?-i:CAP|CEP|CP|C\.P\.)|code postal|c[oó]digo postal|postnummer|postinumero"
    r"|kod pocztowy|psč|irányítószám)"
    r"(?:[ ](?:code|number|no|nr))?\.?"
    r"(?:[ ]?[:=#][ ]?|[ ](?:is|was|to|of|as|will be|has changed to|changed to|for \w{1,20} is)[ ]:?|[ ])",
    re.IGNORECASE,
)
# ISO 3166-2:US, without the codes that are also words ("User ID 12345", "in OR 12345").
_STATES = (
    r"(?:A[KLRSZ]|C[AT]|D[CE]|FL|G[AU]|I[AL]|K[SY]|LA|M[ADINOST]|N[CDEHJMVY]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]"
    r"|W[AIVY])"
)
_BESIDE_A_TOWN = re.compile(
    rf"\b(?:{_CAP}[ ]){{0,3}}{_CAP}(?:,[ ]{{1,3}}(?:[A-Z]{{2}}),?[ ]{{1,3}}\d{{5}}(?:-\d{{4}})?"
    rf"|[ ]{{1,3}}{_STATES},?[ ]{{1,3}}\d{{5}}(?:-\d{{4}})?"
    r"|,?[ ]{1,3}(?:NSW|VIC|QLD|TAS|ACT|SA|WA|NT),?[ ]{1,3}\d{4})(?![\w\-]|[.,:]\d)"
)


def postcodes(text: str) -> Iterator[tuple[int, int, float]]:
    """Give start, end and score of each postcode that stands on its own, with its town if it has one."""
    for form in (_BRITISH, _CANADIAN):
        for match in form.finditer(text):
            yield match.start(), match.end(), 0.5
    for match in _SAID.finditer(text):
        found = CODE.match(text, match.end())
        if found is not None and any(map(str.isdigit, found.group())):
            yield found.start(), found.end(), 0.7
    for match in _BESIDE_A_TOWN.finditer(text):
        yield match.start(), match.end(), 0.6

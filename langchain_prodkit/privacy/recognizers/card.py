"""Payment card numbers, guarded by digits and not by word borders."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, Final

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["CardRecognizer"]

_CARD = re.compile(r"(?<![A-Za-z\d.,\-])\d(?:[ \u00a0\-.\u2010-\u2015\u2212\uff0d]?\d){11,18}(?![\d\-])")
_SEPARATOR = re.compile(r"\D")
# As they are printed: by fours, American Express 4-6-5, Diners 4-6-4, Maestro by fours with a rest.
_GROUPS: Final = frozenset(
    {
        (4, 4, 4, 4),
        (4, 6, 5),
        (4, 6, 4),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 4, 2),
        (4, 4, 4, 4, 1),
        (4, 4, 4, 3),
        (4, 4, 4, 2),
    }
    | {(4, 4, 5), (4, 4, 4, 1), (4, 4, 4), (8, 8), (6, 10), (6, 13), (4, 3, 3, 3), (4, 5, 6), (4, 4, 3, 4)}
    | {(4, 3, 3, 4), (4, 3, 4, 4), (4, 4, 3, 5), (4, 3, 4, 5), (4, 3, 3, 5)}
)


class CardRecognizer(ScanRecognizer):
    """Finds card numbers of 12 to 19 digits with a known first digit, grouping and a right check digit.

    Full-width digits and any kind of hyphen are read; a word, also one without a blank before it as in
    Korean, may follow.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("CREDIT_CARD",)
    CONTEXT: ClassVar[tuple[str, ...]] = (
        "credit", "card", "visa", "mastercard", "amex", "discover", "jcb", "diners", "maestro", "debit",
        "카드",
    )  # fmt: skip

    def __init__(
        self,
        supported_language: str = "en",
        supported_entity: str = "CREDIT_CARD",
        supported_entities: Sequence[str] | None = None,
    ) -> None:
        """Take the language and the entity that results bear."""
        self._entity = supported_entity
        super().__init__(supported_language, supported_entities or (supported_entity,))

    def hits(self, text: str) -> Iterator[Hit]:
        """Find digits as they stand on cards, and check them."""
        for match in _CARD.finditer(text):
            if is_card(match.group()):
                yield Hit(match.start(), match.end(), self._entity, 1.0)


def is_card(number: str) -> bool:
    """Say whether digits, with or without separators, are grouped and summed as on a card."""
    parts = _SEPARATOR.split(number)
    if len(parts) > 1 and tuple(map(len, parts)) not in _GROUPS:
        return False
    digits = [int(char) for part in parts for char in part]
    if not _is_issued(digits) or len(set(digits)) == 1:
        return False
    doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]  # noqa: PLR2004
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_issued(digits: list[int]) -> bool:
    """Check length and first digits (ISO/IEC 7812: airlines 1, travel 2 and 3, banks 4 to 6, national 9)."""
    length, first, second = len(digits), digits[0], digits[1]
    if first == 0:
        return digits[:4] == [0, 6, 0, 4]  # Maestro in the United Kingdom
    if first in {1, 2}:
        return length in {15, 16}
    if first == 3:  # noqa: PLR2004
        return second in {0, 4, 5, 6, 7, 8, 9} and 14 <= length <= 19  # noqa: PLR2004
    if first == 4:  # noqa: PLR2004
        return length in {13, 16, 19}
    if first == 9:  # noqa: PLR2004
        return length == 16  # noqa: PLR2004
    return first in {5, 6} or (first == 8 and length == 16)  # noqa: PLR2004

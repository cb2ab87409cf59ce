"""Payment card numbers, guarded by digits and not by word borders."""

from __future__ import annotations

from presidio_analyzer import Pattern, PatternRecognizer

__all__ = ["CardRecognizer"]

_CARD = r"(?<![\d.,\-])(?:\d[ \-.]?){11,18}\d(?![\d\-])"
_LENGTHS = range(12, 20)


class CardRecognizer(PatternRecognizer):
    """Finds card numbers of 12 to 19 digits with a known first digit and a right check digit."""

    PATTERNS = (Pattern("card", _CARD, 0.3),)
    CONTEXT = (
        "credit", "card", "visa", "mastercard", "amex", "discover", "jcb", "diners", "maestro", "debit",
    )  # fmt: skip

    def __init__(self, supported_language: str = "en", supported_entity: str = "CREDIT_CARD") -> None:
        """Take the language and the entity that results bear."""
        super().__init__(
            supported_entity=supported_entity,
            patterns=list(self.PATTERNS),
            context=list(self.CONTEXT),
            supported_language=supported_language,
            name="CardRecognizer",
        )

    def validate_result(self, pattern_text: str) -> bool:
        """Check length, first digit, grouping and the Luhn sum."""
        digits = [int(char) for char in pattern_text if char.isascii() and char.isdigit()]
        if len(digits) not in _LENGTHS or digits[0] not in {1, 2, 3, 4, 5, 6} or len(set(digits)) == 1:
            return False
        doubled = [digit * 2 - 9 if digit > 4 else digit * 2 for digit in digits[-2::-2]]  # noqa: PLR2004
        return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0

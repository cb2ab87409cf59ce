"""E-mail addresses, also where a Korean particle or a full stop follows without a blank."""

from __future__ import annotations

import tldextract
from presidio_analyzer import Pattern, PatternRecognizer

__all__ = ["MailRecognizer"]

# ASCII guards instead of \b: between "com" and a Korean letter there is no word border.
_MAIL = (
    r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-](?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\-]{0,63})@"
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9\-]{0,61}[A-Za-z0-9](?![A-Za-z0-9])"
)
# Addresses with letters of other scripts, as Presidio reads them: ended by a blank or punctuation.
_INTERNATIONAL = r"(?<![\w.+\-])[\w.+\-]{1,64}@(?:\w[\w\-]{0,62}\.)+\w[\w\-]{0,62}\w(?![\w\-])"


class MailRecognizer(PatternRecognizer):
    """Finds e-mail addresses whose domain ends in a public suffix, without ever asking the network."""

    PATTERNS = (Pattern("mail", _MAIL, 0.5), Pattern("international mail", _INTERNATIONAL, 0.4))
    CONTEXT = ("email", "e-mail", "mail")

    def __init__(self, supported_language: str = "en", supported_entity: str = "EMAIL_ADDRESS") -> None:
        """Use the public suffix list inside tldextract."""
        # tldextract would fetch the list on first use, and try to write a cache.
        self._suffixes = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
        super().__init__(
            supported_entity=supported_entity,
            patterns=list(self.PATTERNS),
            context=list(self.CONTEXT),
            supported_language=supported_language,
            name="MailRecognizer",
        )

    def validate_result(self, pattern_text: str) -> bool:
        """Accept a domain that is registered under a public suffix."""
        found = self._suffixes(pattern_text.rpartition("@")[2])
        return bool(found.domain and found.suffix)

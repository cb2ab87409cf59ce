"""E-mail addresses, also where a Korean particle or a full stop follows without a blank."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final

import tldextract

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["MailRecognizer"]

LOCAL_CHARS: Final = 64
DOMAIN_CHARS: Final = 253
_ATEXT: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+/=?^_`{|}~-."
)
_EDGE: Final = ".'`*/{|}=&?!#$%^~"
_AT: Final = "@\uff20"
# Scripts written without blanks: their letters before an address belong to the sentence.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u3040-\u30ff\u3130-\u318f\u3400-\u9fff\uac00-\ud7af]"
)
_ASCII_DOMAIN = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9\-]{0,62}"
)
_DOMAIN = re.compile(r"(?:\w(?:[\w\-]{0,61}\w)?[.\u3002\uff0e])+\w[\w\-]{0,62}")
_LITERAL = re.compile(r"\[(?:\d{1,3}(?:\.\d{1,3}){3}|IPv6:[0-9A-Fa-f:.]{2,45})\]")
# Suffixes of one label below which anybody is registered, and those of private networks.
_PLAIN: Final = frozenset(
    {"com", "net", "org", "info", "edu", "gov", "local", "internal", "lan", "corp", "intranet", "test"}
    | {"example", "invalid", "home", "localdomain"}
)
_SPELLED = re.compile(
    r"(?<![\w.+\-])[A-Za-z0-9][\w.+\-]{0,63}[ ]?[\[({][ ]?at[ ]?[\])}][ ]?[A-Za-z0-9][\w\-]{0,62}"
    r"(?:(?:[ ]?[\[({][ ]?dot[ ]?[\])}][ ]?|\.)[A-Za-z0-9][\w\-]{0,62}){1,4}",
    re.IGNORECASE,
)
_PARTICLE_CHARS: Final = 6


class MailRecognizer(ScanRecognizer):
    """Finds e-mail addresses whose domain ends in a public suffix, without ever asking the network.

    International addresses, `+` tags, quoted local parts, address literals, private suffixes such as
    `.internal`, and `name (at) host (dot) com` are found as well. Time is linear: every at sign looks at
    no more than 64 characters before it and 253 behind it.
    """

    ENTITIES: ClassVar[tuple[str, ...]] = ("EMAIL_ADDRESS",)
    CONTEXT: ClassVar[tuple[str, ...]] = ("email", "e-mail", "mail")

    def __init__(
        self,
        supported_language: str = "en",
        supported_entity: str = "EMAIL_ADDRESS",
        supported_entities: Sequence[str] | None = None,
    ) -> None:
        """Use the public suffix list inside tldextract."""
        # tldextract would fetch the list on first use, and try to write a cache.
        self._suffixes: Any = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
        self._entity = supported_entity
        super().__init__(supported_language, supported_entities or (supported_entity,))

    def hits(self, text: str) -> Iterator[Hit]:
        """Start at each at sign and go both ways."""
        for sign in _AT:
            at = text.find(sign)
            while at >= 0:
                start, end = _local_start(text, at), self._domain_end(text, at + 1)
                if start < at and end:
                    yield Hit(start, end, self._entity, 1.0)
                at = text.find(sign, max(at + 1, end))
        if "at" in text or "AT" in text:
            for match in _SPELLED.finditer(text):
                yield Hit(match.start(), match.end(), self._entity, 0.7)

    def _domain_end(self, text: str, start: int) -> int:
        literal = _LITERAL.match(text, start)
        if literal is not None:
            return literal.end()
        for form in (_ASCII_DOMAIN, _DOMAIN):
            match = form.match(text, start, start + DOMAIN_CHARS)
            if match is None:
                continue
            follows = text[match.end() : match.end() + 1]
            if form is _ASCII_DOMAIN and follows.isalpha() and _UNSPACED.match(follows) is None:
                continue  # a letter of a longer, international domain
            end = self._registered_end(match.group())
            if end:
                return start + end
        return 0

    def _registered_end(self, domain: str) -> int:
        """Give the length of the longest part from the left that somebody can have registered."""
        while "." in domain or "\u3002" in domain or "\uff0e" in domain:
            if self._is_registered(domain):
                return len(domain)
            # A particle behind an international suffix, which stands in the list without one.
            for cut in range(1, _PARTICLE_CHARS):
                shorter = domain[:-cut]
                if not _UNSPACED.match(domain[-cut]) or shorter[-1:] in ".\u3002\uff0e":
                    break
                if self._is_registered(shorter):
                    return len(shorter)
            hyphen, dot = domain.rfind("-"), max(map(domain.rfind, ".\u3002\uff0e"))
            domain = domain[: max(hyphen, dot)]
        return 0

    def _is_registered(self, domain: str) -> bool:
        host, _, last = domain.rpartition(".")
        if last.lower() in _PLAIN:
            return bool(host)
        found = self._suffixes(domain)
        return bool(found.domain and found.suffix)


def _local_start(text: str, at: int) -> int:
    if text[at - 1 : at] == '"':
        opening = text.rfind('"', max(0, at - LOCAL_CHARS), at - 1)
        return opening if opening >= 0 and "\n" not in text[opening:at] and at - opening > 2 else at  # noqa: PLR2004
    start, floor = at, max(0, at - LOCAL_CHARS)
    while start > floor and (
        text[start - 1] in _ATEXT
        or (
            text[start - 1].isalnum()
            and not text[start - 1].isascii()
            and not _UNSPACED.match(text[start - 1])
        )
    ):
        start -= 1
    if start == at:  # an address in such a script, up to the blank before it
        while start > floor and (text[start - 1].isalnum() or text[start - 1] in "._-+"):
            start -= 1
    while start < at and text[start] in _EDGE:
        start += 1
    return at if text[at - 1] == "." else start

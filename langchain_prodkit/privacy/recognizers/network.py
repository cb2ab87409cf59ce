"""IP addresses and URLs, with ASCII guards: a Korean or Chinese word may follow without a blank."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, ClassVar

import tldextract

from langchain_prodkit.privacy.recognizers.scan import Hit, ScanRecognizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["InternetAddressRecognizer", "WebAddressRecognizer"]

_OCTET = r"(?:25[0-5]|2[0-4]\d|[01]?\d?\d)"
_V4 = re.compile(
    rf"(?<![A-Za-z\d_.\-])(?<!\d[,/]){_OCTET}(?:\.{_OCTET}){{3}}(?:/(?:3[0-2]"
    rf"|[12]?\d)(?!\d))?(?![A-Za-z\d_]|\.\d|-\d)"
)
_VERSION = re.compile(
    r"(?:\b(?:v|ver|version|release|build|rev|firmware|section|chapter|§)\.?[ :#]?|버전[은: ]{0,2}"
    r"|[A-Za-z]/)$",
    re.IGNORECASE,
)
_V6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:"
    r"|::?)[0-9A-Fa-f:]{1,38}(?:\.\d{1,3}){0,3}(?:%[0-9A-Za-z]{1,15})?(?:/\d{1,3})?(?![A-Za-z\d_]"
    r"|:[0-9A-Fa-f:])"
)
_COLONS = re.compile(r"[0-9A-Fa-f]:[0-9A-Fa-f:]|::[0-9A-Fa-f]")
_LOOK_BACK = 12


class InternetAddressRecognizer(ScanRecognizer):
    """Finds IPv4 and IPv6 addresses and networks, not times, versions or `std::move`."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("IP_ADDRESS",)
    CONTEXT: ClassVar[tuple[str, ...]] = ("ip", "ipv4", "ipv6")

    def hits(self, text: str) -> Iterator[Hit]:
        """Find four octets, and what `ipaddress` reads as an IPv6 address."""
        for match in _V4.finditer(text):
            before = text[max(0, match.start() - _LOOK_BACK) : match.start()]
            if _VERSION.search(before) is None:
                yield Hit(match.start(), match.end(), "IP_ADDRESS", 0.6)
        if _COLONS.search(text) is None:
            return
        for match in _V6.finditer(text):
            number = match.group().rstrip(":") if not match.group().endswith("::") else match.group()
            if number.count(":") > 1 and any(map(str.isdigit, number)) and _is_v6(number):
                yield Hit(match.start(), match.start() + len(number), "IP_ADDRESS", 0.6)


def _is_v6(number: str) -> bool:
    address, _, zone = number.partition("%")
    try:
        ipaddress.IPv6Interface(address + (f"/{zone.partition('/')[2]}" if "/" in zone else ""))
    except ValueError:
        return False
    return True


_WEB = re.compile(
    r"(?<![A-Za-z0-9@_.\-])(?:(?P<scheme>(?:https?|ftps?|wss?)://)(?:[^\s/@<>\"']{1,100}@)?)?"
    r"(?P<host>(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9\-]{1,62}|localhost"
    r"|\d{1,3}(?:\.\d{1,3}){3})"
    r"(?P<port>:\d{1,5})?(?P<path>[/?#](?:[!#$%&'()*+,\-./0-9:;=?@A-Z_a-z~\[\]]"
    r"|(?<=[/=\-_+&%])[^\W\d_a-zA-Z]+)*)?",
    re.IGNORECASE,
)
_TRAILING = ".,;:!?'\")]}"


class WebAddressRecognizer(ScanRecognizer):
    """Finds URLs with a scheme, and bare hosts under a public suffix with what follows them."""

    ENTITIES: ClassVar[tuple[str, ...]] = ("URL",)
    CONTEXT: ClassVar[tuple[str, ...]] = ("url", "website", "link")

    def __init__(
        self, supported_language: str = "en", supported_entities: Sequence[str] | None = None
    ) -> None:
        """Use the public suffix list inside tldextract."""
        self._suffixes: Any = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
        super().__init__(supported_language, supported_entities)

    def hits(self, text: str) -> Iterator[Hit]:
        """Find hosts; without a scheme the public suffix list decides."""
        if "." not in text and "://" not in text:
            return
        for match in _WEB.finditer(text):
            if text[match.end() : match.end() + 1] == "@":
                continue
            if match["scheme"] is None and not self._is_public(match["host"]):
                continue
            found = match.group().rstrip(_TRAILING)
            yield Hit(match.start(), match.start() + len(found), "URL", 0.6 if match["scheme"] else 0.5)

    def _is_public(self, host: str) -> bool:
        found = self._suffixes(host)
        return bool(found.domain and found.suffix)

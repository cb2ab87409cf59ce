# ruff: noqa: PLR2004 - lengths of addresses are the subject
"""Find links and pictures in an answer that carry data to a stranger.

A picture is fetched by the reader's browser as soon as the answer is shown, so its address alone can
carry a conversation away; a link needs a click. Found are markdown links and images (inline, with
nested brackets, by reference, angle-bracketed), autolinks, bare addresses, and everything that HTML
loads or leads to, with the tricks that browsers forgive: protocol-relative and backslashed addresses,
user names before the host, entities, line breaks inside.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote

from langchain_prodkit.errors import ConfigurationError

__all__ = ["Hosts", "Link", "links", "risky_links"]

LinkCode = Literal["active_link", "data_link", "remote_image"]

_DATA_CHARS: Final = 5
"""A query value shorter than this says too little to be a secret ("?p=2", "?lang=en")."""
_SEGMENT_CHARS: Final = 24
_ANY_CHARS: Final = 48
_TITLE_CHARS: Final = 400
_NESTED: Final = 20

_TAG = re.compile(r"<[a-zA-Z!/?][^<>]*(?:>|$)")
_TAG_NAME = re.compile(r"</?([a-zA-Z]+)")
_ATTRIBUTE_URL = re.compile(
    r"""(?:=\s{0,9}["']?|url[=(]\s{0,9}["']?|,\s{0,9})"""
    r"""((?:(?:https?|ftp|wss?|javascript|vbscript|data|file|blob|mailto):|[/\\]{2})[^\s"'<>),]+)""",
    re.IGNORECASE,
)
_AUTOLINK = re.compile(r"<([a-zA-Z][a-zA-Z0-9+.-]{1,20}:[^\s<>]+)>")
_BARE = re.compile(
    r"(?<![\w@])(?:(?:https?|ftp|wss?):[/\\]{1,3}(?:\[[0-9a-f:.]{2,45}\])?|www\.)[^\s<>\"'`\]]+",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_DEFINITION = re.compile(
    r"^[ \t>]{0,12}\[([^\]\n]{1,400})\]:[ \t]{0,40}\n?[ \t]{0,40}<?([^\s<>]+)", re.MULTILINE
)
# Bounded, so that unclosed ones cost no more than closed ones; what is cut off is still an address.
_DESTINATION = re.compile(r"\(\s{0,200}(?:<([^<>]{0,2000})>|((?:[^\s<>\[]|\[[0-9a-fA-F:.]{2,45}\]){0,2000}))")
_REFERENCE = re.compile(r"\[([^\[\]\n]{0,400})\]")
_ADDRESS = re.compile(
    r"(?:([a-z][a-z0-9+.-]*):)?(?:/{2,}([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL
)
_ACTIVE: Final = frozenset({"javascript", "vbscript", "data", "file", "blob"})
_HARMLESS: Final = frozenset(
    {"tel", "sms", "about", "cid", "urn", "doi", "xmpp", "irc", "news", "geo", "magnet"}
)
_WEB: Final = frozenset({"", "http", "https", "ftp", "ws", "wss"})


@dataclass(frozen=True, slots=True)
class Link:
    """One address in a text, without the address."""

    start: int
    end: int
    """Where the whole link or image stands, in characters."""
    host: str
    """Host name as browsers read it; empty for an address within the reader's own site."""
    is_fetched: bool
    """Loaded without a click: a picture, a frame, a style sheet."""
    is_active: bool
    """Runs or holds content itself (`javascript:`, `data:`)."""
    has_data: bool
    """Query, path, fragment or host name hold more than an address needs."""


class Hosts:
    """The hosts that an answer may link to: `example.com` itself, `*.example.com` all below it too."""

    __slots__ = ("_below", "_exact")

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Read the names.

        Raises:
            ConfigurationError: One is no host name, e.g. a whole address.
        """
        self._exact: set[str] = set()
        self._below: set[str] = set()
        for name in names:
            plain = _host(name.removeprefix("*."))
            if not re.fullmatch(r"[\w.-]+|\[[0-9a-f:.]+\]", plain):
                raise ConfigurationError(
                    "allowed_hosts holds host names like 'example.com' or '*.example.com'"
                )
            self._exact.add(plain)
            if name.startswith("*."):
                self._below.add(f".{plain}")

    def __contains__(self, host: str) -> bool:
        return host in self._exact or any(host.endswith(end) for end in self._below)


def risky_links(
    text: str, allowed: Hosts, *, open_images: set[str] | None = None
) -> list[tuple[LinkCode, Link]]:
    """List what must not leave: active addresses, remote pictures and data for hosts not `allowed`.

    For a text that comes in pieces, give each call the same `open_images`: an image by reference whose
    address stands in a later piece is noted there, and found when that piece comes.
    """
    found: list[tuple[LinkCode, Link]] = []
    for link in links(text, open_images=open_images):
        if link.is_active:
            found.append(("active_link", link))
        elif not link.host or link.host in allowed:
            continue
        elif link.is_fetched:
            found.append(("remote_image", link))
        elif link.has_data:
            found.append(("data_link", link))
    return found


def links(text: str, *, open_images: set[str] | None = None) -> list[Link]:
    """List every link and picture in `text`, in order, each once; see `risky_links`."""
    places = sorted(
        (*_markdown(text, set() if open_images is None else open_images), *_html(text), *_plain(text)),
        key=lambda place: (place[0], -place[1]),
    )
    found: list[Link] = []
    around: list[Link] = []
    for start, end, address, is_fetched in places:
        link = _link(start, end, address, is_fetched=is_fetched)
        if link is None:
            continue
        around = [outer for outer in around if start < outer.end]
        if any(_covers(outer, link) for outer in around):
            continue  # the address inside what stands for it already
        around = [*around[-_NESTED:], link]
        found.append(link)
    return found


def _covers(outer: Link, link: Link) -> bool:
    return (
        link.end <= outer.end
        and outer.host == link.host
        and (outer.is_active, outer.is_fetched) >= (link.is_active, link.is_fetched)
        and outer.has_data >= link.has_data
    )


Found = Iterator[tuple[int, int, str, bool]]


def _markdown(text: str, open_images: set[str]) -> Found:
    """Walk the brackets once; an image inside a link's text is found as well."""
    definitions = {_label(m[1]): (m.start(), m.end(), m[2]) for m in _DEFINITION.finditer(text)}
    opened: list[tuple[int, bool]] = []
    for match in re.finditer(r"\\.|!?\[|\]", text, re.DOTALL):
        sign = match[0]
        if sign.endswith("[") and sign[0] != "\\":
            opened.append((match.start(), sign[0] == "!"))
        elif sign == "]" and opened:
            start, is_image = opened.pop()
            after = match.end()
            target = _DESTINATION.match(text, after)
            if target:
                close = target.end(1) if target[1] is not None else _closing(target)
                address = target[1] if target[1] is not None else text[target.start(2) : close]
                end = text.find(")", close, close + _TITLE_CHARS) + 1
                yield start, end or target.end(), _ESCAPED.sub(r"\1", address), is_image
                continue
            label = _label(text[start + 1 + is_image : match.start()])
            named = _REFERENCE.match(text, after)
            if named:
                label = _label(named[1]) or label
                after = named.end()
            if label in definitions and not text.startswith(":", after):
                yield start, after, definitions[label][2], is_image
            elif is_image and label:
                open_images.add(label)
    for label, (start, end, address) in definitions.items():
        yield start, end, address, label in open_images


def _closing(target: re.Match[str]) -> int:
    """Find where an address ends that may hold balanced parentheses."""
    depth = 0
    for index in range(target.start(2), target.end(2)):
        char = target.string[index]
        if char == "(":
            depth += 1
        elif char == ")":
            if depth == 0:
                return index
            depth -= 1
    return target.end(2)


def _label(text: str) -> str:
    return " ".join(text.casefold().split())


def _html(text: str) -> Found:
    for match in _AUTOLINK.finditer(text):
        yield match.start(), match.end(), match[1], False
    for match in _TAG.finditer(text):
        name = _TAG_NAME.match(match[0])
        if name is None:
            continue
        is_fetched = name[1].lower() not in {"a", "area", "form", "blockquote", "q", "del", "ins"}
        for address in _ATTRIBUTE_URL.finditer(unescape(re.sub(r"[\t\n\r]", "", match[0]))):
            yield match.start(), match.end(), address[1], is_fetched


def _plain(text: str) -> Found:
    for match in _BARE.finditer(text):
        address = match[0].rstrip(".,;:!?*_)")
        yield match.start(), match.start() + len(address), address, False


def _link(start: int, end: int, address: str, *, is_fetched: bool) -> Link | None:
    address = re.sub(r"[\x00-\x20\x7f\u200b-\u200f\u2060\ufeff]", "", unescape(address)).replace("\\", "/")
    if address.lower().startswith("www."):
        address = f"//{address}"
    # Browsers read "https:/host" and "https:host" as "https://host".
    address = re.sub(r"^(https?|ftp|wss?):/{0,}", r"\1://", address, flags=re.IGNORECASE)
    parts = _ADDRESS.fullmatch(address[:1].lower() + address[1:])
    scheme_end = address.find(":")
    if scheme_end > 0 and re.fullmatch(r"[a-zA-Z][a-zA-Z0-9+.-]*", address[:scheme_end]):
        parts = _ADDRESS.fullmatch(address[:scheme_end].lower() + address[scheme_end:])
    if parts is None:
        return None
    scheme, authority, path, query, fragment = (part or "" for part in parts.groups())
    if scheme in _ACTIVE:
        is_picture = is_fetched and re.match(r"image/(?!svg)", path, re.IGNORECASE)
        return Link(start, end, "", is_fetched, not is_picture, False)
    if scheme == "mailto":
        host = _host(path.rpartition("@")[2])
        return Link(start, end, host, False, False, bool(_has_data(query)))
    if scheme in _HARMLESS or (scheme and scheme not in _WEB and not authority):
        return None
    user, _, name = authority.rpartition("@")
    host = _host(re.sub(r":\d*$", "", name))
    has_data = bool(user) or _has_data(query) or _tells(host, path, fragment)
    return Link(start, end, host, is_fetched, False, has_data)


def _host(name: str) -> str:
    plain = unicodedata.normalize("NFKC", unquote(name)).replace("\u3002", ".").lower().strip(". ")
    try:
        return plain if plain.isascii() else plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain


def _has_data(query: str) -> bool:
    """Tell whether a query holds more than switches and page numbers."""
    values = [value for pair in parse_qsl(query, keep_blank_values=True) for value in pair[1:]]
    bare = [part for part in re.split("[&;]", query) if part and "=" not in part]
    return (
        any(len(unquote(value)) >= _DATA_CHARS for value in (*values, *bare)) or sum(map(len, values)) >= 16
    )


def _tells(host: str, path: str, fragment: str) -> bool:
    """Tell whether host name, path or fragment hold text or a long opaque word."""
    if "=" in fragment and _has_data(fragment):
        return True
    words = [*path.split("/"), *fragment.split("/"), *host.split(".")[:-2]]
    return any(_is_opaque(unquote(word)) for word in words)


def _is_opaque(word: str) -> bool:
    if " " in word.strip() or "\n" in word:
        return True
    longest = max(re.split(r"[-_.,~:@]", word), key=len, default="")
    if len(longest) >= 8 and _decodes(longest):
        return True
    if len(longest) >= _SEGMENT_CHARS and not re.fullmatch(
        "[0-9a-f]+|[0-9A-F]+|[A-Za-z]?[a-z]+|[0-9]+", longest
    ):
        return True
    return len(longest) >= _ANY_CHARS and not re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", longest)


def _decodes(word: str) -> bool:
    """Tell whether a word is text in hex or base64."""
    candidates = []
    if re.fullmatch(r"(?:[0-9a-fA-F]{2})+", word):
        candidates.append(bytes.fromhex(word))
    if len(word) % 4 != 1 and re.search("[A-Z]", word) and re.search("[a-z]", word):
        padded = word.rstrip("=") + "=" * (-len(word.rstrip("=")) % 4)
        with suppress(binascii.Error, ValueError):
            candidates.append(base64.urlsafe_b64decode(padded))
    return any(_is_text(data) for data in candidates)


def _is_text(data: bytes) -> bool:
    return (
        len(data) >= 5
        and all(32 <= byte < 127 for byte in data)
        and sum(chr(byte).isalnum() or byte == 32 for byte in data) >= 0.8 * len(data)
    )

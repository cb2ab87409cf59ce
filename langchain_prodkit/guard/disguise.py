# ruff: noqa: PLR2004 - code points and bases are the subject
"""See through encodings when it is known what to look for.

`layers` gives a text and everything that appears when encoded runs inside it are decoded, nested
up to `MAX_DEPTH` times; each layer leads back to the characters it came from. Unlike `normalize`,
which asks whether a decoding reads as an attack, this keeps whatever is printable: the caller knows
the word it fears. Linear in the text: every pattern is bounded or anchored, no layer is longer than
what it was made from, and there are at most `MAX_LAYERS`.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from bisect import bisect_right
from collections import deque
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["MAX_DEPTH", "MAX_LAYERS", "Layer", "layers", "origins"]

MAX_DEPTH: Final = 3
"""Encodings inside encodings that are undone."""
MAX_LAYERS: Final = 32
"""Layers of one text at most."""

Span = tuple[int, int]


class Layer:
    """A text as it stands, or with every run of one encoding decoded."""

    __slots__ = ("_new", "_old", "_parent", "depth", "encoding", "text")

    depth: int
    encoding: str

    def __init__(
        self,
        text: str,
        encoding: str = "",
        *,
        parent: Layer | None = None,
        new: Sequence[int] = (),
        old: Sequence[int] = (),
    ) -> None:
        """Hold `text`; `new` and `old` list start and end of each decoded run, here and in `parent`."""
        self.text = text
        self.encoding = encoding if parent is None else f"{parent.encoding}+{encoding}".lstrip("+")
        self.depth = 0 if parent is None else parent.depth + 1
        self._parent = parent
        self._new = new
        self._old = old

    def span(self, start: int, end: int) -> Span:
        """Say which characters of the original the characters `start:end` come from."""
        if self._parent is None:
            return start, end
        first, last = self._at(start)[0], self._at(max(start, end - 1))[1]
        return self._parent.span(first, last)

    def _at(self, index: int) -> Span:
        """Give the span in the parent that one character comes from."""
        run = bisect_right(self._new, index)
        if run % 2:
            return self._old[run - 1], self._old[run]
        index += self._old[run - 1] - self._new[run - 1] if run else 0
        return index, index + 1


def origins(text: str, written: Callable[[str], str]) -> list[int]:
    """Say for each character of `written(text)` which character of `text` it comes from."""
    return [index for index, char in enumerate(text) for _ in written(char)]


def layers(text: str) -> Iterator[Layer]:
    """Yield `text` itself, then what appears in it once encodings are undone."""
    waiting = deque([Layer(text)])
    seen = {text}
    count = 0
    while waiting and count < MAX_LAYERS:
        layer = waiting.popleft()
        yield layer
        count += 1
        if layer.depth == MAX_DEPTH:
            continue
        for encoding, pattern, decoded in _DECODERS:
            child = _decoded(layer, encoding, pattern, decoded)
            if child is not None and child.text not in seen:
                seen.add(child.text)
                waiting.append(child)


def _decoded(
    layer: Layer, encoding: str, pattern: re.Pattern[str], decoded: Callable[[str], str]
) -> Layer | None:
    """Put what every run says in its place; None when no run says anything."""
    parts: list[str] = []
    new: list[int] = []
    old: list[int] = []
    at = size = 0
    for match in pattern.finditer(layer.text):
        said = decoded(match[0])
        if not said:
            continue
        start, end = match.span()
        parts += (layer.text[at:start], said)
        size += start - at
        new += (size, size + len(said))
        old += (start, end)
        size += len(said)
        at = end
    if not new:
        return None
    parts.append(layer.text[at:])
    return Layer("".join(parts), encoding, parent=layer, new=new, old=old)


def _printable(data: bytes) -> str:
    """Read bytes as text; empty when they are data and not text."""
    try:
        text = data.decode("utf-16-le" if data[1:6:2] == b"\0\0\0" else "utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        if sum(32 <= byte < 127 for byte in data) < 0.9 * len(data):
            return ""
    # Format characters are no data: text is written with them so that people cannot see it.
    fine = sum(c.isprintable() or c.isspace() or unicodedata.category(c) == "Cf" for c in text)
    return text if fine >= 0.9 * len(text) else ""


def _from_base64(run: str) -> str:
    whole = _one_base64("".join(run.split()))
    if whole or not re.search(r"\s", run):
        return whole
    # A word of prose on the line before was taken for its first line.
    return "\n".join(filter(None, map(_one_base64, run.split())))


def _one_base64(token: str) -> str:
    token = token.rstrip("=").replace("-", "+").replace("_", "/")
    for skipped in range(4):  # the run may begin with something glued to it
        body = token[skipped:]
        body = body[: len(body) - (len(body) % 4 == 1)]
        try:
            text = _printable(base64.b64decode(body + "=" * (-len(body) % 4)))
        except (binascii.Error, ValueError):  # pragma: no cover - the pattern admits the alphabet only
            continue
        if text:
            return text
    return ""


def _from_base32(run: str) -> str:
    token = "".join(run.split()).rstrip("=").upper()
    token = token[: len(token) - {1: 1, 3: 1, 6: 1}.get(len(token) % 8, 0)]
    try:
        return _printable(base64.b32decode(token + "=" * (-len(token) % 8)))
    except (binascii.Error, ValueError):
        return ""


def _from_hex(run: str) -> str:
    digits = re.sub(r"0x|\\x|[^0-9a-fA-F]", "", run)
    return _printable(bytes.fromhex(digits[: len(digits) // 2 * 2]))


def _from_numbers(base: int) -> Callable[[str], str]:
    def decoded(run: str) -> str:
        codes = [int(number, base) for number in re.findall(r"\d+", run)]
        if any(not 9 <= code < 0x250 for code in codes):
            return ""
        return "".join(map(chr, codes))

    return decoded


def _from_bits(run: str) -> str:
    bits = re.sub(r"[^01]", "", run)
    return _printable(bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits) - 7, 8)))


def _from_escape(run: str) -> str:
    code = int(re.sub(r"[^0-9a-fA-F]", "", run.partition("u" if "u" in run[:2] else "x")[2]), 16)
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""


def _from_tags(run: str) -> str:
    return "".join(chr(ord(c) - 0xE0000) for c in run if 0xE0020 <= ord(c) < 0xE007F)


_SIGN: Final = r"[ \t]*[,;:/|-]?[ \t\n]*"
_DECODERS: Final[tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...]] = (
    ("url", re.compile(r"(?:%[0-9A-Fa-f]{2})+"), unquote),
    ("quoted-printable", re.compile(r"=[0-9A-F]{2}|=\r?\n"), lambda run: _from_hex(run[1:].strip()) or ""),
    ("entity", re.compile(r"&(?:#\d{2,7}|#[xX][0-9a-fA-F]{2,6}|[a-zA-Z]{2,8});?"), unescape),
    (
        "escape",
        re.compile(r"\\u\{[0-9a-fA-F]{2,6}\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\U[0-9a-fA-F]{8}"),
        lambda run: _from_escape(run.replace("\\U", "\\u")),
    ),
    ("tags", re.compile("[\U000e0020-\U000e007e]{3,}"), _from_tags),
    (
        "hex",
        re.compile(rf"(?:0x|\\x)?[0-9a-fA-F]{{2}}(?:{_SIGN}(?:0x|\\x)?[0-9a-fA-F]{{2}}){{4,}}"),
        _from_hex,
    ),
    ("binary", re.compile(rf"[01]{{8}}(?:{_SIGN}[01]{{8}}){{3,}}"), _from_bits),
    ("octal", re.compile(r"[\\0o]{0,2}[01][0-7]{2}(?:[ ,;\\]{1,3}0?o?[01]?[0-7]{2}){4,}"), _from_numbers(8)),
    ("decimal", re.compile(r"\b[1-9]\d{1,2}(?:[ \t\n,;|-]{1,3}[1-9]\d{1,2}){4,}\b"), _from_numbers(10)),
    (
        "base32",
        re.compile(r"\b(?:[A-Z2-7]{8,}|[a-z2-7]{16,})\s{0,2}(?:[A-Z2-7]{8,}\s{0,2})*={0,6}"),
        _from_base32,
    ),
    (
        "base64",
        re.compile(r"[A-Za-z0-9+/_-]{12,}(?:[ \t]{0,4}\r?\n[ \t]{0,4}[A-Za-z0-9+/_-]{4,})*={0,2}"),
        _from_base64,
    ),
    (
        "spaced",
        re.compile(r"(?<!\S)(?:[A-Za-z0-9+/=%&;#\\][ \t\n._|*,~-]){11,}[A-Za-z0-9+/=%;]"),
        lambda run: run[::2],
    ),
)

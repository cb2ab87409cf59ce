"""One JSON string, read as it is written."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["Text"]

_RUN: Final = re.compile(r'[^"\\\x00-\x1f]*')
_ESCAPES: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX: Final = re.compile(r"u[0-9a-fA-F]{4}")
_HIGH: Final = range(0xD800, 0xDC00)
_LOW: Final = range(0xDC00, 0xE000)


class Text:
    """Reads what stands after an opening quote; escapes and surrogate pairs may be cut anywhere.

    Attributes:
        is_over: The closing quote has been read.
        is_broken: This is no JSON string.
    """

    __slots__ = ("_escape", "_high", "_read", "_runs", "is_broken", "is_over")

    def __init__(self) -> None:
        """Start behind the opening quote."""
        self._read = ""
        self._runs: list[str] = []
        self._escape = ""
        """The escape that has begun, from its backslash on."""
        self._high = 0
        """The first half of a pair, whose second half must follow."""
        self.is_over = False
        self.is_broken = False

    def __len__(self) -> int:
        """Count what was put together so far."""
        return len(self._read)

    def so_far(self) -> str:
        """Give the whole characters read so far."""
        if self._runs:
            self._read = "".join([self._read, *self._runs])
            self._runs.clear()
        return self._read

    def feed(self, chunk: str, position: int) -> int:
        """Read on; gives the position after the closing quote, or the end of the chunk."""
        end = len(chunk)
        while position < end:
            if self._escape:
                self._escape += chunk[position]
                position += 1
                self._on_escape(self._escape[1:])
            else:
                found: re.Match[str] = _RUN.match(chunk, position)  # type: ignore[assignment]
                stop = found.end()
                if stop > position:
                    self._runs.append(chunk[position:stop])
                    self.is_broken = bool(self._high)
                if stop == end:
                    return stop
                position = stop + 1
                if chunk[stop] == "\\":
                    self._escape = "\\"
                else:
                    self.is_over = chunk[stop] == '"' and not self._high
                    self.is_broken = self.is_broken or not self.is_over
            if self.is_over or self.is_broken:
                break
        return position

    def _on_escape(self, escape: str) -> None:
        if escape[0] != "u":
            plain = _ESCAPES.get(escape)
            self.is_broken = plain is None or bool(self._high)
            self._runs.append(plain or "")
        elif len(escape) < 5:  # noqa: PLR2004 - u and four digits
            return
        elif _HEX.fullmatch(escape) is None:
            self.is_broken = True
        else:
            self._on_code(int(escape[1:], 16))
        self._escape = ""

    def _on_code(self, code: int) -> None:
        if (code in _LOW) is not bool(self._high):
            self.is_broken = True  # half of a pair
        elif code in _HIGH:
            self._high = code
        elif self._high:
            self._runs.append(chr(0x10000 + ((self._high - 0xD800) << 10) + (code - 0xDC00)))
            self._high = 0
        else:
            self._runs.append(chr(code))

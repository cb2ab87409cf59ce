"""What a detector found before, without the texts it found it in."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

from langchain_prodkit.errors import InputTypeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from langchain_prodkit.privacy.span import Span

__all__ = ["SpanCache"]


class SpanCache:
    """The spans of the texts seen last, by a hash that only this cache can compute."""

    def __init__(self, size: int) -> None:
        """Remember up to `size` texts; 0 for none."""
        self._size = size
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._spans: OrderedDict[bytes, tuple[Span, ...]] = OrderedDict()

    def split(self, texts: Sequence[str]) -> tuple[list[list[Span]], dict[str, list[int]]]:
        """Give the spans known for each text, and text -> positions of those that must be read.

        Raises:
            InputTypeError: `texts` is not a list of `str`.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InputTypeError("detect() takes a list of str")
        found: list[list[Span]] = []
        missing: dict[str, list[int]] = {}
        for index, text in enumerate(texts):
            spans: Sequence[Span] | None = () if not text or text.isspace() else self._get(text)
            found.append(list(spans or ()))
            if spans is None:
                missing.setdefault(text, []).append(index)
        return found, missing

    def fill(
        self, found: list[list[Span]], missing: dict[str, list[int]], read: Iterable[Sequence[Span]]
    ) -> list[list[Span]]:
        """Remember what was `read` in the missing texts, and put it where it belongs."""
        for (text, indices), spans in zip(missing.items(), read, strict=True):
            self._put(text, spans)
            for index in indices:
                found[index] = list(spans)
        return found

    def _hash(self, text: str) -> bytes:
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()

    def _get(self, text: str) -> tuple[Span, ...] | None:
        if not self._size:
            return None
        key = self._hash(text)
        with self._lock:
            spans = self._spans.get(key)
            if spans is not None:
                self._spans.move_to_end(key)
            return spans

    def _put(self, text: str, spans: Sequence[Span]) -> None:
        if not self._size:
            return
        key = self._hash(text)
        with self._lock:
            self._spans[key] = tuple(spans)
            self._spans.move_to_end(key)
            while len(self._spans) > self._size:
                self._spans.popitem(last=False)

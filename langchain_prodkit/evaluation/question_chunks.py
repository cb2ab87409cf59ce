"""Pieces of documents that are small enough to ask about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from langchain_core.documents import Document

from langchain_prodkit.errors import InputTypeError

__all__ = ["Chunk", "chunks_of"]

_LETTER: Final = re.compile(r"[^\W\d_]")
_MIN_LETTERS: Final = 20
"""A piece with fewer (a page number, a heading) says nothing to ask about."""
_BREAKS: Final = (
    re.compile(r"\n\s*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?。])\s+"),
    re.compile(r"\s+"),
)
"""Where a text is cut, the best place first."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document."""

    text: str = field(repr=False)
    id: str = field(repr=False)
    """The document's id, or its place in the list; with the piece's place where there is more than one."""
    document_id: str | None = field(default=None, repr=False)
    """The document's own id."""


def chunks_of(docs: Sequence[Document | str], chunk_chars: int) -> list[Chunk]:
    """Cut documents into pieces of at most `chunk_chars` characters, in order.

    Raises:
        InputTypeError: One is neither a document nor a text.
    """
    chunks: list[Chunk] = []
    for number, doc in enumerate(docs, start=1):
        if not isinstance(doc, str | Document):
            msg = f"a document or a text is needed, not a {type(doc).__qualname__}"
            raise InputTypeError(msg)
        text = doc if isinstance(doc, str) else doc.page_content
        document_id = None if isinstance(doc, str) else doc.id
        name = document_id or f"document-{number}"
        pieces = [piece for piece in _cut(text, chunk_chars) if _says_something(piece)]
        chunks += [
            Chunk(piece, name if len(pieces) == 1 else f"{name}#{at}", document_id)
            for at, piece in enumerate(pieces, start=1)
        ]
    return chunks


def _says_something(text: str) -> bool:
    return sum(1 for _ in _LETTER.finditer(text[:1000])) >= _MIN_LETTERS


def _cut(text: str, chunk_chars: int) -> list[str]:
    pieces: list[str] = []
    at = 0
    while len(text) - at > chunk_chars:
        end = _best_end(text, at, at + chunk_chars)
        pieces.append(text[at:end].strip())
        at = end
    return [*pieces, text[at:].strip()]


def _best_end(text: str, start: int, limit: int) -> int:
    """Find the last good place to cut in the second half of what fits."""
    half = start + (limit - start) // 2
    for pattern in _BREAKS:
        ends = [match.end() for match in pattern.finditer(text, half, limit)]
        if ends:
            return ends[-1]
    return limit

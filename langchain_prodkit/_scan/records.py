"""Take files apart into texts: where each one stands, and no more of them in memory than are judged."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TextIO

from langchain_prodkit import _text
from langchain_prodkit.errors import ProdkitError

__all__ = ["Kind", "Record", "ScanError", "opened", "records"]

Kind = Literal["txt", "jsonl", "csv"]
STDIN: Final = "-"
CHUNK_CHARS: Final = 100_000
"""A longer text file is judged in pieces of this size ..."""
OVERLAP_CHARS: Final = 4_000
"""... each of which repeats so much of the one before, so that no attack is cut in two."""
LINE_CHARS: Final = 16_000_000
"""A longer line of JSON, or field of CSV, is refused."""
_KINDS: Final[dict[str, Kind]] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv",
}  # fmt: skip


class ScanError(Exception):
    """Says why a file cannot be scanned: its name and line, nothing of what it holds."""


@dataclass(frozen=True, slots=True)
class Record:
    """One text to judge."""

    file: str
    text: str
    line: int
    """The line of the file on which the text, or the row that holds it, begins; from 1."""
    field: str = ""
    """The field of the row; empty for text files."""
    offset: int = 0
    """Characters of the file before `text`; only for text files."""
    column: int = 1
    """The place in its line at which the text begins; from 1."""
    tail: int = 0
    """So many characters at the end stand in the next record, too."""


@contextmanager
def opened(name: str) -> Iterator[TextIO]:
    """Open a file, or standard input for `-`; bytes that are no UTF-8 stay what they are."""
    if name == STDIN:
        sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="")  # type: ignore[union-attr]
        yield sys.stdin
        return
    try:
        with Path(name).open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield file
    except OSError as error:
        raise ScanError(f"{name}: {error.strerror or type(error).__name__}") from None


def records(name: str, file: TextIO, *, kind: Kind | None, fields: tuple[str, ...]) -> Iterator[Record]:
    """Yield the texts of one file; `fields` are those of JSON rows or CSV columns, none for all."""
    kind = kind or _KINDS.get(Path(name).suffix.lower(), "txt")
    if kind == "txt":
        return _pieces(name, file)
    return _rows(name, file, fields) if kind == "jsonl" else _cells(name, file, fields)


def _pieces(name: str, file: TextIO) -> Iterator[Record]:
    text = file.read(CHUNK_CHARS)
    offset, line, column = 0, 1, 1
    while True:
        more = file.read(CHUNK_CHARS - OVERLAP_CHARS) if len(text) >= CHUNK_CHARS else ""
        yield Record(name, text, line, "", offset, column, OVERLAP_CHARS if more else 0)
        if not more:
            return
        passed, kept = text[:-OVERLAP_CHARS], text[-OVERLAP_CHARS:]
        offset += len(passed)
        line += passed.count("\n")
        column = len(passed) - passed.rfind("\n") if "\n" in passed else column + len(passed)
        text = kept + more


def _rows(name: str, file: TextIO, fields: tuple[str, ...]) -> Iterator[Record]:
    number = 0
    while line := file.readline(LINE_CHARS + 1):
        number += 1
        if len(line) > LINE_CHARS:
            raise ScanError(f"{name}:{number}: the line is longer than {LINE_CHARS:,} characters")
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise ScanError(f"{name}:{number}: the line is no JSON") from None
        for field in fields or ("",):
            value = row
            for key in field.split(".") if field else ():
                if not isinstance(value, dict) or key not in value:
                    raise ScanError(f"{name}:{number}: the row has no field {field!r}; see --field")
                value = value[key]
            yield from _strings(name, number, field, value)


def _strings(name: str, number: int, field: str, value: object) -> Iterator[Record]:
    try:
        leaves = _text.leaves(value)
    except ProdkitError as error:
        raise ScanError(f"{name}:{number}: {error}") from None
    for leaf in leaves:
        path = ".".join([field, *map(str, leaf.path)] if field else map(str, leaf.path))
        yield Record(name, leaf.text, number, path)


def _cells(name: str, file: TextIO, columns: tuple[str, ...]) -> Iterator[Record]:
    csv.field_size_limit(LINE_CHARS)
    reader = csv.reader(file, delimiter="\t" if Path(name).suffix.lower() == ".tsv" else ",")
    try:
        header = next(reader, None)
        if header is None:
            return
        missing = [column for column in columns if column not in header]
        if missing:
            raise ScanError(f"{name}: there is no column {missing[0]!r}; see --column")
        before = reader.line_num
        for row in reader:
            for column, text in zip(header, row, strict=False):
                if not columns or column in columns:
                    yield Record(name, text, before + 1, column)
            for number, text in enumerate(row[len(header) :], len(header) + 1):
                if not columns:
                    yield Record(name, text, before + 1, f"column {number}")
            before = reader.line_num
    except csv.Error as error:
        raise ScanError(f"{name}:{reader.line_num}: {error}") from None

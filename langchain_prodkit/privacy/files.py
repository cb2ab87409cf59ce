"""Files as streams of records: text in blocks, JSON lines, tables; read and written a piece at a time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from itertools import chain, islice
from typing import IO, TYPE_CHECKING, Any, Final, Literal, TypeAlias, get_args

from langchain_prodkit.errors import ConfigurationError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Format", "format_of", "redone"]

Format = Literal["text", "jsonl", "csv"]
Work: TypeAlias = Callable[[list[Any]], list[Any]]
"""Gets values and gives as many back."""

BLOCK_CHARS: Final = 16_384
"""A block of text ends at the first empty line past this, or at the next line past twice as much."""
BATCH: Final = 64
"""Records that are worked on together."""
FIELD_CHARS: Final = 64 * 1024 * 1024
_SNIFFED: Final = 8_192
_SUFFIXES: Final[dict[str, Format]] = {
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".tab": "csv",
}  # fmt: skip


def format_of(path: Path | None, told: str) -> Format:
    """Tell the format by what was told, or else by the file's suffix; text is what is neither.

    Raises:
        ConfigurationError: There is no such format.
    """
    for known in get_args(Format):
        if told == known:
            return known  # type: ignore[no-any-return]
    if told != "auto":
        raise ConfigurationError(f"the format is one of auto, {', '.join(get_args(Format))}")
    return "text" if path is None else _SUFFIXES.get(path.suffix.lower(), "text")


def redone(
    source: IO[str], kind: Format, work: Work, *, names: Sequence[str] = ()
) -> Iterator[tuple[int, str]]:
    """Give the text of `source` with every record worked on, and how many records each piece holds.

    Args:
        source: A text file, opened with `newline=""`.
        kind: How it is read. Of JSON lines every string, number and key is worked on, of tables every
            cell below the first row.
        work: What is done with the values of the records.
        names: Only these fields (of JSON lines, `a.b` for one inside another) or columns.

    Raises:
        InputTypeError: A line is no JSON, or no column has one of the names. The message has no text.
    """
    if kind == "jsonl":
        yield from _lines(source, work, names)
    elif kind == "csv":
        yield from _rows(source, work, names)
    else:
        if names:
            raise ConfigurationError("a text has no fields and no columns")
        for block in _blocks(source):
            yield 1, work([block])[0]


def _blocks(source: IO[str]) -> Iterator[str]:
    lines: list[str] = []
    size = 0
    while line := source.readline(BLOCK_CHARS):
        lines.append(line)
        size += len(line)
        is_end = line.endswith("\n")
        if (size >= BLOCK_CHARS and is_end and not line.strip()) or (size >= 2 * BLOCK_CHARS and is_end):
            yield "".join(lines)
            lines, size = [], 0
        elif size >= 4 * BLOCK_CHARS:
            # One endless line: end where no placeholder and no word goes on.
            text = "".join(lines)
            at = max(map(text.rfind, " \t,;|()[]{}\"'")) + 1 or len(text)
            yield text[:at]
            lines, size = [text[at:]], len(text) - at
    if lines:
        yield "".join(lines)


def _lines(source: IO[str], work: Work, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    numbered = enumerate(source, 1)
    while part := list(islice(numbered, BATCH)):
        records = [_record(line, n) for n, line in part]
        picked = [_picked(record, names) for record in records if record is not _EMPTY]
        new = iter(work(picked))
        written = []
        for (_, line), record in zip(part, records, strict=True):
            end = line[len(line.rstrip("\r\n")) :]
            if record is _EMPTY:
                written.append(line)
            else:
                written.append(json.dumps(_put(record, next(new), names), ensure_ascii=False) + end)
        yield len(picked), "".join(written)


_EMPTY: Final = object()


def _record(line: str, n: int) -> Any:
    if not line.strip():
        return _EMPTY
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise InputTypeError(f"line {n} is no JSON") from None


def _picked(record: Any, names: Sequence[str]) -> Any:
    if not names:
        return record
    picked = {}
    for name in names:
        node = record
        for step in name.split("."):
            node = node.get(step, _EMPTY) if isinstance(node, dict) else _EMPTY
        if node is not _EMPTY:
            picked[name] = node
    return picked


def _put(record: Any, new: Any, names: Sequence[str]) -> Any:
    if not names:
        return new
    for name, value in new.items():
        *steps, last = name.split(".")
        node = record
        for step in steps:
            node = node[step]
        node[last] = value
    return record


def _rows(source: IO[str], work: Work, names: Sequence[str]) -> Iterator[tuple[int, str]]:
    csv.field_size_limit(FIELD_CHARS)
    head = source.read(_SNIFFED)
    rows = csv.reader(chain(_kept(head, source), source), delimiter=_delimiter(head))
    header = next(rows, None)
    if header is None:
        return
    missing = [name for name in names if name not in header]
    if missing:
        raise InputTypeError(f"{len(missing)} of the columns asked for are not in the first row")
    columns = [n for n, name in enumerate(header) if name in names] if names else None
    end = "\r\n" if "\r\n" in head else "\n"
    yield 0, _written([header], _delimiter(head), end)
    while part := list(islice(rows, BATCH)):
        wanted = [
            range(len(row)) if columns is None else [n for n in columns if n < len(row)] for row in part
        ]
        new = iter(work([row[n] for row, cells in zip(part, wanted, strict=True) for n in cells]))
        for row, cells in zip(part, wanted, strict=True):
            for n in cells:
                row[n] = next(new)
        yield len(part), _written(part, _delimiter(head), end)


def _kept(head: str, source: IO[str]) -> Iterator[str]:
    # What was read to look at it, line by line, the last one made whole.
    lines = io.StringIO(head + source.readline(), newline="")
    yield from lines


def _delimiter(head: str) -> str:
    first = head.partition("\n")[0]
    return max(",;\t|", key=first.count)


def _written(rows: Sequence[Sequence[str]], delimiter: str, end: str) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(rows)
    return out.getvalue()

"""Where the attack stands in rows that put the same attacks into several documents."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace

from training.guard.rows import Row

__all__ = ["placed", "tasks"]

SOURCE = "bipia"
"""Every text of it is a document; an attack stands before it, after it or between two of its lines."""


def placed(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield the rows, those of `SOURCE` with the place of their attack.

    An attack is made of lines that come in several documents of its category and in no other row. Where
    no line does, the place stays unknown.
    """
    every = list(rows)
    seen: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
    for number, row in enumerate(every):
        if row.source == SOURCE:
            for line in row.text.split("\n"):
                seen[line].add((row.category, number))
    for row in every:
        is_injected = row.source == SOURCE and row.is_attack
        yield replace(row, place=_place(row, seen)) if is_injected else row


def _place(row: Row, seen: dict[str, set[tuple[str, int]]]) -> tuple[int, int] | None:
    """Find the longest stretch of lines that only this category has, empty lines between them included."""
    best: tuple[int, int] | None = None
    start, at = -1, 0
    for line in row.text.split("\n"):
        rows = seen[line]
        if line.strip():
            is_attack = len(rows) > 1 and {category for category, _ in rows} == {row.category}
            start = (start if start >= 0 else at) if is_attack else -1
            if is_attack and (best is None or at + len(line) - start > best[1] - best[0]):
                best = start, at + len(line)
        at += len(line) + 1
    return best


def tasks(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield each attack of one line that `placed` found, for `training.guard.draws` to put elsewhere."""
    found: dict[str, Row] = {}
    for row in rows:
        if row.source == SOURCE and row.place is not None:
            said = row.text[slice(*row.place)]
            if "\n" not in said:
                kind = row.category.partition(":")[2]
                found.setdefault(said, replace(row, text=said, category=f"note_task:{kind}", place=None))
    yield from found.values()

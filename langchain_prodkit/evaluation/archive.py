"""Records in a spool: as lines, and back with what was said of them later."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.record import EvalRecord, Feedback
from langchain_prodkit.evaluation.spool import FEEDBACK, Line, Spool

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

__all__ = ["BATCH", "Archive", "Note"]

Note = tuple[str, Feedback]
"""A record's id, and what was said of it."""

_REDACTED: Final = "_redacted"
"""Marks a line that went through a redactor."""
BATCH: Final = 256
"""Records written at a time."""


class Archive:
    """What a callback keeps in its spool; used by one thread at a time."""

    def __init__(self, spool: Spool) -> None:
        """Keep records in `spool`."""
        self.spool = spool
        self._gone: set[str] = set()
        """Handed over, but the disk would not let go of them."""

    def add(self, records: Sequence[EvalRecord], *, is_redacted: bool) -> int:
        """Write records and say how many found room.

        Raises:
            OSError: The disk refuses the first of them.
        """
        lines = [{**record.to_dict(), _REDACTED: is_redacted} for record in records]
        return self.spool.write(lines)

    def say(self, notes: Sequence[Note], *, is_redacted: bool) -> int:
        """Write what was said of records that are on disk, and say how many notes found room.

        Raises:
            OSError: The disk refuses.
        """
        lines: list[Line] = [
            {"id": identity, FEEDBACK: asdict(item), _REDACTED: is_redacted} for identity, item in notes
        ]
        return self.spool.write(lines)

    def records(
        self, clean: Callable[[EvalRecord], EvalRecord | None] | None, notes: Sequence[Note]
    ) -> list[EvalRecord]:
        """Give all records with what was said of them.

        Those that no redactor has seen go through `clean`, which drops one by giving None.

        Raises:
            OSError: The disk refuses.
        """
        found: list[EvalRecord] = []
        places: dict[str, int] = {}
        seen: set[str] = set()
        for line in self.spool.read():
            if line["id"] in self._gone:
                continue
            is_raw = not line.pop(_REDACTED, False)
            said = line.pop(FEEDBACK, None)
            # A crash while a file was rewritten leaves a line twice; two runs that were given the same id
            # are two records.
            text = json.dumps((line, said), sort_keys=True)
            if text in seen:
                continue
            seen.add(text)
            record = _record(line if said is None else {"id": line["id"], "feedback": [said]})
            if record is not None and is_raw and clean is not None:
                record = clean(record)
            if record is None:
                continue
            if said is None:
                places[record.id] = len(found)
                found.append(record)
            else:
                _attach(found, places, record)
        for identity, feedback in notes:
            _attach(found, places, EvalRecord(identity, feedback=(feedback,)))
        return found

    def has(self, identity: str) -> bool:
        """Tell whether a record is on disk."""
        return identity not in self._gone and self.spool.has(identity)

    def forget(self, ids: Collection[str]) -> None:
        """Give these records no more, and remove them from the disk if it lets us."""
        self._gone |= set(ids)
        try:
            self.spool.forget(self._gone)
        except OSError:
            return
        self._gone.clear()


def _record(line: Line) -> EvalRecord | None:
    try:
        return EvalRecord.from_dict(line)
    except EvaluationError:
        return None


def _attach(found: list[EvalRecord], places: dict[str, int], note: EvalRecord) -> None:
    at = places.get(note.id)
    if at is not None:
        found[at] = replace(found[at], feedback=(*found[at].feedback, *note.feedback))

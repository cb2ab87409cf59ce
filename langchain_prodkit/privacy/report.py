"""What was hidden, told in kinds, counts and offsets; never what it was."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, final

from langchain_prodkit.errors import ConfigurationError, RedactionError

__all__ = ["AuditLog", "Hidden", "RedactionReport"]

MAX_LISTED: Final = 1_000
"""Places that an event and a message list; the counts are always whole."""


class Hidden(NamedTuple):
    """One place where something was hidden."""

    path: tuple[str | int, ...]
    """Keys, indices and attributes that lead to the text; `*` for a key that is no name of a field."""
    start: int
    """Offset of the first character, in the text that came in."""
    end: int
    """Offset after the last one."""
    entity: str
    """What it was, as it stands in a placeholder."""


@dataclass(frozen=True, slots=True)
class RedactionReport:
    """What one redaction hid."""

    entities: Mapping[str, int] = field(default_factory=dict)
    """Entity -> how often."""
    hidden: tuple[Hidden, ...] = ()
    """Where, in the order of the texts."""
    leaves: int = 0
    """Texts that were looked at."""

    @classmethod
    def of(cls, hidden: Sequence[Hidden], leaves: int) -> RedactionReport:
        """Count what was hidden."""
        return cls(dict(Counter(one.entity for one in hidden)), tuple(hidden), leaves)

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON can write it, the first 1,000 places at most."""
        listed = [
            {"path": list(one.path), "start": one.start, "end": one.end, "entity": one.entity}
            for one in self.hidden[:MAX_LISTED]
        ]
        return {"entities": dict(self.entities), "leaves": self.leaves, "hidden": listed}


@final
class AuditLog:
    """Appends one JSON line an event to a file that only its owner may read: time, kinds, counts.

    A line is one write in append mode, so threads and processes may share the file. A line that cannot
    be written raises: what is not on record does not happen.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file at each line, so that it may be moved away and made anew.

        Raises:
            ConfigurationError: It cannot be written.
        """
        self._path = os.fspath(path)
        try:
            os.close(self._opened())
        except OSError as error:
            raise ConfigurationError(
                f"the audit log cannot be written ({type(error).__qualname__})"
            ) from None

    def write(self, event: str, data: Mapping[str, Any]) -> None:
        """Append a line.

        Raises:
            RedactionError: It could not be written.
        """
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"time": now, "event": event, **data}) + "\n"
        try:
            handle = self._opened()
            try:
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except OSError as error:
            raise RedactionError(
                f"the audit log cannot be written ({type(error).__qualname__}); nothing went on"
            ) from None

    def _opened(self) -> int:
        return os.open(self._path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

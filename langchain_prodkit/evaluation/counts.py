"""What `MLflowEvalCallback` counts."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CallbackStatistics"]


@dataclass(frozen=True, slots=True)
class CallbackStatistics:
    """What became of the runs so far; between calls `sampled == recorded + dropped + open`."""

    seen: int
    """Root runs that started."""
    sampled: int
    """Of these, chosen to be recorded: by chance, or in the end by `always_keep`."""
    recorded: int
    """Became a record, whether it is still held or was handed over."""
    held: int
    """Records in memory now."""
    spooled: int
    """Records on disk now, those that earlier processes left included."""
    taken_up: int
    """Records found on disk that earlier processes left; no run of this process."""
    dropped: int
    """Chosen, but lost: no room, never ended, or the redactor failed."""
    open: int
    """Chosen and going on now."""
    errors: int
    """Recorded runs that ended in an error."""
    flagged: int
    """Recorded runs whose answer failed a check."""
    check_errors: int
    """Times that a check itself raised."""
    truncated: int
    """Recorded runs whose texts were cut to `max_record_bytes`."""

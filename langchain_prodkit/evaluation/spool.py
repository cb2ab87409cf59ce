"""Records on disk: a folder of JSONL files, each held by one process at a time.

A file belongs to whoever holds its lock (`flock`), and the kernel drops the lock when a process ends,
however it ends. So what a dead process left is free to be taken up, by one successor only, and what
a living one holds is not. Lines are written whole, one system call a batch; a line that a crash cut
short is skipped when the file is read.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["FEEDBACK", "Line", "Spool"]

Line = dict[str, Any]

FEEDBACK: Final = "_feedback"
"""Key of a line that says something of a record in an earlier line."""
PARTS: Final = 8
"""The spool is cut into so many files, so that the oldest can be dropped without touching the rest."""
_SUFFIX: Final = ".jsonl"
_READ_BYTES: Final = 1 << 20
_BATCH: Final = 256
"""Lines written at a time."""


class _Segment:
    """One file, locked while `fd` is open."""

    __slots__ = ("fd", "is_own", "path", "records", "size")

    def __init__(self, path: Path, fd: int, *, is_own: bool) -> None:
        self.path = path
        self.fd: int | None = fd
        self.is_own = is_own
        self.records = 0
        self.size = 0
        """Bytes of whole lines."""

    def append(self, lines: Sequence[bytes], records: int) -> None:
        assert self.fd is not None  # noqa: S101 - only held files are written
        data = b"".join(lines)
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self.fd, data[done:], self.size + done)
        except OSError:
            # Half a line in the middle would spoil the next one as well.
            with contextlib.suppress(OSError):
                os.ftruncate(self.fd, self.size)
            raise
        self.size += len(data)
        self.records += records

    def lines(self) -> Iterator[Line]:
        assert self.fd is not None  # noqa: S101
        rest, at = b"", 0
        while chunk := os.pread(self.fd, _READ_BYTES, at):
            at += len(chunk)
            *whole, rest = (rest + chunk).split(b"\n")
            for line in whole:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict) and isinstance(row.get("id"), str):
                    yield row

    def close(self) -> None:
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None

    def remove(self) -> None:
        with contextlib.suppress(OSError):
            self.path.unlink()
        self.close()


class Spool:
    """The files that one callback holds in a folder: its own, and those it took up."""

    def __init__(self, folder: str | os.PathLike[str], *, max_bytes: int, drops_oldest: bool) -> None:
        """Make the folder, readable by this user alone, where there is none.

        Raises:
            ConfigurationError: It cannot be made or written, or this system has no `flock`.
        """
        if fcntl is None:  # pragma: no cover - Windows
            msg = "spool_dir needs POSIX file locks, which this system lacks; leave it out"
            raise ConfigurationError(msg)
        self.folder = Path(folder)
        self.max_bytes = max_bytes
        self.drops_oldest = drops_oldest
        self._part = max(1, max_bytes // PARTS)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            msg = f"spool_dir cannot be made ({error.strerror or type(error).__name__}); give another folder"
            raise ConfigurationError(msg) from None
        if not os.access(self.folder, os.W_OK | os.X_OK):
            msg = "spool_dir cannot be written; give another folder"
            raise ConfigurationError(msg)
        self.taken_up = 0
        """Records found that earlier processes left."""
        self.discarded = 0
        """Own records dropped to make room."""
        self._segments: list[_Segment] = []
        self._own: set[str] = set()
        self._active: _Segment | None = None

    @property
    def records(self) -> int:
        """Records on disk, as far as known without looking."""
        return sum(segment.records for segment in self._segments)

    @property
    def held_bytes(self) -> int:
        """What the files held take."""
        return sum(segment.size for segment in self._segments)

    def write(self, lines: Sequence[Line]) -> int:
        """Append `lines` and say how many found room; what was said of a record later is none.

        Raises:
            OSError: The disk refuses; nothing of the batch that failed is kept.
        """
        done = 0
        while done < len(lines):
            data = [_coded(line) for line in lines[done : done + _BATCH]]
            written = self._write(data)
            done += written
            if written < len(data):
                break
        return done

    def _write(self, data: Sequence[tuple[bytes, bool]]) -> int:
        done = 0
        while done < len(data):
            size = len(data[done][0])
            if size > self.max_bytes:
                # It can never be written, and must not keep the others waiting.
                self.discarded += data[done][1]
                done += 1
                continue
            if self.held_bytes + size > self.max_bytes:
                if not self._drop_oldest():
                    break
                continue
            try:
                written = self._append(data[done:], size)
            except OSError:
                if done:
                    return done
                raise
            done += written
        return done

    def _append(self, data: Sequence[tuple[bytes, bool]], size: int) -> int:
        segment = self._current(size)
        room = min(max(self._part, size) - segment.size, self.max_bytes - self.held_bytes)
        batch: list[bytes] = []
        records = 0
        for line, is_record in data:
            room -= len(line)
            if room < 0:
                break
            batch.append(line)
            records += is_record
        segment.append(batch, records)
        return len(batch)

    def read(self) -> Iterator[Line]:
        """Give all lines, the oldest first; what other processes left is taken up before."""
        self.take_up()
        for segment in self._segments:
            yield from segment.lines()

    def forget(self, ids: Collection[str]) -> None:
        """Remove the records with these ids, and what was said of them.

        Raises:
            OSError: The disk refuses; files not yet rewritten are as they were.
        """
        self._active = None
        for segment in [segment for segment in self._segments if segment.fd is not None]:
            kept = [line for line in segment.lines() if line["id"] not in ids]
            if kept:
                new = self._create(segment.path.name.partition("-")[0])
                new.is_own = segment.is_own
                coded = [_coded(line) for line in kept]
                try:
                    new.append([line for line, _ in coded], sum(is_record for _, is_record in coded))
                except OSError:
                    new.remove()
                    raise
                self._segments[self._segments.index(segment)] = new
            else:
                self._segments.remove(segment)
            segment.remove()
        if not self.records:
            # What is left speaks of records that are gone.
            for segment in self._segments:
                segment.remove()
            self._segments.clear()

    def has(self, identity: str) -> bool:
        """Tell whether a record is on disk."""
        return any(line["id"] == identity and FEEDBACK not in line for line in self.read())

    def sync(self) -> None:
        """Make sure that what was written outlives a power cut."""
        for segment in self._segments:
            if segment.fd is not None and segment.is_own:
                os.fsync(segment.fd)

    def release(self) -> None:
        """Let other processes take the files up; `read` takes them back if nobody did."""
        self._active = None
        for segment in self._segments:
            if segment.size:
                segment.close()
            else:
                segment.remove()

    def abandon(self) -> None:
        """Close what a forked process inherited: the files, and their locks, are its parent's."""
        for segment in self._segments:
            segment.close()
        self._segments, self._active = [], None

    def take_up(self) -> None:
        """Hold every file of the folder that nobody else holds."""
        held = {segment.path.name: segment for segment in self._segments}
        paths = list(self.folder.glob(f"*{_SUFFIX}"))
        self._own &= {path.name for path in paths}
        for path in paths:
            known = held.get(path.name)
            if known is not None and known.fd is not None:
                continue
            fd = _locked(path)
            if fd is None:
                continue
            if known is not None:
                known.fd = fd
                continue
            segment = _Segment(path, fd, is_own=path.name in self._own)
            for line in segment.lines():
                segment.records += FEEDBACK not in line
            segment.size = os.fstat(fd).st_size
            if not segment.is_own:
                self.taken_up += segment.records
            self._segments.append(segment)
        # Released, and taken up by somebody else since.
        self._segments = [segment for segment in self._segments if segment.fd is not None]
        # Names begin with the time.
        self._segments.sort(key=lambda segment: segment.path.name)

    def _current(self, size: int) -> _Segment:
        """Give the file to append to, a new one where the last has no room for `size` bytes more."""
        active = self._active
        if active is None or (active.size and active.size + size > self._part):
            active = self._active = self._create(f"{time.time_ns():020d}")
            self._segments.append(active)
        return active

    def _create(self, stamp: str) -> _Segment:
        # Locked before it has the name under which others look for it.
        name = f"{stamp}-{uuid.uuid4().hex[:12]}{_SUFFIX}"
        hidden = self.folder / f".{name}"
        fd = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            hidden.rename(self.folder / name)
        except OSError:
            os.close(fd)
            raise
        self._own.add(name)
        return _Segment(self.folder / name, fd, is_own=True)

    def _drop_oldest(self) -> bool:
        oldest = self._segments[0] if self._segments else None
        if not self.drops_oldest or oldest is None or not oldest.size:
            return False
        self._segments.remove(oldest)
        if oldest is self._active:
            self._active = None
        if oldest.is_own:
            self.discarded += oldest.records
        else:
            self.taken_up -= oldest.records
        oldest.remove()
        return True


def _coded(line: Line) -> tuple[bytes, bool]:
    """Give a line as it stands in the file, and whether it is a record."""
    data = json.dumps(line, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return data + b"\n", FEEDBACK not in line


def _locked(path: Path) -> int | None:
    """Open a file and hold it, unless somebody else does, or it was removed meanwhile."""
    try:
        fd = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_ino == path.stat().st_ino:
            return fd
    except OSError:
        pass
    os.close(fd)
    return None

"""Verdicts kept on disk: what was judged once is judged the same way again, for nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from langchain_prodkit.errors import ConfigurationError, StoreError
from langchain_prodkit.evaluation.judge_verdict import Verdict

__all__ = ["JsonlJudgeCache", "JudgeCache", "SqliteJudgeCache", "judge_cache"]

_SQLITE: Final = frozenset({".db", ".sqlite", ".sqlite3"})
_JSONL: Final = frozenset({".jsonl", ".ndjson"})
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_WAIT_S: Final = 5.0
_PRIVATE: Final = 0o600


@runtime_checkable
class JudgeCache(Protocol):
    """Keeps verdicts by key; called from many threads at once.

    What either method raises costs the cache, not the evaluation: the judge goes on without it.
    """

    def get(self, key: str) -> Verdict | None:
        """Give the verdict kept under `key` (64 hexadecimal digits), or None."""
        ...

    def put(self, key: str, verdict: Verdict) -> Verdict:
        """Keep a verdict unless there is one, and give the one that is kept."""
        ...


def judge_cache(path: str | Path) -> SqliteJudgeCache | JsonlJudgeCache:
    """Open a cache by the suffix of its file: `.db`, `.sqlite`, `.sqlite3`, or `.jsonl`.

    Raises:
        ConfigurationError: It has another suffix.
        StoreError: The file cannot be opened, or is no such cache.
    """
    path = Path(path)
    suffix = path.suffix.casefold()
    if suffix in _SQLITE:
        return SqliteJudgeCache(path)
    if suffix in _JSONL:
        return JsonlJudgeCache(path)
    msg = "a judge's cache is a file that ends in .sqlite, .sqlite3, .db or .jsonl, or a JudgeCache"
    raise ConfigurationError(msg)


class SqliteJudgeCache:
    """Verdicts in a sqlite file, for any number of threads and processes at once.

    The file holds keys and verdicts; a verdict's rationale may quote the texts that were judged, so
    the file is readable by its owner alone (0600). Give the judge `redact=` to keep personal data out.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file, or make it.

        Raises:
            StoreError: It cannot be opened, or is no sqlite file.
        """
        self.path = Path(path)
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._process = 0
        _made_private(self.path)
        with self._open():
            pass

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def get(self, key: str) -> Verdict | None:
        """Give the verdict kept under `key`, or None."""
        with self._open() as connection:
            return _found(connection, key)

    def put(self, key: str, verdict: Verdict) -> Verdict:
        """Keep a verdict unless there is one, and give the one that is kept."""
        data = json.dumps(verdict.to_dict(), ensure_ascii=False)
        with self._open() as connection, connection:
            connection.execute("INSERT OR IGNORE INTO verdicts (key, verdict) VALUES (?, ?)", (key, data))
            return _found(connection, key) or verdict

    def close(self) -> None:
        """Close the file; it is opened again when it is needed."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                # A connection does not survive a fork.
                if self._connection is None or self._process != os.getpid():
                    self._connection, self._process = self._connected(), os.getpid()
                yield self._connection
            except sqlite3.Error as error:
                msg = f"the judge's cache cannot be used: {type(error).__name__}"
                raise StoreError(msg) from None

    def _connected(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_WAIT_S, check_same_thread=False)
        try:
            exists = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'verdicts'").fetchone()
            if not exists:
                with connection:
                    connection.execute(
                        "CREATE TABLE IF NOT EXISTS verdicts (key TEXT PRIMARY KEY, verdict TEXT NOT NULL)"
                    )
        except BaseException:
            connection.close()
            raise
        return connection


class JsonlJudgeCache:
    """Verdicts in a text file, a line each, for any number of threads and processes at once.

    Made to be read, diffed and kept as a CI artifact. Readable by its owner alone, as
    `SqliteJudgeCache` is and for the same reason. Lines that cannot be read are passed over.
    """

    def __init__(self, path: str | Path) -> None:
        """Open the file, or make it.

        Raises:
            StoreError: It cannot be opened.
        """
        self.path = Path(path)
        self._lock = threading.Lock()
        self._verdicts: dict[str, Verdict] = {}
        self._read_to = 0
        _made_private(self.path)
        with self._lock:
            self._read()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._verdicts)} verdicts)"

    def get(self, key: str) -> Verdict | None:
        """Give the verdict kept under `key`, or None."""
        with self._lock:
            if key not in self._verdicts:
                self._read()
            return self._verdicts.get(key)

    def put(self, key: str, verdict: Verdict) -> Verdict:
        """Keep a verdict unless there is one, and give the one that is kept."""
        line = json.dumps({"key": key, **verdict.to_dict()}).encode() + b"\n"
        with self._lock:
            try:
                with self.path.open("r+b") as file, _alone(file):
                    self._read_from(file)
                    if key in self._verdicts:
                        return self._verdicts[key]
                    end = file.seek(0, os.SEEK_END)
                    if end > self._read_to:
                        # Somebody's line was cut off in the middle: it ends here.
                        line = b"\n" + line
                    file.write(line)
                    file.flush()
                    self._read_to = end + len(line)
            except OSError as error:
                raise _unusable(error) from None
            self._verdicts[key] = verdict
            return verdict

    def _read(self) -> None:
        try:
            if self.path.stat().st_size != self._read_to:
                with self.path.open("rb") as file:
                    self._read_from(file)
        except OSError as error:
            raise _unusable(error) from None

    def _read_from(self, file: Any) -> None:
        if file.seek(0, os.SEEK_END) < self._read_to:
            # Another file has taken its place.
            self._read_to = 0
            self._verdicts.clear()
        file.seek(self._read_to)
        for line in file:
            if not line.endswith(b"\n"):
                return
            self._read_to += len(line)
            try:
                data = json.loads(line)
            except (ValueError, RecursionError):
                continue
            key = data.get("key") if isinstance(data, dict) else None
            verdict = Verdict.from_dict(data)
            if verdict is not None and isinstance(key, str) and _KEY.fullmatch(key):
                self._verdicts.setdefault(key, verdict)


def _found(connection: sqlite3.Connection, key: str) -> Verdict | None:
    row = connection.execute("SELECT verdict FROM verdicts WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    try:
        return Verdict.from_dict(json.loads(row[0]))
    except (ValueError, TypeError, RecursionError):
        return None


def _made_private(path: Path) -> None:
    """Make the file if there is none, for its owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, _PRIVATE))
        if not path.is_file():
            raise IsADirectoryError(21, "it is no file")
        with contextlib.suppress(PermissionError):
            # An older file, or one that CI unpacked, may be open to others.
            path.chmod(_PRIVATE if os.access(path, os.W_OK) else 0o400)
    except OSError as error:
        raise _unusable(error) from None


@contextlib.contextmanager
def _alone(file: Any) -> Iterator[None]:
    """Keep other processes out while the file is read and written."""
    try:
        import fcntl  # noqa: PLC0415 - not on Windows
    except ImportError:
        # There one line is still written in one piece.
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        file.flush()
        fcntl.flock(file, fcntl.LOCK_UN)


def _unusable(error: OSError) -> StoreError:
    return StoreError(f"the judge's cache cannot be used: {error.strerror or type(error).__name__}")

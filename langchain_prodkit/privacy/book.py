"""`Book`: a vault in one file, for work on files; sealed values, keyed digests, memory that does not grow."""

from __future__ import annotations

import hmac
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

from langchain_prodkit.errors import ConfigurationError, RedactionError, VaultKeyError
from langchain_prodkit.privacy.crypto import Sealer, checked_key, derived, plain_bytes
from langchain_prodkit.privacy.vault import indexed

if TYPE_CHECKING:
    from langchain_prodkit.privacy.vault import Scope

__all__ = ["Book"]

_RECENT: Final = 500
"""Values that are looked for in each new text."""
_SCHEMA: Final = """
create table if not exists keys (id blob not null);
create table if not exists counts (entity text primary key, n integer not null) without rowid;
create table if not exists pages (
    at integer primary key, digest blob not null unique, token text not null unique, sealed blob not null
);
"""


class Book:
    """A vault of one scope in a file that only its owner may read.

    Raises:
        VaultKeyError: The file was written with another key.
        ConfigurationError: The file is no such vault, or cannot be made; the key is too short.
    """

    is_local: ClassVar[bool] = True

    def __init__(self, path: str | os.PathLike[str], *, key: Any, is_new: bool = True) -> None:
        """Open the file; with `is_new` make it where there is none."""
        secret = checked_key(key, "a vault file")
        self._sealer = Sealer(derived(secret, "book"))
        self._index = derived(secret, "book index")
        self._lock = threading.Lock()
        name = os.fspath(path)
        try:
            if is_new:
                os.close(os.open(name, os.O_CREAT | os.O_RDWR, 0o600))
            uri = f"{Path(name).resolve().as_uri()}?mode=rw"
            self._file = sqlite3.connect(uri, uri=True, check_same_thread=False)
            self._file.executescript(_SCHEMA)
            found = self._file.execute("select id from keys").fetchone()
            if found is None:
                self._file.execute("insert into keys values (?)", (self._sealer.id,))
        except (OSError, sqlite3.Error) as error:
            msg = f"the vault file cannot be opened ({type(error).__qualname__}): is it there, and a vault?"
            raise ConfigurationError(msg) from None
        if found is not None and found[0] != self._sealer.id:
            self._file.close()
            raise VaultKeyError("the vault file was written with another key")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._file.commit()
        self._file.close()

    def commit(self) -> None:
        """Put on disk what was written so far."""
        with self._lock:
            self._file.commit()

    def open(self, scope: Scope) -> None:
        """Do nothing: a file is one scope."""

    def knows(self, scope: Scope) -> bool:  # noqa: ARG002 - see the class
        """Say yes: a file is one scope."""
        return True

    def token_for(self, scope: Scope, entity: str, value: str) -> str:  # noqa: ARG002 - see the class
        """Give the token of `value`: always the same in one file, counted from 1 per entity."""
        data = plain_bytes(f"{entity}\0{indexed(entity, value)}")
        digest = hmac.digest(self._index, data, "sha256")[:16]
        with self._lock:
            try:
                found = self._file.execute("select token from pages where digest = ?", (digest,)).fetchone()
                if found is not None:
                    return str(found[0])
                (n,) = self._file.execute(
                    "insert into counts values (?, 1) on conflict do update set n = n + 1 returning n",
                    (entity,),
                ).fetchone()
                token = f"{entity}_{n}"
                sealed = self._sealer.seal(value, entity.encode())
                self._file.execute(
                    "insert into pages (digest, token, sealed) values (?, ?, ?)", (digest, token, sealed)
                )
            except sqlite3.Error as error:
                raise _failed(error) from None
        return token

    def value_of(self, scope: Scope, token: str) -> str | None:  # noqa: ARG002 - see the class
        """Give the value behind `token`, or None when it was never issued."""
        with self._lock:
            try:
                found = self._file.execute("select sealed from pages where token = ?", (token,)).fetchone()
            except sqlite3.Error as error:
                raise _failed(error) from None
        return None if found is None else self._read(token, found[0])

    def values(self, scope: Scope) -> list[tuple[str, str]]:  # noqa: ARG002 - see the class
        """Give the entity and the value of the newest 500."""
        with self._lock:
            rows = self._file.execute(
                "select token, sealed from pages order by at desc limit ?", (_RECENT,)
            ).fetchall()
        return [(token.rpartition("_")[0], self._read(token, sealed)) for token, sealed in rows]

    def forget(self, scope: Scope) -> None:  # noqa: ARG002 - see the class
        """Erase every value for good."""
        with self._lock:
            self._file.executescript("delete from pages; delete from counts; vacuum;")

    def _read(self, token: str, sealed: bytes) -> str:
        return self._sealer.open(sealed, token.rpartition("_")[0].encode())


def _failed(error: sqlite3.Error) -> RedactionError:
    return RedactionError(f"the vault file failed ({type(error).__qualname__}); nothing was written")

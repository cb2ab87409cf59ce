"""Which MLflow store is meant, and whether it answers: found out before MLflow starts to retry."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from langchain_prodkit._extras import require
from langchain_prodkit.errors import StoreError

__all__ = ["cause", "is_remote", "load_mlflow", "ready", "resolved", "shown", "sqlite_path", "unreachable"]

TIMEOUT_S: Final = 5.0
"""A store that does not answer by then counts as gone; MLflow alone would try for minutes."""

_TELEMETRY: Final = "MLFLOW_DISABLE_TELEMETRY"
_PORTS: Final = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
_SERVER_ERROR: Final = 500
_WAY_OUT: Final = (
    "give tracking_uri= the path of a file in a folder that can be written, or the address of an MLflow "
    "server that runs"
)


def load_mlflow() -> Any:
    """Import MLflow; if it is we who bring it in, without its usage reports over the network.

    Raises:
        MissingExtraError: It is not installed.
    """
    if "mlflow" in sys.modules or _TELEMETRY in os.environ:
        return require("mlflow", extra="eval")
    os.environ[_TELEMETRY] = "true"
    try:
        return require("mlflow", extra="eval")
    finally:
        os.environ.pop(_TELEMETRY, None)


def resolved(mlflow: Any, tracking_uri: str | Path | None) -> str:
    """Give the address of the store; paths become sqlite files."""
    if tracking_uri is None:
        if mlflow.is_tracking_uri_set():
            return str(mlflow.get_tracking_uri())
        tracking_uri = Path("mlflow.db")
    text = os.fspath(tracking_uri)
    is_windows_path = len(urlsplit(text).scheme) == 1
    if isinstance(tracking_uri, str) and not is_windows_path and (":" in text or text == "databricks"):
        return text
    path = Path(text)
    if path.is_dir():
        path /= "mlflow.db"
    return f"sqlite:///{path.absolute().as_posix()}"


def sqlite_path(uri: str) -> Path | None:
    """Give the file of a sqlite store, or None for any other store."""
    scheme, separator, rest = uri.partition(":///")
    if not separator or scheme.partition("+")[0] != "sqlite" or not rest or rest.startswith(":memory:"):
        return None
    return Path(rest.partition("?")[0])


def is_remote(uri: str) -> bool:
    """Tell whether `ready` can ask the store at `uri` over a network, at any time."""
    parts = urlsplit(uri)
    scheme = parts.scheme.partition("+")[0]
    return scheme in {"http", "https"} or (scheme in _PORTS and bool(parts.hostname))


def shown(uri: str) -> str:
    """Give an address fit for an error message: without user, password and query."""
    parts = urlsplit(uri)
    if sqlite_path(uri) is not None or not parts.netloc:
        return uri.partition("?")[0] if parts.scheme in {"sqlite", "file"} else parts.scheme or "unnamed"
    return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if _has_port(uri) else "")


def ready(uri: str) -> None:
    """Make sure that the store answers, within `TIMEOUT_S`.

    Raises:
        StoreError: It does not; the message says where and what to do.
    """
    if (path := sqlite_path(uri)) is not None:
        _ready_sqlite(path)
        return
    parts = urlsplit(uri)
    scheme = parts.scheme.partition("+")[0]
    if scheme == "sqlite":
        msg = f"a sqlite store in memory is gone when the process ends; {_WAY_OUT}"
        raise StoreError(msg)
    if scheme in {"http", "https"}:
        _ready_http(uri)
    elif scheme in _PORTS and parts.hostname:
        port = parts.port if _has_port(uri) else _PORTS[scheme]
        try:
            socket.create_connection((parts.hostname, port or _PORTS[scheme]), TIMEOUT_S).close()
        except OSError as error:
            raise unreachable(uri, error) from None


def unreachable(uri: str, error: BaseException) -> StoreError:
    """Make the error for a store that failed; of the cause only its kind is told."""
    if isinstance(error, ModuleNotFoundError):
        return StoreError(
            f"the MLflow store {shown(uri)} needs the Python module {error.name}; pip install it, or "
            "name the driver that you have in tracking_uri=, such as postgresql+psycopg2://..."
        )
    return StoreError(f"the MLflow store {shown(uri)} failed ({cause(error)}); {_WAY_OUT}")


def cause(error: BaseException) -> str:
    """Give the class of an error and, for one of MLflow's, its code; never the message."""
    code = getattr(error, "error_code", None)
    return f"{type(error).__name__} {code}" if isinstance(code, str) else type(error).__name__


def _ready_sqlite(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(path, timeout=TIMEOUT_S, isolation_level=None)) as connection:
            # A lock for writing is the only proof that the file can be written.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
    except (OSError, sqlite3.Error) as error:
        raise unreachable(f"sqlite:///{path}", error) from None


def _ready_http(uri: str) -> None:
    request = urllib.request.Request(f"{uri.rstrip('/')}/health", method="GET")  # noqa: S310 - http(s) only
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        error.close()
        # Servers behind a login or a prefix refuse the question, but they answer.
        if error.code >= _SERVER_ERROR:
            raise unreachable(uri, error) from None
    except (OSError, ValueError) as error:
        raise unreachable(uri, error) from None


def _has_port(uri: str) -> bool:
    try:
        return urlsplit(uri).port is not None
    except ValueError:
        return False

"""The body of `langchain-prodkit redact`: files in, redacted or restored files out, in constant memory."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit._steps import drive
from langchain_prodkit.errors import ConfigurationError, InputTypeError
from langchain_prodkit.privacy.book import Book
from langchain_prodkit.privacy.detector import PresidioDetector
from langchain_prodkit.privacy.files import format_of, redone
from langchain_prodkit.privacy.redis_vault import RedisVault
from langchain_prodkit.privacy.restore import reading
from langchain_prodkit.privacy.runnable import PresidioRunnable
from langchain_prodkit.privacy.vault import Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_prodkit.privacy.files import Format

__all__ = ["Job", "redact_files"]

VAULT_KEY: Final = "PRODKIT_VAULT_KEY"
OPERATOR_KEY: Final = "PRODKIT_OPERATOR_KEY"
_REDIS = ("redis://", "rediss://", "unix://", "valkey://", "valkeys://")
_MAKE_KEY: Final = 'python -c "import secrets; print(secrets.token_urlsafe(32))"'


@dataclass(frozen=True, slots=True)
class Job:
    """What the command line asked for."""

    files: Sequence[str] = ("-",)
    out: Path | None = None
    """File for one input, folder for several; None for standard output."""
    names: Sequence[str] = ()
    """Fields or columns; empty for all."""
    format: str = "auto"
    operator: str = "placeholder"
    vault: str | None = None
    """File, or url of a redis server, that keeps the values."""
    thread: str | None = None
    user: str | None = None
    restores: bool = False
    reports: bool = False
    shows_spans: bool = False
    profile: Any = "balanced"
    languages: Sequence[str] = ("en",)


@dataclass(slots=True)
class _Tally:
    records: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    restored: int = 0
    unknown: int = 0


def redact_files(job: Job) -> None:
    """Do what `job` says; what cannot be done raises, and the file it was at is not written.

    Raises:
        ConfigurationError: The options contradict each other, a key is missing, or a file cannot be used.
        InputTypeError: A file cannot be read as its format says; names lines, never text.
        RedactionError: Detector or vault failed.
    """
    _check(job)
    scope = Scope(job.user, job.thread or "files", None)
    with ExitStack() as stack:
        vault = _vault(job, stack)
        privacy = PresidioRunnable(
            PresidioDetector(profile=job.profile, languages=job.languages),
            vault=vault,
            operators=job.operator,
            key=_key(OPERATOR_KEY) if job.operator in {"hash", "encrypt"} else None,
        )
        for name in job.files:
            tally = _Tally()
            work = (_restoring if job.restores else _redacting)(privacy, scope, tally)
            if job.shows_spans:
                work = _spans(privacy, tally)
            _file(job, name, work, tally)
            if isinstance(vault, Book):
                vault.commit()
            if job.reports:
                print(json.dumps(_report(job, name, tally)), file=sys.stderr)  # noqa: T201 - the command's output


def _file(job: Job, name: str, work: Callable[[list[Any]], list[Any]], tally: _Tally) -> None:
    path = None if name == "-" else Path(name)
    kind: Format = format_of(path, job.format)
    with _opened(path) as source, _target(job, path) as target, _progress(path, job) as advance:
        try:
            for count, text in redone(source, kind, work, names=job.names):
                tally.records += count
                target.write(text)
                advance(source)
        except UnicodeDecodeError:
            raise InputTypeError("the file is no UTF-8 text") from None


def _redacting(privacy: PresidioRunnable, scope: Scope, tally: _Tally) -> Callable[[list[Any]], list[Any]]:
    def work(values: list[Any]) -> list[Any]:
        redacted, report = drive(privacy.reported(values, scope))
        tally.entities.update(report.entities)
        return list(redacted)

    return work


def _restoring(privacy: PresidioRunnable, scope: Scope, tally: _Tally) -> Callable[[list[Any]], list[Any]]:
    reader = drive(reading(privacy, scope))

    def work(values: list[Any]) -> list[Any]:
        restored = list(drive(reader.whole(values)))
        tally.restored, tally.unknown = reader.restored, reader.unknown
        return restored

    return work


def _spans(privacy: PresidioRunnable, tally: _Tally) -> Callable[[list[Any]], list[Any]]:
    """Say where something stands instead of hiding it; offsets count from the start of a text file."""
    offset = 0

    def work(values: list[Any]) -> list[Any]:
        nonlocal offset
        report = privacy.redaction_report(values)
        tally.entities.update(report.entities)
        is_text = len(values) == 1 and isinstance(values[0], str)
        for one in report.hidden:
            start = offset if is_text else 0
            line: dict[str, Any] = {"start": one.start + start, "end": one.end + start, "entity": one.entity}
            if not is_text:
                line = {"record": tally.records + int(one.path[0]), "path": list(one.path[1:]), **line}
            print(json.dumps(line))  # noqa: T201 - the command's output
        offset += len(values[0]) if is_text else 0
        return values

    return work


def _check(job: Job) -> None:
    if job.restores and job.vault is None and job.operator != "encrypt":
        raise ConfigurationError("--restore needs the --vault that redaction wrote, or --operator encrypt")
    if job.restores and job.shows_spans:
        raise ConfigurationError("--spans says what redaction would hide; it does not go with --restore")
    if job.operator == "surrogate":
        raise ConfigurationError("--operator is placeholder, mask, hash, encrypt or redact")
    if len(job.files) > 1 and job.out is None and not job.shows_spans:
        raise ConfigurationError("several files need --out DIR to be written to")
    if (
        job.out is not None
        and len(job.files) > 1
        and len({Path(one).name for one in job.files}) < len(job.files)
    ):
        raise ConfigurationError("two of the files have one name; they cannot be written to one folder")
    if job.vault is not None and job.vault.startswith(_REDIS) and job.thread is None:
        raise ConfigurationError("a redis vault needs --thread NAME, the conversation whose values these are")


def _key(variable: str) -> str:
    key = os.environ.get(variable)
    if not key:
        raise ConfigurationError(
            f"set {variable} to a key of at least 16 characters that you keep: {_MAKE_KEY}"
        )
    return key


def _vault(job: Job, stack: ExitStack) -> Any:
    if job.vault is not None and job.vault.startswith(_REDIS):
        return RedisVault(job.vault, key=_key(VAULT_KEY))
    if job.vault is not None:
        return stack.enter_context(Book(job.vault, key=_key(VAULT_KEY), is_new=not job.restores))
    # Nobody will restore: sealed with a key that is never written, in a file that is gone at the end.
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="prodkit-"))
    return stack.enter_context(Book(Path(folder) / "vault", key=secrets.token_bytes(32)))


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[str]]:
    try:
        source = (
            open(sys.stdin.fileno(), encoding="utf-8-sig", newline="", closefd=False)  # noqa: SIM115
            if path is None
            else path.open(encoding="utf-8-sig", newline="")
        )
    except OSError as error:
        raise ConfigurationError(f"a file cannot be read ({type(error).__qualname__})") from None
    with source:
        yield source


@contextmanager
def _target(job: Job, path: Path | None) -> Iterator[IO[str]]:
    """Open what is written to; a file appears whole at the end, or not at all."""
    if job.shows_spans:
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
            yield nowhere
        return
    if job.out is None:
        out = open(sys.stdout.fileno(), "w", encoding="utf-8", newline="", closefd=False)  # noqa: SIM115
        with out:
            yield out
        return
    is_folder = len(job.files) > 1 or job.out.is_dir()
    target = job.out / (path.name if path else "stdin") if is_folder else job.out
    if path is not None and target.resolve() == path.resolve():
        raise ConfigurationError("--out would overwrite the file that is read")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".prodkit-")
    except OSError as error:
        raise ConfigurationError(f"--out cannot be written ({type(error).__qualname__})") from None
    try:
        with open(handle, "w", encoding="utf-8", newline="") as out:  # noqa: PTH123 - made by mkstemp
            yield out
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def _progress(path: Path | None, job: Job) -> Iterator[Callable[[IO[str]], None]]:
    """Show a bar on a terminal: on standard error, and not into the text that standard output shows."""
    is_shown = sys.stderr.isatty() and (job.out is not None or not sys.stdout.isatty())
    if not is_shown or path is None:
        yield lambda _: None
        return
    progress = require("rich.progress", extra="cli")
    console = require("rich.console", extra="cli").Console(stderr=True)
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(path.name, total=path.stat().st_size)

        def advance(source: IO[str]) -> None:
            # The position of the bytes below: that of the text would be dear to tell.
            bar.update(task, completed=getattr(source, "buffer").tell())  # noqa: B009 - IO[str] has none

        yield advance


def _report(job: Job, name: str, tally: _Tally) -> dict[str, Any]:
    said: dict[str, Any] = {"file": name, "records": tally.records}
    if job.restores:
        return {**said, "restored": tally.restored, "unknown": tally.unknown}
    return {**said, "entities": dict(sorted(tally.entities.items()))}

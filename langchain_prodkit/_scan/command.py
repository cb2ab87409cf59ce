"""The scan command without its command line: files in, findings on standard output, an exit code out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from langchain_prodkit._scan.findings import FORMATS, Output
from langchain_prodkit._scan.records import STDIN, Kind
from langchain_prodkit._scan.scan import Scan
from langchain_prodkit.errors import ProdkitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_prodkit.guard.cascade import OperatingPoint
    from langchain_prodkit.guard.verdict import Detector, Source

__all__ = ["run_scan"]

CLEAN: Final = 0
FOUND: Final = 1
FAILED: Final = 2


def run_scan(
    names: Sequence[str],
    *,
    fields: tuple[str, ...] = (),
    kind: Kind | None = None,
    source: Source = "auto",
    operating_point: OperatingPoint = "balanced",
    detectors: Literal["default", "signatures"] = "default",
    output: Output = "text",
) -> int:
    """Scan files and write what is found; give 0 for nothing, 1 for findings, 2 for an error."""
    console = Console(stderr=True)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} characters"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    try:
        with progress:
            task = progress.add_task("scanning", total=_size(names))
            scan = Scan(
                _detectors(detectors),
                source,
                operating_point,
                kind,
                fields,
                on_progress=lambda name, chars: progress.update(task, description=name, advance=chars),
            )
            for piece in FORMATS[output](scan.findings(names)):
                sys.stdout.write(piece)
                sys.stdout.flush()
    except ProdkitError as error:
        console.print(f"scan: {error}", markup=False, highlight=False, soft_wrap=True)
        return FAILED
    except Exception as error:  # noqa: BLE001 - a traceback exits with 1, and that says "found"
        console.print(f"scan: {type(error).__qualname__}", markup=False, highlight=False)
        return FAILED
    for problem in scan.errors:
        console.print(f"scan: {problem}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{scan.scanned} text(s) scanned, {scan.found} found", markup=False, highlight=False)
    if scan.errors:
        return FAILED
    return FOUND if scan.found else CLEAN


def _detectors(which: Literal["default", "signatures"]) -> tuple[Detector, ...]:
    if which == "signatures":
        from langchain_prodkit.guard.heuristics import HeuristicDetector  # noqa: PLC0415 - needs no model

        return (HeuristicDetector(),)
    from langchain_prodkit.guard.cascade import default_detectors  # noqa: PLC0415 - loads the model

    return default_detectors()


def _size(names: Sequence[str]) -> int | None:
    """Add up the files' bytes, about their characters; None with a file whose size nobody knows."""
    try:
        return None if STDIN in names else sum(Path(name).stat().st_size for name in names)
    except OSError:
        return None

"""Every notebook has a reviewed twin: `python -m cookbook.pairs` checks, with `--write` it mends.

The `.py` (jupytext's percent format) is the source, the `.ipynb` is made from it: without outputs and
execution counts, every cell with an id that depends on nothing but its text and kind, so that one
changed cell is one changed place in a diff.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jupytext  # type: ignore[import-untyped]
import nbformat

__all__ = ["Problem", "check", "main", "notebook_of", "write"]

FOLDER: Final = Path(__file__).resolve().parent
MEND: Final = "python -m cookbook.pairs --write"

_NAMES: Final = "[0-9][0-9]_*"
_KERNEL: Final = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
_ID_CHARS: Final = 12


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one pair, and what to do about it."""

    name: str
    """Name of the file at fault."""
    message: str
    command: str
    """What mends it."""

    def __str__(self) -> str:
        return f"{self.name}: {self.message}\n  mend it with: {self.command}"


def notebook_of(source: str) -> str:
    """Give the text of the `.ipynb` for the text of a `.py`: the same for the same source, always."""
    notebook = jupytext.reads(source, fmt="py:percent")
    notebook.metadata.clear()
    notebook.metadata.update(
        jupytext={"formats": "ipynb,py:percent"}, kernelspec=_KERNEL, language_info={"name": "python"}
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    seen: Counter[str] = Counter()
    for cell in notebook.cells:
        said = f"{cell.cell_type}\n{cell.source}"
        seen[said] += 1
        cell.id = hashlib.sha256(f"{said}\n{seen[said]}".encode()).hexdigest()[:_ID_CHARS]
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.validate(notebook)
    text: str = jupytext.writes(notebook, fmt="ipynb")
    return text.rstrip("\n") + "\n"


def check(folder: Path = FOLDER) -> list[Problem]:
    """Give everything that is wrong with the pairs in `folder`; nothing when all is well."""
    problems = []
    for source in sorted(folder.glob(f"{_NAMES}.py")):
        opened = source.with_suffix(".ipynb")
        if not opened.exists():
            problems.append(Problem(opened.name, "is missing", MEND))
            continue
        found, wanted = opened.read_text(encoding="utf-8"), notebook_of(source.read_text(encoding="utf-8"))
        if found != wanted:
            problems.append(_difference(opened, found, wanted))
    problems += [
        Problem(opened.name, "has no .py twin", f"jupytext --to py:percent {_shown(opened)}")
        for opened in sorted(folder.glob(f"{_NAMES}.ipynb"))
        if not opened.with_suffix(".py").exists()
    ]
    return problems


def write(folder: Path = FOLDER) -> list[Path]:
    """Make the notebooks in `folder` anew where they differ from their sources; gives those written."""
    written = []
    for source in sorted(folder.glob(f"{_NAMES}.py")):
        opened = source.with_suffix(".ipynb")
        wanted = notebook_of(source.read_text(encoding="utf-8"))
        if not opened.exists() or opened.read_text(encoding="utf-8") != wanted:
            opened.write_text(wanted, encoding="utf-8", newline="\n")
            written.append(opened)
    return written


def _difference(opened: Path, found: str, wanted: str) -> Problem:
    try:
        cells = json.loads(found)["cells"]
        if _texts(cells) == _texts(json.loads(wanted)["cells"]):
            return Problem(opened.name, "holds outputs, execution counts or other ids and metadata", MEND)
    except (ValueError, KeyError, TypeError):
        return Problem(opened.name, "is not a notebook", MEND)
    return Problem(
        opened.name,
        "says something else than its .py twin",
        f"{MEND} (what was changed in the notebook only is lost, unless you first run "
        f"jupytext --sync {_shown(opened)})",
    )


def _texts(cells: Any) -> list[tuple[str, str]]:
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def _shown(path: Path) -> str:
    return f"cookbook/{path.name}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when every pair is in order, else 1."""
    parser = argparse.ArgumentParser(prog="python -m cookbook.pairs", description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="make the notebooks anew from their .py twins")
    if parser.parse_args(arguments).write:
        for path in write():
            print(f"wrote {_shown(path)}")
    problems = check()
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{len(list(FOLDER.glob(f'{_NAMES}.py')))} pairs in order")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())

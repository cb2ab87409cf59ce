"""Unpacks instructor's own tests and runs them on `InstructorParser`: `make peer-suite`.

The archive is instructor's source distribution of exactly the version that is installed, fetched by pip
with the hashes of the lock file; nothing of it is part of this repository. Exits with 1 unless every mode
gave what `tests/peer/adapter.py` says it must.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
ARCHIVES: Final = HERE.parents[1] / ".cache" / "peer"
FOLDER: Final = "tests/llm/test_core_providers"


def unpack(archive: Path) -> Path:
    """Unpack the tests of the archive beside it, anew; gives the folder that `tests` is in."""
    root = archive.parent / archive.name.removesuffix(".tar.gz")
    shutil.rmtree(root, ignore_errors=True)
    with tarfile.open(archive) as packed:
        inside = [member for member in packed if member.name.startswith(f"{root.name}/tests/")]
        packed.extractall(archive.parent, members=inside, filter="data")
    return root


def main(arguments: list[str]) -> int:
    """Run the suite; `arguments` go to pytest."""
    archive = ARCHIVES / f"instructor-{version('instructor')}.tar.gz"
    if not archive.exists():
        print(f"{archive.name} is not there; `make peer-suite` fetches it", file=sys.stderr)  # noqa: T201
        return 1
    root = unpack(archive)
    pytest = [sys.executable, "-m", "pytest", "-c", str(HERE / "suite.ini"), f"--rootdir={root}"]
    command = [*pytest, "-p", "adapter", FOLDER, *arguments]
    # Their package is called `tests`, as ours is: it comes first, and ours is not on the path.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), str(HERE)])}
    return subprocess.run(command, cwd=root, env=environment, check=False).returncode  # noqa: S603 - pytest


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

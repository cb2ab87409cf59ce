"""What a fresh process pays: `python -m benchmarks._privacy_process ours|presidio|experimental|vault`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from benchmarks._privacy_peers import ARTICLE, ENTITIES, anonymizer, presidio

__all__ = ["fresh"]


def fresh(what: str, *arguments: str) -> dict[str, Any]:
    """Run one case in a process of its own and read what it says."""
    command = [sys.executable, "-m", "benchmarks._privacy_process", what, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this module
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _resident_mb() -> float:
    with open("/proc/self/statm", encoding="ascii") as pages:  # noqa: PTH123 - no file of ours
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _start(what: str) -> dict[str, Any]:
    """From nothing to the first answer."""
    cpu = time.process_time()
    if what == "experimental":
        anonymizer(ENTITIES)(ARTICLE)
    elif what == "presidio":
        presidio().analyze(ARTICLE, "en", entities=ENTITIES)
    else:
        from langchain_prodkit.privacy import PresidioDetector  # noqa: PLC0415 - its import is what is measured

        PresidioDetector(entities=ENTITIES, profile="balanced").detect([ARTICLE])
    return {"cpu s": time.process_time() - cpu, "MB": _resident_mb()}


def _vault(scopes: int) -> dict[str, Any]:
    """Fill scope after scope; memory is looked at when the vault is full, and at the end."""
    from langchain_prodkit.privacy import MemoryVault, Scope  # noqa: PLC0415

    vault = MemoryVault(max_scopes=2_000)
    sizes = []
    for number in range(scopes):
        scope = Scope("user", f"thread {number}", None)
        vault.open(scope)
        for value in range(5):
            vault.token_for(scope, "PERSON", f"Person Number {number} {value}")
        if number in {scopes // 10, scopes - 1}:
            sizes.append(_resident_mb())
    return {"MB at a tenth": sizes[0], "MB at the end": sizes[-1], "scopes": scopes}


if __name__ == "__main__":
    case = sys.argv[1]
    print(json.dumps(_vault(int(sys.argv[2])) if case == "vault" else _start(case)))

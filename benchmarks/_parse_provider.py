"""A provider in another process, so that its work is in nobody's time.

`python -m benchmarks._parse_provider` prints its address and ends with its input.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks._parse_models import wide_value
from langchain_prodkit.testing import ProviderServer

__all__ = ["provider_process"]


@contextmanager
def provider_process() -> Iterator[str]:
    """Run the provider in a process of its own, so that its work is in nobody's time; gives its address."""
    command = [sys.executable, "-m", "benchmarks._parse_provider"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - this file
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def answer(body: dict[str, Any]) -> str | dict[str, Any]:
    """Answer with as many fields as the name of the model says, as a tool call or as JSON."""
    value = wide_value(int(body["model"].rpartition("-")[2]))
    if "tools" in body:
        return {"tool_calls": [{"name": body["tools"][0]["function"]["name"], "arguments": value}]}
    return json.dumps(value)


def main() -> None:
    with ProviderServer(script=answer, journal_limit=0) as provider:
        print(provider.base_url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()

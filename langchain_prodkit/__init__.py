"""What a LangChain prototype needs to go to production, each piece one `|` away.

Names are resolved on first use: importing this package loads no heavy library.
"""

from __future__ import annotations

from langchain_prodkit._lazy import lazy_names

# Type checkers take this name for typing's own; importing typing would be most of this import's time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from langchain_prodkit._harden import harden
    from langchain_prodkit.evaluation import MLflowEvalCallback
    from langchain_prodkit.guard import InjectionGuardRunnable
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

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "InjectionGuardRunnable": "guard",
        "InstructorParser": "parse",
        "MLflowEvalCallback": "evaluation",
        "PresidioRunnable": "privacy",
        "RateLimitedAsyncChat": "limits",
        "harden": "_harden",
    },
)

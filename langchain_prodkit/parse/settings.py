"""The arguments of `InstructorParser`, and which of them make sense together."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, get_args

from langchain_core.runnables import Runnable
from pydantic import BaseModel

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.parse.answer import OnTruncated
from langchain_prodkit.parse.patience import check_patience
from langchain_prodkit.parse.repair import Repair
from langchain_prodkit.parse.request import Mode
from langchain_prodkit.parse.result import ReaskBuilder

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Settings", "check", "checked_model"]


class Settings(TypedDict, total=False):
    """The keyword arguments, for type checkers."""

    llm: Runnable[Any, Any] | None
    max_retries: Any
    mode: Mode
    strict: bool
    repair: Repair
    reask: Literal["last", "full"] | ReaskBuilder
    token_budget: int | None
    on_truncated: OnTruncated
    hooks: Any
    validation_context: Mapping[str, Any] | None
    name: str | None


def check(settings: Mapping[str, Any]) -> None:
    """Refuse arguments that make no sense.

    Raises:
        ConfigurationError: It names the argument and what would do.
    """
    for name, kind in (("mode", Mode), ("repair", Repair), ("on_truncated", OnTruncated)):
        if settings[name] not in get_args(kind):
            raise ConfigurationError(f"{name} is one of {', '.join(get_args(kind))}")
    if settings["reask"] not in ("last", "full") and not callable(settings["reask"]):
        raise ConfigurationError("reask is last, full, or a function of the prompt and the failures")
    _check_limits(settings["max_retries"], settings["token_budget"])
    _check_partners(settings["llm"], settings["hooks"])


def _check_limits(retries: Any, budget: Any) -> None:
    if isinstance(retries, bool) or (isinstance(retries, int) and retries < 0):
        raise ConfigurationError("max_retries is a whole number, zero or more, or a tenacity object")
    if not isinstance(retries, int):
        check_patience(retries)
    if budget is not None and (isinstance(budget, bool) or not isinstance(budget, int) or budget <= 0):
        raise ConfigurationError("token_budget is a whole number of tokens above zero, or None")


def _check_partners(llm: Any, hooks: Any) -> None:
    if llm is not None and not isinstance(llm, Runnable):
        raise ConfigurationError("llm is a chat model, or a Runnable that gives a model's message")
    if hooks is not None:
        if llm is None:
            raise ConfigurationError("hooks are told about calls, and without llm= there are none")
        if not hasattr(hooks, "emit_completion_error"):
            raise ConfigurationError("hooks is an instructor.core.hooks.Hooks")


def checked_model(response_model: Any) -> Any:
    """Give the type that comes out in the end; of instructor's `Partial[M]` that is a whole `M`.

    Raises:
        ConfigurationError: It says nothing of an answer, so that any would fit.
    """
    if isinstance(response_model, type) and any(
        base.__name__ == "PartialBase" and base.__module__.startswith("instructor.")
        for base in response_model.__mro__
    ):
        return response_model.__mro__[1]
    says_nothing = any(response_model is kind for kind in (Any, object, BaseModel, type(None)))
    if says_nothing or isinstance(response_model, TypeVar) or inspect.isroutine(response_model):
        name = getattr(response_model, "__name__", type(response_model).__name__)
        raise ConfigurationError(f"response_model {name} says nothing of the answer; give a pydantic model")
    return response_model

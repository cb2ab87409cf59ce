"""`module:object`: what a command line can name of a program."""

from __future__ import annotations

import inspect
import sys
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableLambda

from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from langchain_prodkit.evaluation import ChatModelJudge

__all__ = ["chain_at", "judge_at", "model_at", "object_at"]


def object_at(place: str, option: str) -> Any:
    """Import `module:object` (`module:object.part` too), looking in the current folder first.

    Raises:
        ConfigurationError: There is no such object, or importing it failed.
    """
    module, colon, path = place.partition(":")
    if not (module and colon and path):
        msg = f"{option} wants module:object, such as my_app.chains:chain"
        raise ConfigurationError(msg)
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        msg = f"{option}: there is no module {error.name!r}"
        raise ConfigurationError(msg) from None
    except Exception as error:  # noqa: BLE001 - the user's program; its message may hold anything
        msg = f"{option}: importing {module!r} failed with {type(error).__qualname__}"
        raise ConfigurationError(msg) from None
    try:
        return reduce(getattr, path.split("."), found)
    except AttributeError:
        msg = f"{option}: {module!r} has no {path!r}"
        raise ConfigurationError(msg) from None


def chain_at(place: str, option: str = "--chain") -> Runnable[Any, Any]:
    """Give the Runnable at a place, or what a function there makes when it is called without arguments.

    A function that needs an argument is the chain itself.
    """
    found = object_at(place, option)
    if isinstance(found, Runnable):
        return found
    if callable(found):
        made = _made(found, place, option)
        if isinstance(made, Runnable):
            return made
        if made is _TAKES_INPUT:
            return RunnableLambda(found)
    msg = f"{option}: {place!r} is neither a Runnable nor a function that makes one"
    raise ConfigurationError(msg)


def model_at(place: str, option: str) -> BaseChatModel | Runnable[Any, Any]:
    """Give the chat model at a place, or the one that a function there makes."""
    found = object_at(place, option)
    made = found if isinstance(found, Runnable) or not callable(found) else _made(found, place, option)
    if not isinstance(made, Runnable):
        msg = f"{option}: {place!r} is neither a chat model nor a function that makes one"
        raise ConfigurationError(msg)
    return made


def judge_at(place: str, cache: Path | None) -> ChatModelJudge:
    """Give the judge at a place, or one that asks the chat model there."""
    from langchain_prodkit.evaluation import ChatModelJudge  # noqa: PLC0415 - only when one is asked for

    found = object_at(place, "--judge")
    if isinstance(found, ChatModelJudge):
        if cache is not None:
            msg = f"--judge-cache: {place!r} is a judge, which has its own cache="
            raise ConfigurationError(msg)
        return found
    return ChatModelJudge(model_at(place, "--judge"), cache=cache)


_TAKES_INPUT = object()


def _made(function: Any, place: str, option: str) -> Any:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return _TAKES_INPUT
    try:
        return function()
    except Exception as error:  # noqa: BLE001 - see object_at
        msg = f"{option}: calling {place!r} failed with {type(error).__qualname__}"
        raise ConfigurationError(msg) from None

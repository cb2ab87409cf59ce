"""`max_retries` as a tenacity object: stop and wait as the user wrote them, for either driver.

Every run gets a copy, because tenacity keeps the state of a run in the object, one for each thread, and
many runs share the thread of an event loop.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any, final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError

__all__ = ["Packed", "check_patience", "for_async", "for_sync", "packed"]

_PARTS = ("stop", "wait", "retry", "before", "after", "before_sleep", "retry_error_callback")


@final
@dataclass(frozen=True, slots=True)
class Packed:
    """A tenacity object without the state of its runs, which neither pickles nor copies."""

    kind: type
    parts: dict[str, Any]

    def unpacked(self) -> Any:
        """Make the object anew."""
        return self.kind(**self.parts)


def packed(retries: Any) -> Any:
    """Give `max_retries` as it can be pickled: a number as it is."""
    if isinstance(retries, int):
        return retries
    return Packed(type(retries), {**_parts(retries), "sleep": retries.sleep})


def check_patience(retrying: Any) -> None:
    """Refuse what is no tenacity object, and one that would ask for ever.

    Raises:
        ConfigurationError: It is neither `Retrying` nor `AsyncRetrying`, or has no `stop`.
    """
    tenacity = require("tenacity", extra="parse")
    if not isinstance(retrying, tenacity.BaseRetrying):
        raise ConfigurationError(
            "max_retries is a whole number, zero or more, or a tenacity Retrying or AsyncRetrying"
        )
    if retrying.stop is tenacity.stop_never:
        raise ConfigurationError(
            "max_retries as a tenacity object needs a stop, such as stop_after_attempt(3); without one a "
            "model that never gets it right is asked for ever"
        )


def for_sync(retrying: Any) -> Any:
    """Give a synchronous copy.

    Raises:
        ConfigurationError: A part of it has to be awaited.
    """
    tenacity = require("tenacity", extra="parse")
    if not isinstance(retrying, tenacity.AsyncRetrying):
        return retrying.copy()
    if any(_is_async(getattr(retrying, name)) for name in _PARTS):
        raise ConfigurationError(
            "max_retries has parts that must be awaited; use ainvoke, or give a tenacity Retrying"
        )
    return tenacity.Retrying(**_parts(retrying))


def for_async(retrying: Any) -> Any:
    """Give an asynchronous copy, whose waiting never blocks the event loop."""
    tenacity = require("tenacity", extra="parse")
    if isinstance(retrying, tenacity.AsyncRetrying):
        return retrying.copy()
    return tenacity.AsyncRetrying(**_parts(retrying))


def _parts(retrying: Any) -> dict[str, Any]:
    parts = {name: getattr(retrying, name) for name in _PARTS}
    return {**parts, "reraise": retrying.reraise, "retry_error_cls": retrying.retry_error_cls}


def _is_async(part: Any) -> bool:
    return inspect.iscoroutinefunction(part) or inspect.iscoroutinefunction(getattr(part, "__call__", None))  # noqa: B004 - the method, not whether there is one

"""Bytes the provider sends: JSON, server-sent events, and errors in the provider's own form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_encode = json.JSONEncoder(separators=(",", ":")).encode
# Inside a string of JSON (tool arguments) letters stay letters, as the provider sends them.
_encode_readable = json.JSONEncoder(ensure_ascii=False).encode


def dump(value: Any) -> bytes:
    """Encode as JSON in pure ASCII, so that a lone surrogate travels as its escape."""
    return _encode(value).encode("ascii")


def dump_text(value: Any) -> str:
    """Encode as JSON text that stands inside another JSON string."""
    return _encode_readable(value)


def event(value: Any, *, name: str | None = None) -> bytes:
    """Frame one server-sent event; `name` adds the `event:` line of the Responses API."""
    data = b"data: " + dump(value) + b"\n\n"
    return data if name is None else b"event: " + name.encode("ascii") + b"\n" + data


_HOLE = "\0"
_HOLE_BYTES = dump(_HOLE)


def events_with(make: Callable[[str], bytes], texts: Iterable[str]) -> Iterator[bytes]:
    """Give `make(text)` for each of `texts`, encoding what does not change only once.

    Nothing that came from outside may stand after the text in what `make` makes.
    """
    before, _, after = make(_HOLE).rpartition(_HOLE_BYTES)
    for text in texts:
        yield before + dump(text) + after


DONE = b"data: [DONE]\n\n"
"""What ends a stream of chat chunks."""


class ProviderError(Exception):
    """An answer that is an error: a status and the provider's `error` object.

    Internal to the server: clients see it as HTTP.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
    ) -> None:
        """Hold what `error_body` needs."""
        super().__init__(message)
        self.status = status
        self.body = {"error": {"message": message, "type": kind, "param": param, "code": code}}

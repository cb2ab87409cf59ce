"""What reached the provider, and what became of it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECRET_HEADERS: Final = frozenset({"authorization", "api-key", "x-api-key", "cookie", "proxy-authorization"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One request: what was asked, and how it ended."""

    t: float
    """Seconds since the server started (or was reset) when the request had arrived."""
    method: str
    path: str
    """Path and query as sent."""
    headers: Mapping[str, str]
    """Names in lower case; credentials are left out."""
    body: Any
    """The parsed JSON; the raw text where it is not JSON; None where there was none."""
    status: int | None = None
    """HTTP status; None while the answer is being made, and for good when none was ever sent."""
    response: str | None = None
    """The answer in short: its content, refusal or error code, and `name(arguments)` of tool calls."""
    fault: str | None = None
    """The fault this request met."""
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Statistics:
    """What happened since the server started or was last reset."""

    requests: int = 0
    """All requests to an endpoint under `/v1`, refused ones included."""
    answered: int = 0
    """Answers with status 200 that were sent, or begun, without a fault cutting them."""
    refused: int = 0
    """429s drawn by going over a limit; those that were injected count under `faults`."""
    too_large: int = 0
    """Those of `refused` that could never have fit."""
    invalid: int = 0
    """Other 4xx: bad requests, keys, models and paths."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Faults injected, by kind."""
    prompt_tokens: int = 0
    """Prompt tokens of answered requests."""
    completion_tokens: int = 0
    """Tokens of their answers."""
    charged_tokens: int = 0
    """Tokens taken off the limit on arrival."""
    refunded_tokens: int = 0
    """Tokens given back after the answer."""
    in_flight: int = 0
    """Requests being answered now."""
    peak_in_flight: int = 0
    """The most that ever were."""
    uptime_s: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Give a plain dict, as `/stats` sends it."""
        values: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return {**values, "faults": dict(self.faults)}


class Journal:
    """The entries in order of arrival, the newest `limit` of them, and the counters.

    Written by the server's loop, read by any thread.
    """

    def __init__(self, limit: int | None = None) -> None:
        """Keep everything, or the newest `limit`."""
        self._limit = limit
        self._entries: dict[int, Entry] = {}
        self._next = 0
        self._lock = threading.Lock()
        self.counters: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def open(self, entry: Entry) -> int:
        """Write down a request that has arrived; returns its number."""
        with self._lock:
            number = self._next
            self._next += 1
            self._entries[number] = entry
            if self._limit is not None and len(self._entries) > self._limit:
                del self._entries[next(iter(self._entries))]
        return number

    def amend(self, number: int, **changes: Any) -> None:
        """Write down what became of request `number`, if it is still kept."""
        with self._lock:
            entry = self._entries.get(number)
            if entry is not None:
                self._entries[number] = replace(entry, **changes)

    def entries(self) -> list[Entry]:
        """Copy the entries."""
        with self._lock:
            return list(self._entries.values())

    def statistics(self, uptime_s: float) -> Statistics:
        """Freeze the counters."""
        return Statistics(**self.counters, faults=dict(self.faults), uptime_s=uptime_s)


def visible_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Give the headers without those that hold credentials."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    return {name: value for name, value in headers.items() if name not in _SECRET_HEADERS}


def texts(value: Any) -> Iterator[str]:
    """Give every string inside a JSON value, keys included, and those inside JSON text.

    Tool arguments travel as JSON text, where a letter may be written as an escape: both the text
    as it is and what it means are given.
    """
    todo = [value]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            yield item
            if item.lstrip()[:1] in ("{", "[", '"'):
                with contextlib.suppress(ValueError, RecursionError):
                    todo.append(json.loads(item))
        elif isinstance(item, dict):
            for key, inner in item.items():
                todo += (inner, key)
        elif isinstance(item, list):
            todo += item
        elif item is not None:
            yield str(item)

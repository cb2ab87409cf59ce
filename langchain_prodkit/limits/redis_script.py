"""What a process asks of the shared limit in one trip, and what it is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha1
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import LimitConflictError
from langchain_prodkit.limits.bucket import BURST_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_prodkit.limits.bucket import Cost
    from langchain_prodkit.limits.protocol import BucketReading, Reading

__all__ = ["BUCKETS", "FORGOTTEN_S", "Answer", "Ask", "Level", "Limits", "Note", "Refusal", "Script"]

BUCKETS: Final = ("requests", "tokens")
FORGOTTEN_S: Final = 600.0
"""How long an unused key is kept, in seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that all processes of one key have to agree on."""

    requests_per_minute: float | None
    tokens_per_minute: float | None
    headroom: float
    burst_s: float | None
    """None for what the provider is found to allow."""

    def rates(self) -> dict[str, float]:
        """Say what may be used a second, of those buckets that have a limit."""
        told = {"requests": self.requests_per_minute, "tokens": self.tokens_per_minute}
        return {
            name: per_minute * (1.0 - self.headroom) / 60.0
            for name, per_minute in told.items()
            if per_minute is not None
        }

    @property
    def assumed_burst_s(self) -> float:
        """What to take for the burst as long as nothing better is known."""
        return BURST_S if self.burst_s is None else self.burst_s

    def written(self) -> str:
        """Write them as all processes write them."""
        numbers = (self.requests_per_minute, self.tokens_per_minute, self.headroom, self.burst_s)
        return json.dumps([None if number is None else float(number) for number in numbers])


@dataclass(frozen=True, slots=True)
class Note:
    """What the provider said in one answer, and what is needed to make something of it."""

    reading: Reading
    epoch: str
    """Of the state in which the call was booked: counts of another one mean nothing."""
    at_s: float
    """When it went, by the server's clock."""
    read_s: float
    """When the answer was read, by the server's clock."""
    taken: dict[str, float]
    """What had been taken of each bucket by then, itself included."""
    back: dict[str, float]
    """What had been given back by then."""
    unsent: dict[str, float]
    """What of it may have reached the provider later."""


@dataclass(slots=True)
class Refusal:
    """The refusals since the last trip, as one."""

    cost: Cost
    count: int = 0
    until_s: float | None = None
    """When the hold ends, by the process's own clock; None if no refusal said for how long."""
    bare_at_s: float | None = None
    """When the last one that said nothing could go, by the server's clock."""


@dataclass(slots=True)
class Ask:
    """One trip."""

    horizon_s: float = 0.0
    """Book no more once a turn would be later than this."""
    is_first: bool = False
    """Whether the first booking is made however late its turn: so every process stands in line."""
    items: Sequence[tuple[Cost, float | None]] = ()
    """What to book, in order, and within how many seconds its turn has to come; None for any."""
    epoch: str = ""
    """Of the state that the next four belong to."""
    given_requests: float = 0
    given_tokens: float = 0
    """What was booked and never sent."""
    unused_tokens: float = 0
    """What was sent, and not used."""
    over_tokens: float = 0
    """What was used and not booked."""
    refusal: Refusal | None = None
    notes: Sequence[Note] = ()
    open: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BUCKETS, 0.0))
    """What the process has booked before that may not have reached the provider yet."""
    is_leaving: bool = False
    """Whether the process takes itself off the list of active ones."""


@dataclass(frozen=True, slots=True)
class Level:
    """One bucket."""

    level: float = 0.0
    taken: float = 0.0
    back: float = 0.0
    rate: float | None = None
    """What may be used a second, at full pace; None for no limit."""
    capacity: float | None = None


_NO_LEVEL: Final = Level()


@dataclass(frozen=True, slots=True)
class Answer:
    """What one trip brought home."""

    epoch: str
    """Names the state; another one means that the server had lost it."""
    now: float
    """The server's clock, in seconds."""
    held_s: float
    """For how long a refusal still holds everybody."""
    shifted_s: float
    """By how much holds have moved booked turns, all together."""
    paid_s: float
    """When all that is booked is paid for: no turn has to be later."""
    pace: float
    """1.0, or less after refusals that said nothing."""
    processes: int
    """How many have been seen lately."""
    refusals: int
    buckets: dict[str, Level] = field(default_factory=dict)
    open: dict[str, float] = field(default_factory=lambda: dict.fromkeys(BUCKETS, 0.0))
    """What all processes had booked before that may not have reached the provider yet."""
    ahead_s: float = 0.0
    """In how many seconds the first item that was not booked comes within the horizon."""
    waits: tuple[float, ...] = ()
    """Seconds until each booked item's turn, in order; -1.0 for one whose turn came too late."""

    def bucket(self, name: str) -> Level:
        """Give one bucket; an empty one without a limit if nothing was ever said of it."""
        return self.buckets.get(name) or _NO_LEVEL


class Script:
    """The shared limit of one key, on one server."""

    def __init__(self, client: Any, key: str, process: str, limits: Limits, *, learns: bool) -> None:
        """Talk to `client` in the name of `process`."""
        self._client = client
        # The braces keep all keys in one slot of a cluster.
        name = f"prodkit:limit:{{{key}}}"
        self._keys = (name, f"{name}:processes", f"{name}:open")
        self._key = key
        self._told = limits.written()
        rates = limits.rates()
        burst_s = limits.assumed_burst_s
        self._base = {
            "told": self._told,
            "process": process,
            "ttl_ms": round(FORGOTTEN_S * 1000),
            "headroom": limits.headroom,
            "burst_s": burst_s,
            "is_careful": learns and limits.burst_s is None,
            "buckets": {
                name: {"rate": rate, "capacity": max(1.0, rate * burst_s)} for name, rate in rates.items()
            },
        }

    def trip(self, ask: Ask, now_s: float, *, is_known: bool, is_back: bool) -> Answer:
        """Ask, with one command.

        `is_known` says that the process has seen the state before, so that an empty one is a lost one;
        `is_back` that it went on by itself for a while.

        Raises:
            LimitConflictError: The key holds a limit with other numbers.
        """
        request = json.dumps(self._base | _written(ask, now_s) | {"is_known": is_known, "is_back": is_back})
        text, digest = _source()
        try:
            reply = self._client.evalsha(digest, len(self._keys), *self._keys, request)
        except _no_script():
            # A server that was restarted, or flushed, has forgotten the text too.
            reply = self._client.eval(text, len(self._keys), *self._keys, request)
        said: dict[str, Any] = json.loads(reply)
        if "conflict" in said:
            raise LimitConflictError(_conflict(self._key, said["conflict"], self._told))
        # Lua writes an empty list as {}.
        waits = tuple(said.pop("waits") or ())
        levels = {name: Level(**values) for name, values in said.pop("buckets").items()}
        return Answer(**said, buckets=levels, waits=waits)


def _written(ask: Ask, now_s: float) -> Any:
    refusal = ask.refusal
    refused: dict[str, Any] | None = None
    if refusal is not None:
        refused = {
            "count": refusal.count,
            "requests": refusal.cost.requests,
            "tokens": refusal.cost.tokens,
            "hold_s": None if refusal.until_s is None else max(0.0, refusal.until_s - now_s),
            "bare_at": refusal.bare_at_s,
        }
    return _without_none({
        "horizon_s": ask.horizon_s,
        "is_first": ask.is_first,
        "items": [
            {"requests": cost.requests, "tokens": cost.tokens, "within": within} for cost, within in ask.items
        ],
        "epoch": ask.epoch,
        "given": {"requests": ask.given_requests, "tokens": ask.given_tokens},
        "unused_tokens": ask.unused_tokens,
        "over_tokens": ask.over_tokens,
        "refused": refused,
        "readings": [_note(note) for note in ask.notes],
        "open": ask.open,
        "is_leaving": ask.is_leaving,
    })  # fmt: skip


def _note(note: Note) -> dict[str, Any]:
    return {
        "epoch": note.epoch,
        "at": note.at_s,
        "read": note.read_s,
        "taken": note.taken,
        "back": note.back,
        "unsent": note.unsent,
        "requests": _reading(note.reading.requests),
        "tokens": _reading(note.reading.tokens),
    }


def _reading(seen: BucketReading | None) -> dict[str, Any] | None:
    if seen is None:
        return None
    return {"per_minute": seen.per_minute, "remaining": seen.remaining, "reset_s": seen.reset_s}


def _without_none(value: Any) -> Any:
    # In Lua a JSON null is a value, and true.
    if isinstance(value, dict):
        return {name: _without_none(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_none(item) for item in value]
    return value


@cache
def _source() -> tuple[str, str]:
    text = Path(__file__).with_suffix(".lua").read_text(encoding="utf-8")
    return text, sha1(text.encode(), usedforsecurity=False).hexdigest()


@cache
def _no_script() -> type[Exception]:
    from redis.exceptions import NoScriptError  # noqa: PLC0415 - needs the extra, which made the client

    return NoScriptError


def _conflict(key: str, theirs: str, ours: str) -> str:
    names = ("requests_per_minute", "tokens_per_minute", "headroom", "burst_s")

    def said(written: str) -> str:
        numbers = json.loads(written)
        return ", ".join(f"{name}={number}" for name, number in zip(names, numbers, strict=True))

    return (
        f"key {key!r} holds a limit of {said(theirs)}, and this process was told {said(ours)}. Give all "
        "processes of a key the same numbers, or give this limit a key of its own; a key that nobody used "
        f"for {FORGOTTEN_S / 60:.0f} minutes is forgotten"
    )

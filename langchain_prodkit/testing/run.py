"""One run of the provider: how it is set up, and everything that changes while it answers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from langchain_prodkit.testing.answers import Answers
from langchain_prodkit.testing.buckets import Bucket, HeaderStyle, Limits
from langchain_prodkit.testing.faults import FaultKind, Faults, FaultSequence, is_spoil
from langchain_prodkit.testing.journal import Journal
from langchain_prodkit.testing.latency import Latency

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_prodkit.testing.answers import Answer, Script
    from langchain_prodkit.testing.request import ChatRequest


@dataclass(frozen=True)
class Settings:
    """What `ProviderServer` was given; its constructor says what each means."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst_s: float = 60.0
    initial_fill: float = 1.0
    refund: bool = False
    charge_refusals: bool = False
    limit_headers: bool = True
    header_style: HeaderStyle = "openai"
    latency_s: float | Latency | Callable[[], float] = 0.0
    chunk_interval_s: float = 0.0
    chunk_chars: int = 4
    faults: Faults = field(default_factory=Faults)
    script: Script | None = None
    api_key: str | None = None
    models: tuple[str, ...] | None = None
    journal_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What an endpoint made of a request, before faults of transport."""

    summary: str
    """The answer in short, for the journal."""
    prompt_tokens: int
    completion_tokens: int = 0
    body: bytes | None = None
    """The answer as one JSON object, or None for a stream."""
    events: Sequence[bytes] | None = None
    """The events of a stream, or None."""
    fault: str | None = None
    """How its JSON was broken on purpose."""


class Charged(Protocol):
    """What limits need to know of a request."""

    @property
    def model(self) -> str:
        """The model asked for."""
        ...

    @property
    def charge(self) -> int:
        """Tokens it may use."""
        ...


R = TypeVar("R", bound=Charged)


class Endpoint(Protocol[R]):
    """One POST route."""

    def parse(self, body: Any, run: Run) -> R:
        """Read and check a body; raises `ProviderError`."""
        ...

    async def reply(self, request: R, run: Run, fault: FaultKind | None) -> Result:
        """Answer it."""
        ...


class Conversations:
    """What was said up to each response, for `previous_response_id`; the newest few hundred."""

    _LIMIT = 500

    def __init__(self) -> None:
        """Start with none."""
        self._messages: dict[str, tuple[dict[str, Any], ...]] = {}

    def keep(self, response_id: str, messages: Sequence[dict[str, Any]]) -> None:
        """Remember the messages that end with `response_id`."""
        self._messages[response_id] = tuple(messages)
        if len(self._messages) > self._LIMIT:
            del self._messages[next(iter(self._messages))]

    def messages(self, response_id: str) -> tuple[dict[str, Any], ...] | None:
        """Recall them, or None."""
        return self._messages.get(response_id)


class Run:
    """Script, faults, limits, latency and journal, all at their beginning."""

    def __init__(self, settings: Settings) -> None:
        """Start the clock."""
        self.settings = settings
        self.started_s = time.monotonic()
        self.answers = Answers(settings.script)
        self.conversations = Conversations()
        self.faults = FaultSequence(settings.faults)
        self.journal = Journal(settings.journal_limit)
        self.limits = Limits(
            _bucket(settings.requests_per_minute, settings),
            _bucket(settings.tokens_per_minute, settings),
            charge_refusals=settings.charge_refusals,
        )
        latency = settings.latency_s
        self._latency = latency.fresh() if isinstance(latency, Latency) else latency

    def latency_s(self) -> float:
        """Draw the seconds before the next answer."""
        return self._latency() if callable(self._latency) else self._latency

    async def answer(self, request: ChatRequest, fault: FaultKind | None) -> Answer:
        """Make one choice, spoiled where a fault or a count says so, cut where the request says so."""
        answer = await self.answers.answer(request)
        if answer.is_json:
            kind = fault if is_spoil(fault) else self.faults.spoil()
            if kind is not None:
                self.journal.faults[kind] += 1
                answer = answer.spoiled(kind)
        return answer.bounded(request)


def _bucket(per_minute: float | None, settings: Settings) -> Bucket | None:
    if per_minute is None:
        return None
    return Bucket(per_minute, burst_s=settings.burst_s, fill=settings.initial_fill)

"""A provider and its clients in numbers: one event after the other, on a clock that is only counted."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_prodkit.limits.bucket import Bucket, Cost
from langchain_prodkit.limits.learning import ASSUMED_BURST_S, Learning
from langchain_prodkit.limits.protocol import BucketReading, Reading
from langchain_prodkit.limits.turnstile import Ticket, Turnstile
from langchain_prodkit.testing.buckets import Bucket as ProviderBucket

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LATENCY_S = 0.1
JITTER = 0.3


@dataclass
class Provider:
    """What a provider is like, and what the client is told of it."""

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst_s: float = 1.0
    fill: float = 1.0
    headers_at: str = "answer"
    """"answer", "arrival", or "" for a provider that sends none."""
    gives_back: bool = False
    answer_tokens: int | None = None
    charges_refusals: bool = False
    is_told: bool = True
    lie: Callable[[BucketReading], BucketReading] | None = None
    """Changes what the headers say."""
    send_s: float = 0.003
    """What a call takes of the client's processor."""
    seed: int = 0


@dataclass
class Outcome:
    """What happened."""

    took_s: float
    least_s: float
    refused: int
    turnstile: Turnstile
    turns: list[tuple[float, int]] = field(default_factory=list)
    """When each call was let go, and its tokens."""

    @property
    def ratio(self) -> float:
        """Time taken over the least possible."""
        return self.took_s / self.least_s


def turnstile_for(provider: Provider) -> Turnstile:
    """Build what a `LocalLimiter` told of `provider` builds."""

    def bucket(per_minute: float | None, level: float) -> Bucket | None:
        if per_minute is None or not provider.is_told:
            return None
        return Bucket(per_minute, burst_s=ASSUMED_BURST_S, level=level, is_bound=True)

    learning = Learning()
    turnstile = Turnstile(
        bucket(provider.requests_per_minute, 1.0),
        bucket(provider.tokens_per_minute, 0.0),
        learning=learning,
        handful=4,
    )
    learning.attach(turnstile)
    return turnstile


class Play:
    """All calls handed over at the first moment, until the last one is answered."""

    def __init__(self, provider: Provider, calls: Sequence[int]) -> None:
        """Prepare `calls`, each a number of tokens."""
        self.provider = provider
        self.calls = calls
        self.turnstile = turnstile_for(provider)
        self.random = random.Random(provider.seed)
        self.requests = self._bucket(provider.requests_per_minute)
        self.tokens = self._bucket(provider.tokens_per_minute)
        self.events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self.numbers = itertools.count()
        self.free_s = 0.0
        self.refused = self.done = 0
        self.last_s = 0.0
        self.ring_s = math.inf
        self.turns: list[tuple[float, int]] = []

    def _bucket(self, per_minute: float | None) -> ProviderBucket | None:
        if per_minute is None:
            return None
        return ProviderBucket(per_minute, burst_s=self.provider.burst_s, fill=self.provider.fill)

    def run(self, limit_s: float = 600.0) -> Outcome:
        """Play it."""
        for tokens in self.calls:
            self.turnstile.join(Cost(tokens=tokens), 0.0)
        self._at(0.0, self._ring)
        while self.events and self.done < len(self.calls):
            now_s, _, what, arguments = heapq.heappop(self.events)
            assert now_s < limit_s, "somebody waits for ever"
            what(now_s, *arguments)
        assert self.done == len(self.calls)
        return Outcome(self.last_s, self._least_s(), self.refused, self.turnstile, self.turns)

    def _at(self, when_s: float, what: Callable[..., None], *arguments: Any) -> None:
        heapq.heappush(self.events, (when_s, next(self.numbers), what, arguments))

    def _ring(self, now_s: float) -> None:
        self.ring_s = math.inf
        self._pump(now_s)

    def _pump(self, now_s: float) -> None:
        while changed := self.turnstile.advance(now_s):
            for ticket in changed:
                assert ticket.state == "granted"
                self.turns.append((now_s, ticket.cost.tokens))
                begins_s = max(now_s, self.free_s)
                self._at(begins_s, self._take_up, ticket)
                self.free_s = begins_s + self.provider.send_s
                self._at(self.free_s + self._transit_s(), self._arrive, ticket)
        next_s = self.turnstile.next_s(now_s)
        if next_s is not None and next_s < self.ring_s:
            self.ring_s = max(next_s, now_s)
            self._at(self.ring_s, self._ring)

    def _transit_s(self) -> float:
        return self.random.uniform(0.001, 0.005)

    def _take_up(self, now_s: float, ticket: Ticket) -> None:
        self.turnstile.take_up(ticket, now_s)
        self._pump(now_s)

    def _arrive(self, now_s: float, ticket: Ticket) -> None:
        tokens = ticket.cost.tokens
        wait_s = max(
            self.requests.wait_s(1, now_s) if self.requests else 0.0,
            self.tokens.wait_s(tokens, now_s) if self.tokens else 0.0,
        )
        if wait_s > 1e-6:
            self.refused += 1
            hold_s = math.ceil(wait_s * 1000) / 1000 if self.provider.headers_at else None
            if self.provider.charges_refusals and self.requests:
                self.requests.take(1, now_s)
            self._at(now_s + self._transit_s(), self._refuse, ticket, hold_s, self._reading(now_s))
            return
        if self.requests:
            self.requests.take(1, now_s)
        if self.tokens:
            self.tokens.take(tokens, now_s)
        reading = self._reading(now_s) if self.provider.headers_at == "arrival" else None
        latency_s = LATENCY_S * self.random.uniform(1 - JITTER, 1 + JITTER)
        self._at(now_s + latency_s, self._answer, ticket, reading)

    def _answer(self, now_s: float, ticket: Ticket, reading: Reading | None) -> None:
        used = ticket.cost.tokens if self.provider.answer_tokens is None else self.provider.answer_tokens
        if self.provider.gives_back and self.tokens:
            self.tokens.take(used - ticket.cost.tokens, now_s)
        if self.provider.headers_at == "answer":
            reading = self._reading(now_s)
        self._at(now_s + self._transit_s(), self._settle, ticket, used, reading)

    def _settle(self, now_s: float, ticket: Ticket, used: int, reading: Reading | None) -> None:
        self.turnstile.settle(ticket, used, now_s, reading=reading)
        self.done += 1
        self.last_s = now_s
        self._pump(now_s)

    def _refuse(self, now_s: float, ticket: Ticket, hold_s: float | None, reading: Reading | None) -> None:
        self.turnstile.refuse(ticket, hold_s, now_s, reading=reading)
        self.turnstile.join(ticket.cost, now_s, priority=1)
        self._pump(now_s)

    def _reading(self, now_s: float) -> Reading | None:
        if not self.provider.headers_at:
            return None

        def part(bucket: ProviderBucket | None) -> BucketReading | None:
            if bucket is None:
                return None
            reset_s = math.ceil(bucket.reset_s(now_s) * 1000) / 1000
            said = BucketReading(bucket.per_minute, float(max(0, int(bucket.level(now_s)))), reset_s)
            return self.provider.lie(said) if self.provider.lie is not None else said

        return Reading(requests=part(self.requests), tokens=part(self.tokens))

    def _least_s(self) -> float:
        least_s = 0.0
        used = self.provider.answer_tokens if self.provider.gives_back else None
        tokens = sum(self.calls) if used is None else used * len(self.calls)
        for bucket, amount in ((self.requests, len(self.calls)), (self.tokens, tokens)):
            if bucket is not None:
                least_s = max(least_s, (amount - bucket.capacity * self.provider.fill) / bucket.rate)
        return least_s + LATENCY_S


def play(provider: Provider, calls: Sequence[int]) -> Outcome:
    """Play `calls` against `provider`."""
    return Play(provider, calls).run()

"""The provider's limits: two buckets that refill all the time, charged when a request arrives."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

HeaderStyle = Literal["openai", "azure", "anthropic"]
"""Whose headers say what the limits are."""


class Bucket:
    """A level that rises by `per_minute / 60` each second up to `capacity`.

    In any stretch of `t` seconds no more than `capacity + t * per_minute / 60` can be taken. Time
    is an argument (seconds, any origin, never going back), so the arithmetic can be tested.
    """

    __slots__ = ("_level", "_now_s", "capacity", "per_minute", "rate")

    def __init__(self, per_minute: float, *, burst_s: float = 60.0, fill: float = 1.0) -> None:
        """Hold `burst_s` seconds' worth (at least 1), starting `fill` (0..1) full."""
        self.per_minute = per_minute
        self.rate = per_minute / 60.0
        self.capacity = max(1.0, self.rate * burst_s)
        self._level = self.capacity * fill
        self._now_s = -math.inf

    def level(self, now_s: float) -> float:
        """Say what could be taken at `now_s`."""
        if now_s > self._now_s:
            if self._now_s != -math.inf:
                self._level = min(self.capacity, self._level + (now_s - self._now_s) * self.rate)
            self._now_s = now_s
        return self._level

    def wait_s(self, amount: float, now_s: float) -> float:
        """Say how long until `amount` can be taken: 0.0 for now, infinity for never."""
        if amount > self.capacity:
            return math.inf
        return max(0.0, (amount - self.level(now_s)) / self.rate)

    def take(self, amount: float, now_s: float) -> None:
        """Lower the level; the caller has asked `wait_s` first. A negative `amount` gives back."""
        self._level = min(self.capacity, self.level(now_s) - amount)

    def reset_s(self, now_s: float) -> float:
        """Say how long until the bucket is full again."""
        return (self.capacity - self.level(now_s)) / self.rate


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request may pass, and if not, why and until when."""

    is_accepted: bool
    """True when both buckets were charged; False when neither was."""
    kind: Literal["requests", "tokens"] = "requests"
    """The bucket that refused, or that makes the caller wait longest."""
    retry_after_s: float = 0.0
    """Seconds until the same request fits; infinity when it never does."""


_ACCEPTED = Admission(is_accepted=True)
# Floating point: a client that waits exactly as long as it was told must not be refused again.
_SLACK_S = 1e-6


class Limits:
    """Requests and tokens per minute, taken both or neither.

    `charge_refusals` takes a request off the bucket for refused requests too, as some providers do.
    """

    def __init__(
        self, requests: Bucket | None, tokens: Bucket | None, *, charge_refusals: bool = False
    ) -> None:
        """Guard with either bucket, both, or none."""
        self.requests = requests
        self.tokens = tokens
        self.charge_refusals = charge_refusals

    def admit(self, tokens: int, now_s: float) -> Admission:
        """Charge one request and `tokens`, or say what stands in the way."""
        request_wait = self.requests.wait_s(1, now_s) if self.requests else 0.0
        token_wait = self.tokens.wait_s(tokens, now_s) if self.tokens else 0.0
        wait = max(request_wait, token_wait)
        if wait <= _SLACK_S:
            if self.requests:
                self.requests.take(1, now_s)
            if self.tokens:
                self.tokens.take(tokens, now_s)
            return _ACCEPTED
        if self.charge_refusals and self.requests and self.requests.level(now_s) >= 1:
            self.requests.take(1, now_s)
        kind: Literal["requests", "tokens"] = "tokens" if token_wait >= request_wait else "requests"
        return Admission(is_accepted=False, kind=kind, retry_after_s=wait)

    def refund(self, tokens: int, now_s: float) -> None:
        """Give `tokens` back that were charged and not used."""
        if self.tokens and tokens > 0:
            self.tokens.take(-tokens, now_s)

    def headers(self, now_s: float, style: HeaderStyle = "openai") -> list[tuple[bytes, bytes]]:
        """Say limit, remaining and reset of each bucket, as the provider of `style` does."""
        rows = []
        for name, bucket in (("requests", self.requests), ("tokens", self.tokens)):
            if bucket is None:
                continue
            said = {
                "limit": f"{int(bucket.per_minute)}",
                "remaining": f"{max(0, int(bucket.level(now_s)))}",
                "reset": duration(bucket.reset_s(now_s)),
            }
            if style == "anthropic":
                full_at = datetime.now(UTC) + timedelta(seconds=bucket.reset_s(now_s))
                said["reset"] = full_at.isoformat(timespec="seconds").replace("+00:00", "Z")
            elif style == "azure":
                del said["reset"]
            for what, value in said.items():
                header = (
                    f"anthropic-ratelimit-{name}-{what}"
                    if style == "anthropic"
                    else f"x-ratelimit-{what}-{name}"
                )
                rows.append((header.encode("ascii"), value.encode("ascii")))
        return rows


def retry_headers(wait_s: float, style: HeaderStyle = "openai") -> list[tuple[bytes, bytes]]:
    """Say when to come back, rounded up: in whole seconds, by openai in milliseconds too."""
    milliseconds = max(1, math.ceil(wait_s * 1000))
    rows = [(b"retry-after", b"%d" % math.ceil(milliseconds / 1000))]
    if style == "openai":
        rows.append((b"retry-after-ms", b"%d" % milliseconds))
    return rows


def duration(seconds: float) -> str:
    """Write seconds as the provider does: `12ms`, `7.66s`, `6m0s`, `1h2m3s`."""
    milliseconds = math.ceil(seconds * 1000 - 1e-6)
    if milliseconds < 1000:  # noqa: PLR2004
        return f"{milliseconds}ms"
    minutes, milliseconds = divmod(milliseconds, 60_000)
    rest = f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".")
    if not minutes:
        return f"{rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"

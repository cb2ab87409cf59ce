"""Which texts travel together: as many as fit in a request, in the order they came."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BatchLimits", "batch_limits", "batches"]

_TEXTS: Final = 256
"""Texts in a request when nothing says otherwise: small enough that several are under way at once."""
_PACE_S: Final = 0.25
"""A request's tokens, in seconds of the rate: what any provider's bucket holds, however it is enforced."""
# Tokens are estimated: a request close to the provider's maximum may be over it.
_SAFE_SHARE: Final = 0.8


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What one request may hold."""

    texts: int
    tokens: float
    """Only a single text that is longer goes over it, alone."""


def batch_limits(
    count: int,
    *,
    max_texts: int,
    max_tokens: float,
    requests_per_minute: float | None = None,
    tokens_per_minute: float | None = None,
) -> BatchLimits:
    """Say how `count` texts are best cut, at most `max_texts` and `max_tokens` a request.

    Under a token limit a request holds a quarter of a second's worth of it, or more where the request
    limit would run out before the tokens; without one, an even share of at most 256 texts, or more
    where that takes more requests than a second allows.
    """
    tokens = max_tokens * _SAFE_SHARE
    if tokens_per_minute is not None:
        pace = tokens_per_minute / 60.0 * _PACE_S
        if requests_per_minute is not None:
            pace = max(pace, tokens_per_minute / requests_per_minute)
        tokens = min(tokens, max(1.0, pace))
    texts = _TEXTS
    if requests_per_minute is not None:
        texts = max(texts, math.ceil(count / max(1.0, requests_per_minute / 60.0)))
    texts = max(1, min(texts, max_texts))
    if count > 0:
        texts = math.ceil(count / math.ceil(count / texts))
    return BatchLimits(texts, tokens)


def batches(tokens: Sequence[float], limits: BatchLimits) -> Iterator[range]:
    """Cut texts of so many `tokens` each into ranges that keep to `limits`: every text once, in order."""
    start, total = 0, 0.0
    for at, more in enumerate(tokens):
        if at > start and (at - start >= limits.texts or total + more > limits.tokens):
            yield range(start, at)
            start, total = at, 0.0
        total += more
    if start < len(tokens):
        yield range(start, len(tokens))

"""The buckets never let more through than they promise, and tell the truth about when to come back."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.testing.buckets import Bucket, Limits, duration, retry_headers

STEPS = st.lists(st.tuples(st.floats(0, 5), st.integers(1, 60)), min_size=1, max_size=60)


@given(STEPS, st.integers(1, 600), st.floats(0.1, 60))
def test_no_window_ever_exceeds_rate_times_window_plus_burst(
    steps: list[tuple[float, int]], per_minute: int, burst_s: float
) -> None:
    """In every stretch of time, what was admitted fits the rate and one full bucket."""
    bucket = Bucket(per_minute, burst_s=burst_s)
    limits = Limits(None, bucket)
    now, admitted = 0.0, []
    for pause, amount in steps:
        now += pause
        if limits.admit(amount, now).is_accepted:
            admitted.append((now, amount))
    for i, (start, _) in enumerate(admitted):
        total = 0
        for end, amount in admitted[i:]:
            total += amount
            assert total <= bucket.capacity + (end - start) * per_minute / 60 + 1e-3


@given(STEPS, st.integers(1, 600), st.integers(1, 6000))
def test_waiting_as_told_is_enough(steps: list[tuple[float, int]], rpm: int, tpm: int) -> None:
    """A refused request fits once its `retry_after_s` is over, if nobody else comes in between."""
    limits = Limits(Bucket(rpm, burst_s=5), Bucket(tpm, burst_s=5))
    now = 0.0
    for pause, amount in steps:
        now += pause
        first = limits.admit(amount, now)
        if not first.is_accepted and math.isfinite(first.retry_after_s):
            now += first.retry_after_s
            assert limits.admit(amount, now).is_accepted


@given(STEPS)
def test_both_buckets_are_charged_or_neither(steps: list[tuple[float, int]]) -> None:
    """A refusal by one limit leaves the other as it was."""
    limits = Limits(Bucket(60, burst_s=3), Bucket(1200, burst_s=3))
    assert limits.requests
    assert limits.tokens
    now = 0.0
    for pause, amount in steps:
        now += pause
        before = limits.requests.level(now), limits.tokens.level(now)
        admission = limits.admit(amount, now)
        after = limits.requests.level(now), limits.tokens.level(now)
        charged = (1.0, float(amount)) if admission.is_accepted else (0.0, 0.0)
        assert after == pytest.approx((before[0] - charged[0], before[1] - charged[1]))


def test_a_refund_never_overfills() -> None:
    """Tokens given back raise the level up to the capacity and no further."""
    limits = Limits(None, Bucket(600, burst_s=10))
    assert limits.tokens
    limits.admit(50, 0.0)
    limits.refund(30, 0.0)
    assert limits.tokens.level(0.0) == 80
    limits.refund(500, 0.0)
    assert limits.tokens.level(0.0) == 100


def test_what_never_fits_is_told_apart() -> None:
    """More than a full bucket waits for ever."""
    assert Limits(None, Bucket(600, burst_s=1)).admit(11, 0.0).retry_after_s == math.inf


def test_a_bucket_can_start_empty() -> None:
    """`fill=0.0` makes the first request wait."""
    assert Limits(Bucket(60, fill=0.0), None).admit(0, 5.0).retry_after_s == pytest.approx(1.0)


def test_refusals_can_cost_a_request() -> None:
    """With `charge_refusals` a refused request is taken off the request limit, too."""
    limits = Limits(Bucket(60, burst_s=5), Bucket(60, burst_s=5), charge_refusals=True)
    limits.admit(5, 0.0)
    assert not limits.admit(5, 0.0).is_accepted
    assert limits.requests
    assert limits.requests.level(0.0) == 3


def test_headers_name_limit_remaining_and_reset_of_both() -> None:
    """All six headers, in the provider's units."""
    limits = Limits(Bucket(500), Bucket(30_000))
    limits.admit(1500, 0.0)
    assert {name.decode(): value.decode() for name, value in limits.headers(0.0)} == {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "499",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-limit-tokens": "30000",
        "x-ratelimit-remaining-tokens": "28500",
        "x-ratelimit-reset-tokens": "3s",
    }


def test_headers_can_be_those_of_other_providers() -> None:
    """Azure says no resets, anthropic has names and times of its own, and neither says milliseconds."""
    limits = Limits(Bucket(500), None)
    azure = dict(limits.headers(0.0, "azure"))
    assert azure == {b"x-ratelimit-limit-requests": b"500", b"x-ratelimit-remaining-requests": b"500"}
    anthropic = dict(limits.headers(0.0, "anthropic"))
    assert anthropic[b"anthropic-ratelimit-requests-remaining"] == b"500"
    datetime.fromisoformat(anthropic[b"anthropic-ratelimit-requests-reset"].decode())
    for style in ("azure", "anthropic"):
        assert retry_headers(0.2, style) == [(b"retry-after", b"1")]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0ms"), (0.0121, "13ms"), (1, "1s"), (7.66, "7.66s"), (360, "6m0s"), (3723.5, "1h2m3.5s")],
)
def test_durations_read_as_the_provider_writes_them(seconds: float, text: str) -> None:
    """Milliseconds below a second, then seconds, minutes, hours."""
    assert duration(seconds) == text


def test_retry_headers_never_round_down() -> None:
    """Coming back at the told second is never too early."""
    assert retry_headers(0.2001) == [(b"retry-after", b"1"), (b"retry-after-ms", b"201")]
    assert retry_headers(2.0) == [(b"retry-after", b"2"), (b"retry-after-ms", b"2000")]

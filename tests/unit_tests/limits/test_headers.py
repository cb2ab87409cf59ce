"""What is read from a provider's headers, and what is not."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.limits.headers import read_limits
from langchain_prodkit.limits.protocol import BucketReading, Reading


def openai(kind: str, limit: Any, remaining: Any, reset: Any) -> dict[str, Any]:
    """Name three values as openai does."""
    values = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{what}-{kind}": value for what, value in values.items() if value is not None}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("120ms", 0.12),
        ("6m0s", 360.0),
        ("1h2m3s", 3_723.0),
        ("7.66s", 7.66),
        ("1m2.5s", 62.5),
        ("12", 12.0),
        ("0s", 0.0),
        ("2d1h", 176_400.0),
    ],
)
def test_durations_are_read(text: str, seconds: float) -> None:
    """As openai and azure write them."""
    reading = read_limits(openai("requests", "600", "599", text))
    assert reading is not None
    assert reading.requests is not None
    assert (reading.requests.per_minute, reading.requests.remaining) == (600.0, 599.0)
    assert reading.requests.reset_s == pytest.approx(seconds)


def test_both_kinds_are_read_from_a_clients_headers() -> None:
    """Whatever the case of the names; other headers do not matter."""
    headers = httpx.Headers(
        {
            "X-RateLimit-Limit-Requests": "500",
            "X-RateLimit-Remaining-Requests": "7",
            **openai("tokens", "30000", "29000", "2s"),
            "content-type": "application/json",
        }
    )
    assert read_limits(headers) == Reading(
        requests=BucketReading(500.0, 7.0, None), tokens=BucketReading(30_000.0, 29_000.0, 2.0)
    )


def test_azure_may_leave_the_limit_out() -> None:
    """What remains is told all the same."""
    assert read_limits(openai("tokens", None, "1234", None)) == Reading(
        tokens=BucketReading(None, 1_234.0, None)
    )


def test_anthropic_names_and_times_are_read() -> None:
    """Resets are points in time there; input and output tokens stand apart, and the tighter one counts."""
    at = (datetime.now(UTC) + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    reading = read_limits(
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": at,
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "39000",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "7000",
        }
    )
    assert reading is not None
    assert reading.requests is not None
    assert reading.requests.reset_s == pytest.approx(30.0, abs=2.0)
    assert reading.tokens == BucketReading(8_000.0, 7_000.0, None)


GARBAGE: list[Any] = [
    "nan", "inf", "-5", "many", "", "1e400", "9" * 5_000, "\ud800", b"\xff", None, [], True, 10**5_000,
]  # fmt: skip


@pytest.mark.parametrize("value", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_nothing_said(value: Any) -> None:
    """No number, below zero, or absurd."""
    assert read_limits(openai("requests", value, value, value)) is None


def test_a_limit_of_zero_is_no_limit() -> None:
    """Some send it for "none"; nobody could ever call."""
    assert read_limits(openai("requests", "0", None, "1s")) is None


@given(
    st.one_of(
        st.none(),
        st.integers(),
        st.dictionaries(
            st.one_of(
                st.text(max_size=20),
                st.binary(max_size=20),
                st.integers(),
                st.builds(
                    "{}-{}-{}".format,
                    st.sampled_from(["x-ratelimit", "anthropic-ratelimit"]),
                    st.sampled_from(["limit", "remaining", "reset", "requests", "tokens"]),
                    st.sampled_from(["requests", "tokens", "limit", "remaining", "reset"]),
                ),
            ),
            st.one_of(
                st.text(max_size=30),
                st.from_regex(r"[0-9:.TZhms+-]{1,30}"),
                st.binary(max_size=30),
                st.floats(),
                st.integers(),
                st.none(),
            ),
            max_size=12,
        ),
    )
)
def test_nothing_makes_it_raise_and_what_it_reads_makes_sense(headers: Any) -> None:
    """Whatever stands in the headers: finite numbers of zero or more, or nothing."""
    reading = read_limits(headers)
    for part in (reading.requests, reading.tokens) if reading is not None else ():
        for number in (part.per_minute, part.remaining, part.reset_s) if part is not None else ():
            assert number is None or (math.isfinite(number) and number >= 0.0)

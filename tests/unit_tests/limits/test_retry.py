"""What is tried again, and after how long."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from langchain_core.exceptions import (
    ModelAPIError,
    ModelConnectionError,
    ModelInvalidRequestError,
    ModelRateLimitError,
)
from langchain_core.load import dumps, loads

from langchain_prodkit.errors import ConfigurationError, InjectionError, LimitTimeoutError, SerializationError
from langchain_prodkit.limits import RetryPolicy
from langchain_prodkit.limits.retry import retry_after_s


class StatusError(Exception):
    """An error of some SDK that carries a status."""

    def __init__(self, status_code: int, **fields: Any) -> None:
        super().__init__()
        self.status_code = status_code
        vars(self).update(fields)


class QuotaError(ModelRateLimitError):
    """A refusal that no waiting cures."""

    code = "insufficient_quota"


REQUEST = httpx.Request("POST", "http://127.0.0.1/")


def answered(status_code: int, **headers: str) -> Exception:
    """An error with the whole response attached."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx.Response(status_code, headers=named, request=REQUEST)
    return httpx.HTTPStatusError("", request=REQUEST, response=response)


@pytest.mark.parametrize(
    "error",
    [
        ModelRateLimitError(),
        ModelAPIError(),
        ModelConnectionError(),
        *(StatusError(status) for status in (408, 409, 429, 500, 503, 529)),
        answered(503),
        httpx.ConnectError(""),
        httpx.ReadTimeout(""),
        httpx.RemoteProtocolError(""),
        ConnectionResetError(),
        TimeoutError(),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    """Refusals, server errors, broken connections and timeouts."""
    assert RetryPolicy().is_retryable(error)


@pytest.mark.parametrize(
    "error",
    [
        ModelInvalidRequestError(),
        QuotaError(),
        StatusError(429, code="insufficient_quota"),
        StatusError(429, body={"error": {"type": "insufficient_quota"}}),
        StatusError(400),
        StatusError(401),
        StatusError(404),
        answered(422),
        ValueError(),
        InjectionError(layer="heuristics", score=1.0, reasons=()),
        LimitTimeoutError(),
    ],
)
def test_what_cannot_pass_is_not_tried_again(error: Exception) -> None:
    """Bad requests, empty accounts, and errors that are no provider's."""
    assert not RetryPolicy().is_retryable(error)


def test_retry_on_judges_what_is_no_model_error() -> None:
    """A tuple of classes or a function; langchain-core's own errors keep their own word."""
    for policy in (
        RetryPolicy(retry_on=(ZeroDivisionError,)),
        RetryPolicy(retry_on=lambda error: isinstance(error, ZeroDivisionError)),
    ):
        assert policy.is_retryable(ZeroDivisionError())
        assert not policy.is_retryable(ConnectionError())
        assert policy.is_retryable(ModelAPIError())
        assert not policy.is_retryable(ModelInvalidRequestError())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after_ms": "250"}, 0.25),
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after_ms": "250", "retry_after": "1"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "1"}, 1.0),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "garbage"}, None),
        ({}, None),
    ],
)
def test_the_providers_word_is_read(headers: dict[str, str], seconds: float | None) -> None:
    """Milliseconds, seconds or a date; garbage counts as nothing said."""
    assert retry_after_s(answered(429, **headers)) == seconds


def test_a_date_is_read_as_seconds_from_now() -> None:
    """HTTP allows a date in `retry-after`."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    seconds = retry_after_s(answered(429, retry_after=date))
    assert seconds == pytest.approx(30.0, abs=2.0)


def test_delays_grow_and_never_undercut_the_provider() -> None:
    """A tenth of a second, then four times as long, with jitter on top; what was asked for is a floor."""
    policy = RetryPolicy(max_wait_s=10.0)
    for attempt, floor_s in ((1, 0.1), (2, 0.4), (3, 1.6), (4, 6.4)):
        assert floor_s <= (policy.delay_s(attempt, None) or 0.0) <= 1.5 * floor_s
    assert policy.delay_s(20, None) == 10.0
    assert 3.0 <= (policy.delay_s(1, 3.0) or 0.0) <= 3.3


def test_a_provider_that_asks_for_too_long_ends_the_call() -> None:
    """An hour is no wait but a failure."""
    assert RetryPolicy(max_wait_s=60.0).delay_s(1, 3_600.0) is None


@pytest.mark.parametrize(
    "arguments",
    [{"max_attempts": 0}, {"max_wait_s": -1.0}, {"max_wait_s": math.nan}, {"deadline_s": 0.0}],
)
def test_numbers_that_make_no_sense_are_refused(arguments: dict[str, Any]) -> None:
    """Told at construction."""
    with pytest.raises(ConfigurationError):
        RetryPolicy(**arguments)


def test_a_policy_is_written_as_json_unless_it_holds_a_function() -> None:
    """Numbers are; a function is not, and the error says which argument."""
    policy = RetryPolicy(max_attempts=3, deadline_s=5.0)
    twin = loads(dumps(policy), allowed_objects=[RetryPolicy], valid_namespaces=["langchain_prodkit"])
    assert twin == policy
    with pytest.raises(SerializationError, match="retry_on"):
        dumps(RetryPolicy(retry_on=(ValueError,)))

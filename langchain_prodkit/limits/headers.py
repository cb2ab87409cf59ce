"""What a provider's response headers say of its limits: openai, azure and anthropic names.

Headers are written by others, so nothing here trusts them: what is no number, below zero or absurd
counts as not said.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from langchain_prodkit.limits.protocol import BucketReading, Reading

__all__ = ["read_limits"]

# Above these a number is a mistake, or means "none": no limit to keep to.
_MOST: Final = 1e12
_LONGEST_S: Final = 7 * 86_400.0
_LONGEST_TEXT: Final = 64
_DURATION: Final = re.compile(
    r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d*)?)s)?(?:(\d+(?:\.\d*)?)ms)?", re.ASCII
)
_UNITS_S: Final = (86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_NUMBER: Final = re.compile(r"\d+(?:\.\d*)?", re.ASCII)


def read_limits(headers: object) -> Reading | None:
    """Read the limits that response headers state; None where they state none.

    Takes any mapping of names to values, in any case of letters; never raises. Resets are durations
    (`6m0s`, `120ms`, plain seconds) or RFC 3339 times. Where anthropic counts input and output apart,
    the tighter one of the two stands for the tokens, unless the sum of both is stated.
    """
    if not isinstance(headers, Mapping):
        return None
    found: dict[str, object] = {}
    try:
        for name, value in headers.items():
            if (isinstance(name, str) and "ratelimit-" in (low := name.lower())) or (
                isinstance(name, bytes) and "ratelimit-" in (low := name.decode("latin-1").lower())
            ):
                found[low] = value
    except Exception:  # noqa: BLE001 - a mapping of somebody else's making
        return None
    if not found:
        return None
    requests = _openai(found, "requests") or _anthropic(found, "requests")
    tokens = _openai(found, "tokens") or _anthropic(found, "tokens")
    if tokens is None:
        parts = [_anthropic(found, "input-tokens"), _anthropic(found, "output-tokens")]
        tokens = min((part for part in parts if part is not None), key=_tightness, default=None)
    return Reading(requests=requests, tokens=tokens) if requests or tokens else None


def _openai(found: Mapping[str, object], kind: str) -> BucketReading | None:
    return _reading(*(found.get(f"x-ratelimit-{what}-{kind}") for what in ("limit", "remaining", "reset")))


def _anthropic(found: Mapping[str, object], kind: str) -> BucketReading | None:
    return _reading(
        *(found.get(f"anthropic-ratelimit-{kind}-{what}") for what in ("limit", "remaining", "reset"))
    )


def _reading(limit: object, remaining: object, reset: object) -> BucketReading | None:
    per_minute, left, reset_s = _number(limit), _number(remaining), _seconds(reset)
    if not per_minute:
        # Azure leaves it out; "0" is what some send for "none".
        per_minute = None
    if per_minute is None and left is None:
        return None
    if per_minute is not None and left is not None and left > per_minute:
        left = per_minute
    return BucketReading(per_minute=per_minute, remaining=left, reset_s=reset_s)


def _tightness(reading: BucketReading) -> float:
    for value in (reading.remaining, reading.per_minute):
        if value is not None:
            return value
    return math.inf


def _text(value: object) -> str | None:
    if isinstance(value, bytes):
        value = value[: _LONGEST_TEXT + 1].decode("latin-1")
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Before any conversion: an int may be too long to print.
        value = repr(float(value)) if -_MOST <= value <= _MOST else None
    return value.strip() if isinstance(value, str) and len(value) <= _LONGEST_TEXT else None


def _number(value: object) -> float | None:
    text = _text(value)
    if text is None or _NUMBER.fullmatch(text) is None:
        return None
    number = float(text)
    return number if number <= _MOST else None


def _seconds(value: object) -> float | None:
    text = _text(value)
    if not text:
        return None
    seconds = _number(text)
    if seconds is None:
        match = _DURATION.fullmatch(text)
        if match is not None:
            parts = zip(match.groups(), _UNITS_S, strict=True)
            seconds = sum(float(part) * unit for part, unit in parts if part)
        else:
            with contextlib.suppress(ValueError, OverflowError):
                at = datetime.fromisoformat(text)
                at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
                seconds = max(0.0, (at - datetime.now(UTC)).total_seconds())
    return seconds if seconds is not None and seconds <= _LONGEST_S else None

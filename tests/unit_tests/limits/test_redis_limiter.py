"""What a shared limit is told, and what it tells of itself; no server needed."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.load import dumps, loads
from pydantic import SecretStr

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.limits import LimiterStatistics, RateLimitedAsyncChat, RateLimiter, RedisLimiter

URL = "redis://someone:hunter2@127.0.0.1:1/3"


def limiter(**settings: Any) -> RedisLimiter:
    """Describe one that will never connect."""
    told: dict[str, Any] = {"url": URL, "key": "openai:gpt-4o-mini", "requests_per_minute": 600}
    return RedisLimiter(**told | settings)


def test_the_shared_limiter_keeps_the_contract() -> None:
    """It is a `RateLimiter`, and a chat model takes it as one."""
    assert isinstance(limiter(), RateLimiter)
    RateLimitedAsyncChat(FakeListChatModel(responses=["yes"]), limiter=limiter())


@pytest.mark.parametrize(
    "url",
    [
        "", "localhost", "127.0.0.1:6379", "http://localhost:6379", "redis//localhost",
        "redis://localhost:port", "redis://localhost:99999", "redis://localhost/0?no_such_option=1", 7, None,
        b"redis://localhost",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_told_at_once(url: Any) -> None:
    """Wrong scheme, wrong port, no text: at construction, before any call."""
    with pytest.raises(ConfigurationError, match="redis://"):
        limiter(url=url)


def test_the_error_of_a_wrong_url_does_not_repeat_it() -> None:
    """Its password stays out of messages, causes and contexts shown."""
    with pytest.raises(ConfigurationError) as caught:
        limiter(url="redis://someone:hunter2@localhost:port/0")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    "url", [URL, URL.replace("redis:", "rediss:"), URL.replace("redis:", "valkey:"), "unix:///tmp/redis.sock"]
)
def test_every_scheme_of_the_protocol_is_taken(url: str) -> None:
    """Plain, TLS, a socket, and the names that valkey uses."""
    assert limiter(url=url).url.get_secret_value() == url
    assert limiter(url=SecretStr(url)).url.get_secret_value() == url


@pytest.mark.parametrize("key", ["", "a{b", "a}", None, 7])
def test_a_key_is_a_text_without_braces(key: Any) -> None:
    """Braces would put the parts of a limit on different nodes of a cluster."""
    with pytest.raises(ConfigurationError, match="key"):
        limiter(key=key)


@pytest.mark.parametrize(
    "name",
    ["requests_per_minute", "tokens_per_minute", "max_concurrency", "burst_s", "share", "timeout_s"],
)
@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "many"])
def test_numbers_that_make_no_sense_are_refused_by_name(name: str, value: Any) -> None:
    """Zero, negative, endless or no number at all."""
    with pytest.raises(ConfigurationError, match=name):
        limiter(**{name: value})


@pytest.mark.parametrize("settings", [{"headroom": -0.1}, {"headroom": 1.0}, {"share": 1.1}])
def test_shares_stay_below_one(settings: dict[str, float]) -> None:
    """More than the whole cannot be left unused, or used."""
    with pytest.raises(ConfigurationError, match="share"):
        limiter(**settings)


def test_the_password_is_in_no_text_about_it() -> None:
    """Neither in `repr`, nor `str`, nor what `dumps` writes."""
    shown = limiter()
    assert "hunter2" not in repr(shown) + str(shown) + repr(shown._arguments()) + dumps(shown)


def test_it_is_written_without_its_url_and_read_with_it() -> None:
    """`dumps` writes the url as a secret; `loads` takes it from the map, or the environment."""
    written = dumps(limiter(tokens_per_minute=1_000, share=0.5))
    read = loads(
        written,
        allowed_objects=[RedisLimiter],
        valid_namespaces=["langchain_prodkit"],
        secrets_map={"PRODKIT_REDIS_URL": URL},
    )
    assert isinstance(read, RedisLimiter)
    assert read.url.get_secret_value() == URL
    assert (read.key, read.tokens_per_minute, read.share) == ("openai:gpt-4o-mini", 1_000, 0.5)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301
def test_a_copy_takes_part_in_the_same_limit(copied: Any) -> None:
    """It has the same settings, and a connection of its own."""
    original = limiter(headroom=0.1, learn_limits=False, timeout_s=0.2)
    twin = copied(original)
    assert twin._arguments() == original._arguments()
    assert twin._courier is not original._courier


def test_nothing_starts_before_the_first_call() -> None:
    """No thread, no connection, and statistics of an unused limit."""
    statistics = limiter(tokens_per_minute=1_200).statistics()
    assert statistics == LimiterStatistics(
        waiting=0,
        in_flight=0,
        granted=0,
        refusals=0,
        requests_level=None,
        tokens_level=None,
        held_s=0.0,
        requests_per_minute=600,
        tokens_per_minute=1_200,
        is_learned=False,
    )


def test_a_missing_extra_says_how_to_get_it() -> None:
    """Without redis-py the constructor names the pip command, and the other limiters still work."""
    code = (
        "import sys; sys.modules['redis'] = None\n"
        "from langchain_prodkit.errors import MissingExtraError\n"
        "from langchain_prodkit.limits import LocalLimiter, RedisLimiter\n"
        "LocalLimiter()\n"
        "try:\n    RedisLimiter('redis://localhost', 'key')\n"
        "except MissingExtraError as error:\n    print(error.command)"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == 'pip install "langchain-prodkit[redis]"'


def test_the_room_does_not_load_redis() -> None:
    """Whoever keeps to one process pays nothing for the others."""
    code = (
        "import sys, langchain_prodkit.limits as limits; limits.LocalLimiter; limits.RedisLimiter\n"
        "print('redis' in sys.modules)"
    )
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"

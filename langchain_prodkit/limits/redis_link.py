"""The connection to the server of a shared limit, and what its failures mean."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import urlsplit
from uuid import uuid4

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.limits.redis_script import Script

if TYPE_CHECKING:
    from langchain_prodkit.limits.redis_script import Answer, Ask, Limits

__all__ = ["Link", "check_url"]

_SCHEMES: Final = {"redis": "redis", "rediss": "rediss", "unix": "unix"}
_SAME_PROTOCOL: Final = {"valkey": "redis", "valkeys": "rediss"}
# One thread uses it; the second connection is for a trip that outlives a restart of that thread.
_CONNECTIONS: Final = 2


@final
class Link:
    """One process's way to the server; connects on the first trip, and again after a failure."""

    def __init__(self, url: str, key: str, limits: Limits, *, timeout_s: float, learns: bool) -> None:
        """Take `timeout_s` seconds as the longest that a trip, or connecting for one, may take."""
        self._pool = _pool(url, timeout_s)
        redis = require("redis", extra="redis")
        self._client = redis.Redis(connection_pool=self._pool)
        self._script = Script(self._client, key, uuid4().hex[:16], limits, learns=learns)
        self._errors = require("redis.exceptions", extra="redis")
        self.outages: tuple[type[BaseException], ...] = (self._errors.RedisError, OSError)
        """What a trip may raise when the server does not serve."""

    def trip(self, ask: Ask, *, is_known: bool, is_back: bool) -> Answer:
        """Carry `ask` over the wire; raises one of `outages` when it does not come back."""
        try:
            return self._script.trip(ask, time.monotonic(), is_known=is_known, is_back=is_back)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            # Not what the script says: something else answers in its place.
            raise self._errors.InvalidResponse(type(error).__name__) from None

    def explain(self, error: BaseException) -> ConfigurationError | None:
        """Turn a failure that no waiting cures into an error that says so; None for any other.

        The message of `error` is not passed on: it may hold parts of the url.
        """
        errors = self._errors
        if isinstance(error, errors.AuthenticationError | errors.AuthorizationError):
            return ConfigurationError(
                "the server of this limit wants another user or password: give them in the url, as in "
                "redis://user:password@host:6379/0"
            )
        if isinstance(error, errors.NoPermissionError):
            return ConfigurationError(
                "the user in the url may not do what a limit needs: allow it @scripting, @hash, @sortedset, "
                "@keyspace and TIME on keys that begin with 'prodkit:limit:'"
            )
        if isinstance(error, errors.InvalidResponse):
            return ConfigurationError("what listens at the url of this limit is no redis server")
        if isinstance(error, errors.MovedError | errors.AskError):
            return ConfigurationError(
                "the server of this limit is a node of a cluster that does not hold the key: give the url of "
                "the node that does, or of a proxy"
            )
        return None

    def close(self) -> None:
        """Hang up; the next trip connects again."""
        self._pool.disconnect()


def check_url(url: str) -> None:
    """Make sure that `url` can be used, without connecting.

    Raises:
        ConfigurationError: It cannot; the message does not repeat it.
        MissingExtraError: The extra `redis` is not installed.
    """
    _pool(url, 1.0)


def _pool(url: str, timeout_s: float) -> Any:
    redis = require("redis", extra="redis")
    retry = require("redis.retry", extra="redis")
    backoff = require("redis.backoff", extra="redis")
    try:
        scheme = urlsplit(url).scheme
        known = _SCHEMES.get(scheme) or _SAME_PROTOCOL[scheme]
        pool = redis.BlockingConnectionPool.from_url(
            known + url[len(scheme) :],
            max_connections=_CONNECTIONS,
            timeout=timeout_s,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            # A booking that is sent twice counts twice; and the wait for another try is not redis-py's.
            retry=retry.Retry(backoff.NoBackoff(), 0),
            protocol=2,
        )
        pool.connection_class(**pool.connection_kwargs)
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ConfigurationError(
            "url of a RedisLimiter: redis://[user:password@]host[:port][/database], rediss:// for TLS, "
            "or unix:///path/to/socket"
        ) from None
    return pool

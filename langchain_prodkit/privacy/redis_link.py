"""The way to the server of a `RedisVault`: one script, run from sync code or from any event loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Final, final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, VaultUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Link"]

_SCHEMES: Final = {
    "redis": "redis",
    "rediss": "rediss",
    "unix": "unix",
    "valkey": "redis",
    "valkeys": "rediss",
}
_CONNECTIONS: Final = 16
_QUEUE_S: Final = 30.0
"""How long a call may wait for one of the connections while others use them."""

# One hash a scope. Fields: `#` how many values, `c:<entity>` how many of an entity, `i:<digest>` -> token,
# `t:<token>` -> sealed value, `s:<n>` -> the n-th token. One more hash holds the ids of the keys in use and
# until when, so that a wrong key is told apart from a scope that nobody has opened. A script runs alone on
# the server: what it finds stays so until it has written.
_SCRIPT: Final = """
local mode, ttl, most, keys = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local ids, at = KEYS[1], 4 + keys
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local used, ours = false, false
local known = redis.call('HGETALL', ids)
for n = 1, #known, 2 do
  if tonumber(known[n + 1]) > now then
    used = true
    for k = 1, keys do
      if known[n] == ARGV[4 + k] then ours = true end
    end
  else
    redis.call('HDEL', ids, known[n])
  end
end
if used and not ours then return {'key'} end
if mode == 'forget' then
  for k = 2, #KEYS do redis.call('DEL', KEYS[k]) end
  return {'ok'}
end
local room = KEYS[2]
local is_here = redis.call('EXISTS', room) == 1
for k = 3, #KEYS do
  if not is_here and redis.call('EXISTS', KEYS[k]) == 1 then
    redis.call('RENAME', KEYS[k], room)
    is_here = true
  end
end
local function stay()
  redis.call('PEXPIRE', room, ttl)
  local ends = tonumber(redis.call('HGET', ids, ARGV[5]) or '0')
  if now + ttl > ends then redis.call('HSET', ids, ARGV[5], now + ttl) end
  if redis.call('PTTL', ids) < ttl then redis.call('PEXPIRE', ids, ttl) end
end
if mode == 'enter' or mode == 'issue' then
  if not is_here then redis.call('HSET', room, '#', 0) end
elseif not is_here then
  return {'gone'}
end
local count = tonumber(redis.call('HGET', room, '#') or '0')
local answer = {'ok'}
if mode == 'enter' or mode == 'values' then
  for n = count, math.max(1, count - tonumber(ARGV[at + 1]) + 1), -1 do
    local token = redis.call('HGET', room, 's:' .. n)
    answer[#answer + 1] = token
    answer[#answer + 1] = redis.call('HGET', room, 't:' .. token)
  end
elseif mode == 'read' then
  for n = at + 1, #ARGV do answer[#answer + 1] = redis.call('HGET', room, 't:' .. ARGV[n]) end
elseif mode == 'renew' then
  for n = at + 1, #ARGV, 3 do
    if redis.call('HGET', room, 't:' .. ARGV[n]) == ARGV[n + 1] then
      redis.call('HSET', room, 't:' .. ARGV[n], ARGV[n + 2])
    end
  end
elseif mode == 'issue' then
  local width, fresh, found = 2 + keys, 0, {}
  for n = at + 1, #ARGV, width do
    for k = 1, keys do
      local token = redis.call('HGET', room, 'i:' .. ARGV[n + 1 + k])
      if token and not found[n] then found[n] = {token, k} end
    end
    if not found[n] then fresh = fresh + 1 end
  end
  if fresh > 0 and count + fresh > most then return {'full'} end
  for n = at + 1, #ARGV, width do
    local entity, sealed, first = ARGV[n], ARGV[n + 1], 'i:' .. ARGV[n + 2]
    local token
    if found[n] then
      token = found[n][1]
      if found[n][2] > 1 then
        redis.call('HDEL', room, 'i:' .. ARGV[n + 1 + found[n][2]])
        redis.call('HSET', room, first, token, 't:' .. token, sealed)
      end
    else
      token = entity .. '_' .. redis.call('HINCRBY', room, 'c:' .. entity, 1)
      count = count + 1
      redis.call('HSET', room, first, token, 't:' .. token, sealed, 's:' .. count, token)
    end
    answer[#answer + 1] = token
  end
  redis.call('HSET', room, '#', count)
end
stay()
return answer
"""


@final
class Link:
    """Runs the script; connects when it is first needed, and again after a failure."""

    def __init__(self, url: str, timeout_s: float) -> None:
        """Take `timeout_s` seconds as the longest that the server may take to answer.

        Raises:
            ConfigurationError: The url cannot be used; the message does not repeat it.
            MissingExtraError: The extra `redis` is not installed.
        """
        self._url = url
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._redis = require("redis", extra="redis")
        self._aredis = require("redis.asyncio", extra="redis")
        self._outages = (require("redis.exceptions", extra="redis").RedisError, OSError)
        self._client = self._redis.Redis(connection_pool=self._pool(self._redis, "redis"))
        self._script = self._client.register_script(_SCRIPT)
        self._of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    def run(self, keys: Sequence[bytes], args: Sequence[Any]) -> list[Any]:
        """Run the script.

        Raises:
            VaultUnavailableError: The server does not answer, or not as a redis server does.
        """
        try:
            return list(self._script(keys=keys, args=args))
        except self._outages as error:
            raise _unavailable(error) from None

    async def arun(self, keys: Sequence[bytes], args: Sequence[Any]) -> list[Any]:
        """Do what `run` does without holding up the event loop."""
        try:
            return list(await self._ascript()(keys=keys, args=args))
        except self._outages as error:
            raise _unavailable(error) from None

    def close(self) -> None:
        """Hang up; the next run connects again."""
        self._client.connection_pool.disconnect()

    async def aclose(self) -> None:
        """Hang up what this event loop has opened."""
        with self._lock:
            script = self._of_loop.pop(asyncio.get_running_loop(), None)
        if script is not None:
            await script.registered_client.aclose(close_connection_pool=True)

    def _ascript(self) -> Any:
        loop = asyncio.get_running_loop()
        with self._lock:
            script = self._of_loop.get(loop)
            if script is None:
                # A connection belongs to the loop that opened it.
                client = self._aredis.Redis(connection_pool=self._pool(self._aredis, "redis.asyncio"))
                script = self._of_loop[loop] = client.register_script(_SCRIPT)
            return script

    def _pool(self, module: Any, name: str) -> Any:
        retry = require(f"{name}.retry", extra="redis")
        backoff = require("redis.backoff", extra="redis")
        errors = require("redis.exceptions", extra="redis")
        try:
            scheme = urlsplit(self._url).scheme
            pool = module.BlockingConnectionPool.from_url(
                _SCHEMES[scheme] + self._url[len(scheme) :],
                max_connections=_CONNECTIONS,
                timeout=_QUEUE_S,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=self._timeout_s,
                # Once more, for a connection that the server has closed meanwhile; running twice is the
                # same as running once.
                retry=retry.Retry(backoff.NoBackoff(), 1, supported_errors=(errors.ConnectionError,)),
                protocol=2,
            )
            pool.connection_class(**pool.connection_kwargs)
        except (KeyError, ValueError, TypeError, AttributeError):
            raise ConfigurationError(
                "url of a RedisVault: redis://[user:password@]host[:port][/database], rediss:// for TLS, or "
                "unix:///path/to/socket"
            ) from None
        return pool


def _unavailable(error: BaseException) -> VaultUnavailableError:
    # The message of `error` is not passed on: it may hold parts of the url.
    return VaultUnavailableError(
        f"the redis server of the RedisVault does not answer ({type(error).__qualname__}): nothing was sent "
        "and no value restored; what it holds is there when it is back"
    )

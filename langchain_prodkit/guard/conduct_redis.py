"""Conduct that many processes and hosts share, on a server of the redis protocol."""

from __future__ import annotations

import asyncio
import weakref
from hashlib import sha1
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, PrivateAttr, SecretStr
from typing_extensions import override

from langchain_prodkit._extras import require
from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import ConductStoreError, ConfigurationError
from langchain_prodkit.guard.conduct_record import (
    HASH_DIGITS,
    LEAST_SPREAD,
    SKETCH_SIZE,
    Barred,
    Conduct,
    Look,
    Rules,
)

__all__ = ["RedisConductStore"]

_SCHEMES: Final = ("redis", "rediss", "unix")
_CONNECTIONS: Final = 32
_NOTHING: Final = Look("", (0.0, 0.0, 0.0))

# One step on the server, by its clock. KEYS: the user's hash, the app's baseline. Mirrors Record.
_SCRIPT: Final = """
local mode = ARGV[1]
local sketch, strikes_now, ban_s = ARGV[2], tonumber(ARGV[6]), tonumber(ARGV[7])
local similarity, in_a_row_max = tonumber(ARGV[8]), tonumber(ARGV[9])
local outlier_z, known_at = tonumber(ARGV[10]), tonumber(ARGV[11])
local similar_strikes, outlier_strikes = tonumber(ARGV[12]), tonumber(ARGV[13])
local cool_after, cool_s = tonumber(ARGV[14]), tonumber(ARGV[15])
local ban_after, rule_ban_s, forget_s = tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18])
local size, digits = tonumber(ARGV[19]), tonumber(ARGV[20])
local user, base = KEYS[1], KEYS[2]

if mode == 'pardon' then
    redis.call('DEL', user)
    return {0, '', '', 0, 0}
end

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local got = redis.call('HMGET', user, 'barred', 'until', 'strikes', 'struck', 'row', 'sketch')
local barred, ends = got[1] or '', tonumber(got[2] or '0')
local strikes, struck = tonumber(got[3] or '0'), tonumber(got[4] or '0')
local row, old = tonumber(got[5] or '0'), got[6] or ''
local codes = {}

if barred ~= '' and ends >= 0 and now >= ends then
    if barred == 'ban' then strikes = 0 end
    barred, ends = '', 0
end
if now - struck >= forget_s then strikes = 0 end

local function answer(was_barred)
    local left = ''
    if barred ~= '' and ends >= 0 then left = string.format('%.6f', math.max(0, ends - now)) end
    local out = {was_barred, barred, left, strikes, row}
    for _, code in ipairs(codes) do out[#out + 1] = code end
    return out
end

local function bar(kind, seconds)
    barred = kind
    if seconds < 0 then ends = -1 else ends = now + seconds end
end

local function strike(count)
    if count == 0 then return end
    strikes = strikes + count
    struck = now
    if ban_after > 0 and strikes >= ban_after then bar('ban', rule_ban_s)
    elseif cool_after > 0 and strikes >= cool_after then bar('cool_down', cool_s) end
end

local function overlap(a, b)
    if a == '' or b == '' then return 0 end
    local most = 2 * size
    if #a >= size * digits or #b >= size * digits then most = size end
    local i, j, both, all = 1, 1, 0, 0
    while all < most and (i <= #a or j <= #b) do
        local x, y = string.sub(a, i, i + digits - 1), string.sub(b, j, j + digits - 1)
        all = all + 1
        if x == y then
            both, i, j = both + 1, i + digits, j + digits
        elseif y == '' or (x ~= '' and x < y) then
            i = i + digits
        else
            j = j + digits
        end
    end
    return both / all
end

local function is_outlier()
    local found = false
    local fields = {'count', 'm1', 'm2', 'm3', 's1', 's2', 's3'}
    local state = redis.call('HMGET', base, unpack(fields))
    local count = tonumber(state[1] or '0') + 1
    local known = count - 1 >= known_at
    local save = {'count', string.format('%.0f', count)}
    for n = 1, 3 do
        local value, mean = tonumber(ARGV[2 + n]), tonumber(state[1 + n] or '0')
        local square = tonumber(state[4 + n] or '0')
        if known then
            local reach = outlier_z * math.max(math.sqrt(square / (count - 2)), tonumber(ARGV[20 + n]))
            if math.abs(value - mean) > reach then
                found = true
                if value > mean then value = mean + reach else value = mean - reach end
            end
        end
        local delta = value - mean
        mean = mean + delta / count
        square = square + delta * (value - mean)
        save[#save + 1] = 'm' .. n
        save[#save + 1] = string.format('%.17g', mean)
        save[#save + 1] = 's' .. n
        save[#save + 1] = string.format('%.17g', square)
    end
    redis.call('HSET', base, unpack(save))
    return found
end

if mode == 'ban' then
    bar('ban', ban_s)
elseif barred ~= '' then
    return answer(1)
elseif mode == 'strike' then
    strike(strikes_now)
else
    local count = 0
    if sketch ~= '' then
        if overlap(old, sketch) >= similarity then row = row + 1 else row = 1 end
        old = sketch
        if row >= in_a_row_max then
            codes[#codes + 1] = 'similar_queries'
            count = count + similar_strikes
        end
    end
    if is_outlier() then
        codes[#codes + 1] = 'outlier'
        count = count + outlier_strikes
    end
    strike(count)
end

redis.call('HSET', user, 'barred', barred, 'until', string.format('%.6f', ends), 'strikes', strikes,
    'struck', string.format('%.6f', struck), 'row', row, 'sketch', old)
if barred ~= '' and ends < 0 then
    redis.call('PERSIST', user)
else
    redis.call('PEXPIRE', user, math.ceil(1000 * (forget_s + math.max(0, ends - now))))
end
return answer(0)
"""


class RedisConductStore(Rebuilt):
    """Keeps conduct on a server of the redis protocol, for all processes and hosts that share a key.

    Every query and every strike is one step on the server, by its clock: a ban holds for everybody from
    the moment it is written. Kept are hashes of user ids, hashes of runs of four characters and counts.
    A user's record is forgotten `forget_s` after the last query, a ban when it ends.

    `dumps` writes the url as the secret `PRODKIT_REDIS_URL`; a copy shares the same records.

    Raises:
        ConfigurationError: The url cannot be used, or the server wants another user or password.
        MissingExtraError: The extra `redis` is not installed.
        ConductStoreError: The server did not answer within `timeout_s` seconds.
    """

    url: SecretStr
    """`redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, or `unix://`."""
    key: str = Field(default="app", min_length=1, pattern=r"^[^{}]+$")
    """Names the app whose users and baseline these are."""
    timeout_s: float = Field(default=1.0, gt=0.0)
    """The longest that the server may take to answer, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _client: Any = PrivateAttr(default=None)
    _clients: Any = PrivateAttr(default_factory=weakref.WeakKeyDictionary)

    def __init__(self, url: str | SecretStr, **kwargs: Any) -> None:
        """Describe the store; the first query connects."""
        address: Any = url.get_secret_value() if isinstance(url, SecretStr) else url
        if not isinstance(address, str) or urlsplit(address).scheme not in _SCHEMES:
            raise ConfigurationError(
                "url of a RedisConductStore begins with redis://, rediss:// or unix://, "
                "as in redis://host:6379/0"
            )
        require("redis", extra="redis")
        try:
            super().__init__(url=SecretStr(address), **kwargs)
        except ValueError as error:
            raise ConfigurationError(_problems(error)) from None

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {"url": "PRODKIT_REDIS_URL"}

    def observe(self, user: str, look: Look, rules: Rules) -> Conduct:
        """Count one query; a barred user's changes nothing."""
        return self._run(user, _arguments("observe", rules, look=look))

    async def aobserve(self, user: str, look: Look, rules: Rules) -> Conduct:
        """Count one query without blocking the event loop."""
        return await self._arun(user, _arguments("observe", rules, look=look))

    def strike(self, user: str, strikes: int, rules: Rules) -> Conduct:
        """Add strikes; a barred user gets none."""
        return self._run(user, _arguments("strike", rules, strikes=strikes))

    async def astrike(self, user: str, strikes: int, rules: Rules) -> Conduct:
        """Add strikes without blocking the event loop."""
        return await self._arun(user, _arguments("strike", rules, strikes=strikes))

    def ban(self, user: str, seconds: float | None, rules: Rules) -> Conduct:
        """Ban for so many seconds; None for good."""
        return self._run(user, _arguments("ban", rules, ban_s=seconds))

    async def aban(self, user: str, seconds: float | None, rules: Rules) -> Conduct:
        """Ban without blocking the event loop."""
        return await self._arun(user, _arguments("ban", rules, ban_s=seconds))

    def pardon(self, user: str, rules: Rules) -> Conduct:
        """Forget everything about a user."""
        return self._run(user, _arguments("pardon", rules))

    async def apardon(self, user: str, rules: Rules) -> Conduct:
        """Forget everything about a user without blocking the event loop."""
        return await self._arun(user, _arguments("pardon", rules))

    def close(self) -> None:
        """Hang up the synchronous connections; not needed at the end of a program."""
        if self._client is not None:
            self._client.close()

    async def aclose(self) -> None:
        """Hang up the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    # -- the wire --------------------------------------------------------------------------------

    def _run(self, user: str, arguments: list[Any]) -> Conduct:
        if self._client is None:
            self._client = self._connect(require("redis", extra="redis"))
        errors = require("redis.exceptions", extra="redis")
        try:
            try:
                return _conduct(self._client.evalsha(_SHA, 2, *self._keys(user), *arguments))
            except errors.NoScriptError:
                return _conduct(self._client.eval(_SCRIPT, 2, *self._keys(user), *arguments))
        except (errors.RedisError, OSError, ValueError, TypeError, KeyError) as error:
            raise _failed(errors, error) from None

    async def _arun(self, user: str, arguments: list[Any]) -> Conduct:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = self._connect(require("redis.asyncio", extra="redis"))
        errors = require("redis.exceptions", extra="redis")
        try:
            try:
                return _conduct(await client.evalsha(_SHA, 2, *self._keys(user), *arguments))
            except errors.NoScriptError:
                return _conduct(await client.eval(_SCRIPT, 2, *self._keys(user), *arguments))
        except (errors.RedisError, OSError, ValueError, TypeError, KeyError) as error:
            raise _failed(errors, error) from None

    def _keys(self, user: str) -> tuple[str, str]:
        # The braces keep both on one node of a cluster.
        return f"prodkit:conduct:{{{self.key}}}:user:{user}", f"prodkit:conduct:{{{self.key}}}:baseline"

    def _connect(self, redis: Any) -> Any:
        try:
            pool = redis.BlockingConnectionPool.from_url(
                self.url.get_secret_value(),
                max_connections=_CONNECTIONS,
                timeout=10 * self.timeout_s,  # waiting for a connection of the pool, behind the others
                socket_timeout=self.timeout_s,
                socket_connect_timeout=self.timeout_s,
                decode_responses=True,
            )
        except ValueError:
            raise ConfigurationError("the url of a RedisConductStore cannot be read") from None
        return redis.Redis(connection_pool=pool)


_SHA: Final = sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()


def _arguments(
    mode: str, rules: Rules, *, look: Look = _NOTHING, strikes: int = 0, ban_s: float | None = None
) -> list[Any]:
    return [
        mode,
        look.sketch,
        *(repr(number) for number in look.numbers),
        strikes,
        -1 if ban_s is None else repr(float(ban_s)),
        rules.similarity,
        rules.similar_in_a_row,
        rules.outlier_z,
        rules.baseline_queries,
        rules.similar_strikes,
        rules.outlier_strikes,
        rules.cool_down_after or 0,
        rules.cool_down_s,
        rules.ban_after or 0,
        -1 if rules.ban_s is None else rules.ban_s,
        rules.forget_s,
        SKETCH_SIZE,
        HASH_DIGITS,
        *LEAST_SPREAD,
    ]


def _conduct(answer: list[Any]) -> Conduct:
    was_barred, barred, left, strikes, in_a_row, *codes = answer
    kinds: dict[str, Barred] = {"": "", "cool_down": "cool_down", "ban": "ban"}
    return Conduct(
        barred=kinds[barred],
        was_barred=bool(int(was_barred)),
        retry_after_s=float(left) if left else None,
        strikes=int(strikes),
        in_a_row=int(in_a_row),
        codes=tuple(codes),
    )


def _failed(errors: Any, error: BaseException) -> Exception:
    # The message of `error` is not passed on: it may hold parts of the url.
    if isinstance(error, errors.AuthenticationError | errors.AuthorizationError):
        return ConfigurationError(
            "the server of this store wants another user or password: give them in the url"
        )
    return ConductStoreError(type(error).__qualname__)


def _problems(error: ValueError) -> str:
    found = getattr(error, "errors", None)
    if found is None:
        return "an argument makes no sense"
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found(include_input=False))

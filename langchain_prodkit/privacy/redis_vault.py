"""`RedisVault`: a conversation's values on a server that many processes share, sealed with your key."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic import ConfigDict, PrivateAttr, SecretBytes, SecretStr
from typing_extensions import override

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit._steps import Call, Steps, adrive, drive
from langchain_prodkit.errors import ConfigurationError, RedactionError, UnknownScopeError, VaultKeyError
from langchain_prodkit.privacy.crypto import Sealer, checked_key, derived, plain_bytes
from langchain_prodkit.privacy.redis_link import Link
from langchain_prodkit.privacy.vault import MAX_KNOWN, Scope, indexed

if TYPE_CHECKING:
    from typing import Literal

__all__ = ["RedisVault"]

_MOST: Final = 1_000
"""Values in one trip; more go in several."""


class RedisVault(Rebuilt):
    """A vault on a redis (or valkey) server: the same placeholders in every process and every turn.

    Every call is one script on the server, so two processes never give one placeholder to two values, nor
    one value two placeholders. Values are sealed with AES-256-GCM, bound to their scope; names of users,
    threads and fields are keyed digests. A scope expires `ttl_s` seconds after its last use.

    A scope needs a `thread_id`; without one nobody could ask for its values again.

    To change the key, start every process with `key=<old>, old_keys=[<new>]` first, then with
    `key=<new>, old_keys=[<old>]`; what is used is sealed anew with `key` on the way, and after `ttl_s`
    seconds nothing needs the old one any more.

    A copy and a pickle are the same vault: a pickle holds the url and the keys. `dumps` writes them as the
    secrets `PRODKIT_REDIS_URL`, `PRODKIT_VAULT_KEY` and `PRODKIT_VAULT_OLD_KEYS` (with commas between).

    Raises:
        UnknownScopeError: The scope has no `thread_id`, was never opened, has expired or was forgotten.
        VaultUnavailableError: The server does not answer. Nothing was sent to the model; what the vault
            holds is there when the server is back.
        VaultKeyError: The vault was written with a key that is none of these.
        RedactionError: The scope already holds `max_values` values.
    """

    url: SecretStr
    """`redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, or `unix://`."""
    key: SecretBytes
    """At least 16 bytes, such as `secrets.token_urlsafe(32)`; without it nothing can be read."""
    old_keys: tuple[SecretBytes, ...] = ()
    """Keys that may still have to be read."""
    ttl_s: float = 86_400.0
    """Seconds after its last use when a scope is gone."""
    prefix: str = "prodkit:vault"
    """What every key on the server begins with. One prefix, one set of keys."""
    max_values: int = 100_000
    """Values in one scope."""
    timeout_s: float = 2.0
    """The longest that the server may take to answer, in seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _link: Link = PrivateAttr()
    _rings: tuple[_Ring, ...] = PrivateAttr()

    def __init__(
        self,
        url: str | SecretStr,
        *,
        key: str | bytes | SecretStr | SecretBytes,
        old_keys: Sequence[Any] | str | SecretStr = (),
        ttl_s: float = 86_400.0,
        prefix: str = "prodkit:vault",
        max_values: int = 100_000,
        timeout_s: float = 2.0,
    ) -> None:
        """Describe the vault; the first call connects.

        Raises:
            ConfigurationError: The url cannot be used, a key is too short, or a number makes no sense.
            MissingExtraError: The extra `redis`, or `privacy` for the cipher, is not installed.
        """
        address = url.get_secret_value() if isinstance(url, SecretStr) else url
        if not isinstance(address, str):
            raise ConfigurationError("url of a RedisVault is a text, as in redis://host:6379/0")
        if not (ttl_s > 0 and max_values > 0 and timeout_s > 0):
            raise ConfigurationError("ttl_s, max_values and timeout_s of a RedisVault must be positive")
        if not prefix:
            raise ConfigurationError("prefix of a RedisVault is a text of one or more characters")
        if isinstance(old_keys, SecretStr):
            old_keys = old_keys.get_secret_value()
        if isinstance(old_keys, str):
            old_keys = [one for one in old_keys.split(",") if one]
        keys = dict.fromkeys(checked_key(one, "RedisVault") for one in (key, *old_keys))
        first, *others = keys
        super().__init__(
            url=SecretStr(address),
            key=SecretBytes(first),
            old_keys=tuple(SecretBytes(one) for one in others),
            ttl_s=ttl_s,
            prefix=prefix,
            max_values=max_values,
            timeout_s=timeout_s,
        )
        self._rings = tuple(map(_Ring, keys))
        self._link = Link(address, timeout_s)

    def open(self, scope: Scope) -> None:
        """Make `scope` known, before its first value."""
        drive(self._entering(scope, 0))

    async def aopen(self, scope: Scope) -> None:
        """Do what `open` does."""
        await adrive(self._entering(scope, 0))

    def knows(self, scope: Scope) -> bool:
        """Tell whether `scope` was opened and is neither expired nor forgotten."""
        return drive(self._knowing(scope))

    async def aknows(self, scope: Scope) -> bool:
        """Do what `knows` does."""
        return await adrive(self._knowing(scope))

    def enter(self, scope: Scope) -> list[tuple[str, str]]:
        """Open `scope` and give what `values` gives, in one trip."""
        return drive(self._entering(scope, MAX_KNOWN))

    async def aenter(self, scope: Scope) -> list[tuple[str, str]]:
        """Do what `enter` does."""
        return await adrive(self._entering(scope, MAX_KNOWN))

    def token_for(self, scope: Scope, entity: str, value: str) -> str:
        """Give the token of `value`: always the same within a scope, counted from 1 per entity."""
        return self.tokens_for(scope, [(entity, value)])[0]

    async def atoken_for(self, scope: Scope, entity: str, value: str) -> str:
        """Do what `token_for` does."""
        return (await self.atokens_for(scope, [(entity, value)]))[0]

    def tokens_for(self, scope: Scope, wanted: Sequence[tuple[str, str]]) -> list[str]:
        """Give the token of each entity and value, in one trip for a thousand of them."""
        return drive(self._issuing(scope, wanted))

    async def atokens_for(self, scope: Scope, wanted: Sequence[tuple[str, str]]) -> list[str]:
        """Do what `tokens_for` does."""
        return await adrive(self._issuing(scope, wanted))

    def value_of(self, scope: Scope, token: str) -> str | None:
        """Give the value behind `token`, or None when this scope never issued it."""
        return self.values_of(scope, [token])[0]

    async def avalue_of(self, scope: Scope, token: str) -> str | None:
        """Do what `value_of` does."""
        return (await self.avalues_of(scope, [token]))[0]

    def values_of(self, scope: Scope, tokens: Sequence[str]) -> list[str | None]:
        """Give the value behind each token, in one trip for a thousand of them."""
        return drive(self._reading(scope, tokens))

    async def avalues_of(self, scope: Scope, tokens: Sequence[str]) -> list[str | None]:
        """Do what `values_of` does."""
        return await adrive(self._reading(scope, tokens))

    def values(self, scope: Scope) -> list[tuple[str, str]]:
        """Give the entity and the value of what `scope` holds, the newest 2,000 at most."""
        return drive(self._listing(scope))

    async def avalues(self, scope: Scope) -> list[tuple[str, str]]:
        """Do what `values` does."""
        return await adrive(self._listing(scope))

    def forget(self, scope: Scope) -> None:
        """Erase every value of `scope` for good, in every process."""
        drive(self._forgetting(scope))

    async def aforget(self, scope: Scope) -> None:
        """Do what `forget` does."""
        await adrive(self._forgetting(scope))

    def close(self) -> None:
        """Hang up; not needed at the end of a program. The next call connects again."""
        self._link.close()

    async def aclose(self) -> None:
        """Hang up what this event loop has opened."""
        await self._link.aclose()

    def _trip(self, mode: str, scope: Scope, *args: Any) -> Steps[list[Any]]:
        if scope.thread_id is None:
            raise UnknownScopeError(
                'a RedisVault needs config["configurable"]["thread_id"] (and user_id, if users have threads '
                "of equal names); without a thread use MemoryVault"
            )
        keys = [f"{self.prefix}:keys".encode()]
        keys += [f"{self.prefix}:{ring.name(scope)}".encode() for ring in self._rings]
        ids = [ring.sealer.id for ring in self._rings]
        settings = [mode, round(self.ttl_s * 1000), self.max_values, len(ids), *ids]
        answer: list[Any] = yield Call(self._link.run, self._link.arun, keys, [*settings, *args])
        word = answer.pop(0)
        if word == b"key":
            raise VaultKeyError(
                f"the vault at prefix {self.prefix!r} was written with another key: give that one in "
                "old_keys, or take another prefix"
            )
        if word == b"full":
            raise RedactionError(f"the scope already holds {self.max_values} values; raise max_values")
        if word == b"gone":
            raise UnknownScopeError("this scope holds no values: never opened here, expired or forgotten")
        return answer

    def _entering(self, scope: Scope, most: int) -> Steps[list[tuple[str, str]]]:
        answer = yield from self._trip("enter", scope, most)
        return (yield from self._listed(scope, answer))

    def _listing(self, scope: Scope) -> Steps[list[tuple[str, str]]]:
        try:
            answer = yield from self._trip("values", scope, MAX_KNOWN)
        except UnknownScopeError:
            return []
        return (yield from self._listed(scope, answer))

    def _listed(self, scope: Scope, answer: list[Any]) -> Steps[list[tuple[str, str]]]:
        tokens = [token.decode() for token in answer[::2]]
        values = yield from self._opened(scope, tokens, answer[1::2])
        return [
            (_entity(token), value) for token, value in zip(tokens, values, strict=True) if value is not None
        ]

    def _knowing(self, scope: Scope) -> Steps[bool]:
        if scope.thread_id is None:
            return False
        try:
            yield from self._trip("read", scope)
        except UnknownScopeError:
            return False
        return True

    def _issuing(self, scope: Scope, wanted: Sequence[tuple[str, str]]) -> Steps[list[str]]:
        # Two spellings of one value in one trip are one value.
        distinct = {(entity, indexed(entity, value)): value for entity, value in reversed(wanted)}
        items = list(reversed(distinct.items()))
        tokens: dict[tuple[str, str], str] = {}
        for at in range(0, len(items), _MOST):
            part = items[at : at + _MOST]
            args: list[Any] = []
            for (entity, known), value in part:
                args += (entity, self._rings[0].seal(scope, entity, value))
                args += (ring.digest(scope, entity, known) for ring in self._rings)
            answer = yield from self._trip("issue", scope, *args)
            tokens |= {key: token.decode() for (key, _), token in zip(part, answer, strict=True)}
        return [tokens[entity, indexed(entity, value)] for entity, value in wanted]

    def _reading(self, scope: Scope, tokens: Sequence[str]) -> Steps[list[str | None]]:
        values: list[str | None] = []
        for at in range(0, max(1, len(tokens)), _MOST):
            part = tokens[at : at + _MOST]
            answer = yield from self._trip("read", scope, *map(plain_bytes, part))
            values += yield from self._opened(scope, part, answer)
        return values

    def _opened(self, scope: Scope, tokens: Sequence[str], sealed: Sequence[Any]) -> Steps[list[str | None]]:
        """Open what came back; what an old key has sealed is sealed anew."""
        values: list[str | None] = []
        renewed: list[Any] = []
        for token, one in zip(tokens, sealed, strict=True):
            if one is None:
                values.append(None)
                continue
            ring = next((ring for ring in self._rings if one.startswith(ring.sealer.id)), self._rings[0])
            value = ring.open(scope, _entity(token), one)
            values.append(value)
            if ring is not self._rings[0]:
                renewed += (token, one, self._rings[0].seal(scope, _entity(token), value))
        for at in range(0, len(renewed), 3 * _MOST):
            yield from self._trip("renew", scope, *renewed[at : at + 3 * _MOST])
        return values

    def _forgetting(self, scope: Scope) -> Steps[None]:
        if scope.thread_id is not None:
            yield from self._trip("forget", scope)

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        names = {"url": "PRODKIT_REDIS_URL", "key": "PRODKIT_VAULT_KEY"}
        return names | ({"old_keys": "PRODKIT_VAULT_OLD_KEYS"} if self.old_keys else {})

    @override
    def __eq__(self, other: object) -> bool:
        return self is other

    @override
    def __hash__(self) -> int:
        return id(self)


class _Ring:
    """What one key of the caller is made into."""

    def __init__(self, key: bytes) -> None:
        self.sealer = Sealer(derived(key, "vault"))
        self._index = derived(key, "vault index")

    def name(self, scope: Scope) -> str:
        return hmac.digest(self._index, _written(scope, "name"), "sha256").hex()[:32]

    def digest(self, scope: Scope, entity: str, value: str) -> bytes:
        key = hmac.digest(self._index, _written(scope, "values"), "sha256")
        return hmac.digest(key, plain_bytes(f"{entity}\0{value}"), "sha256")[:16]

    def seal(self, scope: Scope, entity: str, value: str) -> bytes:
        return self.sealer.seal(value, _written(scope, entity))

    def open(self, scope: Scope, entity: str, sealed: bytes) -> str:
        return self.sealer.open(sealed, _written(scope, entity))


@lru_cache(maxsize=256)
def _written(scope: Scope, purpose: Literal["name", "values"] | str) -> bytes:
    return json.dumps([purpose, scope.user_id, scope.thread_id]).encode()


def _entity(token: str) -> str:
    return token.rpartition("_")[0]

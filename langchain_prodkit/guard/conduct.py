"""`ConductTracker`: know the users who probe, slow them down, ban them."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import blake2s
from typing import Any, Final, Literal

from langchain_core.runnables import RunnableConfig
from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from typing_extensions import override

from langchain_prodkit._events import TRACKED, Emit
from langchain_prodkit._runnable import ProdkitRunnable
from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import (
    BannedError,
    ConductStoreError,
    ConfigurationError,
    CoolDownError,
    GuardError,
    ProdkitError,
)
from langchain_prodkit.guard.conduct_record import Conduct, Rules, look_at
from langchain_prodkit.guard.conduct_store import ConductStore, MemoryConductStore
from langchain_prodkit.guard.subject import Subject

__all__ = ["ConductTracker"]

_SHARED_SECRET: Final = b"prodkit.conduct"
_USER_CHARS: Final = 32
_LEAST_BASELINE: Final = 10


class ConductTracker(ProdkitRunnable[Any, Any]):
    """Lets a user's input through unchanged until the user has earned enough strikes, then nothing.

    First in a chain it counts queries that repeat each other and bars who does it too often; as
    `InjectionGuardRunnable(conduct=ConductTracker())` it also counts every input judged an attack, and
    stands before all detectors: a barred user costs one look into the store and nothing else.

    ```python
    guard = InjectionGuardRunnable(conduct=ConductTracker(RedisConductStore("redis://...")))
    (guard | prompt | model).invoke(question, {"configurable": {"user_id": "u-17"}})
    ```

    The user is `config["configurable"]["user_id"]`. Take it from your login, never from what a client
    sends: whoever can choose a new id has a clean record.

    Strikes: 1 for an input judged an attack, `similar_strikes` for each query that is the third or later
    in a row similar to the one before, `outlier_strikes` for one unlike what the app's users ask. They
    are forgotten `forget_s` after the last one. Of a query only keyed hashes and three numbers are kept.
    Concurrent requests of one user are counted one by one: with `ban_after=6`, six attacks are judged
    and every other request, in flight or not, gets `BannedError` in place of its verdict.

    Raises:
        CoolDownError: The user is barred for a short while; `retry_after_s` says how long.
        BannedError: The user is banned.
        ConductStoreError: The store cannot be reached and `on_store_error` is `"raise"`.
        GuardError: The configuration names no user and `on_anonymous` is `"raise"`.
    """

    store: Any = Field(default_factory=MemoryConductStore)
    """A `ConductStore`: `MemoryConductStore()` (one process) or `RedisConductStore(url)` (all of them)."""
    similar_in_a_row: int = Field(default=3, ge=2)
    """From so many similar queries in a row on, each gets `similar_strikes`."""
    similarity: float = Field(default=0.5, gt=0.0, le=1.0)
    """Two queries are similar from this share of common runs of four characters (Jaccard) on."""
    similar_strikes: int = Field(default=1, ge=0)
    """Strikes for one more similar query; 0 only reports it."""
    outlier_z: float = Field(default=5.0, gt=0.0)
    """An outlier lies more than so many standard deviations from the app's mean in length (logarithm),
    entropy or share of symbols."""
    baseline_queries: int = Field(default=100, ge=_LEAST_BASELINE)
    """Queries of the app, over all users, before anything can be an outlier."""
    outlier_strikes: int = Field(default=0, ge=0)
    """Strikes for an outlier; 0 only reports it."""
    injection_strikes: int = Field(default=1, ge=0)
    """Strikes for an input that the guard judged an attack."""
    cool_down_after: int | None = Field(default=3, ge=1)
    """Strikes from which on each further one bars the user for `cool_down_s`; None for never."""
    cool_down_s: float = Field(default=60.0, gt=0.0)
    """How long, in seconds."""
    ban_after: int | None = Field(default=6, ge=1)
    """Strikes that ban; None for never."""
    ban_s: float | None = Field(default=86_400.0, gt=0.0)
    """How long, in seconds; None until `pardon`."""
    forget_s: float = Field(default=3_600.0, gt=0.0)
    """Seconds after the last strike until all of them are forgotten."""
    user_key: str = Field(default="user_id", min_length=1)
    """The configurable field that names the user."""
    on_anonymous: Literal["raise", "pass"] = "raise"
    """Without a user: refuse the input, or let it through untracked."""
    on_store_error: Literal["raise", "flag"] = "raise"
    """When the store fails: refuse the input, or let it through with an event that says so."""
    secret: SecretStr | None = None
    """Keys the hashes of users and queries, so that whoever reads the store cannot guess them. All
    processes of a shared store need the same; None for a random one (memory) or a public one (shared)."""

    _key: bytes = PrivateAttr(default=b"")

    def __init__(self, store: ConductStore | None = None, **kwargs: Any) -> None:
        """Take the store as the first argument, everything else by name."""
        if store is not None:
            kwargs["store"] = store
        try:
            super().__init__(**kwargs)
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
            )
            raise ConfigurationError("; ".join(problems)) from None
        self._key = self._hash_key()

    @model_validator(mode="after")
    def _agrees(self) -> ConductTracker:
        if not isinstance(self.store, ConductStore):
            raise ConfigurationError(
                f"a {type(self.store).__qualname__} is no store of conduct: "
                "use MemoryConductStore() or RedisConductStore(url)"
            )
        if (self.cool_down_after or 0) > (self.ban_after or self.cool_down_after or 0):
            raise ConfigurationError("cool_down_after lies above ban_after: nobody would ever cool down")
        return self

    @property
    @override
    def lc_secrets(self) -> dict[str, str]:
        return {"secret": "PRODKIT_CONDUCT_SECRET"}

    def _hash_key(self) -> bytes:
        if self.secret is not None:
            return blake2s(self.secret.get_secret_value().encode()).digest()
        return secrets.token_bytes(32) if isinstance(self.store, MemoryConductStore) else _SHARED_SECRET

    @property
    def rules(self) -> Rules:
        """The settings that a store applies."""
        return Rules(
            similar_in_a_row=self.similar_in_a_row,
            similarity=self.similarity,
            outlier_z=self.outlier_z,
            baseline_queries=self.baseline_queries,
            similar_strikes=self.similar_strikes,
            outlier_strikes=self.outlier_strikes,
            cool_down_after=self.cool_down_after,
            cool_down_s=self.cool_down_s,
            ban_after=self.ban_after,
            ban_s=self.ban_s,
            forget_s=self.forget_s,
        )

    # -- by hand ---------------------------------------------------------------------------------

    def observe(self, text: str, *, user_id: str) -> Conduct:
        """Count one query and say how the user stands; a bar does not raise."""
        return self.store.observe(self._user(user_id), look_at(text, self._key), self.rules)  # type: ignore[no-any-return]

    async def aobserve(self, text: str, *, user_id: str) -> Conduct:
        """Count one query; see `observe`."""
        look = look_at(text, self._key)
        return await self.store.aobserve(self._user(user_id), look, self.rules)  # type: ignore[no-any-return]

    def strike(self, *, user_id: str, strikes: int = 1) -> Conduct:
        """Add strikes for something that you saw; a barred user gets none. 0 only asks."""
        return self.store.strike(self._user(user_id), strikes, self.rules)  # type: ignore[no-any-return]

    async def astrike(self, *, user_id: str, strikes: int = 1) -> Conduct:
        """Add strikes; see `strike`."""
        return await self.store.astrike(self._user(user_id), strikes, self.rules)  # type: ignore[no-any-return]

    def ban(self, *, user_id: str, seconds: float | None = None) -> Conduct:
        """Ban a user for so many seconds; None until `pardon`."""
        return self.store.ban(self._user(user_id), seconds, self.rules)  # type: ignore[no-any-return]

    async def aban(self, *, user_id: str, seconds: float | None = None) -> Conduct:
        """Ban a user; see `ban`."""
        return await self.store.aban(self._user(user_id), seconds, self.rules)  # type: ignore[no-any-return]

    def pardon(self, *, user_id: str) -> None:
        """Forget everything about a user, bans included."""
        self.store.pardon(self._user(user_id), self.rules)

    async def apardon(self, *, user_id: str) -> None:
        """Forget everything about a user; see `pardon`."""
        await self.store.apardon(self._user(user_id), self.rules)

    def _user(self, user_id: object) -> str:
        return blake2s(
            str(user_id).encode("utf-8", "surrogatepass"), digest_size=_USER_CHARS // 2, key=self._key
        ).hexdigest()

    # -- in a chain ------------------------------------------------------------------------------

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        subject = Subject(value)
        yield from self.enter_steps([unit.text for unit in subject.units if unit.source == "user"], config)
        return value

    def enter_steps(self, texts: Sequence[str], config: RunnableConfig) -> Steps[None]:
        """Count the user texts of one input; raises for a barred user. The guard calls it first."""
        user_id = self._user_id(config)
        if user_id is None:
            return
        # The last is the newest where a conversation comes with its history.
        look = look_at(texts[-1] if texts else "", self._key)
        user = self._user(user_id)
        call = (
            Call(self.store.observe, self.store.aobserve, user, look, self.rules)
            if texts
            else Call(self.store.strike, self.store.astrike, user, 0, self.rules)
        )
        conduct = yield from self._asked(call, config)
        if conduct is not None and conduct.barred:
            raise _barred(conduct)

    def strike_steps(self, config: RunnableConfig) -> Steps[None]:
        """Count an input judged an attack; raises when the user was barred meanwhile."""
        user_id = self._user_id(config)
        if user_id is None or not self.injection_strikes:
            return
        call = Call(
            self.store.strike, self.store.astrike, self._user(user_id), self.injection_strikes, self.rules
        )
        conduct = yield from self._asked(call, config)
        if conduct is not None and conduct.was_barred:
            raise _barred(conduct)

    def _asked(self, call: Call, config: RunnableConfig) -> Steps[Conduct | None]:
        try:
            conduct = yield call
            if not isinstance(conduct, Conduct):
                raise ConductStoreError(type(conduct).__qualname__)  # noqa: TRY301 - as any failure of the store
        except Exception as error:
            if self.on_store_error == "raise" or isinstance(error, ConfigurationError):
                if isinstance(error, ProdkitError):
                    raise
                raise ConductStoreError(type(error).__qualname__) from None
            yield Emit(
                TRACKED, {"reasons": ["store_error"], "strikes": 0, "in_a_row": 0, "barred": ""}, config
            )
            return None
        yield Emit(
            TRACKED,
            {
                "reasons": list(conduct.codes),
                "strikes": conduct.strikes,
                "in_a_row": conduct.in_a_row,
                "barred": conduct.barred,
                "retry_after_s": conduct.retry_after_s,
            },
            config,
        )
        return conduct

    def _user_id(self, config: RunnableConfig) -> Any:
        user_id = (config.get("configurable") or {}).get(self.user_key)
        if user_id is not None and user_id != "":
            return user_id
        if self.on_anonymous == "pass":
            return None
        raise GuardError(
            f"nobody is named as the user: pass config={{'configurable': {{{self.user_key!r}: ...}}}}, "
            "or on_anonymous='pass' to let inputs go on untracked"
        )


def _barred(conduct: Conduct) -> BannedError:
    kind = CoolDownError if conduct.barred == "cool_down" else BannedError
    return kind(strikes=conduct.strikes, retry_after_s=conduct.retry_after_s)

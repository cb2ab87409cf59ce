"""Where values wait while their placeholders travel: one room per conversation."""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple, Protocol, runtime_checkable

from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._runs import current_run, root_of, watch_runs
from langchain_prodkit._serial import Written
from langchain_prodkit.errors import ConfigurationError, RedactionError, UnknownScopeError
from langchain_prodkit.privacy.crypto import normal
from langchain_prodkit.privacy.tokens import LITERAL, SURROGATE

if TYPE_CHECKING:
    from uuid import UUID

    from langchain_core.runnables import RunnableConfig

__all__ = ["MAX_KNOWN", "MemoryVault", "Scope", "Vault", "indexed", "scope_of"]

MAX_KNOWN: Final = 2_000
"""Values of a scope that are looked for in each new text; looking costs a search for each."""


class Scope(NamedTuple):
    """Whose values these are; two calls share values only when all three fields are equal."""

    user_id: str | None
    """`config["configurable"]["user_id"]`: a thread id alone opens nobody else's vault."""
    thread_id: str | None
    """`config["configurable"]["thread_id"]`."""
    run_id: str | None
    """The root run, for a call without a `thread_id`; None with one."""


def scope_of(config: RunnableConfig) -> Scope | None:
    """Give the scope that a configuration belongs to, or None outside any thread and run."""
    configurable = config.get("configurable") or {}
    user_id, thread_id = (_name(configurable.get(key)) for key in ("user_id", "thread_id"))
    if thread_id is not None:
        return Scope(user_id, thread_id, None)
    run_id = root_of(current_run(config))
    return None if run_id is None else Scope(user_id, None, str(run_id))


def _name(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def indexed(entity: str, value: str) -> str:
    """Give the form under which a vault knows a value again.

    Two spellings of one name that differ in Unicode only (composed or combining accents, full-width
    digits) are one value; what must come back letter for letter is not touched.
    """
    return value if entity in {LITERAL, SURROGATE} else normal(value)


@runtime_checkable
class Vault(Protocol):
    """Keeps values and hands out tokens for them, such as `PERSON_1`, scope by scope.

    Async code calls these methods in a thread, except of a vault that says `is_local = True` (nothing in
    it waits). A vault on a server may bring `enter`, `tokens_for` and `values_of` besides, which answer
    for many values at once, each with its async twin (`aenter`, ...), and `aknows` and `aforget`; see
    `RedisVault`.
    """

    def open(self, scope: Scope) -> None:
        """Make `scope` known, before its first value."""
        ...

    def knows(self, scope: Scope) -> bool:
        """Tell whether `scope` was opened and is neither expired nor forgotten."""
        ...

    def token_for(self, scope: Scope, entity: str, value: str) -> str:
        """Give the token of `value`: always the same within a scope, `<entity>_<n>` counted from 1."""
        ...

    def value_of(self, scope: Scope, token: str) -> str | None:
        """Give the value behind `token`, or None when this scope never issued it.

        Raises:
            UnknownScopeError: The scope was never opened, has expired or was forgotten.
        """
        ...

    def values(self, scope: Scope) -> list[tuple[str, str]]:
        """Give the entity and the value of what `scope` holds, the newest 2,000 at most."""
        ...

    def forget(self, scope: Scope) -> None:
        """Erase every value of `scope` for good."""
        ...


@dataclass(slots=True)
class _Room:
    used_s: float
    lock: threading.Lock = field(default_factory=threading.Lock)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


class MemoryVault(Written):
    """A vault in this process's memory: gone at exit, bounded in every direction.

    Every scope has a lock of its own.

    Copies, pickles and `dumps` carry the settings, never the values: what comes back is empty.
    """

    ttl_s: float = 3600.0
    """Seconds after its last use when a scope is forgotten."""
    max_scopes: int = 10_000
    """Scopes kept at once; the least recently used one is forgotten first."""
    max_values: int = 100_000
    """Values in one scope; one more raises `RedactionError`, and nothing is sent."""
    clock: Callable[[], float] = Field(default=time.monotonic, exclude=True, repr=False)
    """Seconds that only go forward."""

    is_local: ClassVar[bool] = True
    """Nothing here waits, so async code calls it on the event loop."""

    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _rooms: OrderedDict[Scope, _Room] = PrivateAttr(default_factory=OrderedDict)
    _of_run: dict[str, set[Scope]] = PrivateAttr(default_factory=dict)

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(
        self,
        *,
        ttl_s: float = 3600.0,
        max_scopes: int = 10_000,
        max_values: int = 100_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start empty.

        Raises:
            ConfigurationError: A bound is not positive.
        """
        if not (ttl_s > 0 and max_scopes > 0 and max_values > 0):
            raise ConfigurationError("ttl_s, max_scopes and max_values of a MemoryVault must be positive")
        super().__init__(ttl_s=ttl_s, max_scopes=max_scopes, max_values=max_values, clock=clock)
        watch_runs(self)

    def open(self, scope: Scope) -> None:
        """Make `scope` known, before its first value."""
        self._room(scope, is_new=True)

    def knows(self, scope: Scope) -> bool:
        """Tell whether `scope` was opened and is neither expired nor forgotten."""
        return self._room(scope) is not None

    def token_for(self, scope: Scope, entity: str, value: str) -> str:
        """Give the token of `value`: always the same within a scope, counted from 1 per entity.

        Raises:
            RedactionError: The scope already holds `max_values` values.
        """
        room = self._room(scope, is_new=True)
        assert room is not None  # noqa: S101 - is_new made it
        known = entity, indexed(entity, value)
        with room.lock:
            token = room.tokens.get(known)
            if token is None:
                if len(room.tokens) >= self.max_values:
                    msg = f"the scope already holds {self.max_values} values; raise max_values"
                    raise RedactionError(msg)
                room.counts[entity] += 1
                token = room.tokens[known] = f"{entity}_{room.counts[entity]}"
                room.values[token] = value
        return token

    def value_of(self, scope: Scope, token: str) -> str | None:
        """Give the value behind `token`, or None when this scope never issued it.

        Raises:
            UnknownScopeError: The scope was never opened, has expired or was forgotten.
        """
        room = self._room(scope)
        if room is None:
            raise UnknownScopeError("this scope holds no values: never opened here, expired or forgotten")
        return room.values.get(token)

    def values(self, scope: Scope) -> list[tuple[str, str]]:
        """Give the entity and the value of what `scope` holds, the newest 2,000 at most."""
        room = self._room(scope)
        if room is None:
            return []
        with room.lock:
            newest = islice(reversed(room.tokens.items()), MAX_KNOWN)
            return [(entity, room.values[token]) for (entity, _), token in newest]

    def forget(self, scope: Scope) -> None:
        """Erase every value of `scope` for good."""
        with self._lock:
            self._drop(scope)

    def root_ended(self, run_id: UUID) -> None:
        """Erase what a run without a `thread_id` left, as soon as it is over."""
        with self._lock:
            for scope in self._of_run.pop(str(run_id), ()):
                self._rooms.pop(scope, None)

    def __len__(self) -> int:
        """Count the scopes that hold or may hold values."""
        with self._lock:
            self._expire(self.clock())
            return len(self._rooms)

    def _room(self, scope: Scope, *, is_new: bool = False) -> _Room | None:
        with self._lock:
            now_s = self.clock()
            self._expire(now_s)
            room = self._rooms.get(scope)
            if room is None:
                if not is_new:
                    return None
                room = self._rooms[scope] = _Room(now_s)
                if scope.run_id is not None:
                    self._of_run.setdefault(scope.run_id, set()).add(scope)
                if len(self._rooms) > self.max_scopes:
                    self._drop(next(iter(self._rooms)))
            room.used_s = now_s
            self._rooms.move_to_end(scope)
            return room

    def _expire(self, now_s: float) -> None:
        # Ordered by last use, so by expiry too.
        while self._rooms:
            scope, room = next(iter(self._rooms.items()))
            if now_s - room.used_s < self.ttl_s:
                return
            self._drop(scope)

    def _drop(self, scope: Scope) -> None:
        self._rooms.pop(scope, None)
        if scope.run_id is not None:
            scopes = self._of_run.get(scope.run_id, set())
            scopes.discard(scope)
            if not scopes:
                self._of_run.pop(scope.run_id, None)

    def __reduce__(self) -> tuple[Any, ...]:
        settings = {"ttl_s": self.ttl_s, "max_scopes": self.max_scopes, "max_values": self.max_values}
        return _rebuilt, (type(self), settings, self.clock)

    @override
    def __copy__(self) -> MemoryVault:
        return self

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> MemoryVault:
        make, arguments = self.__reduce__()
        return make(*arguments)  # type: ignore[no-any-return]

    @override
    def __eq__(self, other: object) -> bool:
        # Two vaults with equal settings hold different values.
        return self is other

    @override
    def __hash__(self) -> int:
        return id(self)


def _rebuilt(cls: type[MemoryVault], settings: dict[str, Any], clock: Callable[[], float]) -> MemoryVault:
    return cls(**settings, clock=clock)

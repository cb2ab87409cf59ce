"""Values stay with their owner, for a while, and within bounds."""

from __future__ import annotations

import copy
import pickle
import threading

import pytest
from langchain_core.load import dumps, loads

from langchain_prodkit.errors import ConfigurationError, RedactionError, UnknownScopeError
from langchain_prodkit.privacy import MemoryVault, Scope, Vault

A = Scope("a", "t", None)
B = Scope("b", "t", None)


class Clock:
    """A clock that tests move."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_a_value_keeps_its_token() -> None:
    """The same value and entity give the same token; another entity gives another."""
    vault = MemoryVault()
    assert vault.token_for(A, "PERSON", "Ada") == vault.token_for(A, "PERSON", "Ada") == "PERSON_1"
    assert vault.token_for(A, "PERSON", "Bob") == "PERSON_2"
    assert vault.token_for(A, "LOCATION", "Ada") == "LOCATION_1"
    assert vault.value_of(A, "PERSON_2") == "Bob"
    assert isinstance(vault, Vault)


def test_a_thread_id_opens_nobody_elses_vault() -> None:
    """Equal thread ids of two users are two scopes."""
    vault = MemoryVault()
    vault.token_for(A, "PERSON", "Ada")
    vault.open(B)
    assert vault.value_of(B, "PERSON_1") is None
    assert not vault.knows(Scope(None, "t", None))


def test_forgotten_and_unknown_scopes_raise() -> None:
    """A forgotten scope is as unknown as one that never was."""
    vault = MemoryVault()
    vault.token_for(A, "PERSON", "Ada")
    vault.forget(A)
    for scope in (A, B):
        with pytest.raises(UnknownScopeError):
            vault.value_of(scope, "PERSON_1")
    assert "Ada" not in repr(vars(vault)) + repr(vault)


def test_scopes_expire_after_their_last_use() -> None:
    """Use keeps a scope alive; idling ends it."""
    clock = Clock()
    vault = MemoryVault(ttl_s=10, clock=clock)
    vault.token_for(A, "PERSON", "Ada")
    vault.token_for(B, "PERSON", "Bob")
    clock.now = 8
    assert vault.value_of(A, "PERSON_1") == "Ada"
    clock.now = 12
    assert vault.knows(A)
    assert not vault.knows(B)
    assert len(vault) == 1


def test_the_number_of_scopes_and_values_is_bounded() -> None:
    """The least recently used scope goes; too many values in one scope raise."""
    vault = MemoryVault(max_scopes=100, max_values=2)
    for n in range(1000):
        vault.open(Scope(None, str(n), None))
    assert len(vault) == 100
    vault.token_for(A, "PERSON", "1")
    vault.token_for(A, "PERSON", "2")
    with pytest.raises(RedactionError):
        vault.token_for(A, "PERSON", "3")
    assert vault.token_for(A, "PERSON", "1") == "PERSON_1"


def test_copies_carry_settings_and_no_values() -> None:
    """Pickle, deepcopy and dumps rebuild an empty vault with the same bounds."""
    vault = MemoryVault(ttl_s=5, max_scopes=7)
    vault.token_for(A, "PERSON", "Ada")
    text = dumps(vault)
    loaded = loads(text, allowed_objects=[MemoryVault], valid_namespaces=["langchain_prodkit"])
    for twin in (copy.deepcopy(vault), pickle.loads(pickle.dumps(vault)), loaded):  # noqa: S301 - our own
        assert (twin.ttl_s, twin.max_scopes) == (5, 7)
        assert not twin.knows(A)
    assert "Ada" not in text
    assert b"Ada" not in pickle.dumps(vault)


def test_threads_agree_on_tokens() -> None:
    """Many threads in one scope never give one token to two values."""
    vault = MemoryVault()
    found: list[dict[str, str]] = []

    def work() -> None:
        found.append({f"v{n}": vault.token_for(A, "PERSON", f"v{n}") for n in range(200)})

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == found[0] for one in found)
    assert len(set(found[0].values())) == 200


@pytest.mark.parametrize("bad", [{"ttl_s": 0}, {"max_scopes": 0}, {"max_values": -1}])
def test_bounds_must_be_positive(bad: dict[str, int]) -> None:
    """A vault without room makes no sense."""
    with pytest.raises(ConfigurationError):
        MemoryVault(**bad)  # type: ignore[arg-type]

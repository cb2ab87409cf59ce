"""How bodies reach a vault: one step for many values where the vault can, from sync and async code alike."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_prodkit._steps import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from langchain_prodkit._steps import Steps
    from langchain_prodkit.privacy.vault import Scope

__all__ = ["entered", "is_local", "issued", "known", "looked_up"]


def entered(vault: Any, scope: Scope) -> Steps[list[tuple[str, str]]]:
    """Make `scope` known and give the entity and value of what it holds, the newest 2,000 at most."""
    held: list[tuple[str, str]] = yield from _done(vault, "enter", _enter, scope)
    return held


def issued(vault: Any, scope: Scope, wanted: Sequence[tuple[str, str]]) -> Steps[list[str]]:
    """Give the token of each entity and value."""
    if not wanted:
        return []
    tokens: list[str] = yield from _done(vault, "tokens_for", _tokens, scope, wanted)
    return tokens


def looked_up(vault: Any, scope: Scope, tokens: Sequence[str]) -> Steps[list[str | None]]:
    """Give the value behind each token, None where the scope never issued it."""
    if not tokens:
        return []
    values: list[str | None] = yield from _done(vault, "values_of", _values, scope, tokens)
    return values


def known(vault: Any, scope: Scope) -> Steps[bool]:
    """Tell whether `scope` was opened and is neither expired nor forgotten."""
    is_known: bool = yield from _done(vault, "knows", _knows, scope)
    return is_known


def is_local(vault: Any) -> bool:
    """Tell whether nothing in the vault waits."""
    return bool(getattr(vault, "is_local", False))


def _done(vault: Any, name: str, one_by_one: Callable[..., Any], *args: Any) -> Steps[Any]:
    if is_local(vault):
        return one_by_one(vault, *args)
    whole, twin = getattr(vault, name, None), getattr(vault, f"a{name}", None)
    call = partial(one_by_one, vault) if whole is None else whole
    return (yield Call(call, partial(asyncio.to_thread, call) if twin is None else twin, *args))


def _enter(vault: Any, scope: Scope) -> list[tuple[str, str]]:
    # A vault of the caller's may know nothing of scopes that are empty, nor list what it holds.
    if hasattr(vault, "open"):
        vault.open(scope)
    return list(vault.values(scope)) if hasattr(vault, "values") else []


def _tokens(vault: Any, scope: Scope, wanted: Sequence[tuple[str, str]]) -> list[str]:
    return [vault.token_for(scope, entity, value) for entity, value in wanted]


def _values(vault: Any, scope: Scope, tokens: Sequence[str]) -> list[str | None]:
    return [vault.value_of(scope, token) for token in tokens]


def _knows(vault: Any, scope: Scope) -> bool:
    return bool(vault.knows(scope)) if hasattr(vault, "knows") else True

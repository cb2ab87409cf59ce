"""A vault on a real server: shared, sealed, expiring, and safe when the server is not there."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.load import dumps, loads
from langchain_core.runnables import RunnableConfig

from langchain_prodkit.errors import (
    ConfigurationError,
    RedactionError,
    UnknownScopeError,
    VaultKeyError,
    VaultUnavailableError,
)
from langchain_prodkit.privacy import PresidioRunnable, RedisVault, Scope
from tests.integration_tests.privacy.conftest import KEY
from tests.integration_tests.redis_server import RedisServer
from tests.unit_tests.privacy.parts import EchoModel, NameDetector, echo

A, B = Scope("a", "t", None), Scope("b", "t", None)
CONFIG: RunnableConfig = {"configurable": {"user_id": "a", "thread_id": "t"}}
OTHER: RunnableConfig = {"configurable": {"user_id": "b", "thread_id": "t"}}
NOBODY: RunnableConfig = {"configurable": {"thread_id": "t"}}
MakeVault = Callable[..., RedisVault]


def test_a_value_keeps_its_token_in_every_process(make_vault: MakeVault) -> None:
    """Two vaults on one server agree; entities count on their own; Unicode spellings are one value."""
    one, two = make_vault(), make_vault()
    assert one.token_for(A, "PERSON", "Ada") == two.token_for(A, "PERSON", "Ada") == "PERSON_1"
    assert two.tokens_for(A, [("PERSON", "Bob"), ("LOCATION", "Ada"), ("PERSON", "Bob")]) == [
        "PERSON_2",
        "LOCATION_1",
        "PERSON_2",
    ]
    assert one.token_for(A, "PERSON", "Zoe\u0308") == two.token_for(A, "PERSON", "Zo\u00eb") == "PERSON_3"
    assert one.values_of(A, ["PERSON_2", "PERSON_9", "LOCATION_1"]) == ["Bob", None, "Ada"]
    assert two.values(A)[0] == ("PERSON", "Zoe\u0308")


def test_nothing_on_the_server_can_be_read(make_vault: MakeVault, shared_server: RedisServer) -> None:
    """No value, user or thread stands in a key, a field or what they hold."""
    scope = Scope("user hopper", "thread lovelace", None)
    make_vault().tokens_for(scope, [("PERSON", "Ada Byron"), ("EMAIL_ADDRESS", "ada@example.com")])
    held = shared_server.everything()
    assert b"PERSON_1" in held
    for secret in (b"Ada", b"Byron", b"example.com", b"hopper", b"lovelace"):
        assert secret not in held


def test_a_thread_id_opens_nobody_elses_vault(make_vault: MakeVault) -> None:
    """Equal thread ids of two users, or of no user, are scopes of their own."""
    vault = make_vault()
    privacy = PresidioRunnable(NameDetector(), vault=vault)
    privacy.invoke("Ada Byron", CONFIG)
    for config in (OTHER, NOBODY):
        with pytest.raises(UnknownScopeError):
            privacy.restore().invoke("<PERSON_1>", config)
        privacy.invoke("hello", config)
        assert privacy.restore().invoke("<PERSON_1>", config) == "<PERSON_1>"


def test_a_call_without_a_thread_is_an_error(make_vault: MakeVault) -> None:
    """Nobody could ask for its values again; nothing reaches the model."""
    model = EchoModel(reply=echo)
    privacy = PresidioRunnable(NameDetector(), vault=make_vault())
    with pytest.raises(UnknownScopeError, match="thread_id"):
        privacy.protect(model).invoke("I am Ada Byron")
    with pytest.raises(UnknownScopeError, match="thread_id"):
        privacy.invoke("I am Ada Byron", {"configurable": {"user_id": "a"}})
    assert model.seen == []


async def test_a_conversation_over_turns_and_processes(make_vault: MakeVault) -> None:
    """Sync and async, whole and streamed, in two processes: one numbering, everything restored."""
    texts = ["I am Ada Byron", "Alan Kay and Ada Byron", "Art, again Ada Byron"]
    model = EchoModel(reply=echo, cut=2)
    first, second = (PresidioRunnable(NameDetector(), vault=make_vault()).protect(model) for _ in "12")
    assert first.invoke(texts[0], CONFIG).content == f"You said: {texts[0]}"
    assert (await second.ainvoke(texts[1], CONFIG)).content == f"You said: {texts[1]}"
    streamed = "".join([str(chunk.content) async for chunk in first.astream(texts[2], CONFIG)])
    assert streamed == f"You said: {texts[2]}"
    assert "".join(str(chunk.content) for chunk in second.stream(texts[1], CONFIG)) == f"You said: {texts[1]}"
    assert model.seen[1][0].content == "<PERSON_2> and <PERSON_1>"
    assert model.seen[2][0].content == "<PERSON_3>, again <PERSON_1>"


def test_one_round_trip_a_redacted_value(make_vault: MakeVault, shared_server: RedisServer) -> None:
    """Opening and booking are one trip each, however many names a value holds; so is restoring."""
    privacy = PresidioRunnable(NameDetector(["Ada Byron", "Alan Kay", "Art"]), vault=make_vault())
    value = ["Ada Byron met Alan Kay", {"who": "Art"}, "Ada Byron"]
    privacy.invoke(value, CONFIG)
    before = shared_server.calls()
    redacted = privacy.invoke(value, CONFIG)
    assert shared_server.calls() - before == 2
    assert privacy.restore().invoke(redacted, CONFIG) == value
    assert shared_server.calls() - before == 4  # known, and looked up


def test_forgotten_and_expired_scopes_are_gone(make_vault: MakeVault, shared_server: RedisServer) -> None:
    """Forgetting erases in every process; idling ends a scope, use keeps it."""
    vault, other = make_vault(ttl_s=1.5), make_vault(ttl_s=1.5)
    vault.token_for(A, "PERSON", "Ada")
    vault.forget(A)
    with pytest.raises(UnknownScopeError):
        other.value_of(A, "PERSON_1")
    vault.token_for(A, "PERSON", "Ada")
    for _ in range(3):
        time.sleep(0.6)
        assert other.value_of(A, "PERSON_1") == "Ada"
    time.sleep(1.8)
    assert not vault.knows(A)
    with pytest.raises(UnknownScopeError):
        vault.value_of(A, "PERSON_1")
    assert shared_server.client.keys("*") == []


def test_keys_rotate(make_vault: MakeVault, shared_server: RedisServer) -> None:
    """An old key reads what it wrote, what is used is sealed anew, and then the old key is not needed."""
    new = "another key of 32 characters...."
    old = make_vault()
    old.tokens_for(A, [("PERSON", "Ada"), ("PERSON", "Bob"), ("PERSON", "Cy")])
    both = make_vault(key=new, old_keys=[KEY])
    assert both.token_for(A, "PERSON", "Bob") == "PERSON_2"
    assert both.value_of(A, "PERSON_1") == "Ada"
    assert both.token_for(A, "PERSON", "Dan") == "PERSON_4"
    assert len(both.values(A)) == 4
    alone = make_vault(key=new)
    assert alone.values_of(A, ["PERSON_1", "PERSON_2", "PERSON_3", "PERSON_4"]) == ["Ada", "Bob", "Cy", "Dan"]
    assert alone.token_for(A, "PERSON", "Bob") == "PERSON_2"
    # While processes are changed one by one, each knows both keys.
    back = make_vault(old_keys=[new])
    assert back.tokens_for(A, [("PERSON", "Ada"), ("PERSON", "Eve")]) == ["PERSON_1", "PERSON_5"]
    assert both.token_for(A, "PERSON", "Eve") == "PERSON_5"


def test_a_wrong_key_is_said_and_changes_nothing(make_vault: MakeVault) -> None:
    """It neither reads nor begins anew beside what is there."""
    vault = make_vault()
    vault.token_for(A, "PERSON", "Ada")
    wrong = make_vault(key="a wrong key of 32 characters....")
    privacy = PresidioRunnable(NameDetector(), vault=wrong)
    model = EchoModel(reply=echo)
    for call in (
        lambda: wrong.value_of(A, "PERSON_1"),
        lambda: privacy.protect(model).invoke("I am Ada Byron", CONFIG),
        lambda: privacy.restore().invoke("<PERSON_1>", CONFIG),
    ):
        with pytest.raises(VaultKeyError):
            call()
    assert model.seen == []
    assert vault.value_of(A, "PERSON_1") == "Ada"


def test_a_value_moved_to_another_scope_does_not_open(
    make_vault: MakeVault, shared_server: RedisServer
) -> None:
    """Who can write to the server still cannot show one user's value to another."""
    vault = make_vault()
    vault.token_for(A, "PERSON", "Ada")
    (mine,) = [key for key in shared_server.client.keys("prodkit:vault:*") if not key.endswith(b":keys")]
    vault.token_for(B, "PERSON", "Bob")
    theirs = next(
        key
        for key in shared_server.client.keys("prodkit:vault:*")
        if key != mine and not key.endswith(b":keys")
    )
    shared_server.client.hset(theirs, "t:PERSON_1", shared_server.client.hget(mine, "t:PERSON_1"))
    with pytest.raises(VaultKeyError):
        vault.value_of(B, "PERSON_1")


async def test_a_server_that_is_gone_is_named_and_nothing_is_lost(
    make_redis_server: Callable[..., RedisServer],
) -> None:
    """Between redacting and restoring: a typed error, no call to the model, and all is there afterwards."""
    server = make_redis_server()
    privacy = PresidioRunnable(NameDetector(), vault=RedisVault(server.url, key=KEY, timeout_s=0.3))
    model = EchoModel(reply=echo)
    safe = privacy.protect(model)
    redacted = privacy.invoke("I am Ada Byron", CONFIG)
    server.pause()
    for call in (
        lambda: privacy.restore().invoke(redacted, CONFIG),
        lambda: list(privacy.restore().stream(redacted, CONFIG)),
        lambda: safe.invoke("I am Ada Byron", CONFIG),
        lambda: list(safe.stream("I am Ada Byron", CONFIG)),
    ):
        with pytest.raises(VaultUnavailableError, match="redis") as caught:
            call()
        assert caught.value.is_retryable
        assert "Ada" not in str(caught.value)
    with pytest.raises(VaultUnavailableError):
        await safe.ainvoke("I am Ada Byron", CONFIG)
    with pytest.raises(VaultUnavailableError):
        await privacy.restore().ainvoke(redacted, CONFIG)
    assert model.seen == []
    server.resume()
    assert privacy.restore().invoke(redacted, CONFIG) == "I am Ada Byron"
    assert (await safe.ainvoke("Ada Byron", CONFIG)).content == "You said: Ada Byron"
    assert model.seen[0][0].content == "<PERSON_1>"


def test_a_server_that_goes_while_the_model_answers_is_named(
    make_redis_server: Callable[..., RedisServer],
) -> None:
    """The answer is not given away half restored; asked again, everything is there."""
    server = make_redis_server()

    def gone(messages: Any) -> Any:
        server.pause()
        return echo(messages)

    privacy = PresidioRunnable(NameDetector(), vault=RedisVault(server.url, key=KEY, timeout_s=0.3))
    with pytest.raises(VaultUnavailableError, match="redis"):
        privacy.protect(EchoModel(reply=gone)).invoke("I am Ada Byron", CONFIG)
    server.resume()
    answer = privacy.protect(EchoModel(reply=echo)).invoke("I am Ada Byron", CONFIG)
    assert answer.content == "You said: I am Ada Byron"


def test_a_restarted_server_is_reached_again(make_redis_server: Callable[..., RedisServer]) -> None:
    """Dead connections are made anew; what the server lost is an unknown scope, never a wrong value."""
    server = make_redis_server(save="")
    privacy = PresidioRunnable(NameDetector(), vault=RedisVault(server.url, key=KEY))
    redacted = privacy.invoke("I am Ada Byron", CONFIG)
    server.kill()
    with pytest.raises(VaultUnavailableError):
        privacy.restore().invoke(redacted, CONFIG)
    server.start()
    server.client.flushall()
    with pytest.raises(UnknownScopeError):
        privacy.restore().invoke(redacted, CONFIG)
    assert privacy.invoke("I am Ada Byron", CONFIG) == "I am <PERSON_1>"


def test_the_number_of_values_is_bounded(make_vault: MakeVault) -> None:
    """One more than `max_values` writes nothing at all; what is known stays known."""
    vault = make_vault(max_values=3)
    vault.tokens_for(A, [("PERSON", "1"), ("PERSON", "2")])
    with pytest.raises(RedactionError, match="max_values"):
        vault.tokens_for(A, [("PERSON", "3"), ("PERSON", "4")])
    assert len(vault.values(A)) == 2
    assert vault.tokens_for(A, [("PERSON", "3"), ("PERSON", "1")]) == ["PERSON_3", "PERSON_1"]


def test_threads_and_tasks_agree_on_tokens(make_vault: MakeVault) -> None:
    """However many write at once, no two values share a token and no value has two."""
    vault = make_vault()
    wanted = [("PERSON", f"v{n}") for n in range(100)]
    found: list[list[str]] = []

    async def tasks() -> None:
        found.extend(
            await asyncio.gather(*(vault.atokens_for(A, wanted[n:] + wanted[:n]) for n in range(20)))
        )
        await vault.aclose()

    threads = [threading.Thread(target=lambda: found.append(vault.tokens_for(A, wanted))) for _ in range(8)]
    threads += [threading.Thread(target=lambda: asyncio.run(tasks())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 48
    assert {len(set(one)) for one in found} == {100}
    assert len(vault.values(A)) == 100
    assert vault.tokens_for(A, wanted) in found


def _tokens(url: str, start: int) -> list[str]:
    vault = RedisVault(url, key=KEY)
    order = [("PERSON", f"v{(start + n) % 50}") for n in range(50)]
    tokens = dict(zip((value for _, value in order), vault.tokens_for(A, order), strict=True))
    return [tokens[f"v{n}"] for n in range(50)]


@pytest.mark.slow
def test_processes_agree_on_tokens(make_vault: MakeVault, shared_server: RedisServer) -> None:
    """Four processes that begin at once number the same values the same way."""
    make_vault()
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        found = pool.starmap(_tokens, [(shared_server.url, start) for start in (0, 13, 26, 39)])
    assert found[0] == found[1] == found[2] == found[3]


def test_copies_are_the_same_vault_and_dumps_keeps_secrets(
    make_vault: MakeVault, shared_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pickle and deepcopy reach the same values; `dumps` writes neither url nor key."""
    vault = make_vault(old_keys=["an old key of 32 characters....."])
    vault.token_for(A, "PERSON", "Ada")
    text = dumps(PresidioRunnable(vault=vault))
    assert KEY not in text
    assert shared_server.url not in text
    assert KEY not in repr(vault)
    secrets = {
        "PRODKIT_REDIS_URL": shared_server.url,
        "PRODKIT_VAULT_KEY": KEY,
        "PRODKIT_VAULT_OLD_KEYS": "an old key of 32 characters.....",
    }
    loaded = loads(
        text,
        secrets_map=secrets,
        allowed_objects=[PresidioRunnable, RedisVault],
        valid_namespaces=["langchain_prodkit"],
    )
    twins = copy.deepcopy(vault), pickle.loads(pickle.dumps(vault)), loaded.vault  # noqa: S301 - our own
    for twin in twins:
        assert twin.value_of(A, "PERSON_1") == "Ada"
        twin.close()


@pytest.mark.parametrize(
    "bad",
    [
        {"key": "short"},
        {"key": None},
        {"url": "http://h"},
        {"url": 5},
        {"ttl_s": 0},
        {"prefix": ""},
        {"old_keys": ["x"]},
    ],
)
def test_wrong_settings_fail_at_construction(bad: dict[str, Any]) -> None:
    """A short key or a strange url never waits for the first request, and is not repeated."""
    with pytest.raises(ConfigurationError) as caught:
        RedisVault(**{"url": "redis://localhost", "key": KEY, **bad})
    assert "short" not in str(caught.value) or "shorter" in str(caught.value)

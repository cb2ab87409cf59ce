"""Limited embeddings against a provider that really refuses, fails and hangs up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest
import tiktoken
from langchain_openai import AzureOpenAIEmbeddings, ChatOpenAI, OpenAIEmbeddings

from langchain_prodkit.errors import BudgetExceededError, ConfigurationError, RequestTooLargeError
from langchain_prodkit.limits import (
    Budget,
    LocalLimiter,
    RateLimitedAsyncChat,
    RateLimitedEmbeddings,
    RedisLimiter,
    RetryPolicy,
)
from langchain_prodkit.testing import Faults, ProviderServer
from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker

MODEL = "text-embedding-3-small"


def embedder(provider: ProviderServer, **settings: Any) -> OpenAIEmbeddings:
    """A plain model at `provider`."""
    given: dict[str, Any] = {"base_url": provider.base_url, "api_key": "any", "dimensions": 16}
    return OpenAIEmbeddings(model=MODEL, **{**given, **settings})


def texts(count: int, words: int = 20) -> list[str]:
    """Make texts that differ in words and length."""
    return [f"text{number} " + "word " * (words // 2 + number % words) for number in range(count)]


async def embed(model: RateLimitedEmbeddings, given: list[str], way: str) -> list[list[float]]:
    """Embed from the event loop, or from a thread without one."""
    if way == "async":
        return await model.aembed_documents(given)
    return await asyncio.to_thread(model.embed_documents, given)


def sent(provider: ProviderServer) -> list[list[Any]]:
    """Give the inputs of each request that was answered."""
    return [entry.body["input"] for entry in provider.journal if entry.status == 200]


each_way = pytest.mark.parametrize("way", ["sync", "async"])


@each_way
async def test_vectors_are_those_of_the_plain_model(
    way: str, make_provider_server: ProviderServerMaker
) -> None:
    """Number for number, in the order of the texts, and without a tokenizer's files."""
    provider = make_provider_server()
    plain = embedder(provider, check_embedding_ctx_length=False)
    given = [*texts(600), "text1 again", "text1 again", *texts(3)]
    limited = RateLimitedEmbeddings(embedder(provider))
    assert await embed(limited, given, way) == await embed(RateLimitedEmbeddings(plain), given, way)
    assert await embed(limited, given, way) == plain.embed_documents(given)
    assert await limited.aembed_query("hi") == limited.embed_query("hi") == plain.embed_query("hi")


@each_way
async def test_an_empty_text_does_not_fail_its_batch(
    way: str, make_provider_server: ProviderServerMaker
) -> None:
    """The provider refuses it; a space it takes."""
    provider = make_provider_server()
    limited = RateLimitedEmbeddings(embedder(provider))
    vectors = await embed(limited, ["a", "", "b", ""], way)
    assert vectors[1] == vectors[3] == limited.embed_query(" ")
    assert sent(provider)[0] == ["a", " ", "b"]


@each_way
async def test_batches_keep_to_the_token_limit(way: str, make_provider_server: ProviderServerMaker) -> None:
    """Texts for three seconds under a limit enforced by the second: none fails, next to none is refused."""
    provider = make_provider_server(tokens_per_minute=600_000, burst_s=1.0, latency_s=0.05)
    limited = RateLimitedEmbeddings(embedder(provider), tokens_per_minute=600_000)
    given = texts(1_500)
    start_s = time.monotonic()
    vectors = await embed(limited, given, way)
    wall_s = time.monotonic() - start_s
    assert vectors == await embed(RateLimitedEmbeddings(embedder(make_provider_server())), given, way)
    assert provider.statistics().refused <= 15
    least_s = provider.statistics().prompt_tokens / 10_000 - 1.0
    assert least_s > 2.0
    assert wall_s < 1.5 * least_s + 1.0


async def test_batches_keep_to_the_request_limit(make_provider_server: ProviderServerMaker) -> None:
    """Few requests a minute: so each carries more."""
    provider = make_provider_server(requests_per_minute=120, burst_s=1.0)
    limited = RateLimitedEmbeddings(embedder(provider), requests_per_minute=120)
    assert len(await limited.aembed_documents(texts(2_000, 4))) == 2_000
    assert provider.statistics().requests <= 4


async def test_limits_nobody_told_are_found(make_provider_server: ProviderServerMaker) -> None:
    """A first small batch asks, and the rest is cut by what the answer's headers say."""
    provider = make_provider_server(tokens_per_minute=300_000, burst_s=2.0, latency_s=0.05)
    limited = RateLimitedEmbeddings(embedder(provider))
    assert len(await limited.aembed_documents(texts(600))) == 600
    assert provider.statistics().answered == len(sent(provider))
    assert provider.statistics().too_large == 0
    assert limited.statistics().tokens_per_minute == pytest.approx(300_000, rel=0.05)
    assert max(map(len, sent(provider))) < 200


async def test_the_users_own_batch_size_is_kept(make_provider_server: ProviderServerMaker) -> None:
    """Whether it was given to the model or to the wrapper; and one batch is one request."""
    provider = make_provider_server()
    for limited in (
        RateLimitedEmbeddings(embedder(provider, chunk_size=10)),
        RateLimitedEmbeddings(embedder(provider), max_batch_texts=10),
    ):
        provider.reset()
        await limited.aembed_documents(texts(100))
        assert max(map(len, sent(provider))) <= 10
        assert limited.statistics().granted == provider.statistics().requests >= 10


@each_way
async def test_a_tenth_of_faults_loses_no_text(way: str, make_provider_server: ProviderServerMaker) -> None:
    """Server errors, hang-ups and cut answers: the batch is sent again, the others are not."""
    provider = make_provider_server(faults=Faults(rate=0.15, slow_s=0.1))
    limited = RateLimitedEmbeddings(embedder(provider), max_batch_texts=10, learn_limits=False)
    given = texts(600)
    vectors = await embed(limited, given, way)
    assert vectors == await embed(RateLimitedEmbeddings(embedder(make_provider_server())), given, way)
    assert sum(provider.statistics().faults.values()) >= 4
    assert provider.statistics().answered == 60


@each_way
async def test_refusals_are_waited_out(way: str, make_provider_server: ProviderServerMaker) -> None:
    """The provider allows a third of what we were told."""
    provider = make_provider_server(tokens_per_minute=200_000, burst_s=1.0)
    limited = RateLimitedEmbeddings(embedder(provider), tokens_per_minute=600_000)
    assert len(await embed(limited, texts(400), way)) == 400
    assert provider.statistics().refused <= 10


async def test_a_bare_refusal_is_waited_out(make_provider_server: ProviderServerMaker) -> None:
    """A 429 without any header."""
    provider = make_provider_server(faults=Faults(script=["bare_429"]))
    limited = RateLimitedEmbeddings(embedder(provider))
    assert len(await limited.aembed_query("hi")) == 16
    assert limited.statistics().refusals == 1


@each_way
async def test_an_error_leads_to_exactly_our_attempts(
    way: str, make_provider_server: ProviderServerMaker
) -> None:
    """The SDK adds none of its own; the error says which inputs it is about and shows none."""
    provider = make_provider_server(faults=Faults(script=["error_500"] * 20))
    limited = RateLimitedEmbeddings(
        embedder(provider, max_retries=5), retry=RetryPolicy(max_attempts=3, max_wait_s=0.01)
    )
    with pytest.raises(openai.InternalServerError) as caught:
        await embed(limited, ["secret one", "secret two"], way)
    assert provider.statistics().requests == 3
    assert caught.value.__notes__ == ["while embedding inputs 0 to 1 of 2 (counted from 0)"]
    assert "secret" not in str(caught.value)
    assert limited.statistics().in_flight == 0


@each_way
@pytest.mark.parametrize(
    ("faults", "error"),
    [(Faults(script=["insufficient_quota"] * 5), openai.RateLimitError), (Faults(), openai.NotFoundError)],
    ids=["empty account", "unknown model"],
)
async def test_hopeless_calls_are_sent_once(
    way: str, faults: Faults, error: Any, make_provider_server: ProviderServerMaker
) -> None:
    """No waiting cures an empty account, nor a model that does not exist."""
    provider = make_provider_server(faults=faults, models=[MODEL] if faults.script else ["another"])
    with pytest.raises(error):
        await embed(RateLimitedEmbeddings(embedder(provider)), ["a"], way)
    assert provider.statistics().requests == 1


async def test_a_provider_that_hangs_ends_in_the_models_own_timeout(
    make_provider_server: ProviderServerMaker,
) -> None:
    """And the attempts after it."""
    provider = make_provider_server(latency_s=30.0)
    limited = RateLimitedEmbeddings(
        embedder(provider, timeout=0.2), retry=RetryPolicy(max_attempts=2, max_wait_s=0.01)
    )
    start_s = time.monotonic()
    with pytest.raises(openai.APITimeoutError):
        await limited.aembed_documents(["a"])
    assert time.monotonic() - start_s < 5
    assert provider.statistics().requests == 2


def test_event_loops_one_after_another_and_side_by_side(make_provider_server: ProviderServerMaker) -> None:
    """Connections belong to a loop: none is tried in another, so nothing is sent twice."""
    provider = make_provider_server(latency_s=0.02)
    limited = RateLimitedEmbeddings(embedder(provider), max_batch_texts=20, learn_limits=False)

    def work(_: int) -> int:
        return len(asyncio.run(limited.aembed_documents(texts(200))))

    async def both() -> list[int]:
        return await asyncio.gather(*(asyncio.to_thread(work, number) for number in range(4)))

    assert [work(0), work(1)] == [200, 200]
    assert asyncio.run(both()) == [200] * 4
    assert provider.statistics().requests == 6 * 10


async def test_usage_settles_the_limit_and_the_budget(make_provider_server: ProviderServerMaker) -> None:
    """What the answer says it took is charged, not what was estimated."""
    provider = make_provider_server()
    budget = Budget(max_usd=1.0, prices={f"{MODEL}*": {"input": 0.02}})
    limiter = LocalLimiter(tokens_per_minute=6_000_000)
    limited = RateLimitedEmbeddings(embedder(provider), limiter=limiter, budget=budget)
    await limited.aembed_documents(texts(300))
    used = provider.statistics().prompt_tokens
    assert budget.statistics().spent_tokens == used
    assert budget.spent == pytest.approx(used * 0.02 / 1e6)
    small = RateLimitedEmbeddings(embedder(provider), budget=Budget(max_tokens=100))
    before = provider.statistics().requests
    with pytest.raises(BudgetExceededError):
        await small.aembed_documents(texts(300))
    assert provider.statistics().requests == before


async def test_one_limiter_for_chat_and_embeddings(make_provider_server: ProviderServerMaker) -> None:
    """Both keep to one account's limit."""
    provider = make_provider_server(requests_per_minute=1_200, burst_s=1.0)
    limiter = LocalLimiter(requests_per_minute=1_200)
    chat = RateLimitedAsyncChat(
        ChatOpenAI(model="gpt-4o-mini", base_url=provider.base_url, api_key="any"), limiter=limiter
    )
    limited = RateLimitedEmbeddings(
        embedder(provider), limiter=limiter, max_batch_texts=10, learn_limits=False
    )
    await asyncio.gather(chat.abatch(["hi"] * 30), limited.aembed_documents(texts(300)))
    assert provider.statistics().answered == 60
    assert provider.statistics().refused <= 15


async def test_azure_models_are_wrapped_alike(make_provider_server: ProviderServerMaker) -> None:
    """Same client, other class: retries are off and usage is heard."""
    provider = make_provider_server(faults=Faults(script=["error_500"] * 5))
    given: dict[str, Any] = {"api_key": "any", "api_version": "2024-10-21", "max_retries": 5}
    plain = AzureOpenAIEmbeddings(azure_endpoint=provider.url, model=MODEL, **given)
    inner = RateLimitedEmbeddings(plain)._means.embedder
    assert inner.has_client
    assert inner._inner.client._client.max_retries == inner._inner.async_client._client.max_retries == 0
    assert plain.client._client.max_retries == 5


async def test_a_text_over_the_limit_reaches_nobody(make_provider_server: ProviderServerMaker) -> None:
    """At once, whatever else there is to embed."""
    provider = make_provider_server()
    limited = RateLimitedEmbeddings(embedder(provider), tokens_per_minute=60_000)
    with pytest.raises(RequestTooLargeError):
        await limited.aembed_documents([*texts(50), "x" * 300_000])
    assert provider.statistics().requests == 0


@each_way
async def test_a_text_longer_than_the_context_is_cut_by_the_models_tokenizer(
    way: str, monkeypatch: pytest.MonkeyPatch, make_provider_server: ProviderServerMaker
) -> None:
    """As langchain-openai cuts it; the short ones of other batches are sent as they are."""
    provider = make_provider_server()
    bytewise = tiktoken.Encoding(
        "bytewise",
        pat_str=r"[\s\S]",
        mergeable_ranks={bytes([byte]): byte for byte in range(256)},
        special_tokens={},
    )
    monkeypatch.setattr(tiktoken, "encoding_for_model", lambda _: bytewise)
    plain = embedder(provider)
    given = ["short", "text", "ab " * 4_000]
    vectors = await embed(RateLimitedEmbeddings(plain, max_batch_texts=2), given, way)
    whole, cut = sorted(sent(provider), key=lambda inputs: isinstance(inputs[0], list))
    assert whole == ["short", "text"]
    assert [len(part) for part in cut] == [8_191, 3_809]
    assert vectors[2] == pytest.approx(plain.embed_documents(given)[2])
    assert vectors[0] == embedder(provider, check_embedding_ctx_length=False).embed_query("short")


@each_way
async def test_without_the_tokenizers_files_the_error_says_what_to_do(
    way: str, monkeypatch: pytest.MonkeyPatch, make_provider_server: ProviderServerMaker
) -> None:
    """Before anything is sent, and without the text."""

    def offline(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(tiktoken, "encoding_for_model", offline)
    provider = make_provider_server()
    with pytest.raises(ConfigurationError, match="TIKTOKEN_CACHE_DIR"):
        await embed(RateLimitedEmbeddings(embedder(provider)), ["ab " * 4_000], way)
    assert provider.statistics().requests == 0
    unchecked = embedder(provider, check_embedding_ctx_length=False)
    assert len(await embed(RateLimitedEmbeddings(unchecked), ["ab " * 4_000], way)) == 1


def test_a_limit_shared_through_redis_holds_for_embeddings(
    make_limiter: Callable[..., RedisLimiter], make_provider_server: ProviderServerMaker
) -> None:
    """From synchronous code and from one event loop after another."""
    provider = make_provider_server(tokens_per_minute=600_000, burst_s=1.0)
    limiter = make_limiter(tokens_per_minute=600_000)
    limited = RateLimitedEmbeddings(embedder(provider), limiter=limiter)
    given = texts(300)
    vectors = limited.embed_documents(given)
    assert len(vectors) == 300
    for _ in range(2):
        assert asyncio.run(limited.aembed_documents(given)) == vectors
    assert limiter.statistics().in_flight == 0
    assert provider.statistics().refused <= 15

"""Texts are cut into batches that fit, each text once and in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.embeddings import Embeddings

from langchain_prodkit.limits import LocalLimiter, RateLimitedEmbeddings
from langchain_prodkit.limits.batching import BatchLimits, batch_limits, batches


@given(st.lists(st.floats(1.0, 1e4), max_size=300), st.integers(1, 50), st.floats(1.0, 2e4))
def test_batches_hold_every_text_once_in_order_within_limits(
    tokens: list[float], texts: int, most: float
) -> None:
    """Only a text that alone is over the limit goes over it, alone; and no batch could take one more."""
    limits = BatchLimits(texts, most)
    parts = list(batches(tokens, limits))
    assert [at for part in parts for at in part] == list(range(len(tokens)))
    for number, part in enumerate(parts):
        total = sum(tokens[at] for at in part)
        assert 1 <= len(part) <= texts
        assert total <= most * (1 + 1e-9) or len(part) == 1
        if number + 1 < len(parts) and len(part) < texts:
            assert total + tokens[parts[number + 1].start] > most * (1 - 1e-9)


@given(
    st.integers(0, 100_000),
    st.integers(1, 3_000),
    st.integers(1, 400_000),
    st.none() | st.floats(0.5, 1e6),
    st.none() | st.floats(1.0, 1e9),
)
def test_limits_of_a_batch_are_never_over_what_is_allowed(
    count: int, texts: int, tokens: int, requests_rate: float | None, tokens_rate: float | None
) -> None:
    """Whatever the rates, a request holds at least one text and at most the provider's maximum."""
    found = batch_limits(
        count,
        max_texts=texts,
        max_tokens=tokens,
        requests_per_minute=requests_rate,
        tokens_per_minute=tokens_rate,
    )
    assert 1 <= found.texts <= texts
    assert 0 < found.tokens <= max(1.0, tokens)


@pytest.mark.parametrize(
    ("count", "requests_rate", "tokens_rate", "texts", "tokens"),
    [
        (2_000, None, None, 250, 240_000),  # eight even requests side by side
        (10, None, None, 10, 240_000),
        (2_000, None, 600_000, 250, 2_500),  # a quarter of a second's tokens
        (2_000, 60, 600_000, 2_000, 10_000),  # requests are scarce: each takes its share of the tokens
        (2_000, 3, None, 2_000, 240_000),
        (100_000, 60, None, 2_041, 240_000),
    ],
)
def test_the_size_of_a_batch_follows_from_the_limits(
    count: int, requests_rate: float | None, tokens_rate: float | None, texts: int, tokens: float
) -> None:
    """Small under a token limit, large where requests are scarce, even where nothing is."""
    found = batch_limits(
        count,
        max_texts=2_048,
        max_tokens=300_000,
        requests_per_minute=requests_rate,
        tokens_per_minute=tokens_rate,
    )
    assert (found.texts, found.tokens) == (texts, tokens)


class Recorder(Embeddings):
    """Gives each text its length as vector, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed, and note the batch."""
        self.asked.append(list(texts))
        return [[float(len(text))] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Embed one."""
        return self.embed_documents([text])[0]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed in the event loop: a thread for each batch would be slow."""
        return self.embed_documents(texts)


def bag(batches_asked: Sequence[list[str]]) -> list[str]:
    """Give all texts that were asked, sorted."""
    return sorted(text for batch in batches_asked for text in batch)


@given(
    texts=st.lists(st.text("ab é한", max_size=40), max_size=80),
    max_texts=st.integers(1, 20),
    max_tokens=st.integers(40, 200),
    learns=st.booleans(),
)
async def test_every_text_gets_its_vector_and_is_sent_once(
    texts: list[str], max_texts: int, max_tokens: int, *, learns: bool
) -> None:
    """Sync and async, with duplicates and empty ones; each batch is one permit and within the maxima."""
    for is_async in (False, True):
        inner, limiter = Recorder(), LocalLimiter(max_concurrency=3)
        limited = RateLimitedEmbeddings(
            inner,
            limiter=limiter,
            max_batch_texts=max_texts,
            max_batch_tokens=max_tokens,
            learn_limits=learns,
        )
        vectors = await limited.aembed_documents(texts) if is_async else limited.embed_documents(texts)
        assert vectors == [[float(len(text))] for text in texts]
        assert len({id(vector) for vector in vectors}) == len(vectors)
        assert bag(inner.asked) == sorted(set(texts))
        first_places = {text: at for at, text in reversed(list(enumerate(texts)))}
        for batch in inner.asked:
            assert [first_places[text] for text in batch] == sorted(first_places[text] for text in batch)
            assert len(batch) <= max_texts
            assert len(batch) == 1 or sum(max(1.0, len(text.encode()) / 4) for text in batch) <= max_tokens
        assert limiter.statistics().granted == len(inner.asked)
        assert limiter.statistics().in_flight == 0

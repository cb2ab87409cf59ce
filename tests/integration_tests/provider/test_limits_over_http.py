"""Limits as a client meets them: statuses, headers, refunds, and the promise of when to come back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import openai
import pytest

if TYPE_CHECKING:
    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker
    from tests.integration_tests.provider.conftest import Post

SIX = [
    f"x-ratelimit-{what}-{unit}"
    for unit in ("requests", "tokens")
    for what in ("limit", "remaining", "reset")
]


def test_headers_tell_the_level_on_every_answer(
    make_provider_server: ProviderServerMaker, post: Post
) -> None:
    """All six on a 200; the remaining tokens fall by prompt and `max_tokens`."""
    server = make_provider_server(requests_per_minute=600, tokens_per_minute=6000)
    response = post(server, "x" * 400, max_tokens=50)
    assert [name for name in SIX if name not in response.headers] == []
    assert response.headers["x-ratelimit-remaining-requests"] == "599"
    assert int(response.headers["x-ratelimit-remaining-tokens"]) == pytest.approx(5850, abs=5)


def test_going_over_is_a_429_and_waiting_as_told_helps(
    make_provider_server: ProviderServerMaker, post: Post
) -> None:
    """The refusal says when to come back; then the same request passes."""
    server = make_provider_server(requests_per_minute=60, burst_s=1)
    assert post(server).status_code == 200
    refused = post(server)
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert "Please try again in" in error["message"]
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert int(refused.headers["retry-after"]) == 1
    time.sleep(int(refused.headers["retry-after-ms"]) / 1000)
    assert post(server).status_code == 200
    statistics = server.statistics()
    assert (statistics.requests, statistics.answered, statistics.refused) == (3, 2, 1)


def test_the_official_client_recovers_by_itself(make_provider_server: ProviderServerMaker) -> None:
    """Its own retry understands the headers."""
    server = make_provider_server(requests_per_minute=60, burst_s=1)
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=3) as client:
        for _ in range(2):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": "Hi"}])
    assert server.statistics().answered == 2
    assert server.statistics().refused >= 1


def test_a_request_larger_than_the_bucket_is_told_so(
    make_provider_server: ProviderServerMaker, post: Post
) -> None:
    """No `retry-after`: it would never fit."""
    server = make_provider_server(tokens_per_minute=6000, burst_s=1)
    refused = post(server, max_tokens=101)
    assert refused.status_code == 429
    assert refused.json()["error"]["message"].startswith("Request too large for gpt-4o-mini")
    assert refused.json()["error"]["type"] == "tokens"
    assert "retry-after" not in refused.headers
    assert server.statistics().too_large == 1
    assert post(server, max_tokens=90).status_code == 200


@pytest.mark.parametrize(("refund", "passing"), [(False, 2), (True, 8)])
def test_unused_tokens_come_back_only_with_refund(
    make_provider_server: ProviderServerMaker, post: Post, refund: bool, passing: int
) -> None:
    """Short answers under a generous `max_tokens`."""
    server = make_provider_server(tokens_per_minute=60, burst_s=60 * 20, refund=refund)
    statuses = [post(server, "Hi", max_tokens=500).status_code for _ in range(8)]
    assert statuses.count(200) == passing
    statistics = server.statistics()
    used = statistics.prompt_tokens + statistics.completion_tokens
    assert statistics.refunded_tokens == (statistics.charged_tokens - used if refund else 0)


def test_streams_are_charged_and_refunded_alike(
    make_provider_server: ProviderServerMaker, post: Post
) -> None:
    """A stream gives back at its end."""
    server = make_provider_server(tokens_per_minute=60, burst_s=60 * 20, refund=True)
    assert [post(server, max_tokens=1000, stream=True).status_code for _ in range(3)] == [200] * 3
    assert post(server, path="/embeddings", input="x" * 400).status_code == 200
    assert server.statistics().charged_tokens == 3 * 1001 + 100


def test_headers_can_be_left_out(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """Some providers say nothing: `limit_headers=False`."""
    server = make_provider_server(requests_per_minute=60, burst_s=1, limit_headers=False)
    responses = [post(server) for _ in range(2)]
    assert [response.status_code for response in responses] == [200, 429]
    names = {name for response in responses for name in response.headers}
    assert not any(name.startswith(("x-ratelimit", "retry-after")) for name in names)


def test_reading_models_and_health_costs_nothing(
    make_provider_server: ProviderServerMaker, post: Post
) -> None:
    """Only what answers with a model is limited."""
    server = make_provider_server(requests_per_minute=60, burst_s=1)
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        for _ in range(3):
            client.models.list()
    assert post(server).status_code == 200

"""Faults as a client meets them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from pydantic import BaseModel, ValidationError

from langchain_prodkit.testing import Faults

if TYPE_CHECKING:
    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker
    from tests.integration_tests.provider.conftest import Post


class City(BaseModel):
    """What is asked for."""

    name: str
    people: int


FORMAT: Any = {
    "type": "json_schema",
    "json_schema": {"name": "City", "schema": City.model_json_schema()},
}


@pytest.mark.parametrize(
    ("kind", "error", "code"),
    [
        ("error_500", openai.InternalServerError, None),
        ("error_503", openai.InternalServerError, None),
        ("bare_429", openai.RateLimitError, "rate_limit_exceeded"),
        ("insufficient_quota", openai.RateLimitError, "insufficient_quota"),
        ("disconnect", openai.APIConnectionError, None),
        ("cut_stream", openai.APIConnectionError, None),
    ],
)
def test_each_fault_is_the_clients_own_error_and_ends_with_its_request(
    make_provider_server: ProviderServerMaker, kind: Any, error: type[openai.OpenAIError], code: str | None
) -> None:
    """The next request is answered, over the same client."""
    server = make_provider_server(faults=Faults(script=[kind]))
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": "Hi"}]
        with pytest.raises(error) as caught:
            client.chat.completions.create(model="m", messages=messages)
        assert getattr(caught.value, "code", None) == code
        answer = client.chat.completions.create(model="m", messages=messages)
    assert answer.choices[0].message.content == "You said: Hi"
    assert [entry.fault for entry in server.journal] == [kind, None]
    assert server.statistics().faults == {kind: 1}


def test_a_bare_refusal_has_no_headers(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """Neither when to come back nor what is left."""
    response = post(make_provider_server(requests_per_minute=60, faults=Faults(script=["bare_429"])))
    assert response.status_code == 429
    assert not any(name.startswith(("x-ratelimit", "retry-after")) for name in response.headers)


@pytest.mark.parametrize("interval", [0.0, 0.001])
def test_a_cut_stream_gives_half_and_breaks(
    make_provider_server: ProviderServerMaker, interval: float
) -> None:
    """What came before the cut is whole events; there is no `[DONE]`."""
    server = make_provider_server(faults=Faults(script=["cut_stream"]), chunk_interval_s=interval)
    parts: list[str] = []
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "one two three"}]}
    with (
        httpx.Client(trust_env=False) as http,
        http.stream("POST", f"{server.base_url}/chat/completions", json=body) as response,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        parts.extend(response.iter_text())
    received = "".join(parts)
    assert "You " in received
    assert received.endswith("\n\n")
    assert "[DONE]" not in received


def test_slow_answers_come_late(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """`slow_s` on top of the latency, for that request alone."""
    server = make_provider_server(latency_s=0.05, faults=Faults(script=["slow"], slow_s=0.5))
    times = []
    for _ in range(2):
        start = time.perf_counter()
        assert post(server).status_code == 200
        times.append(time.perf_counter() - start)
    assert times[0] >= 0.55
    assert 0.05 <= times[1] < times[0]


@pytest.mark.parametrize("stream", [False, True])
def test_broken_json_comes_as_often_as_asked_then_good(
    make_provider_server: ProviderServerMaker, stream: bool
) -> None:
    """First malformed, then of the wrong shape, then valid; prose in between uses nothing up."""
    server = make_provider_server(faults=Faults(malformed_json=2, wrong_schema=1))
    messages: Any = [{"role": "user", "content": "Seoul"}]
    outcomes = []
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=0) as client:
        for _ in range(4):
            client.chat.completions.create(model="m", messages=messages)
            body: dict[str, Any] = {"model": "m", "messages": messages, "response_format": FORMAT}
            if stream:
                chunks = client.chat.completions.create(**body, stream=True)
                text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
            else:
                text = client.chat.completions.create(**body).choices[0].message.content or ""
            try:
                City.model_validate_json(text)
                outcomes.append("valid")
            except ValidationError as error:
                outcomes.append(error.errors()[0]["type"])
    assert outcomes[:2] == ["json_invalid"] * 2
    assert outcomes[2] not in ("json_invalid", "valid")
    assert outcomes[3] == "valid"
    assert server.statistics().faults == {"malformed_json": 2, "wrong_schema": 1}
    broken = [entry.fault for entry in server.journal if entry.fault]
    assert broken == ["malformed_json", "malformed_json", "wrong_schema"]


def test_a_rate_of_faults_is_survived_with_retries(make_provider_server: ProviderServerMaker) -> None:
    """Every third request fails in some way; a client that retries gets all its answers."""
    server = make_provider_server(faults=Faults(rate=0.3, slow_s=0.01, seed=7))
    with openai.OpenAI(base_url=server.base_url, api_key="any", max_retries=8) as client:
        client._calculate_retry_timeout = lambda *_args, **_kwargs: 0.0  # type: ignore[method-assign]
        for number in range(30):
            answer = client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": str(number)}]
            )
            assert answer.choices[0].message.content == f"You said: {number}"
    faults = server.statistics().faults
    assert sum(faults.values()) >= 5
    assert len(faults) >= 3

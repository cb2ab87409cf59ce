"""Nothing a client sends brings the server down, and every refusal is the provider's kind of error."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

if TYPE_CHECKING:
    from langchain_prodkit.testing import ProviderServer
    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker
    from tests.integration_tests.provider.conftest import Post


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe\x00",
        b'{"model": "m"}',
        b'{"a":' * 50_000,
        b"1" * 5000,
    ],
)
@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/embeddings", "/moderations"])
def test_a_bad_body_is_a_400(provider_server: ProviderServer, post: Post, raw: bytes, path: str) -> None:
    """No JSON, no object, no messages, too deep: an error object each time, on every path."""
    response = post(provider_server, raw=raw, path=path)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert post(provider_server).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
def test_a_megabyte_and_half_characters_are_answered(
    provider_server: ProviderServer, post: Post, path: str, stream: bool
) -> None:
    """Long input, lone surrogates, null characters, letters of any script."""
    for text in ("x" * 1_000_000, "\ud800 \udfff", "\x00\u202e", "안녕하세요 🙂"):
        response = post(provider_server, text, path=path, input=text, stream=stream)
        assert response.status_code == 200
        assert text[:100] in provider_server.journal_text()


@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
def test_a_megabyte_is_streamed_back(
    make_provider_server: ProviderServerMaker, post: Post, path: str
) -> None:
    """A long scripted answer arrives whole."""
    text = "word " * 200_000
    server = make_provider_server(script=[text])
    response = post(server, path=path, input="Hi", stream=True)
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]
    if path == "/responses":
        received = "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")
    else:
        received = "".join(e["choices"][0]["delta"].get("content") or "" for e in events)
    assert received == text


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": "many"},
        {"type": "array", "items": 7, "minItems": 3},
        {"anyOf": 5},
        {"enum": {"a": 1}},
        {"$ref": "#"},
        {"$ref": "http://elsewhere"},
        {"type": "object", "required": 3},
        {"type": "integer", "minimum": "low"},
        {"pattern": "(", "type": "string"},
        {"type": "string", "minLength": 10**9},
    ],
)
def test_a_senseless_schema_is_answered_or_refused(
    provider_server: ProviderServer, post: Post, schema: dict[str, Any]
) -> None:
    """A 200 with JSON or a 400, never a crash."""
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    response = post(provider_server, response_format=form)
    assert response.status_code in (200, 400)
    if response.status_code == 200:
        json.loads(response.json()["choices"][0]["message"]["content"])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/chat/completions", 405),
        ("POST", "/models", 405),
        ("POST", "/nothing", 404),
        ("PUT", "/", 404),
    ],
)
def test_unknown_paths_and_methods_are_errors(
    provider_server: ProviderServer, method: str, path: str, status: int
) -> None:
    """In the provider's JSON, not in a server's HTML."""
    response = httpx.request(method, provider_server.base_url + path, trust_env=False)
    assert response.status_code == status
    assert response.json()["error"]["message"]


def test_a_wrong_key_is_refused_and_never_written_down(make_provider_server: ProviderServerMaker) -> None:
    """With `api_key` given; the journal holds neither the right key nor the wrong one."""
    server = make_provider_server(api_key="right-key")
    messages: Any = [{"role": "user", "content": "Hi"}]
    with openai.OpenAI(base_url=server.base_url, api_key="wrong-key", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            client.chat.completions.create(model="m", messages=messages)
        assert caught.value.code == "invalid_api_key"
    with openai.OpenAI(base_url=server.base_url, api_key="right-key", max_retries=0) as client:
        client.chat.completions.create(model="m", messages=messages)
    assert "-key" not in server.journal_text()
    assert [entry.status for entry in server.journal] == [401, 200]

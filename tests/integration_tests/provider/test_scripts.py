"""Scripts decide what is answered; what they leave open, the server answers itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from langchain_prodkit.testing.pytest_plugin import ProviderServerMaker
    from tests.integration_tests.provider.conftest import Post


def _content(response: httpx.Response) -> Any:
    return response.json()["choices"][0]["message"]["content"]


def test_a_list_is_used_in_turn_and_over_again(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """Three calls to a list of two: first, second, first; functions may stand in it."""
    server = make_provider_server(script=["one", lambda body: f"two of {body['model']}"])
    assert [_content(post(server)) for _ in range(3)] == ["one", "two of gpt-4o-mini", "one"]


def test_a_mapping_matches_the_last_user_message(
    make_provider_server: ProviderServerMaker, post: Post
) -> None:
    """The first expression found decides; without a match the server answers itself."""
    server = make_provider_server(script={"(?i)refund": "Within 14 days.", "order (\\d+)": "On its way."})
    texts = ["A REFUND for order 3", "Where is order 3?", "Hello"]
    assert [_content(post(server, text)) for text in texts] == [
        "Within 14 days.",
        "On its way.",
        "You said: Hello",
    ]


def test_a_function_may_be_async_and_may_pass(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """None means: answer as without a script."""

    async def script(body: dict[str, Any]) -> str | None:
        await asyncio.sleep(0)
        return "seen" if body["messages"][-1]["content"] == "secret" else None

    server = make_provider_server(script=script)
    assert [_content(post(server, text)) for text in ("secret", "Hi")] == ["seen", "You said: Hi"]


def test_a_message_can_be_scripted_whole(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """Tool calls in short form, finish reasons, and any other dict as JSON."""
    server = make_provider_server(
        script=[
            {"tool_calls": [{"name": "add", "arguments": {"a": 1}}]},
            {"content": "no", "finish_reason": "content_filter"},
            {"city": "Seoul"},
        ]
    )
    call = post(server).json()["choices"][0]
    assert call["finish_reason"] == "tool_calls"
    assert call["message"]["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": 1}'}
    assert post(server).json()["choices"][0]["finish_reason"] == "content_filter"
    assert _content(post(server)) == '{"city": "Seoul"}'


@pytest.mark.parametrize("script", [lambda _: 1 / 0, lambda _: 7])
def test_a_broken_script_is_a_500_that_is_not_retried(
    make_provider_server: ProviderServerMaker, post: Post, script: Any
) -> None:
    """The error names the exception's class and tells clients not to try again."""
    response = post(make_provider_server(script=script))
    assert response.status_code == 500
    assert response.headers["x-should-retry"] == "false"
    assert response.json()["error"]["code"] == "script_error"


def test_each_choice_asks_the_script(make_provider_server: ProviderServerMaker, post: Post) -> None:
    """With `n` choices a list gives each its own answer."""
    server = make_provider_server(script=["a", "b"])
    answer = post(server, n=2).json()
    assert [choice["message"]["content"] for choice in answer["choices"]] == ["a", "b"]

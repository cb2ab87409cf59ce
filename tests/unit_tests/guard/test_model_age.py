"""A model that its maker has replaced is named; a current or unknown one is not."""

from __future__ import annotations

import re
import warnings

import pytest
from langchain_openai import ChatOpenAI

from langchain_prodkit import RateLimitedAsyncChat
from langchain_prodkit.guard import ModelAgeWarning, warn_if_superseded
from langchain_prodkit.guard.model_age import SOURCES, TABLE_DATE, superseded

OLD = {
    "gpt-3.5-turbo": "openai", "gpt-35-turbo": "openai", "ft:gpt-3.5-turbo-0125:org::x": "openai",
    "openai/gpt-4": "openai", "gpt-4-turbo-2024-04-09": "openai", "gpt-4-1106-preview": "openai",
    "o1-mini": "openai", "claude-2.1": "anthropic", "claude-3-opus-latest": "anthropic",
    "anthropic.claude-3-sonnet-20240229-v1:0": "anthropic", "anthropic.claude-v2:1": "anthropic",
    "us.anthropic.claude-3-5-sonnet-20241022-v2:0": "anthropic", "claude-3-opus@20240229": "anthropic",
    "models/gemini-1.5-pro-latest": "google", "gemini-pro": "google", "chat-bison@001": "google",
    "open-mistral-7b": "mistral", "mistralai/Mixtral-8x7B-Instruct-v0.1": "mistral", "llama2:13b": "meta",
    "meta-llama/Llama-2-7b-chat-hf": "meta", "meta.llama3-70b-instruct-v1:0": "meta",
    "accounts/fireworks/models/llama-v3p1-70b-instruct": "meta", "command-r-03-2024": "cohere",
}  # fmt: skip
CURRENT = [
    "gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-5", "o3", "o4-mini", "claude-opus-4-1-20250805",
    "claude-sonnet-4-5",
    "claude-sonnet-4-20250514", "gemini-2.5-pro", "gemini-2.0-flash", "mistral-large-latest",
    "llama-3.3-70b-versatile",
    "meta.llama3-3-70b-instruct-v1:0", "llama3.1:8b", "command-a-03-2025", "qwen2.5", "my-model", "",
]  # fmt: skip


@pytest.mark.parametrize("name", OLD)
def test_a_superseded_version_is_named_with_its_successor(name: str) -> None:
    """Under the names that providers and clouds give it."""
    found = superseded(name)
    assert found is not None
    assert found.maker == OLD[name]
    with pytest.warns(ModelAgeWarning, match=re.escape(found.successor)) as caught:
        warn_if_superseded(name)
    assert TABLE_DATE in str(caught[0].message)
    assert SOURCES[found.maker] in str(caught[0].message)
    assert caught[0].filename == __file__


def test_current_and_unknown_models_are_left_alone() -> None:
    """No warning is better than a wrong one."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [name for name in CURRENT if warn_if_superseded(name)] == []
        assert warn_if_superseded(object()) is None


def test_chat_models_are_looked_into() -> None:
    """Wrapped and bound ones too."""
    model = ChatOpenAI(model="gpt-4-0613", api_key="none")
    for one in (model, model.bind(stop=["x"]), RateLimitedAsyncChat(model)):
        found = superseded(one)
        assert found is not None
        assert found.model == "gpt-4-0613"


def test_no_successor_is_superseded() -> None:
    """The table does not send anybody in circles."""
    from langchain_prodkit.guard.model_age import _TABLE  # noqa: PLC0415 - the table itself is the subject

    for _, _, successors in _TABLE:
        for name in successors.split(" or "):
            assert superseded(name) is None, name

"""langchain-tests' own suites: over a limited model they end as over the plain one.

The plain models run through the same integration suite in `provider/test_standard_suite.py`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.load import load
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from langchain_tests.unit_tests import ChatModelUnitTests
from langchain_tests.unit_tests import chat_models as unit_suite
from typing_extensions import override

from langchain_prodkit.limits import RateLimitedAsyncChat, RetryPolicy
from langchain_prodkit.testing import ProviderServer


class LimitedOpenAI(RateLimitedAsyncChat):
    """Built from the arguments of the inner class, as the suites build their models."""

    inner: ClassVar[type[BaseChatModel]] = ChatOpenAI

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(self.inner(**kwargs), requests_per_minute=60_000)

    @classmethod
    @override
    def lc_id(cls) -> list[str]:
        return RateLimitedAsyncChat.lc_id()

    @classmethod
    @override
    def get_lc_namespace(cls) -> list[str]:
        return RateLimitedAsyncChat.get_lc_namespace()


class LimitedAzure(LimitedOpenAI):
    """The same over Azure's client."""

    inner = AzureChatOpenAI


class TestUnit(ChatModelUnitTests):
    """The suite that needs no provider."""

    @property
    @override
    def chat_model_class(self) -> type[BaseChatModel]:
        return LimitedOpenAI

    @property
    @override
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "gpt-4o-mini", "api_key": "test"}

    @property
    @override
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return {"OPENAI_API_KEY": "test"}, {"model": "gpt-4o-mini"}, {}

    @pytest.fixture(autouse=True)
    def _classes_may_load(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # `allowed_objects="all"` stands for langchain-core's fixed list, which only packages of the
        # LangChain organisation are on; everybody else's classes are named by whoever loads them.
        classes = [RateLimitedAsyncChat, RetryPolicy, ChatOpenAI]
        monkeypatch.setattr(unit_suite, "load", partial(_load, classes))


def _load(classes: list[Any], written: Any, **kwargs: Any) -> Any:
    return load(written, **{**kwargs, "allowed_objects": classes})


class LimitedSuite(ChatModelIntegrationTests):
    """The suite that talks to a provider, one for a class of tests."""

    server: ClassVar[ProviderServer]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _provider(cls) -> Any:
        with ProviderServer() as server:
            cls.server = server
            yield

    @property
    @override
    def chat_model_class(self) -> type[BaseChatModel]:
        return LimitedOpenAI

    @property
    @override
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "model": "gpt-4o-mini",
            "base_url": self.server.base_url,
            "api_key": "any",
            "stream_usage": True,
        }

    @property
    @override
    def supports_json_mode(self) -> bool:
        return True

    @property
    @override
    def supports_image_inputs(self) -> bool:
        return True

    @property
    @override
    def model_override_value(self) -> str:
        return "gpt-4o"

    @pytest.mark.xfail(reason="downloads a picture, and tests reach the loopback only", run=False)
    @override
    def test_image_inputs(self, model: BaseChatModel) -> None:
        super().test_image_inputs(model)


class TestChatCompletions(LimitedSuite):
    """A limited ChatOpenAI over `/v1/chat/completions`."""


class TestResponses(LimitedSuite):
    """A limited ChatOpenAI over `/v1/responses`."""

    @property
    @override
    def chat_model_params(self) -> dict[str, Any]:
        return {**super().chat_model_params, "use_responses_api": True}


class TestAzure(LimitedSuite):
    """A limited AzureChatOpenAI over the paths of a deployment."""

    @property
    @override
    def chat_model_class(self) -> type[BaseChatModel]:
        return LimitedAzure

    @property
    @override
    def chat_model_params(self) -> dict[str, Any]:
        return {
            "azure_endpoint": self.server.url,
            "azure_deployment": "gpt-4o-mini",
            "api_version": "2024-10-21",
            "api_key": "any",
            "stream_usage": True,
        }


# Only its subclasses are suites of their own.
del LimitedSuite

"""The model inside: the same one, with the retries of its SDK off and the headers of its answers on."""

from __future__ import annotations

import sys
from functools import cached_property
from typing import Any, Final, TypeVar

from langchain_core.language_models import BaseChatModel

from langchain_prodkit._chat import DelegatingChatModel, innermost

__all__ = ["apart", "keeps_headers", "listening", "without_retries"]

M = TypeVar("M", bound=BaseChatModel)

_HEADERS: Final = "include_response_headers"


def without_retries(model: M) -> M:
    """Copy `model` with `max_retries=0`, clients included; one that has no such field stays itself.

    A retry inside the SDK would be a second request on the first one's permit. The clients are
    re-made with the SDK's own `with_options`, so they keep their connections, keys and transports.
    """
    if isinstance(model, DelegatingChatModel):
        inner = without_retries(model.model)
        return model if inner is model.model else model.model_copy(update={"model": inner})
    if "max_retries" not in type(model).model_fields or getattr(model, "max_retries", None) == 0:
        return model
    still = model.model_copy(update={"max_retries": 0})
    for name, value in list(vars(still).items()):
        if isinstance(getattr(type(still), name, None), cached_property):
            # Made on first use, from the old number of retries; made again when asked for.
            del vars(still)[name]
        elif (replaced := _still_client(value)) is not None:
            vars(still)[name] = replaced
    return still


def listening(model: M) -> M:
    """Copy `model` so that its answers carry their headers; one that does so, or cannot, stays itself."""
    if isinstance(model, DelegatingChatModel):
        inner = listening(model.model)
        return model if inner is model.model else model.model_copy(update={"model": inner})
    if _HEADERS not in type(model).model_fields or getattr(model, _HEADERS):
        return model
    return model.model_copy(update={_HEADERS: True})


def apart(model: M) -> M:
    """Copy `model` with asynchronous connections of its own, for one more event loop; or give it as it is.

    langchain-openai keeps one pool of connections for all event loops, but a connection belongs to the
    loop that opened it: used from a second one, it breaks under a call that has been sent. A client that
    the user brought, or one behind a proxy of the user's, is left alone.
    """
    if isinstance(model, DelegatingChatModel):
        inner = apart(model.model)
        return model if inner is model.model else model.model_copy(update={"model": inner})
    root: Any = getattr(model, "root_async_client", None)
    resource: Any = getattr(model, "async_client", None)
    sdk: Any = sys.modules.get("openai")
    brought = (getattr(model, name, None) for name in ("http_async_client", "openai_proxy"))
    if sdk is None or root is None or resource is None or any(brought):
        return model
    client = sdk.DefaultAsyncHttpxClient(base_url=root.base_url, timeout=root.timeout)
    own = root.with_options(http_client=client)
    return model.model_copy(update={"root_async_client": own, "async_client": type(resource)(own)})


def keeps_headers(model: BaseChatModel) -> bool:
    """Tell whether headers on the answers of `model` are there because its owner wants them."""
    return bool(getattr(innermost(model), _HEADERS, True))


def _still_client(value: Any) -> Any:
    """Give an SDK client, or one of its resources, without retries; None for anything else."""
    if callable(getattr(value, "with_options", None)) and hasattr(value, "max_retries"):
        return value.with_options(max_retries=0)
    parent: Any = getattr(value, "_client", None)
    if parent is not None and callable(getattr(parent, "with_options", None)):
        return type(value)(parent.with_options(max_retries=0))
    return None

"""The embedding model inside: without retries of its own, one batch one request, and overheard."""

from __future__ import annotations

import asyncio
import inspect
import ssl
import sys
import threading
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, final
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from langchain_prodkit.errors import ConfigurationError, LimitError
from langchain_prodkit.limits.inner import without_retries

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.embeddings import Embeddings

__all__ = ["Embedder", "Heard"]

# What openai's SDK makes for itself when it is given no client for HTTP.
_SDK_MADE: Final = "AsyncHttpxClientWrapper"


@final
class Heard:
    """What the provider said beside the vectors; None for what it did not say, or nobody could hear."""

    __slots__ = ("headers", "tokens")

    def __init__(self) -> None:
        """Start with nothing heard."""
        self.tokens: int | None = None
        self.headers: Mapping[str, str] | None = None

    def note(self, raw: Any, response: Any) -> dict[str, Any]:
        """Keep usage and headers of an SDK's raw response, and give the vectors in order of the texts."""
        self.headers = raw.headers
        used = getattr(getattr(response, "usage", None), "total_tokens", None)
        if isinstance(used, int):
            self.tokens = (self.tokens or 0) + used
        rows = getattr(response, "data", None)
        if not isinstance(rows, list):
            msg = "the provider answered without embeddings; check base_url and the model's name"
            raise LimitError(msg)
        # A dict: langchain-openai would copy every number of a response object once more.
        return {"data": [{"embedding": row.embedding} for row in sorted(rows, key=attrgetter("index"))]}


class Embedder:
    """An embedding model, ready to be called once for each permit.

    Of OpenAI's models (and Azure's) the SDK's retries are off, usage and headers are heard, and a text
    that surely fits in the model's context is sent as it is: only longer ones are cut by its tokenizer.
    Of others, `max_retries` is set to 0 where they have it.
    """

    def __init__(self, embeddings: Embeddings, *, max_texts: int) -> None:
        """Prepare a copy of `embeddings` for requests of up to `max_texts`."""
        fields: dict[str, Any] = getattr(embeddings, "__dict__", {})
        is_model = isinstance(embeddings, BaseModel)
        inner: Any = embeddings
        if is_model:
            inner = without_retries(inner)
        self.has_client = is_model and any(
            _is_resource(fields.get(name)) for name in ("client", "async_client")
        )
        """Whether it is one of OpenAI's."""
        self.max_texts: int | None = None
        """Texts that the user wants in a request; None for no wish."""
        self.max_bytes: int | None = None
        """UTF-8 length up to which a text needs no cutting; None where it never is cut."""
        self.has_answered = False
        """Whether it ever embedded anything: then what its provider says of limits is known."""
        self._is_checked = False
        self._lock = threading.Lock()
        self._resources: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()
        if self.has_client:
            if "chunk_size" in inner.model_fields_set:
                self.max_texts = inner.chunk_size
            if getattr(inner, "check_embedding_ctx_length", False):
                # No token is shorter than a byte.
                self.max_bytes = inner.embedding_ctx_length
                if inner.model.endswith("001"):
                    # langchain-openai changes the texts of these on the way to its tokenizer.
                    self.max_bytes = 0
            inner = inner.model_copy(update={"chunk_size": max_texts})
        self._inner = inner

    def listen(self, heard: Heard, *, is_long: bool) -> Any:
        """Give the model for one call; `is_long` when a text may have to be cut."""
        if not self.has_client:
            return self._inner
        update: dict[str, Any] = {}
        if _is_resource(self._inner.client):
            update["client"] = _Overheard(self._inner.client, heard)
        if _is_resource(self._inner.async_client):
            update["async_client"] = _AsyncOverheard(self._resource, heard)
        if self.max_bytes is not None:
            update["check_embedding_ctx_length"] = is_long
        return self._inner.model_copy(update=update)

    def _resource(self) -> Any:
        """Give the asynchronous resource, with connections of the running loop.

        Those of a loop that is closed, or of another thread's, would fail one after another.
        """
        resource = self._inner.async_client
        make = getattr(sys.modules.get("openai"), "DefaultAsyncHttpxClient", None)
        parent: Any = getattr(resource, "_client", None)
        if make is None or type(getattr(parent, "_client", None)).__name__ != _SDK_MADE:
            # A client that the user made is the user's choice, for all loops.
            return resource
        loop = asyncio.get_running_loop()
        with self._lock:
            known = self._resources.get(loop)
            if known is None:
                http = make(**_certificates(parent._client))  # noqa: SLF001
                known = type(resource)(parent.copy(http_client=http))
                self._resources[loop] = known
            return known

    def check_tokenizer(self) -> None:
        """Make sure that texts can be cut.

        Raises:
            ConfigurationError: The tokenizer's files are not there and cannot be had.
        """
        if self._is_checked or not self.has_client:
            return
        try:
            self._inner._tokenize(["x"], 1)  # noqa: SLF001 - the one place that loads the files
        except Exception as error:  # noqa: BLE001 - theirs are of many kinds, from many libraries
            msg = (
                "a text is longer than the embedding model's context, and the tokenizer that would cut it "
                f"has no files here ({type(error).__name__}): let TIKTOKEN_CACHE_DIR name a folder with "
                "them, split long texts before, or switch cutting off with check_embedding_ctx_length=False"
            )
            raise ConfigurationError(msg) from None
        self._is_checked = True

    async def acheck_tokenizer(self) -> None:
        """Do the same without holding up the event loop."""
        if not self._is_checked:
            await asyncio.to_thread(self.check_tokenizer)


def _is_resource(value: Any) -> bool:
    return callable(getattr(value, "create", None)) and hasattr(value, "with_raw_response")


def _certificates(client: Any) -> dict[str, Any]:
    """Give what another client needs to share this one's certificates; reading them anew takes a while."""
    pool = getattr(getattr(client, "_transport", None), "_pool", None)
    trusted = getattr(pool, "_ssl_context", None)
    return {"verify": trusted} if isinstance(trusted, ssl.SSLContext) else {}


@final
class _Overheard:
    """An SDK's resource for embeddings that tells `Heard` what comes back."""

    __slots__ = ("_heard", "_resource")

    def __init__(self, resource: Any, heard: Heard) -> None:
        self._resource = resource
        self._heard = heard

    def create(self, **kwargs: Any) -> dict[str, Any]:
        raw = self._resource.with_raw_response.create(**kwargs)
        return self._heard.note(raw, raw.parse())


@final
class _AsyncOverheard:
    """The same for an SDK's asynchronous resource, which is looked for in the loop that calls."""

    __slots__ = ("_find", "_heard")

    def __init__(self, find: Callable[[], Any], heard: Heard) -> None:
        self._find = find
        self._heard = heard

    async def create(self, **kwargs: Any) -> dict[str, Any]:
        raw = await self._find().with_raw_response.create(**kwargs)
        response = raw.parse()
        return self._heard.note(raw, await response if inspect.isawaitable(response) else response)

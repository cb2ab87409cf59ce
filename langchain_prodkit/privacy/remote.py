"""A detector that asks a Presidio analyzer service, such as Presidio's own container image.

The service's interface is that of data-privacy-stack/presidio, presidio-analyzer/app.py: `POST /analyze`
with a list of texts, answered with a list of results for each. The service decides which models and
recognizers look; nothing of Presidio is needed here.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, PrivateAttr, SecretStr
from typing_extensions import override

from langchain_prodkit._extras import require
from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import (
    ConfigurationError,
    DetectorTimeoutError,
    DetectorUnavailableError,
    ProdkitError,
    SerializationError,
)
from langchain_prodkit.privacy.cache import SpanCache
from langchain_prodkit.privacy.deny import deny_lists
from langchain_prodkit.privacy.rules import Rules, checked_thresholds
from langchain_prodkit.privacy.span import Span, readable
from langchain_prodkit.privacy.windows import Cut, Window

__all__ = ["RemoteDetector"]

WHOLE: Final = Cut(50_000, 2_000)
REQUEST_CHARS: Final = 200_000
REQUEST_TEXTS: Final = 64
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
_OK: Final = 200


class RemoteDetector(Rebuilt):
    """Finds personal data by asking a Presidio analyzer service; made by `PresidioDetector.remote(url)`.

    Texts go to the service as they are, many in one request, long ones in overlapping windows. Spans are
    cached as `PresidioDetector` caches them. Redirects are not followed and proxies of the environment
    are not used: texts go to `url` and nowhere else.

    Raises (on each call, nothing is sent to the model then):
        DetectorTimeoutError: The service took longer than `timeout_s`.
        DetectorUnavailableError: It cannot be reached, refuses, or answers with something else.
    """

    url: str
    """The service, without `/analyze`."""
    entities: tuple[str, ...] | None = None
    """What to look for; None for all that the service finds."""
    language: str = "en"
    """The language of the texts; the service needs a model for it."""
    timeout_s: float = 10.0
    """Seconds that one call may take, all its requests together."""
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Entity -> the lowest score that counts."""
    allow_list: tuple[str, ...] = Field(default=(), repr=False)
    """Values, exactly as written, that are not personal."""
    deny_list: dict[str, list[str]] = Field(default_factory=dict, repr=False)
    """Entity -> words that are always personal; they are found here, not there."""
    headers: dict[str, SecretStr] = Field(default_factory=dict, repr=False)
    """Sent with every request, e.g. `Authorization`; `dumps` refuses to write them."""
    cache_size: int = 4096
    """Texts whose spans are remembered; 0 for none."""

    _cache: SpanCache = PrivateAttr()
    _rules: Rules = PrivateAttr()
    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _client: Any = PrivateAttr(default=None)
    _clients: Any = PrivateAttr(default_factory=weakref.WeakKeyDictionary)

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def __init__(
        self,
        url: str,
        *,
        entities: Sequence[str] | None = None,
        language: str = "en",
        timeout_s: float = 10.0,
        thresholds: Mapping[str, float] | None = None,
        allow_list: Sequence[str] = (),
        deny_list: Mapping[str, Sequence[str]] | Sequence[str] | None = None,
        headers: Mapping[str, str | SecretStr] | None = None,
        cache_size: int = 4096,
    ) -> None:
        """Set up without connecting; every argument is described at its field.

        Raises:
            ConfigurationError: An argument makes no sense.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise ConfigurationError("url must be http(s)://host[:port][/path] of a Presidio analyzer")
        if (
            isinstance(entities, str)
            or (entities is not None and not entities)
            or isinstance(allow_list, str)
        ):
            raise ConfigurationError("entities and allow_list are lists; leave entities out for all")
        if timeout_s <= 0 or cache_size < 0:
            raise ConfigurationError("timeout_s must be above 0, and cache_size not negative")
        lists = deny_lists(deny_list)
        super().__init__(
            url=url.rstrip("/"),
            entities=None if entities is None else tuple(dict.fromkeys((*entities, *lists))),
            language=language,
            timeout_s=timeout_s,
            thresholds=checked_thresholds(thresholds),
            allow_list=tuple(allow_list),
            deny_list=lists,
            headers={
                name: value if isinstance(value, SecretStr) else SecretStr(value)
                for name, value in (headers or {}).items()
            },
            cache_size=cache_size,
        )
        self._cache = SpanCache(cache_size)
        self._rules = Rules(thresholds=self.thresholds, allow_list=allow_list, deny_list=lists)

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, sorted and without overlaps."""
        found, missing = self._cache.split(texts)
        if not missing:
            return found
        errand = _Errand(list(missing))
        until = time.monotonic() + self.timeout_s
        client = self._sync_client()
        for body in errand.bodies(self.entities, self.language):
            with _typed(self.timeout_s):
                left = _left(until, self.timeout_s)
                with client.stream("POST", f"{self.url}/analyze", content=body, timeout=left) as answer:
                    read = bytearray()
                    for part in answer.iter_bytes():
                        _left(until, self.timeout_s)
                        _extend(read, part)
                errand.take(answer.status_code, bytes(read))
        return self._cache.fill(found, missing, errand.spans(self._rules))

    async def adetect(self, texts: Sequence[str]) -> list[list[Span]]:
        """Do what `detect` does, while the event loop goes on."""
        found, missing = self._cache.split(texts)
        if not missing:
            return found
        errand = _Errand(list(missing))
        client = self._async_client()
        with _typed(self.timeout_s):
            async with asyncio.timeout(self.timeout_s):
                for body in errand.bodies(self.entities, self.language):
                    async with client.stream("POST", f"{self.url}/analyze", content=body) as answer:
                        read = bytearray()
                        async for part in answer.aiter_bytes():
                            _extend(read, part)
                    errand.take(answer.status_code, bytes(read))
        return self._cache.fill(found, missing, errand.spans(self._rules))

    def close(self) -> None:
        """Close the connections of `detect`; a later call opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close the connections of `adetect` on this event loop, and those of `detect`."""
        self.close()
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settings(self) -> dict[str, Any]:
        plain = {name: value.get_secret_value() for name, value in self.headers.items()}
        return {
            "headers": {"content-type": "application/json", **plain},
            "timeout": self.timeout_s,
            "trust_env": False,
            "follow_redirects": False,
        }

    def _sync_client(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = require("httpx", extra="privacy").Client(**self._settings())
            return self._client

    def _async_client(self) -> Any:
        # A connection belongs to the event loop that opened it.
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = require("httpx", extra="privacy").AsyncClient(**self._settings())
        return client

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return self  # frozen, and what it holds beyond its settings is a cache

    @override
    def __hash__(self) -> int:
        return id(self)

    @override
    def to_json(self) -> Any:
        if self.headers:
            raise SerializationError(
                "RemoteDetector holds headers; build it in code where you load the chain"
            )
        return super().to_json()


class _Errand:
    """What one call asks and is told: requests out, spans back."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = [readable(text) for text in texts]
        self._found: list[list[Span]] = [[] for _ in texts]
        self._asked: list[Window] = []

    def bodies(self, entities: Sequence[str] | None, language: str) -> Iterator[bytes]:
        """Give one request body at a time; `take` its answer before the next."""
        batch: list[Window] = []
        chars = 0
        for window in WHOLE.windows(self._texts):
            if batch and (chars + len(window.text) > REQUEST_CHARS or len(batch) >= REQUEST_TEXTS):
                yield self._body(batch, entities, language)
                batch, chars = [], 0
            batch.append(window)
            chars += len(window.text)
        if batch:
            yield self._body(batch, entities, language)

    def _body(self, batch: list[Window], entities: Sequence[str] | None, language: str) -> bytes:
        self._asked = batch
        body: dict[str, Any] = {"text": [window.text for window in batch], "language": language}
        if entities is not None:
            body["entities"] = list(entities)
        return json.dumps(body).encode()

    def take(self, status: int, answer: bytes) -> None:
        """Read an answer.

        Raises:
            DetectorUnavailableError: It is not what Presidio answers; what it says may repeat the texts, so
                it is not shown.
        """
        if status != _OK:
            raise DetectorUnavailableError(f"the Presidio service answered {status}; nothing was sent")
        try:
            lists = json.loads(answer)
            for window, results in zip(self._asked, lists, strict=True):
                spans = [_span(one, len(window.text)) for one in results]
                self._found[window.number] += window.whole(spans, WHOLE.overlap)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise DetectorUnavailableError(
                "the Presidio service did not answer with results inside each text; nothing was sent"
            ) from None

    def spans(self, rules: Rules) -> list[list[Span]]:
        """Give what was found in each text."""
        return [rules.final(text, spans) for text, spans in zip(self._texts, self._found, strict=True)]


@contextmanager
def _typed(timeout_s: float) -> Iterator[None]:
    """Turn what can go wrong on the way into our errors; messages of others may hold parts of a text."""
    httpx = require("httpx", extra="privacy")
    try:
        yield
    except ProdkitError:
        raise
    except (TimeoutError, httpx.TimeoutException):
        raise _late(timeout_s) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise DetectorUnavailableError(
            f"the Presidio service cannot be reached ({type(error).__qualname__}); nothing was sent"
        ) from None


def _span(one: Any, length: int) -> Span:
    start, end, entity, score = one["start"], one["end"], one["entity_type"], float(one["score"])
    if not (type(start) is type(end) is int and 0 <= start < end <= length and 0.0 <= score <= 1.0):
        raise ValueError
    if not (isinstance(entity, str) and entity):
        raise ValueError
    return Span(start, end, entity, score)


def _left(until: float, timeout_s: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise _late(timeout_s)
    return left


def _late(timeout_s: float) -> DetectorTimeoutError:
    return DetectorTimeoutError(
        f"the Presidio service did not answer within {timeout_s:g} s; nothing was sent"
    )


def _extend(read: bytearray, part: bytes) -> None:
    read += part
    if len(read) > MAX_ANSWER_BYTES:
        raise DetectorUnavailableError("the Presidio service answered with too much; nothing was sent")

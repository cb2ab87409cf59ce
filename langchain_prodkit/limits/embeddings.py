"""Any embedding model, within its limits: texts cut into batches, each of them one permitted request."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._serial import Written
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.limits.budget import Budget
from langchain_prodkit.limits.embedder import Embedder
from langchain_prodkit.limits.errand import Errand, Means, Vectors
from langchain_prodkit.limits.limiter import LocalLimiter
from langchain_prodkit.limits.protocol import RateLimiter
from langchain_prodkit.limits.retry import RetryPolicy
from langchain_prodkit.limits.usage import TokenEstimator, model_name

if TYPE_CHECKING:
    from langchain_prodkit.limits.protocol import LimiterStatistics

__all__ = ["RateLimitedEmbeddings"]


class RateLimitedEmbeddings(Written, Embeddings):
    """The same embedding model, never past its requests and tokens per minute, losing no text to a 429.

    Texts are cut into batches by their tokens and sent side by side, from synchronous code too; every
    attempt at a batch takes one permit, and failed ones are tried again as `retry` says. The vectors
    come in the order of the texts. A text that stands there twice is sent once; where the model is one
    of OpenAI's, an empty text is sent as a space, which OpenAI takes, and a text longer than its
    context is cut by its own tokenizer.

    When a batch fails for good, the others are called off and its error is raised as it came, with a
    note that says which inputs it was about; `budget` is asked once, for all texts of a call.

    ```python
    embeddings = RateLimitedEmbeddings(
        OpenAIEmbeddings(model="text-embedding-3-small"), tokens_per_minute=1_000_000
    )
    vectors = await embeddings.aembed_documents(texts)
    ```
    """

    embeddings: Embeddings
    """The model that embeds."""
    requests_per_minute: float | None = None
    """None for no limit."""
    tokens_per_minute: float | None = None
    """None for no limit."""
    max_concurrency: int | None = None
    """Requests under way at the same time; None for as many as the limits need, up to 64 (16 threads)."""
    limiter: Any = None
    """A `RateLimiter` shared with other models, instead of the four numbers; None for one of its own."""
    retry: RetryPolicy = Field(default_factory=RetryPolicy)
    """Which failures are tried again, how often and for how long, batch by batch."""
    headroom: float = 0.0
    """Share of both rates left unused: 0.0 none, 0.1 a tenth."""
    learn_limits: bool = True
    """Whether what the provider says of its limits, and what it refuses, is learned from."""
    budget: Budget | None = None
    """What may be spent in all; texts that do not fit are refused unsent. None for no limit."""
    max_batch_texts: int = 2048
    """Texts that the provider takes in a request: OpenAI's number, see
    https://platform.openai.com/docs/api-reference/embeddings/create. A model's own `chunk_size`, where
    set, is kept to as well."""
    max_batch_tokens: int = 300_000
    """Tokens that the provider takes in a request: OpenAI's number, from the same page."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _means: Means = PrivateAttr()

    def __init__(
        self,
        embeddings: Embeddings,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_concurrency: int | None = None,
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        headroom: float = 0.0,
        learn_limits: bool = True,
        budget: Budget | None = None,
        max_batch_texts: int = 2048,
        max_batch_tokens: int = 300_000,
    ) -> None:
        """Wrap `embeddings`.

        Raises:
            ConfigurationError: `embeddings` is no embedding model, a number is zero, negative or not
                finite, numbers stand beside `limiter`, which has its own, or `budget` has no price.
        """
        given: Any = embeddings
        if not isinstance(given, Embeddings):
            msg = (
                "RateLimitedEmbeddings wraps a langchain-core Embeddings, not a "
                f"{type(embeddings).__qualname__}; chat models go into RateLimitedAsyncChat"
            )
            raise ConfigurationError(msg)
        numbers = (requests_per_minute, tokens_per_minute, max_concurrency)
        if limiter is not None and (headroom or any(number is not None for number in numbers)):
            msg = (
                "give either limiter= or requests_per_minute=, tokens_per_minute=, max_concurrency= and "
                "headroom=: a limiter has numbers of its own"
            )
            raise ConfigurationError(msg)
        shared: Any = limiter
        if shared is not None and not isinstance(shared, RateLimiter):
            msg = f"limiter= takes a RateLimiter such as LocalLimiter, not a {type(shared).__qualname__}"
            raise ConfigurationError(msg)
        sizes: dict[str, Any] = {"max_batch_texts": max_batch_texts, "max_batch_tokens": max_batch_tokens}
        for name, value in sizes.items():
            if not (isinstance(value, int) and not isinstance(value, bool) and value > 0):
                msg = f"{name} must be a whole number above 0, not {value!r}"
                raise ConfigurationError(msg)
        own = limiter or LocalLimiter(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_concurrency=max_concurrency,
            headroom=headroom,
            learn_limits=learn_limits,
        )
        super().__init__(
            embeddings=embeddings,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_concurrency=max_concurrency,
            limiter=limiter,
            retry=retry if retry is not None else RetryPolicy(),
            headroom=headroom,
            learn_limits=learn_limits,
            budget=budget,
            max_batch_texts=max_batch_texts,
            max_batch_tokens=max_batch_tokens,
        )
        if budget is not None:
            budget.check(model_name(embeddings))
        self._means = Means(
            model=model_name(embeddings),
            limiter=own,
            retry=self.retry,
            estimator=TokenEstimator(),
            embedder=Embedder(embeddings, max_texts=max_batch_texts),
            budget=budget,
            max_concurrency=max_concurrency,
            max_batch_texts=max_batch_texts,
            max_batch_tokens=max_batch_tokens,
            learns=learn_limits,
        )

    @override
    def embed_documents(self, texts: list[str]) -> Vectors:
        """Embed `texts`, in batches that keep to the limits; vectors in the order of the texts.

        Raises:
            RequestTooLargeError: One text alone is over the limit; nothing was sent.
            BudgetExceededError: All texts together do not fit in the budget; nothing was sent.
            InputTypeError: `texts` is no list of texts.
        """
        return self._sure(Errand(self._means, texts)).run()

    @override
    async def aembed_documents(self, texts: list[str]) -> Vectors:
        """Do the same from asynchronous code; cancelled, it calls all batches off."""
        return await (await self._asure(Errand(self._means, texts))).arun()

    @override
    def embed_query(self, text: str) -> list[float]:
        """Embed one text, the way the model embeds questions.

        Raises:
            RequestTooLargeError: It is over the limit; nothing was sent.
            BudgetExceededError: It does not fit in the budget; nothing was sent.
            InputTypeError: `text` is no text.
        """
        return self._sure(Errand(self._means, [text], is_query=True)).run()[0]

    @override
    async def aembed_query(self, text: str) -> list[float]:
        """Do the same from asynchronous code."""
        return (await (await self._asure(Errand(self._means, [text], is_query=True))).arun())[0]

    def statistics(self) -> LimiterStatistics:
        """Say how things stand at the limiter now."""
        return self._means.limiter.statistics()

    def _sure(self, errand: Errand) -> Errand:
        if errand.is_long:
            self._means.embedder.check_tokenizer()
        return errand

    async def _asure(self, errand: Errand) -> Errand:
        if errand.is_long:
            await self._means.embedder.acheck_tokenizer()
        return errand

    @override
    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        return type(self)(**copy.deepcopy(self._arguments(), memo))

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self._arguments())

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in type(self).model_fields}


def _rebuild(cls: type[RateLimitedEmbeddings], arguments: dict[str, Any]) -> RateLimitedEmbeddings:
    return cls(**arguments)

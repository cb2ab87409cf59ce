"""Our limiters where langchain-core asks for one of its own."""

from __future__ import annotations

from typing import Final

from langchain_core.rate_limiters import BaseRateLimiter
from typing_extensions import override

from langchain_prodkit.errors import ConfigurationError, LimitTimeoutError
from langchain_prodkit.limits.bucket import Cost
from langchain_prodkit.limits.protocol import RateLimiter

__all__ = ["RequestRateLimiter"]

_ONE: Final = Cost()


class RequestRateLimiter(BaseRateLimiter):
    """Lets any chat model take its permits from a `LocalLimiter` or a `RedisLimiter`.

    ```python
    model = ChatOpenAI(rate_limiter=RequestRateLimiter(RedisLimiter(url, "openai:gpt-4o-mini")))
    ```

    Counts requests only: langchain-core does not say what is sent, nor when an answer has come. So the
    tokens of the limiter are not taken, its `max_concurrency` does not count these calls, and nothing is
    learned from their answers; `RateLimitedAsyncChat` does all three. Retries inside the provider's SDK
    take no permit: give the model `max_retries=0`.
    """

    def __init__(self, limiter: RateLimiter) -> None:
        """Take permits from `limiter`; it may be shared with other models, adapted or not.

        Raises:
            ConfigurationError: `limiter` is no `RateLimiter`.
        """
        if not isinstance(limiter, RateLimiter):
            kind = type(limiter).__qualname__
            raise ConfigurationError(f"RequestRateLimiter takes a LocalLimiter or RedisLimiter, not a {kind}")
        self.limiter = limiter

    @override
    def acquire(self, *, blocking: bool = True) -> bool:
        """Take a permit for one request.

        Blocking, wait for it and return True. Else tell whether there was one to be had at once; where
        there was none, nothing is taken and nobody stands in line.
        """
        try:
            self.limiter.reserve_sync(_ONE, timeout_s=None if blocking else 0.0).settle()
        except LimitTimeoutError:
            return False
        return True

    @override
    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Take a permit for one request; see `acquire`."""
        try:
            (await self.limiter.reserve(_ONE, timeout_s=None if blocking else 0.0)).settle()
        except LimitTimeoutError:
            return False
        return True

"""Limits: any chat model, never past its requests and tokens per minute.

```python
model = RateLimitedAsyncChat(
    ChatOpenAI(model="gpt-4o-mini"), requests_per_minute=500, tokens_per_minute=200_000
)
```

Names are resolved on first use: importing this package loads neither langchain-core's chat models
nor a provider's client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_prodkit._lazy import lazy_names

if TYPE_CHECKING:
    from langchain_prodkit.limits.bucket import Cost
    from langchain_prodkit.limits.budget import Budget, BudgetStatistics, Price
    from langchain_prodkit.limits.chat import RateLimitedAsyncChat
    from langchain_prodkit.limits.embeddings import RateLimitedEmbeddings
    from langchain_prodkit.limits.langchain_limiter import RequestRateLimiter
    from langchain_prodkit.limits.limiter import LocalLimiter
    from langchain_prodkit.limits.protocol import (
        BucketReading,
        Lease,
        LimiterStatistics,
        RateLimiter,
        Reading,
    )
    from langchain_prodkit.limits.redis import RedisLimiter
    from langchain_prodkit.limits.retry import RetryPolicy

__all__ = [
    "BucketReading",
    "Budget",
    "BudgetStatistics",
    "Cost",
    "Lease",
    "LimiterStatistics",
    "LocalLimiter",
    "Price",
    "RateLimitedAsyncChat",
    "RateLimitedEmbeddings",
    "RateLimiter",
    "Reading",
    "RedisLimiter",
    "RequestRateLimiter",
    "RetryPolicy",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    globals(),
    {
        "BucketReading": "protocol",
        "Budget": "budget",
        "BudgetStatistics": "budget",
        "Cost": "bucket",
        "Lease": "protocol",
        "LimiterStatistics": "protocol",
        "LocalLimiter": "limiter",
        "Price": "budget",
        "RateLimitedAsyncChat": "chat",
        "RateLimitedEmbeddings": "embeddings",
        "RateLimiter": "protocol",
        "Reading": "protocol",
        "RedisLimiter": "redis",
        "RequestRateLimiter": "langchain_limiter",
        "RetryPolicy": "retry",
    },
)

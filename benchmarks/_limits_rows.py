"""The rows of the table: who makes the calls of a scenario, and in which ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from benchmarks._limits_scenarios import Call, Scenario

__all__ = ["KEYS", "OURS", "Contender", "Task", "contenders"]

OURS: Final = "RateLimitedAsyncChat"
_TOO_MANY_IN_TURN: Final = 1_000


@dataclass(frozen=True)
class Task:
    """What one process has to do."""

    scenario: Scenario
    base_url: str
    calls: Sequence[Call]
    mean_rate: float | None
    """Requests per second that fit both limits on average; None for unlimited or unknown."""
    share: float = 1.0
    """The part of the limit that this process takes for its own."""
    redis_url: str | None = None


@dataclass(frozen=True)
class Contender:
    """One row of the table."""

    label: str
    key: str
    """What `--peers` calls it."""
    share: float = 1.0
    """The part of the limit that each process takes for its own."""
    needs_redis: bool = False


_ALL: Final = (
    Contender(OURS, "ours"),
    Contender("sequential sync", "sync"),
    Contender("asyncio.gather, AsyncOpenAI", "gather"),
    Contender("abatch + InMemoryRateLimiter", "inmemory"),
    Contender("abatch + InMemoryRateLimiter, tuned", "tuned"),
    Contender("aiolimiter by hand, AsyncOpenAI", "aiolimiter"),
)
KEYS: Final = tuple(contender.key for contender in _ALL)


def contenders(scenario: Scenario, keys: Sequence[str] = KEYS) -> list[Contender]:
    """Give those that make sense in `scenario`, out of `keys`."""
    mine = [contender for contender in _ALL if contender.key in keys]
    if scenario.processes > 1:
        # One process after the other is no way to use two.
        mine = [contender for contender in mine if contender.key not in {"sync", "inmemory"}]
        rows = []
        for contender in mine:
            if contender.key == "ours":
                rows += [replace(contender, label=f"{OURS} + RedisLimiter", needs_redis=True)]
            elif contender.key == "gather":
                rows += [contender]
            else:
                rows += [
                    replace(contender, label=f"{contender.label}, both told the whole limit"),
                    replace(contender, label=f"{contender.label}, half each", share=0.5),
                ]
        return rows
    if scenario.calls > _TOO_MANY_IN_TURN:
        mine = [contender for contender in mine if contender.key != "sync"]
    if not scenario.is_told:
        # A limiter that has not been told a limit is none.
        mine = [contender for contender in mine if contender.key in {"ours", "sync", "gather"}]
    return mine

"""One promise, three drivers: every behaviour holds for `invoke`, `ainvoke` and `batch`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from langchain_core.runnables import Runnable

BATCH = 3


@dataclass(frozen=True)
class Driver:
    """A way to run a chain."""

    name: Literal["sync", "async", "batch"]

    @property
    def times(self) -> int:
        """How often the chain runs."""
        return BATCH if self.name == "batch" else 1

    async def outcomes(self, chain: Runnable[Any, Any], value: Any, config: Any = None) -> list[Any]:
        """Run it; what it raised stands in the place of its result."""
        if self.name == "batch":
            return chain.batch([value] * BATCH, config, return_exceptions=True)
        try:
            return [
                await chain.ainvoke(value, config) if self.name == "async" else chain.invoke(value, config)
            ]
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return [error]

    async def value(self, chain: Runnable[Any, Any], value: Any, config: Any = None) -> Any:
        """Run it and give its result, the same every time."""
        first, *rest = await self.outcomes(chain, value, config)
        if isinstance(first, Exception):
            raise first
        for other in rest:
            assert type(other) is type(first)
            assert other == first
        return first

    async def error(self, chain: Runnable[Any, Any], value: Any, kind: type[Exception]) -> Any:
        """Run it and give what it raised, of the same kind every time."""
        outcomes = await self.outcomes(chain, value)
        for outcome in outcomes:
            assert isinstance(outcome, kind), outcome
        return outcomes[0]


DRIVERS = (Driver("sync"), Driver("async"), Driver("batch"))


def behaviour(number: int) -> pytest.MarkDecorator:
    """Run a test with every driver; the number is that of the list of what instructor's users expect."""
    return pytest.mark.parametrize("drive", DRIVERS, ids=[f"{number:02d}-{one.name}" for one in DRIVERS])

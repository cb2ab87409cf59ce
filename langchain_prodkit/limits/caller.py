"""What all limiters do for their caller: check the numbers it gave, and wake it when its turn comes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    import asyncio

__all__ = ["check_numbers", "wake"]


def check_numbers(headroom: float, **numbers: float | None) -> None:
    """Check the arguments of a limiter.

    Raises:
        ConfigurationError: One of `numbers` is zero, negative or not finite, or `headroom` is no share.
    """
    for name, value in numbers.items():
        if value is not None and not _is_positive(value):
            msg = f"{name} must be a finite number above 0 (None for no limit), not {value!r}"
            raise ConfigurationError(msg)
    if not 0.0 <= headroom < 1.0:
        msg = "headroom is the share of the limit left unused: from 0.0 to below 1.0"
        raise ConfigurationError(msg)


def wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Future[None]) -> None:
    """Wake, from any thread, who waits for `woken` in `loop`.

    Raises:
        RuntimeError: The loop is closed.
    """
    loop.call_soon_threadsafe(_resolve, woken)


def _resolve(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)


def _is_positive(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
    )

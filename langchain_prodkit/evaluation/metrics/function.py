"""A metric of your own: a function with a decorator."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, overload

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["AsyncFunctionMetric", "FunctionMetric", "metric"]

_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")


@dataclass(frozen=True, slots=True)
class FunctionMetric:
    """A function that scores a row, as a `Metric`; may still be called as the function it was."""

    function: Callable[[EvalRecord], Any] = field(repr=False)
    name: str
    needs: frozenset[str]
    higher_is_better: bool | None

    def score(self, row: EvalRecord) -> Score:
        """Call the function.

        Raises:
            TypeError: It gave neither a number, a bool, a `Score` nor None.
        """
        return _score(self.function(row))

    def __call__(self, row: EvalRecord) -> Any:
        """Call the function as it was written."""
        return self.function(row)


@dataclass(frozen=True, slots=True)
class AsyncFunctionMetric(FunctionMetric):
    """An async function that scores a row, as a `Metric`; rows are worked on at the same time."""

    async def ascore(self, row: EvalRecord) -> Score:
        """Await the function.

        Raises:
            TypeError: It gave neither a number, a bool, a `Score` nor None.
        """
        return _score(await self.function(row))

    def score(self, row: EvalRecord) -> Score:
        """Run the function in an event loop of its own.

        Raises:
            TypeError: It gave neither a number, a bool, a `Score` nor None.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(self.ascore(row))
        # The loop that runs here (a notebook's) cannot wait for itself.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self.ascore(row)).result()


@overload
def metric(function: Callable[[EvalRecord], Any], /) -> FunctionMetric: ...


@overload
def metric(
    *, name: str | None = None, needs: str | Iterable[str] = ..., higher_is_better: bool | None = ...
) -> Callable[[Callable[[EvalRecord], Any]], FunctionMetric]: ...


def metric(
    function: Callable[[EvalRecord], Any] | None = None,
    /,
    *,
    name: str | None = None,
    needs: str | Iterable[str] = ("output",),
    higher_is_better: bool | None = True,
) -> FunctionMetric | Callable[[Callable[[EvalRecord], Any]], FunctionMetric]:
    """Make a metric of a function from a row to a number.

    ```python
    @metric(needs=("output", "expected"))
    def says_the_price(row: EvalRecord) -> bool:
        return str(row.expected) in row.answer
    ```

    The function may be async, and gives a number, a bool, a `Score`, or None where it has nothing to say
    about the row (which is then skipped). What it raises, and anything else that it gives, is an error of
    that row.

    Args:
        function: Left out when the decorator has arguments.
        name: In reports and MLflow: letters, digits and `_ - . :`; default the function's name.
        needs: Fields of `EvalRecord` that a row must have to be scored; `()` for every row, failed
            ones too.
        higher_is_better: None where neither is.

    Raises:
        ConfigurationError: The name holds other characters, or a row has no such field.
    """

    def decorate(function: Callable[[EvalRecord], Any]) -> FunctionMetric:
        called = getattr(function, "__name__", "") if name is None else name
        if not _NAME.fullmatch(called):
            msg = "a metric's name holds letters, digits and _ - . : only; give one with name="
            raise ConfigurationError(msg)
        wanted = frozenset((needs,) if isinstance(needs, str) else needs)
        if unknown := sorted(field for field in wanted if not hasattr(EvalRecord, field)):
            msg = f"metric {called!r} needs what no row has: {', '.join(map(str, unknown))}"
            raise ConfigurationError(msg)
        cls = AsyncFunctionMetric if _is_async(function) else FunctionMetric
        return cls(function, called, wanted, higher_is_better)

    return decorate if function is None else decorate(function)


def _is_async(function: Any) -> bool:
    call = getattr(function, "__call__", None)  # noqa: B004 - an object may be async in its call alone
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _score(given: Any) -> Score:
    if isinstance(given, Score):
        return given
    if given is None:
        return Score(skipped="the metric gave none")
    # A text that reads like a number is a mistake; numpy's numbers and bools are welcome.
    if isinstance(given, str | bytes) or not hasattr(given, "__float__"):
        msg = f"a metric gives a number, a bool, a Score or None, not {type(given).__name__}"
        raise TypeError(msg)
    return Score(float(given))

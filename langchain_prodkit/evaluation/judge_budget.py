"""`JudgeBudget`: what judges may cost, whoever they judge for."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

__all__ = ["BudgetStatistics", "JudgeBudget", "estimated"]

_CHARS_PER_TOKEN: Final = 4
_PER_MILLION: Final = 1_000_000
_UNKNOWN_OUTPUT: Final = 100
"""Tokens taken for an answer whose length the model does not report."""


@dataclass(frozen=True, slots=True)
class BudgetStatistics:
    """A budget at one moment."""

    calls: int
    """Calls made, and under way; failed ones count."""
    tokens: int
    """Tokens of the answered calls, prompts included."""
    usd: float
    """What these cost; 0.0 without prices."""
    refused: int
    """Calls not made because the budget was spent."""


class JudgeBudget:
    """Lets judges be asked until so many calls, tokens or dollars are spent; rows past it are skipped.

    `max_calls` is never exceeded. Tokens and dollars are known when a call is over, so they are
    exceeded by no more than the calls under way. A model that reports no usage is charged an estimate
    of a token for four characters. Verdicts from a cache cost nothing.

    One budget may be shared by any number of judges, threads and event loops.
    """

    def __init__(
        self,
        max_calls: int | None = None,
        max_tokens: int | None = None,
        max_usd: float | None = None,
        prices: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """Start with nothing spent.

        Args:
            max_calls: Calls to a model, re-asks and confirmations included.
            max_tokens: Prompts and answers together.
            max_usd: US dollars; needs `prices`.
            prices: US dollars per million tokens by model name, `{"gpt-4o-mini*": {"input": 0.15,
                "output": 0.60}}`; `*` stands for anything, the longest name that fits counts.

        Raises:
            ConfigurationError: There is no maximum, a number makes no sense, or `max_usd` comes
                without `prices`.
        """
        for name, value in (("max_calls", max_calls), ("max_tokens", max_tokens), ("max_usd", max_usd)):
            if value is not None and not (_is_number(value) and value >= 0):
                msg = f"{name} is a finite number, zero or more (None for no limit)"
                raise ConfigurationError(msg)
        if max_calls is None and max_tokens is None and max_usd is None:
            msg = "a budget needs a maximum: max_calls=, max_tokens=, or max_usd= with prices="
            raise ConfigurationError(msg)
        if max_usd is not None and not prices:
            msg = (
                "max_usd= needs prices=: US dollars per million tokens by model name, such as "
                '{"gpt-4o-mini": {"input": 0.15, "output": 0.60}}'
            )
            raise ConfigurationError(msg)
        known: Mapping[str, Any] = prices or {}
        for price in known.values():
            if not isinstance(price, Mapping) or not all(
                _is_number(price.get(kind)) and price[kind] >= 0 for kind in ("input", "output")
            ):
                msg = 'a price is {"input": dollars, "output": dollars} per million tokens'
                raise ConfigurationError(msg)
        self.max_calls = max_calls
        self.max_tokens = max_tokens
        self.max_usd = max_usd
        self._prices = {name: dict(price) for name, price in known.items()}
        self._lock = threading.Lock()
        self._calls = 0
        self._tokens = 0
        self._usd = 0.0
        self._refused = 0

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.statistics()})"

    def check(self, model: str) -> None:
        """Refuse a judge whose calls could not be priced.

        Raises:
            ConfigurationError: Dollars are limited and no price fits `model`.
        """
        if self.max_usd is not None and self._price(model) is None:
            msg = "prices= has no price for the judge's model; name it, or give a price for '*'"
            raise ConfigurationError(msg)

    def take(self) -> bool:
        """Book a call that is about to be made; False when the budget is spent."""
        with self._lock:
            is_spent = (
                (self.max_calls is not None and self._calls >= self.max_calls)
                or (self.max_tokens is not None and self._tokens >= self.max_tokens)
                or (self.max_usd is not None and self._usd >= self.max_usd)
            )
            if is_spent:
                self._refused += 1
            else:
                self._calls += 1
            return not is_spent

    def charge(self, model: str, usage: Mapping[str, Any] | None, estimate: tuple[int, int]) -> None:
        """Charge an answered call with its `usage`, or with `estimate` where the model says nothing."""
        taken, given = _tokens(usage) or estimate
        price = self._price(model)
        with self._lock:
            self._tokens += taken + given
            if price is not None:
                self._usd += (taken * price["input"] + given * price["output"]) / _PER_MILLION

    def statistics(self) -> BudgetStatistics:
        """Say what is spent."""
        with self._lock:
            return BudgetStatistics(self._calls, self._tokens, self._usd, self._refused)

    def _price(self, model: str) -> Mapping[str, float] | None:
        if model in self._prices:
            return self._prices[model]
        fitting = [name for name in self._prices if fnmatchcase(model, name)]
        return self._prices[max(fitting, key=len)] if fitting else None


def estimated(messages: Sequence[BaseMessage], answer: str) -> tuple[int, int]:
    """Guess the tokens of a call whose model does not report them."""
    asked = sum(len(str(message.content)) for message in messages)
    return -(-asked // _CHARS_PER_TOKEN), -(-len(answer) // _CHARS_PER_TOKEN) or _UNKNOWN_OUTPUT


def _tokens(usage: Mapping[str, Any] | None) -> tuple[int, int] | None:
    if not usage:
        return None
    taken, given = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(taken, int) or not isinstance(given, int) or taken + given <= 0:
        return None
    return taken, given


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

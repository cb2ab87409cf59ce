"""Metrics of what an answer cost: time, tokens, calls, money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final, Literal

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["Cost", "Latency", "ModelCalls", "TimeToFirstToken", "Tokens"]

_PRICE_TOKENS: Final = 1_000_000
_KINDS: Final = frozenset({"input", "output", "cached_input", "cache_write", "reasoning"})


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the start of the run to its end."""

    name: str = "latency_ms"
    needs: frozenset[str] = frozenset({"latency_ms"})
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded time."""
        return Score(row.latency_ms)


@dataclass(frozen=True, slots=True)
class TimeToFirstToken:
    """Milliseconds from the start of the run to the first token; only streams have one."""

    name: str = "ttft_ms"
    needs: frozenset[str] = frozenset({"ttft_ms"})
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded time."""
        return Score(row.ttft_ms)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of all model calls of the run."""

    kind: Literal["input_tokens", "output_tokens", "total_tokens"] = "total_tokens"
    needs: frozenset[str] = frozenset({"usage"})
    higher_is_better: bool | None = False

    @property
    def name(self) -> str:
        """The kind of tokens."""
        return self.kind

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded number."""
        count = (row.usage or {}).get(self.kind)
        return Score(skipped=f"no {self.kind}") if count is None else Score(float(count))


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """Model calls of the run, re-asks included."""

    name: str = "model_calls"
    needs: frozenset[str] = frozenset({"model_calls"})
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded number."""
        return Score(None if row.model_calls is None else float(row.model_calls))


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars for all model calls of the run, by the prices that you give.

    Skipped where the row has no usage, where no price covers its model, and where it used models of
    different prices: usage is recorded as one sum.

    Raises:
        ConfigurationError: There are no prices, or one is no finite number of 0 or more.
    """

    prices: Mapping[str, Mapping[str, float]] = field(repr=False)
    """US dollars per million tokens by model name: `{"gpt-4o-mini": {"input": 0.15, "output": 0.60}}`,
    and optionally `cached_input`, `cache_write` (default the price of `input`) and `reasoning` (default
    that of `output`). A name may hold `*`; an exact name goes first, then the longest that fits."""
    name: str = "cost_usd"
    needs: frozenset[str] = frozenset({"usage"})
    higher_is_better: bool | None = False

    def __post_init__(self) -> None:
        if not self.prices:
            raise ConfigurationError('prices are needed: {"model": {"input": ..., "output": ...}}')
        given: Mapping[str, Any] = self.prices
        for model, price in given.items():
            is_sound = isinstance(price, Mapping) and "input" in price and set(price) <= _KINDS
            if not (is_sound and all(_is_price(value) for value in price.values())):
                raise ConfigurationError(
                    f"the price of {model!r} must name input, and may name {', '.join(sorted(_KINDS))}: "
                    "each a finite number of dollars per million tokens, 0 or more"
                )

    def score(self, row: EvalRecord) -> Score:
        """Multiply the recorded tokens by their prices."""
        usage = row.usage or {}
        if "input_tokens" not in usage:
            return Score(skipped="no input_tokens")
        found = [self._price(model) for model in row.models or ("",)]
        prices = [price for price in found if price is not None]
        if len(prices) < len(found):
            return Score(skipped="no price for the model")
        if any(price != prices[0] for price in prices):
            return Score(skipped="models of different prices")
        return Score(_cost(prices[0], usage))

    def _price(self, model: str) -> Mapping[str, float] | None:
        if model in self.prices:
            return self.prices[model]
        fitting = [name for name in self.prices if "*" in name and fnmatchcase(model, name)]
        return self.prices[max(fitting, key=len)] if fitting else None


def _cost(price: Mapping[str, float], usage: Mapping[str, Any]) -> float:
    read, made = int(usage["input_tokens"]), int(usage.get("output_tokens") or 0)
    inputs = usage.get("input_token_details") or {}
    cached = min(int(inputs.get("cache_read") or 0), read)
    written = min(int(inputs.get("cache_creation") or 0), read - cached)
    thought = min(int((usage.get("output_token_details") or {}).get("reasoning") or 0), made)
    whole, answer = price["input"], price.get("output", 0.0)
    dollars = (
        (read - cached - written) * whole
        + cached * price.get("cached_input", whole)
        + written * price.get("cache_write", whole)
        + (made - thought) * answer
        + thought * price.get("reasoning", answer)
    )
    return dollars / _PRICE_TOKENS


def _is_price(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0

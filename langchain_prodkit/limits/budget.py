"""What may be spent in all, on one model or on many: refused before the call, never after it."""

from __future__ import annotations

import math
import os
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal, Required, TypedDict, final

from pydantic import ConfigDict, PrivateAttr

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import BudgetExceededError, ConfigurationError

if TYPE_CHECKING:
    from langchain_prodkit.limits.usage import Usage

__all__ = ["Budget", "BudgetStatistics", "Hold", "Price"]


class Price(TypedDict, total=False):
    """US dollars per million tokens of one model; what is left out costs what its whole costs."""

    input: Required[float]
    """Prompt."""
    output: float
    """Answer; 0 when left out, as for an embedding model."""
    cached_input: float
    """The part of the prompt that the provider read from its cache."""
    cache_write: float
    """The part of the prompt that the provider wrote to its cache."""
    reasoning: float
    """The part of the answer that is reasoning."""


_NAMES: Final = frozenset(Price.__annotations__)
# Money is booked in whole trillionths of a dollar: what was held and given back a million times leaves
# nothing behind.
_UNITS: Final = 10**12
_PRICE_TOKENS: Final = 1_000_000
_REMEMBERED_NAMES: Final = 256


@dataclass(frozen=True, slots=True)
class BudgetStatistics:
    """A budget at one moment."""

    spent_usd: float | None
    """Spent so far; None without `prices`."""
    reserved_usd: float | None
    """Held for calls under way; None without `prices`."""
    left_usd: float | None
    """What a new call may take; below 0 by what estimates fell short; None without `max_usd`."""
    spent_tokens: int
    """Prompts and answers so far."""
    reserved_tokens: int
    """Held for calls under way."""
    left_tokens: int | None
    """What a new call may take; None without `max_tokens`."""
    calls: int
    """Calls charged."""
    refused: int
    """Calls refused because they did not fit."""


class Budget(Rebuilt):
    """Lets calls go until so many dollars or tokens are spent, then refuses them unsent.

    Each call reserves its estimate (its prompt, and `max_tokens` or an answer of the usual length)
    before it waits for anything, and is charged what it really took when it is over. So any number of
    calls at once spends no more than the budget and what the estimates of the last ones fell short.
    A failed call is given back whole; a stream that broke off or was cancelled is charged for what
    arrived; a cached answer costs nothing.

    ```python
    budget = Budget(max_usd=5.0, prices={"gpt-4o-mini*": {"input": 0.15, "output": 0.60}})
    model = RateLimitedAsyncChat(ChatOpenAI(model="gpt-4o-mini"), budget=budget)
    ```

    Share one instance between all models that spend the same money; it is safe in threads and event
    loops. It counts in this process only: a copy (`deepcopy`, pickle, `loads`) is built from the same
    arguments and has spent nothing.
    """

    max_usd: float | None = None
    """US dollars; None for no limit on money."""
    max_tokens: int | None = None
    """Prompts and answers together, cached and reasoning tokens included; None for no limit on tokens."""
    prices: dict[str, dict[str, float]] | None = None
    """`Price` by model name. `*` in a name stands for anything ("gpt-4o-mini*", "*"); an exact name goes
    before those with a star, and of these the longest goes first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    _book: _Book = PrivateAttr()
    _found: dict[str, dict[str, float] | None] = PrivateAttr(default_factory=dict)

    def __init__(
        self,
        *,
        max_usd: float | None = None,
        max_tokens: int | None = None,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        """Start with nothing spent.

        Raises:
            ConfigurationError: There is no maximum, a number makes no sense, or `max_usd` comes
                without `prices`.
        """
        if max_usd is None and max_tokens is None:
            msg = "a budget needs a maximum: max_usd= with prices=, or max_tokens="
            raise ConfigurationError(msg)
        for name, value in (("max_usd", max_usd), ("max_tokens", max_tokens)):
            if value is not None and not (_is_number(value) and value > 0):
                msg = f"{name} must be a finite number above 0 (None for no limit), not {value!r}"
                raise ConfigurationError(msg)
        if max_usd is not None and not prices:
            msg = (
                "max_usd= needs prices=: US dollars per million tokens by model name, such as "
                '{"gpt-4o-mini": {"input": 0.15, "output": 0.60}}'
            )
            raise ConfigurationError(msg)
        super().__init__(max_usd=max_usd, max_tokens=max_tokens, prices=_checked(prices))
        self._book = _Book(
            None if max_usd is None else round(max_usd * _UNITS),
            None if max_tokens is None else math.floor(max_tokens),
        )

    @property
    def spent(self) -> float:
        """What is spent so far, in dollars with `max_usd`, else in tokens."""
        now = self.statistics()
        return now.spent_tokens if self.max_usd is None else now.spent_usd or 0.0

    @property
    def left(self) -> float:
        """What a new call may take, in dollars with `max_usd`, else in tokens."""
        now = self.statistics()
        return (now.left_tokens if self.max_usd is None else now.left_usd) or 0.0

    def statistics(self) -> BudgetStatistics:
        """Say how things stand now."""
        return self._book.statistics(has_prices=self.prices is not None)

    def check(self, model: str) -> None:
        """Make sure that calls of `model` can be charged.

        Raises:
            ConfigurationError: `max_usd` is set and `prices` do not cover the model.
        """
        if self.max_usd is not None and self.price(model) is None:
            msg = (
                f"the budget has no price for {model!r}: add it to prices=, or '*' for all other models, "
                "or count tokens with max_tokens="
                if model
                else "the budget finds no model name to look a price up for: add '*' to prices=, or count "
                "tokens with max_tokens="
            )
            raise ConfigurationError(msg)

    def price(self, model: str) -> Mapping[str, float] | None:
        """Give the price of `model`; None where `prices` do not cover it."""
        if model not in self._found:
            if len(self._found) >= _REMEMBERED_NAMES:
                self._found.clear()
            self._found[model] = _find(self.prices or {}, model)
        return self._found[model]

    def cost_usd(self, model: str, usage: Usage) -> float | None:
        """Say what `usage` of `model` costs; None where its price is not known."""
        price = self.price(model)
        return None if price is None else _cost(price, usage)

    def reserve(self, model: str, estimate: Usage) -> Hold:
        """Hold what a call of `model` is estimated to take, until it is settled or released.

        Raises:
            BudgetExceededError: It does not fit in what is left.
            ConfigurationError: See `check`.
        """
        self.check(model)
        price = self.price(model)
        money = 0 if price is None else round(_cost(price, estimate) * _UNITS)
        self._book.take(money, estimate.total_tokens)
        return Hold(self._book, price, money, estimate.total_tokens)


@final
class Hold:
    """A call's share of a budget; the first of the two ends it, later ones do nothing."""

    __slots__ = ("_book", "_is_over", "_money", "_price", "_tokens")

    def __init__(self, book: _Book, price: Mapping[str, float] | None, money: int, tokens: int) -> None:
        """Hold what `Budget.reserve` has taken."""
        self._book = book
        self._price = price
        self._money = money
        self._tokens = tokens
        self._is_over = False

    def settle(self, usage: Usage) -> float | None:
        """Charge what the call took instead of the estimate; tells what that costs, if prices say.

        Never waits, never raises, and may be called from any thread and from the garbage collector.
        """
        cost = None if self._price is None else _cost(self._price, usage)
        self._end(round((cost or 0.0) * _UNITS), usage.total_tokens, calls=1)
        return cost

    def release(self) -> None:
        """Give everything back: nothing was used."""
        self._end(0, 0, calls=0)

    def _end(self, money: int, tokens: int, *, calls: int) -> None:
        if not self._is_over:
            self._is_over = True
            self._book.end(self._money, self._tokens, money, tokens, calls)


@final
class _Book:
    """The sums, behind a lock that nobody who gives something back has to wait for."""

    def __init__(self, max_money: int | None, max_tokens: int | None) -> None:
        self._max_money = max_money
        self._max_tokens = max_tokens
        self._money = self._tokens = self._calls = self._refused = 0
        self._held_money = self._held_tokens = 0
        self._endings: deque[tuple[int, int, int, int, int]] = deque()
        self._open()

    def _open(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()

    def take(self, money: int, tokens: int) -> None:
        """Hold an amount, or raise `BudgetExceededError`."""
        if os.getpid() != self._pid:
            # Forked: the lock may be held by a thread that stayed with the parent.
            self._open()
        with self._lock:
            self._drain()
            error = self._refusal(money, tokens)
            if error is None:
                self._held_money += money
                self._held_tokens += tokens
            else:
                self._refused += 1
        self._sweep()
        if error is not None:
            raise error

    def _refusal(self, money: int, tokens: int) -> BudgetExceededError | None:
        unit: Literal["usd", "tokens"]
        for unit, asked, gone, most in (
            ("usd", money, self._money + self._held_money, self._max_money),
            ("tokens", tokens, self._tokens + self._held_tokens, self._max_tokens),
        ):
            if most is not None and (gone + asked > most or gone >= most):
                scale = _UNITS if unit == "usd" else 1
                return BudgetExceededError(
                    unit=unit, estimated=asked / scale, spent=gone / scale, limit=most / scale
                )
        return None

    def end(self, held_money: int, held_tokens: int, money: int, tokens: int, calls: int) -> None:
        """Charge one amount in place of another, now or, if somebody is at the book, in a moment.

        An abandoned coroutine ends its hold from the garbage collector, which may run inside a thread
        that has the lock: waiting for it would be for ever.
        """
        self._endings.append((held_money, held_tokens, money, tokens, calls))
        self._sweep()

    def statistics(self, *, has_prices: bool) -> BudgetStatistics:
        if os.getpid() != self._pid:
            self._open()
        with self._lock:
            self._drain()
            left_money = None if self._max_money is None else self._max_money - self._money - self._held_money
            now = BudgetStatistics(
                spent_usd=self._money / _UNITS if has_prices else None,
                reserved_usd=self._held_money / _UNITS if has_prices else None,
                left_usd=None if left_money is None else left_money / _UNITS,
                spent_tokens=self._tokens,
                reserved_tokens=self._held_tokens,
                left_tokens=None
                if self._max_tokens is None
                else self._max_tokens - self._tokens - self._held_tokens,
                calls=self._calls,
                refused=self._refused,
            )
        self._sweep()
        return now

    def _sweep(self) -> None:
        while self._endings and self._lock.acquire(blocking=False):
            try:
                self._drain()
            finally:
                self._lock.release()

    def _drain(self) -> None:
        while self._endings:
            held_money, held_tokens, money, tokens, calls = self._endings.popleft()
            self._held_money -= held_money
            self._held_tokens -= held_tokens
            self._money += money
            self._tokens += tokens
            self._calls += calls


def _cost(price: Mapping[str, float], usage: Usage) -> float:
    whole, made = price["input"], price.get("output", 0.0)
    cached = min(usage.cached_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    thought = min(usage.reasoning_tokens, usage.output_tokens)
    return (
        (usage.input_tokens - cached - written) * whole
        + cached * price.get("cached_input", whole)
        + written * price.get("cache_write", whole)
        + (usage.output_tokens - thought) * made
        + thought * price.get("reasoning", made)
    ) / _PRICE_TOKENS


def _find(prices: Mapping[str, dict[str, float]], model: str) -> dict[str, float] | None:
    if model in prices:
        return prices[model]
    patterns = [name for name in prices if "*" in name and fnmatchcase(model, _literal(name))]
    return prices[max(patterns, key=len)] if patterns else None


def _literal(pattern: str) -> str:
    # Only the star is special: names of models hold brackets and question marks, if anything.
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _checked(prices: Mapping[str, Price] | None) -> dict[str, dict[str, float]] | None:
    """Copy a price table, or say what is wrong with it."""
    if prices is None:
        return None
    table: dict[str, dict[str, float]] = {}
    for model, price in prices.items():
        if not isinstance(price, Mapping):
            msg = f"the price of {model!r} must be a dict such as {{'input': 0.15, 'output': 0.60}}"
            raise ConfigurationError(msg)
        numbers: dict[str, Any] = dict(price)
        for name, value in numbers.items():
            if name not in _NAMES:
                msg = f"a price has {', '.join(sorted(_NAMES))} (USD per million tokens), not {name!r}"
                raise ConfigurationError(msg)
            if not (_is_number(value) and value >= 0):
                msg = f"the {name} price of {model!r} must be a finite number, 0 or more, not {value!r}"
                raise ConfigurationError(msg)
        if "input" not in numbers:
            msg = f"the price of {model!r} lacks 'input' (USD per million tokens of prompt)"
            raise ConfigurationError(msg)
        table[model] = {name: float(value) for name, value in numbers.items()}
    return table


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

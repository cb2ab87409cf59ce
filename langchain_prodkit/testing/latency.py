"""How long the provider takes before the first byte of an answer."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, ClassVar

from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


class Latency:
    """A distribution of seconds; calling it draws the next one.

    Two distributions made with the same arguments draw the same sequence.
    """

    _MAKERS: ClassVar[dict[str, int]] = {"constant": 1, "uniform": 2, "lognormal": 2}

    def __init__(self, draw: Callable[[random.Random], float], *, seed: int = 0) -> None:
        """Wrap `draw`, which is given the seeded source of randomness and returns seconds."""
        self._draw = draw
        self._seed = seed
        self._random = random.Random(seed)  # noqa: S311 - not for secrets

    def __call__(self) -> float:
        """Draw the next number of seconds, never below zero."""
        return max(0.0, self._draw(self._random))

    def fresh(self) -> Latency:
        """Give the same distribution at the start of its sequence."""
        return Latency(self._draw, seed=self._seed)

    @classmethod
    def constant(cls, seconds: float) -> Latency:
        """Take `seconds` every time."""
        _check(seconds)
        return cls(lambda _: seconds)

    @classmethod
    def uniform(cls, low_s: float, high_s: float, *, seed: int = 0) -> Latency:
        """Take anything between `low_s` and `high_s` with equal chance."""
        _check(low_s, high_s)
        return cls(lambda source: source.uniform(low_s, high_s), seed=seed)

    @classmethod
    def lognormal(cls, median_s: float, sigma: float = 0.5, *, seed: int = 0) -> Latency:
        """Take `median_s` in the middle with a long tail, as providers do.

        With the default `sigma` one answer in twenty takes more than 2.3 times the median.
        """
        _check(median_s, sigma)
        mu = math.log(median_s) if median_s else -math.inf
        return cls(lambda source: source.lognormvariate(mu, sigma) if median_s else 0.0, seed=seed)

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read a command-line form: `0.2`, `uniform:0.1,0.5` or `lognormal:0.3,0.5` (seconds).

        Raises:
            ConfigurationError: The text is none of these.
        """
        name, colon, rest = text.strip().partition(":")
        if not colon:
            name, rest = "constant", name
        try:
            numbers = [float(part) for part in rest.split(",")]
        except ValueError:
            numbers = []
        if not numbers or len(numbers) > cls._MAKERS.get(name, 0):
            message = "latency is seconds ('0.2'), 'uniform:LOW,HIGH' or 'lognormal:MEDIAN,SIGMA'"
            raise ConfigurationError(message)
        if name == "uniform":
            return cls.uniform(numbers[0], numbers[-1])
        if name == "lognormal":
            return cls.lognormal(*numbers)
        return cls.constant(numbers[0])


def _check(*numbers: float) -> None:
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        message = "latency takes finite numbers of seconds, zero or more"
        raise ConfigurationError(message)

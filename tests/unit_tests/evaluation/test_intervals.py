"""An interval says how far a mean can be trusted, the same on every machine."""

from __future__ import annotations

import math
import random

import pytest

from langchain_prodkit.evaluation.intervals import MOST_RESAMPLED, Resampling, interval, wilson


def of(values: list[float]) -> tuple[float, float] | None:
    """Give the interval of the mean."""
    return interval(values, Resampling())


@pytest.mark.parametrize("values", [[], [0.3]])
def test_below_two_rows_there_is_no_interval(values: list[float]) -> None:
    """One number has no spread."""
    assert of(values) is None


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    # Newcombe 1998, table I.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_shares_have_the_interval_of_wilson(hits: int, n: int, low: float, high: float) -> None:
    """The published values, to their four digits."""
    assert wilson(hits, n) == pytest.approx((low, high), abs=6e-5)
    assert of([1.0] * hits + [0.0] * (n - hits)) == wilson(hits, n)


def test_the_same_scores_give_the_same_interval() -> None:
    """Whatever else was resampled before."""
    values = [random.Random(1).random() for _ in range(40)]
    draws = Resampling()
    interval([0.1, 0.2, 0.4], draws)
    assert interval(values, draws) == of(values)


@pytest.mark.parametrize("n", [20, MOST_RESAMPLED + 1])
def test_the_interval_covers_the_true_mean_about_as_often_as_it_says(n: int) -> None:
    """Of 200 draws from a skewed law with mean 1; the bounds leave room for chance and for small n."""
    chance = random.Random(7)
    draws = Resampling()
    covered = 0
    for _ in range(200):
        low, high = interval([chance.expovariate(1.0) for _ in range(n)], draws) or (math.nan, math.nan)
        covered += low <= 1.0 <= high
    assert 170 <= covered <= 199


def test_resampling_and_its_expansion_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where one hands over to the other, nothing jumps."""
    chance = random.Random(3)
    values = [chance.lognormvariate(0, 1) for _ in range(MOST_RESAMPLED)]
    resampled = of(values)
    monkeypatch.setattr("langchain_prodkit.evaluation.intervals.MOST_RESAMPLED", 1)
    assert of(values) == pytest.approx(resampled, rel=0.02)


@pytest.mark.parametrize(
    "values", [[5.0] * 4, [1e308, 1.7e308] * 300, [-1e200, 1e200] * 300, [1e-320, 2e-320, 0.0]]
)
def test_extreme_scores_break_nothing(values: list[float]) -> None:
    """Constant, too large to add up, too large to square, too small to divide."""
    found = of(values)
    assert found is None or min(values) <= found[0] <= found[1] <= max(values)

"""When a judge counts as down, by a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_prodkit.evaluation.judge_line import Line


@dataclass
class Clock:
    """Shows what a test sets."""

    now: float = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@dataclass
class Queue:
    """What a rate limiter says of itself."""

    granted: int = 0
    in_flight: int = 0
    answered: int = 0
    refusals: int = 0


class Limited:
    """A model behind a rate limiter."""

    def __init__(self) -> None:
        """Start with an empty queue."""
        self.queue = Queue()

    def statistics(self) -> Queue:
        """Tell of the queue."""
        return self.queue


def line(model: Any = None) -> tuple[Line, Clock]:
    """Make one that waits eight seconds and forgives two failures."""
    clock = Clock()
    return Line(model, timeout_s=8.0, breaker_after=3, now=clock), clock


def test_silence_counts_from_the_last_sign_of_life() -> None:
    """A slow call is waited for while others are answered."""
    watched, clock = line()
    watched.enter()
    clock.now += 7.0
    assert watched.left_s() == 1.0
    watched.enter()
    watched.answered()
    watched.leave()
    clock.now += 7.0
    assert watched.left_s() == 1.0
    clock.now += 1.0
    assert watched.left_s() == 0.0
    assert watched.is_down


def test_failures_one_after_the_other_do_not_stop_the_clock() -> None:
    """Each slow failure alone would be patient; together they are silence."""
    watched, clock = line()
    for _ in range(2):
        watched.enter()
        clock.now += 3.0
        watched.failed()
        watched.leave()
    watched.enter()
    assert watched.left_s() == 2.0


def test_an_answer_forgives_the_failures_before_it() -> None:
    """Only failures in a row count."""
    watched, _ = line()
    for _ in range(5):
        watched.failed()
        watched.failed()
        watched.answered()
    assert not watched.is_down
    for _ in range(3):
        watched.failed()
    assert watched.is_down
    assert watched.left_s() == 0.0


def test_a_pause_between_calls_is_no_silence() -> None:
    """Nobody waited."""
    watched, clock = line()
    watched.enter()
    watched.failed()
    watched.leave()
    clock.now += 3600.0
    watched.enter()
    assert watched.left_s() == 8.0


def test_a_judge_that_is_down_gets_one_try_after_a_minute() -> None:
    """And is down again at its first failure."""
    watched, clock = line()
    for _ in range(3):
        watched.failed()
    clock.now += 59.0
    assert watched.is_down
    clock.now += 2.0
    assert not watched.is_down
    watched.failed()
    assert watched.is_down
    watched.begin()
    assert not watched.is_down


def test_an_evaluation_that_begins_does_not_reset_one_that_goes_on() -> None:
    """The other one's calls still wait."""
    watched, _ = line()
    watched.enter()
    for _ in range(3):
        watched.failed()
    watched.begin()
    assert watched.is_down


def test_waiting_for_a_permit_is_no_silence_of_the_judge() -> None:
    """The clock starts when a request has left the queue."""
    model = Limited()
    watched, clock = line(model)
    watched.enter()
    for _ in range(100):
        clock.now += 0.5
        assert watched.left_s() == 0.5
    model.queue.granted = model.queue.in_flight = 1
    assert watched.left_s() == 0.5
    clock.now += 7.5
    assert 0.0 < watched.left_s() <= 0.5
    clock.now += 0.5
    assert watched.left_s() == 0.0


def test_an_answer_or_a_refusal_seen_by_the_limiter_is_a_sign_of_life() -> None:
    """Whoever's call it was."""
    model = Limited()
    watched, clock = line(model)
    watched.enter()
    model.queue.granted = model.queue.in_flight = 2
    watched.left_s()
    for name in ("answered", "refusals"):
        clock.now += 7.9
        setattr(model.queue, name, 1)
        assert watched.left_s() > 0.0
    model.queue.in_flight = 0
    clock.now += 7.9
    model.queue.refusals = 2
    watched.left_s()
    clock.now += 60.0
    assert watched.left_s() > 0.0

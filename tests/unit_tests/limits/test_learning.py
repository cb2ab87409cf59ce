"""What the limiter finds out: against a provider in numbers, whose level and burst nobody told it."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_prodkit.limits.bucket import Bucket, Cost
from langchain_prodkit.limits.gauge import Gauge, Stand
from langchain_prodkit.limits.learning import Learning
from langchain_prodkit.limits.protocol import BucketReading, Reading
from langchain_prodkit.limits.turnstile import Turnstile
from tests.unit_tests.limits.provider_model import Play, Provider, play

at_either = pytest.mark.parametrize("headers_at", ["answer", "arrival"])
bursts = st.floats(0.6, 8.0)
fills = st.floats(0.0, 1.0)
seeds = st.integers(0, 10_000)


def uneven(seed: int, count: int = 120) -> list[int]:
    """Draw calls of very different size."""
    source = random.Random(seed)
    return [source.randint(10, 370) + source.choice([50, 100, 200, 400]) for _ in range(count)]


@at_either
@settings(max_examples=25, deadline=None)
@given(burst_s=bursts, fill=fills, seed=seeds)
def test_a_request_limit_is_ridden_to_its_edge(
    headers_at: str, burst_s: float, fill: float, seed: int
) -> None:
    """Ten a second, any burst, any level: within three percent of the least time, two refusals at most."""
    provider = Provider(requests_per_minute=600, burst_s=burst_s, fill=fill, headers_at=headers_at, seed=seed)
    outcome = play(provider, [64] * 150)
    assert outcome.ratio <= 1.03
    assert outcome.refused <= 2


@settings(max_examples=25, deadline=None)
@given(burst_s=st.floats(0.6, 1.6), fill=fills, seed=seeds)
def test_without_headers_the_level_is_found_through_refusals(burst_s: float, fill: float, seed: int) -> None:
    """A provider that allows about a second's worth at once and says nothing."""
    provider = Provider(requests_per_minute=600, burst_s=burst_s, fill=fill, headers_at="", seed=seed)
    outcome = play(provider, [64] * 150)
    assert outcome.ratio <= 1.045
    assert outcome.refused <= 3


@at_either
@settings(max_examples=15, deadline=None)
@given(burst_s=st.floats(2.0, 8.0), fill=fills, seed=seeds)
def test_a_token_limit_is_ridden_with_calls_of_any_size(
    headers_at: str, burst_s: float, fill: float, seed: int
) -> None:
    """Two thousand tokens a second: within five percent, hardly a refusal."""
    provider = Provider(
        tokens_per_minute=120_000, burst_s=burst_s, fill=fill, headers_at=headers_at, seed=seed
    )
    outcome = play(provider, uneven(seed))
    assert outcome.ratio <= 1.05
    assert outcome.refused <= 3


@at_either
def test_tokens_that_come_back_are_used_again(headers_at: str) -> None:
    """A provider that gives back is found out: ten times as fast as without."""
    provider = Provider(
        tokens_per_minute=60_000,
        burst_s=5.0,
        headers_at=headers_at,
        gives_back=True,
        answer_tokens=48,
    )
    outcome = play(provider, [428] * 120)
    assert outcome.took_s <= 8.0
    assert outcome.refused <= 4


@at_either
def test_tokens_that_do_not_come_back_are_not_counted_on(headers_at: str) -> None:
    """The other kind of provider charges what was reserved: no call is sent on what never returns."""
    provider = Provider(
        tokens_per_minute=60_000, burst_s=5.0, headers_at=headers_at, gives_back=False, answer_tokens=48
    )
    outcome = play(provider, [428] * 60)
    assert outcome.refused <= 2
    assert outcome.ratio <= 1.05


@settings(max_examples=15, deadline=None)
@given(fill=fills, seed=seeds)
def test_refusals_that_cost_a_request_do_not_pile_up(fill: float, seed: int) -> None:
    """Each one in a row is waited for longer."""
    provider = Provider(requests_per_minute=600, fill=fill, charges_refusals=True, seed=seed)
    outcome = play(provider, [64] * 150)
    assert outcome.refused <= 6
    assert outcome.ratio <= 1.06


@at_either
def test_limits_that_nobody_told_are_found(headers_at: str) -> None:
    """Requests or tokens: the first answers say what the limit is."""
    for provider, calls in (
        (Provider(requests_per_minute=600, headers_at=headers_at, is_told=False), [64] * 150),
        (Provider(tokens_per_minute=120_000, burst_s=5.0, headers_at=headers_at, is_told=False), uneven(1)),
    ):
        outcome = play(provider, calls)
        assert outcome.ratio <= 1.10
        assert outcome.refused <= 40


@pytest.mark.parametrize("fill", [0.0, 0.5, 1.0])
def test_limits_that_nobody_ever_tells_are_found_by_refusals(fill: float) -> None:
    """No numbers, no headers: the rate is measured between refusals, and nobody waits for ever."""
    provider = Provider(requests_per_minute=600, fill=fill, headers_at="", is_told=False)
    assert play(provider, [64] * 150).ratio <= 1.3


@settings(max_examples=25, deadline=None)
@given(
    st.one_of(st.none(), st.floats(0.0, 1e12)),
    st.one_of(st.none(), st.floats(0.0, 1e12)),
    st.one_of(st.none(), st.floats(0.0, 1e6)),
)
def test_what_was_told_holds_whatever_headers_say(
    per_minute: float | None, remaining: float | None, reset_s: float | None
) -> None:
    """A provider that always says "a million left" cannot lift it: a minute's worth and the rate."""
    provider = Provider(requests_per_minute=600, burst_s=0.6)
    provider.lie = lambda _: BucketReading(per_minute and max(1.0, per_minute), remaining, reset_s)
    turnstile = Play(provider, []).turnstile
    said = provider.lie(BucketReading())
    now_s, turns = 0.0, []
    for _ in range(1_500):
        turnstile.join(Cost(tokens=1), now_s)
    while now_s < 30.0:
        for ticket in turnstile.advance(now_s):
            turns.append(now_s)
            turnstile.take_up(ticket, now_s)
            turnstile.settle(ticket, 1, now_s, reading=Reading(requests=said))
        now_s += 0.01
    for first in range(0, len(turns), 7):
        for last in range(first, len(turns), 13):
            assert last - first + 1 <= 600 + 10 * (turns[last] - turns[first]) + 1


def test_a_stated_limit_below_the_told_one_wins_and_a_higher_one_does_not() -> None:
    """Told are 600 a minute: 300 stated are kept to, 6,000 are not used."""
    for stated, in_force in ((300.0, 300.0), (6_000.0, 600.0)):
        turnstile = Play(Provider(requests_per_minute=600), []).turnstile
        ticket = turnstile.join(Cost(), 0.0)
        turnstile.advance(0.0)
        reading = Reading(requests=BucketReading(stated, 5.0, 1.0))
        turnstile.settle(ticket, 1, 0.1, reading=reading)
        assert turnstile.requests is not None
        assert turnstile.requests.per_minute == in_force


def test_the_burst_is_learned_from_what_is_left_and_when_it_is_full() -> None:
    """Nine left, and full in 100 ms: at ten a second that is a bucket of ten."""
    turnstile = Play(Provider(requests_per_minute=600), []).turnstile
    ticket = turnstile.join(Cost(), 0.0)
    turnstile.advance(0.0)
    turnstile.settle(ticket, 1, 0.1, reading=Reading(requests=BucketReading(600.0, 9.0, 0.1)))
    assert turnstile.requests is not None
    assert turnstile.requests.capacity == pytest.approx(10.0)


def test_until_the_first_word_calls_go_one_by_one() -> None:
    """The first at once, the others at the rate: the provider's bucket may be empty."""
    turnstile = Play(Provider(requests_per_minute=600), []).turnstile
    for _ in range(50):
        turnstile.join(Cost(), 0.0)
    assert len(turnstile.advance(0.0)) == 1
    assert turnstile.next_s(0.0) == pytest.approx(0.1)


def test_a_call_larger_than_a_limit_found_later_is_told_so() -> None:
    """It stood in line before anybody knew; it does not wait for ever."""
    turnstile = Turnstile(None, None, learning=(learning := Learning()))
    learning.attach(turnstile)
    first = turnstile.join(Cost(tokens=10), 0.0)
    large = turnstile.join(Cost(tokens=5_000), 0.0)
    assert turnstile.advance(0.0) == [first]
    turnstile.settle(first, 10, 0.0, reading=Reading(tokens=BucketReading(1_000.0, 990.0, 0.6)))
    assert turnstile.advance(0.0) == [large]
    assert large.state == "oversize"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["take", "give", "read", "wait"]), st.floats(0.0, 50.0)), max_size=60)
)
def test_the_gauge_never_goes_above_what_was_said(steps: list[tuple[str, float]]) -> None:
    """Right after a reading the level is at most what it said is left, and the rounding."""
    bucket, gauge, now_s = Bucket(600, burst_s=10.0), Gauge(), 0.0
    bucket.level(now_s)
    for what, amount in steps:
        if what == "take":
            bucket.take(1, now_s)
            gauge.took(1, now_s)
        elif what == "give":
            bucket.give(1, now_s, is_believed=bool(gauge.gives_back))
        elif what == "wait":
            now_s += amount / 10
            bucket.level(now_s)
        else:
            remaining = float(int(amount))
            gauge.read(bucket, remaining, Stand(bucket.flow, bucket.given), 1.0, now_s)
            assert bucket.level(now_s) <= remaining + 1.0


def test_one_play_is_like_the_next() -> None:
    """The model of the provider draws the same for the same seed."""
    provider = Provider(requests_per_minute=600, seed=3)
    assert play(provider, [1] * 40).turns == play(replace(provider), [1] * 40).turns

"""The arithmetic of a limit, with a clock made of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_prodkit.errors import RequestTooLargeError
from langchain_prodkit.limits.bucket import Bucket, Cost
from langchain_prodkit.limits.turnstile import Ticket, Turnstile

REQUESTS_PER_MINUTE = 240.0
TOKENS_PER_MINUTE = 6_000.0


@dataclass
class Run:
    """Plays a script against a turnstile and writes down every movement of the two buckets."""

    turnstile: Turnstile
    now_s: float = 100.0
    joined: list[Ticket] = field(default_factory=list)
    granted: list[Ticket] = field(default_factory=list)
    moves: list[tuple[float, int, int]] = field(default_factory=list)
    """When, requests, tokens: what was granted (positive) and given back (negative)."""

    def look(self) -> None:
        """Let through whose turn it is."""
        for ticket in self.turnstile.advance(self.now_s):
            if ticket.state == "granted":
                self.granted.append(ticket)
                self.moves.append((self.now_s, ticket.cost.requests, ticket.cost.tokens))

    def wait(self, seconds: float) -> None:
        """Let time pass the way a timer would: from one turn to the next."""
        end_s = self.now_s + seconds
        for _ in range(10_000):
            self.look()
            next_s = self.turnstile.next_s(self.now_s)
            if next_s is None or next_s > end_s:
                break
            self.now_s = max(self.now_s, next_s)
        else:
            pytest.fail("the timer rings without an end")
        self.now_s = end_s
        self.look()

    def open_tickets(self) -> list[Ticket]:
        """Give the calls under way."""
        return [ticket for ticket in self.granted if ticket.state == "granted"]


def scripts(largest: int) -> st.SearchStrategy[list[tuple[str, float, int]]]:
    """Draw what callers do, with requests of up to `largest` tokens."""
    step = st.one_of(
        st.tuples(st.just("join"), st.integers(0, largest), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.floats(0.0, 20.0), st.just(0)),
        st.tuples(st.just("settle"), st.integers(0, 2 * largest), st.integers(0, 50)),
        st.tuples(st.just("refuse"), st.floats(0.0, 5.0), st.integers(0, 50)),
        st.tuples(st.just("cancel"), st.just(0), st.integers(0, 50)),
    )
    return st.lists(step, max_size=60)


# Far below the burst of 50 tokens, where it is the bound, and far above, where a request is.
STEPS = st.one_of(scripts(40), scripts(4_000))


def play(steps: list[tuple[str, float, int]], max_concurrency: int | None = None) -> Run:
    """Play `steps` on fresh buckets."""
    run = Run(
        Turnstile(Bucket(REQUESTS_PER_MINUTE), Bucket(TOKENS_PER_MINUTE), max_concurrency=max_concurrency)
    )
    turnstile = run.turnstile
    for what, amount, which in steps:
        if what == "join":
            run.joined.append(turnstile.join(Cost(tokens=int(amount)), run.now_s, priority=which))
        elif what == "wait":
            run.wait(amount)
        elif what == "cancel" and run.joined:
            ticket = run.joined[which % len(run.joined)]
            if ticket.state == "granted":
                run.moves.append((run.now_s, -ticket.cost.requests, -ticket.cost.tokens))
            turnstile.cancel(ticket, run.now_s)
        elif run.open_tickets():
            ticket = run.open_tickets()[which % len(run.open_tickets())]
            if what == "refuse":
                turnstile.refuse(ticket, amount, run.now_s)
            else:
                run.moves.append((run.now_s, 0, min(0, int(amount) - ticket.cost.tokens)))
                turnstile.settle(ticket, int(amount), run.now_s)
        run.look()
    return run


@settings(max_examples=400)
@given(STEPS)
def test_no_window_of_any_length_holds_more_than_rate_and_burst(steps: list[tuple[str, float, int]]) -> None:
    """From any moment to any later one, at most rate x time + max(burst, largest request) is taken."""
    run = play(steps)
    run.wait(30.0)
    assert run.turnstile.requests is not None
    assert run.turnstile.tokens is not None
    largest = max((ticket.cost.tokens for ticket in run.granted), default=0)
    bursts = (run.turnstile.requests.capacity, max(run.turnstile.tokens.capacity, largest))
    rates = (REQUESTS_PER_MINUTE / 60, TOKENS_PER_MINUTE / 60)
    for first in range(len(run.moves)):
        taken = [0.0, 0.0]
        for at_s, *amounts in run.moves[first:]:
            for kind, amount in enumerate(amounts):
                taken[kind] += amount
                if amount > 0:
                    allowed = bursts[kind] + rates[kind] * (at_s - run.moves[first][0])
                    assert taken[kind] <= allowed + 1e-6


@given(STEPS, st.sampled_from([None, 1, 3]))
def test_nobody_waits_for_ever_and_no_permit_is_lost(
    steps: list[tuple[str, float, int]], max_concurrency: int | None
) -> None:
    """Whatever happened, everybody gets a turn, and the buckets are full again afterwards."""
    run = play(steps, max_concurrency)
    turnstile = run.turnstile
    for _ in range(len(steps) + 1):
        run.wait(120.0)
        for ticket in run.open_tickets():
            turnstile.settle(ticket, ticket.cost.tokens, run.now_s)
    assert all(ticket.state == "done" for ticket in run.joined)
    assert (turnstile.waiting, turnstile.in_flight) == (0, 0)
    assert turnstile.next_s(run.now_s) is None
    run.wait(600.0)
    for bucket in (turnstile.requests, turnstile.tokens):
        assert bucket is not None
        assert bucket.level(run.now_s) == bucket.capacity


@given(STEPS)
def test_turns_are_taken_in_order_within_a_priority(steps: list[tuple[str, float, int]]) -> None:
    """Nobody overtakes, however small: a large request cannot starve."""
    run = play(steps)
    run.wait(3_000.0)
    for priority in (0, 1):
        expected = [ticket for ticket in run.joined if ticket.priority == priority and ticket in run.granted]
        assert [ticket for ticket in run.granted if ticket.priority == priority] == expected


def test_requests_and_tokens_are_taken_together_or_not_at_all() -> None:
    """A request that waits for tokens holds no request permit meanwhile."""
    turnstile = Turnstile(Bucket(600, burst_s=0.9), Bucket(600, burst_s=0.9))
    turnstile.join(Cost(tokens=9), 0.0)
    assert len(turnstile.advance(0.0)) == 1
    turnstile.join(Cost(tokens=5), 0.0)
    assert turnstile.advance(0.0) == []
    assert turnstile.requests is not None
    assert turnstile.requests.level(0.0) == 8.0
    assert turnstile.next_s(0.0) == pytest.approx(0.5)


def test_a_request_larger_than_a_minute_fails_at_once() -> None:
    """What can never fit is told at once, with both numbers."""
    turnstile = Turnstile(None, Bucket(1_000))
    with pytest.raises(RequestTooLargeError) as caught:
        turnstile.join(Cost(tokens=1_001), 0.0)
    assert (caught.value.tokens, caught.value.limit) == (1_001, 1_000)
    assert turnstile.waiting == 0


def test_a_request_larger_than_the_burst_is_saved_up_for() -> None:
    """Ten seconds' worth of tokens goes after the nine seconds that are missing."""
    turnstile = Turnstile(None, Bucket(600, burst_s=1.0))
    turnstile.join(Cost(tokens=100), 0.0)
    assert turnstile.advance(0.0) == []
    assert turnstile.next_s(0.0) == pytest.approx(9.0)
    assert len(turnstile.advance(9.0)) == 1


def test_a_full_bucket_takes_nothing_back() -> None:
    """What comes back to a full bucket is not kept on top for a larger burst."""
    turnstile = Turnstile(None, Bucket(600, burst_s=1.0))
    ticket = turnstile.join(Cost(tokens=10), 0.0)
    turnstile.advance(0.0)
    turnstile.advance(60.0)
    turnstile.settle(ticket, 0, 60.0)
    assert turnstile.tokens is not None
    assert turnstile.tokens.level(60.0) == 10.0


def test_a_cancelled_large_request_leaves_no_savings() -> None:
    """The burst is what it was, although somebody had saved for more."""
    turnstile = Turnstile(None, Bucket(600, burst_s=1.0))
    large = turnstile.join(Cost(tokens=500), 0.0)
    turnstile.advance(0.0)
    turnstile.advance(30.0)
    turnstile.cancel(large, 30.0)
    assert turnstile.tokens is not None
    assert turnstile.tokens.level(30.0) == 10.0


def test_unused_tokens_come_back_and_overused_ones_are_owed() -> None:
    """Settling corrects the level in both directions."""
    turnstile = Turnstile(None, Bucket(6_000, burst_s=1.0))
    first, second = (turnstile.join(Cost(tokens=50), 0.0) for _ in range(2))
    turnstile.advance(0.0)
    assert turnstile.tokens is not None
    turnstile.settle(first, 20, 0.0)
    assert turnstile.tokens.level(0.0) == 30.0
    turnstile.settle(second, 250, 0.0)
    assert turnstile.tokens.level(0.0) == -170.0


def test_a_permit_is_given_back_once() -> None:
    """A second ending of the same call changes nothing."""
    turnstile = Turnstile(Bucket(600, burst_s=0.9), Bucket(6_000, burst_s=1.0))
    ticket = turnstile.join(Cost(tokens=50), 0.0)
    turnstile.advance(0.0)
    turnstile.settle(ticket, 20, 0.0)
    turnstile.settle(ticket, 20, 0.0)
    turnstile.cancel(ticket, 0.0)
    turnstile.refuse(ticket, 5.0, 0.0)
    assert turnstile.requests is not None
    assert turnstile.requests.level(0.0) == 8.0
    assert turnstile.tokens is not None
    assert turnstile.tokens.level(0.0) == 80.0
    assert (turnstile.in_flight, turnstile.refusals) == (0, 0)


def test_a_refusal_holds_everybody_and_lets_them_go_one_by_one() -> None:
    """After the provider's pause one call goes, and the others follow at the rate, not as a herd."""
    run = Run(Turnstile(Bucket(600, burst_s=0.9), None), now_s=0.0)
    tickets = [run.turnstile.join(Cost(), 0.0) for _ in range(12)]
    run.look()
    assert len(run.granted) == 9
    run.turnstile.refuse(tickets[0], 4.0, 0.0)
    run.wait(3.999)
    assert len(run.granted) == 9
    run.wait(0.002)
    assert len(run.granted) == 10
    run.wait(0.1)
    assert len(run.granted) == 11


def test_after_a_refusal_nothing_is_given_back_for_a_while() -> None:
    """A provider that refuses may not give back unused tokens; then counting on them draws more."""
    turnstile = Turnstile(None, Bucket(6_000, burst_s=1.0))
    tickets = [turnstile.join(Cost(tokens=30), 0.0) for _ in range(3)]
    turnstile.advance(0.0)
    turnstile.refuse(tickets[0], 0.0, 0.0)
    assert turnstile.tokens is not None
    level = turnstile.tokens.level(0.0)
    turnstile.settle(tickets[1], 0, 0.0)
    assert turnstile.tokens.level(0.0) == level
    assert turnstile.tokens.level(61.0) == 100.0
    turnstile.join(Cost(tokens=90), 61.0)
    turnstile.advance(61.0)
    turnstile.settle(tickets[2], 0, 61.0)
    assert turnstile.tokens.level(61.0) == 40.0


def test_higher_priorities_go_first() -> None:
    """Among those who wait, not the first to come but the most urgent is next."""
    run = Run(Turnstile(Bucket(60), None), now_s=0.0)
    late = [run.turnstile.join(Cost(), 0.0, priority=priority) for priority in (0, 2, 1)]
    run.wait(10.0)
    assert run.granted == [late[1], late[2], late[0]]


def test_a_stream_of_urgent_callers_does_not_starve_the_others() -> None:
    """However many of a higher priority keep coming, one turn in nine is somebody else's."""
    run = Run(Turnstile(Bucket(600), None), now_s=0.0)
    patient = [run.turnstile.join(Cost(), 0.0) for _ in range(5)]
    for _ in range(100):
        run.turnstile.join(Cost(), run.now_s, priority=1)
        run.wait(0.1)
    assert [ticket.state for ticket in patient] == ["granted"] * 5
    assert [ticket for ticket in run.granted if ticket in patient] == patient
    assert sum(ticket.priority for ticket in run.granted) >= 80


@given(STEPS, st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_a_clock_that_jumps_does_no_harm(steps: list[tuple[str, float, int]], jumps: list[float]) -> None:
    """Backwards it stands still, forwards no more than a burst has come; nobody is forgotten."""
    run = play(steps)
    turnstile = run.turnstile
    for jump in jumps:
        turnstile.join(Cost(tokens=5), run.now_s + jump)
        for ticket in turnstile.advance(run.now_s + jump):
            turnstile.settle(ticket, 5, run.now_s - jump)
        for bucket in (turnstile.requests, turnstile.tokens):
            assert bucket is not None
            assert bucket.level(run.now_s) <= max(bucket.capacity, 4_000.0)
    run.now_s += 1e7
    for _ in range(len(steps) + len(jumps) + 1):
        run.wait(1e4)
        for ticket in run.open_tickets():
            turnstile.settle(ticket, ticket.cost.tokens, run.now_s)
    assert turnstile.waiting == 0


def test_a_timer_moves_on_however_late_the_clock_is() -> None:
    """A wait below the clock's own precision ends within a few of its steps, not never."""
    turnstile = Turnstile(Bucket(600, burst_s=0.1), None)
    turnstile.join(Cost(), 1e7)
    turnstile.advance(1e7)
    turnstile.join(Cost(), 1e7)
    now_s = math.nextafter(1e7 + 0.1, 0.0)
    for _ in range(10):
        if turnstile.advance(now_s):
            break
        next_s = turnstile.next_s(now_s)
        assert next_s is not None
        assert next_s > now_s
        now_s = next_s
    else:
        pytest.fail("the timer rings without an end")


def test_a_caller_who_does_not_come_holds_nobody_up_for_long() -> None:
    """Turns are given by the handful; one that is not taken up is passed over after a tenth of a second."""
    turnstile = Turnstile(None, None, handful=2)
    for _ in range(6):
        turnstile.join(Cost(), 0.0)
    first = turnstile.advance(0.0)
    assert len(first) == 2
    assert turnstile.next_s(0.0) == pytest.approx(0.1)
    turnstile.take_up(first[0], 0.05)
    assert len(turnstile.advance(0.05)) == 1
    assert len(turnstile.advance(0.11)) == 1


def test_a_deadline_ends_the_wait_and_only_that_one() -> None:
    """Who cannot wait any longer leaves the line; the next one moves up."""
    turnstile = Turnstile(Bucket(60), None)
    turnstile.join(Cost(), 0.0)
    hasty = turnstile.join(Cost(), 0.0, timeout_s=0.5)
    patient = turnstile.join(Cost(), 0.0)
    turnstile.advance(0.0)
    assert turnstile.next_s(0.0) == 0.5
    assert turnstile.advance(0.5) == [hasty]
    assert hasty.state == "expired"
    assert turnstile.advance(1.0) == [patient]


def test_cancelled_deadlines_are_forgotten() -> None:
    """Ten thousand cancelled waiters with far deadlines leave nothing behind."""
    turnstile = Turnstile(Bucket(1), None)
    turnstile.join(Cost(), 0.0)
    tickets = [turnstile.join(Cost(), 0.0, timeout_s=3_600.0) for _ in range(10_000)]
    for ticket in tickets:
        turnstile.cancel(ticket, 0.0)
    assert turnstile.waiting == 1
    assert len(turnstile._deadlines) <= 2

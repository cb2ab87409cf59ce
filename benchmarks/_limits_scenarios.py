"""The providers that calls are sent to: their limits, what is drawn afresh each repeat, and the least time.

What a client cannot know beforehand - how full the provider's buckets are, and how large - is drawn from
a seeded source for each repeat, and is the same for every peer of that repeat.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Final

from langchain_prodkit.testing.buckets import HeaderStyle

__all__ = ["JITTER", "LATENCY_S", "SCENARIOS", "Call", "Draw", "Goal", "Scenario", "chosen"]

LATENCY_S: Final = 0.1
JITTER: Final = 0.3
CHARS_PER_TOKEN: Final = 4
# Of the five kinds of fault that are drawn from, `slow` is late but needs no second call.
_FAILING_SHARE: Final = 4 / 5
_TEXT: Final = "the parcel came late and the box was open; "


@dataclass(frozen=True, slots=True)
class Call:
    """One prompt, and how long its answer may be."""

    prompt: str
    max_tokens: int | None

    @property
    def charge(self) -> int:
        """Tokens that the provider takes for it on arrival."""
        return -(-len(self.prompt) // CHARS_PER_TOKEN) + (self.max_tokens or 0)


@dataclass(frozen=True, slots=True)
class Draw:
    """One repeat's provider."""

    burst_s: float
    """What a full bucket holds, in seconds of its rate."""
    fill: float
    """How full the buckets are when the first call arrives."""
    seed: int


@dataclass(frozen=True, slots=True)
class Goal:
    """What `RateLimitedAsyncChat` is to reach in the median; no call may fail. None: anything."""

    ratio: float | None = None
    """Wall time over the least time."""
    wall_s: float | None = None
    refused: int | None = None
    rss_mib: float | None = None


@dataclass(frozen=True)
class Scenario:
    """A provider, the calls it gets at once, and what the clients are told."""

    name: str
    title: str
    calls: int
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    burst_s: tuple[float, float] = (0.6, 1.6)
    fill: tuple[float, float] = (0.3, 1.0)
    prompt_tokens: tuple[int, int] = (30, 30)
    max_tokens: tuple[int | None, ...] = (64,)
    answer_tokens: int | None = None
    """Length of every answer; None: the provider repeats the prompt."""
    fault_rate: float = 0.0
    refund: bool = False
    charge_refusals: bool = False
    limit_headers: bool = True
    header_style: HeaderStyle = "openai"
    is_told: bool = True
    """Whether the clients know the limits."""
    processes: int = 1
    limit_s: float = 90.0
    """When the clients are stopped; calls without an answer by then have failed."""
    goal: Goal | None = None

    def draw(self, seed: int, repeat: int) -> Draw:
        """Draw the provider of one repeat."""
        source = random.Random(f"{seed}/{self.name}/{repeat}")
        return Draw(source.uniform(*self.burst_s), source.uniform(*self.fill), source.randrange(2**31))

    def workload(self, draw: Draw) -> list[Call]:
        """Make the calls, of uneven size where the scenario says so."""
        source = random.Random(draw.seed)
        calls = []
        for number in range(self.calls):
            chars = source.randint(*self.prompt_tokens) * CHARS_PER_TOKEN
            text = f"{number}: {_TEXT * (chars // len(_TEXT) + 1)}"[:chars]
            calls.append(Call(text, source.choice(self.max_tokens)))
        return calls

    def least_s(self, draw: Draw, workload: list[Call]) -> float:
        """Give the least time in which this provider lets all calls through, and answers the last.

        What is in a bucket at the first call goes at once; the rest refills, and nothing of it is lost
        to a full bucket while somebody waits. Calls that the provider fails are sent, and paid, again;
        with refunds a call takes what it uses.
        """
        again = 1.0 / (1.0 - self.fault_rate * _FAILING_SHARE)
        tokens = sum(call.charge for call in workload)
        if self.refund and self.answer_tokens is not None:
            tokens = sum(call.charge - (call.max_tokens or 0) + self.answer_tokens for call in workload)
        least_s = 0.0
        for per_minute, amount in (
            (self.requests_per_minute, self.calls),
            (self.tokens_per_minute, tokens),
        ):
            if per_minute is not None:
                rate = per_minute / 60.0
                level = max(1.0, rate * draw.burst_s) * draw.fill
                least_s = max(least_s, (amount * again - level) / rate)
        return least_s + LATENCY_S

    def told(self) -> dict[str, Any]:
        """Give the limits, as far as clients are told them."""
        if not self.is_told:
            return {"requests_per_minute": None, "tokens_per_minute": None}
        return {
            "requests_per_minute": self.requests_per_minute,
            "tokens_per_minute": self.tokens_per_minute,
        }

    def per_second(self, workload: list[Call]) -> float | None:
        """Give the request rate that fits both limits on average, for limiters that know requests only."""
        rates = []
        if self.requests_per_minute is not None:
            rates.append(self.requests_per_minute)
        if self.tokens_per_minute is not None:
            rates.append(self.tokens_per_minute * len(workload) / sum(call.charge for call in workload))
        return min(rates) / 60.0 if rates and self.is_told else None


_S2: Final = Scenario(
    "S2", "600 RPM enforced as 10/s", 150, requests_per_minute=600, goal=Goal(ratio=1.03, refused=2)
)
_S2B: Final = replace(
    _S2, name="S2b", title="600 RPM, a minute's bucket, empty", burst_s=(30.0, 60.0), fill=(0.0, 0.03)
)
_S3: Final = Scenario(
    "S3",
    "120k TPM, uneven sizes",
    120,
    tokens_per_minute=120_000,
    burst_s=(3.0, 7.0),
    fill=(0.3, 1.0),
    prompt_tokens=(10, 370),
    max_tokens=(50, 100, 200, 400),
    goal=Goal(ratio=1.05, refused=2),
)
_UNKNOWN: Final = Goal(ratio=1.10)

SCENARIOS: Final = (
    Scenario("S1", "no limit", 200),
    _S2,
    _S2B,
    replace(_S2, name="S2c", title="600 RPM, refusals cost a request", charge_refusals=True),
    replace(_S2, name="S2d", title="600 RPM, no headers at all", limit_headers=False),
    _S3,
    Scenario(
        "S3b",
        "60k TPM, answers far below max_tokens, refunded",
        120,
        tokens_per_minute=60_000,
        burst_s=(4.5, 6.0),
        fill=(0.9, 1.0),
        prompt_tokens=(20, 36),
        max_tokens=(400,),
        answer_tokens=20,
        refund=True,
        goal=Goal(wall_s=4.0, refused=4),
    ),
    Scenario(
        "S4",
        "1200 RPM, 10 % faults",
        150,
        requests_per_minute=1_200,
        fault_rate=0.1,
        goal=Goal(ratio=1.35),
    ),
    replace(_S2, name="S5", title="600 RPM, two processes", processes=2, goal=Goal(ratio=1.08, refused=2)),
    Scenario(
        "S6",
        "10,000 queued, 3000 RPM",
        10_000,
        requests_per_minute=3_000,
        limit_s=15.0,
        goal=Goal(rss_mib=30.0),
    ),
    Scenario(
        "S7",
        "3000 RPM",
        300,
        requests_per_minute=3_000,
        goal=Goal(ratio=1.10, refused=3),
    ),
    *(
        replace(
            scenario,
            name=f"U-{scenario.name}{'' if has_headers else '-bare'}",
            title=f"unknown to the client{'' if has_headers else ', no headers'}: {scenario.title}",
            is_told=False,
            limit_headers=has_headers,
            goal=_UNKNOWN if has_headers else None,
        )
        for has_headers in (True, False)
        for scenario in (_S2, _S2B, _S3)
    ),
    # Not part of a full run; for `--scenarios X`.
    replace(
        _S2,
        name="X-minute",
        calls=300,
        title="600 RPM, a minute's bucket, 0.3 full",
        burst_s=(60, 60),
        fill=(0.3, 0.3),
    ),
    replace(
        _S2,
        name="X-seconds",
        title="600 RPM, azure's headers: no resets, retry-after in whole seconds",
        header_style="azure",
    ),
    replace(
        _S2B,
        name="X-anthropic",
        title="unknown to the client: 600 RPM, a minute's bucket, empty, anthropic's headers",
        header_style="anthropic",
        is_told=False,
        goal=_UNKNOWN,
    ),
    Scenario(
        "X-both",
        "600 RPM and 240k TPM, both bind",
        150,
        requests_per_minute=600,
        tokens_per_minute=240_000,
        burst_s=(2.0, 5.0),
        prompt_tokens=(10, 370),
        max_tokens=(50, 100, 200, 400),
        goal=Goal(ratio=1.05, refused=2),
    ),
    Scenario(
        "X-open",
        "90k TPM, max_tokens given for one call in two",
        120,
        tokens_per_minute=90_000,
        burst_s=(3.0, 7.0),
        prompt_tokens=(40, 400),
        max_tokens=(200, None),
        goal=Goal(ratio=1.05, refused=2),
    ),
    replace(
        _S3,
        name="X-tokens",
        title="unknown to the client: 120k TPM, refunds, max_tokens 800, short answers",
        max_tokens=(800,),
        answer_tokens=40,
        refund=True,
        is_told=False,
        goal=_UNKNOWN,
    ),
)


def chosen(names: list[str]) -> list[Scenario]:
    """Give the scenarios of `names` in order; a name also stands for those that begin with it and a dash.

    No names are all but the X ones.

    Raises:
        ValueError: A name is none.
    """
    if not names:
        return [scenario for scenario in SCENARIOS if not scenario.name.startswith("X-")]
    found = []
    for name in names:
        matching = [s for s in SCENARIOS if s.name == name or s.name.startswith(f"{name}-")]
        if not matching:
            known = ", ".join(scenario.name for scenario in SCENARIOS)
            raise ValueError(f"no scenario {name!r}; there are {known}")
        exact = [scenario for scenario in matching if scenario.name == name]
        found += exact or matching
    return found

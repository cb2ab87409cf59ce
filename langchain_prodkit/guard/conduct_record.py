"""What is kept of a user's conduct, and how one more query changes it. No text, no clock, no store.

A query is kept as a sketch (the smallest keyed hashes of its runs of four characters) and three
numbers. The share of runs that two queries have in common (Jaccard) is exact for queries of up to
about 250 characters and an estimate for longer ones (bottom-k sketch, Cohen and Kaplan 2007).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Final, Literal

from langchain_prodkit.guard.normalize import fold

__all__ = ["Barred", "Baseline", "Conduct", "Look", "Record", "Rules", "look_at", "overlap"]

Barred = Literal["", "cool_down", "ban"]
FOR_GOOD: Final = math.inf

SHINGLE_CHARS: Final = 4
HASH_DIGITS: Final = 8
SKETCH_SIZE: Final = 256
READ_CHARS: Final = 2_000
"""Of a longer query the first three quarters and the last quarter of so many characters are sketched."""
LEAST_SHINGLES: Final = 6
"""A shorter query ("yes, please") is like too many others to be compared."""
LEAST_SPREAD: Final = (0.25, 0.2, 0.03)
"""The least that one standard deviation counts as, for length (natural logarithm), entropy (bits a
character) and share of symbols: an app whose queries are all alike must not call a comma an outlier."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When conduct has consequences; see `ConductTracker` for the meaning of each."""

    similar_in_a_row: int = 3
    similarity: float = 0.5
    outlier_z: float = 5.0
    baseline_queries: int = 100
    similar_strikes: int = 1
    outlier_strikes: int = 0
    cool_down_after: int | None = 3
    cool_down_s: float = 60.0
    ban_after: int | None = 6
    ban_s: float | None = 86_400.0
    forget_s: float = 3_600.0


@dataclass(frozen=True, slots=True)
class Look:
    """All that is kept of one query."""

    sketch: str
    """Sorted hashes, eight hexadecimal digits each; empty for a query too short to compare."""
    numbers: tuple[float, float, float]
    """Length (natural logarithm), entropy in bits a character, share of symbols."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How a user stands after a query or a strike."""

    barred: Barred = ""
    """`cool_down` or `ban` while nothing of this user is let through."""
    was_barred: bool = False
    """The user was barred already when this came; nothing was counted."""
    retry_after_s: float | None = None
    """Seconds until the bar is lifted; None when there is none, or it is for good."""
    strikes: int = 0
    """Strikes that count now."""
    in_a_row: int = 0
    """Queries in a row, this one included, each similar to the one before."""
    codes: tuple[str, ...] = ()
    """`similar_queries` and `outlier`, where this query was one."""


@dataclass(slots=True)
class Record:
    """One user's conduct."""

    sketch: str = ""
    in_a_row: int = 0
    strikes: int = 0
    struck_s: float = 0.0
    barred: Barred = ""
    until_s: float = 0.0
    """`inf` for good."""

    def refresh(self, now_s: float, rules: Rules) -> None:
        """Lift a bar whose time is over and forget strikes that are old."""
        if self.barred and now_s >= self.until_s:
            if self.barred == "ban":
                self.strikes = 0
            self.barred, self.until_s = "", 0.0
        if now_s - self.struck_s >= rules.forget_s:
            self.strikes = 0

    def observe(self, look: Look, baseline: Baseline, now_s: float, rules: Rules) -> Conduct:
        """Count one query; a barred user's changes nothing."""
        self.refresh(now_s, rules)
        if self.barred:
            return self.conduct(now_s, was_barred=True)
        codes = []
        strikes = 0
        if look.sketch:
            is_similar = overlap(self.sketch, look.sketch) >= rules.similarity
            self.in_a_row = self.in_a_row + 1 if is_similar else 1
            self.sketch = look.sketch
            if self.in_a_row >= rules.similar_in_a_row:
                codes.append("similar_queries")
                strikes += rules.similar_strikes
        if baseline.add(look.numbers, rules):
            codes.append("outlier")
            strikes += rules.outlier_strikes
        self._strike(strikes, now_s, rules)
        return self.conduct(now_s, codes=tuple(codes))

    def strike(self, strikes: int, now_s: float, rules: Rules) -> Conduct:
        """Add strikes; a barred user gets none."""
        self.refresh(now_s, rules)
        if self.barred:
            return self.conduct(now_s, was_barred=True)
        self._strike(strikes, now_s, rules)
        return self.conduct(now_s)

    def bar(self, kind: Barred, seconds: float | None, now_s: float) -> None:
        """Let nothing through for so many seconds; None for good."""
        self.barred = kind
        self.until_s = FOR_GOOD if seconds is None else now_s + seconds

    def _strike(self, strikes: int, now_s: float, rules: Rules) -> None:
        if not strikes:
            return
        self.strikes += strikes
        self.struck_s = now_s
        if rules.ban_after is not None and self.strikes >= rules.ban_after:
            self.bar("ban", rules.ban_s, now_s)
        elif rules.cool_down_after is not None and self.strikes >= rules.cool_down_after:
            self.bar("cool_down", rules.cool_down_s, now_s)

    def conduct(self, now_s: float, *, was_barred: bool = False, codes: tuple[str, ...] = ()) -> Conduct:
        """Say how the user stands."""
        left_s = None if not self.barred or math.isinf(self.until_s) else max(0.0, self.until_s - now_s)
        return Conduct(self.barred, was_barred, left_s, self.strikes, self.in_a_row, codes)


@dataclass(slots=True)
class Baseline:
    """What the queries of one app look like: running means and variances (Welford 1962)."""

    count: int = 0
    means: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    squares: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

    def add(self, numbers: tuple[float, float, float], rules: Rules) -> bool:
        """Take in one query and tell whether it lies far from the ones before.

        What lies outside counts as lying on the border, so that nobody moves the baseline by force.
        """
        is_known = self.count >= rules.baseline_queries
        is_outlier = False
        self.count += 1
        for index, number in enumerate(numbers):
            value = number
            if is_known:
                spread = max(math.sqrt(self.squares[index] / (self.count - 2)), LEAST_SPREAD[index])
                reach = rules.outlier_z * spread
                if abs(value - self.means[index]) > reach:
                    is_outlier = True
                    value = self.means[index] + math.copysign(reach, value - self.means[index])
            delta = value - self.means[index]
            self.means[index] += delta / self.count
            self.squares[index] += delta * (value - self.means[index])
        return is_outlier


def look_at(text: str, secret: bytes) -> Look:
    """Take from a query what is kept of it; `secret` keys the hashes, so that they say nothing alone."""
    folded = " ".join(fold(_ends(text)).split())
    shingles = {folded[at : at + SHINGLE_CHARS] for at in range(len(folded) - SHINGLE_CHARS + 1)}
    hashes = sorted(
        blake2s(
            shingle.encode("utf-8", "surrogatepass"), digest_size=HASH_DIGITS // 2, key=secret
        ).hexdigest()
        for shingle in shingles
    )
    sketch = "".join(hashes[:SKETCH_SIZE]) if len(hashes) >= LEAST_SHINGLES else ""
    return Look(sketch, _numbers(text))


def _ends(text: str) -> str:
    if len(text) <= READ_CHARS:
        return text
    return text[: READ_CHARS * 3 // 4] + text[-READ_CHARS // 4 :]


def _numbers(text: str) -> tuple[float, float, float]:
    part = _ends(text)
    size = max(len(part), 1)
    counts = Counter(part)
    entropy = -sum(count / size * math.log2(count / size) for count in counts.values())
    symbols = sum(count for char, count in counts.items() if not char.isalnum() and not char.isspace())
    return (math.log1p(len(text)), entropy, symbols / size)


def overlap(one: str, other: str) -> float:
    """Give the share of shingles that two sketches have in common; 0.0 with an empty one."""
    if not one or not other:
        return 0.0
    full = SKETCH_SIZE * HASH_DIGITS
    a = [one[at : at + HASH_DIGITS] for at in range(0, len(one), HASH_DIGITS)]
    b = [other[at : at + HASH_DIGITS] for at in range(0, len(other), HASH_DIGITS)]
    both = set(a) & set(b)
    union = sorted({*a, *b})
    if len(one) >= full or len(other) >= full:
        union = union[:SKETCH_SIZE]  # beyond these, one of the two may have been cut off
    return sum(value in both for value in union) / len(union)

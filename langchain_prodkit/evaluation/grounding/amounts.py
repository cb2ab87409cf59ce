"""The amounts of a claim beside those of its source: the same, following from them, or others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from langchain_prodkit.evaluation.grounding.quantities import Quantity
from langchain_prodkit.evaluation.grounding.source import Sentence
from langchain_prodkit.evaluation.grounding.units import YEAR_S

__all__ = ["compare_amounts"]

_EXACT = 0.004
_ROUGH = 0.035
_ROUND = 3
"""A bound is kept by what is up to so many times as much; "more than 10" says little of 1,000."""
_RIVAL = 0.35
"""So alike must be what stands around another amount for it to be the one that was changed."""
_DAY_MINUTES = 1_440
_DIVISIBLE = frozenset({"count", "time", "mass", "euro", "dollar"})
_FIXED = frozenset({"year", "date", "month", "weekday", "clock", "ordinal"})


def _same(one: Quantity, two: Quantity) -> bool:
    if one.kind != two.kind:
        if {one.kind, two.kind} == {"date", "month"}:
            date, month = (one, two) if one.kind == "date" else (two, one)
            return date.value // 100 == month.value
        return {one.kind, two.kind} <= {"count", "share"} and one.value == two.value and one.value > 1
    slack = _ROUGH if one.kind == "time" and one.unit.rstrip("s") != two.unit.rstrip("s") else _EXACT
    if one.kind in _FIXED:
        return one.value == two.value
    return abs(one.value - two.value) <= slack * max(abs(one.value), abs(two.value))


def _follows(one: Quantity, known: Sequence[Quantity]) -> bool:
    """Whether an amount is the sum, difference, product, share or rest of one or two known ones."""
    return any(_is_rest(one, a) or any(_is_result(one, a, b) for b in known if b is not a) for a in known)


def _is(one: Quantity, kind: str, value: float, slack: float = 0.006) -> bool:
    return one.kind == kind and abs(one.value - value) <= slack * max(abs(value), 1e-9)


def _is_rest(one: Quantity, a: Quantity) -> bool:
    """Whether an amount is what a share leaves, its inverse, or a bound that the known one keeps."""
    if (
        a.kind == "share"
        and a.value > 0
        and (_is(one, "share", 1 - a.value) or _is(one, "share", 1 / a.value))
    ):
        return True
    if one.kind != a.kind:
        return False
    if one.bound > 0:
        return one.value < a.value <= _ROUND * one.value
    return one.bound < 0 and a.value < one.value <= _ROUND * a.value


def _is_result(one: Quantity, a: Quantity, b: Quantity) -> bool:
    """Whether an amount is what two known ones make together."""
    if a.kind == b.kind:
        return _is_of_like(one, a, b)
    if a.kind == "year" and b.kind == "time":
        years = b.value / YEAR_S
        return _is(one, "year", a.value + years, 1e-5) or _is(one, "year", a.value - years, 1e-5)
    if a.kind not in {"count", "share", "rate"} or b.kind in _FIXED:
        return False
    is_part = a.kind == "share" and a.value != 0 and b.kind in _DIVISIBLE
    return _is(one, b.kind, a.value * b.value) or (is_part and _is(one, b.kind, b.value / a.value))


def _is_of_like(one: Quantity, a: Quantity, b: Quantity) -> bool:
    """Whether an amount is the sum, difference, ratio or product of two of one kind."""
    apart = {"year": (YEAR_S, 0.01), "month": (YEAR_S / 12, 0.03), "clock": (60.0, 0.006)}.get(a.kind)
    if apart is not None:
        between = (a.value - b.value) % _DAY_MINUTES if a.kind == "clock" else abs(a.value - b.value)
        return _is(one, "time", between * apart[0], apart[1])
    if a.kind in _FIXED:
        return False
    if a.kind in {"count", "share", "rate"} and _is(one, a.kind, a.value * b.value):
        return True
    if a.kind == "rate":
        return False
    if _is(one, a.kind, a.value + b.value) or _is(one, a.kind, a.value - b.value):
        return True
    ratio = a.value / b.value if b.value else 0.0
    return a.kind != "share" and _is(one, "share", ratio)


def _around(sentence: Sentence, quantity: Quantity) -> dict[str, float]:
    """Give the words near an amount, the nearer the heavier."""
    found: dict[str, float] = {}
    for place in range(max(0, quantity.start - 6), min(len(sentence.words), quantity.end + 5)):
        if quantity.start <= place < quantity.end:
            continue
        distance = quantity.start - place if place < quantity.start else place - quantity.end + 1
        weight = (1.0 if sentence.words[place].is_content else 0.35) / (1 + 0.3 * distance)
        found[sentence.stems[place]] = max(found.get(sentence.stems[place], 0.0), weight)
    return found


def _overlap(mine: dict[str, float], theirs: dict[str, float]) -> float:
    total = sum(mine.values())
    shared = sum(min(weight, theirs[stem] + 0.1) for stem, weight in mine.items() if stem in theirs)
    return shared / total if total else 0.0


def compare_amounts(
    found: dict[str, float], claim: Sentence, window: Iterable[Sentence], passage: Sequence[Sentence]
) -> None:
    """Note how the amounts of the claim stand to those of the passage."""
    count = len(claim.quantities)
    if not count:
        found["number_none"] = 1.0
        return
    near = [(sentence, quantity) for sentence in window for quantity in sentence.quantities]
    known = [(sentence, quantity) for sentence in passage for quantity in sentence.quantities]
    for quantity in claim.quantities:
        mine = _around(claim, quantity)
        equal = [(sentence, other) for sentence, other in known if _same(quantity, other)]
        same = max((_overlap(mine, _around(*pair)) for pair in equal), default=0.0)
        rivals = (p for p in near if p[1].kind == quantity.kind and not _same(quantity, p[1]))
        rival = max((_overlap(mine, _around(*pair)) for pair in rivals), default=0.0)
        if equal:
            found["number_known"] += 1 / count
            if rival > same:
                found["number_moved"] = max(found["number_moved"], min(1.0, 2 * (rival - same)))
            if any(quantity.bound and other.bound not in {0, quantity.bound} for _, other in equal):
                found["bound_turned"] = 1.0
        elif rival > _RIVAL or not _follows(quantity, [other for _, other in known]):
            found["number_bare"] += 1 / count
            found["number_conflict"] = max(found["number_conflict"], rival)
        else:
            found["number_derived"] = 1.0

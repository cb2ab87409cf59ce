"""What turns the sense of a sentence round, or widens it: not, opposites, all, only, must, because."""

from __future__ import annotations

from typing import Final

from langchain_prodkit.evaluation.grounding.alignment import SAME, Alignment
from langchain_prodkit.evaluation.grounding.claims import listed
from langchain_prodkit.evaluation.grounding.lexicon import (
    ALL,
    CAUSE,
    MODALS,
    ONLY,
    PARTIAL,
    are_opposites,
    negates,
)
from langchain_prodkit.evaluation.grounding.source import Passage, Sentence

__all__ = ["compare_sense"]

_NO_OPPOSITES: Final = listed("on off in out up down left right then")
"""Words that are mostly used otherwise than as the opposites they can be."""
_HALF: Final = 0.5
_SCOPE_WORDS: Final = 5


def compare_sense(found: dict[str, float], pair: Alignment, passage: Passage) -> None:
    """Note what turns or widens the sense in one of the two and not in the other."""
    claim, other, tight = pair.claim, pair.sentence, pair.exact
    aligned = _aligned_places(pair)
    odd = (sum(map(negates, claim.lows)) - sum(negates(other.lows[p]) for p in aligned)) % 2
    turns = _opposites(claim, other, aligned)
    flips = (odd + turns) % 2
    found["negations"] = odd
    found["negations_tight"] = odd * tight
    found["negated_claim"] = float(any(map(negates, claim.lows)))
    found["opposites"] = min(turns, 2) / 2
    found["opposites_odd"] = float(turns % 2)
    found["flips"] = float(flips)
    found["flips_tight"] = flips * tight
    found["flips_cancel"] = float(odd == 1 and turns % 2 == 1)
    mine, theirs = _targets(claim), _targets(other)
    found["word_turned"] = float(
        any(
            (place in mine) != (at in theirs)
            for place, at in pair.partner.items()
            if pair.score[place] >= SAME and claim.words[place].is_content
        )
    )
    around = frozenset(low for sentence in passage.sentences for low in sentence.lows)
    _compare_kinds(found, frozenset(claim.lows), frozenset(other.lows[p] for p in aligned), around, tight)


def _aligned_places(pair: Alignment) -> list[int]:
    """Give the places of all clauses of the sentence that the claim takes words from."""
    other = pair.sentence
    matched = {at for place, at in pair.partner.items() if pair.score[place] >= _HALF}
    clauses = {other.clauses[at] for at in matched if other.words[at].is_content} or set(other.clauses)
    return [at for at in range(len(other.lows)) if other.clauses[at] in clauses]


def _opposites(claim: Sentence, other: Sentence, aligned: list[int]) -> int:
    """Count the words of the claim that stand against their opposite."""
    shared = {other.lows[at] for at in aligned} & set(claim.lows)
    theirs = {
        low
        for low in (other.lows[at] for at in aligned)
        if low not in shared and low not in _NO_OPPOSITES and low[0].isalpha()
    }
    mine = (low for low in claim.lows if low not in shared and low not in _NO_OPPOSITES and low[0].isalpha())
    return sum(any(are_opposites(low, their) for their in theirs) for low in mine)


def _targets(sentence: Sentence) -> set[int]:
    """Find the words that a negation speaks of: the next that carries a topic."""
    found: set[int] = set()
    for place, low in enumerate(sentence.lows):
        if negates(low):
            reach = range(place + 1, min(place + _SCOPE_WORDS, len(sentence.lows)))
            target = next(
                (p for p in reach if sentence.words[p].is_content and not negates(sentence.lows[p])), None
            )
            if target is not None:
                found ^= {target}
    return found


def _compare_kinds(
    found: dict[str, float],
    mine: frozenset[str],
    theirs: frozenset[str],
    around: frozenset[str],
    tight: float,
) -> None:
    def is_new(kind: frozenset[str]) -> bool:
        return bool(mine & kind) and not theirs & kind

    def is_lost(kind: frozenset[str]) -> bool:
        return bool(theirs & kind) and not mine & kind

    found["all_new"] = float(is_new(ALL))
    found["all_for_some"] = float(bool(mine & ALL) and is_lost(PARTIAL))
    found["partial_lost"] = is_lost(PARTIAL) * tight
    found["partial_new"] = is_new(PARTIAL) * tight
    found["only_new"] = float(is_new(ONLY))
    found["only_lost"] = is_lost(ONLY) * tight
    found["cause"] = float(bool(mine & CAUSE))
    found["cause_new"] = float(bool(mine & CAUSE) and not around & CAUSE)
    my_modals = {MODALS[low] for low in mine if low in MODALS}
    their_modals = {MODALS[low] for low in theirs if low in MODALS}
    found["modal_changed"] = bool(my_modals and their_modals and not my_modals & their_modals) * tight
    found["modal_new"] = bool(my_modals and not their_modals) * tight
    found["modal_lost"] = bool(their_modals and not my_modals) * tight

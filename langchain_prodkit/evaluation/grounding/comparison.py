"""A claim beside a passage it may rest on: what is covered, what differs, and how, as numbers."""

from __future__ import annotations

from typing import Final

from langchain_prodkit.evaluation.grounding.alignment import (
    NEAR,
    SAME,
    Alignment,
    align,
    compare_order,
    compare_slots,
    soft,
)
from langchain_prodkit.evaluation.grounding.amounts import compare_amounts
from langchain_prodkit.evaluation.grounding.claims import listed
from langchain_prodkit.evaluation.grounding.sense import compare_sense
from langchain_prodkit.evaluation.grounding.source import Passage, Sentence
from langchain_prodkit.evaluation.grounding.vectors import WordTable

__all__ = ["FEATURES", "compare"]

FEATURES: Final = (
    "exact", "soft", "soft_window", "soft_any", "exact_any", "bare", "bare_max", "length", "swap", "voice",
    "fall", "inversions", "swap_tight", "names_inverted", "marker_crossed", "marker_turned", "slot",
    "slot_sibling", "slot_elsewhere", "added", "bigrams", "negations", "negations_tight", "negated_claim",
    "opposites", "opposites_odd", "flips", "flips_tight", "flips_cancel", "word_turned", "all_new",
    "all_for_some", "partial_lost", "partial_new", "only_new", "only_lost", "cause_new", "cause",
    "modal_changed", "modal_new", "modal_lost", "name_missing", "any_name_missing", "name_moved",
    "name_moved_pronoun", "clause_gap", "sentence_gap", "subject_changed", "number_none", "number_bare",
    "number_conflict", "number_derived", "number_known", "bound_turned", "number_moved",
)  # fmt: skip
"""What the head reads, in this order; each is 0 where there is nothing to note."""
_PRONOUNS: Final = listed("it he she they his her its their them him this these that those")
_HALF: Final = 0.5
_LONG: Final = 16


def compare(claim: Sentence, passage: Passage, table: WordTable) -> dict[str, float]:
    """Give what is known about a claim, by name; the claim has a word that carries a topic."""
    found = dict.fromkeys(FEATURES, 0.0)
    weights = {place: table.weight(claim.stems[place]) for place in claim.content}
    total = sum(weights.values())
    covers = [_cover(claim, sentence, table) for sentence in passage.sentences]
    shares = [
        (
            sum(weights[place] * cover[place] for place in weights) / total,
            sum(weights[place] for place in weights if cover[place] >= SAME) / total,
        )
        for cover in covers
    ]
    best = max(range(len(covers)), key=lambda i: 0.6 * shares[i][0] + 0.4 * shares[i][1])
    near = [i for i in range(len(covers)) if abs(i - best) <= 1]
    pair = align(claim, passage.sentences[best], table)
    anywhere = {place: max(cover[place] for cover in covers) for place in weights}
    found["exact"], found["soft"] = pair.exact, shares[best][0]
    in_window = {place: max(covers[i][place] for i in near) for place in weights}
    found["soft_window"] = sum(w * in_window[place] for place, w in weights.items()) / total
    found["soft_any"] = sum(w * anywhere[place] for place, w in weights.items()) / total
    found["exact_any"] = sum(w for place, w in weights.items() if anywhere[place] >= SAME) / total
    bare = [place for place in weights if anywhere[place] < NEAR]
    found["bare"] = sum(weights[place] for place in bare) / total
    found["bare_max"] = max((weights[place] * (1 - anywhere[place]) for place in bare), default=0.0)
    found["length"] = min(len(claim.content), _LONG) / _LONG
    found["sentence_gap"] = found["exact_any"] - pair.exact
    compare_order(found, pair)
    compare_slots(found, pair, passage, anywhere, table)
    compare_sense(found, pair, passage)
    compare_amounts(found, claim, [passage.sentences[i] for i in near], passage.sentences)
    _compare_names(found, pair, passage, table)
    _compare_clauses(found, pair, weights, total)
    return found


def _cover(claim: Sentence, sentence: Sentence, table: WordTable) -> dict[int, float]:
    """Give how well a sentence covers each word of the claim."""
    return {
        place: 1.0
        if claim.stems[place] in sentence.vocabulary
        else max((soft(table, claim.stems[place], other) for other in sentence.topics), default=0.0)
        for place in claim.content
    }


def _compare_names(found: dict[str, float], pair: Alignment, passage: Passage, table: WordTable) -> None:
    """Note names that the passage does not hold, or not in this place."""
    names = {
        word.stem
        for word in pair.claim.words
        if word.is_name or (word.is_content and word.text[0].isupper() and word.stem not in table.ranks)
    }
    if not names:
        return
    missing = names - passage.vocabulary
    found["name_missing"] = len(missing) / len(names)
    found["any_name_missing"] = float(bool(missing))
    other = pair.sentence
    moved = (names & passage.vocabulary) - other.vocabulary
    theirs = {word.stem for word in other.words if word.is_name}
    found["name_moved"] = float(bool(moved) and bool(theirs - pair.claim.vocabulary))
    found["name_moved_pronoun"] = float(bool(moved) and not theirs and other.lows[0] in _PRONOUNS)


def _compare_clauses(
    found: dict[str, float], pair: Alignment, weights: dict[int, float], total: float
) -> None:
    """Note whether the claim takes its words from several clauses, none of which says it."""
    claim, other = pair.claim, pair.sentence
    by_clause: dict[int, float] = {}
    for place in claim.content:
        if pair.score.get(place, 0.0) >= SAME:
            clause = other.clauses[pair.partner[place]]
            by_clause[clause] = by_clause.get(clause, 0.0) + weights[place] / total
    found["clause_gap"] = pair.exact - max(by_clause.values(), default=0.0)
    taken = {pair.partner[place] for place in pair.partner if pair.score[place] >= _HALF}
    is_passed_over = bool(other.content) and other.content[0] not in taken
    if pair.exact >= _HALF and is_passed_over and pair.score.get(claim.content[0], 0.0) < _HALF:
        found["subject_changed"] = pair.exact

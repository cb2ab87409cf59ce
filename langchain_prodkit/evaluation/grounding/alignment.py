"""Which word of a claim answers to which word of a sentence, and what differs in order and place."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Final

from langchain_prodkit.evaluation.grounding.claims import listed
from langchain_prodkit.evaluation.grounding.lexicon import are_opposites, are_siblings
from langchain_prodkit.evaluation.grounding.source import Passage, Sentence
from langchain_prodkit.evaluation.grounding.vectors import WordTable

__all__ = ["NEAR", "SAME", "Alignment", "align", "compare_order", "compare_slots", "soft"]

SAME: Final = 0.999
NEAR: Final = 0.42
"""From here up a word counts as covered by another."""
_HALF: Final = 0.5
_TURNS: Final = 3
"""So many words in falling order are an exchange; two are a clause that was moved."""
_BE: Final = listed("is are was were be been being am get gets got")
_PARTICIPLES: Final = ("ed", "en", "wn", "ld", "nt", "ght", "de", "un", "id")
_MARKERS: Final = ("before", "after", "than", "until", "since", "because", "from", "to", "by")
_TURNED: Final = (("before", "after"), ("after", "before"), ("more", "less"), ("until", "after"))
_SLOT_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Alignment:
    """A claim beside one sentence."""

    claim: Sentence
    sentence: Sentence
    partner: dict[int, int]
    """The place in the sentence for each place in the claim that has one."""
    score: dict[int, float]
    """How much alike the two are; 1 for the same stem."""
    exact: float
    """Share of what the claim says that stands in the sentence word by word."""
    matcher: SequenceMatcher[str]


def soft(table: WordTable, one: str, two: str) -> float:
    """Give how far one stem may stand for another, 0 to 1; 1 for the same only."""
    near = table.nearness(one, two)
    return near if near >= SAME else max(0.0, min(0.9, (near - 0.2) / 0.55))


def align(claim: Sentence, other: Sentence, table: WordTable) -> Alignment:
    """Find for each word of the claim its word in the sentence: the same in order, else the nearest."""
    partner: dict[int, int] = {}
    score: dict[int, float] = {}
    matcher = SequenceMatcher(None, claim.stems, other.stems, autojunk=False)
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            partner[block.a + step] = block.b + step
            score[block.a + step] = 1.0
    used = set(partner.values())
    places: dict[str, list[int]] = {}
    for place, stem in enumerate(other.stems):
        places.setdefault(stem, []).append(place)
    exact = total = 0.0
    for place in claim.content:
        word = claim.words[place]
        weight = table.weight(word.stem)
        total += weight
        if place not in partner and word.stem in places:
            free = [at for at in places[word.stem] if at not in used] or places[word.stem]
            partner[place] = free[0]
            used.add(free[0])
            score[place] = 1.0
        if place in partner:
            exact += weight
            continue
        best, best_at = 0.0, -1
        for at in other.content:
            value = soft(table, word.stem, other.stems[at])
            if value > best and not are_opposites(word.low, other.lows[at]):
                best, best_at = value, at
        if best_at >= 0:
            partner[place], score[place] = best_at, best
    return Alignment(claim, other, partner, score, exact / (total or 1.0), matcher)


def compare_order(found: dict[str, float], pair: Alignment) -> None:
    """Note whether the same words stand in another order, and whether the voice explains it."""
    claim, other = pair.claim, pair.sentence
    at = [
        pair.partner[place]
        for place in sorted(pair.partner)
        if pair.score[place] >= _HALF and (claim.words[place].is_content or claim.lows[place][0].isdigit())
    ]
    at = [value for place, value in enumerate(at) if not place or value != at[place - 1]]
    fall = _longest_fall(at)
    is_other_voice = _is_passive(claim) != _is_passive(other)
    found["swap"] = float(fall >= _TURNS and not is_other_voice)
    found["swap_tight"] = found["swap"] * pair.exact
    found["voice"] = pair.exact if is_other_voice and fall < 2 and len(at) >= _TURNS else 0.0  # noqa: PLR2004
    found["fall"] = (fall - 1) / 3 if fall else 0.0
    pairs = [(a, b) for i, a in enumerate(at) for b in at[i + 1 :]]
    found["inversions"] = sum(a > b for a, b in pairs) / len(pairs) if pairs else 0.0
    names = [
        pair.partner[place]
        for place in claim.content
        if claim.words[place].is_name and pair.score.get(place, 0.0) >= SAME
    ]
    are_turned = any(a > b for a, b in pairwise(names))
    found["names_inverted"] = float(are_turned and not is_other_voice)
    for marker in _MARKERS:
        if marker in claim.lows and marker in other.lows:
            crossed = _crossed(claim, marker, other, marker)
            found["marker_crossed"] = max(found["marker_crossed"], min(1.0, max(0, crossed) / 2))
    for one, two in _TURNED:
        if one in claim.lows and two in other.lows and one not in other.lows:
            found["marker_turned"] = float(_crossed(claim, one, other, two) <= 0)


def _crossed(claim: Sentence, mine: str, other: Sentence, theirs: str) -> int:
    """Give how many more words changed sides of a marker ("A before B") than kept them."""
    rest, after = _sides(claim, mine)
    their_rest, their_after = _sides(other, theirs)
    straight = len(rest & their_rest) + len(after & their_after)
    return len(rest & their_after) + len(after & their_rest) - straight


def _sides(sentence: Sentence, marker: str) -> tuple[set[str], set[str]]:
    at = sentence.lows.index(marker)
    count = len(sentence.lows)
    end = next((i for i in range(at + 1, count) if sentence.lows[i] in {",", ";"}), count)
    after = {
        sentence.stems[i]
        for i in range(at + 1, end)
        if sentence.words[i].is_content or sentence.lows[i][0].isdigit()
    }
    return {sentence.stems[i] for i in sentence.content if not at < i < end}, after


def _is_passive(sentence: Sentence) -> bool:
    lows = sentence.lows
    return "by" in lows and any(
        low in _BE and any(following.endswith(_PARTICIPLES) for following in lows[place + 1 : place + 4])
        for place, low in enumerate(lows)
    )


def _longest_fall(at: list[int]) -> int:
    lengths: list[int] = []
    for place, value in enumerate(at):
        lengths.append(1 + max((lengths[j] for j in range(place) if at[j] > value), default=0))
    return max(lengths, default=0)


def compare_slots(
    found: dict[str, float], pair: Alignment, passage: Passage, anywhere: dict[int, float], table: WordTable
) -> None:
    """Note what stands in the place of what, and what is added, where all around is the same."""
    claim, other = pair.claim, pair.sentence
    taken = {pair.partner[place] for place in pair.partner if pair.score[place] >= SAME}
    elsewhere = frozenset().union(*(item.vocabulary for item in passage.sentences if item is not other))
    for tag, start, stop, their_start, their_stop in pair.matcher.get_opcodes():
        mine = [place for place in range(start, stop) if claim.words[place].is_content]
        theirs = [p for p in range(their_start, their_stop) if other.words[p].is_content and p not in taken]
        if tag == "replace" and mine and 0 < len(theirs) <= _SLOT_WORDS:
            for place in mine:
                stem = claim.stems[place]
                if stem in other.vocabulary:
                    continue
                near = max(soft(table, stem, other.stems[p]) for p in theirs)
                found["slot"] = max(found["slot"], (1 - near) * pair.exact)
                if any(are_siblings(stem, other.stems[p]) for p in theirs):
                    found["slot_sibling"] = 1.0
                if stem in elsewhere:
                    found["slot_elsewhere"] = max(found["slot_elsewhere"], pair.exact)
        elif mine and not theirs and tag != "equal":
            for place in mine:
                if anywhere[place] < NEAR:
                    value = (1 - anywhere[place]) * pair.exact * table.weight(claim.stems[place])
                    found["added"] = max(found["added"], value)
    grams = list(pairwise(claim.stems))
    known = set(pairwise(other.stems))
    found["bigrams"] = sum(gram in known for gram in grams) / len(grams) if grams else 0.0

"""The contexts of a row, read once: every claim is then compared with the few passages that matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from langchain_prodkit.evaluation.grounding.claims import LONGEST_WORDS, Word, listed, sentences, words
from langchain_prodkit.evaluation.grounding.quantities import Quantity, quantities
from langchain_prodkit.evaluation.grounding.vectors import WordTable

__all__ = ["Passage", "Sentence", "Source", "read_sentences"]

PASSAGES: Final = 3
"""Passages that a claim is compared with word by word."""
REACH: Final = 4
"""A passage holds so many sentences before and after the one that led to it."""
COMMON: Final = 500
"""A stem leads to this many sentences at most: those in which it stands first."""
_BREAKS: Final = listed(
    ", ; : ( ) - \u2013 \u2014 and but while whereas although though because since until unless if when "
    "which who that so yet as or"
)


@dataclass(frozen=True)
class Sentence:
    """A sentence with all that is read off it."""

    text: str
    words: tuple[Word, ...]
    owner: int = 0
    """Which context it stands in."""

    @cached_property
    def content(self) -> tuple[int, ...]:
        """The places of the words that carry the topic."""
        return tuple(place for place, word in enumerate(self.words) if word.is_content)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The stem of each word."""
        return tuple(word.stem for word in self.words)

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """The stems of the words that carry the topic, without repeats."""
        return tuple(dict.fromkeys(self.stems[place] for place in self.content))

    @cached_property
    def lows(self) -> tuple[str, ...]:
        """Each word in lower case."""
        return tuple(word.low for word in self.words)

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """All stems."""
        return frozenset(self.stems)

    @cached_property
    def quantities(self) -> tuple[Quantity, ...]:
        """The amounts, from left to right."""
        return tuple(quantities(self.words))

    @cached_property
    def clauses(self) -> tuple[int, ...]:
        """The number of the clause that each word stands in."""
        number = size = 0
        found = []
        for low in self.lows:
            if low in _BREAKS and size > 1:
                number, size = number + 1, 0
            size += low not in _BREAKS
            found.append(number)
        return tuple(found)


@dataclass(frozen=True)
class Passage:
    """Neighbouring sentences that a claim may rest on."""

    sentences: tuple[Sentence, ...]

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """All stems."""
        return frozenset().union(*(sentence.vocabulary for sentence in self.sentences))


def read_sentences(text: str, owner: int = 0) -> Iterator[Sentence]:
    """Read a text sentence by sentence; an endless one is cut into pieces."""
    for sentence in sentences(text):
        found = words(sentence)
        if len(found) <= LONGEST_WORDS:
            yield Sentence(sentence, tuple(found), owner)
            continue
        for start in range(0, len(found), LONGEST_WORDS):
            piece = found[start : start + LONGEST_WORDS]
            yield Sentence(" ".join(word.text for word in piece), tuple(piece), owner)


class Source:
    """What an answer may rest on."""

    def __init__(self, contexts: Sequence[str], table: WordTable) -> None:
        """Read the contexts; one given twice counts once."""
        self.table = table
        self.sentences: list[Sentence] = []
        self._spans: list[range] = []
        self._places: dict[str, list[int]] = {}
        self._passages: dict[tuple[int, int], Passage] = {}
        for owner, context in enumerate(dict.fromkeys(contexts)):
            start = len(self.sentences)
            self.sentences.extend(read_sentences(context, owner))
            self._spans.append(range(start, len(self.sentences)))
        for number, sentence in enumerate(self.sentences):
            for stem in sentence.vocabulary:
                if stem[0].isalnum():
                    found = self._places.setdefault(stem, [])
                    if len(found) < COMMON:
                        found.append(number)

    def passages(self, claim: Sentence) -> list[Passage]:
        """Give the passages that share most with a claim, best first.

        A passage never reaches beyond its context, so what stands in another one can't change what
        this one is worth; the last joins the two best ones where they lie apart, for claims that
        rest on two facts.
        """
        scores: dict[int, float] = {}
        for place in {*claim.content, *(p for p, low in enumerate(claim.lows) if low[0].isdigit())}:
            found = self._places.get(claim.stems[place], ())
            weight = self.table.weight(claim.stems[place]) / (1 + len(found)) ** 0.5
            for number in found:
                scores[number] = scores.get(number, 0.0) + weight
        # Where no word is shared, the beginning of each context may still say it in other words.
        order = sorted(scores, key=lambda number: (-scores[number], number)) or [
            span.start for span in self._spans if span
        ]
        chosen: list[tuple[int, int]] = []
        leads: list[int] = []
        for number in order:
            if any(start <= number < stop for start, stop in chosen):
                continue
            chosen.append(self._around(number, REACH))
            leads.append(number)
            if len(chosen) == PASSAGES:
                break
        found_passages = [self._passage(start, stop) for start, stop in chosen]
        if len(leads) > 1:
            two = [self._around(lead, 1) for lead in leads[:2]]
            found_passages.append(
                Passage(tuple(sentence for start, stop in two for sentence in self.sentences[start:stop]))
            )
        return found_passages

    def _around(self, number: int, reach: int) -> tuple[int, int]:
        span = self._spans[self.sentences[number].owner]
        return max(span.start, number - reach), min(span.stop, number + reach + 1)

    def _passage(self, start: int, stop: int) -> Passage:
        key = (start, stop)
        if key not in self._passages:
            self._passages[key] = Passage(tuple(self.sentences[start:stop]))
        return self._passages[key]

"""From claims and contexts to how well each claim is supported, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from langchain_prodkit.evaluation.grounding.comparison import compare
from langchain_prodkit.evaluation.grounding.head import load_head, load_table
from langchain_prodkit.evaluation.grounding.meaning import SentenceMeanings, TokenMeanings
from langchain_prodkit.evaluation.grounding.source import Passage, Sentence, Source, read_sentences

__all__ = ["REASONS", "ClaimSupport", "claims_of", "noted", "support_of"]

REASONS: Final = ("number", "negation", "name", "order", "scope", "cause", "addition", "unlike")
"""Why a claim seems unsupported, from the most certain to the least."""
_TIGHT: Final = 0.55
_BARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class ClaimSupport:
    """What was found about one claim."""

    value: float
    """How likely the contexts support it, 0 to 1."""
    reason: str
    """The main thing that speaks against it, one of `REASONS`; never a text."""


def claims_of(answer: str) -> list[Sentence]:
    """Cut an answer into claims: its sentences, but for questions and those without a word of their own."""
    return [
        sentence
        for sentence in read_sentences(answer)
        if sentence.content and not sentence.text.rstrip("\"')\u201d\u2019").endswith("?")
    ]


def noted(
    claim: Sentence, passage: Passage, source: Source, meanings: SentenceMeanings | TokenMeanings | None
) -> dict[str, float]:
    """Give all that is known about a claim beside one passage."""
    found = compare(claim, passage, source.table)
    if meanings is not None:
        found |= meanings.compare(claim.text, passage)
    return found


def support_of(
    claims: Sequence[Sentence], contexts: Sequence[str], meanings: SentenceMeanings | TokenMeanings | None
) -> list[ClaimSupport]:
    """Give how well each claim is supported by what supports it best; 0 where there is nothing to read."""
    source = Source(contexts, load_table())
    head = load_head("words" if meanings is None else meanings.head)
    passages = [source.passages(claim) for claim in claims]
    if meanings is not None:
        meanings.learn(
            text
            for claim, found in zip(claims, passages, strict=True)
            for text in (claim.text, *(sentence.text for passage in found for sentence in passage.sentences))
        )
    results = []
    for claim, candidates in zip(claims, passages, strict=True):
        best = ClaimSupport(0.0, "unlike")
        for passage in candidates:
            found = noted(claim, passage, source, meanings)
            value = head.support(found)
            if value > best.value:
                best = ClaimSupport(value, _reason(found))
        results.append(best)
    return results


def _reason(found: Mapping[str, float]) -> str:
    """Name the most certain of what speaks against a claim."""
    signs = {
        "number": found["number_bare"] or found["number_moved"] > _TIGHT or found["bound_turned"],
        "negation": found["flips"] and found["exact"] > _TIGHT,
        "name": found["any_name_missing"] or found["name_moved"] or found["names_inverted"],
        "order": found["swap"] or found["marker_crossed"] or found["marker_turned"] or found["voice"],
        "scope": found["all_for_some"] or found["only_new"] or found["only_lost"] or found["modal_changed"],
        "cause": found["cause_new"],
        "addition": found["added"] or found["bare"] > _BARE,
        "unlike": True,
    }
    return next(reason for reason in REASONS if signs[reason])

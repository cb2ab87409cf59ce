"""Metrics of what became of a question: failed, empty, refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["EmptyAnswer", "Failure", "Refusal", "is_refusal"]

_OPENING_CHARS: Final = 300
"""A refusal stands at the start; further on the same words describe something else."""

_REFUSALS: Final = re.compile(
    r"\b(?:i(?:'m| am)?|we(?:'re| are)?)\s+(?:(?:really|very|so|afraid|sorry)[, ]+(?:but\s+)?(?:i\s+)?)*"
    r"(?:can ?not|can't|could not|couldn't|won't|will not|unable to|not able to|not allowed to)\s+"
    r"(?:be able to\s+)?(?:help|assist|answer|provide|comply|do that|fulfil|share|discuss|process)"
    r"|\bas an ai\b|\bi (?:do not|don't) have (?:enough |that |any )?information"
    r"|\bi (?:must|have to) decline"
    r"|도와드릴 수 없|답변(?:을 )?드릴 수 없|대답할 수 없",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Failure:
    """1 where the run ended in an error, else 0; the mean is the share of failed runs."""

    name: str = "failure"
    needs: frozenset[str] = frozenset()
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Look for an error; a row without an answer was never run."""
        if row.error is not None:
            return Score(1.0)
        return Score(skipped="no output") if row.output is None else Score(0.0)


@dataclass(frozen=True, slots=True)
class EmptyAnswer:
    """1 where the answer has no visible character, else 0."""

    name: str = "empty_answer"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Look at the text of the answer."""
        return Score(0.0 if row.answer.strip() else 1.0)


@dataclass(frozen=True, slots=True)
class Refusal:
    """1 where the answer opens with a refusal (English and Korean phrases), else 0.

    Neither is better as such: a question out of scope should be refused.
    """

    name: str = "refusal"
    needs: frozenset[str] = frozenset({"output"})
    higher_is_better: bool | None = None

    def score(self, row: EvalRecord) -> Score:
        """Look for a refusing phrase at the start of the answer."""
        return Score(1.0 if is_refusal(row.answer) else 0.0)


def is_refusal(answer: str) -> bool:
    """Look for a refusing phrase at the start of an answer."""
    return bool(_REFUSALS.search(answer[:_OPENING_CHARS].replace("\u2019", "'")))

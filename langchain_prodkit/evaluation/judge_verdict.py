"""What a judge says of one row, and why it may say nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.metrics import Score

__all__ = ["BUDGET_SPENT", "JUDGE_DOWN", "NO_VERDICT", "TOO_LONG", "Verdict", "is_judge_down"]

JUDGE_DOWN: Final = "judge unavailable"
"""The reason of a row that the judge was not, or could not be, asked about because it does not answer."""
BUDGET_SPENT: Final = "judge budget spent"
"""The reason of a row past the budget."""
NO_VERDICT: Final = "judge gave no verdict"
"""The error of a row on which the judge, asked twice, did not give a verdict that can be read."""
TOO_LONG: Final = "too long for the judge"
"""The reason of a row with more text than `max_chars`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge thinks of one row."""

    value: float | None
    """0.0 worst .. 1.0 best; None where there is nothing to judge, such as an answer without a claim."""
    rationale: str = field(default="", repr=False)
    """Why, in the judge's words, which may quote the row's texts."""
    votes: int = 1
    """How often the judge was heard: more than once where a failing verdict had to be confirmed."""

    def to_dict(self) -> dict[str, Any]:
        """Give the verdict as JSON-able data."""
        return {"value": self.value, "rationale": self.rationale, "votes": self.votes}

    @classmethod
    def from_dict(cls, data: Any) -> Verdict | None:
        """Rebuild a verdict from `to_dict`; None for anything else."""
        if not isinstance(data, dict):
            return None
        value, rationale, votes = (data.get(name) for name in ("value", "rationale", "votes"))
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0
        if not (value is None or is_number) or type(rationale) is not str or type(votes) is not int:
            return None
        return cls(None if value is None else float(value), rationale, votes)


def is_judge_down(score: Score) -> bool:
    """Tell whether a row has no score because a judge does not answer: no verdict on the answer."""
    return any((why or "").startswith(JUDGE_DOWN) for why in (score.skipped, score.error))

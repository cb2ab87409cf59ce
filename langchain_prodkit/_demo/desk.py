"""The support desk: its questions, its ticket and its prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel, Field, field_validator

__all__ = ["PROMPT", "Question", "Ticket", "choose", "load_questions"]

MAX_WORDS = 10


@dataclass(frozen=True, slots=True)
class Question:
    """One line of `support_questions.jsonl`."""

    id: str
    kind: str
    question: str
    private: tuple[str, ...]
    """The personal data in it, written down by hand: what must not reach the provider."""


class Ticket(BaseModel):
    """What the help desk's other systems expect."""

    # Every length is bounded: a model that rambles inside the grammar must come to an end.
    customer: str = Field(max_length=60, description="The customer's name as written, or unknown")
    category: Literal["billing", "delivery", "repair", "account", "other"]
    urgency: Literal["low", "normal", "high"]
    summary: str = Field(max_length=160, description=f"The problem in at most {MAX_WORDS} words")

    @field_validator("summary")
    @classmethod
    def _fits_the_list(cls, summary: str) -> str:
        if len(summary.split()) > MAX_WORDS:
            message = f"use at most {MAX_WORDS} words"
            raise ValueError(message)
        return summary


# One example is what makes a model of 135 million parameters keep the form.
PROMPT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            (
                "You read messages to the support desk of a shop for household goods and fill in a ticket. "
                f"The summary has at most {MAX_WORDS} words."
            ),
        ),
        ("human", "Kim here, the lamp L4 arrived broken. Please send a new one."),
        (
            "ai",
            (
                '{{"customer": "Kim", "category": "repair", "urgency": "normal", '
                '"summary": "Lamp L4 arrived broken, wants new one."}}'
            ),
        ),
        ("human", "{question}"),
    ]
)


def load_questions() -> list[Question]:
    """Read the sixty questions that ship with the package (in a checkout: `cookbook/data`)."""
    here = Path(__file__).parent
    name = "support_questions.jsonl"
    path = here / name
    if not path.exists():
        path = here.parents[1] / "cookbook" / "data" / name
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Question(**{**row, "private": tuple(row["private"])}) for row in rows]


def choose(questions: Sequence[Question], count: int, *, max_chars: int) -> list[Question]:
    """Take the first `count` questions of at most `max_chars`; every kind comes early in the file."""
    return [question for question in questions if len(question.question) <= max_chars][:count]

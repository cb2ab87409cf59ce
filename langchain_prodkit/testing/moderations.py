"""`/v1/moderations`: flags texts by a few plain words, enough to exercise both outcomes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.testing.request import checked_body, invalid, text_of, tokens_in
from langchain_prodkit.testing.run import Result
from langchain_prodkit.testing.wire import dump

if TYPE_CHECKING:
    from langchain_prodkit.testing.faults import FaultKind
    from langchain_prodkit.testing.run import Run

_WORDS: Final = {
    "harassment": "idiot|stupid|loser|shut up",
    "harassment/threatening": "find you and hurt",
    "hate": "hate",
    "hate/threatening": "hate .{0,40}(?:kill|die)",
    "illicit": "bomb|cocaine|counterfeit",
    "illicit/violent": "bomb",
    "self-harm": "suicide|hurt myself",
    "self-harm/intent": "kill myself|end my life",
    "self-harm/instructions": "how to (?:kill|hurt) myself",
    "sexual": "porn|nude",
    "sexual/minors": "child porn",
    "violence": "kill|murder|stab|shoot",
    "violence/graphic": "gore|dismember",
}
_PATTERNS: Final = {name: re.compile(rf"\b(?:{words})", re.IGNORECASE) for name, words in _WORDS.items()}
_HIT: Final = 0.97
_MISS: Final = 0.0001


@dataclass(frozen=True, slots=True)
class ModerationRequest:
    """Texts to judge."""

    model: str
    texts: tuple[str, ...]

    @property
    def charge(self) -> int:
        """Moderation takes no tokens off the limit."""
        return 0


class ModerationEndpoint:
    """`POST /v1/moderations`."""

    def parse(self, body: Any, run: Run) -> ModerationRequest:  # noqa: ARG002 - the protocol's
        """Read and check a body."""
        body = checked_body(body)
        value = body.get("input")
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = text_of(value)
        items = value if isinstance(value, list) else [value]
        if not items or not all(isinstance(item, str) for item in items):
            raise invalid("input", "a string, or an array of strings or of content parts")
        return ModerationRequest(model=str(body.get("model") or "omni-moderation-latest"), texts=tuple(items))

    async def reply(self, request: ModerationRequest, run: Run, fault: FaultKind | None) -> Result:  # noqa: ARG002
        """Judge each text."""
        results = [_judged(text) for text in request.texts]
        body = dump({"id": run.answers.next_id("modr-"), "model": request.model, "results": results})
        flagged = sum(result["flagged"] for result in results)
        tokens = sum(map(tokens_in, request.texts))
        return Result(summary=f"{flagged} of {len(results)} flagged", prompt_tokens=tokens, body=body)


def _judged(text: str) -> dict[str, Any]:
    categories = {name: pattern.search(text) is not None for name, pattern in _PATTERNS.items()}
    return {
        "flagged": any(categories.values()),
        "categories": categories,
        "category_scores": {name: _HIT if hit else _MISS for name, hit in categories.items()},
        "category_applied_input_types": {name: ["text"] for name in categories},
    }

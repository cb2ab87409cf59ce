"""The layer of signatures: no model, no network, no extra."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final

from langchain_prodkit._serial import Written
from langchain_prodkit.guard.normalize import MAX_DEPTH, MAX_READINGS, Reading, readings
from langchain_prodkit.guard.signatures import fired
from langchain_prodkit.guard.verdict import Reason, Score, Source

__all__ = ["HeuristicDetector"]

LAYER: Final = "heuristics"
_CONTENT: Final = frozenset({"document", "tool"})
"""Sources in which nobody is entitled to give the assistant a task; `auto` may be a user's."""
INLINE_CHARS: Final = 20_000
"""Up to this many characters are scored on the event loop; more go to a thread."""


class HeuristicDetector(Written):
    """Finds attacks by signatures in 20 languages, in the open or behind common encodings.

    Needs no model, no network and no extra, and reads every character of every text. It is made to be
    rarely wrong rather than to catch everything: what says nothing of instructions, prompts or roles
    (a foreign request in the middle of a document, a paraphrase) passes. With `source="document"` or
    `"tool"` tasks given to the assistant count too ("before you answer, do the following first"):
    nobody there is entitled to give any.
    """

    @property
    def name(self) -> str:
        """The layer's name in reasons, errors and events."""
        return LAYER

    def score(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text, one for one; time grows linearly with the text."""
        return [self.score_readings(text, readings(text), source=source) for text in texts]

    async def ascore(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text; more than 20,000 characters together are judged in a thread."""
        if sum(map(len, texts)) > INLINE_CHARS:
            return await asyncio.to_thread(self.score, texts, source=source)
        return self.score(texts, source=source)

    def score_readings(self, text: str, forms: Iterable[Reading], *, source: Source = "auto") -> Score:
        """Score a text whose readings are already known."""
        return _score(text, forms, is_content=source in _CONTENT)


def _score(text: str, forms: Iterable[Reading], *, is_content: bool) -> Score:
    best: dict[str, Reason] = {}
    depth = count = 0
    for count, reading in enumerate(forms, 1):  # noqa: B007 - the last one counts
        depth = max(depth, reading.depth)
        for code, weight, start, end in fired(reading.text, is_content=is_content):
            old = best.get(code)
            if old is None or old.score < weight:
                best[code] = Reason(code, LAYER, weight, reading.span(start, end), reading.encoding)
        if reading.hidden and "hidden_text" not in best:
            best["hidden_text"] = Reason("hidden_text", LAYER, 0.15, None, reading.encoding)
    if depth >= MAX_DEPTH or count >= MAX_READINGS:
        best["nested_encoding"] = Reason("nested_encoding", LAYER, 0.3)
    harmless = 1.0
    for reason in best.values():
        harmless *= 1.0 - reason.score
    return Score(1.0 - harmless, tuple(sorted(best.values(), key=lambda r: -r.score)), len(text))

"""The layer of signatures: no model, no network, no extra."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Final

from langchain_prodkit._serial import Written
from langchain_prodkit.guard.normalize import MAX_DEPTH, MAX_READINGS, Reading, readings
from langchain_prodkit.guard.signatures import fired
from langchain_prodkit.guard.verdict import Reason, Score, Source, texts_of

__all__ = ["HeuristicDetector"]

LAYER: Final = "heuristics"
_CONTENT: Final = frozenset({"document", "tool"})
"""Sources in which nobody is entitled to give the assistant a task; `auto` may be a user's."""
INLINE_CHARS: Final = 20_000
"""Up to this many characters are scored on the event loop; more go to a thread."""

REACH_CHARS: Final = 1_500
"""Signs that stand further apart in a long text are no evidence for each other."""


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
        return [self.score_readings(text, readings(text), source=source) for text in texts_of(texts)]

    async def ascore(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text; more than 20,000 characters together are judged in a thread."""
        texts = texts_of(texts)
        if sum(map(len, texts)) > INLINE_CHARS:
            return await asyncio.to_thread(self.score, texts, source=source)
        return self.score(texts, source=source)

    def score_readings(self, text: str, forms: Iterable[Reading], *, source: Source = "auto") -> Score:
        """Score a text whose readings are already known."""
        return _score(text, forms, is_content=source in _CONTENT)


def _score(text: str, forms: Iterable[Reading], *, is_content: bool) -> Score:
    found: list[list[tuple[int, Reason]]] = []
    everywhere: list[Reason] = []
    depth = count = 0
    for count, reading in enumerate(forms, 1):  # noqa: B007 - the last one counts
        depth = max(depth, reading.depth)
        found.append(
            [
                (start, Reason(code, LAYER, weight, reading.span(start, end), reading.encoding))
                for code, weight, start, end in fired(reading.text, is_content=is_content)
            ]
        )
        if reading.hidden and not everywhere:
            everywhere.append(Reason("hidden_text", LAYER, 0.15, None, reading.encoding))
    if depth >= MAX_DEPTH or count >= MAX_READINGS:
        everywhere.append(Reason("nested_encoding", LAYER, 0.3))
    all_of_it = [reason for placed in found for _, reason in placed]
    reasons = _heaviest([*all_of_it, *everywhere])
    value = _joint(reasons)
    if len(text) > REACH_CHARS and all_of_it:
        # An encoding is longer than what it says, so what is near is also measured in each reading.
        placed = [(reason.span[0] if reason.span else 0, reason) for reason in all_of_it]
        stretches = (near for places in (*found, placed) for near in _near(places))
        value = max((_joint(_heaviest([*near, *everywhere])) for near in stretches), default=value)
    return Score(value, tuple(sorted(reasons, key=lambda reason: -reason.score)), len(text))


def _near(placed: list[tuple[int, Reason]]) -> Iterator[list[Reason]]:
    """Yield the reasons that stand within reach of each other, beginning at each in turn."""
    placed = sorted(placed, key=itemgetter(0))
    last = 0
    for first, (place, _) in enumerate(placed):
        before = last
        while last < len(placed) and placed[last][0] <= place + REACH_CHARS:
            last += 1
        if last > before:  # otherwise all of it stood in the stretch before
            yield [reason for _, reason in placed[first:last]]


def _heaviest(reasons: Iterable[Reason]) -> list[Reason]:
    """Keep one reason of each code."""
    best: dict[str, Reason] = {}
    for reason in reasons:
        old = best.get(reason.code)
        if old is None or old.score < reason.score:
            best[reason.code] = reason
    return list(best.values())


def _joint(reasons: Iterable[Reason]) -> float:
    """Weigh reasons, one of each code, as independent of each other."""
    harmless = 1.0
    for reason in reasons:
        harmless *= 1.0 - reason.score
    return 1.0 - harmless

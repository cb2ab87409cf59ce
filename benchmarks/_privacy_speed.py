"""Cases of the privacy benchmark that take turns with the peers in one process."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from benchmarks._privacy_peers import ARTICLE, ENTITIES, PATTERN_ENTITIES, anonymizer, presidio
from langchain_prodkit.privacy import PresidioDetector

__all__ = ["Speed"]

Call = Callable[[], Any]
WARM_UP = ["Ada Byron in London", "김철수 씨는 서울에 산다"]
"""Loads the models before the clock runs; the cold start is a case of its own."""


class Speed:
    """Our detector, plain Presidio and langchain-experimental, each built once."""

    def __init__(self, mixed: Sequence[str], *, rounds: int) -> None:
        """Take the mixed texts, and how often a short case is repeated."""
        self._mixed = list(mixed)
        self._rounds = rounds
        self._peer = presidio()
        self._anonymize = anonymizer(ENTITIES)
        self._fresh = PresidioDetector(entities=ENTITIES, cache_size=0)
        self._fresh.detect(WARM_UP)

    def _theirs(self, text: str, entities: list[str]) -> Any:
        return self._peer.analyze(text, "en", entities=entities)

    def _one_by_one(self, texts: Sequence[str]) -> None:
        _each(lambda text: self._theirs(text, ENTITIES), texts)

    def article(self) -> dict[str, Any]:
        """The article's text with its four entities; its spans must be the same."""
        ours = {(one.start, one.end, one.entity) for one in self._fresh.detect([ARTICLE])[0]}
        theirs = {(one.start, one.end, one.entity_type) for one in self._theirs(ARTICLE, ENTITIES)}
        row = self._turns(
            "article's text, p50",
            lambda: self._fresh.detect([ARTICLE]),
            lambda: self._theirs(ARTICLE, ENTITIES),
            lambda: self._anonymize(ARTICLE),
        )
        return {**row, "goal": "0.50", "note": "same spans" if ours == theirs else "OTHER SPANS"}

    def patterns(self) -> dict[str, Any]:
        """Phone and e-mail only: no model runs here, Presidio runs all of spaCy."""
        light = PresidioDetector(entities=PATTERN_ENTITIES, cache_size=0)
        anonymize = anonymizer(PATTERN_ENTITIES)
        row = self._turns(
            "patterns only, p50",
            lambda: light.detect([ARTICLE]),
            lambda: self._theirs(ARTICLE, PATTERN_ENTITIES),
            lambda: anonymize(ARTICLE),
        )
        return {**row, "goal": "0.05"}

    def cached(self) -> dict[str, Any]:
        """A message that was read before."""
        detector = PresidioDetector(entities=ENTITIES)
        row = self._turns(
            "read before, p50",
            lambda: detector.detect([ARTICLE]),
            lambda: self._theirs(ARTICLE, ENTITIES),
            lambda: self._anonymize(ARTICLE),
        )
        return {**row, "goal": "0.02"}

    def chat(self, turns: int) -> dict[str, Any]:
        """A chat whose every turn sends the whole history again."""
        messages = self._mixed[: 2 * turns]
        detector = PresidioDetector(entities=ENTITIES)
        detector.detect(WARM_UP)
        histories = [messages[: 2 * turn + 1] for turn in range(turns)]
        ours = _cpu(lambda: [detector.detect(history) for history in histories])
        theirs = _cpu(lambda: [self._theirs(text, ENTITIES) for history in histories for text in history])
        times = theirs / ours
        return {
            "case": f"{turns}-turn chat, CPU s",
            "ours": ours,
            "presidio": theirs,
            "ours/presidio": ours / theirs,
            "goal": "30x less at 40 turns",
            "note": f"{times:.0f}x less",
        }

    def batch(self) -> dict[str, Any]:
        """A list of mixed texts: texts per CPU second."""
        texts = self._mixed
        half = len(texts) // 2
        spent = [0.0, 0.0, 0.0]
        for part in (texts[:half], texts[half:]):  # in turns: the machine is shared
            spent[0] += _cpu(partial(self._fresh.detect, part))
            spent[1] += _cpu(partial(self._one_by_one, part))
            spent[2] += _cpu(partial(_each, self._anonymize, part))
        rates = [len(texts) / one for one in spent]
        return {
            "case": f"{len(texts):,} mixed texts, texts per CPU s",
            "ours": rates[0],
            "presidio": rates[1],
            "langchain-experimental": rates[2],
            "ours/presidio": rates[0] / rates[1],
            "goal": "3.2 (more is better)",
        }

    def parity(self, limit: int) -> dict[str, Any]:
        """`profile="parity"`: how many mixed texts get Presidio's very spans, every entity asked."""
        texts = self._mixed[:limit]
        detector = PresidioDetector(profile="parity", cache_size=0)
        detector.detect(WARM_UP)
        entities = list(detector.entities)
        found: list[Any] = []
        ours = _cpu(lambda: found.extend(detector.detect(texts)))
        same, theirs = 0, 0.0
        for text, spans in zip(texts, found, strict=True):
            before = time.process_time()
            peer = self._theirs(text, entities)
            theirs += time.process_time() - before
            same += sorted((one.start, one.end, one.entity) for one in spans) == sorted(
                (one.start, one.end, one.entity_type) for one in peer
            )
        return {
            "case": f"parity on {len(texts):,} mixed texts, CPU s",
            "ours": ours,
            "presidio": theirs,
            "ours/presidio": ours / theirs,
            "goal": "99.5 % identical",
            "note": f"{100 * same / len(texts):.2f} % identical",
        }

    def long(self, chars: int) -> dict[str, Any]:
        """A long text, in async code: CPU, and the longest time the event loop stood still."""
        text = (ARTICLE + ". ") * (chars // len(ARTICLE) + 1)

        async def in_thread() -> None:
            await self._fresh.adetect([text])

        async def theirs() -> None:
            await asyncio.to_thread(self._theirs, text, ENTITIES)

        async def direct() -> None:
            self._anonymize(text)

        gaps, spent = [], []
        for work in (in_thread, theirs, direct):
            before = time.process_time()
            gaps.append(asyncio.run(_longest_gap(work)))
            spent.append(time.process_time() - before)
        return {
            "case": f"{len(text) // 1000} kB, longest event-loop gap, ms",
            "ours": gaps[0],
            "presidio": gaps[1],
            "langchain-experimental": gaps[2],
            "ours/presidio": gaps[0] / gaps[1],
            "goal": "50 ms",
            "note": "CPU s: " + ", ".join(f"{one:.2f}" for one in spent) + "; the last one has no async",
        }

    def _turns(self, case: str, *calls: Call) -> dict[str, Any]:
        walls: list[list[float]] = [[] for _ in calls]
        for call in calls:
            call()
        for turn in range(self._rounds):
            for at in range(len(calls)):
                side = (at + turn) % len(calls)
                before = time.perf_counter()
                calls[side]()
                walls[side].append(time.perf_counter() - before)
        p50 = [statistics.median(one) * 1000 for one in walls]
        return {
            "case": f"{case} ms",
            "ours": p50[0],
            "presidio": p50[1],
            "langchain-experimental": p50[2],
            "ours/presidio": p50[0] / p50[1],
        }


def _each(call: Callable[[str], Any], texts: Sequence[str]) -> None:
    for text in texts:
        call(text)


def _cpu(call: Call) -> float:
    before = time.process_time()
    call()
    return time.process_time() - before


async def _longest_gap(work: Callable[[], Awaitable[None]]) -> float:
    """Give the longest pause, in ms, of a task that wakes up every 2 ms while `work` runs."""
    gaps: list[float] = []

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(0.002)
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0.05)
    gaps.clear()
    await work()
    await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    beating.cancel()
    return max(gaps) * 1000

"""Long texts are read in overlapping windows: nothing is lost, nothing is invented."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_prodkit.privacy import PresidioDetector, Span
from langchain_prodkit.privacy.windows import BATCH_CHARS, MODEL, Cut, batches

VALUE = re.compile("<[^<>]*>")


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    pieces=st.lists(st.sampled_from(["<abc>", "<a b c d>", " ", "word ", "x" * 30, "\n"]), max_size=60),
    chars=st.integers(40, 90),
    overlap=st.integers(10, 19),
)
def test_what_fits_in_the_overlap_is_found_once_and_whole(
    pieces: list[str], chars: int, overlap: int
) -> None:
    """For every text and every cut, windows give what the whole text gives."""
    text = "".join(pieces)
    cut = Cut(chars, overlap)
    found: set[Span] = set()
    covered: set[int] = set()
    for window in cut.windows([text]):
        assert window.text == text[window.start : window.start + len(window.text)]
        assert len(window.text) <= chars
        covered |= set(range(window.start, window.start + len(window.text)))
        spans = [Span(one.start(), one.end(), "X", 1.0) for one in VALUE.finditer(window.text)]
        found |= set(window.whole(spans, overlap))
    assert covered == set(range(len(text)))
    assert found == {Span(one.start(), one.end(), "X", 1.0) for one in VALUE.finditer(text)}


def test_batches_are_bounded() -> None:
    """A model never holds on to more than a batch; windows keep their order."""
    windows = list(MODEL.windows(["word " * 10_000, "short", "", "word " * 100] * 30))
    grouped = list(batches(windows))
    assert [one for batch in grouped for one in batch] == windows
    assert all(len(batch) == 1 or sum(len(one.text) for one in batch) <= BATCH_CHARS for batch in grouped)


def test_names_on_a_seam_are_found(presidio: PresidioDetector) -> None:
    """A model reads a name whole in at least one window."""
    for shift in range(0, 40, 13):
        before = "The weather was fine and nobody said a word. " * 95
        text = f"{before}{'x ' * shift}My friend Barack Obama went home. " + "It rained for days. " * 60
        assert len(text) > MODEL.chars
        names = {text[one.start : one.end] for one in presidio.detect([text])[0] if one.entity == "PERSON"}
        assert "Barack Obama" in names


async def test_the_event_loop_goes_on_meanwhile() -> None:
    """While a long text is read, other tasks get their turn many times over."""
    detector = PresidioDetector(cache_size=0)
    await detector.adetect(["Barack Obama"])
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    beating = asyncio.create_task(beat())
    started = time.perf_counter()
    found: Any = await detector.adetect(["Barack Obama flew to Paris on Monday. " * 300])
    took = time.perf_counter() - started
    beating.cancel()
    assert len(found[0]) >= 600
    assert beats > 5, took

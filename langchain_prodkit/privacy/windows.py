"""Long texts in overlapping windows: bounded memory, linear time, and a thread that lets others run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langchain_prodkit.privacy.span import Span

__all__ = ["MODEL", "PATTERNS", "Cut", "Window", "batches"]

BATCH_CHARS: Final = 6_000
BATCH_TEXTS: Final = 64
_LOOK_BACK: Final = 40


class Window(NamedTuple):
    """A stretch of one of several texts."""

    number: int
    """Which of the texts."""
    start: int
    """Where in it."""
    text: str
    """The stretch."""
    total: int
    """How long the text is."""

    def whole(self, spans: Iterable[Span], overlap: int) -> Iterator[Span]:
        """Shift `spans` to the whole text, without those cut short that the neighbour has whole."""
        is_first, is_last = self.start == 0, self.start + len(self.text) >= self.total
        for span in spans:
            is_cut = (span.start == 0 and not is_first) or (span.end == len(self.text) and not is_last)
            if not (is_cut and span.end - span.start < overlap):
                yield span._replace(start=span.start + self.start, end=span.end + self.start)


class Cut(NamedTuple):
    """How texts are cut."""

    chars: int
    """The most characters of a window."""
    overlap: int
    """Characters that two neighbours share; what is shorter is found whole by one of them."""

    def windows(self, texts: Sequence[str]) -> Iterator[Window]:
        """Give the windows of each text in order; an empty text has none."""
        for index, text in enumerate(texts):
            if len(text) <= self.chars:
                if text:
                    yield Window(index, 0, text, len(text))
                continue
            start = 0
            while True:
                end = min(start + self.chars, len(text))
                yield Window(index, start, text[start:end], len(text))
                if end == len(text):
                    break
                start = self._blank_before(text, end - self.overlap)

    def _blank_before(self, text: str, at: int) -> int:
        """Begin a window with a word, so that a model does not read half of one."""
        for position in range(at, at - min(_LOOK_BACK, (self.chars - self.overlap) // 2), -1):
            if text[position - 1].isspace():
                return position
        return at


MODEL: Final = Cut(4_500, 300)
"""For a statistical model: it holds the interpreter for the length of a window."""
PATTERNS: Final = Cut(32_000, 4_000)
"""For patterns: the longest secret keys fit in the overlap."""


def batches(windows: Iterable[Window]) -> Iterator[list[Window]]:
    """Group windows for a model: enough to be fast, not so many that they hold others up."""
    batch: list[Window] = []
    chars = 0
    for window in windows:
        if batch and (chars + len(window.text) > BATCH_CHARS or len(batch) >= BATCH_TEXTS):
            yield batch
            batch, chars = [], 0
        batch.append(window)
        chars += len(window.text)
    if batch:
        yield batch

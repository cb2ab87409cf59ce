"""Texts longer than a classifier's window: what is read, in which windows, and what they add up to."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import ConfigurationError, GuardError
from langchain_prodkit.guard.heads import HeadCalibration
from langchain_prodkit.guard.ngram import NgramClassifier
from langchain_prodkit.guard.normalize import Reading, fold, readings
from langchain_prodkit.guard.verdict import Reason, Score, Source, texts_of

__all__ = ["Encoded", "WindowedClassifier", "readable", "stretches", "window_spans"]

STRETCH_CHARS: Final = 2_000
REASON_FROM: Final = 0.3
"""From this score up a reason names the window."""
_DISGUISE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    "\ufe00-\ufe0e\ufeff\uffa0\U000e0000-\U000e0fff]|[\u0300-\u036f]{2}|[a-zA-Z][\u0300-\u036f\u20d0-\u20ff]|[a-zA-Z][\u200c\u200d]"
)


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text as a model's tokens, without those that open and close a window."""

    ids: Sequence[int]
    offsets: Sequence[tuple[int, int]]
    """Where each token stands in the text; empty when the tokenizer does not say."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of one reading of a text."""

    text: str
    owner: int
    form: Reading | None
    """The reading whose characters from `offset` on it is; None when it was put together."""
    offset: int
    encoding: str
    stands_for: int
    """Characters of the original."""


def window_spans(count: int, window: int, stride: int) -> list[tuple[int, int]]:
    """Cut `count` tokens into windows of like length, as few as there can be.

    None holds more than `window` tokens, and neighbours share `window - stride` of them.
    """
    shared = window - stride
    windows = max(math.ceil((count - shared) / stride), 1)
    starts = [round(index * (count - shared) / windows) for index in range(windows)]
    ends = [*(start + shared for start in starts[1:]), count]
    return list(zip(starts, ends, strict=True))


def stretches(
    text: str, max_chars: int, *, ranking: NgramClassifier | None = None, size: int = STRETCH_CHARS
) -> list[tuple[int, int]]:
    """Say which parts of a text are read when only `max_chars` of it can be.

    The beginning and the end always, and between them the stretches of `size` characters that the
    n-gram layer, which reads all of them, finds worst, each with a sixth more on either side, so that
    no attack is cut in two unseen.
    """
    if len(text) <= max_chars:
        return [(0, len(text))]
    edge = size // 6
    cells = [text[at : at + size] for at in range(0, len(text), size)]
    last = len(cells) - 1
    heat = (ranking or _ranking()).heat(cells)
    chosen: set[int] = set()
    left = max_chars
    for cell in (0, last, *sorted(range(1, last), key=lambda cell: -heat[cell])):
        # Neighbours share their edges.
        costs = size + 2 * edge * (1 - len({cell - 1, cell + 1} & chosen))
        if costs > left:
            break
        chosen.add(cell)
        left -= costs
    joined: list[tuple[int, int]] = []
    for cell in sorted(chosen):
        start, end = max(cell * size - edge, 0), min((cell + 1) * size + edge, len(text))
        if joined and joined[-1][1] >= start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


@lru_cache(maxsize=1)
def _ranking() -> NgramClassifier:
    """Give the n-gram layer that ranks stretches: one, for it remembers what words weigh."""
    return NgramClassifier()


class WindowedClassifier(Rebuilt):
    """What classifiers with a window share: readings, windows, batches, calibration by window count.

    A subclass turns texts into tokens and windows into logits; it may be asked from many threads.
    """

    max_chars: int = Field(default=50_000, ge=4 * STRETCH_CHARS)
    """Characters of one text that are read at most; see `stretches` for which. `scanned_chars` of the
    score says how many were."""
    batch_size: int = Field(default=16, ge=1)
    """Windows that the model sees at once."""

    _stretch_chars: int = PrivateAttr(default=STRETCH_CHARS)

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    def __init__(self, **kwargs: Any) -> None:
        """Check the arguments.

        Raises:
            ConfigurationError: One of them makes no sense.
        """
        try:
            super().__init__(**kwargs)
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
            )
            raise ConfigurationError("; ".join(problems)) from None

    @property
    def name(self) -> str:
        """The layer's name in reasons, errors and events."""
        raise NotImplementedError  # pragma: no cover - abstract

    def _reads(self) -> Literal["folded", "plain"]:
        """Say whether the model was trained on folded text or on text as it was written."""
        raise NotImplementedError  # pragma: no cover - abstract

    def _sizes(self) -> tuple[int, int]:
        """Give the tokens of a window, without those that open and close it, and the stride."""
        raise NotImplementedError  # pragma: no cover - abstract

    def _most_windows(self) -> int:
        """Give the windows that go through the model together."""
        return self.batch_size

    def _encode(self, texts: Sequence[str]) -> list[Encoded]:
        raise NotImplementedError  # pragma: no cover - abstract

    def _logits(self, windows: Sequence[Sequence[int]]) -> Sequence[Sequence[float]]:
        """Give one logit a head for each window; windows are of like length."""
        raise NotImplementedError  # pragma: no cover - abstract

    def _judges(self, source: Source) -> Mapping[str, tuple[int, HeadCalibration]]:
        """Name the heads that judge a source: their column, and how their logits become scores."""
        raise NotImplementedError  # pragma: no cover - abstract

    async def ascore(
        self,
        texts: Sequence[str],
        *,
        source: Source = "auto",
        forms: Sequence[Sequence[Reading]] | None = None,
    ) -> list[Score]:
        """Score every text in a thread; the event loop goes on."""
        return await asyncio.to_thread(self.score, texts, source=source, forms=forms)

    def score(
        self,
        texts: Sequence[str],
        *,
        source: Source = "auto",
        forms: Sequence[Sequence[Reading]] | None = None,
    ) -> list[Score]:
        """Score every text, one for one; the windows of all texts go through the model together.

        `forms`: the readings of each text, from who has them already.

        Raises:
            GuardError: The model gave something that is no number.
        """
        texts = texts_of(texts)
        judges = self._judges(source)
        forms = [list(readings(text)) for text in texts] if forms is None else forms
        pieces = [
            piece
            for owner, (text, found) in enumerate(zip(texts, forms, strict=True))
            for piece in self._pieces(owner, text, found)
        ]
        encoded = self._encode([piece.text for piece in pieces]) if pieces else []
        window, stride = self._sizes()
        jobs = [
            (number, start, end)
            for number, found in enumerate(encoded)
            if found.ids
            for start, end in window_spans(len(found.ids), window, stride)
        ]
        counts = [0] * len(texts)
        best: list[dict[str, tuple[float, tuple[int, int, int]]]] = [{} for _ in texts]
        for job, logits in self._all_logits(encoded, jobs):
            owner = pieces[job[0]].owner
            counts[owner] += 1
            for head, (column, _) in judges.items():
                if head not in best[owner] or logits[column] > best[owner][head][0]:
                    best[owner][head] = (logits[column], job)
        read = [0] * len(texts)
        for piece in pieces:
            if not piece.encoding:
                read[piece.owner] += piece.stands_for
        scores = []
        for owner, tops in enumerate(best):
            value, head = 0.0, ""
            top: tuple[int, int, int] | None = None
            for one, (logit, where) in tops.items():
                score = judges[one][1].score(logit, counts[owner], source=source)
                if top is None or score > value:
                    value, top, head = score, where, one
            reasons: tuple[Reason, ...] = ()
            if top is not None and value >= REASON_FROM:
                number, start, end = top
                piece = pieces[number]
                span = _span(piece, encoded[number], start, end)
                reasons = (Reason(f"{head}_attack", self.name, value, span, piece.encoding),)
            scores.append(Score(value, reasons, min(read[owner], len(texts[owner]))))
        return scores

    def _all_logits(
        self, encoded: Sequence[Encoded], jobs: Sequence[tuple[int, int, int]]
    ) -> Iterator[tuple[tuple[int, int, int], Sequence[float]]]:
        # Windows of like length share a batch, so that little of it is padding.
        order = sorted(jobs, key=lambda job: job[2] - job[1])
        most = self._most_windows()
        for at in range(0, len(order), most):
            batch = order[at : at + most]
            outputs = self._logits([encoded[number].ids[start:end] for number, start, end in batch])
            if len(outputs) != len(batch):
                raise GuardError(f"the model of detector {self.name!r} did not answer for every window")
            for job, logits in zip(batch, outputs, strict=True):
                if any(math.isnan(logit) for logit in logits):
                    raise GuardError(f"the model of detector {self.name!r} gave NaN for a window")
                yield job, logits

    def _stretches(self, text: str) -> list[tuple[int, int]]:
        return stretches(text, self.max_chars, size=self._stretch_chars)

    def _pieces(self, owner: int, text: str, forms: Iterable[Reading]) -> Iterator[_Piece]:
        is_plain = self._reads() == "plain"
        seen: set[str] = set()
        for form in forms:
            if form.encoding:
                # What other readings already show is not read again.
                fresh = "\n".join(line for line in form.text.split("\n") if line not in seen)
                for start, end in self._stretches(fresh):
                    yield _Piece(fresh[start:end], owner, None, 0, form.encoding, 0)
            else:
                shown, place = readable(text, form) if is_plain else (form.text, form)
                spans = self._stretches(shown)
                for start, end in spans:
                    # Folding drops invisible characters; they count as read with the whole.
                    covers = len(text) if len(spans) == 1 else end - start
                    yield _Piece(shown[start:end], owner, place, start, "", covers)
            seen.update(form.text.split("\n"))


def readable(text: str, folded: Reading) -> tuple[str, Reading | None]:
    """Give what a model that reads plain text is shown, and the reading whose characters that is.

    That is the text as it was written (and None), or its folded reading where it wears a disguise:
    characters nobody sees, marks piled on letters, letters of another script.
    """
    shown = _encodable(text)
    if shown.isascii() or (_DISGUISE.search(shown) is None and folded.text == fold(shown)):
        return shown, None
    return folded.text, folded


def _encodable(text: str) -> str:
    """Put a mark in place of lone surrogates, one for one: tokenizers refuse them."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _span(piece: _Piece, encoded: Encoded, start: int, end: int) -> tuple[int, int] | None:
    if piece.encoding or not encoded.offsets:
        return None
    low, high = encoded.offsets[start][0] + piece.offset, encoded.offsets[end - 1][1] + piece.offset
    return (low, high) if piece.form is None else piece.form.span(low, high)

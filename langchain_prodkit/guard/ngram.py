"""A linear model over words, pieces of words and runs of words: microseconds, no extra needed.

Every token contributes the weights of itself and its pieces (known once, then remembered) and of
the pair, the pair with a gap and the triple that end in it. A window is the sum of its tokens'
contributions, taken from running sums, so time is linear in the text whatever the overlap.

The folder holds `weights.bin`: `buckets` signed bytes for the head `user`, then as many for
`document`; the card says `buckets`, `windows` (size and stride in tokens, one pair for each size), and
for each head `scale` (of a byte), `bias` and the calibration.
"""

from __future__ import annotations

import asyncio
import re
import threading
from array import array
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from pydantic import ConfigDict, PrivateAttr

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit.errors import ModelFileError
from langchain_prodkit.guard.heads import HEADS, heads_of
from langchain_prodkit.guard.normalize import Reading, fold, readings
from langchain_prodkit.guard.verdict import Reason, Score, Source, texts_of
from langchain_prodkit.guard.weights import SHIPPED, ModelFolder

__all__ = ["NgramClassifier", "tokens"]

LAYER: Final = "ngram"
INLINE_CHARS: Final = 20_000
"""Up to this many characters are scored on the event loop; more go to a thread."""
REMEMBERED: Final = 50_000
"""Tokens whose contribution is kept."""
PIECE: Final = (3, 4, 5)
SHORTEST: Final = 2
"""Longer tokens have pieces."""
VECTORS_FROM: Final = 150
"""From this many tokens up numpy is quicker, where it is installed; the sums are the same integers."""
REASON_FROM: Final = 0.3
"""From this score up a reason names the window."""

# Scripts written without spaces give one token a character; marks of Indic scripts are no letters.
_TOKEN = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
    r"|(?:[^\W\d_]|[" + "\u0900-\u0dff" + r"]){1,24}|\d+|[^\w\s]"
)
_NUMBER = "0"
_PIECE_SEED: Final = crc32(b"#")  # pieces and whole words never share a hash by design


def tokens(folded: str) -> list[str]:
    """Cut folded text into words, characters of scripts without spaces, numbers and marks."""
    return _TOKEN.findall(folded)


def token_hash(token: str) -> int:
    """Give a token its number; all numbers look alike to the model."""
    return crc32((_NUMBER if token[0].isdecimal() else token).encode("utf-8", "replace"))


def piece_buckets(token: str, buckets: int) -> list[int]:
    """List the buckets of a token itself and of its pieces."""
    if token[0].isdecimal():
        token = _NUMBER
    found = [token_hash(token) % buckets]
    if len(token) > SHORTEST:
        marked = f"<{token}>"
        raw = marked.encode("utf-8", "replace")
        # Slices of bytes need no encoding of their own.
        is_ascii = token.isascii()
        for size in PIECE:
            for at in range(len(marked) - size + 1):
                piece = raw[at : at + size] if is_ascii else marked[at : at + size].encode("utf-8", "replace")
                found.append(crc32(piece, _PIECE_SEED) % buckets)
    return found


def window_spans(count: int, sizes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Cut `count` tokens into windows of each size, `stride` apart; the last of each ends with the text."""
    spans: list[tuple[int, int]] = []
    for window, stride in sizes:
        if count > window:
            spans.extend(
                (start, start + window) for start in (*range(0, count - window, stride), count - window)
            )
    whole = max(window for window, _ in sizes)
    return spans if count > whole else [*spans, (0, count)]


class NgramClassifier(Rebuilt):
    """Tells attacks from harmless text by words and runs of words, in plain Python.

    Reads every character of every text and of what its encodings hide. Two heads: attacks by users,
    and instructions inside documents and tool results. Needs no extra.

    Raises:
        ModelFileError: At construction when a file is missing or the card is no card of an n-gram model; on
            first use when the weights are not those whose SHA-256 the card names.
    """

    path: str | None = None
    """The folder; None for the model that ships with the package."""
    sha256: str | None = None
    """SHA-256 of `card.json`, and so of the weights it names; None to trust the folder's card."""

    model_config = ConfigDict(extra="forbid")

    _folder: ModelFolder = PrivateAttr()
    _buckets: int = PrivateAttr(default=1)
    _windows: tuple[tuple[int, int], ...] = PrivateAttr(default=())
    _linear: tuple[tuple[float, float], ...] = PrivateAttr(default=())
    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _weights: tuple[array[int], array[int]] | None = PrivateAttr(default=None)
    _known: dict[str, tuple[int, int, int]] = PrivateAttr(default_factory=dict)
    _numpy: Any = PrivateAttr(default=None)

    def __init__(self, path: str | Path | None = None, *, sha256: str | None = None) -> None:
        """Read the card; the weights follow on first use."""
        super().__init__(path=None if path is None else str(path), sha256=sha256)
        folder = ModelFolder(SHIPPED / "ngram" if path is None else path, kind="ngram", sha256=sha256)
        card = folder.card
        try:
            self._buckets = int(card["buckets"])
            self._windows = tuple((int(window), int(stride)) for window, stride in card["windows"])
            heads = [card["heads"][head] for head in HEADS]
            self._linear = tuple((float(head["scale"]), float(head["bias"])) for head in heads)
        except (KeyError, TypeError, ValueError):
            self._windows = ()
        if not self._windows or self._buckets < 1 or any(not 0 < b <= a for a, b in self._windows):
            raise ModelFileError(
                f"card.json in {folder.path} lacks a number of an n-gram model, or contradicts itself"
            )
        self._folder = folder

    @property
    def name(self) -> str:
        """The layer's name in reasons, errors and events."""
        return LAYER

    @property
    def card(self) -> dict[str, Any]:
        """What the model is, was trained on and can do, as its folder says."""
        return dict(self._folder.card)

    def score(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text, one for one; time grows linearly with the text."""
        return [self.score_readings(text, list(readings(text)), source=source) for text in texts_of(texts)]

    async def ascore(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text; more than 20,000 characters together are judged in a thread."""
        texts = texts_of(texts)
        if sum(map(len, texts)) > INLINE_CHARS:
            return await asyncio.to_thread(self.score, texts, source=source)
        return self.score(texts, source=source)

    def score_readings(self, text: str, forms: Sequence[Reading], *, source: Source = "auto") -> Score:
        """Score a text whose readings are already known."""
        best: list[tuple[float, Reading, tuple[int, int]] | None] = [None] * len(HEADS)
        windows = 0
        for form in forms:
            found = tokens(form.text)
            if not found:
                continue
            spans = window_spans(len(found), self._windows)
            windows += len(spans)
            for index, logits in enumerate(self._logits(found, spans)):
                top = max(logits)
                known = best[index]
                if known is None or top > known[0]:
                    best[index] = (top, form, spans[logits.index(top)])
        value, reasons = 0.0, ()  # type: tuple[float, tuple[Reason, ...]]
        for head in heads_of(source):
            top_of_head = best[HEADS.index(head)]
            if top_of_head is None:
                continue
            logit, form, (start, end) = top_of_head
            score = self._folder.heads[head].score(logit, windows, source=source)
            if score >= max(value, REASON_FROM):
                span = form.span(*_characters(form.text, start, end))
                reasons = (Reason(f"{head}_attack", LAYER, score, span, form.encoding),)
            value = max(value, score)
        return Score(value, reasons, len(text))

    def heat(self, texts: Sequence[str]) -> list[float]:
        """Tell which of some stretches look worst, by the higher head; quicker than `score`."""
        heads = [self._folder.heads[head] for head in HEADS]
        words: list[str] = []
        spans: list[tuple[int, int]] = []
        owners: list[tuple[int, int]] = []
        for text in texts:
            mine = tokens(fold(text))
            first = len(spans)
            if mine:
                spans += [
                    (len(words) + start, len(words) + end)
                    for start, end in window_spans(len(mine), self._windows)
                ]
            owners.append((first, len(spans)))
            words += mine
        if not words:
            return [0.0] * len(texts)
        # All at once: the pairs of words across two stretches add a trace of noise, and it is thrice as fast.
        logits = self._logits(words, spans)
        return [
            max(
                head.score(max(one[first:last]), last - first, source="auto")
                for head, one in zip(heads, logits, strict=True)
            )
            if last > first
            else 0.0
            for first, last in owners
        ]

    def _logits(
        self, found: Sequence[str], spans: Sequence[tuple[int, int]]
    ) -> tuple[list[float], list[float]]:
        """Give the raw output of both heads for each span of tokens."""
        user, document = self._loaded()
        known = self._known
        entries = [known.get(token) or self._learnt(token, user, document) for token in found]
        if len(entries) >= VECTORS_FROM and self._numpy is not None:
            sums = _vector_sums(self._numpy, entries, self._buckets, user, document)
        else:
            sums = _plain_sums(entries, self._buckets, user, document)
        first, second = (
            [bias + scale * (one[end] - one[start]) / (end - start) ** 0.5 for start, end in spans]
            for one, (scale, bias) in zip(sums, self._linear, strict=True)
        )
        return first, second

    def _learnt(self, token: str, user: array[int], document: array[int]) -> tuple[int, int, int]:
        pieces = piece_buckets(token, self._buckets)
        entry = (token_hash(token), sum(user[i] for i in pieces), sum(document[i] for i in pieces))
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[token] = entry
        return entry

    def _loaded(self) -> tuple[array[int], array[int]]:
        if self._weights is None:
            with self._lock:
                if self._weights is None:
                    raw = self._folder.read("weights.bin")
                    half = self._buckets
                    if len(raw) != 2 * half:
                        raise ModelFileError(f"weights.bin in {self._folder.path} has the wrong length")
                    with suppress(ModuleNotFoundError):  # plain Python does without
                        self._numpy = import_module("numpy")
                    self._weights = (array("b", raw[:half]), array("b", raw[half:]))
        return self._weights


def _plain_sums(
    entries: Sequence[tuple[int, int, int]], buckets: int, user: array[int], document: array[int]
) -> tuple[list[int], list[int]]:
    """Add up what each token contributes, from the first one on."""
    a = b = 0
    of_user: list[int] = [0]
    of_document: list[int] = [0]
    for c, u, d in entries:
        pair = (b * 3 + c * 5 + 1) % buckets
        gapped = (a * 7 + c * 11 + 2) % buckets
        triple = (a * 13 + b * 17 + c * 19 + 3) % buckets
        of_user.append(u + user[pair] + user[gapped] + user[triple])
        of_document.append(d + document[pair] + document[gapped] + document[triple])
        a = b
        b = c
    return list(accumulate(of_user)), list(accumulate(of_document))


def _vector_sums(
    numpy: Any, entries: Sequence[tuple[int, int, int]], buckets: int, user: array[int], document: array[int]
) -> tuple[list[int], list[int]]:
    """Do the same for all tokens at once."""
    hashes, *contributions = zip(*entries, strict=True)
    c = numpy.zeros(len(entries) + 2, dtype=numpy.int64)
    c[2:] = hashes
    a, b, c = c[:-2], c[1:-1], c[2:]
    runs = (
        (b * 3 + c * 5 + 1) % buckets,
        (a * 7 + c * 11 + 2) % buckets,
        (a * 13 + b * 17 + c * 19 + 3) % buckets,
    )
    sums = []
    for own, weights in zip(contributions, (user, document), strict=True):
        of_head = numpy.frombuffer(weights, dtype=numpy.int8)
        each = numpy.array(own, dtype=numpy.int64)
        for run in runs:
            each += of_head[run]
        sums.append([0, *each.cumsum().tolist()])
    return sums[0], sums[1]


def _characters(folded: str, start: int, end: int) -> tuple[int, int]:
    """Say where the tokens `start:end` stand in the text."""
    first = last = 0
    for index, match in enumerate(_TOKEN.finditer(folded)):
        if index == start:
            first = match.start()
        if index == end - 1:
            last = match.end()
            break
    return first, last

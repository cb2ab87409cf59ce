"""Judge the records of files, a batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from langchain_prodkit._scan.findings import Finding, Place
from langchain_prodkit._scan.records import Kind, Record, ScanError, opened, records
from langchain_prodkit.guard.cascade import OPERATING_POINTS, OperatingPoint
from langchain_prodkit.guard.detection import checked_scores, detector_failure
from langchain_prodkit.guard.verdict import Detector, Reason, Score, Source

__all__ = ["Scan"]

BATCH_RECORDS: Final = 64
BATCH_CHARS: Final = 200_000


@dataclass
class Scan:
    """One run over many files."""

    detectors: Sequence[Detector]
    source: Source = "auto"
    operating_point: OperatingPoint = "balanced"
    kind: Kind | None = None
    """How all files are read; None to go by their names."""
    fields: tuple[str, ...] = ()
    on_progress: Callable[[str, int], object] = lambda _name, _chars: None
    """Told the file and the characters judged after every batch."""
    scanned: int = 0
    """Texts judged so far."""
    found: int = 0
    """Texts judged an attack so far."""
    errors: list[str] = field(default_factory=list)
    """Why files could not be read; the others are scanned all the same."""

    def findings(self, names: Iterable[str]) -> Iterator[Finding]:
        """Yield what is found, file by file."""
        for name in names:
            try:
                with opened(name) as file:
                    yield from self._judged(name, records(name, file, kind=self.kind, fields=self.fields))
            except ScanError as error:
                self.errors.append(str(error))

    def _judged(self, name: str, every: Iterator[Record]) -> Iterator[Finding]:
        problem: list[ScanError] = []
        while batch := _batch(every, problem):
            for record, score in zip(batch, self._scores(batch), strict=True):
                self.scanned += 1
                if score.value < OPERATING_POINTS[self.source][self.operating_point]:
                    continue
                reasons = [reason for reason in score.reasons if not _is_in_tail(record, reason)]
                if score.reasons and not reasons:
                    continue  # the next record holds it, with what follows
                self.found += 1
                yield self._finding(record, score, reasons)
            self.on_progress(name, sum(len(record.text) for record in batch))
        if problem:
            raise problem[0]

    def _scores(self, batch: Sequence[Record]) -> list[Score]:
        texts = [record.text for record in batch]
        best = [Score(0.0) for _ in batch]
        for detector in self.detectors:
            try:
                scores = checked_scores(detector, detector.score(texts, source=self.source), len(texts))
            except Exception as error:  # noqa: BLE001 - a detector may raise anything, with the text in it
                raise detector_failure(detector, error) from None
            best = [max(pair, key=lambda score: score.value) for pair in zip(best, scores, strict=True)]
        return best

    def _finding(self, record: Record, score: Score, reasons: Sequence[Reason]) -> Finding:
        places = tuple(_place(record, reason) for reason in reasons)
        layer = places[0].layer if places else self.detectors[-1].name
        return Finding(record, score.value, self.source, layer, places)


def _batch(every: Iterator[Record], problem: list[ScanError]) -> list[Record]:
    """Take the next records; what ends the file early goes to `problem`, for what came before is judged."""
    batch: list[Record] = []
    chars = 0
    try:
        for record in every:
            if record.text:
                batch.append(record)
                chars += len(record.text)
            if len(batch) >= BATCH_RECORDS or chars >= BATCH_CHARS:
                break
    except ScanError as error:
        problem.append(error)
    return batch


def _is_in_tail(record: Record, reason: Reason) -> bool:
    return reason.span is not None and reason.span[0] >= len(record.text) - record.tail > 0


def _place(record: Record, reason: Reason) -> Place:
    if reason.span is None:
        return Place(reason.code, reason.layer, reason.score, encoding=reason.encoding, line=record.line)
    start, end = reason.span
    before = record.text[:start]
    lines = before.count("\n")
    column = start - before.rfind("\n") if lines else record.column + start
    return Place(
        reason.code,
        reason.layer,
        reason.score,
        record.offset + start,
        record.offset + end,
        record.line + lines,
        column,
        reason.encoding,
    )

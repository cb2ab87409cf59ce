"""A report as a JSON file: with its texts, or as ids and scores alone."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.dataset import EvalDataset
from langchain_prodkit.evaluation.metrics import Score
from langchain_prodkit.evaluation.record import EvalRecord
from langchain_prodkit.evaluation.summary import RowScores

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.report import EvalReport

__all__ = ["load_parts", "replace_file", "save_report"]

FORMAT: Final = "langchain-prodkit evaluation report"
VERSION: Final = 1

_PARTS: Final = ("value", "skipped", "error", "rationale")


def save_report(report: EvalReport, path: str | Path, *, texts: bool) -> Path:
    """Write a report; see `EvalReport.save`."""
    with_texts = texts and report.fingerprints is None
    content = {
        "format": FORMAT,
        "version": VERSION,
        "dataset": {
            "name": report.dataset.name,
            "fingerprint": report.fingerprint,
            "question_fingerprint": report.question_fingerprint,
        },
        "texts": with_texts,
        "metrics": [
            {"name": item.name, "higher_is_better": item.higher_is_better} for item in report.summary.values()
        ],
        "rows": [
            {
                "id": scored.id,
                "scores": {name: _written(score, texts=with_texts) for name, score in scored.scores.items()},
                # What ended a run, and what was flagged, are names of the program's own.
                "record": row.to_dict() if with_texts else {"error": row.error, "flags": list(row.flags)},
            }
            for row, scored in zip(report.dataset, report.rows, strict=True)
        ],
    }
    try:
        data = json.dumps(content, allow_nan=False).encode()
    except (TypeError, ValueError):
        msg = (
            "the report cannot be written as JSON: a score is no finite number, or a row holds a live object"
        )
        raise EvaluationError(msg) from None
    return replace_file(Path(path), data, "the report")


def load_parts(
    path: str | Path,
) -> tuple[EvalDataset, tuple[RowScores, ...], dict[str, bool | None], tuple[str, str] | None]:
    """Read data set, rows, directions of the metrics and, without texts, the fingerprints."""
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        msg = f"the report cannot be read: {error.strerror or type(error).__name__}"
        raise EvaluationError(msg) from None
    except (ValueError, RecursionError):
        raise _no_report() from None
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise _no_report()
    if content.get("version") != VERSION:
        msg = f"the report was not written in version {VERSION} of its format; update langchain-prodkit"
        raise EvaluationError(msg)
    try:
        return _parts(content)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _no_report() from None


def _parts(
    content: Mapping[str, Any],
) -> tuple[EvalDataset, tuple[RowScores, ...], dict[str, bool | None], tuple[str, str] | None]:
    directions = {str(item["name"]): item["higher_is_better"] for item in content["metrics"]}
    records, rows = [], []
    for item in content["rows"]:
        records.append(EvalRecord.from_dict({**item["record"], "id": item["id"]}))
        scores = {name: _read(item["scores"][name]) for name in directions}
        rows.append(RowScores(records[-1].id, scores))
    given = content["dataset"]
    fingerprints = None
    if not content["texts"]:
        fingerprints = (str(given["fingerprint"]), str(given["question_fingerprint"]))
    return EvalDataset(tuple(records), str(given["name"])), tuple(rows), directions, fingerprints


def replace_file(path: Path, data: bytes, what: str) -> Path:
    """Write a file whole or not at all; `what` names it in the error.

    Raises:
        EvaluationError: It cannot be written; a file that was there stays as it was.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(data)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        msg = f"{what} cannot be written: {error.strerror or type(error).__name__}; give another path"
        raise EvaluationError(msg) from None
    return path


def _written(score: Score, *, texts: bool) -> dict[str, Any]:
    parts = _PARTS if texts else _PARTS[:-1]
    return {part: said for part in parts if (said := getattr(score, part)) is not None}


def _read(score: Mapping[str, Any]) -> Score:
    value = score.get("value")
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        raise TypeError
    said = {part: score.get(part) for part in _PARTS[1:]}
    return Score(None if value is None else float(value), **said)


def _no_report() -> EvaluationError:
    return EvaluationError("the file holds no evaluation report; give the path of one written by `save`")

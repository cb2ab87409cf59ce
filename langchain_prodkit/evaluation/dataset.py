"""`EvalDataset`: the rows to score, fixed, so that the same answers can be scored again and again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit._steps import Steps, adrive, drive
from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation.record import EvalRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pandas as pd  # type: ignore[import-untyped]
    from langchain_core.runnables import Runnable

__all__ = ["EvalDataset"]

_ALIASES: Final = {
    "question": "input", "query": "input", "inputs": "input", "prompt": "input",
    "answer": "output", "outputs": "output", "response": "output", "prediction": "output",
    "predictions": "output",
    "ground_truth": "expected", "reference": "expected", "target": "expected", "targets": "expected",
    "expected_output": "expected", "expected_answer": "expected",
    "context": "contexts", "retrieved_context": "contexts", "source_documents": "contexts",
    "documents": "contexts", "docs": "contexts",
    "run_id": "id",
}  # fmt: skip
_FIELDS: Final = frozenset(item.name for item in fields(EvalRecord))


@dataclass(frozen=True, slots=True)
class EvalDataset:
    """A fixed list of rows: recorded by `MLflowEvalCallback`, or written by hand.

    Generate answers once with `answer`, then `evaluate` as often as you like.

    Raises:
        EvaluationError: Two rows have the same id.
    """

    rows: tuple[EvalRecord, ...] = field(repr=False)
    name: str = "evaluation"
    """What the data set is called in MLflow."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))
        repeated = len(self.rows) - len({row.id for row in self.rows})
        if repeated:
            msg = (
                f"{repeated} of {len(self.rows)} rows have the same id as another row of the data set; make "
                "ids unique or leave them out"
            )
            raise EvaluationError(msg)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[EvalRecord]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> EvalRecord:
        return self.rows[index]

    @property
    def fingerprint(self) -> str:
        """The sha256 (hex) of what was asked, read, answered and expected, in order.

        Ids, times and costs do not count: the same answers give the same fingerprint on any day.
        """
        rows = [
            [row.input, row.output, row.expected, [context.text for context in row.contexts]] for row in self
        ]
        return _digest(rows)

    @property
    def question_fingerprint(self) -> str:
        """The sha256 (hex) of ids, inputs and expected answers, in any order.

        Equal where two versions of an application were asked the same: only then can their scores be
        compared row by row.
        """
        return _digest(sorted([row.id, _digest([row.input, row.expected])] for row in self))

    @classmethod
    def from_records(
        cls,
        records: Iterable[EvalRecord | Mapping[str, Any]],
        *,
        columns: Mapping[str, str] | None = None,
        name: str = "evaluation",
    ) -> EvalDataset:
        """Make a data set of records, or of mappings such as `{"question": ..., "answer": ...}`.

        Args:
            records: Rows. A row without an id is numbered.
            columns: Field of `EvalRecord` -> column that holds it, e.g. `{"input": "frage"}`. Without
                it the usual names are understood: question, answer, context, ground_truth and so on.
                Columns that belong to no field become metadata.
            name: What the data set is called in MLflow.

        Raises:
            EvaluationError: Ids repeat, a column named in `columns` is missing, or one has the wrong
                shape.
        """
        renamed = {column: known for known, column in (columns or {}).items()}
        if unknown := set(renamed.values()) - _FIELDS:
            msg = f"no such field of a row: {', '.join(sorted(unknown))}"
            raise EvaluationError(msg)
        return cls(
            tuple(
                row if isinstance(row, EvalRecord) else _row(row, number, renamed)
                for number, row in enumerate(records, start=1)
            ),
            name,
        )

    @classmethod
    def from_traces(cls, traces: Iterable[Any], *, name: str = "traces") -> EvalDataset:
        """Read MLflow traces, such as `mlflow.search_traces(return_type="list")` gives; one row each.

        Input and output are the root span's, contexts what retriever spans gave, `expected` an
        expectation named `expected_response`; feedback, times, tokens and errors come with them.

        Raises:
            EvaluationError: Something among them is no trace.
        """
        from langchain_prodkit.evaluation.mlflow_data import rows_of_traces  # noqa: PLC0415 - only here

        return cls(rows_of_traces(traces), name)

    @classmethod
    def from_mlflow(cls, name: str, *, tracking_uri: str | Path | None = None) -> EvalDataset:
        """Read a data set of an MLflow store (`mlflow.genai.datasets`) by its name or id.

        Raises:
            StoreError: The store cannot be reached, or has no such data set.
            MissingExtraError: MLflow is not installed.
        """
        from langchain_prodkit.evaluation.mlflow_data import read_dataset  # noqa: PLC0415 - only here

        return cls(read_dataset(name, tracking_uri), name)

    def to_mlflow(
        self,
        *,
        name: str | None = None,
        experiment: str | None = None,
        tracking_uri: str | Path | None = None,
    ) -> str:
        """Write the questions (inputs and expected answers) as an MLflow data set; give its id.

        One of that name is added to: rows with inputs that it holds already are replaced. MLflow wants a
        mapping as inputs: a text becomes `{"question": text}`.

        Raises:
            StoreError: The store cannot be reached or written, or is a folder of files, which MLflow
                keeps no data sets in.
            MissingExtraError: MLflow is not installed.
        """
        from langchain_prodkit.evaluation.mlflow_data import write_dataset  # noqa: PLC0415 - only here

        return write_dataset(self, name or self.name, experiment, tracking_uri)

    @classmethod
    def from_jsonl(
        cls, path: str | Path, *, columns: Mapping[str, str] | None = None, name: str | None = None
    ) -> EvalDataset:
        """Read one row a line; see `from_records`.

        Raises:
            EvaluationError: The file cannot be read, or a line is not a JSON object.
        """
        path = Path(path)
        rows = []
        number = 0
        try:
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        rows.append(json.loads(line))
                        if not isinstance(rows[-1], dict):
                            raise _bad_row(number)
        except OSError as error:
            msg = f"the data set cannot be read: {error.strerror or type(error).__name__}"
            raise EvaluationError(msg) from None
        except json.JSONDecodeError:
            raise _bad_row(number) from None
        except UnicodeDecodeError:
            raise _bad_row(number + 1) from None
        return cls.from_records(rows, columns=columns, name=name or path.stem)

    def to_jsonl(self, path: str | Path) -> Path:
        """Write one row a line, as `from_jsonl` reads it; an existing file is replaced.

        Raises:
            EvaluationError: The file cannot be written.
        """
        path = Path(path)
        try:
            with path.open("w", encoding="utf-8", newline="\n") as lines:
                lines.writelines(json.dumps(row.to_dict()) + "\n" for row in self)
        except OSError as error:
            msg = f"the data set cannot be written: {error.strerror or type(error).__name__}"
            raise EvaluationError(msg) from None
        return path

    @classmethod
    def from_pandas(
        cls, frame: pd.DataFrame, *, columns: Mapping[str, str] | None = None, name: str = "evaluation"
    ) -> EvalDataset:
        """Read a data frame, one row each; see `from_records`. Missing values become None."""
        names = [str(column) for column in frame.columns]
        rows = [
            {column: _cell(value) for column, value in zip(names, values, strict=True)}
            for values in frame.itertuples(index=False, name=None)
        ]
        return cls.from_records(rows, columns=columns, name=name)

    def to_pandas(self) -> pd.DataFrame:
        """Give a data frame with a column for each field that any row has.

        Raises:
            MissingExtraError: pandas is not installed (it comes with MLflow).
        """
        frame: pd.DataFrame = require("pandas", extra="eval").DataFrame([row.to_dict() for row in self])
        return frame

    def answer(
        self,
        chain: Runnable[Any, Any],
        *,
        max_concurrency: int = 8,
        progress: bool = False,
        resume: str | Path | None = None,
    ) -> EvalDataset:
        """Run `chain` on every input, once, and give the data set with the answers.

        Contexts, usage and times are recorded with them. A row whose run fails has no output and
        says the class of the `error`; the others go on. Contexts of a row are kept when the chain
        retrieved none. `chain.batch` is not used: its steps wait for one another, so that every row
        would seem to take as long as all of them.

        Args:
            chain: Any Runnable.
            max_concurrency: Rows that run at once.
            progress: Show a bar on the standard error stream.
            resume: A file to which each row is written as it ends (JSON lines with the raw texts, as
                `from_jsonl` reads them). Rows that it holds an answer of, from a run that was broken
                off, are not asked again; failed ones are.

        Raises:
            EvaluationError: The file cannot be used, or holds answers to other questions.
        """
        return drive(self._answer(chain, max_concurrency, progress, resume))

    async def aanswer(
        self,
        chain: Runnable[Any, Any],
        *,
        max_concurrency: int = 8,
        progress: bool = False,
        resume: str | Path | None = None,
    ) -> EvalDataset:
        """Do what `answer` does, from asynchronous code."""
        return await adrive(self._answer(chain, max_concurrency, progress, resume))

    def _answer(
        self, chain: Runnable[Any, Any], max_concurrency: int, progress: bool, resume: str | Path | None
    ) -> Steps[EvalDataset]:
        # It records with the callback, which gives out data sets.
        from langchain_prodkit.evaluation.answering import answered  # noqa: PLC0415

        rows = yield from answered(
            self.rows,
            chain,
            max_concurrency=max_concurrency,
            is_shown=progress,
            resume=None if resume is None else Path(resume),
        )
        return replace(self, rows=rows)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _row(row: Mapping[str, Any], number: int, renamed: Mapping[str, str]) -> EvalRecord:
    if missing := set(renamed) - set(row):
        msg = f"row {number} of the data set lacks {len(missing)} of the columns named in columns="
        raise EvaluationError(msg)
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    taken = set(renamed.values())
    for column, value in row.items():
        if column in renamed:
            values[renamed[column]] = value
        elif column in _FIELDS and column not in taken:
            values.setdefault(column, value)
        elif (known := _ALIASES.get(column)) and known not in taken and known not in row:
            values.setdefault(known, value)
        else:
            extra[column] = value
    if values.get("id") is None:
        values["id"] = f"row-{number}"
    metadata = values.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise _bad_row(number)
    values["metadata"] = {**extra, **metadata}
    return EvalRecord.from_dict(values)


def _cell(value: Any) -> Any:
    item = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    if hasattr(item, "tolist"):
        return item.tolist()
    # pandas writes "no value" as NaN, NaT or NA: each differs from itself, or refuses to say.
    try:
        return item if bool(item == item) else None  # noqa: PLR0124
    except (TypeError, ValueError):
        return None


def _bad_row(number: int) -> EvaluationError:
    return EvaluationError(f"row {number} of the data set is not a JSON object with columns of a row")

"""`eval generate`: questions about documents, in a file that `eval run` takes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
from langchain_core.documents import Document

from langchain_prodkit._eval.objects import model_at
from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation import generate_questions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["documents_in", "run_generate"]

_TEXTS: Final = (".txt", ".md", ".rst")


def run_generate(
    docs: Sequence[Path],
    *,
    llm: str,
    n: int,
    out_of_scope: float,
    description: str | None,
    seed: int,
    concurrency: int,
    output: Path,
) -> None:
    """Write `n` questions as rows without answers."""
    documents = list(documents_in(docs))
    if not documents:
        msg = f"no documents; files are {', '.join(_TEXTS)}, or .jsonl with a text or page_content a line"
        raise ConfigurationError(msg)
    dataset = generate_questions(
        documents,
        model_at(llm, "--llm"),
        n=n,
        out_of_scope=out_of_scope,
        description=description,
        seed=seed,
        concurrency=concurrency,
    )
    dataset.to_jsonl(output)
    typer.echo(f"{len(dataset)} questions in {output}")
    if len(dataset) < n:
        sys.stderr.write(f"eval: {n} were asked for\n")


def documents_in(paths: Sequence[Path]) -> Iterator[Document]:
    """Read documents from files, and from the files of folders, in the order of their names.

    Raises:
        EvaluationError: A file cannot be read, or a line of a .jsonl file holds no text.
    """
    for path in paths:
        if path.is_dir():
            inside = (file for file in path.rglob("*") if file.is_file())
            files = sorted(file for file in inside if file.suffix.lower() in {*_TEXTS, ".jsonl"})
        else:
            files = [path]
        for file in files:
            yield from _read(file)


def _read(path: Path) -> Iterator[Document]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or type(error).__name__}"
        raise EvaluationError(msg) from None
    if path.suffix.lower() != ".jsonl":
        if text.strip():
            yield Document(text, id=path.name, metadata={"source": path.name})
        return
    for line, row in enumerate(text.splitlines(), start=1):
        if row.strip():
            yield _document(row, path, line)


def _document(row: str, path: Path, line: int) -> Document:
    try:
        found: Any = json.loads(row)
    except (ValueError, RecursionError):
        found = None
    text = found.get("page_content", found.get("text")) if isinstance(found, dict) else found
    if not isinstance(text, str):
        msg = f"{path}, line {line}, is no JSON object with a text or page_content"
        raise EvaluationError(msg)
    identity = found.get("id") if isinstance(found, dict) else None
    return Document(
        text, id=f"{path.name}:{line}" if identity is None else str(identity), metadata={"source": path.name}
    )

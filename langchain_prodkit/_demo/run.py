"""Run the desk: build the chain, ask the questions, evaluate, and check what was promised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.runnables import Runnable

from langchain_prodkit import (
    InjectionGuardRunnable,
    InstructorParser,
    MLflowEvalCallback,
    PresidioRunnable,
    RateLimitedAsyncChat,
)
from langchain_prodkit._demo.desk import PROMPT, Question, Ticket
from langchain_prodkit._demo.watch import Row, Wire
from langchain_prodkit.errors import InjectionError, ProdkitError, StructuredOutputError
from langchain_prodkit.evaluation import read_run

if TYPE_CHECKING:
    from langchain_prodkit._demo.provider import Provider
    from langchain_prodkit.evaluation import StoredRun

__all__ = ["Outcome", "ask", "checks", "evaluated"]

EXPERIMENT = "support desk"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The rows, and the evaluation run read back from the store."""

    rows: Sequence[Row]
    stored: StoredRun
    tracking_uri: str


def store_uri(folder: Path) -> str:
    """Give the address of the demo's MLflow store in `folder`."""
    return f"sqlite:///{(folder / 'mlflow.db').resolve()}"


async def ask(
    provider: Provider, questions: Sequence[Question], *, store: Path, progress: Callable[[], None]
) -> tuple[list[Row], MLflowEvalCallback]:
    """Send every question through the chain and give a row for each, in order."""
    privacy = PresidioRunnable()
    wire = Wire(model=provider.model)
    limited = RateLimitedAsyncChat(
        wire,
        requests_per_minute=provider.requests_per_minute,
        tokens_per_minute=provider.tokens_per_minute,
    )
    safe = privacy.protect(limited)
    parser: Runnable[Any, Ticket] = InstructorParser(Ticket, llm=safe, mode="json_schema")
    chain: Runnable[Any, Ticket] = InjectionGuardRunnable() | PROMPT | parser
    record = MLflowEvalCallback(experiment=EXPERIMENT, tracking_uri=store_uri(store), redact=privacy.detector)
    rows = [Row(question) for question in questions]
    turns = asyncio.Semaphore(provider.max_concurrency)

    async def one(row: Row) -> None:
        async with turns:
            await _answer(chain, row, record)
        row.sent = wire.sent.get(row.question.id, [])
        progress()

    async with asyncio.TaskGroup() as group:
        for row in rows:
            group.create_task(one(row))
    return rows, record


async def _answer(chain: Runnable[Any, Ticket], row: Row, record: MLflowEvalCallback) -> None:
    config: Any = {
        "callbacks": [row.watch, record],
        "metadata": {"question_id": row.question.id, "kind": row.question.kind},
    }
    try:
        row.ticket = await chain.ainvoke({"question": row.question.question}, config)
        row.verdict = "answered"
    except InjectionError as error:
        row.is_blocked = True
        row.verdict = f"blocked: {', '.join(error.reasons[:2])}"
    except StructuredOutputError as error:
        row.verdict = f"no ticket: {error.reason}"
    except ProdkitError as error:
        row.verdict = f"failed: {error.code}"
    except Exception as error:  # noqa: BLE001 - one bad answer must not end the demo
        row.verdict = f"failed: {type(error).__name__}"


def evaluated(rows: Sequence[Row], record: MLflowEvalCallback, *, store: Path) -> Outcome:
    """Score what was recorded, write it as one MLflow run, and read that run back."""
    run_id = record.log(run_name="demo")
    uri = store_uri(store)
    return Outcome(rows=rows, stored=read_run(run_id, tracking_uri=uri), tracking_uri=uri)


def checks(outcome: Outcome) -> dict[str, bool]:
    """Say, for each promise of the demo, whether it was seen to hold."""
    rows = outcome.rows
    return {
        "an injection was blocked before any call": any(row.is_blocked and not row.sent for row in rows),
        "a value was hidden on the wire and restored in the answer": any(row.returned() for row in rows),
        "an answer was re-asked with its validation error": any(row.watch.reasks for row in rows),
        "a call waited for the limit": any(row.watch.waited_s > 0 for row in rows),
        "the evaluation was read back from the MLflow store": bool(outcome.stored.metrics),
    }

"""The demo in a terminal: progress bar, table, evaluation summary, checks."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from langchain_prodkit._demo.desk import choose, load_questions
from langchain_prodkit._demo.provider import ProviderName, check_extra, open_provider
from langchain_prodkit._demo.run import Outcome, ask, checks, evaluated
from langchain_prodkit._demo.watch import Row
from langchain_prodkit.errors import StoreError

__all__ = ["show_demo"]

_SEEN_CHARS = 90


def show_demo(*, provider: ProviderName, count: int | None, store: Path, console: Console) -> bool:
    """Run the demo and print it; True when every check held."""
    # MLflow tells of the tables it creates, instructor of each answer it gave up on: the table does too.
    for name, level in (("mlflow", "WARNING"), ("alembic", "WARNING"), ("instructor", "CRITICAL")):
        logging.getLogger(name).setLevel(level)
    check_extra()
    with open_provider(provider) as opened:
        console.print(f"[bold]{escape(opened.title)}[/bold]")
        questions = choose(load_questions(), count or opened.questions, max_chars=opened.max_question_chars)
        _make_folder(store)
        console.print(
            f"{len(questions)} questions to a support desk, {opened.requests_per_minute} requests and "
            f"{opened.tokens_per_minute} tokens per minute at most"
        )
        with Progress(
            TextColumn("asking"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        ) as bar:
            task = bar.add_task("asking", total=len(questions))
            rows, record = asyncio.run(
                ask(opened, questions, store=store, progress=lambda: bar.advance(task))
            )
    console.print(_table(rows))
    with console.status("evaluating ..."):
        outcome = evaluated(rows, record, store=store)
    _print_evaluation(outcome, console)
    return _print_checks(outcome, console)


def _make_folder(store: Path) -> None:
    try:
        store.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = (
            f"cannot make a folder for the MLflow store ({type(error).__name__}); name another: --store DIR"
        )
        raise StoreError(message) from None


def _table(rows: list[Row]) -> Table:
    table = Table(title="What happened to each question", show_lines=False, expand=True)
    for name, options in {
        "id": {"no_wrap": True},
        "verdict": {"ratio": 4},
        "what the model saw": {"ratio": 7},
        "what came back": {"ratio": 6},
        "tokens": {"justify": "right", "no_wrap": True},
        "waited": {"justify": "right", "no_wrap": True},
    }.items():
        table.add_column(name, **options)  # type: ignore[arg-type]
    for row in rows:
        verdict = escape(row.verdict)
        if row.watch.reasks:
            verdict += f", {row.watch.reasks} re-ask" + "s" * (row.watch.reasks > 1)
        style = "red" if row.is_blocked else ("yellow" if row.ticket is None else "")
        table.add_row(
            row.question.id,
            verdict,
            _short(_question_as_sent(row)),
            _came_back(row),
            str(row.watch.tokens or ""),
            f"{row.watch.waited_s:.1f} s" if row.watch.waited_s else "",
            style=style,
        )
    return table


def _question_as_sent(row: Row) -> str:
    if not row.sent:
        return "(nothing: it never left)"
    # The question is the first text after the prompt's system message and example.
    return row.sent[3] if len(row.sent) > 3 else row.sent[-1]  # noqa: PLR2004 - see PROMPT


def _came_back(row: Row) -> str:
    if row.ticket is None:
        return ""
    ticket = row.ticket
    return (
        f"[{_color(row)}]{escape(_flat(ticket.customer))}[/] | {ticket.category}, {ticket.urgency} | "
        + _short(ticket.summary)
    )


def _color(row: Row) -> str:
    return "bold green" if row.returned() else "default"


def _short(text: str) -> str:
    flat = _flat(text)
    shown = escape(flat if len(flat) <= _SEEN_CHARS else f"{flat[:_SEEN_CHARS]} ... ({len(text)} characters)")
    return re.sub(r"&lt;|(<[A-Z_]+_\d+>)", lambda found: f"[cyan]{found.group()}[/cyan]", shown)


def _flat(text: str) -> str:
    return " ".join(text.split())


def _print_evaluation(outcome: Outcome, console: Console) -> None:
    rows = outcome.rows
    values = [value for row in rows if row.sent for value in row.question.private]
    leaked = [value for row in rows for value in row.leaked()]
    if values:
        console.print(
            f"Personal data on the wire: {len(values) - len(leaked)} of {len(values)} known values hidden"
            + (f"; missed in {', '.join(row.question.id for row in rows if row.leaked())}" if leaked else "")
        )
    table = Table(title="Evaluation (local metrics, no judge), read back from MLflow")
    table.add_column("metric")
    table.add_column("mean", justify="right")
    table.add_column("rows scored", justify="right")
    stored = outcome.stored.metrics
    for name, mean in sorted(stored.items()):
        metric, _, kind = name.rpartition("/")
        if kind == "mean":
            scored = stored["rows"] - stored.get(f"{metric}/skipped", 0)
            table.add_row(escape(metric), f"{mean:.2f}", f"{scored:.0f}")
    console.print(table)
    console.print("See it in MLflow's UI:")
    # Printed bare, so that it can be copied from a narrow terminal.
    print(f"  mlflow ui --backend-store-uri {outcome.tracking_uri}")  # noqa: T201


def _print_checks(outcome: Outcome, console: Console) -> bool:
    results = checks(outcome)
    for name, held in results.items():
        console.print(f"[green]seen[/green]     {name}" if held else f"[red]NOT SEEN[/red] {name}")
    return all(results.values())

"""The command line: `langchain-prodkit demo | redact | scan | eval | provider`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from langchain_prodkit import __version__
from langchain_prodkit._demo.provider import ProviderName
from langchain_prodkit._eval.app import eval_app

__all__ = ["app"]

app = typer.Typer(
    help="What a LangChain prototype needs to go to production.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    provider: Annotated[
        ProviderName,
        typer.Option(
            help="Who answers: your own model (OPENAI_API_KEY, OPENAI_BASE_URL, OPENAI_MODEL), the small "
            "real one on this machine, or a simulated one; auto takes your own if it is set."
        ),
    ] = "auto",
    questions: Annotated[int | None, typer.Option(min=1, max=60, help="How many of the 60 to ask.")] = None,
    store: Annotated[Path, typer.Option(help="Folder for the MLflow store.")] = Path(".prodkit"),
) -> None:
    """Watch all five pieces at work on a support desk; exits 1 unless each was seen to work."""
    from langchain_prodkit._demo.show import show_demo  # noqa: PLC0415 - loads every room

    if not show_demo(provider=provider, count=questions, store=store, console=Console()):
        raise typer.Exit(1)


Source = Annotated[
    typer.FileText, typer.Argument(help="A text file; - or nothing for standard input.", show_default=False)
]


@app.command()
def redact(  # noqa: PLR0917 - typer calls it by keyword
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Files, text, JSON lines or CSV; - or nothing for standard input."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write to; a folder for several files.")
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Of JSON lines only this field; a.b reaches inside; repeatable.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Of CSV only this column; repeatable.")] = None,
    format_: Annotated[
        Literal["auto", "text", "jsonl", "csv"], typer.Option("--format", help="auto: by the file's suffix.")
    ] = "auto",
    operator: Annotated[
        Literal["placeholder", "mask", "hash", "encrypt", "redact"],
        typer.Option(help="What stands in the place of a value; hash and encrypt use PRODKIT_OPERATOR_KEY."),
    ] = "placeholder",
    vault: Annotated[
        str | None,
        typer.Option(
            help="Keeps the values for --restore: a file, or redis://..., sealed with PRODKIT_VAULT_KEY."
        ),
    ] = None,
    thread: Annotated[str | None, typer.Option(help="Conversation in a redis vault.")] = None,
    user: Annotated[str | None, typer.Option(help="Owner of the conversation.")] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Put the values back instead.")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Counts as one JSON line a file, on standard error.")
    ] = False,
    spans: Annotated[bool, typer.Option("--spans", help="Print where, as JSON lines, instead.")] = False,
    profile: Annotated[
        Literal["balanced", "strict", "patterns", "parity"],
        typer.Option(help="patterns: no names, but 20 times faster."),
    ] = "balanced",
    language: Annotated[
        list[str] | None, typer.Option(help="Language of the texts, such as en or ko; repeatable.")
    ] = None,
) -> None:
    """Replace personal data in files by placeholders, say where it stands, or put it back."""
    from langchain_prodkit.privacy.command import Job, redact_files  # noqa: PLC0415 - only when asked for

    redact_files(
        Job(
            files=files or ["-"],
            out=out,
            names=[*(field or ()), *(column or ())],
            format=format_,
            operator=operator,
            vault=vault,
            thread=thread,
            user=user,
            restores=restore,
            reports=report,
            shows_spans=spans,
            profile=profile,
            languages=language or ("en",),
        )
    )


@app.command()
def scan(  # noqa: PLR0917 - typer calls it by keyword
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Text, .jsonl, .csv or .tsv files; - or nothing for standard input."),
    ] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Field of JSON rows (a.b for b inside a); again for more.")
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Column of a CSV file; again for more.")] = None,
    kind: Annotated[
        Literal["txt", "jsonl", "csv"] | None, typer.Option(help="Read all files as this.")
    ] = None,
    source: Annotated[
        Literal["auto", "user", "document", "tool"], typer.Option(help="Where the texts come from.")
    ] = "auto",
    operating_point: Annotated[
        Literal["precise", "balanced", "sensitive"], typer.Option(help="How readily to call it an attack.")
    ] = "balanced",
    detectors: Annotated[
        Literal["default", "signatures"],
        typer.Option(help="signatures: no model, no extra; quick, and catches less."),
    ] = "default",
    output: Annotated[
        Literal["text", "jsonl", "sarif"], typer.Option(help="How findings are written.")
    ] = "text",
) -> None:
    """Judge files for prompt injection; exits 0 for none, 1 for findings, 2 for what could not be read.

    Findings say file, line, codes and spans; the text itself is never shown.
    """
    from langchain_prodkit._scan.command import run_scan  # noqa: PLC0415 - loads the detectors

    code = run_scan(
        files or ["-"],
        fields=(*(field or ()), *(column or ())),
        kind=kind,
        source=source,
        operating_point=operating_point,
        detectors=detectors,
        output=output,
    )
    if code:
        raise typer.Exit(code)


app.add_typer(eval_app, name="eval")


@app.command()
def provider(  # noqa: PLR0917 - typer calls it by keyword
    rpm: Annotated[float | None, typer.Option(help="Requests per minute.")] = None,
    tpm: Annotated[float | None, typer.Option(help="Tokens per minute.")] = None,
    fault_rate: Annotated[float, typer.Option(help="Share of requests that go wrong, 0 to 1.")] = 0.0,
    latency: Annotated[str, typer.Option(help="Seconds, or a distribution such as lognormal:0.5.")] = "0",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for any free one.")] = 8080,
    refund: Annotated[bool, typer.Option("--refund", help="Give unused max_tokens back.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the faults.")] = 0,
) -> None:
    """Serve the OpenAI-compatible test provider until Ctrl-C."""
    from langchain_prodkit.testing import serve  # noqa: PLC0415

    serve(port=port, rpm=rpm, tpm=tpm, fault_rate=fault_rate, latency=latency, refund=refund, seed=seed)

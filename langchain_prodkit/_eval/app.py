"""The eval commands as typer sees them; what they do is loaded when one is called."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from langchain_prodkit._eval.exits import EvalGroup, reported

__all__ = ["eval_app"]

eval_app = typer.Typer(
    cls=EvalGroup,
    no_args_is_help=True,
    help="Score answers, gate them in CI, generate questions, look at results.\n\n"
    "Exit codes: 0 pass, 1 fail, 2 cannot be told (too few rows, a judge or a store is down), 3 usage.",
)


@eval_app.command("run")
def run_command(  # noqa: PLR0917 - typer calls it by keyword
    dataset: Annotated[
        Path,
        typer.Argument(help="Rows as JSON lines: input, output, contexts, expected.", show_default=False),
    ],
    chain: Annotated[
        str | None, typer.Option(help="module:object of a chain that answers the rows first.")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option(help="Keep the chain's answers in this file; a second start goes on there.")
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(help="Names, with commas or repeated, or module:object; default all local ones."),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(help="module:object of a chat model; adds faithfulness, relevance, answer_correctness."),
    ] = None,
    judge_cache: Annotated[
        Path | None,
        typer.Option(help="Keep verdicts in this .sqlite or .jsonl file: what is unchanged is free."),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Rows in work at a time.")] = 8,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report to this file.")
    ] = None,
    texts: Annotated[
        bool, typer.Option("--texts", help="With questions and answers in the report, not scores alone.")
    ] = False,
    log: Annotated[bool, typer.Option("--log", help="Write the result to MLflow as one run.")] = False,
    experiment: Annotated[str | None, typer.Option(help="MLflow experiment.")] = None,
    tracking_uri: Annotated[str | None, typer.Option(help="MLflow store.")] = None,
    run_name: Annotated[str | None, typer.Option(help="Name of the MLflow run.")] = None,
) -> None:
    """Score a data set and print a table; exits 2 when a judge or the store did not answer."""
    with reported():
        from langchain_prodkit._eval.run import RunJob, run_evaluation  # noqa: PLC0415 - only when asked for

        code = run_evaluation(
            RunJob(
                dataset=dataset,
                chain=chain,
                answers=answers,
                metrics=metrics or (),
                judge=judge,
                judge_cache=judge_cache,
                concurrency=concurrency,
                output=output,
                texts=texts,
                log=log,
                experiment=experiment,
                tracking_uri=tracking_uri,
                run_name=run_name,
            )
        )
        if code:
            raise typer.Exit(code)


@eval_app.command("gate")
def gate_command(  # noqa: PLR0917 - typer calls it by keyword
    report: Annotated[Path, typer.Argument(help="A report of `eval run --output`.", show_default=False)],
    baseline: Annotated[
        Path | None, typer.Option(help="A baseline file, or an earlier report over the same questions.")
    ] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help='Such as "exact_match>=0.8" or "failure<=0.02"; repeatable.')
    ] = None,
    on: Annotated[
        Literal["ci_low", "mean"],
        typer.Option(help="What must clear a threshold: the nearer end of the 95 % interval, or the mean."),
    ] = "ci_low",
    metric: Annotated[
        list[str] | None, typer.Option(help="Compare only this metric with the baseline; repeatable.")
    ] = None,
    max_drop: Annotated[
        list[str] | None,
        typer.Option(help="How much worse than the baseline it may be: 0.02, or name=0.02."),
    ] = None,
    max_unseen: Annotated[
        float,
        typer.Option(help="Inconclusive if the rows could hide a larger drop than this."),
    ] = 0.25,
    alpha: Annotated[float, typer.Option(help="Chance of a false alarm.")] = 0.05,
    min_rows: Annotated[int, typer.Option(help="Below so many rows nothing is decided.")] = 30,
    junit: Annotated[Path | None, typer.Option(help="Write a JUnit file.")] = None,
    github_summary: Annotated[
        bool | None,
        typer.Option(help="Add a table to $GITHUB_STEP_SUMMARY; default if that is set.", show_default=False),
    ] = None,
    update_baseline: Annotated[
        bool,
        typer.Option("--update-baseline", help="On PASS, or if there is none, write --baseline anew."),
    ] = False,
    output: Annotated[Literal["text", "markdown", "json"], typer.Option(help="How it is printed.")] = "text",
) -> None:
    """Hold a report against thresholds and a baseline; exits 0 PASS, 1 FAIL, 2 INCONCLUSIVE, 3 usage."""
    with reported():
        from langchain_prodkit._eval.gate import GateJob, run_gate  # noqa: PLC0415 - only when asked for

        code = run_gate(
            GateJob(
                report=report,
                baseline=baseline,
                thresholds=threshold or (),
                on=on,
                metrics=metric or (),
                max_drop=max_drop or (),
                max_unseen=max_unseen,
                alpha=alpha,
                min_rows=min_rows,
                junit=junit,
                github_summary=github_summary,
                update_baseline=update_baseline,
                output=output,
            )
        )
        if code:
            raise typer.Exit(code)


@eval_app.command("generate")
def generate_command(  # noqa: PLR0917 - typer calls it by keyword
    docs: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders: .txt, .md, .rst, .jsonl with a text a line.", show_default=False
        ),
    ],
    llm: Annotated[str, typer.Option(help="module:object of the chat model that writes them.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many questions.")] = 50,
    out_of_scope: Annotated[
        float, typer.Option(min=0, max=1, help="Share of questions that the documents do not answer.")
    ] = 0.2,
    description: Annotated[
        str | None, typer.Option(help="What the application is for; the questions out of scope need it.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the choice of passages.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, help="Calls at a time.")] = 8,
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write to.")] = Path(
        "questions.jsonl"
    ),
) -> None:
    """Write questions about documents, in and out of scope, as rows for `eval run --chain`."""
    with reported():
        from langchain_prodkit._eval.generate import run_generate  # noqa: PLC0415 - only when asked for

        run_generate(
            docs,
            llm=llm,
            n=n,
            out_of_scope=out_of_scope,
            description=description,
            seed=seed,
            concurrency=concurrency,
            output=output,
        )


@eval_app.command("ui")
def ui_command(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port on 127.0.0.1.")] = 5000,
    tracking_uri: Annotated[str | None, typer.Option(help="MLflow store, as given to `eval run`.")] = None,
    experiment: Annotated[str | None, typer.Option(help="MLflow experiment.")] = None,
) -> None:
    """Serve MLflow's pages for the store on this machine and print where the evaluations are."""
    with reported():
        from langchain_prodkit._eval.ui import run_ui  # noqa: PLC0415 - only when asked for

        code = run_ui(port=port, tracking_uri=tracking_uri, experiment=experiment)
        if code:
            raise typer.Exit(code)

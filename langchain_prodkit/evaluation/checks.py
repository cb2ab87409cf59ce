"""Checks: what must hold for an answer, judged when it is given, without a model and without network."""

from __future__ import annotations

import itertools
import math
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Final,
    Literal,
    Protocol,
    TypeAlias,
    overload,
    runtime_checkable,
)

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError

from langchain_prodkit._serial import Written
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.figures import figures, worded
from langchain_prodkit.evaluation.metrics.outcome import Refusal
from langchain_prodkit.evaluation.record import EvalRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_prodkit.evaluation.metrics import Metric

__all__ = [
    "Check", "CheckOutcome", "CheckResult", "ForbiddenPattern", "FunctionCheck", "GroundedNumbers",
    "MatchesPattern", "MaxChars", "MaxWords", "MetricCheck", "NoRefusal", "NotEmpty", "check",
    "checked_names", "metric_check", "run_checks",
]  # fmt: skip

_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check says about one answer."""

    passed: bool
    reason: str = ""
    """A fixed code such as `too_long`; never words of a user, a document or a model."""
    value: float | None = None
    """The number that decided, where there is one."""


@runtime_checkable
class Check(Protocol):
    """Says of a finished row whether its answer may stand.

    Works within a millisecond and on this machine: `MLflowEvalCallback` runs it while the caller waits.
    One that takes longer says so with an attribute `is_quick = False`; `OutputCheckRunnable` then runs
    it in a thread when it is called from asynchronous code.
    """

    @property
    def name(self) -> str:
        """How it is called in `EvalRecord.flags`: letters, digits and `_ - .`."""
        ...

    def check(self, row: EvalRecord) -> CheckResult:
        """Judge one row; must not change it. What it raises counts as an error and as failed."""
        ...


class _Ready(Written):
    """A check that can be written by `dumps` and pickled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __init__(self, **kwargs: Any) -> None:
        try:
            super().__init__(**kwargs)
        except ValidationError as error:
            fields = sorted({str(e["loc"][0]) for e in error.errors(include_input=False) if e["loc"]})
            msg = f"{type(self).__name__} does not understand: {', '.join(fields) or 'pattern'}"
            raise ConfigurationError(msg) from None

    name: str = Field(default="", pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")

    def check(self, row: EvalRecord) -> CheckResult:
        """Judge one row."""
        raise NotImplementedError  # pragma: no cover - abstract


class NotEmpty(_Ready):
    """The answer has at least one visible character, or calls a tool."""

    name: str = "not_empty"

    def check(self, row: EvalRecord) -> CheckResult:
        """Look for a character that is not a space."""
        is_there = bool(row.answer.strip()) or _calls_tool(row.output)
        return CheckResult(is_there, "" if is_there else "empty")


class MaxWords(_Ready):
    """The answer has at most `max_words` words (what stands between spaces)."""

    name: str = "max_words"
    max_words: int = Field(ge=0)

    def check(self, row: EvalRecord) -> CheckResult:
        """Count the words, no further than one too many."""
        words = sum(1 for _ in itertools.islice(_WORD.finditer(row.answer), self.max_words + 1))
        passed = words <= self.max_words
        return CheckResult(passed, "" if passed else "too_long", float(words))


class MaxChars(_Ready):
    """The answer has between `min_chars` and `max_chars` characters."""

    name: str = "max_chars"
    max_chars: int = Field(ge=0)
    min_chars: int = Field(default=0, ge=0)

    def check(self, row: EvalRecord) -> CheckResult:
        """Measure the text of the answer."""
        chars = len(row.answer)
        reason = "too_long" if chars > self.max_chars else "too_short" if chars < self.min_chars else ""
        return CheckResult(not reason, reason, float(chars))


class NoRefusal(_Ready):
    """The answer does not open with a refusal; English and Korean phrases, see the metric `Refusal`."""

    name: str = "no_refusal"

    def check(self, row: EvalRecord) -> CheckResult:
        """Look for a refusing phrase at the start."""
        refuses = Refusal().score(row).value == 1.0
        return CheckResult(not refuses, "refusal" if refuses else "")


class _PatternCheck(_Ready):
    pattern: str = Field(repr=False)
    """A regular expression, searched anywhere in the answer."""
    ignore_case: bool = False
    _compiled: re.Pattern[str] = PrivateAttr()

    def model_post_init(self, context: Any, /) -> None:  # noqa: ARG002 - pydantic's signature
        try:
            self._compiled = re.compile(self.pattern, re.IGNORECASE if self.ignore_case else 0)
        except re.error:
            raise ValueError from None

    def _found(self, row: EvalRecord) -> bool:
        return self._compiled.search(row.answer) is not None


class MatchesPattern(_PatternCheck):
    """The answer holds a match of `pattern`, e.g. an order number, or a source in brackets."""

    name: str = "matches_pattern"

    def check(self, row: EvalRecord) -> CheckResult:
        """Search for it."""
        found = self._found(row)
        return CheckResult(found, "" if found else "no_match")


class ForbiddenPattern(_PatternCheck):
    """The answer holds no match of `pattern`, e.g. a competitor's name, or an internal host."""

    name: str = "forbidden_pattern"

    def check(self, row: EvalRecord) -> CheckResult:
        """Search for it."""
        found = self._found(row)
        return CheckResult(not found, "match" if found else "")


class GroundedNumbers(_Ready):
    """Every number of the answer stands in the contexts, or in the question.

    `1,200`, `1.200` and `1200` are the same, and so are `3.50` and `3.5`, `2.5 million` and `2500000`,
    and `three` in a context and `3` in the answer. Numbers of a numbered list do not count. A number
    that the answer worked out (a sum, a share) is not found and fails: leave the check out where
    answers calculate. Without contexts there is nothing to compare with, and it passes, unless
    `needs_contexts`.
    """

    name: str = "grounded_numbers"
    needs_contexts: bool = False
    max_unknown: int = Field(default=0, ge=0)
    """How many numbers may be missing in the contexts."""

    def check(self, row: EvalRecord) -> CheckResult:
        """Look every number up."""
        said = figures(row.answer, is_answer=True)
        if not said:
            return CheckResult(passed=True, value=0.0)
        if not row.contexts:
            return CheckResult(not self.needs_contexts, "no_contexts" if self.needs_contexts else "")
        texts = [row.question, *(context.text for context in row.contexts)]
        known: set[Decimal | str] = {
            value for text in texts for readings in figures(text) for value in readings
        }
        missing = [readings for readings in said if known.isdisjoint(readings)]
        if missing:
            words = {value for text in texts for value in worded(text)}
            missing = [readings for readings in missing if words.isdisjoint(readings)]
        unknown = len(missing)
        passed = unknown <= self.max_unknown
        return CheckResult(passed, "" if passed else "unknown_number", float(unknown))


Judge: TypeAlias = Callable[[EvalRecord], CheckResult | bool]


class FunctionCheck:
    """A function from a row to a `CheckResult` or a bool, as a check; made by `check`."""

    def __init__(self, func: Judge, name: str) -> None:
        """Call `func` for every row."""
        self.func = func
        self.name = _valid_name(name)
        self.__doc__ = func.__doc__
        self.__module__ = func.__module__
        self.__qualname__ = getattr(func, "__qualname__", name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def __call__(self, row: EvalRecord) -> CheckResult | bool:
        """Call the function itself."""
        return self.func(row)

    def check(self, row: EvalRecord) -> CheckResult:
        """Call the function; True means passed."""
        result = self.func(row)
        return result if isinstance(result, CheckResult) else CheckResult(bool(result))

    def __reduce__(self) -> Any:
        # Used as a decorator it stands where the function stood, and is found there by name.
        found: Any = sys.modules.get(self.__module__)
        for part in self.__qualname__.split("."):
            found = getattr(found, part, None)
        return self.__qualname__ if found is self else (FunctionCheck, (self.func, self.name))


@overload
def check(func: Judge, *, name: str | None = None) -> FunctionCheck: ...


@overload
def check(func: None = None, *, name: str | None = None) -> Callable[[Judge], FunctionCheck]: ...


def check(
    func: Judge | None = None, *, name: str | None = None
) -> FunctionCheck | Callable[[Judge], FunctionCheck]:
    """Make a check of a function from `EvalRecord` to True or False, or to a `CheckResult`.

    ```python
    @check
    def names_a_source(row: EvalRecord) -> bool:
        return "[source:" in row.answer
    ```

    Raises:
        ConfigurationError: The name has other characters than letters, digits and `_ - .`.
    """

    def made(func: Judge) -> FunctionCheck:
        return FunctionCheck(func, name or func.__name__)

    return made if func is None else made(func)


@dataclass(frozen=True)
class MetricCheck:
    """A metric with bounds, as a check; made by `metric_check`."""

    metric: Metric
    min: float | None = None
    max: float | None = None
    on_skip: Literal["fail", "pass"] = "fail"
    label: str | None = None
    is_quick: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The metric's name, unless another was given."""
        return self.label or self.metric.name.replace(":", "_")

    def check(self, row: EvalRecord) -> CheckResult:
        """Score the row and compare."""
        needs = self.metric.needs
        if needs and (row.error or any(getattr(row, need, None) in (None, ()) for need in needs)):
            return CheckResult(self.on_skip == "pass", "skipped")
        score = self.metric.score(row)
        if score.error is not None:
            return CheckResult(passed=False, reason="error")
        if score.skipped is not None or score.value is None:
            return CheckResult(self.on_skip == "pass", "skipped")
        value = float(score.value)
        reason = ""
        if not math.isfinite(value):
            return CheckResult(passed=False, reason="not_a_number")
        if self.min is not None and value < self.min:
            reason = "too_low"
        elif self.max is not None and value > self.max:
            reason = "too_high"
        return CheckResult(not reason, reason, value)


def metric_check(
    metric: Metric,
    *,
    min: float | None = None,
    max: float | None = None,
    on_skip: Literal["fail", "pass"] = "fail",
    name: str | None = None,
) -> MetricCheck:
    """Make a check of a local metric: it passes where the score lies within `min` and `max`.

    A row that the metric cannot run on fails, with the reason `skipped`, unless `on_skip="pass"`.

    Raises:
        ConfigurationError: There is no bound, or `min` is above `max`.
    """
    if (min is None and max is None) or (min is not None and max is not None and min > max):
        msg = "metric_check needs min=, max= or both, and min must not be above max"
        raise ConfigurationError(msg)
    if on_skip not in {"fail", "pass"}:
        msg = "on_skip is 'fail' or 'pass'"
        raise ConfigurationError(msg)
    made = MetricCheck(metric, min, max, on_skip, name)
    _valid_name(made.name)
    return made


# -- running them ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What several checks say about one answer; names and codes only."""

    failed: tuple[str, ...] = ()
    """Names of the checks that did not pass, in the order given."""
    reasons: tuple[str, ...] = ()
    """`name`, or `name:code` where the check gave a code, for each of them."""
    errors: int = 0
    """How many of them failed because they raised."""


def checked_names(checks: Sequence[Check]) -> tuple[Check, ...]:
    """Give the checks as a tuple, after a look at each.

    Raises:
        ConfigurationError: One is no check, or two have the same name.
    """
    if isinstance(checks, Check):
        msg = "checks is a list of checks, not one check"
        raise ConfigurationError(msg)
    names: set[str] = set()
    for item in checks:
        if isinstance(item, type) or not isinstance(item, Check):
            msg = "a check has a name and a method check(row); make one of a function with @check"
            raise ConfigurationError(msg)
        if _valid_name(item.name) in names:
            msg = f"two checks are called {item.name!r}; give one of them another name="
            raise ConfigurationError(msg)
        names.add(item.name)
    return tuple(checks)


def run_checks(checks: Sequence[Check], row: EvalRecord) -> CheckOutcome:
    """Ask every check; one that raises, or answers with something else, has failed. Never raises."""
    failed: list[str] = []
    reasons: list[str] = []
    errors = 0
    for item in checks:
        try:
            result = item.check(row)
            passed, reason = result.passed is True, result.reason
        except Exception:  # noqa: BLE001 - whatever it was, the answer was not found in order
            passed, reason = False, "error"
            errors += 1
        if not passed:
            failed.append(item.name)
            # Only what looks like a code: a check of somebody's own may put anything here.
            is_code = _CODE.fullmatch(str(reason)) is not None
            reasons.append(f"{item.name}:{reason}" if is_code else item.name)
    return CheckOutcome(tuple(failed), tuple(reasons), errors)


def _valid_name(name: str) -> str:
    if not _CODE.fullmatch(name):
        msg = "the name of a check begins with a letter and has letters, digits and _ - . only (at most 64)"
        raise ConfigurationError(msg)
    return name


def _calls_tool(output: Any) -> bool:
    return isinstance(output, dict) and bool(output.get("tool_calls"))

"""The model behind a judge: asked with care, charged for, and given up when it is down."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable

from langchain_prodkit._chat import innermost
from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.judge_answer import text_in
from langchain_prodkit.evaluation.judge_budget import JudgeBudget, estimated
from langchain_prodkit.evaluation.judge_call import Ask, SilentJudgeError, failure_of
from langchain_prodkit.evaluation.judge_line import Line
from langchain_prodkit.evaluation.judge_verdict import BUDGET_SPENT, JUDGE_DOWN
from langchain_prodkit.evaluation.metrics import Score
from langchain_prodkit.evaluation.workers import Crew

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

__all__ = ["JudgeModel", "JudgeStatistics"]

_RETRY_S: Final = 0.3
_REFUSES_SCHEMA: Final = (NotImplementedError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, slots=True)
class JudgeStatistics:
    """What a judge did so far."""

    calls: int = 0
    """Calls made to the model, of any kind."""
    verdicts: int = 0
    """Verdicts of the model."""
    cached: int = 0
    """Verdicts taken from the cache."""
    confirmations: int = 0
    """Calls made because a first verdict was a fail."""
    unreadable: int = 0
    """Answers that held no verdict."""
    failures: int = 0
    """Calls that failed: the judge's fault, not the answer's."""
    cache_errors: int = 0
    """Times the cache could not be read or written."""
    input_tokens: int = 0
    """Tokens of prompts, as the model reports them."""
    output_tokens: int = 0
    """Tokens of verdicts, as the model reports them."""


class JudgeModel:
    """Any chat model, held to a schema where it can be; safe in threads and event loops."""

    def __init__(
        self,
        llm: Any,
        *,
        timeout_s: float,
        breaker_after: int,
        budget: JudgeBudget | None = None,
        structured: Literal["auto", "never"] = "auto",
    ) -> None:
        """See `ChatModelJudge`.

        Raises:
            ConfigurationError: `llm` is no chat model, or an argument makes no sense.
        """
        if not isinstance(llm, BaseChatModel | Runnable):
            msg = f"a chat model is needed, not a {type(llm).__qualname__}"
            raise ConfigurationError(msg)
        if breaker_after < 1 or not timeout_s > 0:
            msg = "breaker_after is 1 or more, timeout_s above 0"
            raise ConfigurationError(msg)
        self._llm = llm
        self._budget = budget
        self._is_structured = structured == "auto" and _may_be_structured(llm)
        self._name = _model_name(llm)
        self._line = Line(llm, timeout_s=timeout_s, breaker_after=breaker_after)
        self._crew = Crew()
        self._lock = threading.Lock()
        self._counts = dict.fromkeys((field.name for field in fields(JudgeStatistics)), 0)
        if budget is not None:
            budget.check(self._name)

    @property
    def is_down(self) -> bool:
        """Whether the model is given up for now."""
        return self._line.is_down

    def begin(self) -> None:
        """Give a model that was down another chance."""
        self._line.begin()

    def statistics(self) -> JudgeStatistics:
        """Count what was asked so far."""
        with self._lock:
            return JudgeStatistics(**self._counts)

    def count(self, **more: int) -> None:
        """Add to the statistics."""
        with self._lock:
            for name, number in more.items():
                self._counts[name] += number

    def ask(self, schema: dict[str, Any], messages: list[BaseMessage]) -> Steps[str | Score]:
        """Make the call, once more where it may have been a passing failure; a score says why not."""
        is_again = is_plain = False
        while True:
            if self._line.is_down:
                return Score(skipped=JUDGE_DOWN)
            if self._budget is not None and not self._budget.take():
                return Score(skipped=BUDGET_SPENT)
            self.count(calls=1)
            model = self._llm if is_plain else self._held(schema)
            try:
                answer = yield Ask(model, messages, self._line, self._crew)
            except SilentJudgeError:
                self.count(failures=1)
                return Score(skipped=JUDGE_DOWN)
            except Exception as error:  # noqa: BLE001 - a provider may raise anything, with the text in it
                failure = failure_of(error)
                if model is not self._llm and (failure == "row" or isinstance(error, _REFUSES_SCHEMA)):
                    # Perhaps the schema is what it objects to: asked in words it would not.
                    is_plain = True
                    continue
                if failure == "answer":
                    self._line.answered()
                    return ""
                score = self._failed(failure, error)
                if failure != "passing" or is_again or self._line.is_down:
                    return score
                is_again = True
                yield Call(threading.Event().wait, asyncio.sleep, _RETRY_S)
                continue
            self._is_structured = self._is_structured and not is_plain
            self._line.answered()
            return self._charged(messages, answer)

    def _failed(self, failure: str, error: Exception) -> Score:
        self.count(failures=1)
        kind = type(error).__name__
        if failure == "budget":
            return Score(skipped=BUDGET_SPENT)
        if failure == "row":
            self._line.answered()
            return Score(error=f"judge refused the row: {kind}")
        self._line.failed()
        return Score(error=f"{JUDGE_DOWN}: {kind}")

    def _charged(self, messages: list[BaseMessage], answer: Any) -> str:
        text = text_in(answer)
        usage = answer.usage_metadata if isinstance(answer, AIMessage) else None
        if usage is not None:
            self.count(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
        if self._budget is not None:
            self._budget.charge(self._name, usage, estimated(messages, text))
        return text

    def _held(self, schema: dict[str, Any]) -> Runnable[Any, Any]:
        if not self._is_structured:
            return self._llm
        llm: Any = self._llm
        try:
            # Its first step is the model held to the schema. The parser behind it is left out: answers are
            # read here; and so is `include_raw`, whose threads an interpreter waits for when it exits.
            held = llm.with_structured_output(schema).first
        except Exception:  # noqa: BLE001 - a model that cannot is asked in words
            held = None
        if held is None or not isinstance(innermost(held), BaseChatModel):
            self._is_structured = False
            return self._llm
        return held  # type: ignore[no-any-return]


def _may_be_structured(llm: Any) -> bool:
    # What is bound to a model would be lost on the way.
    return isinstance(llm, BaseChatModel) and (
        type(innermost(llm)).with_structured_output is not BaseChatModel.with_structured_output
        or type(innermost(llm)).bind_tools is not BaseChatModel.bind_tools
    )


def _model_name(llm: Any) -> str:
    inner = innermost(llm)
    for name in ("model_name", "model", "model_id"):
        value = getattr(inner, name, None)
        if isinstance(value, str) and value:
            return value
    return type(inner).__name__

"""`ChatModelJudge`: a chat model that judges answers, paid for once and given up when it is down."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from pathlib import Path
from typing import Any, Final, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableBinding

from langchain_prodkit._chat import innermost
from langchain_prodkit._steps import Call, Steps
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation.judge_budget import JudgeBudget
from langchain_prodkit.evaluation.judge_cache import JudgeCache, judge_cache
from langchain_prodkit.evaluation.judge_model import JudgeModel, JudgeStatistics
from langchain_prodkit.evaluation.judge_prompt import VERSION, Case, Inquiry, shown
from langchain_prodkit.evaluation.judge_verdict import NO_VERDICT, TOO_LONG, Verdict
from langchain_prodkit.evaluation.metrics import Score
from langchain_prodkit.evaluation.redaction import Redactor, redactor

__all__ = ["ChatModelJudge"]

_LOG: Final = logging.getLogger("langchain_prodkit.evaluation")


class ChatModelJudge:
    """Any LangChain chat model as a judge; give it to `faithfulness`, `relevance`, `rubric` and so on.

    ```python
    judge = ChatModelJudge(ChatOpenAI(model="gpt-4o-mini", temperature=0), cache="judge.sqlite")
    report = evaluate(dataset, [*default_metrics(), faithfulness(judge), relevance(judge)])
    ```

    Rate-limited (`RateLimitedAsyncChat`) and redacted (`privacy.protect`) models serve too, and models
    without structured output. The texts of a row reach the model as data between random borders. What
    the model answers is read tolerantly; an answer without a verdict is asked for once more and is then
    an error of its row, never a pass.

    A judge that is down costs no evaluation its local scores, and little time: after `breaker_after`
    failed calls in a row, or `timeout_s` seconds in which calls wait and none is answered, the other
    rows are skipped as "judge unavailable". The next evaluation tries again.

    One judge may be shared by any number of metrics, threads and event loops.
    """

    def __init__(
        self,
        llm: BaseChatModel | Runnable[Any, Any],
        *,
        cache: JudgeCache | str | Path | None = None,
        budget: JudgeBudget | None = None,
        confirm_on_fail: int = 2,
        breaker_after: int = 3,
        timeout_s: float = 6.0,
        name: str | None = None,
        redact: Redactor | None = None,
        max_chars: int = 200_000,
        structured: Literal["auto", "never"] = "auto",
    ) -> None:
        """Set what is asked, how often, and what it may cost.

        Args:
            llm: The model, or a Runnable from messages to a message.
            cache: Where verdicts are kept: the path of a `.sqlite`, `.db` or `.jsonl` file, or a
                `JudgeCache`. Unchanged rows then cost no call and get the very same verdict. The
                file is readable by its owner alone; it holds rationales, which may quote texts.
            budget: What may be spent; rows past it are skipped.
            confirm_on_fail: How many more times at most to ask when a first verdict fails (lies
                below the metric's `pass_mark`); the majority holds. A pass is not asked twice.
            breaker_after: Failed calls in a row after which the judge counts as down.
            timeout_s: Seconds in which calls wait and none is answered, after which the judge counts
                as down. Raise it for a model that thinks for longer, or has to be loaded first. Time
                in a rate limiter's queue does not count.
            name: What the model is called in cache keys, in the place of its class; needed to tell
                apart two models whose class and parameters are the same (another server).
            redact: Applied to rationales before they enter a score or the cache.
            max_chars: Rows whose texts are longer in all are skipped, not cut.
            structured: Whether to use the model's structured output where it has one.

        Raises:
            ConfigurationError: An argument makes no sense.
            StoreError: The cache cannot be opened.
        """
        if confirm_on_fail < 0 or max_chars < 1:
            msg = "confirm_on_fail is 0 or more, max_chars 1 or more"
            raise ConfigurationError(msg)
        if isinstance(cache, str | Path):
            cache = judge_cache(cache)
        if cache is not None and not isinstance(cache, JudgeCache):
            msg = "cache= is the path of a file, or has get(key) and put(key, verdict)"
            raise ConfigurationError(msg)
        self._cache = cache
        self._confirm = confirm_on_fail
        self._redact = None if redact is None else redactor(redact)
        self._max_chars = max_chars
        self._identity = _identity(llm, name)
        self._model = JudgeModel(
            llm, timeout_s=timeout_s, breaker_after=breaker_after, budget=budget, structured=structured
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.statistics()})"

    @property
    def is_down(self) -> bool:
        """Whether the judge is given up for now."""
        return self._model.is_down

    def statistics(self) -> JudgeStatistics:
        """Count what was asked so far."""
        return self._model.statistics()

    def begin(self) -> None:
        """Give a judge that was down another chance; called when an evaluation begins."""
        self._model.begin()

    def judge(self, inquiry: Inquiry, case: Case, *, pass_mark: float, is_low_better: bool) -> Steps[Score]:
        """Judge one row: the body that metrics drive."""
        if case.chars > self._max_chars:
            return Score(skipped=TOO_LONG)
        key = self._key(inquiry, case, pass_mark)
        verdict = yield from self._kept(key)
        if verdict is None:
            bar = 1.0 - pass_mark if is_low_better else pass_mark

            def fails(verdict: Verdict) -> bool:
                value = verdict.value
                return value is not None and (value > bar if is_low_better else value < bar)

            found = yield from self._voted(inquiry, case, fails)
            if isinstance(found, Score):
                return found
            verdict = yield from self._keep(key, self._redacted(found))
        if verdict.value is None:
            return Score(skipped="nothing to judge", rationale=verdict.rationale)
        return Score(verdict.value, rationale=verdict.rationale)

    # -- one verdict --------------------------------------------------------------------------------

    def _voted(self, inquiry: Inquiry, case: Case, fails: Any) -> Steps[Verdict | Score]:
        """Ask, and where the first verdict fails ask again until a majority is sure."""
        votes: list[Verdict] = []
        needed = (self._confirm + 1) // 2 + 1
        while True:
            found = yield from self._asked(inquiry, case)
            if isinstance(found, Score):
                # Also where only a confirmation failed: an unconfirmed fail is no verdict.
                return found
            votes.append(found)
            against = sum(map(fails, votes))
            is_settled = not against or max(against, len(votes) - against) >= needed
            if is_settled or len(votes) > self._confirm:
                break
            self._model.count(confirmations=1)
        # Where they are even, the first verdict stands: it is a fail.
        is_fail = against * 2 >= len(votes)
        chosen = next(vote for vote in votes if fails(vote) == is_fail)
        return Verdict(chosen.value, chosen.rationale, len(votes))

    def _asked(self, inquiry: Inquiry, case: Case) -> Steps[Verdict | Score]:
        """Ask until there is a verdict, twice at most."""
        for is_again in (False, True):
            messages = shown(inquiry, case, is_again=is_again)
            answer = yield from self._model.ask(inquiry.form.schema, messages)
            if isinstance(answer, Score):
                return answer
            verdict = inquiry.form.read(answer)
            if verdict is not None:
                self._model.count(verdicts=1)
                return verdict
            self._model.count(unreadable=1)
        return Score(error=NO_VERDICT)

    # -- what was judged before -----------------------------------------------------------------------

    def _key(self, inquiry: Inquiry, case: Case, pass_mark: float) -> str:
        asked = [
            self._identity,
            VERSION,
            inquiry.name,
            inquiry.task,
            inquiry.form.wording,
            [self._confirm, pass_mark],
            case.texts,
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def _kept(self, key: str) -> Steps[Verdict | None]:
        if self._cache is None:
            return None
        try:
            verdict: Verdict | None = yield _offline(self._cache.get, key)
        except Exception as error:  # noqa: BLE001 - see JudgeCache
            self._cache_failed(error)
            return None
        if verdict is None:
            return None
        self._model.count(cached=1)
        # Somebody else may have written it without `redact=`.
        return self._redacted(verdict)

    def _keep(self, key: str, verdict: Verdict) -> Steps[Verdict]:
        if self._cache is None:
            return verdict
        try:
            kept: Verdict = yield _offline(self._cache.put, key, verdict)
        except Exception as error:  # noqa: BLE001 - see JudgeCache
            self._cache_failed(error)
            return verdict
        return kept

    def _cache_failed(self, error: Exception) -> None:
        self._model.count(cache_errors=1)
        if self._model.statistics().cache_errors == 1:
            _LOG.warning("the judge's cache cannot be used (%s); verdicts are not kept", type(error).__name__)

    def _redacted(self, verdict: Verdict) -> Verdict:
        if self._redact is None or not verdict.rationale:
            return verdict
        try:
            (rationale,) = self._redact([verdict.rationale])
        except Exception:  # noqa: BLE001 - what cannot be redacted is not kept
            rationale = ""
        return Verdict(verdict.value, rationale, verdict.votes)


def _offline(func: Any, *args: Any) -> Call:
    """Make a step of a call that blocks: a file may be locked by somebody else for a while."""

    async def aside(*args: Any) -> Any:
        return await asyncio.to_thread(func, *args)

    return Call(func, aside, *args)


def _identity(llm: Any, name: str | None) -> Any:
    """Say which model answers with which parameters; no key, address or object of this process."""
    bound: list[Any] = []
    model = llm
    while isinstance(model, RunnableBinding):
        bound.append(_plain(model.kwargs))
        model = model.bound
    inner = innermost(llm)
    parameters = getattr(inner, "_identifying_params", {})
    kind = name or f"{type(inner).__module__}.{type(inner).__qualname__}"
    return [kind, _plain(parameters), bound]


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return type(value).__qualname__

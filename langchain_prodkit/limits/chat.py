"""Any chat model, within its limits: waits before a call, tries again after a failed one."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from pydantic import Field, PrivateAttr

from langchain_prodkit._chat import DelegatingChatModel
from langchain_prodkit._events import REFUSED, WAITED, Emit
from langchain_prodkit._runnable import END, Call, Next, Open, Out, Steps, StreamSteps
from langchain_prodkit.errors import ConfigurationError, LimitTimeoutError
from langchain_prodkit.limits.bucket import Cost
from langchain_prodkit.limits.budget import Budget, Hold
from langchain_prodkit.limits.inner import without_retries
from langchain_prodkit.limits.limiter import LocalLimiter
from langchain_prodkit.limits.protocol import Lease, RateLimiter
from langchain_prodkit.limits.retry import RetryPolicy, refuses, retry_after_s
from langchain_prodkit.limits.usage import Estimate, Tally, TokenEstimator, Usage, model_name

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    from langchain_prodkit._chat import AnyRunManager

__all__ = ["METADATA_KEY", "RateLimitedAsyncChat"]

METADATA_KEY: Final = "prodkit"
"""Where, in an answer's `response_metadata`, it says what its way through the limiter was."""

# A shorter wait is the price of asking, and not worth an event.
_TOLD_WAIT_S: Final = 0.001
# Another attempt goes before first ones: its caller has waited already.
_RETRY_PRIORITY: Final = 1


class RateLimitedAsyncChat(DelegatingChatModel):
    """The same chat model, never past its requests and tokens per minute, losing no call to a 429.

    Every attempt waits until it fits; failed ones are repeated as `retry` says, and what the provider
    asks for by `retry-after` holds all calls of the limiter. The retries of the model's own SDK are
    switched off, in a copy: here each would go past the limit. Works in sync and async code, whole and
    streaming; a cached answer takes no permit.

    Each answer says in `response_metadata["prodkit"]` what it cost: `wait_s` (seconds for permits and
    between attempts), `attempts`, `reserved_tokens` and `used_tokens`.
    """

    requests_per_minute: float | None = None
    """None for no limit."""
    tokens_per_minute: float | None = None
    """Prompt and answer together; None for no limit."""
    max_concurrency: int | None = None
    """Calls under way at the same time; None for any number."""
    limiter: Any = None
    """A `RateLimiter` shared with other models, instead of the four numbers; None for one of its own."""
    retry: RetryPolicy = Field(default_factory=RetryPolicy)
    """Which failures are tried again, how often and for how long."""
    headroom: float = 0.0
    """Share of both rates left unused: 0.0 none, 0.1 a tenth."""
    learn_limits: bool = True
    """Whether what the provider says of its limits, and what it refuses, is learned from."""
    budget: Budget | None = None
    """What may be spent in all; calls that do not fit are refused unsent. None for no limit."""

    _limiter: Any = PrivateAttr()
    _estimator: TokenEstimator = PrivateAttr()

    def __init__(
        self,
        model: BaseChatModel,
        *,
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        max_concurrency: int | None = None,
        limiter: RateLimiter | None = None,
        retry: RetryPolicy | None = None,
        headroom: float = 0.0,
        learn_limits: bool = True,
        budget: Budget | None = None,
        **kwargs: Any,
    ) -> None:
        """Wrap `model`.

        Raises:
            ConfigurationError: `model` is no chat model, a number is zero, negative or not finite,
                numbers stand beside `limiter`, which has its own, or `budget` has no price for `model`.
        """
        numbers = (requests_per_minute, tokens_per_minute, max_concurrency)
        if limiter is not None:
            if headroom or any(number is not None for number in numbers):
                msg = (
                    "give either limiter= or requests_per_minute=, tokens_per_minute=, max_concurrency= "
                    "and headroom=: a limiter has numbers of its own"
                )
                raise ConfigurationError(msg)
            if not isinstance(limiter, RateLimiter):
                msg = (
                    f"limiter= takes a RateLimiter such as LocalLimiter, not a {type(limiter).__qualname__}; "
                    "langchain-core's own limiters go to the model as rate_limiter="
                )
                raise ConfigurationError(msg)
        own = limiter or LocalLimiter(
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_concurrency=max_concurrency,
            headroom=headroom,
            learn_limits=learn_limits,
        )
        super().__init__(
            model,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            max_concurrency=max_concurrency,
            limiter=limiter,
            retry=retry if retry is not None else RetryPolicy(),
            headroom=headroom,
            learn_limits=learn_limits,
            budget=budget,
            **kwargs,
        )
        if budget is not None:
            budget.check(model_name(self.model))
        self.model = without_retries(self.model)
        self._limiter = own
        self._estimator = TokenEstimator()

    def _generate_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> Steps[ChatResult]:
        passage = self._passage(messages, kwargs)
        while True:
            lease = yield from passage.enter()
            try:
                result = yield from super()._generate_steps(messages, stop, run_manager, kwargs)
            except BaseException as error:
                if not (yield from passage.failed(lease, error)):
                    raise
                continue
            tally = Tally()
            for generation in result.generations:
                # With n > 1 each choice repeats the usage of the whole answer.
                if not tally.is_reported:
                    tally.add(generation)
            note = passage.settle(lease, tally)
            marked = [_marked(generation, note) for generation in result.generations]
            return result.model_copy(update={"generations": marked})

    def _stream_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> StreamSteps[ChatGenerationChunk]:
        passage = self._passage(messages, kwargs)
        while True:
            lease = yield from passage.enter()
            tally = Tally()
            last: ChatGenerationChunk | None = None
            is_noted = False
            try:
                stream = yield Open(
                    self.model._stream,  # noqa: SLF001 - see _chat
                    self.model._astream,  # noqa: SLF001
                    messages,
                    stop=stop,
                    run_manager=run_manager,
                    **kwargs,
                )
                while (chunk := (yield Next(stream))) is not END:
                    last = chunk
                    is_noted = is_noted or METADATA_KEY in chunk.message.response_metadata
                    tally.add(chunk)
                    yield Out(chunk)
            except BaseException as error:
                if last is not None:
                    # What left cannot be taken back, so nothing is tried again; and how much the
                    # provider had made of the rest, nobody knows.
                    lease.settle(max(passage.estimate.tokens, tally.used_tokens(passage.estimate)))
                    passage.charge(tally.usage_so_far(passage.estimate))
                    raise
                if not (yield from passage.failed(lease, error)):
                    raise
                continue
            note = passage.settle(lease, tally)
            if last is not None and not is_noted and isinstance(last.message, AIMessageChunk):
                yield Out(_closing(last.message, note))
            return

    def _passage(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> _Passage:
        estimate = self._estimator.estimate(self.model, messages, kwargs)
        hold = None if self.budget is None else self.budget.reserve(estimate.model, estimate.usage)
        return _Passage(self._limiter, self.retry, self._estimator, estimate, hold)


class _Passage:
    """One call's way through the limiter, from its first attempt to its last."""

    def __init__(
        self,
        limiter: RateLimiter,
        retry: RetryPolicy,
        estimator: TokenEstimator,
        estimate: Estimate,
        hold: Hold | None,
    ) -> None:
        self.limiter = limiter
        self.retry = retry
        self.estimator = estimator
        self.estimate = estimate
        self.hold = hold
        self.attempt = 0
        self.wait_s = 0.0
        self.started_s = time.monotonic()
        self.last_error: Exception | None = None

    def enter(self) -> Steps[Lease]:
        """Wait for a permit; gives up, past the deadline, with what went wrong last."""
        try:
            return (yield from self._wait())
        except BaseException:
            self.release()
            raise

    def failed(self, lease: Lease, error: BaseException) -> Steps[bool]:
        """Book a failed attempt; tells, after any wait it takes, whether to try again."""
        is_worth_it = False
        try:
            is_worth_it = yield from self._judge(lease, error)
        finally:
            if not is_worth_it:
                self.release()
        return is_worth_it

    def release(self) -> None:
        """Give the budget back what is held for this call, unless it was charged."""
        if self.hold is not None:
            self.hold.release()

    def charge(self, usage: Usage) -> float | None:
        """Charge the budget, if there is one; tells what the call cost, if a price says."""
        return None if self.hold is None else self.hold.settle(usage)

    def _wait(self) -> Steps[Lease]:
        self.attempt += 1
        asked_s = time.monotonic()
        lease: Lease | None = None
        try:
            lease = yield Call(
                self.limiter.reserve_sync,
                self.limiter.reserve,
                Cost(tokens=self.estimate.tokens),
                priority=0 if self.attempt == 1 else _RETRY_PRIORITY,
                timeout_s=self._left_s(asked_s),
            )
        except LimitTimeoutError:
            if self.last_error is None:
                raise
        if lease is None:
            raise self.last_error  # type: ignore[misc]
        wait_s = time.monotonic() - asked_s
        self.wait_s += wait_s
        if wait_s > _TOLD_WAIT_S:
            data = {
                "wait_s": round(wait_s, 6),
                "attempt": self.attempt,
                "reserved_tokens": self.estimate.tokens,
            }
            try:
                yield Emit(WAITED, data)
            except BaseException:
                lease.cancel()
                raise
        return lease

    def _judge(self, lease: Lease, error: BaseException) -> Steps[bool]:
        if not isinstance(error, Exception):
            # Cancelled: the request may have gone out, so what it took stays taken.
            lease.settle()
            self.charge(Usage(self.estimate.prompt_tokens))
            return False
        is_retryable = self.retry.is_retryable(error)
        asked_s = retry_after_s(error)
        delay_s = self.retry.delay_s(self.attempt, asked_s)
        is_held = is_retryable and (asked_s is not None or refuses(error))
        if is_held:
            # Past `max_wait_s` this call gives up; for the others the provider's word holds.
            lease.refused(delay_s if delay_s is not None else asked_s or 0.0)
        else:
            lease.settle()
        self.last_error = error
        yield Emit(
            REFUSED, {"attempt": self.attempt, "error": type(error).__name__, "retry_after_s": asked_s}
        )
        now_s = time.monotonic()
        left_s = self._left_s(now_s)
        if (
            not is_retryable
            or delay_s is None
            or self.attempt >= self.retry.max_attempts
            or (left_s is not None and delay_s >= left_s)
        ):
            return False
        if not is_held:
            yield Call(time.sleep, asyncio.sleep, delay_s)
            self.wait_s += time.monotonic() - now_s
        return True

    def settle(self, lease: Lease, tally: Tally) -> dict[str, Any]:
        """Book an answer, learn from it, and say what to note on it."""
        used_tokens = tally.used_tokens(self.estimate)
        lease.settle(used_tokens)
        cost_usd = self.charge(tally.usage(self.estimate))
        if tally.is_reported:
            self.estimator.observe(self.estimate, tally.input_tokens, tally.output_tokens)
        note = {
            "wait_s": round(self.wait_s, 6),
            "attempts": self.attempt,
            "reserved_tokens": self.estimate.tokens,
            "used_tokens": used_tokens,
        }
        return note if cost_usd is None else {**note, "cost_usd": cost_usd}

    def _left_s(self, now_s: float) -> float | None:
        if self.retry.deadline_s is None:
            return None
        return max(0.0, self.started_s + self.retry.deadline_s - now_s)


def _marked(generation: ChatGeneration, note: dict[str, Any]) -> ChatGeneration:
    # A copy: a fake model, or a cache, may hand out the same message again.
    said = generation.message.response_metadata
    metadata = {**said, METADATA_KEY: {**said.get(METADATA_KEY, {}), **note}}
    message = generation.message.model_copy(update={"response_metadata": metadata})
    return generation.model_copy(update={"message": message})


def _closing(last: AIMessageChunk, note: dict[str, Any]) -> ChatGenerationChunk:
    # langchain-core ends a stream with an empty chunk of its own where the model sends none.
    return ChatGenerationChunk(
        message=AIMessageChunk(
            content=[] if isinstance(last.content, list) else "",
            id=last.id,
            response_metadata={METADATA_KEY: note},
            chunk_position="last",
        )
    )

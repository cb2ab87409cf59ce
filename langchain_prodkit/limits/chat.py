"""Any chat model, within its limits: waits before a call, tries again after a failed one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from pydantic import Field, PrivateAttr
from typing_extensions import override

from langchain_prodkit._chat import DelegatingChatModel
from langchain_prodkit._steps import END, Call, Next, Open, Out, Steps, StreamSteps
from langchain_prodkit.errors import ConfigurationError, LimitTimeoutError
from langchain_prodkit.limits.budget import Budget
from langchain_prodkit.limits.door import Doors, current_pass
from langchain_prodkit.limits.headers import read_limits
from langchain_prodkit.limits.inner import keeps_headers, without_retries
from langchain_prodkit.limits.limiter import LATE, LocalLimiter
from langchain_prodkit.limits.passage import Passage
from langchain_prodkit.limits.protocol import RateLimiter, Reading
from langchain_prodkit.limits.retry import RetryPolicy
from langchain_prodkit.limits.sources import Sources
from langchain_prodkit.limits.usage import Tally, TokenEstimator, model_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatResult
    from langchain_core.runnables import RunnableConfig

    from langchain_prodkit._chat import AnyRunManager
    from langchain_prodkit.limits.protocol import LimiterStatistics

__all__ = ["METADATA_KEY", "RateLimitedAsyncChat"]

G = TypeVar("G", bound=ChatGeneration)

METADATA_KEY: Final = "prodkit"
"""Where, in an answer's `response_metadata`, it says what its way through the limiter was."""


class RateLimitedAsyncChat(DelegatingChatModel):
    """The same chat model, never past its requests and tokens per minute, losing no call to a 429.

    Every attempt waits until it fits; failed ones are repeated as `retry` says, and what the provider
    asks for by `retry-after` holds all calls of the limiter. The retries of the model's own SDK are
    switched off, in a copy: here each would go past the limit. Works in sync and async code, whole and
    streaming; a cached answer takes no permit.

    How full the provider's buckets are, how much they hold and, where no numbers are given, what its
    limits are is learned from the headers of its answers and refusals (openai, azure and anthropic names)
    and, where it sends none, from what it refuses.

    Each answer says in `response_metadata["prodkit"]` what it cost: `waited_s` (seconds for permits and
    between attempts), `attempts`, `refusals`, `reserved_tokens` and `used_tokens`; the event
    `prodkit.limited` says so of each call that waited or was refused.

    Limits belong to a model and a key. Models that share one share a limiter; deployments with limits of
    their own have one each, and calls are spread over them by hand:

    ```python
    shared = LocalLimiter(requests_per_minute=500)
    small, large = (RateLimitedAsyncChat(model, limiter=shared) for model in (mini, full))

    east, west = (RateLimitedAsyncChat(model, requests_per_minute=500) for model in (first, second))


    async def shorter(_: Any) -> RateLimitedAsyncChat:
        return min(east, west, key=lambda chat: chat.statistics().waiting)


    spread = RunnableLambda(shorter)
    either = east.with_fallbacks([west])
    ```
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
    _doors: Any = PrivateAttr(default_factory=Doors)
    _sources: Sources = PrivateAttr(default_factory=Sources)

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

    @override
    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        door = self._doors.here()
        outer = current_pass.get()
        if outer is not None and outer.door is door and not outer.is_through:
            # A call inside a call of the same model: it must not wait for the one that waits for it.
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        try:
            async with asyncio.timeout(self.retry.deadline_s):
                own = await door.enter()
        except TimeoutError:
            raise LimitTimeoutError(LATE) from None
        token = current_pass.set(own)
        try:
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        finally:
            current_pass.reset(token)
            own.through()

    def statistics(self) -> LimiterStatistics:
        """Say how things stand at the limiter now; `waiting` counts calls not yet in line, too."""
        statistics: LimiterStatistics = self._limiter.statistics()
        return replace(statistics, waiting=statistics.waiting + self._doors.outside)

    def _generate_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> Steps[ChatResult]:
        passage = self._passage(messages, kwargs)
        source = self._source()
        while True:
            lease = yield from passage.enter()
            try:
                result: ChatResult = yield Call(
                    source._generate,  # noqa: SLF001 - see _chat
                    source._agenerate,  # noqa: SLF001
                    messages,
                    stop=stop,
                    run_manager=run_manager,
                    **kwargs,
                )
            except BaseException as error:
                if not (yield from passage.failed(lease, error)):
                    raise
                continue
            tally = Tally()
            reading: Reading | None = None
            for generation in result.generations:
                # With n > 1 each choice repeats the usage of the whole answer.
                if not tally.is_reported:
                    tally.add(generation)
                reading = reading or self._read(generation)
            note = passage.settle(lease, tally, reading)
            is_kept = source is self.model or keeps_headers(self.model)
            marked = [_marked(generation, note, is_kept=is_kept) for generation in result.generations]
            yield from passage.report()
            return result.model_copy(update={"generations": marked})

    def _stream_steps(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: AnyRunManager,
        kwargs: dict[str, Any],
    ) -> StreamSteps[ChatGenerationChunk]:
        passage = self._passage(messages, kwargs)
        source = self._source(is_stream=True, kwargs=kwargs)
        is_kept = source is self.model or keeps_headers(self.model)
        while True:
            lease = yield from passage.enter()
            tally = Tally()
            last: ChatGenerationChunk | None = None
            is_noted = False
            try:
                stream = yield Open(
                    source._stream,  # noqa: SLF001 - see _chat
                    source._astream,  # noqa: SLF001
                    messages,
                    stop=stop,
                    run_manager=run_manager,
                    **kwargs,
                )
                while (chunk := (yield Next(stream))) is not END:
                    if last is None:
                        lease.admitted(reading=self._read(chunk))
                    last = chunk
                    is_noted = is_noted or METADATA_KEY in chunk.message.response_metadata
                    tally.add(chunk)
                    yield Out(chunk if is_kept else _without_headers(chunk))
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
            yield from passage.report()
            if last is not None and not is_noted and isinstance(last.message, AIMessageChunk):
                yield Out(_closing(last.message, note))
            return

    def _source(self, *, is_stream: bool = False, kwargs: Mapping[str, Any] | None = None) -> BaseChatModel:
        """Give the model to call: one that hands on the headers of its answers, where it can."""
        # langchain-openai streams structured answers without headers or not at all.
        is_heard = self.learn_limits and not (is_stream and "response_format" in (kwargs or ()))
        return self._sources.of(self.model, is_heard=is_heard)

    def _read(self, generation: ChatGeneration) -> Reading | None:
        if not self.learn_limits:
            return None
        # langchain-core moves what stands beside a message onto it later, when it is out of here.
        beside = generation.generation_info or {}
        headers = beside.get("headers") or generation.message.response_metadata.get("headers")
        return None if headers is None else read_limits(headers)

    def _passage(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Passage:
        estimate = self._estimator.estimate(self.model, messages, kwargs)
        hold = None if self.budget is None else self.budget.reserve(estimate.model, estimate.usage)
        return Passage(self._limiter, self.retry, self._estimator, estimate, hold, learns=self.learn_limits)


def _marked(generation: ChatGeneration, note: dict[str, Any], *, is_kept: bool) -> ChatGeneration:
    # A copy: a fake model, or a cache, may hand out the same message again.
    said = generation.message.response_metadata
    metadata = {**said, METADATA_KEY: {**said.get(METADATA_KEY, {}), **note}}
    return _with_metadata(generation, metadata, is_kept=is_kept)


def _without_headers(chunk: ChatGenerationChunk) -> ChatGenerationChunk:
    if "headers" not in chunk.message.response_metadata and "headers" not in (chunk.generation_info or ()):
        return chunk
    return _with_metadata(chunk, dict(chunk.message.response_metadata), is_kept=False)


def _with_metadata(generation: G, metadata: dict[str, Any], *, is_kept: bool) -> G:
    update: dict[str, Any] = {}
    if not is_kept:
        metadata.pop("headers", None)
        info = generation.generation_info
        if info and "headers" in info:
            update["generation_info"] = {key: value for key, value in info.items() if key != "headers"}
    update["message"] = generation.message.model_copy(update={"response_metadata": metadata})
    return generation.model_copy(update=update)


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

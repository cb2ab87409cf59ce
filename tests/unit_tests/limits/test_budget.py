"""A budget: nothing goes that does not fit, and what was not used comes back."""

from __future__ import annotations

import asyncio
import copy
import math
import pickle
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.caches import InMemoryCache
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumps, loads
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_prodkit.errors import BudgetExceededError, ConfigurationError
from langchain_prodkit.limits import Budget, BudgetStatistics, LocalLimiter, RateLimitedAsyncChat, RetryPolicy
from langchain_prodkit.limits.usage import Usage

PRICES: Any = {
    "small": {"input": 1.0, "output": 4.0, "cached_input": 0.5, "cache_write": 2.0, "reasoning": 6.0},
    "small-*": {"input": 2.0, "output": 8.0},
    "*": {"input": 100.0, "output": 100.0},
}


class Metered(BaseChatModel):
    """Takes 100 tokens of prompt and `made` of answer, says so, and fails or stalls when told to."""

    model_name: str = "small"
    max_tokens: int = 50
    made: int = 30
    delay_s: float = 0.0
    stall_after: int = 10**9
    """Chunks after which a stream stands still."""
    failures: int = 0
    """Calls that fail before one succeeds."""

    @property
    def _llm_type(self) -> str:
        return "metered"

    def _message(self) -> AIMessage:
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        usage = UsageMetadata(input_tokens=100, output_tokens=self.made, total_tokens=100 + self.made)
        return AIMessage("x", usage_metadata=usage)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._message())])

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        await asyncio.sleep(self.delay_s)
        return self._generate(messages)

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for _ in range(10):
            yield ChatGenerationChunk(message=AIMessageChunk(content="four" * 10))

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for number in range(10):
            if number >= self.stall_after:
                await asyncio.sleep(60)
            yield ChatGenerationChunk(message=AIMessageChunk(content="four" * 10))


def limited(budget: Budget, model: BaseChatModel | None = None, **settings: Any) -> RateLimitedAsyncChat:
    """Make a model that spends from `budget`."""
    return RateLimitedAsyncChat(model or Metered(), budget=budget, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"max_tokens": 0},
        {"max_tokens": -5},
        {"max_tokens": math.nan},
        {"max_tokens": True},
        {"max_usd": math.inf, "prices": PRICES},
        {"max_usd": 0, "prices": PRICES},
        {"max_usd": 5.0},
        {"max_usd": 5.0, "prices": {}},
        {"max_usd": 5.0, "prices": {"m": {"output": 1.0}}},
        {"max_usd": 5.0, "prices": {"m": {"input": -1.0}}},
        {"max_usd": 5.0, "prices": {"m": {"input": math.nan}}},
        {"max_usd": 5.0, "prices": {"m": {"input": 1.0, "ouput": 2.0}}},
        {"max_usd": 5.0, "prices": {"m": (1.0, 2.0)}},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: Any) -> None:
    """At construction, saying what would do."""
    with pytest.raises(ConfigurationError):
        Budget(**settings)


def test_a_model_without_a_price_is_refused_at_construction() -> None:
    """The error names the model and the ways out; counting tokens needs no price."""
    budget = Budget(max_usd=1.0, prices={"large": {"input": 1.0}})
    with pytest.raises(ConfigurationError, match=r"'small'.*prices=.*max_tokens="):
        limited(budget)
    limited(Budget(max_tokens=1_000))


async def test_a_call_that_names_another_model_is_priced_by_it() -> None:
    """Also when nobody has a price for that one: then it is refused, unsent."""
    budget = Budget(max_usd=1.0, prices={"small": PRICES["small"], "dear": {"input": 1_000.0}})
    model = limited(budget)
    await model.bind(model="dear").ainvoke("hi")
    assert budget.spent == pytest.approx(0.1)
    with pytest.raises(ConfigurationError, match="'unheard-of'"):
        await model.bind(model="unheard-of").ainvoke("hi")


@pytest.mark.parametrize(
    ("model", "price"), [("small", 1.0), ("small-2025", 2.0), ("smaller", 100.0), ("", 100.0)]
)
def test_the_exact_name_goes_before_the_longest_pattern(model: str, price: float) -> None:
    """And no name is taken for the beginning of another."""
    found = Budget(max_usd=1.0, prices=PRICES).price(model)
    assert found is not None
    assert found["input"] == price


def test_each_part_of_a_call_has_its_price() -> None:
    """Cached, written and reasoning tokens by their own; where left out, by that of the whole."""
    budget = Budget(max_usd=1.0, prices=PRICES)
    usage = Usage(1_000_000, 500_000, 200_000, 100_000, 300_000)
    assert budget.cost_usd("small", usage) == pytest.approx(0.7 + 0.1 + 0.2 + 0.8 + 1.8)
    assert budget.cost_usd("small-2", usage) == pytest.approx(2.0 + 4.0)
    assert Budget(max_tokens=1).cost_usd("small", usage) is None
    odd = Usage(10, 10, cached_tokens=99, cache_write_tokens=99, reasoning_tokens=99)
    assert (budget.cost_usd("small", odd) or -1) > 0


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_calls_go_until_the_money_is_spent(way: str) -> None:
    """Then they are refused with what is asked, spent and allowed; the model is not called."""
    budget = Budget(max_tokens=500)
    model = limited(budget)

    async def call() -> Any:
        if way == "invoke":
            return await asyncio.to_thread(model.invoke, "hi")
        if way == "stream":
            return await asyncio.to_thread(lambda: list(model.stream("hi")))
        return (
            await model.ainvoke("hi") if way == "ainvoke" else [chunk async for chunk in model.astream("hi")]
        )

    async def call_on() -> None:
        for _ in range(100):
            await call()

    with pytest.raises(BudgetExceededError) as caught:
        await call_on()
    now = budget.statistics()
    assert 300 < now.spent_tokens <= 560
    assert (now.reserved_tokens, now.refused, caught.value.unit) == (0, 1, "tokens")
    assert caught.value.spent == now.spent_tokens
    assert caught.value.limit == 500
    assert "hi" not in str(caught.value)


async def test_the_answer_says_what_it_cost() -> None:
    """In `response_metadata["prodkit"]`, whole and streamed."""
    model = limited(Budget(max_usd=1.0, prices=PRICES))
    cost = (100 * 1.0 + 30 * 4.0) / 1e6
    answer = await model.ainvoke("hi")
    assert answer.response_metadata["prodkit"]["cost_usd"] == pytest.approx(cost)
    chunks = [chunk async for chunk in model.astream("hi")]
    assert sum(chunk.response_metadata.get("prodkit", {}).get("cost_usd", 0.0) for chunk in chunks) > 0
    plain = await limited(Budget(max_tokens=1_000)).ainvoke("hi")
    assert "cost_usd" not in plain.response_metadata["prodkit"]


async def test_a_thousand_calls_at_once_do_not_overspend() -> None:
    """With honest estimates the budget holds to the token; here they are too high, never too low."""
    budget = Budget(max_usd=0.01, prices=PRICES)
    model = limited(budget, Metered(delay_s=0.01, max_tokens=30))
    answers = await asyncio.gather(
        *(model.ainvoke("word " * 96) for _ in range(1_000)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, BudgetExceededError)]
    done = [answer for answer in answers if isinstance(answer, AIMessage)]
    assert len(refused) + len(done) == 1_000
    assert 0.0085 < budget.spent <= 0.01
    assert budget.spent == pytest.approx(len(done) * 0.00022)
    assert budget.statistics().reserved_usd == 0.0


def test_threads_and_loops_share_one_budget() -> None:
    """Twenty threads, half of them with a loop of their own, two models: not a token too much."""
    budget = Budget(max_tokens=100_000)
    models = [
        limited(budget, Metered(max_tokens=30)),
        limited(budget, Metered(model_name="b", max_tokens=30)),
    ]

    def work(number: int) -> int:
        model, done = models[number % 2], 0

        async def some() -> int:
            answers = await asyncio.gather(
                *(model.ainvoke("word " * 96) for _ in range(50)), return_exceptions=True
            )
            return sum(isinstance(answer, AIMessage) for answer in answers)

        if number % 4 > 1:
            return asyncio.run(some())
        for _ in range(50):
            try:
                model.invoke("word " * 96)
            except BudgetExceededError:
                break
            done += 1
        return done

    with ThreadPoolExecutor(20) as pool:
        done = sum(pool.map(work, range(20)))
    now = budget.statistics()
    assert now.spent_tokens == done * 130 <= 100_000
    assert now.spent_tokens > 99_000
    assert (now.calls, now.reserved_tokens) == (done, 0)


@given(
    most=st.integers(1, 2_000),
    calls=st.lists(
        st.tuples(st.integers(1, 300), st.integers(0, 300), st.sampled_from(["settle", "release", "leave"])),
        max_size=40,
    ),
    order=st.randoms(use_true_random=False),
)
def test_a_budget_is_overspent_by_what_estimates_fell_short_and_no_more(
    most: int, calls: list[tuple[int, int, str]], order: Any
) -> None:
    """Whatever the order in which calls start and end, and the sums always add up."""
    budget = Budget(max_tokens=most, max_usd=1.0, prices={"*": {"input": 1.0}})
    under_way: list[tuple[Any, int, int, str]] = []
    spent = short = held = 0

    def end() -> None:
        nonlocal spent, short, held
        hold, asked, used, how = under_way.pop(order.randrange(len(under_way)))
        if how == "leave":
            return
        held -= asked
        if how == "settle":
            hold.settle(Usage(used))
            hold.release()
            spent += used
            short += max(0, used - asked)
        else:
            hold.release()
            hold.settle(Usage(used))

    for asked, used, how in calls:
        try:
            hold = budget.reserve("m", Usage(asked))
        except BudgetExceededError:
            assert asked + spent + held > most or spent + held >= most
        else:
            held += asked
            under_way.append((hold, asked, used, how))
        if under_way and order.random() < 0.5:
            end()
        now = budget.statistics()
        assert (now.spent_tokens, now.reserved_tokens, now.left_tokens) == (spent, held, most - spent - held)
        assert now.spent_tokens <= most + short
        assert now.spent_usd == pytest.approx(spent / 1e6, abs=1e-15)


async def test_a_failed_call_is_given_back() -> None:
    """Whether it was tried again or not; and one that waited in vain was never sent."""
    budget = Budget(max_tokens=1_000)
    retry = RetryPolicy(max_attempts=2, max_wait_s=0.01)
    await limited(budget, Metered(failures=1), retry=retry).ainvoke("hi")
    assert budget.statistics().spent_tokens == 130
    with pytest.raises(ConnectionError):
        await limited(budget, Metered(failures=5), retry=retry).ainvoke("hi")
    slow = limited(budget, limiter=LocalLimiter(requests_per_minute=1), retry=RetryPolicy(deadline_s=0.05))
    await slow.ainvoke("hi")
    with pytest.raises(TimeoutError):
        await slow.ainvoke("hi")
    now = budget.statistics()
    assert (now.spent_tokens, now.reserved_tokens, now.calls) == (260, 0, 2)


async def test_a_cancelled_wait_costs_nothing_and_a_cancelled_call_its_prompt() -> None:
    """What was sent may be charged; what was not cannot be."""
    budget = Budget(max_tokens=10_000)
    model = limited(budget, Metered(delay_s=60), max_concurrency=1)
    tasks = [asyncio.create_task(model.ainvoke("word " * 96)) for _ in range(5)]
    await asyncio.sleep(0.05)
    assert budget.statistics().reserved_tokens > 5 * 130
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    now = budget.statistics()
    assert 115 < now.spent_tokens < 135
    assert (now.reserved_tokens, now.calls) == (0, 1)


@pytest.mark.parametrize("is_cancelled", [True, False], ids=["cancelled", "left"])
async def test_a_stream_that_ends_early_costs_what_arrived(*, is_cancelled: bool) -> None:
    """Three chunks of ten tokens and the prompt, nothing of the rest; and no error comes midway."""
    budget = Budget(max_tokens=150)
    model = limited(budget, Metered(stall_after=3, max_tokens=20))
    seen = 0

    async def read() -> None:
        nonlocal seen
        stream = model.astream("word " * 80)
        async for _ in stream:
            seen += 1
            if seen == 3 and not is_cancelled:
                await stream.aclose()  # type: ignore[attr-defined]
                return

    task = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    if is_cancelled:
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    now = budget.statistics()
    assert seen == 3
    assert 130 <= now.spent_tokens <= 140
    assert now.reserved_tokens == 0


async def test_a_cached_answer_costs_nothing() -> None:
    """The cache of langchain-core sits above the budget."""
    budget = Budget(max_tokens=1_000)
    model = limited(budget, Metered(cache=InMemoryCache()))
    for _ in range(5):
        await model.ainvoke("hi")
    assert budget.statistics().calls == 1


def test_an_abandoned_call_gives_back_without_waiting() -> None:
    """The garbage collector may run inside a thread that is at the book: it must not wait for itself."""
    budget = Budget(max_tokens=1_000)
    hold = budget.reserve("m", Usage(100))
    with budget._book._lock:
        hold.release()
    assert budget.statistics().reserved_tokens == 0
    lock = threading.Lock()
    assert lock.acquire(timeout=1)


def test_copies_start_with_nothing_spent() -> None:
    """They are built from the same arguments; the original goes on."""
    budget = Budget(max_usd=1.0, max_tokens=500, prices=PRICES)
    budget.reserve("small", Usage(100)).settle(Usage(100))
    model = limited(budget)
    for again in (
        copy.deepcopy(budget),
        pickle.loads(pickle.dumps(budget)),  # noqa: S301 - our own
        loads(dumps(budget), allowed_objects=[Budget], valid_namespaces=["langchain_prodkit"]),
        copy.deepcopy(model).budget,
    ):
        assert isinstance(again, Budget)
        assert dumps(again) == dumps(budget)
        assert again.statistics().spent_tokens == 0
        with pytest.raises(BudgetExceededError):
            again.reserve("small", Usage(501))
    assert model.budget is budget
    assert budget.spent == pytest.approx(0.0001)
    assert budget.left == pytest.approx(0.9999)


def test_statistics_say_how_things_stand() -> None:
    """As a frozen value; what has no maximum or price is None."""
    budget = Budget(max_tokens=500)
    budget.reserve("m", Usage(100, 50))
    assert budget.statistics() == BudgetStatistics(None, None, None, 0, 150, 350, 0, 0)
    assert (budget.spent, budget.left) == (0, 350)

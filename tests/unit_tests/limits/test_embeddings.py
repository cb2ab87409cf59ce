"""Embeddings within limits: the model's vectors, its errors, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import pickle
import signal
import threading
import time
import traceback
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings, FakeEmbeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.load import dumps

from langchain_prodkit.errors import (
    BudgetExceededError,
    ConfigurationError,
    InputTypeError,
    LimitError,
    RequestTooLargeError,
    SerializationError,
)
from langchain_prodkit.limits import (
    Budget,
    LocalLimiter,
    RateLimitedAsyncChat,
    RateLimitedEmbeddings,
    RetryPolicy,
)

WHO = contextvars.ContextVar("WHO", default="nobody")
SECRET = "Xenia Quandt lives at Elm Street 5"


class Model(Embeddings):
    """Embeds a text as its length; slow, or failing at texts that say so."""

    def __init__(self, delay_s: float = 0.0, failures: int = 10**9) -> None:
        self.delay_s = delay_s
        self.failures = failures
        """Failures before "fail" succeeds."""
        self.texts: list[str] = []
        self.at_once = self.most_at_once = 0
        self.who: set[str] = set()
        self.cancelled = 0
        self._lock = threading.Lock()

    def _begin(self, texts: list[str]) -> None:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            self.texts += texts
            self.who.add(WHO.get())

    def _end(self, texts: list[str]) -> list[list[float]]:
        with self._lock:
            self.at_once -= 1
            if any("fail" in text for text in texts) and self.failures:
                self.failures -= 1
                raise ConnectionError
            if any("break" in text for text in texts):
                raise ZeroDivisionError
        return [[float(len(text))] for text in texts if text != "lost"]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts."""
        self._begin(texts)
        time.sleep(self.delay_s)
        return self._end(texts)

    def embed_query(self, text: str) -> list[float]:
        """Embed a question: as the negative of its length."""
        return [-self.embed_documents([text])[0][0]]

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed texts in the loop."""
        self._begin(texts)
        try:
            await asyncio.sleep(self.delay_s)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self._end(texts)

    async def aembed_query(self, text: str) -> list[float]:
        """Embed a question in the loop."""
        return [-(await self.aembed_documents([text]))[0][0]]


def numbered(count: int) -> list[str]:
    """Make texts of different lengths."""
    return [f"{number} " + "x" * (number % 7) for number in range(count)]


async def embed(model: RateLimitedEmbeddings, texts: list[str], way: str) -> list[list[float]]:
    """Embed from the event loop, or from a thread without one."""
    if way == "async":
        return await model.aembed_documents(texts)
    return await asyncio.to_thread(model.embed_documents, texts)


each_way = pytest.mark.parametrize("way", ["sync", "async"])


@pytest.mark.parametrize(
    "settings",
    [
        {"requests_per_minute": 0},
        {"tokens_per_minute": float("nan")},
        {"max_concurrency": -1},
        {"headroom": 1.0},
        {"max_batch_texts": 0},
        {"max_batch_tokens": 2.5},
        {"limiter": LocalLimiter(), "requests_per_minute": 5},
        {"limiter": "fast"},
        {"budget": Budget(max_usd=1.0, prices={"other": {"input": 1.0}})},
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: Any) -> None:
    """At construction."""
    with pytest.raises(ConfigurationError):
        RateLimitedEmbeddings(Model(), **settings)


def test_a_chat_model_is_no_embedding_model() -> None:
    """The error says where chat models go."""
    chat: Any = FakeListChatModel(responses=["x"])
    with pytest.raises(ConfigurationError, match="RateLimitedAsyncChat"):
        RateLimitedEmbeddings(chat)


async def test_vectors_are_those_of_the_plain_model() -> None:
    """All four methods; questions go the way the model embeds questions."""
    plain = DeterministicFakeEmbedding(size=4)
    limited = RateLimitedEmbeddings(plain, max_batch_texts=3)
    texts = ["a", "b", "a", "", "c", "d", "한국어", ""]
    assert limited.embed_documents(texts) == plain.embed_documents(texts)
    assert await limited.aembed_documents(texts) == plain.embed_documents(texts)
    assert limited.embed_query("a") == await limited.aembed_query("a") == plain.embed_query("a")
    questions = RateLimitedEmbeddings(Model())
    assert questions.embed_query("abc") == await questions.aembed_query("abc") == [-3.0]


@each_way
async def test_no_texts_take_no_permit(way: str) -> None:
    """Nothing is asked, nothing comes back."""
    limiter = LocalLimiter(requests_per_minute=1)
    assert await embed(RateLimitedEmbeddings(Model(), limiter=limiter), [], way) == []
    assert limiter.statistics().granted == 0


@each_way
@pytest.mark.parametrize("texts", ["one text", [SECRET, 5], [None], 7, [b"x"]])
async def test_what_is_no_list_of_texts_is_refused(texts: Any, way: str) -> None:
    """With an error that names the kind and the place, never the text."""
    with pytest.raises(InputTypeError) as caught:
        await embed(RateLimitedEmbeddings(Model()), texts, way)
    assert "Xenia" not in str(caught.value)


@each_way
async def test_half_characters_are_replaced(way: str) -> None:
    """They have no form in UTF-8, so no request could carry them."""
    model = Model()
    assert await embed(RateLimitedEmbeddings(model), ["a\ud800b"], way) == [[3.0]]
    assert model.texts == ["a\ufffdb"]


@each_way
async def test_batches_go_side_by_side(way: str) -> None:
    """Sixteen at least, as many as `max_concurrency` at most."""
    for limit, low, high in ((None, 16, 64), (3, 3, 3)):
        model = Model(delay_s=0.1)
        limited = RateLimitedEmbeddings(model, max_batch_texts=1, max_concurrency=limit, learn_limits=False)
        await embed(limited, numbered(64), way)
        assert low <= model.most_at_once <= high


async def test_synchronous_calls_work_where_a_loop_runs() -> None:
    """A notebook's cell, or a careless coroutine; the context of the caller reaches the model."""
    model = Model(delay_s=0.01)
    token = WHO.set("caller")
    try:
        vectors = RateLimitedEmbeddings(model, max_batch_texts=10).embed_documents(numbered(100))
    finally:
        WHO.reset(token)
    assert vectors == [[float(len(text))] for text in numbered(100)]
    assert model.who == {"caller"}


@each_way
async def test_a_batch_that_fails_is_tried_again_alone(way: str) -> None:
    """The others are sent once."""
    model = Model(failures=2)
    texts = [*numbered(30), "fail"]
    limited = RateLimitedEmbeddings(model, max_batch_texts=5, retry=RetryPolicy(max_wait_s=0.01))
    assert len(await embed(limited, texts, way)) == 31
    assert model.texts.count("fail") == 3
    assert model.texts.count("0 ") == 1


@each_way
@pytest.mark.parametrize(("bad", "error"), [("break", ZeroDivisionError), ("fail", ConnectionError)])
async def test_a_batch_that_fails_for_good_ends_the_call_at_once(way: str, bad: str, error: Any) -> None:
    """Its error comes as it is, with the inputs it is about; the others are called off, nothing hangs."""
    model = Model(delay_s=0.05)
    limiter = LocalLimiter(requests_per_minute=240, burst_s=2)
    limited = RateLimitedEmbeddings(
        model, limiter=limiter, max_batch_texts=5, retry=RetryPolicy(max_attempts=1), learn_limits=False
    )
    texts = numbered(200)
    texts[12] = f"{SECRET} {bad}"
    start_s = time.monotonic()
    with pytest.raises(error) as caught:
        await embed(limited, texts, way)
    assert time.monotonic() - start_s < 2
    assert caught.value.__notes__ == ["while embedding inputs 10 to 14 of 200 (counted from 0)"]
    assert "Xenia" not in "".join(traceback.format_exception(caught.value))
    await asyncio.sleep(0.1)
    now = limiter.statistics()
    assert (now.waiting, now.in_flight) == (0, 0)
    assert len(model.texts) < 200


@each_way
async def test_vectors_that_are_missing_are_an_error(way: str) -> None:
    """Rather than given to the wrong texts."""
    with pytest.raises(LimitError, match="2 vectors for 3 texts"):
        await embed(RateLimitedEmbeddings(Model()), ["a", "lost", "c"], way)


async def test_a_cancelled_call_leaves_nothing_behind() -> None:
    """Batches in line leave it, batches under way are cancelled, and the model can be used on."""
    model, limiter = Model(delay_s=60), LocalLimiter(requests_per_minute=600)
    limited = RateLimitedEmbeddings(model, limiter=limiter, max_batch_texts=5, learn_limits=False)
    task = asyncio.create_task(limited.aembed_documents(numbered(500)))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)
    assert model.cancelled == model.at_once > 0
    now = limiter.statistics()
    assert (now.waiting, now.in_flight) == (0, 0)
    model.delay_s = 0.0
    assert len(await limited.aembed_documents(["a"])) == 1


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer that interrupts")
def test_ctrl_c_ends_a_synchronous_call() -> None:
    """While batches wait for permits that come a minute later."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    limiter = LocalLimiter(requests_per_minute=2)
    limited = RateLimitedEmbeddings(Model(), limiter=limiter, max_batch_texts=1, learn_limits=False)
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    start_s = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            limited.embed_documents(numbered(50))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - start_s < 2
    assert limiter.statistics().waiting == 0


@each_way
async def test_a_text_over_the_limit_is_refused_before_anything_is_sent(way: str) -> None:
    """The error names the input, by its number."""
    model = Model()
    each: list[dict[str, Any]] = [{"tokens_per_minute": 1_000}, {"max_batch_tokens": 1_000}]
    for settings in each:
        with pytest.raises(RequestTooLargeError) as caught:
            await embed(RateLimitedEmbeddings(model, **settings), ["a", "b", SECRET * 300], way)
        assert caught.value.__notes__ == ["while embedding input 2 of 3 (counted from 0)"]
        assert "Xenia" not in str(caught.value)
    assert model.texts == []


@each_way
async def test_a_budget_is_asked_for_all_texts_at_once(way: str) -> None:
    """A run that does not fit is refused whole: half of its vectors would be paid for and lost."""
    model, budget = Model(), Budget(max_tokens=1_000)
    limited = RateLimitedEmbeddings(model, budget=budget, max_batch_texts=2)
    await embed(limited, ["x" * 400] * 3 + ["y" * 400, "z" * 400], way)
    assert (budget.statistics().spent_tokens, budget.statistics().reserved_tokens) == (300, 0)
    with pytest.raises(BudgetExceededError):
        await embed(limited, [f"{number}" * 400 for number in range(8)], way)
    assert len(model.texts) == 3
    broken = RateLimitedEmbeddings(Model(), budget=budget, max_batch_texts=1, max_concurrency=1)
    with pytest.raises(ZeroDivisionError):
        await embed(broken, ["x" * 400, "break", "y" * 400], way)
    # The first was embedded; the one that failed and the one that was called off were not.
    assert (budget.statistics().spent_tokens, budget.statistics().reserved_tokens) == (400, 0)


async def test_one_limiter_for_chat_and_embeddings() -> None:
    """They stand in the same line."""
    limiter = LocalLimiter(requests_per_minute=6_000)
    chat = RateLimitedAsyncChat(FakeListChatModel(responses=["x"]), limiter=limiter)
    limited = RateLimitedEmbeddings(Model(), limiter=limiter, max_batch_texts=5)
    await asyncio.gather(chat.ainvoke("hi"), limited.aembed_documents(numbered(20)))
    assert limiter.statistics().granted == 1 + 5
    assert limited.statistics().granted == 6


def test_copies_and_pickles_work_the_same() -> None:
    """With limiters of their own, built from the same numbers."""
    limited = RateLimitedEmbeddings(
        DeterministicFakeEmbedding(size=4), requests_per_minute=6_000, max_batch_texts=7
    )
    for again in (copy.deepcopy(limited), pickle.loads(pickle.dumps(limited))):  # noqa: S301 - our own
        assert isinstance(again, RateLimitedEmbeddings)
        assert again.embed_documents(["a", "b"]) == limited.embed_documents(["a", "b"])
        assert (again.max_batch_texts, again.requests_per_minute) == (7, 6_000)
        assert again._means.limiter is not limited._means.limiter


def test_dumps_says_why_it_cannot_write_it() -> None:
    """Embedding models are no langchain-core serializables."""
    with pytest.raises(SerializationError, match="embeddings"):
        dumps(RateLimitedEmbeddings(FakeEmbeddings(size=2)))

"""Tokens: what a call is expected to take, and what it took."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_openai import ChatOpenAI

from langchain_prodkit.limits.usage import Estimate, Tally, TokenEstimator, Usage, counting_rule

FAKE = FakeListChatModel(responses=["x"])
ASKED = [HumanMessage("word " * 100)]


def openai(**settings: Any) -> ChatOpenAI:
    """Make a model that is never called."""
    return ChatOpenAI(**{"model": "gpt-4o", "api_key": "k", **settings})


def test_max_tokens_of_the_call_comes_before_that_of_the_model() -> None:
    """What the provider may charge for is what is reserved."""
    model = openai(max_tokens=30)
    estimator = TokenEstimator()
    assert estimator.estimate(model, ASKED, {}).answer_tokens == 30
    assert estimator.estimate(model, ASKED, {"max_tokens": 70}).answer_tokens == 70
    assert estimator.estimate(model, ASKED, {"max_completion_tokens": 80, "n": 2}).answer_tokens == 160


def test_without_max_tokens_the_answers_seen_decide() -> None:
    """Three in four answers fit in what is reserved."""
    estimator = TokenEstimator()
    estimate = estimator.estimate(FAKE, ASKED, {})
    for answer in range(1, 101):
        estimator.observe(estimate, 130, answer)
    assert 80 <= estimator.estimate(FAKE, ASKED, {}).answer_tokens <= 90


def test_answers_are_reserved_for_each_choice() -> None:
    """Two choices take twice what one takes, whatever was observed with how many."""
    estimator = TokenEstimator()
    for _ in range(64):
        estimator.observe(estimator.estimate(FAKE, ASKED, {"n": 4}), 130, 400)
    assert estimator.estimate(FAKE, ASKED, {}).answer_tokens == 100
    assert estimator.estimate(FAKE, ASKED, {"n": 2}).answer_tokens == 200


@pytest.mark.parametrize("real", [0.7, 1.0, 1.6])
def test_the_prompt_estimate_comes_closer_with_every_answer(real: float) -> None:
    """Whatever the tokenizer, after some answers the estimate is within five percent."""
    estimator = TokenEstimator()
    raw = estimator.estimate(FAKE, ASKED, {}).prompt_tokens
    for _ in range(60):
        estimator.observe(estimator.estimate(FAKE, ASKED, {}), round(raw * real), 5)
    assert estimator.estimate(FAKE, ASKED, {}).prompt_tokens == pytest.approx(raw * real, rel=0.05)


@given(st.lists(st.integers(0, 10**9), max_size=12), st.integers(0, 10**6))
def test_strange_answers_do_not_move_the_estimate(strange: list[int], seed: int) -> None:
    """A dozen absurd reports among fifty good ones leave the estimate where it was, within a tenth."""
    estimator = TokenEstimator()
    reports = [(150, 80)] * 50 + [(value, value) for value in strange]
    random.Random(seed).shuffle(reports)
    for prompt, answer in reports:
        estimator.observe(estimator.estimate(FAKE, ASKED, {}), prompt, answer)
    estimate = estimator.estimate(FAKE, ASKED, {})
    assert estimate.prompt_tokens == pytest.approx(150, rel=0.1)
    assert estimate.answer_tokens == 80


def test_each_model_is_learned_for_itself() -> None:
    """One estimator, two models by name: the answers of one say nothing of the other."""
    estimator = TokenEstimator()
    for _ in range(20):
        estimator.observe(estimator.estimate(openai(model="long-winded"), ASKED, {}), 200, 900)
    assert estimator.estimate(openai(model="other"), ASKED, {}).answer_tokens == 256
    assert estimator.estimate(openai(model="other"), ASKED, {"model": "long-winded"}).answer_tokens == 900
    for number in range(1000):
        estimator.observe(Estimate(1, 1, 1, model=f"m{number}"), 1, 1)
    assert len(estimator._models) <= 64


def test_threads_learn_together() -> None:
    """Eight threads observe at once and nothing breaks."""
    estimator = TokenEstimator()

    def learn() -> None:
        for _ in range(500):
            estimator.observe(estimator.estimate(FAKE, ASKED, {}), 200, 40)

    threads = [threading.Thread(target=learn) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert estimator.estimate(FAKE, ASKED, {})[1:3] == (200, 40)


def test_estimating_a_long_prompt_is_cheap() -> None:
    """A hundred thousand characters or two hundred messages take well under two milliseconds."""
    estimator, model = TokenEstimator(), openai()
    history = [HumanMessage("and then?") if at % 2 else AIMessage("then this") for at in range(200)]
    for prompt in ([HumanMessage("x y " * 25_000)], [HumanMessage("한국어 " * 25_000)], history):
        times = []
        for _ in range(10):
            start_s = time.perf_counter()
            estimator.estimate(model, prompt, {})
            times.append(time.perf_counter() - start_s)
        assert min(times) < 0.002


def usage(given: int, made: int, **more: Any) -> UsageMetadata:
    """Report `given` tokens of prompt and `made` of answer."""
    said = UsageMetadata(input_tokens=given, output_tokens=made, total_tokens=given + made)
    said.update(more)  # type: ignore[typeddict-item]
    return said


def tally_of(*reports: UsageMetadata | None, text: str = "some text") -> Tally:
    """Add up a stream with these reports."""
    tally = Tally()
    for report in reports:
        tally.add(ChatGenerationChunk(message=AIMessageChunk(content=text, usage_metadata=report)))
    return tally


def test_usage_is_summed_over_the_chunks_of_a_stream() -> None:
    """Some providers report once at the end, some the prompt first and the answer last."""
    estimate = TokenEstimator().estimate(FAKE, ASKED, {})
    assert tally_of(usage(100, 0), None, usage(0, 23)).used_tokens(estimate) == 123


def test_a_stream_without_usage_is_counted_by_its_length() -> None:
    """Prompt by estimate, answer by four bytes a token, tool calls included."""
    estimate = TokenEstimator().estimate(FAKE, ASKED, {})
    tally = Tally()
    for _ in range(10):
        tally.add(ChatGenerationChunk(message=AIMessageChunk(content="eight ch")))
    call: Any = {"name": "tool", "args": '{"a": "bcdefghi"}', "id": "1", "index": 0}
    tally.add(ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call])))
    assert tally.used_tokens(estimate) == estimate.prompt_tokens + 25


def test_a_whole_answer_is_taken_as_reported() -> None:
    """Usage of an answer wins over any estimate."""
    estimate = TokenEstimator().estimate(FAKE, ASKED, {})
    tally = Tally()
    tally.add(ChatGeneration(message=AIMessage("long " * 500, usage_metadata=usage(7, 3))))
    assert tally.used_tokens(estimate) == 10


def test_a_broken_stream_is_charged_for_what_arrived() -> None:
    """The answer by its length where the report that comes last is missing."""
    estimate = TokenEstimator().estimate(FAKE, ASKED, {})
    assert tally_of(usage(100, 1), None, text="x" * 40).usage_so_far(estimate)[:2] == (100, 20)
    assert tally_of(None, text="x" * 40).usage_so_far(estimate)[:2] == (estimate.prompt_tokens, 10)
    assert Tally().usage_so_far(estimate)[:2] == (estimate.prompt_tokens, 0)


def test_cached_and_reasoning_tokens_are_told_apart() -> None:
    """Both are parts of the whole, and some providers put reasoning in the total alone."""
    report = usage(
        1_000,
        300,
        input_token_details=InputTokenDetails(cache_read=600, cache_creation=100),
        output_token_details=OutputTokenDetails(reasoning=200),
    )
    estimate = TokenEstimator().estimate(FAKE, ASKED, {})
    assert tally_of(report).usage(estimate) == Usage(1_000, 300, 600, 100, 200)
    hidden: Any = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 75}
    assert tally_of(hidden).usage(estimate).output_tokens == 65


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai-chat", "gpt-4o", 1_300),
        ("azure-openai-chat", "", 1_300),
        ("anthropic-chat", "claude-sonnet-4-5", 700),
        ("anthropic-chat-vertexai", "claude-3-7-sonnet@20250219", 700),
        ("anthropic-chat", "claude-3-5-haiku-latest", 1_300),
        ("amazon_bedrock_converse_chat", "us.anthropic.claude-sonnet-4-20250514-v1:0", 400 + 1_500),
        ("amazon_bedrock_chat", "anthropic.claude-3-haiku-20240307-v1:0", 700),
        ("amazon_bedrock_chat", "amazon.nova-pro-v1:0", 700),
        ("chat-google-generative-ai", "gemini-2.5-flash", 1_300),
        ("somebody-else", "llama", 1_300),
    ],
)
def test_the_limit_counts_as_the_provider_does(provider: str, model: str, tokens: int) -> None:
    """Cache reads are free at some, an answer is dear at one: each by its own documentation."""
    assert counting_rule(provider, model).tokens(Usage(1_000, 300, cached_tokens=600)) == tokens


class _ClaudeLike(FakeListChatModel):
    """Says it is Anthropic's."""

    model: str = "claude-sonnet-4-5"

    @property
    def _llm_type(self) -> str:
        return "anthropic-chat"


def test_the_rule_is_found_from_the_model() -> None:
    """A settled call gives the cached part of its prompt back where it did not count."""
    report = usage(1_000, 300, input_token_details=InputTokenDetails(cache_read=600))
    for model, used in ((_ClaudeLike(responses=["x"]), 700), (openai(), 1_300)):
        estimate = TokenEstimator().estimate(model, ASKED, {})
        assert tally_of(report).used_tokens(estimate) == used

"""Tokens: what a call is expected to take, and what it took."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk
from langchain_openai import ChatOpenAI

from langchain_prodkit.limits.usage import Tally, TokenEstimator

FAKE = FakeListChatModel(responses=["x"])
ASKED = [HumanMessage("word " * 100)]


def test_max_tokens_of_the_call_comes_before_that_of_the_model() -> None:
    """What the provider may charge for is what is reserved."""
    model = ChatOpenAI(model="m", api_key="k", max_tokens=30)
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


@pytest.mark.parametrize("real", [0.7, 1.0, 1.6])
def test_the_prompt_estimate_comes_closer_with_every_answer(real: float) -> None:
    """Whatever the tokenizer, after some answers the estimate is within five percent."""
    estimator = TokenEstimator()
    raw = estimator.estimate(FAKE, ASKED, {}).prompt_tokens
    for _ in range(60):
        estimator.observe(estimator.estimate(FAKE, ASKED, {}), round(raw * real), 5)
    assert estimator.estimate(FAKE, ASKED, {}).prompt_tokens == pytest.approx(raw * real, rel=0.05)


def test_tool_schemas_are_counted() -> None:
    """They travel with the prompt."""
    tool = {"type": "function", "function": {"name": "f", "description": "d" * 400, "parameters": {}}}
    estimator = TokenEstimator()
    plain = estimator.estimate(FAKE, ASKED, {}).prompt_tokens
    assert estimator.estimate(FAKE, ASKED, {"tools": [tool]}).prompt_tokens > plain + 90


def usage(given: int, made: int) -> UsageMetadata:
    """Report `given` tokens of prompt and `made` of answer."""
    return UsageMetadata(input_tokens=given, output_tokens=made, total_tokens=given + made)


def test_usage_is_summed_over_the_chunks_of_a_stream() -> None:
    """Some providers report once at the end, some the prompt first and the answer last."""
    estimate = TokenEstimator().estimate(FAKE, ASKED, {})
    tally = Tally()
    for reported in (usage(100, 0), None, usage(0, 23)):
        tally.add(ChatGenerationChunk(message=AIMessageChunk(content="some text", usage_metadata=reported)))
    assert tally.used_tokens(estimate) == 123


def test_a_stream_without_usage_is_counted_by_its_length() -> None:
    """Prompt by estimate, answer by four characters a token, tool calls included."""
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

"""What a judge writes is read in any dress, and nonsense is never a pass."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage

from langchain_prodkit.evaluation.judge_answer import Claims, Scale, text_in

FIVE = Scale(1, 5)


@pytest.mark.parametrize(
    "text",
    [
        '{"rationale": "good", "score": 4}',
        '{"score": "4", "reason": "good"}',
        '{"score": 4.0, "explanation": "good"}',
        '```json\n{"rationale": "good", "score": 4}\n```',
        'Let me think {about it}. {"rationale": "good", "score": 4} There you are.',
        '{"rationale": "good", "score": "4/5"}',
        '{"verdict": {"rationale": "good", "score": 4}}',
        '{"rationale": "good", "Score": 4,}',
        "{'rationale': 'good', 'score': 4}",
        '{"rationale": "go\nod", "rating": 4}',
        '{"rationale": "good", "score": 4} {"rationale": "good", "score": 4}',
        "4",
        "Score: 4/5",
        "**Score: 4**",
    ],
)
def test_a_verdict_is_found_in_any_dress(text: str) -> None:
    """Four of five points are three quarters of the way."""
    verdict = FIVE.read(text)
    assert verdict is not None
    assert verdict.value == 0.75


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would give this a 4.",
        "{}",
        '{"score": 6}',
        '{"score": 0}',
        '{"score": -1e9}',
        '{"score": NaN}',
        '{"score": Infinity}',
        '{"score": true}',
        '{"score": null}',
        '{"score": [4]}',
        '{"score": "very good"}',
        '{"rationale": "cut off", "sco',
        '{"score": 5} no, sorry: {"score": 1}',
        "4 or 5",
        "[4]",
        "{" * 5000,
        '{"a":' * 3000,
        '{"score": 4}' + " " * 70_000,
    ],
)
def test_what_holds_no_single_verdict_is_none(text: str) -> None:
    """Nor does it raise, or take long."""
    assert FIVE.read(text) is None


def test_a_scale_of_two_reads_words_too() -> None:
    """Yes and no are its ends."""
    scale = Scale(0, 1)
    assert [getattr(scale.read(json.dumps({"score": said})), "value", "none") for said in
            (1, 0, True, False, "yes", "No", "pass", 0.5, "maybe")] == [
        1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.5, "none",
    ]  # fmt: skip


def test_claims_are_counted_and_the_unsupported_named() -> None:
    """The value is the share of supported claims."""
    verdict = Claims().read(
        '{"claims": [{"claim": "a", "supported": true}, {"claim": "b is blue", "supported": "no"}]}'
    )
    assert verdict is not None
    assert verdict.value == 0.5
    assert verdict.rationale == "1 of 2 claims supported; not supported: b is blue"
    other = Claims().read('{"claims": ["a", "b"], "unsupported": ["b"]}')
    assert other is not None
    assert other.value == 0.5


def test_an_answer_without_claims_is_neither_good_nor_bad() -> None:
    """There is nothing to judge."""
    verdict = Claims().read('{"claims": []}')
    assert verdict is not None
    assert verdict.value is None


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"claims": "none"}',
        '{"claims": [1]}',
        '{"claims": [{"claim": "a"}]}',
        '{"claims": [{"claim": "a", "supported": "perhaps"}]}',
        '{"claims": ["a"], "unsupported": ["b"]}',
        '{"claims": []} {"claims": ["a"], "unsupported": []}',
    ],
)
def test_claims_that_cannot_be_counted_are_none(text: str) -> None:
    """An entry without a ruling is no support."""
    assert Claims().read(text) is None


@given(st.text(max_size=300))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_no_text_breaks_the_reading(text: str) -> None:
    """Whatever a model writes, there is a verdict in range or none."""
    for form in (FIVE, Claims()):
        verdict = form.read(text)
        assert verdict is None or verdict.value is None or 0.0 <= verdict.value <= 1.0


@given(st.integers(1, 5), st.text(max_size=50), st.text("{} \n\"'", max_size=20))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_a_verdict_survives_what_stands_before_it(score: int, reason: str, before: str) -> None:
    """Unless that makes it ambiguous, and then there is none."""
    verdict = FIVE.read(before + json.dumps({"rationale": reason, "score": score}))
    assert verdict is None or verdict.value == (score - 1) / 4


def test_a_tool_call_is_read_before_the_text() -> None:
    """Where a provider holds a model to a schema by a tool."""
    call = {"name": "Verdict", "args": {"score": 2}, "id": "1"}
    verdict = FIVE.read(text_in(AIMessage(content="thinking", tool_calls=[call])))
    assert verdict is not None
    assert verdict.value == 0.25

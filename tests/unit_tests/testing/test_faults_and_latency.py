"""Faults and latencies come as ordered, the same in every run."""

from __future__ import annotations

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.testing import Faults, Latency
from langchain_prodkit.testing.answers import Answer, ToolCall
from langchain_prodkit.testing.faults import FaultSequence, error_of, is_json, spoil


@given(st.floats(0, 1), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_faults(rate: float, seed: int) -> None:
    """Two runs meet their faults at the same requests."""
    one, two = (FaultSequence(Faults(rate=rate, seed=seed)) for _ in range(2))
    assert [one.draw() for _ in range(50)] == [two.draw() for _ in range(50)]


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_about_the_asked_share_goes_wrong(rate: float) -> None:
    """The rate is met within a few percent over two thousand requests."""
    sequence = FaultSequence(Faults(rate=rate, seed=1))
    share = sum(sequence.draw() is not None for _ in range(2000)) / 2000
    assert share == pytest.approx(rate, abs=0.03)


def test_a_script_comes_first_then_the_rate() -> None:
    """Listed faults meet the first requests in order."""
    sequence = FaultSequence(Faults(script=["error_500", None, "slow"], rate=1.0, kinds=["bare_429"]))
    assert [sequence.draw() for _ in range(5)] == ["error_500", None, "slow", "bare_429", "bare_429"]


def test_spoils_are_used_up() -> None:
    """First the malformed answers, then those of the wrong shape, then good ones."""
    sequence = FaultSequence(Faults(malformed_json=2, wrong_schema=1))
    assert [sequence.spoil() for _ in range(4)] == ["malformed_json", "malformed_json", "wrong_schema", None]


@given(
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.integers(), st.text(), st.lists(st.integers())), max_size=4
    )
)
def test_malformed_is_no_json_and_wrong_schema_shares_no_value(value: dict[str, Any]) -> None:
    """Both spoils do what their name says, whatever the object."""
    text = json.dumps(value)
    assert not is_json(spoil(text, "malformed_json"))
    wrong = json.loads(spoil(text, "wrong_schema"))
    assert isinstance(wrong, dict)
    assert all(wrong.get(name) != item for name, item in value.items())


@pytest.mark.parametrize("kind", ["malformed_json", "wrong_schema"])
def test_prose_cannot_be_spoiled(kind: Literal["malformed_json", "wrong_schema"]) -> None:
    """An answer in words is left as it is; tool arguments are not."""
    prose = Answer(content="Hello {name}")
    assert not prose.is_json
    call = Answer(tool_calls=(ToolCall("add", '{"a": 1}', "call_1"),))
    assert call.is_json
    assert call.spoiled(kind).tool_calls[0].arguments != '{"a": 1}'


def test_only_errors_have_an_error() -> None:
    """`slow` and the cut connections are no error responses."""
    assert error_of("slow") is None
    assert error_of(None) is None
    error = error_of("insufficient_quota")
    assert error is not None
    assert (error.status, error.body["error"]["code"]) == (429, "insufficient_quota")


@pytest.mark.parametrize(
    "settings", [{"rate": 1.5}, {"rate": 0.1, "kinds": ()}, {"script": ["no_such"]}, {"malformed_json": -1}]
)
def test_impossible_faults_are_refused(settings: dict[str, Any]) -> None:
    """A mistake is an error where it is made."""
    with pytest.raises(ConfigurationError):
        Faults(**settings)


def test_latencies_repeat_from_the_start() -> None:
    """`fresh` and equal arguments give the same draws, all of them zero or more."""
    for latency in (Latency.lognormal(0.2), Latency.uniform(0.1, 0.3), Latency.constant(0.5)):
        draws = [latency() for _ in range(100)]
        assert draws == [again() for again in [latency.fresh()] for _ in range(100)]
        assert min(draws) >= 0


def test_the_median_is_in_the_middle() -> None:
    """Half of the lognormal draws are below its median."""
    latency = Latency.lognormal(0.2, 0.5)
    below = sum(latency() < 0.2 for _ in range(2000))
    assert below == pytest.approx(1000, abs=80)
    assert Latency.lognormal(0.0)() == 0.0


@pytest.mark.parametrize(
    ("text", "low", "high"), [("0.2", 0.2, 0.2), ("uniform:0.1,0.3", 0.1, 0.3), ("lognormal:0.3,0", 0.3, 0.3)]
)
def test_the_command_line_forms_are_read(text: str, low: float, high: float) -> None:
    """Seconds, or the name of a distribution with its numbers."""
    assert low - 1e-9 <= Latency.parse(text)() <= high + 1e-9


@pytest.mark.parametrize("text", ["", "fast", "uniform:", "normal:1,2", "-1", "nan", "1,2", "uniform:1,2,3"])
def test_other_forms_are_refused(text: str) -> None:
    """A typo names the forms there are."""
    with pytest.raises(ConfigurationError, match="latency"):
        Latency.parse(text)

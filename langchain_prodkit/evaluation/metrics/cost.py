"""Metrics of what an answer cost: time, tokens, calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["Latency", "ModelCalls", "TimeToFirstToken", "Tokens"]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the start of the run to its end."""

    name: str = "latency_ms"
    needs: frozenset[str] = frozenset({"latency_ms"})
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded time."""
        return Score(row.latency_ms)


@dataclass(frozen=True, slots=True)
class TimeToFirstToken:
    """Milliseconds from the start of the run to the first token; only streams have one."""

    name: str = "ttft_ms"
    needs: frozenset[str] = frozenset({"ttft_ms"})
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded time."""
        return Score(row.ttft_ms)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of all model calls of the run."""

    kind: Literal["input_tokens", "output_tokens", "total_tokens"] = "total_tokens"
    needs: frozenset[str] = frozenset({"usage"})
    higher_is_better: bool | None = False

    @property
    def name(self) -> str:
        """The kind of tokens."""
        return self.kind

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded number."""
        count = (row.usage or {}).get(self.kind)
        return Score(skipped=f"no {self.kind}") if count is None else Score(float(count))


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """Model calls of the run, re-asks included."""

    name: str = "model_calls"
    needs: frozenset[str] = frozenset({"model_calls"})
    higher_is_better: bool | None = False

    def score(self, row: EvalRecord) -> Score:
        """Give the recorded number."""
        return Score(None if row.model_calls is None else float(row.model_calls))

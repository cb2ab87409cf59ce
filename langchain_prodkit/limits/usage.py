"""How many tokens a call will take, and how many it took."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages.utils import count_tokens_approximately

from langchain_prodkit._chat import innermost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGeneration

__all__ = ["Estimate", "Tally", "TokenEstimator"]

_MAX_TOKENS_NAMES: Final = ("max_completion_tokens", "max_output_tokens", "max_tokens")
_CHARS_PER_TOKEN: Final = 4.0
# Before the first answer is seen: a paragraph or two.
_FIRST_ANSWER_TOKENS: Final = 256
_REMEMBERED_ANSWERS: Final = 64
_QUANTILE: Final = 0.75
# How fast the correction follows what is observed, and how far it may go.
_LEARNING_RATE: Final = 0.1
_CORRECTIONS: Final = (0.5, 4.0)


class Estimate:
    """What a call is expected to take."""

    __slots__ = ("answer_tokens", "prompt_tokens", "raw_prompt_tokens")

    def __init__(self, raw_prompt_tokens: int, prompt_tokens: int, answer_tokens: int) -> None:
        """Hold the prompt as counted, the prompt as corrected, and the answer."""
        self.raw_prompt_tokens = raw_prompt_tokens
        self.prompt_tokens = prompt_tokens
        self.answer_tokens = answer_tokens

    @property
    def tokens(self) -> int:
        """Prompt and answer together: what to reserve."""
        return self.prompt_tokens + self.answer_tokens


class TokenEstimator:
    """Estimates calls, and gets better with every answer that says what it took.

    The prompt is counted approximately (no tokenizer files, microseconds) and corrected by the usage
    that earlier answers reported. The answer is `max_tokens` where the call or the model sets it, else
    the upper quartile of the last answers. Thread-safe.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._lock = threading.Lock()
        self._correction = 1.0
        self._answers: deque[int] = deque(maxlen=_REMEMBERED_ANSWERS)
        self._answer_tokens = _FIRST_ANSWER_TOKENS

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> TokenEstimator:
        """Start afresh: what was learned belongs to the model it was learned from."""
        return TokenEstimator()

    def __reduce__(self) -> tuple[type[TokenEstimator], tuple[()]]:
        return TokenEstimator, ()

    def estimate(
        self, model: BaseChatModel, messages: Sequence[BaseMessage], kwargs: Mapping[str, Any]
    ) -> Estimate:
        """Estimate the call of `model` with `messages` and the call's own `kwargs`."""
        tools: list[Any] = [tool for tool in kwargs.get("tools") or () if isinstance(tool, dict)]
        raw = count_tokens_approximately(messages, chars_per_token=_CHARS_PER_TOKEN, tools=tools)
        answer = _max_tokens(model, kwargs)
        if answer is None:
            answer = self._answer_tokens
        return Estimate(raw, round(raw * self._correction), answer)

    def observe(self, estimate: Estimate, input_tokens: int, output_tokens: int) -> None:
        """Learn from an answer that reported its usage."""
        low, high = _CORRECTIONS
        with self._lock:
            if input_tokens > 0:
                ratio = input_tokens / max(1, estimate.raw_prompt_tokens)
                moved = self._correction + _LEARNING_RATE * (ratio - self._correction)
                self._correction = min(high, max(low, moved))
            if output_tokens > 0:
                self._answers.append(output_tokens)
                ranked = sorted(self._answers)
                self._answer_tokens = ranked[int(_QUANTILE * (len(ranked) - 1))]


class Tally:
    """Adds up what an answer took, whole or chunk by chunk."""

    __slots__ = ("_characters", "input_tokens", "is_reported", "output_tokens")

    def __init__(self) -> None:
        """Start at nothing."""
        self._characters = 0
        self.is_reported = False
        """Whether the provider said what it took."""
        self.input_tokens = 0
        self.output_tokens = 0

    def add(self, generation: ChatGeneration) -> None:
        """Add a chunk, or a whole answer."""
        message: Any = generation.message
        usage = getattr(message, "usage_metadata", None)
        if usage:
            self.is_reported = True
            self.input_tokens += usage.get("input_tokens", 0)
            self.output_tokens += usage.get("output_tokens", 0)
        self._characters += len(generation.text)
        calls = getattr(message, "tool_call_chunks", None) or getattr(message, "tool_calls", None) or ()
        for call in calls:
            self._characters += len(call.get("name") or "") + len(str(call.get("args") or ""))

    def used_tokens(self, estimate: Estimate) -> int:
        """Say what the answer took, as reported or else by its length."""
        if self.is_reported:
            return self.input_tokens + self.output_tokens
        return estimate.prompt_tokens + round(self._characters / _CHARS_PER_TOKEN)


def _max_tokens(model: BaseChatModel, kwargs: Mapping[str, Any]) -> int | None:
    inner = innermost(model)
    for owner in (kwargs, getattr(inner, "model_kwargs", None) or {}, _Fields(inner)):
        for name in _MAX_TOKENS_NAMES:
            value = owner.get(name)
            if isinstance(value, int) and value > 0:
                choices = kwargs.get("n") or getattr(inner, "n", None) or 1
                return value * (choices if isinstance(choices, int) else 1)
    return None


class _Fields:
    """A model's fields, read like a mapping."""

    __slots__ = ("_model",)

    def __init__(self, model: object) -> None:
        self._model = model

    def get(self, name: str) -> Any:
        return getattr(self._model, name, None)

"""What a run of the parser leaves behind besides the value: its answers, counted and priced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypedDict

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata

__all__ = ["FailedAttempt", "Failure", "ParsedResult", "ReaskBuilder"]


@dataclass(frozen=True, slots=True)
class FailedAttempt:
    """An answer that did not fit, as codes and counts; it holds nothing that anybody wrote."""

    number: int
    """1 for the first answer."""
    reason: str
    """`validation`, `truncated`, `refused` or `no_output`."""
    fields: tuple[str, ...]
    """Dotted paths of the fields at fault, without their values."""
    usage: UsageMetadata | None
    """Tokens of this answer alone; None when the model does not say."""


class ParsedResult(TypedDict):
    """What `include_raw=True` gives."""

    parsed: Any
    """The validated object."""
    raw: AIMessage
    """The answer it was read from."""
    attempts: int
    """Answers it took, a ready one included."""
    failed_attempts: list[FailedAttempt]
    """Those of them that did not fit."""
    usage: UsageMetadata | None
    """Tokens of all these answers; None when the model does not say."""
    repairs: list[str]
    """What had to be mended in the last answer; empty for valid JSON."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that did not fit, as a `ReaskBuilder` sees it."""

    message: AIMessage
    """The answer as the model gave it."""
    advice: str
    """What is wrong with it, for the model: one `path: message` line an issue, without the values."""
    fields: tuple[str, ...]
    """Dotted paths of the fields at fault."""
    reason: str
    """`validation`, `truncated` or `no_output`."""


class ReaskBuilder(Protocol):
    """Writes the messages of a re-ask."""

    def __call__(self, prompt: list[BaseMessage], failures: list[Failure]) -> list[BaseMessage]:
        """Give the whole conversation to send.

        `prompt` is empty when nobody knows it; `failures` holds every answer so far, the last one last.
        Give new messages where one has to change: the caller's are not copies.
        """
        ...

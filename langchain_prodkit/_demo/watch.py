"""What the demo sees of each question: what left, what came back, what it cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables.config import ensure_config
from pydantic import Field
from typing_extensions import override

from langchain_prodkit._chat import DelegatingChatModel
from langchain_prodkit._events import LIMITED, REASKED, RESTORED
from langchain_prodkit._text import leaves

if TYPE_CHECKING:
    from uuid import UUID

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatResult, LLMResult

    from langchain_prodkit._demo.desk import Question, Ticket
    from langchain_prodkit._steps import Steps

__all__ = ["Row", "Watch", "Wire"]


class Wire(DelegatingChatModel):
    """The last stop before the provider: keeps what is sent, question by question."""

    sent: dict[str, list[str]] = Field(default_factory=dict, exclude=True)
    """Question id -> every text sent for it, re-asks included."""

    @override
    def _generate_steps(
        self, messages: list[BaseMessage], stop: list[str] | None, run_manager: Any, kwargs: dict[str, Any]
    ) -> Steps[ChatResult]:
        question_id = str((ensure_config().get("metadata") or {}).get("question_id", ""))
        self.sent.setdefault(question_id, []).extend(leaf.text for leaf in leaves(messages))
        return super()._generate_steps(messages, stop, run_manager, kwargs)


class Watch(BaseCallbackHandler):
    """Counts the events of one question."""

    run_inline = True

    def __init__(self) -> None:
        """Start at nothing."""
        self.reasks = 0
        self.restored = 0
        self.tokens = 0
        self.waited_s = 0.0

    @override
    def on_custom_event(self, name: str, data: Any, *, run_id: UUID, **kwargs: Any) -> None:
        if name == REASKED:
            self.reasks += 1
        elif name == RESTORED:
            self.restored += int(data.get("restored", 0))
        elif name == LIMITED:
            self.waited_s += float(data.get("waited_s", 0.0))

    @override
    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        for generations in response.generations:
            for generation in generations:
                usage = getattr(getattr(generation, "message", None), "usage_metadata", None)
                if usage:
                    self.tokens += usage["total_tokens"]


@dataclass(slots=True)
class Row:
    """One question and what became of it."""

    question: Question
    watch: Watch = field(default_factory=Watch)
    sent: list[str] = field(default_factory=list)
    ticket: Ticket | None = None
    verdict: str = ""
    is_blocked: bool = False

    def leaked(self) -> list[str]:
        """Give the personal data of the question that reached the provider."""
        return [value for value in self.question.private if _anywhere(value, self.sent)]

    def returned(self) -> list[str]:
        """Give the personal data that the provider never saw and the ticket holds all the same."""
        if self.ticket is None:
            return []
        texts = [leaf.text for leaf in leaves(self.ticket)]
        return [
            value
            for value in self.question.private
            if _anywhere(value, texts) and not _anywhere(value, self.sent)
        ]


def _anywhere(value: str, texts: Iterable[str]) -> bool:
    return any(value in text for text in texts)

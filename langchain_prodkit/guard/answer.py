"""Which texts of an output are the answer, and what happens to an answer that must not leave."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage
from pydantic import BaseModel

from langchain_prodkit import _text
from langchain_prodkit.guard.subject import edited
from langchain_prodkit.guard.verdict import Reason

__all__ = ["LINK_CODES", "METADATA_KEY", "Answer", "OutputVerdict", "without_links"]

Path = tuple[str | int, ...]
METADATA_KEY: Final = "prodkit_output"
LINK_CODES: Final = frozenset({"active_link", "data_link", "remote_image"})
REMOVED_LINK: Final = "[link removed]"
_JOIN: Final = "\n"


@dataclasses.dataclass(frozen=True, slots=True)
class OutputVerdict:
    """What the output guard says about one answer."""

    is_violation: bool
    """Whether the answer must not leave as it is."""
    reasons: tuple[Reason, ...] = ()
    """`canary`, `prompt_leak`, `active_link`, `data_link`, `remote_image`, `off_scope`; or
    `detector_error` when a check failed and `on_error` is `"flag"`."""
    scope_score: float | None = None
    """How near the answer lies to the scope, on the scale of `min_score`; None when that was not judged."""
    chars: int = 0
    """Characters of the answer."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all reasons, each once."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons))

    def as_dict(self) -> dict[str, Any]:
        """Codes and numbers for events and metadata."""
        return {
            "is_violation": self.is_violation,
            "reasons": list(self.codes),
            "scope_score": None if self.scope_score is None else round(self.scope_score, 4),
            "chars": self.chars,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """The texts of one message, or all texts that belong to no message."""

    owner: Path | None
    leaves: tuple[int, ...]
    topical: tuple[int, ...]
    """The ones that a reader sees, without the arguments of tool calls."""


class Answer:
    """One output, taken apart; user messages, tool results, prompts and documents in it are not judged."""

    def __init__(self, value: Any) -> None:
        """Find the answer in `value`.

        Raises:
            InputTypeError: `value` holds something whose text cannot be found.
        """
        self.value = value
        self._leaves = _text.leaves(value)
        groups: dict[Path | None, list[int]] = {}
        for number, leaf in enumerate(self._leaves):
            if leaf.role in {"ai", ""}:
                groups.setdefault(_message_path(value, leaf.path), []).append(number)
        self.parts = [
            _Part(owner, tuple(numbers), tuple(n for n in numbers if self._is_seen(owner, n)))
            for owner, numbers in groups.items()
        ]

    def _is_seen(self, owner: Path | None, number: int) -> bool:
        return owner is None or "content" in self._leaves[number].path[len(owner) :]

    def text(self, part: _Part) -> str:
        """Give all that a part says, calls of tools included."""
        return _JOIN.join(self._leaves[number].text for number in part.leaves)

    def topic(self, part: _Part) -> str:
        """Give what a reader sees of a part."""
        return _JOIN.join(self._leaves[number].text for number in part.topical)

    def flagged(self, verdicts: Mapping[_Part, OutputVerdict]) -> Any:
        """Write each violation into the metadata of its message."""
        edits: dict[Path, Callable[[Any], Any]] = {}
        for part, verdict in verdicts.items():
            if part.owner is not None and verdict.reasons:
                edits[part.owner] = _note(verdict)
        return edited(self.value, edits)

    def replaced(self, verdicts: Mapping[_Part, OutputVerdict], refusal: str) -> Any:
        """Take risky links out; put `refusal` for a part with any other violation."""
        texts = [leaf.text for leaf in self._leaves]
        edits: dict[Path, Callable[[Any], Any]] = {}
        for part, verdict in verdicts.items():
            if not verdict.is_violation:
                continue
            links = all(code in LINK_CODES for code in verdict.codes)
            at = 0
            for place, number in enumerate(part.leaves):
                old = texts[number]
                if links:
                    texts[number] = without_links(old, verdict.reasons, at)
                elif part.owner is None:
                    texts[number] = "" if place else refusal
                at += len(old) + len(_JOIN)
            if not links and part.owner is not None:
                edits[part.owner] = _refuse(refusal)
        return edited(_text.replace(self.value, texts), edits)


def without_links(text: str, reasons: Sequence[Reason], at: int = 0) -> str:
    """Put a note in the place of every link that `reasons` name; `text` begins at `at` in their spans."""
    spans = sorted(
        (max(reason.span[0] - at, 0), reason.span[1] - at)
        for reason in reasons
        if reason.code in LINK_CODES
        and reason.span
        and at - 1 < reason.span[1]
        and reason.span[0] < at + len(text)
    )
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if end <= done:
            continue
        parts += (text[done : max(start, done)], REMOVED_LINK)
        done = end
    return "".join((*parts, text[done:])) if parts else text


def _note(verdict: OutputVerdict) -> Callable[[Any], Any]:
    def edit(message: Any) -> Any:
        metadata = {**message.response_metadata, METADATA_KEY: verdict.as_dict()}
        return message.model_copy(update={"response_metadata": metadata})

    return edit


def _refuse(refusal: str) -> Callable[[Any], Any]:
    def edit(message: Any) -> Any:
        update: dict[str, Any] = {"content": refusal, "additional_kwargs": {}}
        if isinstance(message, AIMessage):
            update |= {"tool_calls": [], "invalid_tool_calls": []}
            if "tool_call_chunks" in type(message).model_fields:
                update["tool_call_chunks"] = []
        return message.model_copy(update=update)

    return edit


def _message_path(value: Any, path: Path) -> Path | None:
    """Find the message that a text belongs to."""
    for depth in range(len(path) + 1):
        if isinstance(value, BaseMessage):
            return path[:depth]
        if depth == len(path) or isinstance(value, Document):
            return None
        value = _child(value, path[depth])
    return None


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return getattr(value, str(step), None)
    if isinstance(value, list | tuple | deque) and isinstance(step, int):
        return value[step]
    return None

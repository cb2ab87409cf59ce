"""Which texts of an input are judged, and how a judged input is changed.

A unit is what a model would read in one go: all blocks of one message, one document, one field.
Judging units keeps an attack that is cut into blocks in one piece.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from langchain_core.documents import Document
from langchain_core.messages import BaseMessage
from pydantic import BaseModel

from langchain_prodkit import _text
from langchain_prodkit.guard.verdict import Reason, Source, Verdict

__all__ = ["REMOVED", "Subject", "Unit"]

Path = tuple[str | int, ...]
REMOVED: Final = object()
"""What an edit returns to take a value out of its list."""
METADATA_KEY: Final = "prodkit_injection"
_JOIN: Final = "\n"
PASSAGE_CHARS: Final = 400
"""A sentence is taken to begin so far back at most."""
_SENTENCE = re.compile(r"[.!?]\s+|[\u3002\uff01\uff1f]|\n\s*|<!--|-->")
_PARAGRAPH = re.compile(r"\n\s*\n|-->")


@dataclasses.dataclass(frozen=True, slots=True)
class Unit:
    """Texts that are judged together."""

    owner: Path
    """Where the message, document or text stands."""
    source: Source
    leaves: tuple[int, ...]
    """Their numbers in the list of all texts of the input."""
    text: str
    starts: tuple[int, ...]
    """Where each of them begins in `text`."""

    def located(self, reason: Reason) -> Reason:
        """Say in which text of the input a reason lies, and where in it."""
        if reason.span is None:
            return dataclasses.replace(reason, leaf=self.leaves[0])
        index = max(bisect_right(self.starts, reason.span[0]) - 1, 0)
        offset = self.starts[index]
        span = (reason.span[0] - offset, reason.span[1] - offset)
        return dataclasses.replace(reason, leaf=self.leaves[index], span=span)

    def without(self, reasons: Sequence[Reason], removed: str) -> tuple[str, ...] | None:
        """Give the texts with `removed` in the place of every passage that a reason points at.

        A passage goes from the beginning of its sentence to the end of its paragraph: what an attack
        demands follows its first words. None when no reason points anywhere.
        """
        spans = sorted(self._passage(reason) for reason in reasons if reason.span is not None)
        if not spans:
            return None
        texts = []
        for start, end in zip(
            self.starts, (*(at - len(_JOIN) for at in self.starts[1:]), len(self.text)), strict=True
        ):
            parts = []
            at = start
            for first, last in spans:
                if last <= at or first >= end:
                    continue
                parts.append(self.text[at : max(first, at)])
                if first >= start:  # else it began in the text before, and was replaced there
                    parts.append(removed)
                at = min(last, end)
            parts.append(self.text[at:end])
            texts.append("".join(parts))
        return tuple(texts)

    def with_texts(self, texts: Sequence[str]) -> Unit:
        """Give the same unit with other texts."""
        return _unit(self.owner, self.source, self.leaves, texts)

    def _passage(self, reason: Reason) -> tuple[int, int]:
        leaf = self.starts[self.leaves.index(reason.leaf if reason.leaf is not None else self.leaves[0])]
        first, last = (leaf + at for at in reason.span or (0, 0))
        ends = list(_SENTENCE.finditer(self.text, max(0, first - PASSAGE_CHARS), first))
        start = ends[-1].end() if ends else max(0, first - PASSAGE_CHARS)
        paragraph = _PARAGRAPH.search(self.text, last)
        return start, paragraph.start() if paragraph is not None else len(self.text)


class Subject:
    """One input of the guard, taken apart."""

    def __init__(
        self,
        value: Any,
        *,
        input_keys: frozenset[str] | None = None,
        untrusted_keys: frozenset[str] = frozenset(),
        source: Source = "user",
    ) -> None:
        """List the units of `value`; see `InjectionGuardRunnable` for the keys and the source.

        Raises:
            InputTypeError: `value` holds something whose text cannot be found.
        """
        self.value = value
        self.leaves = _text.leaves(value)
        is_dict = isinstance(value, Mapping)
        groups: dict[tuple[Path, Source], list[int]] = {}
        for number, leaf in enumerate(self.leaves):
            key = leaf.path[0] if is_dict and leaf.path else None
            origin = _source(leaf.role, key, input_keys, untrusted_keys, source)
            if origin is not None:
                owner = _owner(value, leaf.path)
                groups.setdefault((owner, origin), []).append(number)
        self.units = [
            _unit(owner, origin, numbers, [self.leaves[number].text for number in numbers])
            for (owner, origin), numbers in groups.items()
        ]

    @property
    def total_chars(self) -> int:
        """Characters of all texts, judged or not."""
        return sum(len(leaf.text) for leaf in self.leaves)

    def flagged(self, verdicts: Mapping[Unit, Verdict]) -> Any:
        """Write each verdict into the metadata of the message or document it concerns."""

        def note(verdict: Verdict) -> Callable[[Any], Any]:
            def edit(owner: Any) -> Any:
                name = "response_metadata" if isinstance(owner, BaseMessage) else "metadata"
                if not isinstance(owner, BaseMessage | Document):
                    return owner
                return owner.model_copy(
                    update={name: {**getattr(owner, name), METADATA_KEY: verdict.as_dict()}}
                )

            return edit

        return edited(self.value, {unit.owner: note(verdict) for unit, verdict in verdicts.items()})

    def replaced(
        self,
        units: Sequence[Unit],
        *,
        refusal: str,
        removed: str,
        rests: Mapping[Unit, Sequence[str]] = MappingProxyType({}),
    ) -> Any:
        """Put `refusal` for poisoned user text, `removed` for other text; take documents out of lists.

        A unit in `rests` keeps what `Unit.without` has left of its texts.
        """
        texts = [leaf.text for leaf in self.leaves]
        drop: dict[Path, Callable[[Any], Any]] = {}
        for unit in units:
            if unit in rests:
                for number, text in zip(unit.leaves, rests[unit], strict=True):
                    texts[number] = text
                continue
            first, *others = unit.leaves
            texts[first] = refusal if unit.source == "user" else removed
            for number in others:
                texts[number] = ""
            if _is_listed_document(self.value, unit.owner):
                drop[unit.owner] = lambda _: REMOVED
        return edited(_text.replace(self.value, texts), drop)


def _unit(owner: Path, source: Source, leaves: Sequence[int], texts: Sequence[str]) -> Unit:
    starts = []
    at = 0
    for text in texts:
        starts.append(at)
        at += len(text) + len(_JOIN)
    return Unit(owner, source, tuple(leaves), _JOIN.join(texts), tuple(starts))


def _source(
    role: _text.Role,
    key: object,
    input_keys: frozenset[str] | None,
    untrusted_keys: frozenset[str],
    unlabelled: Source,
) -> Source | None:
    """Tell as what a text is judged; None when it is trusted."""
    if key in untrusted_keys:
        return "document"
    if role in {"system", "ai"}:
        return None
    if key is not None and input_keys is not None and key not in input_keys:
        return None
    if role == "document":
        return "document"
    if role == "tool":
        return "tool"
    return "user" if role == "user" else unlabelled


def _owner(value: Any, path: Path) -> Path:
    """Find the message or document that a text belongs to; else the text is its own owner."""
    here = value
    for depth, step in enumerate(path):
        if isinstance(here, BaseMessage | Document):
            return path[:depth]
        here = _child(here, step)
    return path


def _child(value: Any, step: str | int) -> Any:
    if isinstance(value, Mapping):
        return value.get(step)
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return getattr(value, str(step), None)
    if isinstance(value, list | tuple | deque) and isinstance(step, int):
        return value[step]
    return None


def _is_listed_document(value: Any, path: Path) -> bool:
    if not path:
        return False
    for step in path[:-1]:
        value = _child(value, step)
    # A named tuple has a place for each value; it cannot lose one.
    is_list = isinstance(value, list | tuple | deque) and not hasattr(value, "_fields")
    return is_list and isinstance(_child(value, path[-1]), Document)


def edited(value: Any, edits: Mapping[Path, Callable[[Any], Any]]) -> Any:
    """Apply each edit at its path and rebuild only what lies above it."""
    if not edits:
        return value
    if () in edits:
        return edits[()](value)
    below: dict[str | int, dict[Path, Callable[[Any], Any]]] = {}
    for path, edit in edits.items():
        below.setdefault(path[0], {})[path[1:]] = edit
    update = {}
    for step, inner in below.items():
        old = _child(value, step)
        new = edited(old, inner)
        if new is not old:
            update[step] = new
    return _with(value, update) if update else value


def _with(value: Any, update: Mapping[str | int, Any]) -> Any:
    if isinstance(value, BaseModel):
        return value.model_copy(update={str(step): new for step, new in update.items()})
    if isinstance(value, list | tuple | deque):
        return _with_items(value, update)
    changed: Any = copy.copy(value)
    if dataclasses.is_dataclass(value):
        for step, new in update.items():
            object.__setattr__(changed, str(step), new)
        return changed
    changed = dict(value) if isinstance(value, MappingProxyType) else changed
    changed.update(update)
    return MappingProxyType(changed) if isinstance(value, MappingProxyType) else changed


def _with_items(value: list[Any] | tuple[Any, ...] | deque[Any], update: Mapping[str | int, Any]) -> Any:
    items = [update.get(index, item) for index, item in enumerate(value)]
    kept = [item for item in items if item is not REMOVED]
    if isinstance(value, tuple):
        make: Any = type(value)
        return make(*kept) if hasattr(value, "_fields") else make(kept)
    changed = copy.copy(value)
    changed.clear()
    changed.extend(kept)
    return changed

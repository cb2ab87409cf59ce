"""Judge an answer while it comes: hold back what may still become a violation."""

from __future__ import annotations

import dataclasses
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Self

from langchain_core.messages import AIMessageChunk, BaseMessage, BaseMessageChunk

from langchain_prodkit._events import CHECKED, Emit
from langchain_prodkit._steps import END, Next, Out, Steps, StreamSteps
from langchain_prodkit._text import leaves
from langchain_prodkit.guard.answer import LINK_CODES, METADATA_KEY, OutputVerdict, without_links

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig

    from langchain_prodkit.guard.output import ScopeGuard
    from langchain_prodkit.guard.verdict import Reason

__all__ = ["Stoppable", "transformed"]

_MADE_ANEW: Final = frozenset({"tool_calls", "invalid_tool_calls", "name"})
_CONTEXTS: Final = 3
"""So many times `hold_chars` of what has left are looked at again, for what began there."""


class Stoppable:
    """A stream that can be told to end: langchain-core reads what is left of one for its trace."""

    def __init__(self, source: Any) -> None:
        """Hold the stream, of either kind."""
        self._source = source
        self.is_stopped = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self.is_stopped:
            if hasattr(self._source, "close"):
                self._source.close()
            raise StopIteration
        return next(self._source)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self.is_stopped:
            if hasattr(self._source, "aclose"):
                await self._source.aclose()
            raise StopAsyncIteration
        return await anext(self._source)


def transformed(
    guard: ScopeGuard, chunks: Any, config: RunnableConfig, source: Stoppable
) -> StreamSteps[Any]:
    """Read `chunks` and let out what is in order; the body of `ScopeGuard`'s streaming."""
    first = yield Next(chunks)
    if first is END:
        return
    if not isinstance(first, str | BaseMessageChunk):
        yield from _whole(guard, first, chunks, config)
        return
    if guard.on_violation == "flag":
        yield from _watched(guard, first, chunks, config)
        return
    yield from _held_back(guard, first, chunks, config, source)


def _held_back(
    guard: ScopeGuard, chunk: Any, chunks: Any, config: RunnableConfig, source: Stoppable
) -> StreamSteps[Any]:
    """Let chunks leave when nothing in them can become a violation any more."""
    held = _Held(guard)
    while chunk is not END:
        held.add(chunk)
        reasons = yield from held.judged(config)
        if reasons:
            yield from _stopped(guard, held, reasons, config)
            if held.is_over:
                source.is_stopped = True
                return
        for ready in held.released():
            yield Out(ready)
        chunk = yield Next(chunks)
    reasons = yield from held.judged(config, is_end=True)
    if reasons:
        yield from _stopped(guard, held, reasons, config)
        if held.is_over:
            return
    for ready in held.released(is_end=True):
        yield Out(ready)
    yield Emit(CHECKED, held.verdict().as_dict(), config)


def _whole(guard: ScopeGuard, total: Any, chunks: Any, config: RunnableConfig) -> StreamSteps[Any]:
    """Hold objects to the end: of what cannot be added, the last counts."""
    while (chunk := (yield Next(chunks))) is not END:
        try:
            total = total + chunk
        except TypeError:
            total = chunk
    yield Out((yield from guard._steps(total, config)))  # noqa: SLF001 - two halves of one piece


def _watched(guard: ScopeGuard, chunk: Any, chunks: Any, config: RunnableConfig) -> StreamSteps[Any]:
    """Let everything leave at once, and say at the end what was wrong with it."""
    texts = []
    last = chunk
    while chunk is not END:
        texts.append(_said(chunk))
        last = chunk
        yield Out(chunk)
        chunk = yield Next(chunks)
    text = "".join(texts)
    verdict = yield from guard.verdict_steps(text, text, config)
    yield Emit(CHECKED, verdict.as_dict(), config)
    if verdict.reasons and isinstance(last, BaseMessage):
        note = {METADATA_KEY: verdict.as_dict()}
        yield Out(AIMessageChunk(content="", id=last.id, response_metadata=note))


def _stopped(
    guard: ScopeGuard, held: _Held, reasons: list[Reason], config: RunnableConfig
) -> StreamSteps[Any]:
    """Act on a violation: raise, cut links out of what is held, or end with the refusal."""
    is_link = all(reason.code in LINK_CODES for reason in reasons)
    if guard.on_violation == "replace" and is_link and held.without(reasons):
        return
    verdict = held.verdict()
    yield Emit(CHECKED, verdict.as_dict(), config)
    held.is_over = True
    if guard.on_violation == "raise":
        raise guard.error(verdict)
    yield Out(held.refusal())


class _Held:
    """The chunks that have not left, and the text around the border between the two."""

    def __init__(self, guard: ScopeGuard) -> None:
        self._guard = guard
        self._chunks: deque[tuple[Any, int]] = deque()  # with where each one's text ends
        self._text = ""  # what is held, behind a piece of what has left
        self._start = 0  # where that begins in the whole answer
        self._looked = 0  # up to here links and leaks were looked for
        self._topical = 0  # up to here the scope was judged
        self._safe = 0  # up to here text may leave
        self._left = 0  # up to here it has
        self._images: set[str] = set()
        self._reasons: list[Reason] = []
        self._score: float | None = None
        self._removed = 0
        self.is_over = False

    @property
    def _end(self) -> int:
        return self._start + len(self._text)

    def add(self, chunk: Any) -> None:
        """Take in the next chunk."""
        self._text += _said(chunk)
        self._chunks.append((chunk, self._end))

    def judged(self, config: RunnableConfig, *, is_end: bool = False) -> Steps[list[Reason]]:
        """Look at what is new, when it is enough to be worth it; give what is wrong."""
        guard = self._guard
        if not is_end and self._end - self._looked < guard.hold_chars // 4:
            return []
        self._looked = self._end
        found = guard.plain_reasons(self._text, self._images)
        open_end = self._end
        if not is_end:
            # A link that touches the end is still being written: its host is not known yet.
            unfinished = [
                r for r in found if r.code in LINK_CODES and r.span and r.span[1] >= len(self._text)
            ]
            young = [r for r in unfinished if r.span and r.span[1] - r.span[0] < guard.hold_chars]
            found = [reason for reason in found if reason not in young]
            open_end = min([self._start + r.span[0] for r in young if r.span], default=self._end)
        reasons = [r for r in found if r.span is None or r.span[1] + self._start > self._left]
        if not reasons and guard.judges_scope:
            reasons = yield from self._about(config, is_end=is_end)
        safe = self._end if is_end else min(self._end - guard.hold_chars, open_end)
        self._safe = max(self._safe, min(safe, self._topical) if guard.judges_scope else safe)
        self._reasons += [self._placed(reason) for reason in reasons]
        return [reason for reason in reasons if reason.code != "detector_error"]

    def _placed(self, reason: Reason) -> Reason:
        """Give a reason with its place in the whole answer."""
        if reason.span is None:
            return reason
        start, end = reason.span
        return dataclasses.replace(reason, span=(start + self._start, end + self._start))

    def _about(self, config: RunnableConfig, *, is_end: bool) -> Steps[list[Reason]]:
        """Judge the scope of each new window, together with the end of the one before it."""
        new = self._end - self._topical
        if not new or (not is_end and new < self._guard.window_chars):
            return []
        begin = max(self._topical - self._start - self._guard.window_chars // 4, 0)
        if is_end and new < self._guard.window_chars // 2:
            begin = 0  # A short rest says too little alone.
        reasons, score = yield from self._guard.scope_steps(self._text[begin:], config)
        self._topical = self._end
        if score is not None:
            self._score = score if self._score is None else min(score, self._score)
        return reasons

    def released(self, *, is_end: bool = False) -> Iterator[Any]:
        """Give the chunks that may leave."""
        while self._chunks and (is_end or self._chunks[0][1] <= self._safe):
            chunk, self._left = self._chunks.popleft()
            yield chunk
        known = self._left - self._start - _CONTEXTS * self._guard.hold_chars
        # What the scope has not judged yet must stay.
        known = min(known, self._topical - self._start) if self._guard.judges_scope else known
        if known > 0:
            self._text = self._text[known:]
            self._start += known

    def without(self, reasons: list[Reason]) -> bool:
        """Cut links out of what is held; False when the held chunks cannot be rewritten."""
        if not self._chunks:
            return False
        total = self._chunks[0][0]
        for chunk, _ in list(self._chunks)[1:]:
            total = total + chunk
        at = self._left - self._start
        is_plain = isinstance(total, str) or (
            isinstance(total.content, str) and total.content == self._text[at:]
        )
        begun = any(reason.span and reason.span[0] < at for reason in reasons)
        if not is_plain or begun:
            return False
        rest = without_links(self._text[at:], reasons, at)
        chunk = rest if isinstance(total, str) else total.model_copy(update={"content": rest})
        self._text = self._text[:at] + rest
        self._chunks = deque([(chunk, self._end)])
        self._looked = min(self._looked, self._end)
        self._topical = min(self._topical, self._end)
        self._safe = min(self._safe, self._end)
        return True

    def refusal(self) -> Any:
        """Give the chunk that ends an answer which may not go on."""
        chunk = self._chunks[0][0] if self._chunks else ""
        said = f"\n\n{self._guard.refusal}" if self._left else self._guard.refusal
        return said if isinstance(chunk, str) else AIMessageChunk(content=said, id=chunk.id)

    def verdict(self) -> OutputVerdict:
        """Sum up what was found."""
        is_violation = any(reason.code != "detector_error" for reason in self._reasons)
        return OutputVerdict(is_violation, tuple(self._reasons), self._score, self._end)


def _said(chunk: Any) -> str:
    """Give the text that a chunk adds to the answer, pieces of tool calls included."""
    if isinstance(chunk, str):
        return chunk
    return "".join(leaf.text for leaf in leaves(chunk) if leaf.path[0] not in _MADE_ANEW)

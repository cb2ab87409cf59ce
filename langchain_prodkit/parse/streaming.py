"""The parser while the model still writes: what is read of its chunks, and what leaves when."""

from __future__ import annotations

import collections.abc
import json
from typing import TYPE_CHECKING, Any, Final, cast, final, get_args, get_origin

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables.config import run_in_executor

from langchain_prodkit._steps import END, Call, Next, Open, Out, Steps
from langchain_prodkit.parse.document.plan import MISSING
from langchain_prodkit.parse.partial import Reader
from langchain_prodkit.parse.shape import shape_of
from langchain_prodkit.parse.source import joined
from langchain_prodkit.parse.tally import ON_LOOP, WouldBlock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Generator, Iterator

    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable, RunnableConfig

    from langchain_prodkit.parse.answer import Judge
    from langchain_prodkit.parse.repair import Reading
    from langchain_prodkit.parse.shape import Rules, Shape, Unfit

__all__ = ["Live", "Stoppable", "gathered", "gives_items"]

_CLOSING: Final = frozenset("}]")


def gives_items(response_model: Any) -> bool:
    """Tell whether a stream gives items: `Iterable[M]` does, `list[M]` gives lists."""
    return get_origin(response_model) is collections.abc.Iterable and bool(get_args(response_model))


def gathered(first: Any, chunks: Any) -> Steps[Any]:
    """Read a stream to its end without looking at it."""
    parts = [first]
    while (chunk := (yield Next(chunks))) is not END:
        parts.append(chunk)
    return joined(parts)


@final
class Live:
    """Reads the answers of one run chunk by chunk; stands in for the judge, which it asks in the end."""

    def __init__(self, shape: Shape, rules: Rules, judge: Judge, *, gives_items: bool) -> None:
        """Start before the first answer."""
        self._shape = shape
        self._rules = rules
        self._judge = judge
        self.gives_items = gives_items
        self._given: list[Any] = []
        """Items that have left, of whatever answer."""
        self.begin()

    def begin(self, *, is_ready: bool = False) -> None:
        """Start on another answer; `is_ready` says that somebody else asked for it."""
        self._is_ready = is_ready
        self._reader = Reader(self._shape, self._rules)
        self._call: Any = None
        """The number of the tool call that is being read."""
        self._is_calling = False
        self._is_read = True
        """Whether what comes next belongs to an answer, and not to another tool."""
        self._calls: list[Reader] = []
        """Readers of finished calls that are one item each."""
        self._is_item = False
        self._shown_item: Any = MISSING
        self._shown_items: list[Any] = []
        self._streamed = 0
        self._unmatched = list(self._given)
        self._last: Any = MISSING
        self._held: Any = MISSING

    # -- the judge -------------------------------------------------------------------------------

    @property
    def blocks(self) -> bool:
        """As the judge has it."""
        return self._judge.blocks

    @blocks.setter
    def blocks(self, value: bool) -> None:
        self._judge.blocks = value

    def verdict(self, message: AIMessage, *, is_ready: bool = False) -> Reading | Unfit:
        """Judge the whole answer; what was validated while it came is not validated again."""
        if self._is_item:
            judge = self._judge.knowing(None, [reader.shape for reader in [*self._calls, self._reader]])
        else:
            judge = self._judge.knowing(self._reader.shape)
        return judge.verdict(message, is_ready=is_ready)

    def is_final(self, unfit: Unfit) -> bool:
        """Tell whether asking again is no use."""
        return self._judge.is_final(unfit)

    # -- reading ---------------------------------------------------------------------------------

    def fetch(
        self, model: Runnable[Any, Any], turns: list[BaseMessage], config: RunnableConfig
    ) -> Generator[Any, Any, Any]:
        """Get an answer from a model, and let out what there is of it on the way."""
        self.begin()
        stream = yield Open(model.stream, model.astream, turns, config)
        return (yield from self.read((yield Next(stream)), stream))

    def read(self, first: Any, chunks: Any) -> Generator[Any, Any, Any]:
        """Read an answer to its end; gives the whole."""
        parts: list[Any] = []
        chunk = first
        while chunk is not END:
            parts.append(chunk)
            if self._reader.is_custom:
                yield Call(self._feed, self._afeed, chunk)
            else:
                self._feed(chunk)
            for value in self._fresh():
                yield Out(value)
            chunk = yield Next(chunks)
        return joined(parts) if parts else AIMessage("")

    def remaining(self, value: list[Any]) -> Iterator[Any]:
        """List the items of the whole answer that have not left yet."""
        self._unmatched = list(self._given)
        for item in value:
            if self._is_new(item):
                yield item

    def _feed(self, chunk: Any) -> None:
        for call, name, text in _pieces(chunk):
            if call is not None:
                self._on_call(call, name)
            elif self._is_calling:
                continue  # what is said beside a call is not the answer
            if self._is_read and text:
                self._reader.feed(text)

    async def _afeed(self, chunk: Any) -> None:
        if self._judge.blocks:
            if _CLOSING.isdisjoint("".join(text for _, _, text in _pieces(chunk))):
                self._feed(chunk)
            else:
                await run_in_executor(None, self._feed, chunk)
            return
        token = ON_LOOP.set(True)
        try:
            self._feed(chunk)
        except WouldBlock:
            self._judge.blocks = True
        finally:
            ON_LOOP.reset(token)
        if self._judge.blocks:
            # The validator left in the middle; what was read is read again where it may wait.
            text, self._reader = self._reader.text, self._reader.fresh()
            await run_in_executor(None, self._reader.feed, text)

    def _on_call(self, call: Any, name: str) -> None:
        """Turn to the call that a piece belongs to."""
        if self._is_calling and call == self._call:
            return
        if self._is_item:
            self._calls.append(self._reader)
        was_calling, was_own = self._is_calling, self._is_calling and self._is_read and not self._is_item
        self._call, self._is_calling = call, True
        kind = self._judge.item_type(name)
        is_own = kind is None and self._judge.is_own(name, is_ready=self._is_ready)
        # Of several whole answers the first is shown; they must be alike to count at all.
        self._is_read = (is_own or kind is not None) and not was_own
        self._is_item = kind is not None and not was_own
        if self._is_item:
            self._reader = Reader(shape_of(kind), self._rules)
        elif self._is_read or not was_calling:
            self._reader = Reader(self._shape, self._rules)

    # -- what leaves -----------------------------------------------------------------------------

    def _fresh(self) -> Iterator[Any]:
        """List what has become ready to leave."""
        if self.gives_items:
            items = self._whole_items()
            for item in items[self._streamed :]:
                if self._is_new(item):
                    yield item
            self._streamed = len(items)
            return
        shown = self._shown()
        if shown is MISSING:
            return
        if not self._reader.is_over:
            if shown is not self._last:
                self._last, self._held = shown, MISSING
                yield _cumulative(shown)
        elif shown is not self._last:
            # The whole leaves once, at the end; only more text shows that the end is not yet.
            self._last = self._held = shown
        elif self._held is not MISSING and self._reader.has_more:
            self._held = MISSING
            yield _cumulative(shown)

    def _whole_items(self) -> list[Any]:
        if not self._is_item:
            return self._reader.items
        readers = [*self._calls, self._reader]
        return [reader.look() for reader in readers if reader.is_over]

    def _shown(self) -> Any:
        shown = self._reader.look()
        if not self._is_item:
            return shown
        if shown is not self._shown_item:
            self._shown_item = shown
            finished = [reader.look() for reader in self._calls if reader.is_over]
            self._shown_items = [*finished, *([] if shown is MISSING else [shown])]
        return self._shown_items

    def _is_new(self, item: Any) -> bool:
        """Tell an item that has not left yet; one that has, of an earlier answer, counts once."""
        if self._unmatched and self._unmatched[0] == item:
            del self._unmatched[0]
            return False
        if item in self._unmatched:
            self._unmatched.remove(item)
            return False
        self._given.append(item)
        return True


def _pieces(chunk: Any) -> Iterator[tuple[Any, str, str]]:
    """Take a chunk apart: the call it belongs to, if any, the name of its tool, and the text."""
    if isinstance(chunk, str):
        yield None, "", chunk
    elif isinstance(chunk, AIMessage):
        text = str(chunk.text)
        if text:
            yield None, "", text
        if isinstance(chunk, AIMessageChunk) and chunk.tool_call_chunks:
            for piece in chunk.tool_call_chunks:
                index = piece.get("index")
                call = piece.get("id") if index is None else index
                yield (-1 if call is None else call), piece.get("name") or "", piece.get("args") or ""
        else:
            for number, whole in enumerate(chunk.tool_calls):
                yield number, whole["name"], json.dumps(whole["args"], ensure_ascii=False)


class _PartialList(list[Any]):
    """A list so far. Whoever adds up a stream, as tracers do, ends up with its last item."""

    def __add__(self, other: Any) -> Any:
        return other

    def __radd__(self, other: Any) -> Any:
        return self


class _PartialTuple(tuple[Any, ...]):
    """A tuple so far; see the list."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return other

    def __radd__(self, other: Any) -> Any:
        return self


class _PartialText(str):
    """A text so far; see the list."""

    __slots__ = ()

    def __add__(self, other: Any) -> Any:
        return other

    def __radd__(self, other: Any) -> Any:
        return self


_CUMULATIVE: Final[dict[type, Any]] = {list: _PartialList, tuple: _PartialTuple, str: _PartialText}


def _cumulative(value: Any) -> Any:
    kind = _CUMULATIVE.get(type(value))
    return value if kind is None else kind(value)


@final
class Stoppable:
    """A stream that ends when told to: langchain-core reads its input to the end even when nobody listens."""

    def __init__(self, source: Any) -> None:
        """Hold the stream, of either kind."""
        self._source = source
        self._is_stopped = False

    def __iter__(self) -> Iterator[Any]:
        """Give itself."""
        return self

    def __next__(self) -> Any:
        """Read on, unless stopped."""
        if self._is_stopped:
            raise StopIteration
        return next(self._source)

    def __aiter__(self) -> AsyncIterator[Any]:
        """Give itself."""
        return cast("AsyncIterator[Any]", self)

    async def __anext__(self) -> Any:
        """Read on, unless stopped."""
        if self._is_stopped:
            raise StopAsyncIteration
        return await anext(self._source)

    def stop(self) -> None:
        """End it, and what feeds it."""
        self._is_stopped = True
        if hasattr(self._source, "close"):
            self._source.close()

    async def astop(self) -> None:
        """End it, and what feeds it."""
        self._is_stopped = True
        if hasattr(self._source, "aclose"):
            await self._source.aclose()

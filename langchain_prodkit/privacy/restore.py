"""Put the values back where placeholders stand, in whole answers and in streams of any cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict
from typing_extensions import override

from langchain_prodkit._events import RESTORED, Emit
from langchain_prodkit._runnable import (
    END,
    Next,
    Out,
    Steps,
    StreamingRunnable,
    StreamSteps,
)
from langchain_prodkit._text import Leaf, transform
from langchain_prodkit.errors import (
    ProdkitError,
    RedactionError,
    SerializationError,
    UnknownScopeError,
    UnknownTokenError,
)
from langchain_prodkit.privacy.stream import ChunkStream
from langchain_prodkit.privacy.vault import scope_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_prodkit.privacy.tokens import Found, Grammar
    from langchain_prodkit.privacy.vault import Scope, Vault

__all__ = ["OnUnknown", "PresidioRestorer", "Reader", "added", "guarded", "guarding", "restoring"]

OnUnknown = Literal["leave", "drop", "raise"]
"""What to do with a placeholder in brackets that the scope never issued."""
NO_SCOPE: Final = (
    "no vault scope belongs to this call: run the redactor and restore() in one chain, or give both the "
    'same config["configurable"]["thread_id"] (and user_id)'
)


class Reader:
    """Reads placeholders of one scope and counts what it found."""

    def __init__(self, vault: Vault, scope: Scope, grammar: Grammar, on_unknown: OnUnknown) -> None:
        """Hold what every text of one value shares."""
        self._vault = vault
        self._scope = scope
        self._grammar = grammar
        self._on_unknown = on_unknown
        self.restored = 0
        self.unknown = 0

    def leaf(self, leaf: Leaf) -> str:
        """Restore one leaf of a value (for `_text.transform`)."""
        return self.text(leaf.text, is_json=leaf.is_json)

    def text(self, text: str, *, is_json: bool = False) -> str:
        """Restore a whole text in one pass; what comes out is never read again."""
        return self._read(text, 0, len(text), is_json=is_json)[0]

    def piece(self, before: str, text: str, *, is_json: bool = False) -> tuple[str, str]:
        """Restore what can no longer change of a text that goes on; give it and what must wait.

        `before` is the character that stood before `text`: it decides on a word border.
        """
        text, start = before + text, len(before)
        restored, at = self._read(text, start, max(start, self._grammar.settled(text)), is_json=is_json)
        return restored, text[at:]

    def rest(self, before: str, text: str, *, is_json: bool = False) -> str:
        """Restore the end of a text that went on; see `piece`."""
        return self._read(before + text, len(before), len(before) + len(text), is_json=is_json)[0]

    def event(self, config: RunnableConfig | None) -> Emit:
        """Give the step that tells how much was restored."""
        return Emit(RESTORED, {"restored": self.restored, "unknown": self.unknown}, config)

    def _read(self, text: str, start: int, end: int, *, is_json: bool) -> tuple[str, int]:
        parts: list[str] = []
        at = start
        for found in self._grammar.find(text, start):
            if found.start >= end:
                break
            if found.end > end:  # pragma: no cover - `settled` cuts before what may still grow
                end = found.start
                break
            parts += (text[at : found.start], self._value(text, found, is_json=is_json))
            at = found.end
        parts.append(text[at:end])
        return "".join(parts), end

    def _value(self, text: str, found: Found, *, is_json: bool) -> str:
        value = self._vault.value_of(self._scope, found.token)
        if value is not None:
            self.restored += 1
            return json.dumps(value, ensure_ascii=False)[1:-1] if is_json else value
        if found.is_bare:
            return text[found.start : found.end]
        self.unknown += 1
        if self._on_unknown == "raise":
            raise UnknownTokenError("the answer holds a placeholder that this scope never issued")
        return "" if self._on_unknown == "drop" else text[found.start : found.end]


def guarded(error: Exception) -> ProdkitError:
    """Give what a failure of the vault becomes: a typed error without the text of its cause."""
    if isinstance(error, ProdkitError):
        return error
    return RedactionError(f"the vault failed ({type(error).__qualname__}); no value was restored")


def restoring(chunks: Any, reader: Reader, config: RunnableConfig | None) -> StreamSteps[Any]:
    """Read `chunks` (an opened stream) to its end and let restored ones leave."""
    stream = ChunkStream(reader)
    total: Any = END
    while (chunk := (yield Next(chunks))) is not END:
        if isinstance(chunk, str | AIMessageChunk):
            for ready in guarding(stream.feed(chunk)):
                yield Out(ready)
        else:
            total = added(total, chunk)
    for ready in guarding(stream.close()):
        yield Out(ready)
    if total is not END:
        for ready in guarding(transform(one, reader.leaf) for one in (total,)):
            yield Out(ready)
    yield reader.event(config)


def guarding(ready: Iterator[Any]) -> Iterator[Any]:
    """Pass on what `ready` gives; a failure on the way carries no text."""
    try:
        yield from ready
    except Exception as error:  # noqa: BLE001 - judged by `guarded`
        raise guarded(error) from None


class PresidioRestorer(StreamingRunnable[Any, Any]):
    """Puts back, into any value, the data that its `PresidioRunnable` hid in the same scope.

    Streams: a `str` or message chunk leaves as soon as it can no longer be part of a placeholder; other
    chunks are added up and restored at the end.

    Raises:
        UnknownScopeError: Nothing was redacted in the scope of this call, or it has expired.
    """

    privacy: Any
    """The `PresidioRunnable` whose vault holds the values."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    def __init__(self, privacy: Any, **kwargs: Any) -> None:
        """Restore what `privacy` hides; `privacy.restore()` builds this."""
        super().__init__(privacy=privacy, **kwargs)  # type: ignore[call-arg]

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        reader = self._reader(config)
        try:
            restored = transform(value, reader.leaf)
        except Exception as error:  # noqa: BLE001 - judged by `guarded`
            raise guarded(error) from None
        yield reader.event(config)
        return restored

    @override
    def _transform_steps(
        self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> StreamSteps[Any]:
        yield from restoring(chunks, self._reader(config), config)

    @override
    def to_json(self) -> Any:
        raise SerializationError(
            "restore() shares its redactor's vault, which JSON cannot say: both would come back with a vault "
            "of their own. Serialise .protect(model) instead, or build the chain in code."
        )

    def _reader(self, config: RunnableConfig) -> Reader:
        scope = scope_of(config)
        if scope is None or not self.privacy.vault.knows(scope):
            raise UnknownScopeError(NO_SCOPE)
        return self.privacy.reader(scope)  # type: ignore[no-any-return]


def added(total: Any, chunk: Any) -> Any:
    """Add up chunks as langchain-core does: what cannot be added replaces what came before."""
    try:
        return chunk if total is END else total + chunk
    except TypeError:
        return chunk

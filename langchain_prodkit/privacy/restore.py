"""Put the values back where placeholders stand, in whole answers and in streams of any cut."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import RunnableConfig
from pydantic import ConfigDict
from typing_extensions import override

from langchain_prodkit._events import RESTORED, Emit
from langchain_prodkit._runnable import StreamingRunnable
from langchain_prodkit._steps import END, Next, Out, Steps, StreamSteps
from langchain_prodkit._text import Leaf, leaves, transform
from langchain_prodkit.errors import (
    ProdkitError,
    RedactionError,
    SerializationError,
    UnknownScopeError,
    UnknownTokenError,
    VaultKeyError,
)
from langchain_prodkit.privacy.access import is_local, known, looked_up
from langchain_prodkit.privacy.draft import NUMBER, plain, value_of
from langchain_prodkit.privacy.sealed import opened_text
from langchain_prodkit.privacy.stream import ChunkStream
from langchain_prodkit.privacy.surrogate import Cast, cast_of
from langchain_prodkit.privacy.vault import scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_prodkit.privacy.crypto import Sealer
    from langchain_prodkit.privacy.finder import Finder
    from langchain_prodkit.privacy.tokens import Found
    from langchain_prodkit.privacy.vault import Scope

__all__ = ["OnUnknown", "PresidioRestorer", "Reader", "added", "guarding", "reading", "restoring", "safely"]

T = TypeVar("T")

OnUnknown = Literal["leave", "drop", "raise"]
"""What to do with a placeholder in brackets that the scope never issued."""
NO_SCOPE: Final = (
    "no vault scope belongs to this call: run the redactor and restore() in one chain, or give both the "
    'same config["configurable"]["thread_id"] (and user_id)'
)


def reading(privacy: Any, scope: Scope) -> Steps[Reader]:
    """Give what restores texts of `scope`, as `privacy` (a `PresidioRunnable`) hides them."""
    cast = (yield from cast_of(privacy.vault, scope)) if privacy.has_surrogates else Cast()
    return Reader(privacy.vault, scope, privacy.finder(cast), privacy.on_unknown, privacy.sealer)


class Reader:
    """Reads placeholders of one scope and counts what it found.

    Reading is pure; what a vault on a server holds is fetched before, with `fetch`.
    """

    def __init__(
        self, vault: Any, scope: Scope, finder: Finder, on_unknown: OnUnknown, sealer: Sealer | None = None
    ) -> None:
        """Hold what every text of one value shares."""
        self._vault = vault
        self._scope = scope
        self._finder = finder
        self._on_unknown = on_unknown
        self._sealer = sealer
        self._is_local = is_local(vault)
        self._held: dict[str, str | None] = {}
        self.restored = 0
        self.unknown = 0

    def fetch(self, texts: Iterable[str]) -> Steps[None]:
        """Ask the vault for all that `texts` name, in one step; nothing to do where nothing waits."""
        if self._is_local:
            return
        tokens = dict.fromkeys(
            found.token for text in texts for found in self._finder.find(text) if found.kind != "sealed"
        )
        missing = [token for token in tokens if token not in self._held]
        values = yield from looked_up(self._vault, self._scope, missing)
        self._held |= zip(missing, values, strict=True)

    def whole(self, value: Any) -> Steps[Any]:
        """Restore a whole value."""
        if not self._is_local:
            yield from self.fetch(leaf.text for leaf in leaves(value, reads_all=True))
        return transform(value, self.leaf, reads_all=True)

    def leaf(self, leaf: Leaf) -> Any:
        """Restore one leaf of a value (for `_text.transform`)."""
        found = None if leaf.is_json else next(self._finder.find(leaf.text), None)
        if found is not None and (found.start, found.end) == (0, len(leaf.text)) and found.kind != "sealed":
            # Alone in its place: a number comes back as one.
            value = self._lookup(found.token)
            if value is not None and value.startswith(NUMBER):
                self.restored += 1
                return value_of(value)
        if leaf.is_number:
            return leaf.text
        return self.text(leaf.text, is_json=leaf.is_json)

    def text(self, text: str, *, is_json: bool = False) -> str:
        """Restore a whole text in one pass; what comes out is never read again."""
        return self._read(text, 0, len(text), is_json=is_json)[0]

    def piece(self, before: str, text: str, *, is_json: bool = False) -> tuple[str, str]:
        """Restore what can no longer change of a text that goes on; give it and what must wait.

        `before` is the character that stood before `text`: it decides on a word border.
        """
        text, start = before + text, len(before)
        restored, at = self._read(text, start, max(start, self._finder.settled(text)), is_json=is_json)
        return restored, text[at:]

    def rest(self, before: str, text: str, *, is_json: bool = False) -> str:
        """Restore the end of a text that went on; see `piece`."""
        return self._read(before + text, len(before), len(before) + len(text), is_json=is_json)[0]

    def event(self, config: RunnableConfig | None) -> Emit:
        """Give the step that tells how much was restored."""
        return Emit(RESTORED, self.counts(), config)

    def counts(self) -> dict[str, int]:
        """Say how many placeholders were restored, and how many nobody issued."""
        return {"restored": self.restored, "unknown": self.unknown}

    def _read(self, text: str, start: int, end: int, *, is_json: bool) -> tuple[str, int]:
        parts: list[str] = []
        at = start
        for found in self._finder.find(text, start):
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
        value = self._opened(found.token) if found.kind == "sealed" else self._lookup(found.token)
        if value is not None:
            self.restored += 1
            shown = plain(value)
            return json.dumps(shown, ensure_ascii=False)[1:-1] if is_json else shown
        if found.is_bare:
            return text[found.start : found.end]
        self.unknown += 1
        if self._on_unknown == "raise":
            raise UnknownTokenError("the answer holds a placeholder that this scope never issued")
        return "" if self._on_unknown == "drop" else text[found.start : found.end]

    def _lookup(self, token: str) -> str | None:
        if self._is_local:
            value: str | None = self._vault.value_of(self._scope, token)
            return value
        return self._held.get(token)

    def _opened(self, sealed: str) -> str | None:
        try:
            return None if self._sealer is None else opened_text(self._sealer, sealed)
        except VaultKeyError:
            return None


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
            yield from safely(reader.fetch(stream.texts(chunk)))
            for ready in guarding(stream.feed(chunk)):
                yield Out(ready)
        else:
            total = added(total, chunk)
    yield from safely(reader.fetch(stream.texts()))
    for ready in guarding(stream.close()):
        yield Out(ready)
    if total is not END:
        yield Out((yield from safely(reader.whole(total))))
    yield reader.event(config)


def safely(steps: Steps[T]) -> Steps[T]:
    """Do `steps`; a failure on the way carries no text."""
    try:
        return (yield from steps)
    except Exception as error:  # noqa: BLE001 - judged by `guarded`
        raise guarded(error) from None


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
        reader = yield from self._reader(config)
        restored = yield from safely(reader.whole(value))
        yield from self.privacy.audited("restored", reader.counts())
        yield reader.event(config)
        return restored

    @override
    def _transform_steps(
        self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> StreamSteps[Any]:
        reader = yield from self._reader(config)
        yield from restoring(chunks, reader, config)
        yield from self.privacy.audited("restored", reader.counts())

    @override
    def to_json(self) -> Any:
        raise SerializationError(
            "restore() shares its redactor's vault, which JSON cannot say: both would come back with a vault "
            "of their own. Serialise .protect(model) instead, or build the chain in code."
        )

    def _reader(self, config: RunnableConfig) -> Steps[Reader]:
        scope = scope_of(config)
        if scope is None or not (yield from safely(known(self.privacy.vault, scope))):
            raise UnknownScopeError(NO_SCOPE)
        return (yield from safely(reading(self.privacy, scope)))


def added(total: Any, chunk: Any) -> Any:
    """Add up chunks as langchain-core does: what cannot be added replaces what came before."""
    try:
        return chunk if total is END else total + chunk
    except TypeError:
        return chunk

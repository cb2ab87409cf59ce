"""Restore chunks as they come: one buffer for each text that grows, a chunk for whatever is ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessageChunk

from langchain_prodkit._text import Leaf, leaves, transform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_prodkit.privacy.restore import Reader

__all__ = ["ChunkStream"]

Path = tuple[str | int, ...]

_TEXT: Final[Path] = ("content",)


@dataclass(slots=True)
class _Buffer:
    is_json: bool
    before: str = ""
    """The last character that left: it decides on a word border."""
    held: str = ""
    """What may still become part of a placeholder."""
    chunk: AIMessageChunk | None = None
    """The message chunk that brought the held text, at `path`; None for plain text."""
    path: Path = ()


class ChunkStream:
    """The state of one stream of `str` or `AIMessageChunk`."""

    def __init__(self, reader: Reader) -> None:
        """Start at the beginning of a stream."""
        self._reader = reader
        self._buffers: dict[Path, _Buffer] = {}

    def texts(self, chunk: str | AIMessageChunk | None = None) -> Iterator[str]:
        """Give every text that feeding `chunk` next (None: closing) may read."""
        waiting = dict.fromkeys(self._buffers, "")
        if isinstance(chunk, str):
            waiting[()] = chunk
        elif chunk is not None:
            for leaf in leaves(chunk):
                if leaf.path == ("name",):
                    yield leaf.text
                elif leaf.path[0] not in {"tool_calls", "invalid_tool_calls"}:
                    waiting[_key(chunk, leaf.path)] = leaf.text
        for key, text in waiting.items():
            buffer = self._buffers.get(key)
            yield text if buffer is None else buffer.before + buffer.held + text

    def feed(self, chunk: str | AIMessageChunk) -> Iterator[Any]:
        """Take in the next chunk and give what is ready to leave, in order."""
        if isinstance(chunk, str):
            ready = self._grown((), chunk, is_json=False)
            if ready:
                yield ready
            return
        restored, seen = self._restored(chunk)
        began = {key for key in seen if key[0] == "content"} if len(self._buffers) > 1 else ()
        for key in list(self._buffers) if began else ():
            if key not in began and key[:1] == ("content",):
                # The next block has begun: what waits in the one before it comes first.
                yield from self._flushed(key)
        if chunk.chunk_position != "last":
            yield restored
            return
        rest = list(self.close())
        if rest:
            yield restored.model_copy(update={"chunk_position": None})
            yield from rest
            restored = AIMessageChunk(content=_empty(chunk.content), id=chunk.id, chunk_position="last")
        yield restored

    def close(self) -> Iterator[Any]:
        """Give what still waits: nothing comes after it any more."""
        for key in list(self._buffers):
            yield from self._flushed(key)

    def _restored(self, chunk: AIMessageChunk) -> tuple[AIMessageChunk, set[Path]]:
        if _is_text(chunk):
            # Nearly every chunk of nearly every answer: no need to walk it.
            ready = self._grown(_TEXT, chunk.content, is_json=False)  # type: ignore[arg-type]
            buffer = self._buffers[_TEXT]
            buffer.chunk, buffer.path = chunk, _TEXT
            same = ready == chunk.content
            return chunk if same else chunk.model_copy(update={"content": ready}), {_TEXT}
        seen: set[Path] = set()

        def visit(leaf: Leaf) -> str:
            if leaf.path[0] in {"tool_calls", "invalid_tool_calls"}:
                return leaf.text  # made anew from `tool_call_chunks` below
            if leaf.path == ("name",):
                return self._reader.text(leaf.text)
            key = _key(chunk, leaf.path)
            seen.add(key)
            ready = self._grown(key, leaf.text, is_json=leaf.is_json)
            self._buffers[key].chunk, self._buffers[key].path = chunk, leaf.path
            return ready

        restored = transform(chunk, visit)
        if restored is not chunk and chunk.tool_call_chunks:
            fields = set(type(chunk).model_fields) - {"tool_calls", "invalid_tool_calls"}
            restored = type(chunk)(**{name: getattr(restored, name) for name in fields})
        return restored, seen

    def _grown(self, key: Path, text: str, *, is_json: bool) -> str:
        buffer = self._buffers.setdefault(key, _Buffer(is_json))
        text = buffer.held + text
        ready: str
        ready, buffer.held = self._reader.piece(buffer.before, text, is_json=is_json)
        read = len(text) - len(buffer.held)
        if read:
            buffer.before = text[read - 1]
        return ready

    def _flushed(self, key: Path) -> Iterator[Any]:
        buffer = self._buffers.pop(key)
        if not buffer.held:
            return
        ready = self._reader.rest(buffer.before, buffer.held, is_json=buffer.is_json)
        yield ready if buffer.chunk is None else _alone(buffer.chunk, buffer.path, ready)


def _is_text(chunk: AIMessageChunk) -> bool:
    return isinstance(chunk.content, str) and not (
        chunk.additional_kwargs
        or chunk.tool_call_chunks
        or chunk.tool_calls
        or chunk.invalid_tool_calls
        or chunk.name
    )


def _key(chunk: AIMessageChunk, path: Path) -> Path:
    """Name the text that a path leads to, the same in every chunk: by `index`, not by position."""
    node: Any = getattr(chunk, str(path[0]))
    key: list[str | int] = [path[0]]
    for step in path[1:]:
        node = node[step]
        index = node.get("index") if isinstance(node, dict) else None
        key.append(step if isinstance(step, str) or index is None else index)
    return tuple(key)


def _alone(chunk: AIMessageChunk, path: Path, text: str) -> AIMessageChunk:
    """Make a chunk that holds `text` where `path` leads and nothing else."""
    name = str(path[0])
    value = _pruned(getattr(chunk, name), path[1:], text)
    if name == "content":
        return AIMessageChunk(content=value, id=chunk.id)
    if name == "tool_call_chunks":
        value = [{"name": None, "id": None, "index": None, **call} for call in value]
    return AIMessageChunk(content=_empty(chunk.content), id=chunk.id, **{name: value})


def _pruned(node: Any, path: Path, text: str) -> Any:
    if not path:
        return text
    below = _pruned(node[path[0]], path[1:], text)
    if isinstance(node, dict):
        return {**{key: node[key] for key in ("type", "index") if key in node}, path[0]: below}
    return [below]


def _empty(content: Any) -> Any:
    return "" if isinstance(content, str) else []

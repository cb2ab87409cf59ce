"""Find every text in a value that LangChain passes around, and put other texts in their place.

One walk serves both directions: `leaves` visits and changes nothing, `replace` visits and writes
back. What did not change comes back as the very same object, so a value without personal data
(or without an attack) costs no copy and keeps its identity.

Read: str, messages of every kind (string or block content, tool calls, invalid tool calls, raw
provider arguments), prompt values, documents, dicts, lists, tuples, sets, dataclasses, pydantic
models and paths. Kept as they are: numbers, booleans, None, dates, enums, UUIDs, secrets. Anything
else raises `InputTypeError`: text that cannot be seen must not pass unread. With `reads_all` numbers
and the keys of mappings are read too.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import uuid
from collections import deque
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from langchain_core.documents import Document
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import Runnable
from pydantic import BaseModel, SecretBytes, SecretStr

from langchain_prodkit.errors import InputTypeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = ["Leaf", "OnBinary", "Role", "leaves", "replace", "transform"]

T = TypeVar("T")

Role = Literal["user", "system", "ai", "tool", "document", ""]
"""Who wrote a text; empty where the value does not say."""
OnBinary = Literal["pass", "drop", "raise"]
"""What to do with pictures, audio and files, whose text cannot be read."""
Path = tuple[str | int, ...]

MAX_DEPTH: Final = 100
"""Deeper nesting (or a cycle) raises instead of exhausting the stack."""

_SCALARS = (
    bool, int, float, complex, decimal.Decimal, type(None), enum.Enum, uuid.UUID,
    dt.date, dt.time, dt.timedelta, dt.tzinfo, SecretStr, SecretBytes,
)  # fmt: skip
_NUMBERS = frozenset({int, float, decimal.Decimal})
# Keys of a content block that name or link things and never hold what a person wrote.
_STRUCTURE = frozenset({
    "type", "id", "index", "role", "tool_call_id", "tool_use_id", "call_id", "file_id", "mime_type",
    "media_type", "source_type", "format", "detail", "status", "signature", "thought_signature",
    "thoughtSignature", "encrypted_content", "encrypted_index", "cache_control", "model",
})  # fmt: skip
_BINARY_TYPES = frozenset({
    "image", "image_url", "input_image", "audio", "input_audio", "video", "file", "input_file", "media",
})  # fmt: skip
_PAYLOAD = frozenset({"data", "base64", "file_data", "bytes"})
_CALL = frozenset({"arguments", "args", "input", "partial_json"})
_ROLES: Mapping[str, Role] = {
    "user": "user", "human": "user", "system": "system", "developer": "system",
    "assistant": "ai", "ai": "ai", "tool": "tool", "function": "tool",
}  # fmt: skip
_DROP: Final = object()


@dataclasses.dataclass(frozen=True, slots=True)
class Leaf:
    """One text inside a value."""

    text: str
    path: Path
    """Keys, indices and attribute names that lead to it."""
    role: Role = ""
    is_json: bool = False
    """The text is JSON, or a piece of it: what is put in must be escaped for a JSON string."""
    is_number: bool = False
    """A number as `str` writes it; what is put in its place may be of any type."""
    is_key: bool = False
    """A key of the mapping at `path`."""


def leaves(value: Any, *, on_binary: OnBinary = "pass", reads_all: bool = False) -> list[Leaf]:
    """List every text in `value`, in a stable order; with `reads_all` numbers and keys as well.

    Raises:
        InputTypeError: `value` holds something whose text cannot be found, is nested deeper than
            100 levels, or holds a binary block and `on_binary` is `"raise"`.
    """
    found: list[Leaf] = []

    def visit(leaf: Leaf) -> str:
        found.append(leaf)
        return leaf.text

    transform(value, visit, on_binary=on_binary, reads_all=reads_all)
    return found


def replace(value: T, texts: Sequence[str], *, on_binary: OnBinary = "pass", reads_all: bool = False) -> T:
    """Put `texts` where `leaves` found theirs, one for one, and give back the same type.

    Raises:
        InputTypeError: As `leaves`, or the number of texts differs from the number of leaves.
    """
    iterator: Iterator[str] = iter(texts)
    count = 0

    def visit(leaf: Leaf) -> str:
        nonlocal count
        count += 1
        return next(iterator, leaf.text)

    result = transform(value, visit, on_binary=on_binary, reads_all=reads_all)
    if count != len(texts):
        msg = f"the value holds {count} texts, but {len(texts)} were given"
        raise InputTypeError(msg)
    return result


def transform(
    value: T, visit: Callable[[Leaf], Any], *, on_binary: OnBinary = "pass", reads_all: bool = False
) -> T:
    """Give every text in `value` to `visit` and put what it returns in its place.

    Raises:
        InputTypeError: See `leaves`.
    """
    result = _Walk(visit, on_binary, reads_all=reads_all).value(value, (), "")
    if result is _DROP:
        msg = "the whole value is binary and on_binary is 'drop'; nothing is left"
        raise InputTypeError(msg)
    return result  # type: ignore[no-any-return]


class _Walk:
    """One pass over a value; every method returns its argument itself when nothing changed."""

    def __init__(self, visit: Callable[[Leaf], Any], on_binary: OnBinary, *, reads_all: bool) -> None:
        self._visit = visit
        self._on_binary = on_binary
        self._reads_all = reads_all

    def value(self, value: Any, path: Path, role: Role) -> Any:  # noqa: C901, PLR0911 - one line a kind
        if len(path) > MAX_DEPTH:
            msg = f"the value is nested deeper than {MAX_DEPTH} levels, or contains itself"
            raise InputTypeError(msg)
        if isinstance(value, enum.Enum):
            return value
        if isinstance(value, str):
            return self._text(value, path, role)
        if isinstance(value, _SCALARS):
            is_read = self._reads_all and type(value) in _NUMBERS
            return self._number(value, path, role) if is_read else value
        if isinstance(value, BaseMessage):
            return self._message(value, path)
        if isinstance(value, Document):
            return self._fields(value, ("page_content", "metadata"), path, "document")
        if isinstance(value, dict | MappingProxyType):
            return self._mapping(value, path, role)
        if isinstance(value, list | tuple | deque | set | frozenset):
            return self._sequence(value, path, role)
        if isinstance(value, bytes | bytearray | memoryview):
            return self._binary(value, path)
        if isinstance(value, BaseModel) and not isinstance(value, Runnable):
            names = [*type(value).model_fields, *(value.model_extra or {})]
            return self._fields(value, names, path, role)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._dataclass(value, path, role)
        if isinstance(value, PurePath):
            text = self._text(str(value), path, role)
            return value if text == str(value) else type(value)(text)
        msg = (
            f"cannot read the text of a {type(value).__module__}.{type(value).__qualname__}"
            f"{_at(path)}; pass str, messages, documents, dicts, lists, dataclasses or pydantic models"
        )
        raise InputTypeError(msg)

    def _text(self, text: str, path: Path, role: Role, *, is_json: bool = False) -> Any:
        new = self._visit(Leaf(text, path, role, is_json))
        return text if new == text else new

    def _number(self, value: Any, path: Path, role: Role) -> Any:
        text = str(value)
        new = self._visit(Leaf(text, path, role, is_number=True))
        return value if new == text else new

    def _key(self, key: Any, path: Path, role: Role) -> Any:
        if not isinstance(key, str):
            return self.value(key, path, role)
        new = self._visit(Leaf(key, path, role, is_key=True))
        return key if new == key else new

    def _fields(self, value: BaseModel, names: Sequence[str], path: Path, role: Role) -> Any:
        update = {}
        for name in names:
            old = getattr(value, name)
            new = self.value(old, (*path, name), role)
            if new is not old:
                update[name] = None if new is _DROP else new
        return value.model_copy(update=update) if update else value

    def _dataclass(self, value: Any, path: Path, role: Role) -> Any:
        changed = value
        for field in dataclasses.fields(value):
            old = getattr(value, field.name)
            new = self.value(old, (*path, field.name), role)
            if new is not old:
                if changed is value:
                    changed = copy.copy(value)
                # Not `dataclasses.replace`: it would run __post_init__ a second time.
                object.__setattr__(changed, field.name, None if new is _DROP else new)
        return changed

    def _mapping(self, value: Any, path: Path, role: Role) -> Any:
        if isinstance(value.get("role"), str) and "content" in value:  # a message in dict form
            return self._block(value, path, _ROLES.get(value["role"], ""))
        update = {}
        keys = {}
        for key, old in value.items():
            if self._reads_all and (name := self._key(key, path, role)) is not key:
                keys[key] = name
            # A key of any hashable type leads somewhere, but only its kind may stand in an error.
            new = self.value(old, (*path, key if isinstance(key, str | int) else type(key).__name__), role)
            if new is not old:
                update[key] = new
        return _renamed(_updated(value, update), keys) if keys else _updated(value, update)

    def _sequence(self, value: Any, path: Path, role: Role) -> Any:
        old = list(value)
        new = [self.value(item, (*path, index), role) for index, item in enumerate(old)]
        return _rebuilt(value, old, new)

    def _message(self, message: BaseMessage, path: Path) -> Any:
        role = _role(message)
        update: dict[str, Any] = {}

        def put(name: str, old: Any, new: Any) -> None:
            if new is not old:
                update[name] = [] if new is _DROP else new

        put("content", message.content, self._content(message.content, (*path, "content"), role))
        # The name of a tool is the tool's; the name of a speaker may be a person's.
        if message.name and not isinstance(message, ToolMessage | FunctionMessage):
            put("name", message.name, self._text(message.name, (*path, "name"), role))
        put(
            "additional_kwargs",
            message.additional_kwargs,
            self._block(message.additional_kwargs, (*path, "additional_kwargs"), role),
        )
        if isinstance(message, AIMessage):
            names = ["tool_calls", "invalid_tool_calls"]
            if isinstance(message, AIMessageChunk):
                names.append("tool_call_chunks")
            for name in names:
                calls = getattr(message, name)
                put(name, calls, self._content(calls, (*path, name), role))
        return message.model_copy(update=update) if update else message

    def _content(self, content: Any, path: Path, role: Role) -> Any:
        """Walk what stands in a message: a text, a block, or a list of both."""
        if len(path) > MAX_DEPTH:
            msg = f"a message is nested deeper than {MAX_DEPTH} levels, or contains itself"
            raise InputTypeError(msg)
        if isinstance(content, list | tuple):
            old = list(content)
            new = [self._content(item, (*path, index), role) for index, item in enumerate(old)]
            return _rebuilt(content, old, new)
        if isinstance(content, dict):
            return self._block(content, path, role)
        return self.value(content, path, role)

    def _block(self, block: Any, path: Path, role: Role) -> Any:
        is_binary = _is_binary(block)
        if is_binary and self._on_binary != "pass":
            return self._binary(block, path)
        is_call = not _CALL.isdisjoint(block)
        update = {}
        for key, old in block.items():
            if (
                key in _STRUCTURE
                or (key == "name" and is_call)
                or (key in _PAYLOAD and isinstance(old, str))
                or (isinstance(old, str) and old.startswith("data:"))
            ):
                continue
            at = (*path, key)
            if key in _CALL:
                is_text = isinstance(old, str)
                new = self._text(old, at, role, is_json=True) if is_text else self.value(old, at, role)
            else:
                new = self._content(old, at, role)
            if new is not old:
                update[key] = new
        return _updated(block, update)

    def _binary(self, value: Any, path: Path) -> Any:
        if self._on_binary == "raise":
            msg = f"a binary block{_at(path)} cannot be read; remove it or set the policy for binary blocks"
            raise InputTypeError(msg)
        return _DROP if self._on_binary == "drop" else value


def _role(message: BaseMessage) -> Role:
    if isinstance(message, HumanMessage):
        return "user"
    if isinstance(message, SystemMessage):
        return "system"
    if isinstance(message, ToolMessage | FunctionMessage):
        return "tool"
    if isinstance(message, ChatMessage):
        return _ROLES.get(message.role, "")
    return "ai" if isinstance(message, AIMessage) else ""


def _is_binary(block: Mapping[str, Any]) -> bool:
    source = block.get("source")
    if isinstance(source, dict) and source.get("type") in {"base64", "url", "file"}:
        return True
    return block.get("type") in _BINARY_TYPES


def _updated(value: Any, update: dict[Any, Any]) -> Any:
    if not update:
        return value
    is_proxy = isinstance(value, MappingProxyType)
    changed = dict(value) if is_proxy else copy.copy(value)
    for key, new in update.items():
        if new is _DROP:
            del changed[key]
        else:
            changed[key] = new
    return MappingProxyType(changed) if is_proxy else changed


def _renamed(value: Any, keys: dict[Any, Any]) -> Any:
    """Give the mapping other keys, in the same order; two that became alike stay two."""
    is_proxy = isinstance(value, MappingProxyType)
    changed: Any = {} if is_proxy else copy.copy(value)
    changed.clear()
    for key, item in value.items():
        new = name = keys.get(key, key)
        count = 1
        while new in changed or (key in keys and new in value and new not in keys):
            count += 1
            new = f"{name} ({count})"
        changed[new] = item
    return MappingProxyType(changed) if is_proxy else changed


def _rebuilt(value: Any, old: list[Any], new: list[Any]) -> Any:
    if all(a is b for a, b in zip(old, new, strict=True)):
        return value
    kept = [item for item in new if item is not _DROP]
    if isinstance(value, list | deque):
        changed = copy.copy(value)
        changed.clear()
        changed.extend(kept)
        return changed
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        make: Any = type(value)
        return make(*(None if item is _DROP else item for item in new))
    return type(value)(kept)


def _at(path: Path) -> str:
    # Keys of a mapping may be user text (a name, an address): only the depth is said.
    return f" at depth {len(path)}" if path else ""

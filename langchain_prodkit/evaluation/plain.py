"""Plain copies: any value that LangChain passes around, as strings, numbers, lists and dicts.

A record must not change when the chain goes on, must be written as JSON, and must show every text to
a redactor. So what cannot be read (pictures, open files, objects of unknown types) is replaced by the
name of its kind, and never by its `repr`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import json
import uuid
from collections import deque
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, Final

from langchain_core.documents import Document
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable
from pydantic import BaseModel, SecretBytes, SecretStr

__all__ = ["plain", "plain_values", "text_of"]

MAX_DEPTH: Final = 50
"""Deeper values (or a cycle) are cut, so that no input can exhaust the stack."""

_PAYLOAD = frozenset({"data", "base64", "file_data", "bytes"})
_ANSWERS = ("answer", "output", "text", "content", "result", "response")
_AS_IS = (str, int, float, bool, type(None))


def plain(value: Any) -> Any:
    """Copy `value` into strings, numbers, booleans, None, lists and dicts; never raises."""
    if type(value) in _AS_IS:
        return value
    try:
        return _plain(value, 0)
    except Exception:  # noqa: BLE001 - a property of a foreign object may do anything
        return _kind(value)


def plain_values(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """Copy the entries that hold a plain scalar, and leave the others out."""
    if not values:
        return {}
    return {str(key): value for key, value in values.items() if type(value) in _AS_IS}


def text_of(value: Any) -> str:
    """Give the text that a reader of a plain value would read.

    A string as it is; a message its content; a mapping the first of its `answer`, `output`, `text`,
    `content`, `result` and `response` that is a text, else all of it as JSON; a list its texts, a
    line each. None gives the empty string.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for key in _ANSWERS:
            if isinstance(value.get(key), str):
                return str(value[key])
        if "type" in value and isinstance(value.get("content"), list):
            return text_of(value["content"])
    if isinstance(value, list) and all(isinstance(item, str | dict) for item in value):
        return "\n".join(text_of(item) for item in value)
    return json.dumps(value, ensure_ascii=False, default=_kind)


def _plain(value: Any, depth: int) -> Any:  # noqa: C901, PLR0911, PLR0912 - one line a kind
    if type(value) in _AS_IS:
        return value
    if depth > MAX_DEPTH:
        return "<nested too deep>"
    if isinstance(value, BaseMessage):
        return _message(value, depth)
    if isinstance(value, Document):
        return {"text": value.page_content, "id": value.id, "metadata": _plain(value.metadata, depth + 1)}
    if isinstance(value, Mapping):
        return _mapping(value, depth)
    if isinstance(value, list | tuple | deque | set | frozenset):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, enum.Enum):
        return _plain(value.value, depth + 1)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, uuid.UUID | decimal.Decimal | PurePath | dt.timedelta | SecretStr | SecretBytes):
        return str(value)
    if isinstance(value, PromptValue):
        return [_message(message, depth) for message in value.to_messages()]
    if isinstance(value, type | Runnable):
        return _kind(value)
    if isinstance(value, BaseModel):
        names = [*type(value).model_fields, *(value.model_extra or {})]
        return {name: _plain(getattr(value, name), depth + 1) for name in names}
    if dataclasses.is_dataclass(value):
        return {
            field.name: _plain(getattr(value, field.name), depth + 1) for field in dataclasses.fields(value)
        }
    return _kind(value)


def _message(message: BaseMessage, depth: int) -> dict[str, Any]:
    copy: dict[str, Any] = {"type": message.type, "content": _plain(message.content, depth + 1)}
    if message.name:
        copy["name"] = message.name
    if isinstance(message, AIMessage) and message.tool_calls:
        copy["tool_calls"] = _plain(message.tool_calls, depth + 1)
    return copy


def _mapping(value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    copy = {}
    for key, item in value.items():
        if isinstance(item, str) and (key in _PAYLOAD or item.startswith("data:")) and _is_block(value):
            copy[str(key)] = "<binary>"
        else:
            copy[key if type(key) is str else str(key)] = _plain(item, depth + 1)
    return copy


def _is_block(value: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping is a content block (or a part of one) rather than somebody's own data."""
    return not {"type", "url", "mime_type", "media_type", "format", "file_data"}.isdisjoint(value)


def _kind(value: Any) -> str:
    return f"<{type(value).__module__}.{type(value).__qualname__}>"

"""How long a prompt is: its text by length, its pictures and files by what providers charge for them.

No tokenizer is needed and nothing is fetched or decoded beyond the first bytes of a picture. The cost
is linear in the number of messages and blocks; the length of an ASCII text is read, not counted.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PromptSize", "prompt_size", "schema_bytes", "text_bytes"]

BYTES_PER_TOKEN: Final = 4.0
"""UTF-8, not characters: a Korean or an emoji character is a token or close to one."""
_TOKENS_PER_MESSAGE: Final = 3.0
_ROLE_BYTES: Final = {"human": 4, "ai": 9, "system": 6, "tool": 4, "function": 8}
_DEFAULT_ROLE_BYTES: Final = 4

# https://platform.openai.com/docs/guides/images-vision#calculating-costs: 85 for a picture in low
# detail; else it is fitted into 2048 x 2048, its short side into 768, and 170 more for each 512 x 512.
_PICTURE_TOKENS: Final = 85
_TILE_TOKENS: Final = 170
_TILE: Final = 512
_LARGEST_SIDE: Final = 2048
_SHORT_SIDE: Final = 768
_UNKNOWN_SIZE: Final = (1024, 1024)
# The same page: gpt-4o-mini takes 2833 and 5667 in place of 85 and 170.
_DEAR_PICTURES: Final = ("gpt-4o-mini", 2833 / 85)
# https://docs.anthropic.com/en/docs/build-with-claude/vision: an area of 750 pixels is a token, and
# what is larger than 1568 x 1568 is made smaller.
_ANTHROPIC_PIXELS: Final = 750
_ANTHROPIC_SIDE: Final = 1568
_ANTHROPIC_MOST: Final = 1600
# https://ai.google.dev/gemini-api/docs/tokens: 258 a picture of up to 384 x 384, or a tile of 768 x 768.
_GEMINI_TOKENS: Final = 258
_GEMINI_SMALL: Final = 384
_GEMINI_TILE: Final = 768
# Where nothing better is known: speech of 10 tokens a second as mp3 of 128 kbit/s, or six times as much
# data uncompressed; a page of a PDF as 2,000 tokens (its text and its picture) and 50 kB; films of 300
# tokens and half a megabyte a second. Each is corrected by what the answers report.
_BYTES_PER_AUDIO_TOKEN: Final = 1_600
_BYTES_PER_WAVE_TOKEN: Final = 4_800
_BYTES_PER_FILE_TOKEN: Final = 25
_BYTES_PER_VIDEO_TOKEN: Final = 1_600
_FLAT_TOKENS: Final = {"audio": 300, "file": 2_000, "video": 3_000}

_MEDIA: Final = {
    f"{before}{medium}{after}": medium
    for medium in ("image", "audio", "video")
    for before, after in (("", ""), ("input_", ""), ("", "_url"))
}
_CALLS: Final = frozenset({"function_call", "server_tool_call", "server_tool_use", "tool_call", "tool_use"})
_FILES: Final = frozenset({"file", "input_file", "document", "pdf", "media", "text-plain"})
_PAYLOAD: Final = frozenset({
    "base64", "bytes", "data", "encrypted_content", "file_data", "signature", "thought_signature",
})  # fmt: skip
# Bookkeeping of a block, which no model reads.
_UNREAD: Final = frozenset({"annotations", "cache_control", "extras", "id", "index", "status", "type"})
# A long text without a space is no text.
_OPAQUE_CHARS: Final = 512
_DEEPEST: Final = 20
# A JPEG may say its size only after a preview picture of up to 64 KiB.
_HEAD_CHARS: Final = 96_000


@dataclass(slots=True)
class PromptSize:
    """What a prompt holds."""

    text_tokens: float = 0.0
    """Texts, roles, names, tool calls and tool schemas."""
    media_tokens: float = 0.0
    """Pictures, recordings, films and files; 0.0 for a prompt of text."""


def prompt_size(
    messages: Sequence[BaseMessage], *, schema_size: int = 0, family: str = "", model: str = ""
) -> PromptSize:
    """Measure `messages`, and `schema_size` bytes of schemas that travel with them.

    `family` ("openai", "anthropic", "google", else as OpenAI) and `model` say how pictures count.
    """
    walk = _Walk(family, model)
    size = float(schema_size)
    for message in messages:
        content = message.content
        if isinstance(content, str):
            size += text_bytes(content)
        else:
            for block in content:
                size += walk.block(block)
        size += _ROLE_BYTES.get(message.type, _DEFAULT_ROLE_BYTES) + _TOKENS_PER_MESSAGE * BYTES_PER_TOKEN
        if message.name:
            size += text_bytes(message.name)
        if isinstance(message, AIMessage):
            if message.tool_calls and not _has_calls(content):
                for call in message.tool_calls:
                    size += len(call["name"]) + schema_bytes(call["args"])
        elif isinstance(message, ToolMessage):
            size += len(message.tool_call_id)
    return PromptSize(size / BYTES_PER_TOKEN, walk.media_tokens)


def text_bytes(text: str) -> int:
    """Give the length of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def schema_bytes(value: Any, depth: int = 0) -> int:
    """Give about the length of `value` as JSON, without writing it."""
    if isinstance(value, str):
        return text_bytes(value) + 2
    if depth > _DEEPEST:
        return 0
    if isinstance(value, Mapping):
        return 2 + sum(
            4 + (len(key) if isinstance(key, str) else 2) + schema_bytes(item, depth + 1)
            for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return 2 + sum(2 + schema_bytes(item, depth + 1) for item in value)
    return 4


class _Walk:
    """Sums up the blocks of one prompt: gives bytes of text back, keeps what other blocks take."""

    __slots__ = ("family", "media_tokens", "model")

    def __init__(self, family: str, model: str) -> None:
        self.family = family
        self.model = model
        self.media_tokens = 0.0

    def block(self, block: Any, depth: int = 0) -> float:
        if isinstance(block, str):
            return text_bytes(block)
        if isinstance(block, list | tuple) and depth <= _DEEPEST:
            return sum(self.block(item, depth + 1) for item in block)
        if not isinstance(block, Mapping) or depth > _DEEPEST:
            return 0
        kind = block.get("type")
        if kind == "text" and isinstance(text := block.get("text"), str):
            return text_bytes(text)
        if (medium := _medium(block)) is not None:
            return self._medium(medium, block)
        return self._fields(block, depth)

    def _fields(self, block: Mapping[Any, Any], depth: int) -> float:
        size = 0.0
        for key, value in block.items():
            if key in _UNREAD or (key in _PAYLOAD and isinstance(value, str)):
                continue
            if isinstance(value, bytes | bytearray | memoryview):
                self.media_tokens += max(_FLAT_TOKENS["file"], len(value) / _BYTES_PER_FILE_TOKEN)
            elif isinstance(value, str):
                if not _is_opaque(value):
                    size += text_bytes(value)
            elif isinstance(value, Mapping) and key in ("args", "input", "arguments"):
                size += schema_bytes(value)
            elif isinstance(value, Mapping | list | tuple):
                size += self.block(value, depth + 1)
        return size

    def _medium(self, medium: str, block: Mapping[Any, Any]) -> float:
        data = _data(block)
        if medium == "image":
            self.media_tokens += self._picture(block, data)
            return 0
        if medium == "text":
            return text_bytes(data) if isinstance(data, str) else 0
        if data is None:
            self.media_tokens += _FLAT_TOKENS[medium]
            return 0
        size = len(data) * 0.75 if isinstance(data, str) else float(len(data))
        if medium == "audio":
            is_wave = "wav" in str(block.get("format") or _nested(block, "format") or _mime(block))
            self.media_tokens += size / (_BYTES_PER_WAVE_TOKEN if is_wave else _BYTES_PER_AUDIO_TOKEN)
        elif medium == "video":
            self.media_tokens += size / _BYTES_PER_VIDEO_TOKEN
        else:
            self.media_tokens += max(_FLAT_TOKENS["file"], size / _BYTES_PER_FILE_TOKEN)
        return 0

    def _picture(self, block: Mapping[Any, Any], data: str | bytes | None) -> float:
        width, height = (_pixels(data) if data is not None else None) or _UNKNOWN_SIZE
        if self.family == "anthropic":
            shrink = min(1.0, _ANTHROPIC_SIDE / max(width, height))
            return min(_ANTHROPIC_MOST, width * height * shrink * shrink / _ANTHROPIC_PIXELS)
        if self.family == "google":
            if max(width, height) <= _GEMINI_SMALL:
                return _GEMINI_TOKENS
            return _GEMINI_TOKENS * math.ceil(width / _GEMINI_TILE) * math.ceil(height / _GEMINI_TILE)
        name, factor = _DEAR_PICTURES
        factor = factor if name in self.model else 1.0
        if (block.get("detail") or _nested(block, "detail")) == "low":
            return _PICTURE_TOKENS * factor
        shrink = min(1.0, _LARGEST_SIDE / max(width, height))
        shrink *= min(1.0, _SHORT_SIDE / (min(width, height) * shrink))
        tiles = math.ceil(width * shrink / _TILE) * math.ceil(height * shrink / _TILE)
        return (_PICTURE_TOKENS + _TILE_TOKENS * tiles) * factor


def _has_calls(content: Any) -> bool:
    """Tell whether the tool calls of a message stand in its content too, in the provider's own form."""
    if isinstance(content, str):
        return False
    return any(isinstance(block, Mapping) and str(block.get("type")) in _CALLS for block in content)


def _medium(block: Mapping[Any, Any]) -> str | None:
    """Tell what kind of medium a block is; None for a block of another kind."""
    kind = block.get("type")
    if kind is None:
        return "image" if "image" in block else None  # Amazon's form
    if not isinstance(kind, str):
        return None
    if kind in _MEDIA:
        return _MEDIA[kind]
    if kind in _FILES:
        first, _, second = _mime(block).partition("/")
        if first in ("image", "audio", "video"):
            return first
        source = block.get("source")
        is_plain = kind == "text-plain" or (isinstance(source, Mapping) and source.get("type") == "text")
        return "text" if is_plain or (first == "text" and second) else "file"
    return None


def _mime(block: Mapping[Any, Any]) -> str:
    for name in ("mime_type", "media_type"):
        value = block.get(name) or _nested(block, name)
        if isinstance(value, str):
            return value
    return ""


def _nested(block: Mapping[Any, Any], name: str) -> Any:
    """Look `name` up one level below."""
    for value in block.values():
        if isinstance(value, Mapping) and name in value:
            return value[name]
    return None


def _data(block: Mapping[Any, Any], depth: int = 0) -> str | bytes | None:
    """Find what a block carries: base64, a text or bytes; None where it only refers to something."""
    for key, value in block.items():
        if isinstance(value, bytes | bytearray):
            return bytes(value)
        if isinstance(value, str):
            if value.startswith("data:"):
                return value.partition(",")[2]
            if key in _PAYLOAD or (key == "text" and block.get("type") == "text-plain"):
                return value
        elif isinstance(value, Mapping) and depth < 2 and (found := _data(value, depth + 1)) is not None:  # noqa: PLR2004
            return found
    return None


def _is_opaque(text: str) -> bool:
    if text.startswith("data:"):
        return True
    if len(text) < _OPAQUE_CHARS or not text.isascii():
        return False
    return not any(character.isspace() for character in text[:_OPAQUE_CHARS])


def _pixels(data: str | bytes) -> tuple[int, int] | None:
    """Read width and height from the head of a PNG, GIF, WebP or JPEG; None for anything else."""
    try:
        if isinstance(data, str):
            head = base64.b64decode(data[: 64 if not data.startswith("/9j/") else _HEAD_CHARS])
        else:
            head = data[:_HEAD_CHARS]
        size = _size_in(head)
    except (binascii.Error, ValueError, struct.error, IndexError):
        return None
    return size if size is not None and min(size) > 0 else None


def _size_in(head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack(">II", head[16:24])
        return width, height
    if head.startswith(b"GIF8"):
        width, height = struct.unpack("<HH", head[6:10])
        return width, height
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp_size(head)
    return _jpeg_size(head) if head.startswith(b"\xff\xd8") else None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    if head[12:16] == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if head[12:16] == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", head[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:  # noqa: PLR2004 - every segment begins so
        marker = head[at + 1]
        # The frames that say a size; 0xC4, 0xC8 and 0xCC are tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # noqa: PLR2004
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + int(struct.unpack(">H", head[at + 2 : at + 4])[0])
    return None

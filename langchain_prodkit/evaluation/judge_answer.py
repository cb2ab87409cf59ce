"""Read a judge's answer, in whatever dress it comes; what cannot be read is no verdict, never a pass."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from langchain_core.messages import AIMessage, BaseMessage

from langchain_prodkit.evaluation.judge_verdict import Verdict

__all__ = ["Claims", "Form", "Scale", "objects_in", "text_in"]

MAX_CHARS: Final = 60_000
"""A judge that writes more than this has lost its way."""
_MAX_OBJECTS: Final = 40
_MAX_CLAIMS: Final = 500
_MAX_RATIONALE: Final = 4_000

_VALUES: Final = ("score", "rating", "value", "grade", "verdict", "result")
_REASONS: Final = ("rationale", "reason", "reasoning", "explanation", "justification", "feedback", "critique")
_WORDS: Final = {
    "yes": True, "true": True, "pass": True, "passed": True, "supported": True,
    "no": False, "false": False, "fail": False, "failed": False, "unsupported": False,
    "not supported": False,
}  # fmt: skip
_BARE: Final = re.compile(
    r"\s*\**(?:(?:score|rating|verdict)\s*\**\s*[:=]\s*)?\**\s*(-?\d{1,6}(?:\.\d{1,6})?)(?:\s*/\s*\d{1,6})?"
    r"\s*\**\.?\s*",
    re.IGNORECASE,
)
_OF: Final = re.compile(r"\s*(-?\d{1,6}(?:\.\d{1,6})?)\s*(?:/\s*\d{1,6}\s*)?")
_TRAILING_COMMA: Final = re.compile(r",(?=\s*[}\]])")


class Form(Protocol):
    """The form a judge's answer must have."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema, for providers that hold a model to one."""
        ...

    @property
    def wording(self) -> str:
        """The form in words, for the prompt."""
        ...

    def read(self, text: str) -> Verdict | None:
        """Give the verdict that the text holds; None where it holds none, or more than one."""
        ...


@dataclass(frozen=True, slots=True)
class Scale:
    """A number from `low` to `high`, and why."""

    low: float
    high: float

    @property
    def schema(self) -> dict[str, Any]:
        """An object with `rationale` and `score`."""
        if self._is_whole and self.high - self.low <= 10:  # noqa: PLR2004 - few enough to list
            score: dict[str, Any] = {
                "type": "integer",
                "enum": list(range(int(self.low), int(self.high) + 1)),
            }
        else:
            score = {"type": "number", "minimum": self.low, "maximum": self.high}
        return _object("Verdict", {"rationale": {"type": "string"}, "score": score})

    @property
    def wording(self) -> str:
        """The object, written out."""
        kind = "a whole number" if self._is_whole else "a number"
        return (
            '{"rationale": "one to three sentences: why", '
            f'"score": {kind} from {self.low:g} to {self.high:g}}}'
        )

    def read(self, text: str) -> Verdict | None:
        """Find the one score in the text; several that differ are none."""
        found = [
            (value, reason)
            for item in objects_in(text)
            if (value := self._number(_first(item, _VALUES))) is not None
            for reason in (_text(_first(item, _REASONS)),)
        ]
        if not found and (bare := _BARE.fullmatch(text)):
            value = self._number(bare[1])
            found = [] if value is None else [(value, "")]
        if not found or len({value for value, _ in found}) > 1:
            return None
        value, reason = found[-1]
        return Verdict((value - self.low) / (self.high - self.low), reason)

    @property
    def _is_whole(self) -> bool:
        is_round = float(self.low).is_integer() and float(self.high).is_integer()
        return is_round and (self.high - self.low > 1 or self.low == 0)

    def _number(self, value: Any) -> float | None:
        if isinstance(value, str):
            word = value.strip().casefold().rstrip(".")
            value = _WORDS[word] if word in _WORDS else _of(value)
        if isinstance(value, bool):
            # Yes and no are the ends of a scale that has no more than ends.
            return (self.high if value else self.low) if self.high - self.low == 1 else None
        if not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value) if self.low <= value <= self.high else None


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of an answer, and which of them are supported."""

    @property
    def schema(self) -> dict[str, Any]:
        """An object with `claims`, each with `claim` and `supported`."""
        claim = _object("", {"claim": {"type": "string"}, "supported": {"type": "boolean"}})
        return _object("Verdict", {"claims": {"type": "array", "items": claim}})

    @property
    def wording(self) -> str:
        """The object, written out."""
        return '{"claims": [{"claim": "the claim in a few words", "supported": true or false}, ...]}'

    def read(self, text: str) -> Verdict | None:
        """Count the supported among the claims; several lists that differ are none."""
        found = [read for item in objects_in(text) if (read := _claims(item)) is not None]
        if not found or any(claims != found[0] for claims in found):
            return None
        claims = found[0]
        if not claims:
            return Verdict(None, "the answer makes no claim")
        missing = [claim for claim, is_supported in claims if not is_supported]
        said = f"{len(claims) - len(missing)} of {len(claims)} claims supported"
        if missing:
            said += "; not supported: " + "; ".join(missing)
        return Verdict((len(claims) - len(missing)) / len(claims), said[:_MAX_RATIONALE])


def text_in(answer: Any) -> str:
    """Give what a model said: its tool call where it made one, else its text."""
    if isinstance(answer, AIMessage) and answer.tool_calls:
        return json.dumps(answer.tool_calls[0]["args"], default=str)
    if isinstance(answer, BaseMessage):
        return str(answer.text)
    return answer if isinstance(answer, str) else ""


def _claims(item: Mapping[str, Any]) -> list[tuple[str, bool]] | None:
    listed = item.get("claims")
    if not isinstance(listed, list) or len(listed) > _MAX_CLAIMS:
        return None
    if "unsupported" in item and all(isinstance(claim, str) for claim in listed):
        unsupported = item["unsupported"]
        if not isinstance(unsupported, list) or not all(claim in listed for claim in unsupported):
            return None
        return [(claim, claim not in unsupported) for claim in listed]
    claims = []
    for entry in listed:
        if not isinstance(entry, dict):
            return None
        is_supported = _first(entry, ("supported", "is_supported", "verdict"))
        if isinstance(is_supported, str):
            is_supported = _WORDS.get(is_supported.strip().casefold())
        elif isinstance(is_supported, int) and is_supported in (0, 1):
            is_supported = bool(is_supported)
        if not isinstance(is_supported, bool):
            return None
        claims.append((_text(_first(entry, ("claim", "statement", "text"))), is_supported))
    return claims


def objects_in(text: str) -> Iterator[dict[str, Any]]:
    """Find the JSON objects in a text that are not part of another one."""
    if len(text) > MAX_CHARS:
        return
    decoder = json.JSONDecoder(strict=False)
    at = 0
    for _ in range(_MAX_OBJECTS):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            item, end = _lenient(text, at)
            at = at + 1 if item is None else end
        if isinstance(item, dict):
            yield item
            # A model may wrap its answer: {"verdict": {"score": ...}}.
            yield from (inner for inner in item.values() if isinstance(inner, dict))


def _lenient(text: str, start: int) -> tuple[Any, int]:
    """Read an object with a comma too many, or written as Python writes it, up to the last brace."""
    end = text.rfind("}") + 1
    if end <= start:
        return None, start
    piece = text[start:end]
    for read in (_json, _literal):
        try:
            item = read(piece)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        if isinstance(item, dict):
            return item, end
    return None, start


def _json(text: str) -> Any:
    return json.loads(_TRAILING_COMMA.sub("", text), strict=False)


def _literal(text: str) -> Any:
    # Python would warn of escapes that it does not know.
    return None if "\\" in text else ast.literal_eval(text)


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    # Read as Python writes it, an object may have keys of any kind.
    folded = {str(key).strip().casefold(): value for key, value in item.items()}
    return next((folded[name] for name in names if name in folded), None)


def _text(value: Any) -> str:
    return value.strip()[:_MAX_RATIONALE] if isinstance(value, str) else ""


def _of(value: str) -> float | None:
    match = _OF.fullmatch(value)
    return float(match[1]) if match else None


def _object(title: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"title": title, "description": "What the judge decides.", **schema} if title else schema

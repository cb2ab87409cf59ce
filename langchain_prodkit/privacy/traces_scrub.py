"""What a trace store may see of a payload: everything but personal data.

A payload is a tree of JSON values. Every string in it is read - also the strings inside JSON that was
written into a string, and numbers long enough to number somebody - and whatever the detector, the vault or
another string of the same payload knows as personal becomes `<ENTITY>`.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.errors import RedactionError
from langchain_prodkit.privacy.detector import PresidioDetector
from langchain_prodkit.privacy.redact import checked, with_known
from langchain_prodkit.privacy.vault import Scope

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["Scrubber"]

MAX_DEPTH: Final = 100
MAX_NESTED: Final = 6
"""How often JSON may stand in a string of JSON; deeper, it is read as text."""
MAX_TRACES: Final = 256
MAX_MET: Final = 500
"""Values remembered for each of the latest traces, so that its other spans hide them too."""
_MIN_MET_CHARS: Final = 3
_LONG_NUMBER: Final = 10**8
_JSON = re.compile(r'\s*[\[{"]')
_IDENTIFIER = re.compile(r"[a-z_$][a-z0-9_.$\-]*(?:[A-Z][a-z0-9]*)*")
# What machines write: ids, times, and the names of LangChain's own modules and classes.
_TECHNICAL = re.compile(
    r"(?:[a-z_]{1,12}-{1,2})?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\dT[\d:.+Z\-]{8,24}"
    r"|lang(?:chain|graph|smith)(?:[_-][a-z]{1,20}){0,3}"
    r"|(?:Runnable|Chat|Fake|Base|Azure)[A-Z]\w{2,40}"
    r"|[A-Z]\w{0,40}(?:Sequence|Lambda|Prompt|Template|Parser|Message|Chunk|Model|Chain|Retriever|Parallel"
    r"|Passthrough|Runnable|Graph|Generation|Restorer|LLM)"
)


class Scrubber:
    """Hides personal data in payloads; threads may share it.

    Raises:
        RedactionError: The payload could not be read through; it must not be stored. The message holds
            the kind of failure and nothing of the payload.
    """

    def __init__(self, detector: Any = None, vault: Any = None) -> None:
        """Take a `Detector` (default `PresidioDetector()`) and a `Vault` whose values are hidden first."""
        self.detector = PresidioDetector() if detector is None else detector
        self.vault = vault
        self._lock = threading.Lock()
        self._met: OrderedDict[str, dict[str, str]] = OrderedDict()

    def scrub(self, payload: Any, *, trace_id: str | None = None, kept: Collection[str] = ()) -> Any:
        """Give a copy of `payload` without personal data.

        Args:
            payload: JSON values: dict, list, str, int, float, bool, None.
            trace_id: Payloads of one trace share what was found in any of them.
            kept: Keys, at any depth, whose values machines wrote and must read again.
        """
        try:
            return self._scrubbed(payload, trace_id, frozenset(kept))
        except RedactionError as error:
            raise error from None
        except Exception as error:  # noqa: BLE001 - whatever fails, nothing is stored
            msg = f"a trace could not be redacted ({type(error).__qualname__}); it is not stored"
            raise RedactionError(msg) from None

    def _scrubbed(self, payload: Any, trace_id: str | None, kept: frozenset[str]) -> Any:
        texts = list(dict.fromkeys(_texts(payload, kept)))
        found = (
            checked(texts, self.detector.detect(texts), getattr(self.detector, "entities", None))
            if texts
            else []
        )
        known = self._known(payload, trace_id)
        spans = with_known(texts, found, known)
        self._remember(trace_id, texts, spans)
        clean = {text: _replaced(text, one) for text, one in zip(texts, spans, strict=True)}
        return _rebuilt(payload, kept, clean)

    def _known(self, payload: Any, trace_id: str | None) -> list[tuple[str, str]]:
        """Give what the vault holds for the threads this payload names, and what its trace has shown."""
        known: list[tuple[str, str]] = []
        if self.vault is not None:
            for scope in _scopes(payload, trace_id):
                if self.vault.knows(scope):
                    known += self.vault.values(scope)
        with self._lock:
            met = dict(self._met.get(trace_id or "", ()))
        return [*known, *((entity, value) for value, entity in met.items())]

    def _remember(self, trace_id: str | None, texts: list[str], found: list[list[Any]]) -> None:
        if trace_id is None:
            return
        values = {
            text[span.start : span.end]: span.entity
            for text, spans in zip(texts, found, strict=True)
            for span in spans
            if span.end - span.start >= _MIN_MET_CHARS
        }
        with self._lock:
            met = self._met.setdefault(trace_id, {})
            self._met.move_to_end(trace_id)
            for value, entity in values.items():
                if len(met) < MAX_MET:
                    met[value] = entity
            while len(self._met) > MAX_TRACES:
                self._met.popitem(last=False)


def _nested(text: str, level: int) -> Any:
    """Give the JSON inside a string, or None where it is just text."""
    if level >= MAX_NESTED or not _JSON.match(text):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list, str)) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= _LONG_NUMBER


def _digits(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else str(value)


def _texts(value: Any, kept: frozenset[str], depth: int = 0, level: int = 0) -> Iterator[str]:
    """Give every string in which personal data may stand."""
    if depth > MAX_DEPTH:
        raise RedactionError("a trace is nested too deeply to be read; it is not stored")
    if isinstance(value, str):
        inner = _nested(value, level)
        if inner is not None:
            yield from _texts(inner, kept, depth + 1, level + 1)
        elif not _is_empty(value):
            yield value
    elif isinstance(value, dict):
        yield from _keys(value, kept)
        for item in (item for key, item in value.items() if key not in kept):
            yield from _texts(item, kept, depth + 1, level)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, kept, depth + 1, level)
    elif _is_number(value):
        yield _digits(value)
    else:
        _ensure_plain(value)


def _is_empty(text: str) -> bool:
    return not text or text.isspace() or _TECHNICAL.fullmatch(text) is not None


def _keys(value: dict[Any, Any], kept: frozenset[str]) -> Iterator[str]:
    for key in value:
        if not isinstance(key, str):
            raise RedactionError("a trace holds keys that are no text; it is not stored")
        if key not in kept and not _IDENTIFIER.fullmatch(key):
            yield key


def _ensure_plain(value: Any) -> None:
    if value is not None and not isinstance(value, (bool, int, float)):
        msg = f"a trace holds a {type(value).__qualname__}, which cannot be read; it is not stored"
        raise RedactionError(msg)


def _rebuilt(value: Any, kept: frozenset[str], clean: dict[str, str], level: int = 0) -> Any:
    if isinstance(value, str):
        inner = _nested(value, level)
        if inner is not None:
            rebuilt = _rebuilt(inner, kept, clean, level + 1)
            return value if rebuilt == inner else json.dumps(rebuilt, ensure_ascii=False)
        return clean.get(value, value)
    if isinstance(value, dict):
        return {
            clean.get(key, key): item if key in kept else _rebuilt(item, kept, clean, level)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_rebuilt(item, kept, clean, level) for item in value]
    if _is_number(value):
        digits = _digits(value)
        return value if clean[digits] == digits else clean[digits]
    return value


def _replaced(text: str, spans: Any) -> str:
    for span in reversed(spans):
        text = f"{text[: span.start]}<{span.entity}>{text[span.end :]}"
    return text


def _scopes(payload: Any, trace_id: str | None) -> set[Scope]:
    threads: set[str] = set()
    users: set[str | None] = {None}
    for key, value in _named(payload):
        if key == "thread_id":
            threads.add(value)
        else:
            users.add(value)
    scopes = {Scope(user, thread, None) for user in users for thread in threads}
    return scopes | ({Scope(user, None, trace_id) for user in users} if trace_id else set())


def _named(value: Any, level: int = 0) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        inner = _nested(value, level)
        if inner is not None:
            yield from _named(inner, level + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in {"thread_id", "user_id"} and isinstance(item, (str, int)):
                text = str(item)
                yield key, str(_nested(text, level) or text)
            else:
                yield from _named(item, level)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _named(item, level)

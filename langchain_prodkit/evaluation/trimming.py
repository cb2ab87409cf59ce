"""Cut a record that is too large to be held: giant answers, documents and questions."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.evaluation.plain import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["trimmed", "weight"]

_MARK: Final = " [... {} characters left out]"
_MARK_CHARS: Final = 40
"""Room that a mark takes at most."""
_FEW_BYTES: Final = 100
"""A document cut to less says nothing: rather fewer documents."""
_ATOM: Final = 8
"""Bytes that a number, a key's separator or an empty container counts for."""


def weight(record: EvalRecord) -> int:
    """Give about how many bytes the texts of a record take (UTF-8)."""
    total = _weight(record.input) + _weight(record.output) + _weight(record.metadata)
    for context in record.contexts:
        total += _weight(context.text)
        if context.metadata:
            total += _weight(context.metadata)
    return total


def trimmed(record: EvalRecord, max_bytes: int) -> EvalRecord:
    """Cut the longest texts of a record until it fits; each one says how much was left out.

    Short texts stay whole as long as that is possible: one length is found to which all longer texts
    are cut. What is large without long texts (a list of a million numbers) becomes a text that is cut.
    """
    fields = {"input": record.input, "output": record.output, "metadata": dict(record.metadata)}
    texts = [*_texts(fields), *(context.text for context in record.contexts)]
    sizes = sorted(map(_bytes, texts))
    # Keys, numbers and what hangs on documents cannot be cut.
    cap = _cap(sizes, max(0, max_bytes - (weight(record) - sum(sizes))))
    cut = dataclasses.replace(
        record,
        input=_cut(fields["input"], cap),
        output=_cut(fields["output"], cap),
        metadata=_cut(fields["metadata"], cap),
        contexts=tuple(
            dataclasses.replace(context, text=_cut(context.text, cap)) for context in record.contexts
        ),
    )
    if weight(cut) <= max_bytes:
        return cut
    share = max_bytes // 4
    few = [dataclasses.replace(context, metadata={}) for context in record.contexts[: share // _FEW_BYTES]]
    return dataclasses.replace(
        record,
        input=_as_text(record.input, share),
        output=_as_text(record.output, share),
        metadata={},
        contexts=tuple(
            dataclasses.replace(context, text=_cut(context.text, share // max(1, len(few))))
            for context in few
        ),
    )


def _weight(value: Any) -> int:
    if type(value) is str:
        return _bytes(value)
    if isinstance(value, dict):
        return sum(_weight(key) + _weight(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_weight, value)) + _ATOM
    return _ATOM


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


def _cap(sizes: list[int], max_bytes: int) -> int:
    """Give the largest length such that texts cut to it fit together; `sizes` rise."""
    left = max_bytes
    for number, size in enumerate(sizes):
        share = left // (len(sizes) - number)
        if size > share:
            return max(share, 0)
        left -= size
    return max_bytes


def _cut(value: Any, cap: int) -> Any:
    if isinstance(value, str):
        if _bytes(value) <= cap:
            return value
        kept = value.encode("utf-8", "surrogatepass")[: max(cap - _MARK_CHARS, 0)]
        text = kept.decode("utf-8", "ignore")
        return text + _MARK.format(f"{len(value) - len(text):,}")
    if isinstance(value, dict):
        return {key: _cut(item, cap) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut(item, cap) for item in value]
    return value


def _as_text(value: Any, cap: int) -> Any:
    if _weight(value) <= cap:
        return value
    return _cut(text_of(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False), cap)

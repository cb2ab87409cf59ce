"""Values that are personal because the caller says so."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["CUSTOM", "DenyList", "deny_lists"]

CUSTOM: Final = "CUSTOM"
"""The entity of values that are listed without one."""
# Scripts that write particles, or whole sentences, without a blank after a name.
_GLUED = r"\p{Han}\p{Hangul}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"


def deny_lists(value: Any) -> dict[str, list[str]]:
    """Read a list of values, or entity -> values, into one form.

    Raises:
        ConfigurationError: It is neither, or a value is empty.
    """
    if value is None:
        return {}
    lists = dict(value) if hasattr(value, "items") else {CUSTOM: value}
    is_sound = not any(isinstance(values, str) for values in lists.values()) and all(
        isinstance(entity, str) and entity and isinstance(one, str) and one.strip()
        for entity, values in lists.items()
        for one in values
    )
    if not is_sound:
        raise ConfigurationError("deny_list takes a list of words, or entity -> list of words; none is empty")
    return {entity: list(values) for entity, values in lists.items()}


class DenyList:
    """Finds listed values wherever they stand as words of their own, whatever their case."""

    def __init__(self, lists: Mapping[str, Sequence[str]]) -> None:
        """Compile one expression for each entity, however many values it has."""
        regex = require("regex", extra="privacy")
        self._forms = [(entity, _compiled(regex, values)) for entity, values in lists.items() if values]

    def spans(self, text: str) -> Iterator[Span]:
        """Give every place of every listed value."""
        for entity, form in self._forms:
            for match in form.finditer(text, concurrent=True):
                yield Span(match.start(), match.end(), entity, 1.0)


def _compiled(regex: Any, values: Sequence[str]) -> Any:
    # An accent can be written as one character or as two.
    written = {unicodedata.normalize(form, value.strip()) for value in values for form in ("NFC", "NFD")}
    # A value may be broken over lines; an underscore borders a word as a blank does.
    words = sorted(
        (regex.sub(r"(?:\\?\s)+", r"\\s+", regex.escape(value)) for value in written), key=len, reverse=True
    )
    before, after = (
        rf"(?<![[\p{{L}}\p{{M}}\p{{N}}]--[{_GLUED}]])",
        rf"(?![[\p{{L}}\p{{M}}\p{{N}}]--[{_GLUED}]])",
    )
    starts = [_bordered(regex, word, before, after) for word in words]
    return regex.compile("|".join(starts), regex.IGNORECASE | regex.FULLCASE | regex.V1)


def _bordered(regex: Any, word: str, before: str, after: str) -> str:
    first = before if regex.match(r"\\?[\p{L}\p{N}]", word) else ""
    last = after if regex.search(r"[\p{L}\p{M}\p{N}]$", word) else ""
    return f"{first}{word}{last}"

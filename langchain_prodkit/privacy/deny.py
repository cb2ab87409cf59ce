"""Values that are personal because the caller says so."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy.span import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["CUSTOM", "DenyList", "deny_lists"]

CUSTOM: Final = "CUSTOM"
"""The entity of values that are listed without one."""
_Tree: TypeAlias = "dict[str, _Tree]"
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
    # An accent can be written as one character or as two, and a sharp s as two letters.
    written = {
        unicodedata.normalize(form, cased)
        for value in values
        for cased in (value.strip(), value.strip().casefold())
        for form in ("NFC", "NFD")
    }
    # An underscore borders a word as a blank does; so does any letter of a script without blanks.
    letter = rf"[[\p{{L}}\p{{M}}\p{{N}}]--[{_GLUED}]]"
    groups: dict[tuple[bool, bool], _Tree] = {}
    for value in written:
        is_word = regex.match(r"[\p{L}\p{N}]", value), regex.search(r"[\p{L}\p{M}\p{N}]$", value)
        tree = groups.setdefault((bool(is_word[0]), bool(is_word[1])), {})
        for token in regex.findall(r"\s+|\S", value):
            tree = tree.setdefault(r"\s+" if token.isspace() else regex.escape(token), {})
        tree[_END] = {}
    forms = [
        f"{f'(?<!{letter})' if first else ''}(?:{_form(tree)}){f'(?!{letter})' if last else ''}"
        for (first, last), tree in groups.items()
    ]
    return regex.compile("|".join(forms), regex.IGNORECASE | regex.FULLCASE | regex.V1)


_END: Final = ""


def _form(tree: _Tree) -> str:
    """Write a tree of values as one expression: common beginnings are read once, the longest value wins."""
    branches = []
    for token, below in tree.items():
        if token == _END:
            continue
        chain = token
        while len(below) == 1 and _END not in below:
            ((token, below),) = below.items()  # noqa: PLW2901 - down the chain
            chain += token
        branches.append(chain + (_form(below) if below.keys() != {_END} else ""))
    if len(branches) == 1 and _END not in tree:
        return branches[0]
    return f"(?:{'|'.join(branches)}){'?' if _END in tree else ''}"

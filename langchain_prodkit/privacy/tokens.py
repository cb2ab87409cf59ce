"""How placeholders look, what models make of them, and which text might become one.

A token is `PERSON_1`; a placeholder is a token in brackets, `<PERSON_1>`. Models change them: other
case, blanks or hyphens for `_`, lost brackets, escapes. Every form that `find` recognises is restored
in answers and escaped in inputs, by this one grammar, so that nobody can ask for a stored value by
writing a placeholder. There is no edit distance: a form either names exactly one token or none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from langchain_prodkit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

__all__ = ["LITERAL", "SURROGATE", "Found", "Grammar", "entity_name"]

LITERAL: Final = "LITERAL"
"""The entity of text that looked like a placeholder when it came in."""
SURROGATE: Final = "SURROGATE"
"""The entity under which a vault notes which made-up value stands for which token; never in a text."""
MAX_CORE: Final = 80
"""Characters of the longest token, escapes included."""

_FORMAT = re.compile(r"([^\s\w{}\"\\]{1,4})\{entity\}_\{n\}([^\s\w{}\"\\]{1,4})")
_TOKEN = re.compile(r"([A-Z][A-Z0-9_]{0,63})_([0-9]{1,9})")
_CORE = re.compile(rf"[A-Za-z][A-Za-z0-9_\\ -]{{0,{MAX_CORE}}}")
# Borders are ASCII ones: a Korean particle follows its noun without a blank.
_BORDER = r"(?<![A-Za-z0-9_\\])"
_BARE = _BORDER + r"([A-Z][A-Z0-9]*(?:\\?_[A-Z0-9]+)*?\\?_[0-9]{1,9})(?![A-Za-z0-9_])"
_BARE_START = re.compile(_BORDER + r"[A-Z][A-Z0-9_\\]*\Z")
_NUMBERED = re.compile(r"(.+?)_[0-9]{0,9}_?")
_SEPARATOR = re.compile(r"[ -]")


class Found(NamedTuple):
    """Something in a text that names a token."""

    start: int
    end: int
    token: str
    """In its exact form, `PERSON_1`."""
    is_bare: bool
    """Without its brackets, or with only one of them: a token only when exactly this one exists."""
    kind: Literal["token", "sealed", "surrogate"] = "token"
    """A placeholder; a sealed value, which `token` holds whole; a made-up value for `token`."""


def entity_name(entity: str) -> str:
    """Spell an entity as it can stand in a token: capitals, digits and `_`."""
    name = re.sub(r"[^A-Z0-9]+", "_", entity.upper()).strip("_")[:64]
    return name if name[:1].isalpha() else f"E_{name}"


class Grammar:
    """The placeholders of one `token_format`, over the entities that can be issued."""

    def __init__(self, token_format: str, entities: Collection[str] | None) -> None:
        """Read the format; without `entities` any name may be one.

        Raises:
            ConfigurationError: The format is not brackets around `{entity}_{n}`.
        """
        match = _FORMAT.fullmatch(token_format)
        if match is None:
            msg = (
                "token_format must be '{entity}_{n}' between opening and closing brackets of one to four "
                "characters, such as '<{entity}_{n}>' or '[[{entity}_{n}]]'"
            )
            raise ConfigurationError(msg)
        self._open, self._close = match.groups()
        self._entities = None if entities is None else {LITERAL, *map(entity_name, entities)}
        names = self._entities or ()
        self._starts = {f"{name}_"[:length] for name in names for length in range(len(name) + 2)}
        pairs = [(self._open, self._close)]
        pairs.append(("".join(rf"\{char}" for char in self._open), "".join(rf"\{c}" for c in self._close)))
        if (self._open, self._close) == ("<", ">"):
            pairs += [("&lt;", "&gt;"), ("\uff1c", "\uff1e"), ("\\u003c", "\\u003e")]
        self._pairs = pairs
        # The nearest end counts: a backslash may belong to a token, and to the next bracket as well.
        forms = [rf"{re.escape(start)} ?({_CORE.pattern}?){re.escape(end)}" for start, end in pairs]
        is_short = len(self._open) == len(self._close) == 1
        lost = (f"(?:{re.escape(self._open)})?", f"(?:{re.escape(self._close)})?") if is_short else ("", "")
        self._pattern = re.compile("|".join([*forms, f"{lost[0]}{_BARE}{lost[1]}"]))
        starts = "".join(re.escape(start[0]) for start, _ in pairs)
        self._candidate = re.compile(rf"[{starts}]|{_BORDER}[A-Z]")
        # A candidate further back than this has either matched or never will.
        self._reach = MAX_CORE + 8 + max(len(start) + len(end) for start, end in pairs)

    def placeholder(self, token: str) -> str:
        """Put brackets around a token."""
        return f"{self._open}{token}{self._close}"

    def find(self, text: str, start: int = 0) -> Iterator[Found]:
        """Give what names a token, from left to right, without overlaps."""
        at = start
        while (match := self._pattern.search(text, at)) is not None:
            group = match.lastindex or 0
            token = self._token(match.group(group))
            if token is None:
                at = match.start() + 1
                continue
            yield Found(match.start(), match.end(), token, group > len(self._pairs))
            at = match.end()

    def settled(self, text: str) -> int:
        """Give the offset up to which `text` reads the same whatever comes after it."""
        for match in self._candidate.finditer(text, max(0, len(text) - self._reach)):
            if self._may_grow(text, match.start()):
                return match.start()
        return len(text)

    def _may_grow(self, text: str, at: int) -> bool:
        bare = _BARE_START.match(text, at)
        if bare is not None:
            return self._may_name(bare.group())
        tail = text[at:]
        return any(self._may_close(tail, start, end) for start, end in self._pairs)

    def _may_close(self, tail: str, start: str, end: str) -> bool:
        if start.startswith(tail):
            return True
        if not tail.startswith(start):
            return False
        rest = tail[len(start) :].removeprefix(" ")
        if not rest or (_CORE.fullmatch(rest) and self._may_name(rest)):
            return True
        return any(
            rest.endswith(end[:length]) and self._token(rest[:-length]) is not None
            for length in range(1, len(end))
        )

    def _token(self, core: str) -> str | None:
        token = _exact(core.rstrip(" "))
        match = _TOKEN.fullmatch(token) if len(core) <= MAX_CORE else None
        if match is None or (self._entities is not None and match.group(1) not in self._entities):
            return None
        return token

    def _may_name(self, start: str) -> bool:
        token = _exact(start)
        if self._entities is None or token in self._starts:
            return True
        match = _NUMBERED.fullmatch(token)
        return match is not None and match.group(1) in self._entities


def _exact(core: str) -> str:
    return _SEPARATOR.sub("_", core.replace("\\", "")).upper()

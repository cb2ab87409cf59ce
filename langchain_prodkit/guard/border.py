"""Borders around untrusted text that the text itself cannot forge."""

from __future__ import annotations

import base64
import codecs
import hashlib
import re
import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from langchain_prodkit.guard.disguise import Layer, layers, origins
from langchain_prodkit.guard.skeleton import outline, skeleton

__all__ = ["LABEL", "Border", "Method", "neutralised", "new_border"]

Method = Literal["border", "datamark", "encode"]
"""`border`: borders only. `datamark`: a mark in the place of every space as well. `encode`: base64."""

LABEL: Final = "untrusted"
"""The word in every border; what looks like one inside a text is taken out, whatever its number."""
REMOVED: Final = "[border removed]"
MAX_ROUNDS: Final = 5
_LETTERS: Final = 20
_MARKS: Final = 0x1900
_MANY_MARKS: Final = 0x1800
_LEET: Final = str.maketrans("013456789@$+€", "oleasgtbgaste")

# The label behind an opening bracket, or with a token's letters before a closing one.
_LABELS: Final = (LABEL, codecs.encode(LABEL, "rot13"))
_FORGED: Final = tuple(
    re.compile(rf"<+{label}(?:[a-z]{{1,{_LETTERS}}}>)?|{label}[a-z]{{12,{_LETTERS}}}>|{label[::-1]}[<>]+")
    for label in _LABELS
)


@dataclass(frozen=True, slots=True)
class Border:
    """The borders, and the mark, of one request."""

    token: str
    """Twenty random letters."""
    mark: str
    """What stands for a space in marked text: one private-use character."""

    @property
    def opening(self) -> str:
        """What stands before the text."""
        return f"<{LABEL}-{self.token}>"

    @property
    def closing(self) -> str:
        """What stands behind the text."""
        return f"</{LABEL}-{self.token}>"

    def around(self, text: str, method: Method) -> str:
        """Put a text that is free of forged borders between these ones."""
        if method == "encode":
            text = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
        elif method == "datamark":
            text = self._marked(text)
        return f"{self.opening}\n{text}\n{self.closing}"

    def _marked(self, text: str) -> str:
        """Put the mark at every space and, where a script has none, every twelve characters."""
        text = text.replace(self.mark, "")
        text = re.sub(r"[^\S\n]", self.mark, text).replace("\n", f"{self.mark}\n")
        # Scripts without spaces, and attacks that avoid them, are marked by length.
        long = rf"[^\x00-\u024f\s{self.mark}]{{12}}(?=[^\x00-\u024f\s{self.mark}])|[^\s{self.mark}]{{64}}"
        return self.mark + re.sub(long, rf"\g<0>{self.mark}", text)


def new_border(texts: Sequence[str], *, seed: int | None = None) -> Border:
    """Draw the borders for a request with these `texts`.

    With a `seed` they depend on it and on the texts alone, so a text can no more hold its own border
    than it can hold its own hash.
    """
    bones = "".join(skeleton(text) for text in texts)
    marks = {char for text in texts for char in text if "\ue000" <= char <= "\uf8ff"}
    digest = hashlib.sha256()
    for text in texts:
        digest.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
    tries = 0
    while True:
        if seed is None:
            token = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))
            number = secrets.randbelow(_MARKS)
        else:
            key = f"{seed}:{tries}:".encode() + digest.digest()
            drawn = hashlib.shake_256(key).digest(_LETTERS + 2)
            token = "".join(string.ascii_lowercase[byte % 26] for byte in drawn[:_LETTERS])
            number = int.from_bytes(drawn[_LETTERS:]) % _MARKS
        tries += 1
        # Every private-use character in one text: the mark is taken out of it instead.
        is_free = chr(0xE000 + number) not in marks or len(marks) > _MANY_MARKS
        if is_free and token not in bones and token[::-1] not in bones:
            return Border(token, chr(0xE000 + number))


def neutralised(text: str) -> tuple[str, int]:
    """Take everything out of `text` that could be taken for a border; say how many there were.

    Seen are borders of any request in any case, script, style and spacing, split by invisible
    characters, and behind the encodings that `disguise` undoes, three deep. A text that still holds one
    after five rounds comes back as base64.
    """
    count = 0
    for _ in range(MAX_ROUNDS):
        spans = _forged(text)
        if not spans:
            return text, count
        count += len(spans)
        parts: list[str] = []
        at = 0
        for start, end in spans:
            parts += (text[at:start], REMOVED)
            at = end
        text = "".join((*parts, text[at:]))
    return base64.b64encode(text.encode("utf-8", "replace")).decode("ascii"), count


def _forged(text: str) -> list[tuple[int, int]]:
    """Give the places of everything that looks like a border, in order, none inside another."""
    found: list[tuple[int, int]] = []
    for layer in layers(text):
        found += _forged_in(layer)
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _forged_in(layer: Layer) -> list[tuple[int, int]]:
    found = []
    for written in (outline, _leet_outline):
        seen = written(layer.text)
        if not any(label in seen or label[::-1] in seen for label in _LABELS):
            continue
        matches = [match for forged in _FORGED for match in forged.finditer(seen)]
        places = origins(layer.text, written) if matches else []
        for match in matches:
            start, end = match.span()
            found.append(layer.span(places[start], places[end - 1] + 1))
    return found


def _leet_outline(text: str) -> str:
    return outline(text.translate(_LEET))

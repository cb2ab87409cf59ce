"""Read one JSON document as it is written, and show what there is of it; every character is read once.

Objects are validated when they close and stand from then on in their parents, which are not built again
before they close themselves. Only the open path is built for each look.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.parse.document.frame import Frame, holder, is_told_by
from langchain_prodkit.parse.document.leaf import UNREADABLE
from langchain_prodkit.parse.document.plan import MISSING, READY, Choice, Plan
from langchain_prodkit.parse.document.text import Text

if TYPE_CHECKING:
    from langchain_prodkit.parse.shape import Rules

__all__ = ["Scanner"]

MAX_DEPTH: Final = 200
"""Pydantic reads no deeper either."""
MAX_WORD: Final = 5_000
_FREE_COST: Final = 1_024
"""Values to copy for one look that are never too many; past it a look waits for more text."""
_COST_PER_CHAR: Final = 64
_COST_PER_FRAME: Final = 32

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_WORD_RUN: Final = re.compile(r"[^\s,\]}]*")
_CONSTANTS: Final = frozenset({"true", "false", "null", "NaN", "Infinity", "-Infinity"})
_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)

# What may come next; values before keys before the rest, so that one comparison tells.
_VALUE, _FIRST_ITEM, _KEY, _FIRST_KEY, _COLON, _COMMA, _STRING, _WORD, _END, _BROKEN = range(10)


class Scanner:
    """Reads one document of the type that `plan` stands for.

    Attributes:
        is_live: It has been recognised as a document of this type.
        is_mute: It will not fit; it is read to its end and nothing more of it is shown.
        is_validated: `value` is, by the user's validators too.
        value: The whole, once it closed.
        has_extra: It holds keys that are no fields, or that nobody knows yet to be any.
        items: Validated items of a list at the root, in order.
    """

    def __init__(self, plan: Plan, key: str | None, rules: Rules, nonce: str) -> None:
        """Start before the first character; `key` is that of the object the value may travel in."""
        self._plan = plan
        self._key_of_root = key
        self._strict = rules.strict or None
        self._context = rules.context
        self._nonce = nonce
        self._ready: dict[str, Any] = {}
        self._stack: list[Frame] = []
        self._parts: list[str] = []
        """The JSON of the innermost object that will be validated, up to here."""
        self._at = _VALUE
        self._child: Plan | None = plan
        self._text = Text()
        self._is_key = False
        self._word = ""
        self._chars = 0
        self._chars_at_look = 0
        self._is_dirty = False
        self._look: Any = MISSING
        self.is_live = False
        self.is_mute = False
        self.is_validated = False
        self.has_extra = False
        self.value: Any = MISSING
        self.items: list[Any] = []

    @property
    def is_over(self) -> bool:
        """Whether the document is complete."""
        return self._at == _END

    @property
    def is_broken(self) -> bool:
        """Whether this is no JSON."""
        return self._at == _BROKEN

    @property
    def is_dirty(self) -> bool:
        """Whether there may be something new to show."""
        return self._is_dirty and self.is_live and not self.is_mute

    # -- what is shown ---------------------------------------------------------------------------

    def look(self) -> Any:
        """Show what there is; `MISSING` when there is nothing yet."""
        if not self.is_dirty or self._is_too_soon():
            return self._look
        value = self.value
        if value is MISSING:
            if self._at == _STRING and not self._is_key and self._shows_text():
                value = self._text.so_far()
            for frame in reversed(self._stack):
                value = frame.shown(value)
        if value is not MISSING:
            self._look = value
        self._is_dirty = False
        self._chars_at_look = self._chars
        return self._look

    def _is_too_soon(self) -> bool:
        """Tell whether a look would cost more than the text that came since the last one is worth."""
        cost = len(self._text) >> 4
        for frame in self._stack:
            cost += len(frame.values) + _COST_PER_FRAME
        return cost > _FREE_COST and (self._chars - self._chars_at_look) * _COST_PER_CHAR < cost

    def _shows_text(self) -> bool:
        return self._child is not None and self._child.leaf.shows_text

    def _change(self) -> None:
        """Note that there is something new; a list at the root is the answer once an item is shown."""
        self._is_dirty = True
        if not self.is_live and self._stack and self._stack[-1].arr is not None:
            self.is_live = self._stack[-1].plan is self._plan

    # -- reading ---------------------------------------------------------------------------------

    def feed(self, chunk: str, start: int = 0) -> int:
        """Read on; gives the position after the end of the document, or the end of the chunk."""
        position, mark, end = start, start, len(chunk)
        while position < end and self._at < _END:
            if self._at == _STRING:
                position = self._on_string(chunk, position)
            elif self._at == _WORD:
                position = self._on_word(chunk, position)
            else:
                found: re.Match[str] = _SPACE.match(chunk, position)  # type: ignore[assignment]
                position = found.end()
                if position < end:
                    position, mark = self._on_mark(chunk, mark, position)
        if self._at != _END:
            self._parts.append(chunk[mark:position])
        self._chars += position - start
        return position

    def _on_mark(self, chunk: str, mark: int, position: int) -> tuple[int, int]:
        """Read one character of the structure; gives where to go on and what has been kept up to."""
        char, at = chunk[position], self._at
        if char == '"' and at <= _FIRST_KEY:
            self._begin_string(is_key=at >= _KEY)
        elif char == "," and at == _COMMA:
            self._at = _KEY if self._stack[-1].is_object else _VALUE
        elif char == ":" and at == _COLON:
            self._at = _VALUE
        elif char in "{[" and at <= _FIRST_ITEM:
            mark = self._open(chunk, mark, position)
        elif char in "}]":
            mark = self._close(chunk, mark, position + 1)
        elif at <= _FIRST_ITEM and char not in ",:":
            self._begin_value()
            self._at, self._word = _WORD, ""
            return position, mark
        else:
            self._at = _BROKEN
        return position + 1, mark

    def _begin_value(self) -> None:
        frame = self._stack[-1]
        if not frame.is_object:
            frame.begin_item()
        self._child = None if self.is_mute else frame.child

    def _open(self, chunk: str, mark: int, position: int) -> int:
        if len(self._stack) >= MAX_DEPTH:
            self._at = _BROKEN
            return mark
        is_object = chunk[position] == "{"
        if self._stack:
            self._begin_value()
        plan = self._child
        frame = Frame(plan, is_object=is_object)
        if plan is not None and plan.unit is not None and (is_object or plan.is_root):
            self._parts.append(chunk[mark:position])
            frame.outer, self._parts = self._parts, []
            mark = position
        if self._stack and (frame.arr is not None or frame.obj is not None):
            self._change()
        self._stack.append(frame)
        self._at = _FIRST_KEY if is_object else _FIRST_ITEM
        return mark

    def _close(self, chunk: str, mark: int, position: int) -> int:
        stack = self._stack
        is_object = chunk[position - 1] == "}"
        may_end = self._at in (_COMMA, _FIRST_KEY if is_object else _FIRST_ITEM)
        if not stack or stack[-1].is_object is not is_object or not may_end:
            self._at = _BROKEN
            return mark
        frame = stack.pop()
        value, is_exact = MISSING if self.is_mute else frame.shown(MISSING), False
        if frame.outer is not None:
            self._parts.append(chunk[mark:position])
            text = "".join(self._parts)
            self._parts, mark = frame.outer, position
            value = self._validated(frame.plan, text)
            self._parts.append("null" if value is MISSING else self._token(value))
            is_exact = frame.plan is not None and frame.plan.is_exact
            if frame.plan is self._plan and value is not MISSING and (self.is_live or not is_object):
                self.value = value
                self.is_validated = self.is_live = True
        self._is_dirty = True
        if stack:
            self._at = _COMMA
            self._put(value, is_exact=is_exact)
        else:
            self._at = _END
            if self.value is MISSING and self.is_live:
                self.value = value
            self._ready.clear()
        return mark

    def _validated(self, plan: Plan | None, text: str) -> Any:
        """Validate an object that closed; what does not fit ends the showing, not the reading."""
        if self.is_mute or plan is None or plan.unit is None:
            return MISSING
        token = READY.set(self._ready)
        try:
            return plan.unit.validator.validate_json(text, strict=self._strict, context=self._context)
        except Exception:  # noqa: BLE001 - also of the user's validators; the last judge tells it
            self.is_mute = True
            return MISSING
        finally:
            READY.reset(token)

    def _token(self, value: Any) -> str:
        name = f"{self._nonce}:{len(self._ready)}"
        self._ready[name] = value
        return f'"{name}"'

    def _put(self, value: Any, *, is_exact: bool) -> None:
        """Give the open container a value that is complete."""
        frame = self._stack[-1]
        if self.is_mute or not frame.put(value):
            return
        self._change()
        if is_exact and frame.arr and frame.plan is self._plan and len(self.items) == len(frame.values) - 1:
            self.items.append(value)

    # -- scalars ---------------------------------------------------------------------------------

    def _begin_string(self, *, is_key: bool) -> None:
        self._is_key, self._at, self._text = is_key, _STRING, Text()
        if not is_key:
            self._begin_value()
            if self._shows_text():
                self._change()

    def _on_string(self, chunk: str, position: int) -> int:
        start, position = position, self._text.feed(chunk, position)
        if not self._is_key and position - start > self._text.is_over:
            self._is_dirty = True
        if self._text.is_broken:
            self._at = _BROKEN
        elif self._text.is_over:
            if self._is_key:
                self._at = _COLON
                self._on_key(self._text.so_far())
            else:
                self._at = _COMMA
                self._on_text(self._text.so_far())
        return position

    def _on_text(self, text: str) -> None:
        child = self._child
        if child is not None and child.leaf.shows_text:
            is_dirty = self._is_dirty
            self._put(text, is_exact=child.leaf.is_pure and self._leaf(child, json.dumps(text)) == text)
            self._is_dirty = is_dirty  # it has been shown while it grew
        else:
            self._on_scalar(json.dumps(text))

    def _on_word(self, chunk: str, position: int) -> int:
        found: re.Match[str] = _WORD_RUN.match(chunk, position)  # type: ignore[assignment]
        self._word += chunk[position : found.end()]
        if len(self._word) > MAX_WORD:
            self._at = _BROKEN
        elif found.end() < len(chunk):
            if self._word in _CONSTANTS or _NUMBER.fullmatch(self._word):
                self._at = _COMMA
                self._on_scalar(self._word)
            else:
                self._at = _BROKEN
        return found.end()

    def _on_scalar(self, raw: str) -> None:
        child = self._child
        if child is None:
            self._hold(raw)
        else:
            self._put(self._leaf(child, raw), is_exact=child.leaf.is_pure)

    def _leaf(self, plan: Plan, raw: str) -> Any:
        value = plan.leaf.value(raw, strict=self._strict)
        return MISSING if value is UNREADABLE else value

    def _hold(self, raw: str) -> None:
        """Keep a scalar until it is known in which object it stands; its tag decides that."""
        frame = self._stack[-1]
        obj = frame.obj
        if not isinstance(obj, Choice) or self.is_mute:
            return
        frame.pending[frame.name] = raw
        if frame.name in obj.tags and (chosen := obj.table.get(json.loads(raw))) is not None:
            frame.decide(chosen, self._leaf)
            self._change()

    # -- keys ------------------------------------------------------------------------------------

    def _on_key(self, name: str) -> None:
        frame = self._stack[-1]
        frame.name = name
        if self.is_mute:
            return
        if len(self._stack) == 1:
            self._on_root_key(frame, name)
        obj = frame.obj
        if isinstance(obj, Choice) and not obj.tags:
            members = [member for member in obj.members if member.knows(name)]
            frame.obj = Choice(members)
            if len(members) == 1:
                frame.decide(members[0], self._leaf)
                self._change()
        self.has_extra = not frame.aim() or self.has_extra

    def _on_root_key(self, frame: Frame, name: str) -> None:
        """Tell by its keys whether an object is the answer, or holds it."""
        if frame.plan is None:
            self.is_mute = True  # another key beside the one that holds the value
        elif not self.is_live and name == self._key_of_root:
            frame.plan, frame.obj = None, holder(name, self._plan)
            self._parts, frame.outer = frame.outer or [], None
            self.is_live = self._is_dirty = True
        elif not self.is_live and is_told_by(frame.obj, name):
            self.is_live = self._is_dirty = True

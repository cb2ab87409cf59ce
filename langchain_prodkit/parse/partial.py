"""`PartialStream`: look at an object while a model still writes it."""

from __future__ import annotations

import json
import re
import secrets
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

from langchain_prodkit.errors import ConfigurationError, InputTypeError
from langchain_prodkit.parse.document.plan import MISSING, Arr, Obj, Plan
from langchain_prodkit.parse.document.planner import plan_of
from langchain_prodkit.parse.document.scanner import Scanner
from langchain_prodkit.parse.repair import read
from langchain_prodkit.parse.shape import Rules, Shape, Unfit, shape_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_prodkit.parse.repair import Repair

__all__ = ["MAX_CHARS", "PartialStream", "Reader"]

T = TypeVar("T")

MAX_CHARS: Final = 16_777_216
"""Longer answers are no answers; a model that never stops must not fill the memory."""

_NAMES: Final = ("think", "thinking", "thought", "reasoning", "scratchpad")
_MARK: Final = re.compile(r"[{\[<]")
_THOUGHT: Final = re.compile(rf"<(/?)({'|'.join(_NAMES)})>", re.IGNORECASE)
_THOUGHT_BEGUN: Final = re.compile(
    "|".join(f"</?{name[:length]}" for name in _NAMES for length in range(len(name) + 1)), re.IGNORECASE
)
_LONGEST: Final = len("</scratchpad>")
MAX_TAIL: Final = 1_000
_OBJECT: Final = re.compile(r'\{\s*["}]')
_ARRAY: Final = re.compile(r'\[\s*(?:["{\[\]]|-?\d|true|false|null)')
_ARRAY_OF_CONTAINERS: Final = re.compile(r"\[\s*[{\[]")
_BEGUN: Final = re.compile(r"[{\[]\s*(?:-|t|tr|tru|f|fa|fal|fals|n|nu|nul)?")


class PartialStream(Generic[T]):
    """Shows an object of exactly the type asked for while it is written; the time is linear in the text.

    ```python
    stream = PartialStream(Ticket)
    for chunk in chunks:
        stream.feed(chunk)
        show(stream.snapshot())
    ticket = stream.close()  # validated as `parse_aligned` does
    ```

    A snapshot is an instance of the type itself, built without validation where it is still open:

    - What has not been read is `None`, whether the field is required or has a default: a default holds
      only when the object closed without it. `model_fields_set` names what was read. A `TypedDict` and
      a mapping hold only what was read; a list, set or tuple the items so far.
    - A string field shows its text so far, also where a validator waits for it. Every other scalar
      (numbers, booleans, enums, literals, dates, secrets, strings that pydantic changes) appears when it
      is complete, as its own type, or not at all when it is none of that type.
    - An object appears at its first brace and grows. When it closes it is validated, once, all its
      validators included; from then on every snapshot and the result hold that same instance, so read
      snapshots and do not write to them. The validators of a type around it run when that one closes.
    - A member of a union is shown once its tag was read, or without a tag once the keys read fit one
      member only; else when it closes.
    - What a `before` or `wrap` validator may still rewrite is shown as it was read, unvalidated, until
      the object of that validator closes.
    - Keys are read by their aliases. A key that is no field is not shown, unless the model allows extras.

    Prose, fences and thinking around the JSON are passed over. Of several blocks the one being written is
    shown, from its first known key on, because the last counts. A `</think>` whose opening stood in the
    prompt makes all before it a thought: it is forgotten. When something does not fit, or is no valid
    JSON, snapshots stop where they were; `close` may still repair it.

    Past some thousand open values snapshots lag behind by less than two percent of the text.
    """

    @overload
    def __init__(
        self,
        model: type[T],
        *,
        strict: bool = False,
        repair: Repair = "aligned",
        validation_context: Mapping[str, Any] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: PartialStream[Any],
        model: Any,
        *,
        strict: bool = False,
        repair: Repair = "aligned",
        validation_context: Mapping[str, Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        model: Any,
        *,
        strict: bool = False,
        repair: Repair = "aligned",
        validation_context: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepare to read one answer.

        Args:
            model: A pydantic model, or any type that pydantic can validate.
            strict: Pydantic's strict mode.
            repair: What `close` may mend: `off`, JSON `syntax`, or values as well (`aligned`).
            validation_context: What validators find in `info.context`.

        Raises:
            ConfigurationError: `model` is no type that pydantic can validate.
        """
        self._rules = Rules(strict=strict, context=validation_context)
        self._repair = repair
        self._reader = Reader(shape_of(model), self._rules)
        self._result: Any = MISSING

    def feed(self, chunk: str) -> None:
        """Take the next piece of the answer, cut anywhere.

        Raises:
            InputTypeError: It is no text.
            StructuredOutputError: The answer is longer than 16 MiB.
            ConfigurationError: The stream is closed.
        """
        if self._result is not MISSING:
            raise ConfigurationError(
                "this stream is closed; an answer of its own needs a PartialStream of its own"
            )
        if not isinstance(chunk, str):
            raise InputTypeError(f"a chunk is a text, not a {type(chunk).__qualname__}")
        self._reader.feed(chunk)

    def snapshot(self) -> T:
        """Show what there is so far; the same object as before when nothing was added."""
        return self._reader.snapshot()  # type: ignore[no-any-return]

    def close(self) -> T:
        """Give the validated object, judged as a whole answer is; a second call gives the same.

        Raises:
            StructuredOutputError: The answer does not fit; `attempts` is 0.
        """
        if self._result is MISSING:
            failure = None
            try:
                self._result = read(self._reader.text, self._reader.shape, self._rules, self._repair).value
            except Unfit as unfit:
                failure = unfit.error(attempts=0)
            if failure is not None:
                raise failure
        return self._result  # type: ignore[no-any-return]


class Reader:
    """Finds the answer's JSON in a text that still grows, and shows what there is of it."""

    def __init__(self, shape: Shape, rules: Rules) -> None:
        """Start without text."""
        self._shape = shape
        self._rules = rules
        self._plan, self.is_custom = _plan(shape)
        self._nonce = secrets.token_hex(8)
        self._chunks: list[str] = []
        self._size = 0
        self._tail = ""
        """Text that may be the beginning of something."""
        self._thought = ""
        """The name of the tag that is open."""
        self._begin = 0
        self._is_reading = False
        self._is_dead = False
        """Whether what was read is broken so that nobody knows where it ends."""
        self._scanner: Scanner | None = None
        self._shown: Any = MISSING
        self._complete: tuple[Any, int, int, bool] | None = None
        """The last document that closed and fits, where it stands, and whether it has unknown keys."""
        self.has_more = False
        """Whether anything came after the last document."""

    @property
    def text(self) -> str:
        """All that was read."""
        self._chunks = ["".join(self._chunks)]
        return self._chunks[0]

    @property
    def shape(self) -> Shape:
        """The type, which knows what has been validated already."""
        if self._complete is None or not self.is_custom:
            return self._shape
        value, start, end, has_extra = self._complete
        return _Validated(self._shape, self.text[start:end], value, has_extra=has_extra)

    @property
    def is_over(self) -> bool:
        """Whether the document that is shown has closed."""
        scanner = self._scanner
        if scanner is None or self._is_reading:
            return False
        return scanner.is_over and scanner.is_live and not scanner.is_mute

    @property
    def is_dirty(self) -> bool:
        """Whether a snapshot may show something new."""
        return self._scanner is not None and self._scanner.is_dirty

    @property
    def items(self) -> list[Any]:
        """Validated items of the list that is shown, in order."""
        return self._scanner.items if self._scanner is not None and self._scanner.is_live else []

    def fresh(self) -> Reader:
        """Give a reader of the same type that has read nothing."""
        return Reader(self._shape, self._rules)

    def snapshot(self) -> Any:
        """Show what there is, or an empty object."""
        shown = self.look()
        if shown is MISSING:
            shown = self._shown = _blank(self._plan)
        return shown

    def look(self) -> Any:
        """Show what there is, or `MISSING`."""
        scanner = self._scanner
        shown = MISSING
        if scanner is not None and scanner.is_live and not scanner.is_mute:
            shown = scanner.look()
        elif self._complete is not None:
            shown = self._complete[0]
        if shown is not MISSING:
            self._shown = shown
        return self._shown

    def feed(self, chunk: str) -> None:
        """Read on.

        Raises:
            StructuredOutputError: The text is too long.
        """
        before = self._size
        self._size += len(chunk)
        if self._size > MAX_CHARS:
            raise Unfit("The answer is too long.", reason="truncated").error(attempts=0)
        self._chunks.append(chunk)
        data, position = chunk, 0
        while True:
            if not self._is_reading:
                before += position - len(self._tail)
                data = self._tail + data[position:]
                self.has_more = self.has_more or bool(data.strip())
                position = self._search(data)
                if position < 0:
                    return
                self._begin, self._is_reading = before + position, True
                self._scanner = Scanner(self._plan, self._shape.key, self._rules, self._nonce)
            scanner = self._scanner
            assert scanner is not None  # noqa: S101 - reading is begun with one
            position = scanner.feed(data, position)
            if scanner.is_live and (scanner.is_mute or scanner.is_broken):
                self._complete = None  # the last block counts, even when it does not fit
            if scanner.is_over:
                self._is_reading = self.has_more = False
                if scanner.is_validated and not scanner.is_mute:
                    end = before + position
                    self._complete = (scanner.value, self._begin, end, scanner.has_extra)
            elif scanner.is_broken:
                self._is_reading, self._is_dead, scanner.is_mute = False, True, True
            else:
                return

    def _search(self, data: str) -> int:
        """Find where a document starts, or -1; keeps what may be the beginning of something."""
        self._tail = ""
        position = 0
        while (found := _MARK.search(data, position)) is not None:
            position = found.start()
            if data[position] == "<":
                tag = _THOUGHT.match(data, position)
                if tag is not None:
                    self._on_tag(tag.group(2).lower(), is_end=bool(tag.group(1)))
                    position = tag.end()
                    continue
                if len(data) - position < _LONGEST and _THOUGHT_BEGUN.fullmatch(data, position):
                    self._tail = data[position:]
                    return -1
            elif not self._thought and not self._is_dead:
                start = _OBJECT if data[position] == "{" else _ARRAY
                if start.match(data, position):
                    return position
                if len(data) - position < MAX_TAIL and _BEGUN.fullmatch(data, position):
                    self._tail = data[position:]
                    return -1
            position += 1
        return -1

    def _on_tag(self, name: str, *, is_end: bool) -> None:
        if not is_end:
            self._thought = self._thought or name
        elif self._thought == name:
            self._thought = ""
        else:
            # The thought began before the answer did: all so far was part of it.
            self._thought, self._is_dead = "", False
            self._scanner, self._complete = None, None
            self._shown = MISSING


class _Validated(Shape):
    """A shape that remembers one value, so that the user's validators do not run on it twice."""

    def __init__(self, shape: Shape, text: str, value: Any, *, has_extra: bool) -> None:
        self.__dict__.update(shape.__dict__)
        self._value = value
        self._has_extra = has_extra
        self._known = self._canonical(text)

    def validate_json(self, text: str, rules: Rules, *, extra: Any = None) -> Any:
        if self._is_known(text, extra):
            return self._value
        return super().validate_json(text, rules, extra=extra)

    def validate_text(self, text: str, rules: Rules, *, extra: Any = None) -> Any:
        if self._is_known(text, extra):
            return self._value
        return super().validate_text(text, rules, extra=extra)

    def _is_known(self, text: str, extra: Any) -> bool:
        if extra == "forbid" and self._has_extra:
            return False
        return self._canonical(text) == self._known

    def _canonical(self, text: str) -> str | None:
        try:
            read_again = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if isinstance(read_again, dict) and list(read_again) == [self.key]:
            read_again = read_again[self.key]
        return json.dumps(read_again)


def _plan(shape: Shape) -> tuple[Plan, bool]:
    try:
        return _remembered(shape)
    except TypeError:
        return plan_of(shape.adapter.core_schema)


@lru_cache(maxsize=256)
def _remembered(shape: Shape) -> tuple[Plan, bool]:
    return plan_of(shape.adapter.core_schema)


def _blank(plan: Plan) -> Any:
    """Show an answer of which nothing has been read."""
    if isinstance(plan.obj, Obj):
        return plan.obj.make(dict(plan.obj.blank), set())
    return plan.arr.make([]) if isinstance(plan.arr, Arr) else None

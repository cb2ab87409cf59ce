"""From what a model wrote to the object that was asked for, without asking again and without guessing.

Valid JSON that fits is taken as it is. Else the JSON is looked for in the text, its syntax is mended
and its values are fitted to the type; what could mean two things is refused.
"""

# ruff: noqa: RUF001 - models write typographic quotes and full-width punctuation, so they stand here
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

from pydantic import BaseModel, ValidationError

from langchain_prodkit.parse.align import align, loads
from langchain_prodkit.parse.blocks import Block, blocks, joined, with_whole_characters, without_frame
from langchain_prodkit.parse.keys import claims, envelopes, is_full, normal, open_objects, rename, resolved
from langchain_prodkit.parse.mend import Doubt
from langchain_prodkit.parse.plain import plain_values
from langchain_prodkit.parse.shape import MAX_LISTED, Rules, Unfit, shape_of

if TYPE_CHECKING:
    from langchain_prodkit.parse.shape import Shape

__all__ = ["Reading", "Repair", "parse_aligned", "read"]

T = TypeVar("T")
Repair = Literal["off", "syntax", "aligned"]

MAX_CHARS: Final = 1_048_576
"""Longer answers are taken as valid JSON or not at all."""
MAX_BLOCKS: Final = 50
"""Blocks tried, from the last; a text with more is no answer."""
MAX_ENCODINGS: Final = 3
_BETWEEN_ROWS: Final = re.compile(r"[\s,;]*+(?:(?:[-*•]|\d{1,6}[.)])\s*+)?")
_EMPTY: Final = re.compile(r"\s*+\{\s*+\}\s*+")
_FRAMED_BEFORE: Final = re.compile(
    r"(?:(?:```|~~~)[\w+-]{0,20}|<[/\w|][^<>\n]{0,100}>|\[/THINK\]|◁/think▷)\Z"
)
_FRAMED_AFTER: Final = re.compile(r"\s*+(?:```|~~~|<[/\w|]|\[THINK\]|◁think|\Z)")
_KEY: Final = re.compile(r"""([\w.\- ]+)["'”’`]?\s*+[:：=]""")
_NO_JSON: Final = "The answer holds no JSON object of the required form."
_AMBIGUOUS: Final = "The JSON is broken in a way that has no single meaning."
_CUT: Final = "The answer ends in the middle."
_DEEP: Final = "The JSON is nested too deeply."


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer that fits."""

    value: Any
    repairs: tuple[str, ...]
    """What had to be mended, in order; empty for valid JSON."""


@overload
def parse_aligned(text: str, model: type[T], *, repairs: list[str] | None = None) -> T: ...
@overload
def parse_aligned(text: str, model: Any, *, repairs: list[str] | None = None) -> Any: ...
def parse_aligned(text: str, model: Any, *, repairs: list[str] | None = None) -> Any:
    """Read an instance of `model` out of what a language model wrote, or refuse; never invents a value.

    Takes prose, fences and thinking off, mends JSON syntax (quotes, commas, comments, Python words),
    and fits values that say the same in another form (`"1,200"`, `"SHIPPED"`, one item for a list).
    Of several JSON blocks the last complete one that fits counts; a later one that was meant as the
    answer and does not fit is never passed over for an earlier one. Time is linear in the text; beyond
    1,048,576 characters or 128 levels only valid JSON is read.

    NaN and Infinity are numbers where the type allows them. Of a key that is there twice the last value
    counts, as in any JSON; where the JSON had to be mended, two different values are refused. Halves of
    surrogate pairs are put together; a lone one is refused. A text that ends before its brackets do is
    read only when nothing but brackets can be missing.

    Args:
        text: What the model wrote.
        model: A pydantic model, or any type that pydantic can validate.
        repairs: The names of the repairs made are appended to this list.

    Raises:
        StructuredOutputError: Nothing fits, or it could mean two things; `attempts` is 0.
        ConfigurationError: `model` is no type that pydantic can validate.
    """
    failure = None
    try:
        reading = read(text, shape_of(model), _RULES, "aligned")
    except Unfit as unfit:
        failure = unfit.error(attempts=0)
    if failure is not None:
        raise failure
    if repairs is not None:
        repairs.extend(reading.repairs)
    return reading.value


_RULES: Final = Rules()


def read(text: str, shape: Shape, rules: Rules, repair: Repair) -> Reading:
    """Read a value, with as much repair as is allowed.

    Raises:
        Unfit: Nothing in the text fits; it says why, for the model.
    """
    try:
        # Keys that the type does not know may be misspelt ones: those are looked at before they are lost.
        forbids = shape.may_lose and repair == "aligned"
        value = shape.validate_text(text, rules, extra="forbid" if forbids else None)
        if repair != "aligned" or forbids or not _is_empty(value):
            return Reading(value, ())
        unfit = None
    except ValidationError as error:
        unfit = error
    if repair == "off" and unfit is not None:
        raise _why(text, shape, unfit)
    try:
        return _Reader(shape, rules, repair).read(text, unfit)
    except RecursionError:
        raise Unfit(_DEEP) from None


def _is_empty(value: Any) -> bool:
    return isinstance(value, BaseModel) and not value.model_fields_set


def _why(text: str, shape: Shape, error: ValidationError) -> Unfit:
    issues = error.errors(include_url=False, include_input=False) if error.error_count() == 1 else []
    if issues and issues[0]["type"] == "json_invalid":
        return Unfit(_NO_JSON, reason="no_output" if "{" not in text else "validation")
    return shape.unfit(error)


class _Reader:
    """Reads answers of one shape by one set of rules."""

    __slots__ = ("_repair", "_rules", "_shape")

    def __init__(self, shape: Shape, rules: Rules, repair: Repair) -> None:
        self._shape = shape
        self._rules = rules
        self._repair = repair

    def read(self, text: str, failed: ValidationError | None, encodings: int = 0) -> Reading:
        """Read a text that did not fit as it is."""
        whole = with_whole_characters(text)
        if whole != text:
            reading = read(whole, self._shape, self._rules, self._repair)
            return Reading(reading.value, ("surrogate_pairs", *reading.repairs))
        try:
            value = loads(text)
        except ValueError:
            if len(text) > MAX_CHARS:
                raise Unfit(_NO_JSON if failed is None else "The answer is too long to be mended.") from None
            return self._search(text, encodings)
        if isinstance(value, str) and encodings < MAX_ENCODINGS and value.lstrip()[:1] in {"{", "[", '"'}:
            inner = self.read(value, failed, encodings + 1)
            return Reading(inner.value, ("double_encoded", *inner.repairs))
        try:
            result, repairs = self._fitted(value, text, failed=None if encodings else failed)
        except Unfit:
            # What pydantic says of the text as it is says more than a search in it.
            raise (Unfit(_NO_JSON) if failed is None else _why(text, self._shape, failed)) from None
        return Reading(result, tuple(repairs))

    # -- one JSON value --------------------------------------------------------------------------

    def _fitted(
        self, value: Any, text: str, block: Block | None = None, failed: ValidationError | None = None
    ) -> tuple[Any, list[str]]:
        """Fit a value that stands as JSON in `text`, which `failed` to fit as it is; raises Unfit."""
        shape, rules = self._shape, self._rules
        open_brackets = block.open_brackets if block else 0
        is_exact = block is not None and _is_exact(block)
        failure: ValidationError | None = None
        renamed = self._repair == "aligned" and isinstance(value, dict | list) and rename(value, shape)
        told = None if renamed or shape.is_custom else _told(failed)
        if told is not None:
            failure = told
        elif not (is_exact or open_brackets or renamed or self._is_wrapped(value)):
            try:
                return shape.validate_text(text, rules), []
            except ValidationError as error:
                failure = error
        for inner, wrappings in envelopes(value, shape):
            open_ones = open_objects(inner, open_brackets - wrappings)
            try:
                if self._repair == "aligned":
                    seen = inner is value
                    known = told if seen and shape.key is None else None
                    result, fixes = align(
                        inner, shape, rules, is_exact=is_exact, is_renamed=seen, failed=known
                    )
                else:
                    result, fixes = shape.validate(inner, rules), []
            except ValidationError as error:
                failure = error
                continue
            if not is_full(inner, open_ones, shape):
                raise Unfit(_CUT)
            travels = shape.key is not None and isinstance(value, dict) and shape.key in value
            is_wrapped = wrappings > travels
            repairs = [*(["envelope"] if is_wrapped else []), *(["key"] if renamed else []), *fixes]
            return result, list(dict.fromkeys(repairs))
        raise Unfit(_NO_JSON) if failure is None else shape.unfit(failure)

    def _is_wrapped(self, value: Any) -> bool:
        """Tell whether the answer may be inside of an object that happens to fit."""
        shape = self._shape
        if self._repair != "aligned" or not isinstance(value, dict) or shape.key is not None:
            return False
        first = next(envelopes(value, shape), None)
        if first is not None and first[0] is value:
            return False
        properties = resolved(value, shape.schema, shape.defs).get("properties", {})
        known = {normal(name) for name in properties} | {normal(name) for name in shape.aliases}
        return bool(value and properties) and not (shape.is_custom and known.isdisjoint(map(normal, value)))

    # -- a text with JSON in it --------------------------------------------------------------------

    def _search(self, text: str, encodings: int) -> Reading:
        frameless, framing = without_frame(text)
        found, thought = blocks(frameless)
        if thought:
            framing.append("thinking")
        if all(block.json is None for block in found):
            bare = self._without_braces(frameless, framing, encodings, found)
            if bare is not None:
                return bare
        failure = Unfit(_NO_JSON, reason="no_output")
        for block in reversed(self._candidates(frameless, found)[-MAX_BLOCKS:]):
            if _is_aside(block, frameless):
                continue
            around = (frameless[: block.start] + frameless[block.end :]).strip()
            repairs = [*framing, *(["surroundings"] if around else []), *block.repairs]
            try:
                result, fixes = self._from_block(block)
            except _Passed as passed:
                failure = failure if failure.fields else passed.unfit
                continue
            return Reading(result, tuple(dict.fromkeys([*repairs, *fixes])))
        raise failure

    def _from_block(self, block: Block) -> tuple[Any, list[str]]:
        """Read a block; raises _Passed for one that was not meant as the answer, Unfit for one that was."""
        if block.json is None:
            unfit = Unfit(_AMBIGUOUS if block.is_complete else _CUT)
            raise unfit if self._is_meant(block) else _Passed(unfit)
        if (result := self._at_once(block)) is not None:
            return result, []
        value = self._value(block)
        try:
            return self._fitted(value, block.json, block)
        except Unfit as unfit:
            if block.open_brackets or claims(value, self._shape):
                raise
            raise _Passed(unfit) from None

    def _at_once(self, block: Block) -> Any:
        """Give the value of a block that fits and has no key that is not known; else None."""
        if block.open_brackets or self._repair != "aligned" or not block.json:
            return None
        try:
            result = self._shape.validate_text(block.json, self._rules, extra="forbid")
        except ValidationError:
            return None
        if block.is_mended:
            try:
                json.loads(block.json, object_pairs_hook=_once)
            except (Doubt, ValueError):
                return None
        return None if _is_empty(result) else result

    def _value(self, block: Block) -> Any:
        try:
            return loads(block.json or "", pairs=_once if block.is_mended else None)
        except Doubt:
            raise Unfit(_AMBIGUOUS) from None
        except ValueError:  # a number with more digits than Python reads
            raise Unfit(_NO_JSON) from None

    def _candidates(self, text: str, found: list[Block]) -> list[Block]:
        if self._shape.key != "tasks" or len(found) < 2:  # noqa: PLR2004
            return found
        # One of several objects is not the list; all of them are, if nothing stands in between.
        lists = [block for block in found if block.text[0] == "[" or '"tasks"' in block.text]
        if lists:
            return lists
        gaps = (text[a.end : b.start] for a, b in pairwise(found))
        rows = all(_BETWEEN_ROWS.fullmatch(gap) for gap in gaps)
        if not rows or any(block.json is None or block.open_brackets for block in found):
            raise Unfit(_AMBIGUOUS)
        return [joined(found)]

    def _is_meant(self, block: Block) -> bool:
        """Tell whether a block that cannot be read was meant as the answer."""
        if not block.is_complete:
            starts_object = block.text[0] == "{" or block.text[1:].lstrip()[:1] in {"{", ""}
            return starts_object or self._shape.key is not None
        known = {normal(name) for name in self._shape.names}
        return self._shape.key is not None or any(normal(key) in known for key in _KEY.findall(block.text))

    def _without_braces(
        self, text: str, framing: list[str], encodings: int, found: list[Block]
    ) -> Reading | None:
        """Read a text without any block that can be read."""
        stripped = text.strip()
        if stripped[:1] == '"' and encodings < MAX_ENCODINGS:
            try:
                inner = json.loads(stripped)
            except ValueError:
                inner = None
            if isinstance(inner, str) and inner.lstrip()[:1] in {"{", "["}:
                reading = self.read(inner, None, encodings + 1)
                return Reading(reading.value, (*framing, "double_encoded", *reading.repairs))
            members = None if self._shape.key is not None else self._members(stripped)
            if members is not None:
                return Reading(members[0], tuple(dict.fromkeys([*framing, "missing_bracket", *members[1]])))
        if found:
            return None
        fits = []
        for value, form in plain_values(text, self._shape):
            try:
                result, fixes = align(value, self._shape, self._rules)
            except ValidationError:
                continue
            if form == "bare_text" and fixes not in ([], ["case"]) and text.rstrip()[-1:].isalnum():
                continue  # a number or a date that may go on
            fits.append(Reading(result, tuple(dict.fromkeys([*framing, form, *fixes]))))
        return fits[0] if len(fits) == 1 and self._repair == "aligned" else None

    def _members(self, text: str) -> tuple[Any, list[str]] | None:
        """Read members without the braces around them."""
        found, _ = blocks("{" + text)
        if len(found) != 1 or found[0].json is None or found[0].end <= len(text.rstrip("`> \n")):
            return None
        try:
            value = self._value(found[0])
            result, fixes = self._fitted(value, found[0].json, found[0])
        except Unfit:
            return None
        return result, [*found[0].repairs, *fixes]


def _told(failed: ValidationError | None) -> ValidationError | None:
    """Give the error again if it says the same with keys allowed that the type does not know."""
    if failed is None or failed.error_count() > MAX_LISTED:
        return None
    issues = failed.errors(include_url=False, include_input=False, include_context=False)
    return None if any(issue["type"] == "extra_forbidden" for issue in issues) else failed


def _is_aside(block: Block, text: str) -> bool:
    """Tell empty braces in prose: an answer that says nothing stands alone, in a fence or in a tag."""
    if block.json is None or not _EMPTY.fullmatch(block.json):
        return False
    before = text[max(0, block.start - 200) : block.start].rstrip()
    return not ((not before or _FRAMED_BEFORE.search(before)) and _FRAMED_AFTER.match(text, block.end))


def _is_exact(block: Block) -> bool:
    """Tell whether brackets were missing elsewhere than at the end of the text."""
    return "missing_bracket" in block.repairs or ("unclosed" in block.repairs and not block.open_brackets)


class _Passed(Exception):  # noqa: N818 - a verdict, caught where the next block is tried
    """Says that a block is no answer and was not meant as one."""

    def __init__(self, unfit: Unfit) -> None:
        super().__init__()
        self.unfit = unfit


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object; raises Doubt where a key has two values."""
    made = dict(pairs)
    if len(made) < len(pairs) and any(made[key] != value for key, value in pairs):
        raise Doubt
    return made

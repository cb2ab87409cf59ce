"""From what a model wrote to the object that was asked for, without asking again and without guessing.

Valid JSON that fits is taken as it is. Else the JSON is looked for in the text, its syntax is mended
and its values are fitted to the type; what could mean two things is refused.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar, overload

from pydantic import BaseModel, ValidationError

from langchain_prodkit._extras import require
from langchain_prodkit.parse.align import align, envelopes, normal
from langchain_prodkit.parse.blocks import Block, blocks, without_comments, without_frame
from langchain_prodkit.parse.conserve import is_conserved
from langchain_prodkit.parse.shape import Rules, Unfit, shape_of

if TYPE_CHECKING:
    from langchain_prodkit.parse.shape import Shape

__all__ = ["Reading", "Repair", "parse_aligned", "read"]

T = TypeVar("T")
Repair = Literal["off", "syntax", "aligned"]

MAX_CHARS: Final = 1_048_576
"""Longer answers are taken as valid JSON or not at all."""
MAX_BLOCKS: Final = 50
"""Blocks tried, from the last; a text with more is no answer."""
_NO_JSON: Final = "The answer holds no JSON object of the required form."
_WORD: Final = re.compile(r"\w")
_KEY: Final = re.compile(r'"([^"\\]+)"\s*:')
_ESCAPE: Final = re.compile(r"""\\(?:(u[0-9a-fA-F]{4}|["\\/bfnrt])|(.))""", re.DOTALL)
_VALUE_ENDS: Final = ("}", "]", '"', "'", "true", "false", "null", "True", "False", "None")
"""How a text ends whose last value is whole; a number may have lost digits."""


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
    Of several JSON blocks the last complete one that fits counts.

    Args:
        text: What the model wrote.
        model: A pydantic model, or any type that pydantic can validate.
        repairs: The names of the repairs made are appended to this list.

    Raises:
        StructuredOutputError: Nothing fits, or it could mean two things; `attempts` is 0.
        ConfigurationError: `model` is no type that pydantic can validate.
        MissingExtraError: The extra `parse` is needed to mend this text and is not installed.
    """
    failure = None
    try:
        reading = read(text, shape_of(model), Rules(), "aligned")
    except Unfit as unfit:
        failure = unfit.error(attempts=0)
    if failure is not None:
        raise failure
    if repairs is not None:
        repairs.extend(reading.repairs)
    return reading.value


def read(text: str, shape: Shape, rules: Rules, repair: Repair) -> Reading:
    """Read a value, with as much repair as is allowed.

    Raises:
        Unfit: Nothing in the text fits; it says why, for the model.
    """
    try:
        value = _valid(text, shape, rules)
        if repair == "off" or not _is_suspect(value, text, shape):
            return Reading(value, ())
        unfit = Unfit(_NO_JSON, reason="no_output")
    except ValidationError as error:
        unfit = shape.unfit(error)
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            unfit = Unfit(_NO_JSON, reason="no_output" if "{" not in text else "validation")
    if repair == "off" or len(text) > MAX_CHARS:
        raise unfit
    frameless, framing = without_frame(text)
    try:
        return _mended(frameless, framing, shape, rules, repair=repair, unfit=unfit)
    except RecursionError:
        raise Unfit("The JSON is nested too deeply.") from None


def _valid(text: str, shape: Shape, rules: Rules) -> Any:
    if shape.key is None:
        return shape.validate_json(text, rules)
    try:
        wrapped = json.loads(text)
    except (ValueError, RecursionError):
        return shape.validate_json(text, rules)
    if isinstance(wrapped, dict) and list(wrapped) == [shape.key]:
        return shape.validate(wrapped[shape.key], rules)
    return shape.validate(wrapped, rules)


def _is_suspect(value: Any, text: str, shape: Shape) -> bool:
    """Tell an envelope that happens to fit from an answer: its content would be lost silently."""
    if shape.key is not None or not isinstance(value, BaseModel):
        return False
    written = value.model_fields_set
    if not written:
        return bool(_WORD.search(text))
    fields = type(value).model_fields
    if len(written) < len(fields):
        left = {normal(name) for name in fields if name not in written}
        if any(normal(key) in left and key not in shape.names for key in _KEY.findall(text)):
            return True
    return any(f'"{key}"' in text and key not in shape.names for key in ("arguments", "parameters"))


def _mended(
    text: str, framing: list[str], shape: Shape, rules: Rules, *, repair: Repair, unfit: Unfit
) -> Reading:
    found = blocks(text)
    if not found:
        return _bare(text, framing, shape, rules, unfit)
    # An answer that was cut off counts for more than any draft before it.
    candidates = found[-MAX_BLOCKS:] if found[-1].is_complete else [found[-1]]
    if shape.key == "tasks" and len(found) > 1:
        # One of several objects is not the list; all of them are, if nothing stands in between.
        lists = [block for block in candidates if block.text[0] == "[" or '"tasks"' in block.text]
        candidates = lists or ([_joined(found)] if _are_rows(text, found) else [])
    first: Unfit | None = None
    for block in reversed(candidates):
        try:
            return _from_block(block, text, framing, shape, rules=rules, repair=repair)
        except ValidationError as error:
            first = first or shape.unfit(error)
        except Unfit as error:
            first = first or error
    # The error of valid JSON that did not fit says more than that of the search in it.
    raise unfit if unfit.fields or first is None else first


def _from_block(
    block: Block, text: str, framing: list[str], shape: Shape, *, rules: Rules, repair: Repair
) -> Reading:
    value, syntax = _loads(block)
    around = (text[: block.start] + text[block.end :]).strip()
    repairs = [*framing, *(["surroundings"] if around else []), *syntax]
    failure: Exception = Unfit(_NO_JSON)
    for inner, is_wrapped in envelopes(value, shape):
        try:
            if repair == "aligned":
                result, fixes = align(inner, shape, rules, block.text)
            else:
                result, fixes = shape.validate(inner, rules), []
        except ValidationError as error:
            failure = error
            continue
        return Reading(result, (*repairs, *(["envelope"] if is_wrapped else []), *fixes))
    raise failure


def _loads(block: Block) -> tuple[Any, list[str]]:
    """Read a block; raises Unfit where mending its syntax would add or lose something."""
    if block.is_complete:
        for name, text, strict in (
            ("", block.text, True),
            ("control_characters", block.text, False),
            ("escape", _ESCAPE.sub(_json_escape, block.text), False),
        ):
            try:
                return json.loads(text, strict=strict), [name] if name else []
            except ValueError:
                continue
    source = without_comments(block.text)
    if not block.is_complete:
        source = source.rstrip().removesuffix("```").rstrip()
        if not source.endswith(_VALUE_ENDS):
            raise Unfit("The answer ends in the middle.")
    value = require("json_repair", extra="parse").loads(source, skip_json_loads=True)
    if not is_conserved(value, source):
        raise Unfit("The JSON is broken in a way that has no single meaning.")
    return value, ["syntax" if block.is_complete else "unclosed"]


def _json_escape(found: re.Match[str]) -> str:
    """Write a backslash that JSON does not know as what it stands for."""
    if found.group(1):
        return found.group()
    return "'" if found.group(2) == "'" else "\\\\" + found.group(2)


def _bare(text: str, framing: list[str], shape: Shape, rules: Rules, unfit: Unfit) -> Reading:
    """Read a text without any block: JSON inside a JSON string, or one plain word of a choice."""
    stripped = text.strip()
    if stripped.startswith('"'):
        try:
            inner = json.loads(stripped)
        except (ValueError, RecursionError):
            raise unfit from None
        if isinstance(inner, str) and inner.lstrip()[:1] in {"{", "["}:
            reading = read(inner, shape, rules, "aligned")
            return Reading(reading.value, (*framing, "double_encoded", *reading.repairs))
    raise unfit


def _are_rows(text: str, found: list[Block]) -> bool:
    """Tell one list written as several objects from several drafts: nothing stands in between."""
    gaps = (text[a.end : b.start] for a, b in pairwise(found))
    return all(not gap.strip(" \n\r\t,") for gap in gaps)


def _joined(found: list[Block]) -> Block:
    rows = "[" + ",".join(block.text for block in found) + "]"
    return Block(rows, found[0].start, found[-1].end, found[-1].is_complete)

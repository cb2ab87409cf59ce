"""Answers in every form that models write, made from a known value, so that the right reading is known.

A value is drawn from the JSON schema of a model, takes up to one change of form from each of three
families - how values are put, how JSON is written, what stands around it - and every change keeps its
meaning: nothing is lost, and nothing that could win against the answer is of the model's shape.
"""
# ruff: noqa: ARG001 - every change is called alike, whatever it needs

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

__all__ = ["Sample", "samples"]

WORDS: Final = (
    *("amber", "Zoë", "o'clock", "3/4", "a: b", "[sic]", "{x}", "100 %", "#7", "D:/x", "naïve", "서울", "🚲"),
    *("n/a", "2,5", "null", "end.", "--", "(c)"),
)
FENCE: Final = "```"
_ESCAPED: Final = re.compile(r"\\.")


@dataclass(frozen=True, slots=True)
class Sample:
    """One answer, and what it says."""

    model: type[BaseModel]
    text: str
    value: dict[str, Any]
    """The value as it was before any change."""
    changes: tuple[str, ...]


def samples(models: list[type[BaseModel]], *, number: int, depth: int, seed: int) -> Iterator[Sample]:
    """Draw answers with one to `depth` changes each, from three families at most."""
    dice = random.Random(seed)
    while number:
        sample = _sample(dice, dice.choice(models), depth)
        if sample is not None:
            number -= 1
            yield sample


def _sample(dice: random.Random, model: type[BaseModel], depth: int) -> Sample | None:
    schema = model.model_json_schema()
    value = _value(dice, schema, schema.get("$defs", {}))
    families: list[dict[str, Any]] = dice.sample([_PUT, _WRITTEN, _AROUND], dice.randint(1, depth))
    chosen = {id(family): dice.choice(list(family)) for family in families}
    put, written, around = (chosen.get(id(family)) for family in (_PUT, _WRITTEN, _AROUND))
    said = value if put is None else _PUT[put](dice, value, model)
    style = Style(indent=dice.choice([None, 2]), ascii=dice.random() < 0.5)
    if written is not None:
        style = Style(indent=style.indent, ascii=style.ascii, **{written: True})
    text = _write(said, style)
    if style.unclosed:
        text = text.rstrip("]} \n")
        # What ends with a digit may have lost some; what follows an open end may belong to it.
        if not text.endswith(('"', "true", "false", "null")) or around in _AFTER:
            return None
    if around is not None:
        text = _AROUND[around](dice, text)
    return Sample(model, text, value, tuple(name for name in (put, written, around) if name is not None))


# -- values ------------------------------------------------------------------------------------


def _words(dice: random.Random) -> str:
    return " ".join(dice.choices(WORDS, k=dice.randint(1, 4)))


def _value(dice: random.Random, schema: dict[str, Any], defs: dict[str, Any], depth: int = 0) -> Any:  # noqa: PLR0911
    """Draw a value that fits `schema`."""
    if "$ref" in schema:
        return _value(dice, defs[schema["$ref"].rpartition("/")[2]], defs, depth)
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return _value(dice, dice.choice(schema[choice]), defs, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return dice.choice(schema["enum"])
    if schema["type"] == "object":
        return {name: _value(dice, inner, defs, depth + 1) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        length = 0 if depth > 3 else dice.randint(0, 3)
        return [_value(dice, schema["items"], defs, depth + 1) for _ in range(length)]
    if schema["type"] == "string":
        if schema.get("format") == "date":
            return f"20{dice.randint(10, 39)}-{dice.randint(1, 12):02}-{dice.randint(1, 28):02}"
        return _words(dice) + dice.choice(["", "", "", "\nand more", ' "so they say"', "\tend"])
    top = schema.get("maximum", 9_999)
    draws: dict[str, Callable[[], Any]] = {
        "integer": lambda: dice.randint(0, top),
        "number": lambda: dice.randint(0, int(top * 8)) / 8,
        "boolean": lambda: dice.random() < 0.5,
        "null": lambda: None,
    }
    return draws[schema["type"]]()


# -- how values are put: (dice, value, model) -> value -----------------------------------------


def _mapped(value: Any, leaf: Callable[[Any], Any], key: Callable[[str], str] = str) -> Any:
    if isinstance(value, dict):
        return {key(name): _mapped(item, leaf, key) for name, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, leaf, key) for item in value]
    return leaf(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers_as_text(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    form = dice.choice(["{}", "{:,}", " {} "])
    return _mapped(value, lambda leaf: form.format(leaf) if _is_number(leaf) else leaf)


def _flags_as_text(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    words = dice.choice([("true", "false"), ("True", "False"), ("yes", "no")])
    return _mapped(value, lambda leaf: words[not leaf] if isinstance(leaf, bool) else leaf)


def _other_keys(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    forms: list[Callable[[str], str]] = [
        lambda name: re.sub(r"_(\w)", lambda found: found.group(1).upper(), name),
        lambda name: name.title().replace("_", ""),
        lambda name: name.replace("_", "-"),
        str.upper,
    ]
    return _mapped(value, lambda leaf: leaf, dice.choice(forms))


def _loud_choices(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    return {name: item.upper() if name in {"status", "lang"} else item for name, item in value.items()}


def _more_keys(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    return {"thoughts": _words(dice), **value, "debug": {"ms": 12, "title": "no"}}


def _in_an_envelope(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    name = model.__name__
    return dice.choice([{name.lower(): value}, {"name": name, "arguments": value}, {"data": value}, [value]])


def _as_encoded_arguments(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    return {"name": model.__name__, "arguments": json.dumps(value)}


def _one_for_a_list(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    def single(item: Any) -> Any:
        # A list in a string, or one that is empty, says something else when it stands alone.
        is_one = isinstance(item, list) and len(item) == 1 and item[0] != ""
        return item[0] if is_one and not str(item[0]).startswith("[") else item

    return {name: single(item) for name, item in value.items()}


def _without_nulls(dice: random.Random, value: Any, model: type[BaseModel]) -> Any:
    needed = [name for name, field in model.model_fields.items() if field.is_required()]
    return {name: item for name, item in value.items() if item is not None or name in needed}


_PUT: Final[dict[str, Callable[[random.Random, Any, type[BaseModel]], Any]]] = {
    change.__name__.strip("_"): change
    for change in (
        _numbers_as_text,
        _flags_as_text,
        _other_keys,
        _loud_choices,
        _more_keys,
        _in_an_envelope,
        _as_encoded_arguments,
        _one_for_a_list,
        _without_nulls,
    )
}


# -- how JSON is written -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """JSON as it should be, but for what is true here."""

    indent: int | None
    ascii: bool
    trailing_commas: bool = False
    python_words: bool = False
    single_quotes: bool = False
    bare_keys: bool = False
    line_comments: bool = False
    block_comments: bool = False
    raw_controls: bool = False
    missing_commas: bool = False
    unclosed: bool = False


_WRITTEN: Final = {name: name for name in Style.__slots__ if name not in {"indent", "ascii"}}


def _write(value: Any, style: Style, depth: int = 0) -> str:
    if isinstance(value, str):
        return _quoted(value, style)
    if not isinstance(value, dict | list):
        return repr(value) if style.python_words else json.dumps(value)
    if isinstance(value, dict):
        items = [f"{_key(name, style)}: {_write(item, style, depth + 1)}" for name, item in value.items()]
    else:
        items = [_write(item, style, depth + 1) for item in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    if not items:
        return opening + closing
    gap = " " if style.indent is None else "\n" + " " * (style.indent * (depth + 1))
    end = "" if style.indent is None else "\n" + " " * (style.indent * depth)
    comma = "," + gap
    if style.missing_commas:
        comma = "\n"
    elif style.line_comments:
        comma = ",  // as asked\n"
    elif style.block_comments:
        comma = ", /* as asked */" + gap
    return (
        opening
        + (gap if style.indent else "")
        + comma.join(items)
        + ("," if style.trailing_commas else "")
        + end
        + closing
    )


def _quoted(text: str, style: Style) -> str:
    written = json.dumps(text, ensure_ascii=style.ascii)
    if style.raw_controls:
        written = _ESCAPED.sub(lambda found: {"\\n": "\n", "\\t": "\t"}.get(found[0], found[0]), written)
    if style.single_quotes and "'" not in text:
        return "'" + written[1:-1].replace('\\"', '"') + "'"
    return written


def _key(name: str, style: Style) -> str:
    return name if style.bare_keys and name.isidentifier() else _quoted(name, style)


# -- what stands around it: (dice, text) -> text -----------------------------------------------


def _fenced(dice: random.Random, text: str) -> str:
    return f"{FENCE}{dice.choice(['json', 'JSON', '', 'python', 'json5'])}\n{text}\n{FENCE}"


def _in_prose(dice: random.Random, text: str) -> str:
    before = dice.choice(["Certainly! Here you go:\n\n", "As {requested} in [2]: ", "## Answer\n", ""])
    return before + text + dice.choice(["\n\nTell me if {anything} is wrong.", "\n- checked [1]", "\nDone."])


def _after_thinking(dice: random.Random, text: str) -> str:
    tag = dice.choice(["think", "thinking", "reasoning"])
    thought = dice.choice(
        ['{"name": "draft", "age": 7}', "{ maybe", '{"answer": "draft", "confidence": 0.1}']
    )
    return f"<{tag}>First I thought of {thought}.\n</{tag}>\n\n{text}"


def _after_a_quotation(dice: random.Random, text: str) -> str:
    return f'The page said {{"from": "somebody", "text": "do as I say"}} and that is all.\n{text}'


def _before_numbers(dice: random.Random, text: str) -> str:
    return f'{text}\n{{"input_tokens": {dice.randint(1, 99)}, "output_tokens": 9}}'


def _with_odd_space(dice: random.Random, text: str) -> str:
    return "\ufeff" + text.replace(": ", ":\u00a0", 1) + "\u200b"


def _in_tags(dice: random.Random, text: str) -> str:
    tag = dice.choice(["tool_call", "answer", "output", "json"])
    return f"<{tag}>\n{text}\n</{tag}>"


_AROUND: Final[dict[str, Callable[[random.Random, str], str]]] = {
    change.__name__.strip("_"): change
    for change in (
        _fenced,
        _in_prose,
        _after_thinking,
        _after_a_quotation,
        _before_numbers,
        _with_odd_space,
        _in_tags,
    )
}
_AFTER: Final = frozenset({"fenced", "in_prose", "before_numbers", "with_odd_space", "in_tags"})

"""A value for a JSON schema: what a well-behaved model would answer, the same every time."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from langchain_prodkit.testing.pattern import string_matching

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FORMATS: Final = {
    "date": "2024-01-31",
    "date-time": "2024-01-31T09:30:00Z",
    "time": "09:30:00Z",
    "duration": "PT1H",
    "email": "user@example.com",
    "idn-email": "user@example.com",
    "name-email": "User <user@example.com>",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "uuid1": "123e4567-e89b-12d3-a456-426614174000",
    "uuid3": "123e4567-e89b-32d3-a456-426614174000",
    "uuid4": "123e4567-e89b-42d3-a456-426614174000",
    "uuid5": "123e4567-e89b-52d3-a456-426614174000",
    "uri": "https://example.com/",
    "uri-reference": "https://example.com/",
    "iri": "https://example.com/",
    "url": "https://example.com/",
    "multi-host-uri": "https://example.com/",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "ipvanyaddress": "192.0.2.1",
    "ipv4network": "192.0.2.0/24",
    "ipv6network": "2001:db8::/32",
    "ipvanynetwork": "192.0.2.0/24",
    "ipv4interface": "192.0.2.1/24",
    "ipv6interface": "2001:db8::1/32",
    "ipvanyinterface": "192.0.2.1/24",
    "json-pointer": "/a",
    "json-string": "{}",
    "regex": "a",
    "base64": "YQ==",
    "base64url": "YQ==",
    "byte": "YQ==",
}
_TEXT_CHARS: Final = 200
_MAX_VALUES: Final = 2000
_MAX_CHARS: Final = 100_000
_MAX_DEPTH: Final = 60
_QUOTED = re.compile(r"(?<!\w)'([^'\n]{1,200})'|\"([^\"\n]{1,200})\"")
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,12}(?:\.\d{1,6})?(?![\w.]*\d)")


@dataclass(frozen=True, slots=True)
class Hints:
    """What a prompt offers to fill a schema with."""

    text: str = ""
    """The prompt itself, shortened: fills strings."""
    quoted: tuple[str, ...] = ()
    """Its quoted words in order: fill strings first."""
    numbers: tuple[float, ...] = ()
    """Its numbers in order: fill numbers, where they fit the bounds."""

    @classmethod
    def of(cls, prompt: str) -> Hints:
        """Read the first few thousand characters of `prompt`."""
        head = prompt[:4000]
        quoted = tuple("".join(groups) for groups in itertools.islice(_QUOTED.findall(head), 20))
        numbers = tuple(float(n) for n in itertools.islice(_NUMBER.findall(head), 20))
        return cls(text=head[:_TEXT_CHARS].strip(), quoted=quoted, numbers=numbers)


def fill_schema(schema: Mapping[str, Any] | bool, prompt: str = "") -> Any:
    """Make a value that is valid under `schema`, with words and numbers of `prompt` where they fit.

    Understands what Pydantic and the provider's structured output write: types and their bounds,
    `enum`, `const`, `$ref` into the schema, `anyOf`/`oneOf`/`allOf`, `format`, `pattern`, tuples.
    A recursive type ends at its first repetition. Contradictory schemas give a value that is not
    valid instead of an error.
    """
    return Filler(schema, Hints.of(prompt)).fill()


class Filler:
    """One filling of one schema."""

    def __init__(self, schema: Mapping[str, Any] | bool, hints: Hints) -> None:
        """Start at the root, with all hints unused."""
        self._root = schema
        self._hints = hints
        self._quoted = iter(hints.quoted)
        self._numbers_used = 0
        self._made = 0

    def fill(self) -> Any:
        """Fill the root."""
        return self._value(self._root, ("#",))

    def _value(self, schema: Any, stack: tuple[str, ...]) -> Any:
        """Fill `schema`; `stack` holds the references we are inside of."""
        self._made += 1
        schema, stack = self._resolved(schema, stack)
        if self._made > _MAX_VALUES or len(stack) > _MAX_DEPTH:
            return None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._member(schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword):
                chosen = self._alternative(schema[keyword], stack)
                siblings = {k: v for k, v in schema.items() if k != keyword}
                return self._value(_merged(siblings, chosen) if isinstance(chosen, dict) else siblings, stack)
        if schema.get("examples") and isinstance(schema["examples"], list):
            return schema["examples"][0]
        return self._of_type(_kind(schema), schema, stack)

    def _of_type(self, kind: str, schema: dict[str, Any], stack: tuple[str, ...]) -> Any:
        if kind == "object":
            return self._object(schema, stack)
        if kind == "array":
            return self._array(schema, stack)
        if kind in ("integer", "number"):
            return self._number(schema, is_integer=kind == "integer")
        if kind == "string":
            return self._string(schema)
        return True if kind == "boolean" else None

    def _resolved(self, schema: Any, stack: tuple[str, ...]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """Follow references and fold `allOf` in, remembering which references were entered."""
        result: dict[str, Any] = dict(schema) if isinstance(schema, dict) else {}
        while "$ref" in result or result.get("allOf"):
            if len(stack) > _MAX_DEPTH:
                return {}, stack
            reference = result.pop("$ref", None)
            if isinstance(reference, str):
                stack = (*stack, reference)
                result = _merged(result, self._target(reference))
            for part in result.pop("allOf", None) or ():
                result = _merged(result, part if isinstance(part, dict) else {})
        return result, stack

    def _target(self, reference: str) -> dict[str, Any]:
        target: Any = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key, {}) if isinstance(target, dict) else {}
        return target if isinstance(target, dict) else {}

    def _returns(self, schema: Any, stack: tuple[str, ...]) -> bool:
        """Tell whether filling `schema` leads straight back into a reference we are inside of."""
        if not isinstance(schema, dict) or len(stack) > _MAX_DEPTH:
            return False
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return reference in stack or self._returns(self._target(reference), (*stack, reference))
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword):
                return all(self._returns(option, stack) for option in schema[keyword])
        if any(self._returns(part, stack) for part in schema.get("allOf") or ()):
            return True
        required = schema.get("required") or ()
        properties = schema.get("properties") or {}
        if any(self._returns(properties.get(name), stack) for name in required):
            return True
        return bool(schema.get("minItems")) and self._returns(schema.get("items"), stack)

    def _alternative(self, options: list[Any], stack: tuple[str, ...]) -> Any:
        """Choose the first option that says something and does not run in circles."""
        ends = [option for option in options if not self._returns(option, stack)] or options
        full = [
            o for o in ends if not (isinstance(o, dict) and (o.get("type") == "null" or o.get("not") == {}))
        ]
        return (full or ends)[0]

    def _member(self, members: list[Any]) -> Any:
        """Choose the first member of an enum that the prompt mentions, else the first."""
        text = self._hints.text.lower()
        mentioned = (m for m in members if isinstance(m, str) and m and m.lower() in text)
        return next(mentioned, members[0])

    def _object(self, schema: dict[str, Any], stack: tuple[str, ...]) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or ()
        value = {
            name: self._value(part, stack)
            for name, part in properties.items()
            if name in required or not self._returns(part, stack)
        }
        for name in required:
            if name not in value:
                value[name] = self._value(schema.get("additionalProperties"), stack)
        extra = schema.get("additionalProperties")
        wanted = int(schema.get("minProperties", 0))
        if extra not in (None, False, True) and not properties and not self._returns(extra, stack):
            wanted = min(max(1, wanted), int(schema.get("maxProperties", _MAX_VALUES)))
        if extra is not False:
            names = self._names(schema.get("propertyNames"))
            while len(value) < wanted and self._made < _MAX_VALUES:
                if (name := next(names, None)) is None:
                    break
                if name not in value:
                    value[name] = self._value(extra, stack)
        return value

    def _names(self, schema: Any) -> Iterator[str]:
        """Give names for free properties: the members of an enum, or strings that fit."""
        resolved, _ = self._resolved(schema, ())
        if resolved.get("enum"):
            yield from (str(member) for member in resolved["enum"])
            return
        yield from _distinct(self._string({"minLength": 1, **resolved}) if resolved else "key")

    def _array(self, schema: dict[str, Any], stack: tuple[str, ...]) -> list[Any]:
        prefix = schema.get("prefixItems") or ()
        value = [self._value(part, stack) for part in prefix]
        items = schema.get("items", not prefix)
        least, most = int(schema.get("minItems", 0)), int(schema.get("maxItems", _MAX_VALUES))
        circular = self._returns(items, stack)
        wanted = least if prefix or circular else min(max(1, least), most)
        while len(value) < wanted and self._made < _MAX_VALUES and items is not False:
            value.append(self._value(items, stack))
        if schema.get("uniqueItems"):
            value = self._unique(value, items, stack)
        return value

    def _unique(self, value: list[Any], items: Any, stack: tuple[str, ...]) -> list[Any]:
        """Replace repeated items of a set by others of the same kind."""
        resolved, _ = self._resolved(items, stack)
        if resolved.get("enum"):
            return list(resolved["enum"][: len(value)])
        result: list[Any] = []
        for item in value:
            others = _variants(item, resolved)
            result.append(next((other for other in others if other not in result), item))
        return result

    def _number(self, schema: dict[str, Any], *, is_integer: bool) -> float:
        """Choose the next number of the prompt that fits, else the plainest that does."""
        numbers = self._hints.numbers
        start = self._numbers_used
        for used in range(start, start + len(numbers)):
            number = numbers[used % len(numbers)]
            if _fits(number, schema, is_integer=is_integer):
                self._numbers_used = used + 1
                return int(number) if is_integer else number
        fitting = (n for n in _plain_numbers(schema) if _fits(n, schema, is_integer=is_integer))
        number = next(fitting, 1)
        return int(number) if is_integer else number

    def _string(self, schema: dict[str, Any]) -> str:
        least, most = min(int(schema.get("minLength", 0)), _MAX_CHARS), schema.get("maxLength")
        if isinstance(pattern := schema.get("pattern"), str):
            found = string_matching(pattern, min_length=least)
            if found is not None:
                return found
        if (text := _FORMATS.get(str(schema.get("format")))) is not None:
            return text
        text = next(self._quoted, None) or self._hints.text or "text"
        if len(text) < least:
            text = (text + " ") * (least // (len(text) + 1) + 1)
            text = text[:least].rstrip().ljust(least, ".")
        return text if most is None else text[: int(most)]


def _kind(schema: dict[str, Any]) -> str:
    """Tell the type to fill: the one named, or the one that the other keywords imply."""
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if isinstance(kind, str):
        return kind
    for keywords, implied in (
        (("properties", "required", "additionalProperties", "minProperties"), "object"),
        (("items", "prefixItems", "minItems"), "array"),
        (("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    ):
        if any(keyword in schema for keyword in keywords):
            return implied
    return "string"


def _merged(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Join two schemas that both apply; the first one's words win, properties are united."""
    result = {**second, **first}
    for keyword in ("properties", "$defs"):
        if keyword in first and keyword in second:
            result[keyword] = {**second[keyword], **first[keyword]}
    if "required" in first and "required" in second:
        result["required"] = [
            *second["required"],
            *(n for n in first["required"] if n not in second["required"]),
        ]
    return result


def _fits(number: float, schema: dict[str, Any], *, is_integer: bool) -> bool:
    """Tell whether `number` is inside the bounds and on the grid of `schema`."""
    step = schema.get("multipleOf") or (1 if is_integer else 0)
    return (
        (not is_integer or number == int(number))
        and number >= schema.get("minimum", -math.inf)
        and number <= schema.get("maximum", math.inf)
        and number > schema.get("exclusiveMinimum", -math.inf)
        and number < schema.get("exclusiveMaximum", math.inf)
        and (not step or math.isclose(number / step, round(number / step), abs_tol=1e-12))
    )


def _plain_numbers(schema: dict[str, Any]) -> Iterator[float]:
    """Give 1, 0, the numbers at and around the bounds, and one between them."""
    yield from (1, 0)
    step = schema.get("multipleOf") or 1
    names = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")
    edges = [schema[name] for name in names if name in schema]
    for edge in (*edges, step):
        for times in (0, 1, -1):
            yield edge + times
            yield (math.floor(edge / step) + times) * step
    yield (min(edges, default=0) + max(edges, default=0)) / 2


def _distinct(text: str) -> Iterator[str]:
    """Give `text`, then `text` numbered from 2 on."""
    yield text
    for number in range(2, _MAX_VALUES):
        yield f"{text}{number}"


def _variants(item: Any, schema: dict[str, Any]) -> Iterator[Any]:
    """Give values like `item`, itself first."""
    yield item
    if isinstance(item, bool):
        yield not item
    elif isinstance(item, int | float):
        step = schema.get("multipleOf") or 1
        near = (item + sign * n * step for n in range(1, _MAX_VALUES) for sign in (1, -1))
        yield from (n for n in near if _fits(n, schema, is_integer=isinstance(item, int)))
    elif isinstance(item, str):
        most = int(schema.get("maxLength", _TEXT_CHARS + 10))
        for number in range(2, _MAX_VALUES):
            suffix = str(number)
            yield item[: max(0, most - len(suffix))] + suffix

"""From text to object: how fast, how much of what is malformed, and how often wrongly."""

from __future__ import annotations

import json
import math
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import json_repair
from instructor.v2.core.json import extract_json_from_codeblock
from jiter import from_json
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser, PydanticToolsParser
from pydantic import BaseModel

from benchmarks._parse_calls import in_turns
from benchmarks._parse_fuzz import samples
from benchmarks._parse_models import ROW_MODELS, People, people
from benchmarks._table import report
from langchain_prodkit import InstructorParser
from langchain_prodkit.parse import parse_aligned

__all__ = ["fuzz", "malformed", "speed"]

ROWS: Final = Path(__file__).with_name("data") / "malformed.jsonl"

Model = type[BaseModel]
Reader = Callable[[str, Model], Any]


def _langchain_json(text: str, model: Model) -> Any:
    return model.model_validate(JsonOutputParser().parse(text))


def _langchain_pydantic(text: str, model: Model) -> Any:
    return PydanticOutputParser(pydantic_object=model).parse(text)


def _instructor(text: str, model: Model, *, strict: bool) -> Any:
    """Read as instructor's MD_JSON mode does; strict is its default."""
    return model.model_validate_json(extract_json_from_codeblock(text), strict=strict)


def _json_repair(text: str, model: Model) -> Any:
    return model.model_validate(json_repair.loads(text))


def _jiter(text: str, model: Model) -> Any:
    return model.model_validate(from_json(text.encode(), partial_mode="trailing-strings"))


READERS: Final[dict[str, Reader]] = {
    "parse_aligned": parse_aligned,
    "json-repair + pydantic": _json_repair,
    "instructor MD_JSON, strict=False": partial(_instructor, strict=False),
    "instructor MD_JSON, its default": partial(_instructor, strict=True),
    "PydanticOutputParser": _langchain_pydantic,
    "JsonOutputParser + pydantic": _langchain_json,
    "jiter partial + pydantic": _jiter,
    "model_validate_json": lambda text, model: model.model_validate_json(text),
}


# -- how fast ----------------------------------------------------------------------------------

VALID: Final = "valid"
FENCED: Final = "fenced, trailing commas"
PYTHON: Final = "a python literal in prose"
LOOSE: Final = "bare keys, comments, unclosed"
OTHER: Final = "keys in another case"
PEERS: Final = {VALID: "model_validate_json"}
"""Whom to be compared with, where it is not json-repair."""
REPAIR: Final = "json-repair + pydantic"


def speed(sizes: Sequence[int], rounds: int) -> None:
    """Report texts of 1 to 1,000 people, valid and broken."""
    rows = []
    before: dict[tuple[str, str], tuple[int, float]] = {}
    able = {kind: _able(kind, text) for kind, text in _forms(_FEW).items()}
    for size in sizes:
        for kind, text in _forms(people(size)).items():
            ways = {name: way for name, way in _ways(kind, text).items() if name in able[kind]}
            spent = in_turns(ways, rounds, times=max(1, 100 // size))
            cpu = {name: statistics.median(used for _, used in samples) for name, samples in spent.items()}
            for name, ms in cpu.items():
                old_size, old_ms = before.get((kind, name), (None, 0.0))
                rows.append(
                    {
                        "text": kind,
                        "items": size,
                        "chars": len(text),
                        "way": name,
                        "cpu_ms": ms,
                        "x peer": ms / cpu[peer] if (peer := PEERS.get(kind, REPAIR)) in cpu else None,
                        "x linear": None if old_size is None else ms / old_ms / (size / old_size),
                    }
                )
                before[kind, name] = (size, ms)
    notes = (
        "medians; the peer is model_validate_json for valid text, else json-repair; `x linear` is the growth "
        "of the time over the growth of the list since the size before; who cannot read a text has no row"
    )
    rows.sort(key=lambda row: list(able).index(str(row["text"])))
    report("parse: one text", rows, notes=notes)


_FEW: Final = people(3)


def _forms(value: People) -> dict[str, str]:
    """Write people as a model does when it keeps to the schema, and when it does not."""
    valid = value.model_dump_json(indent=1)
    return {
        VALID: valid,
        FENCED: f"Sure:\n```json\n{valid.replace(']', ',]')}\n```",
        PYTHON: f"Here: {value.model_dump()}",
        LOOSE: re.sub(r'"(\w+)":', r"\1:", valid).replace("\n  {", "\n  {  // next").rstrip("]} \n"),
        OTHER: json.dumps(
            {"People": [{key.title(): item for key, item in dict(one).items()} for one in value.people]}
        ),
    }


def _ways(kind: str, text: str) -> dict[str, Callable[[], Any]]:
    ways: dict[str, Callable[[], Any]] = {
        name: partial(reader, text, People) for name, reader in READERS.items() if "jiter" not in name
    }
    if kind == VALID:
        called = AIMessage("", tool_calls=[{"name": "People", "args": json.loads(text), "id": "1"}])
        ways["PydanticToolsParser"] = partial(
            PydanticToolsParser(tools=[People], first_tool_only=True).invoke, called
        )
        ways["InstructorParser, a Runnable"] = partial(InstructorParser(People).invoke, AIMessage(text))
    return ways


def _able(kind: str, text: str) -> set[str]:
    """Name the ways that read a short text of this kind; some take minutes to fail on a long one."""
    return {name for name, way in _ways(kind, text).items() if _outcome(way, _FEW) == "recovered"}


def _outcome(way: Callable[[], Any], *wanted: Any) -> str:
    try:
        found = way()
    except Exception:  # noqa: BLE001 - a peer may refuse in any way
        return "refused"
    return "recovered" if any(_same(found, value) for value in wanted) else "invented"


def _same(found: Any, wanted: Any) -> bool:
    """Tell whether two objects are equal; NaN is NaN, and True is not 1."""
    if isinstance(found, BaseModel):
        return type(found) is type(wanted) and _same(dict(found), dict(wanted))
    if isinstance(found, float) and isinstance(wanted, float) and math.isnan(found):
        return math.isnan(wanted)
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(_same(found[key], wanted[key]) for key in found)
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_same, found, wanted))
    return bool(found == wanted) and isinstance(found, bool) == isinstance(wanted, bool)


# -- how much, and how often wrongly -----------------------------------------------------------


def malformed() -> None:
    """Report the development rows: what must be read, and what must be refused."""
    cases = [json.loads(line) for line in ROWS.read_text(encoding="utf-8").splitlines()]
    with_value = [case for case in cases if not case.get("expect_error")]
    without = [case for case in cases if case.get("expect_error")]
    rows = []
    for name, reader in READERS.items():
        counts = Counter(_judged(reader, case) for case in with_value)
        refused = Counter(_judged(reader, case) for case in without)
        rows.append(
            {
                "way": name,
                "recovered": f"{counts['recovered']}/{len(with_value)}",
                "share": counts["recovered"] / len(with_value),
                "rightly refused": f"{refused['refused']}/{len(without)}",
                "invented": counts["invented"] + refused["recovered"] + refused["invented"],
            }
        )
    notes = (
        f"{len(cases)} answers of benchmarks/data/malformed.jsonl; parse_aligned was developed on them, the "
        "others were not; a cut-off or doubtful one may be refused, too"
    )
    report("parse: malformed answers", rows, notes=notes)


def _judged(reader: Reader, case: dict[str, Any]) -> str:
    model = ROW_MODELS[case["schema"]]
    values = case.get("expected_any") or ([case["expected"]] if "expected" in case else [])
    outcome = _outcome(partial(reader, case["text"], model), *map(model.model_validate, values))
    return "recovered" if outcome == "refused" and case.get("optional") else outcome


def fuzz(number: int, seed: int, depths: Iterable[int]) -> None:
    """Report generated answers, each with 1 to `depth` changes of form."""
    rows = list(_fuzzed(number, seed, depths))
    notes = f"{number} answers a depth, seed {seed}; of the changes in one answer each is of another family"
    report("parse: generated answers", rows, notes=notes)


def _fuzzed(number: int, seed: int, depths: Iterable[int]) -> Iterator[dict[str, Any]]:
    for depth in depths:
        drawn = list(samples(list(ROW_MODELS.values()), number=number, depth=depth, seed=seed))
        for name, reader in READERS.items():
            started = time.process_time()
            counts: Counter[str] = Counter()
            missed: Counter[str] = Counter()
            for sample in drawn:
                wanted = sample.model.model_validate(sample.value)
                outcome = _outcome(partial(reader, sample.text, sample.model), wanted)
                counts[outcome] += 1
                if outcome != "recovered":
                    missed.update(sample.changes)
            worst = missed.most_common(1)
            yield {
                "depth": depth,
                "way": name,
                "recovered": f"{counts['recovered'] / number:.2%}",
                "invented": f"{counts['invented'] / number:.2%}",
                "ms": (time.process_time() - started) * 1e3 / number,
                "missed most": worst[0][0] if worst else None,
            }

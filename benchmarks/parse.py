"""What a parsed answer costs: `python -m benchmarks.parse [--smoke]`.

Calls: one chain with `InstructorParser`, in both places, beside `with_structured_output` and the bare
`prompt | model`, all against one loopback provider, interleaved, so that a busy machine hits all alike.
Texts: `parse_aligned` beside pydantic alone on valid JSON, and beside json-repair with pydantic on JSON
that is broken.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from json_repair import loads as json_repair_loads
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr, create_model

from benchmarks._table import report
from langchain_prodkit import InstructorParser
from langchain_prodkit.parse import parse_aligned
from langchain_prodkit.testing import ProviderServer


class Person(BaseModel):
    """Somebody in a list of people."""

    name: str
    age: int
    email: str | None = None
    tags: list[str] = []


class People(BaseModel):
    """A list of people, as long as the benchmark wants."""

    people: list[Person]


def json_repaired(text: str) -> People:
    """Read people as json-repair and pydantic do."""
    return People.model_validate(json_repair_loads(text))


def wide_model(fields: int) -> type[BaseModel]:
    """Make a model with that many text fields."""
    columns: dict[str, Any] = {f"field_{number}": (str, ...) for number in range(fields)}
    return create_model(f"Wide{fields}", **columns)


def in_turns(ways: dict[str, Callable[[], Any]], rounds: int) -> dict[str, tuple[float, float]]:
    """Time every way once a round; gives the median wall and CPU milliseconds of each."""
    wall: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    for name, way in ways.items():
        way()  # what is prepared once is not what a call costs
        wall[name], cpu[name] = [], []
    for _ in range(rounds):
        for name, way in ways.items():
            started, spent = time.perf_counter(), time.thread_time()
            way()
            cpu[name].append((time.thread_time() - spent) * 1e3)
            wall[name].append((time.perf_counter() - started) * 1e3)
    return {name: (statistics.median(wall[name]), statistics.median(cpu[name])) for name in ways}


def calls(rounds: int, widths: list[int]) -> None:
    prompt = ChatPromptTemplate([("human", "{question}")])
    question = {"question": "Who?"}
    rows = []
    with ProviderServer() as provider:
        model = ChatOpenAI(model="m", base_url=provider.base_url, api_key=SecretStr("k"), max_retries=0)
        for width in widths:
            wanted = wide_model(width)
            answer = json.dumps(dict.fromkeys(wanted.model_fields, "x"))
            with ProviderServer(script=lambda _, answer=answer: answer) as scripted:
                ready = ChatOpenAI(
                    model="m", base_url=scripted.base_url, api_key=SecretStr("k"), max_retries=0
                )
                ways: dict[str, Runnable[Any, Any]] = {
                    "prompt | model": prompt | ready,
                    "with_structured_output, tools": prompt
                    | model.with_structured_output(wanted, method="function_calling"),
                    "with_structured_output, json_schema": prompt
                    | model.with_structured_output(wanted, method="json_schema"),
                    "InstructorParser, tools": prompt | InstructorParser(wanted, llm=model, mode="tools"),
                    "InstructorParser, json_schema": prompt
                    | InstructorParser(wanted, llm=model, mode="json_schema"),
                    "prompt | model | InstructorParser": prompt | ready | InstructorParser(wanted, llm=ready),
                }
                timed = in_turns(
                    {name: partial(chain.invoke, question) for name, chain in ways.items()}, rounds
                )
            bare_wall, bare_cpu = timed["prompt | model"]
            for name, (wall_ms, cpu_ms) in timed.items():
                peer = timed[f"with_structured_output, {'json_schema' if 'json_schema' in name else 'tools'}"]
                rows.append(
                    {
                        "fields": width,
                        "way": name,
                        "ms": wall_ms,
                        "cpu_ms": cpu_ms,
                        "added_ms": wall_ms - bare_wall,
                        "added_cpu_ms": cpu_ms - bare_cpu,
                        "x with_structured_output": cpu_ms / peer[1],
                    }
                )
    report("parse: one call", rows, notes="median of interleaved calls; CPU of the calling thread")


def texts(rounds: int, sizes: list[int]) -> None:
    rows = []
    for size in sizes:
        people = People(
            people=[Person(name=f"P {n}", age=n, email="a@b.co", tags=["x", "y"]) for n in range(size)]
        )
        valid = people.model_dump_json(indent=1)
        broken = f"Sure:\n```json\n{valid.replace(']', ',]')}\n```"
        timed = in_turns(
            {
                "valid: model_validate_json": partial(People.model_validate_json, valid),
                "valid: parse_aligned": partial(parse_aligned, valid, People),
                "broken: json-repair": partial(json_repaired, broken),
                "broken: parse_aligned": partial(parse_aligned, broken, People),
            },
            rounds,
        )
        assert parse_aligned(broken, People) == people
        for kind, peer in (("valid", "valid: model_validate_json"), ("broken", "broken: json-repair")):
            for name, (wall_ms, _) in timed.items():
                if name.startswith(kind):
                    ratio = wall_ms / timed[peer][0]
                    rows.append(
                        {"items": size, "chars": len(valid), "way": name, "ms": wall_ms, "x peer": ratio}
                    )
    report("parse: one text", rows, notes="median; the peer is the first way of its kind")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--smoke", action="store_true", help="seconds: is every way still there?")
    smoke = parser.parse_args().smoke
    calls(3 if smoke else 60, [2] if smoke else [2, 50, 200])
    texts(3 if smoke else 20, [1, 20] if smoke else [1, 100, 1_000])


if __name__ == "__main__":
    main()

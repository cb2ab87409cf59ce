"""What one call costs above `prompt | model`, over HTTP and without any network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import instructor
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from openai import OpenAI
from openai.types.chat import ChatCompletion
from pydantic import BaseModel, SecretStr

from benchmarks._parse_chats import InstantChat
from benchmarks._parse_models import wide_model, wide_value
from benchmarks._parse_provider import provider_process
from benchmarks._table import report
from langchain_prodkit import InstructorParser

__all__ = ["in_turns", "over_http", "without_network"]

BARE = "prompt | model"
PEER = "with_structured_output, tools"
QUESTION = "Who?"
Way = Callable[[], Any]


def in_turns(ways: dict[str, Way], rounds: int, *, times: int = 1) -> dict[str, list[tuple[float, float]]]:
    """Run every way `times` times a round, so that a busy machine hits all alike.

    Gives wall and CPU milliseconds of one time, for each round. CPU is that of the whole process:
    whatever thread does the work counts.
    """
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for way in ways.values():
        way()  # what is prepared once is not what a call costs
    names = list(ways)
    for number in range(rounds):
        # Whoever comes after a slow one must not always be the same.
        for name in names[number % len(names) :] + names[: number % len(names)]:
            started, used = time.perf_counter(), time.process_time()
            for _ in range(times):
                ways[name]()
            used = time.process_time() - used
            spent[name].append(((time.perf_counter() - started) * 1e3 / times, used * 1e3 / times))
    return spent


def over_http(rounds: int, widths: Sequence[int]) -> None:
    """Report calls to a provider in another process, interleaved."""
    rows = []
    with provider_process() as base_url:
        for width in widths:
            ways = _http_ways(base_url, width)
            rows += _rows(width, in_turns(ways, rounds))
    notes = (
        "medians; `added` is the median of the differences to `prompt | model` in the same round; the "
        "provider is another process"
    )
    report("parse: one call over HTTP", rows, notes=notes)


def without_network(rounds: int, widths: Sequence[int]) -> None:
    """Report the CPU of calls to a model that answers at once."""
    rows = []
    for width in widths:
        rows += _rows(width, in_turns(_instant_ways(width), rounds))
    notes = "as above, with a model in this process that answers at once; CPU is all that is left"
    report("parse: one call without network", rows, notes=notes)


def _rows(width: int, spent: dict[str, list[tuple[float, float]]]) -> list[dict[str, Any]]:
    added = {
        name: tuple(
            statistics.median(mine[at] - bare[at] for mine, bare in zip(samples, spent[BARE], strict=True))
            for at in (0, 1)
        )
        for name, samples in spent.items()
    }
    return [
        {
            "fields": width,
            "way": name,
            "ms": statistics.median(wall for wall, _ in samples),
            "cpu_ms": statistics.median(cpu for _, cpu in samples),
            "added_ms": added[name][0],
            "added_cpu_ms": added[name][1],
            "added x with_structured_output": None if name == BARE else added[name][1] / added[PEER][1],
        }
        for name, samples in spent.items()
    ]


def _http_ways(base_url: str, width: int) -> dict[str, Way]:
    prompt = ChatPromptTemplate([("human", "{question}")])
    wanted = wide_model(width)
    model = ChatOpenAI(model=f"m-{width}", base_url=base_url, api_key=SecretStr("k"), max_retries=0)
    client = instructor.from_openai(OpenAI(base_url=base_url, api_key="k", max_retries=0))
    chains: dict[str, Runnable[Any, Any]] = {
        BARE: prompt | model,
        PEER: prompt | model.with_structured_output(wanted, method="function_calling"),
        "with_structured_output, json_schema": prompt
        | model.with_structured_output(wanted, method="json_schema"),
        "InstructorParser, tools": prompt | InstructorParser(wanted, llm=model, mode="tools"),
        "InstructorParser, json_schema": prompt | InstructorParser(wanted, llm=model, mode="json_schema"),
        "prompt | model | InstructorParser": prompt | model | InstructorParser(wanted, llm=model),
    }
    return {
        **_called(chains),
        "instructor, tools (no chain)": partial(
            client.chat.completions.create,
            model=f"m-{width}",
            response_model=wanted,
            messages=[{"role": "user", "content": QUESTION}],
        ),
    }


def _instant_ways(width: int) -> dict[str, Way]:
    prompt = ChatPromptTemplate([("human", "{question}")])
    wanted, value = wide_model(width), wide_value(width)
    model = InstantChat(value=value)
    chains: dict[str, Runnable[Any, Any]] = {
        BARE: prompt | model,
        PEER: prompt | model.with_structured_output(wanted),
        "InstructorParser, tools": prompt | InstructorParser(wanted, llm=model, mode="tools"),
        "InstructorParser, json_schema": prompt | InstructorParser(wanted, llm=model, mode="json_schema"),
        "prompt | model | InstructorParser": prompt | model | InstructorParser(wanted, llm=model),
    }
    return {**_called(chains), "instructor.patch, tools (no chain)": _instructor(wanted, value)}


def _called(chains: dict[str, Runnable[Any, Any]]) -> dict[str, Way]:
    return {name: partial(chain.invoke, {"question": QUESTION}) for name, chain in chains.items()}


def _instructor(wanted: type[BaseModel], value: dict[str, Any]) -> Way:
    """Give instructor's own loop around a function that answers at once."""
    arguments = wanted.model_validate(value).model_dump_json()
    call = {"id": "1", "type": "function", "function": {"name": wanted.__name__, "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    ready = ChatCompletion.model_validate(
        {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "m",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
        }
    )
    create: Any = instructor.patch(create=lambda **_: ready, mode=instructor.Mode.TOOLS)
    return partial(create, response_model=wanted, messages=[{"role": "user", "content": QUESTION}])

"""What asking again costs: the size of each request, and a thousand conversations at once."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import instructor
from instructor.core.exceptions import InstructorRetryException
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel, SecretStr, ValidationError, field_validator

from benchmarks._parse_models import People, people
from benchmarks._table import report
from langchain_prodkit import InstructorParser, _runs
from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.testing import ProviderServer

__all__ = ["concurrent", "sizes"]

# Both would print what is wrong with every answer.
logging.getLogger("instructor").setLevel(logging.CRITICAL)

ATTEMPTS: Final = 5
BAD_ITEMS: Final = 20
TIMEOUT_S: Final = 300.0
"""A thousand connections at once take their time on a busy machine."""


def sizes() -> None:
    """Report the characters of each request to a model that never gets it right."""
    value = people(BAD_ITEMS).model_dump()
    for one in value["people"]:
        one["age"] = "unknown"
    bad = json.dumps(value)

    def never_right(body: dict[str, Any]) -> str | dict[str, Any]:
        if "tools" in body:
            return {"tool_calls": [{"name": body["tools"][0]["function"]["name"], "arguments": bad}]}
        return bad

    rows = []
    with ProviderServer(script=never_right) as provider:
        for mode, theirs in (("tools", instructor.Mode.TOOLS), ("text", instructor.Mode.MD_JSON)):
            told: Any = mode
            model = _model(provider)
            parser = InstructorParser(People, llm=model, mode=told, max_retries=ATTEMPTS - 1)
            provider.reset()
            with suppress(StructuredOutputError):
                parser.invoke("Who lives there?")
            rows.append(_row(mode, "InstructorParser", provider, bad))
            client = instructor.from_openai(
                OpenAI(base_url=provider.base_url, api_key="k", max_retries=0), mode=theirs
            )
            provider.reset()
            with suppress(InstructorRetryException):
                client.chat.completions.create(
                    model="m",
                    response_model=People,
                    max_retries=ATTEMPTS - 1,
                    messages=[{"role": "user", "content": "Who lives there?"}],
                )
            rows.append(_row(mode, "instructor", provider, bad))
    notes = (
        f"characters of the request's JSON; {BAD_ITEMS} wrong values in every answer; `advice` is what the "
        "model is told"
    )
    report("parse: a model that never gets it right", rows, notes=notes)


def _row(mode: str, way: str, provider: ProviderServer, bad: str) -> dict[str, Any]:
    bodies = [entry.body for entry in provider.journal]
    chars = [len(json.dumps(body)) for body in bodies]
    assert len(bodies) == ATTEMPTS
    told = str(bodies[1]["messages"][-1]["content"])
    row: dict[str, Any] = {"mode": mode, "way": way}
    row |= {f"chars {number}": size for number, size in enumerate(chars, 1)}
    row["3 over 2"] = chars[2] / chars[1]
    row["messages"] = " ".join(str(len(body["messages"])) for body in bodies)
    row["advice x pydantic's error"] = len(told) / len(_pydantic_error(bad))
    return row


def _pydantic_error(bad: str) -> str:
    try:
        People.model_validate_json(bad)
    except ValidationError as error:
        return str(error)
    raise AssertionError


# -- a thousand at once ------------------------------------------------------------------------


class Reply(BaseModel):
    """An answer that must name the one who asked, in upper case."""

    customer: str

    @field_validator("customer")
    @classmethod
    def _is_loud(cls, customer: str) -> str:
        if not customer.isupper():
            raise ValueError("use upper case")
        return customer


def _first_wrong(body: dict[str, Any]) -> str | dict[str, Any]:
    """Name the customer of this very prompt, in upper case once that was asked for."""
    found = re.search(r"customer-\d+", json.dumps(body["messages"]))
    name = found[0] if found else "nobody"
    is_again = any(message["role"] == "assistant" for message in body["messages"])
    value = {"customer": name.upper() if is_again else name}
    if "tools" in body:
        return {"tool_calls": [{"name": body["tools"][0]["function"]["name"], "arguments": value}]}
    return json.dumps(value)


def concurrent(numbers: Sequence[int]) -> None:
    """Report that many conversations at once, in each of which the first answer does not fit."""
    rows = []
    prompt = ChatPromptTemplate([("human", "I am {customer}, who am I?")])
    for number in numbers:
        names = [f"customer-{index}" for index in range(number)]
        for way in ("prompt | model | InstructorParser", "prompt | InstructorParser", "instructor"):
            with ProviderServer(script=_first_wrong) as provider:
                started, used = time.perf_counter(), time.process_time()
                if way == "instructor":
                    found = asyncio.run(_instructor(provider, names))
                else:
                    model = _model(provider)
                    parser = InstructorParser(Reply, llm=model)
                    chain = prompt | model | parser if "| model |" in way else prompt | parser
                    found = asyncio.run(
                        chain.abatch([{"customer": name} for name in names], return_exceptions=True)
                    )
                wall_s, cpu_s = time.perf_counter() - started, time.process_time() - used
                asked = len(provider.journal)
            rows.append(
                {
                    "way": way,
                    "at once": number,
                    "right": sum(
                        isinstance(one, Reply) and one.customer == name.upper()
                        for one, name in zip(found, names, strict=True)
                    ),
                    "requests": asked,
                    "wall_s": wall_s,
                    "cpu_ms each": cpu_s * 1e3 / number,
                    "runs kept": 0 if way == "instructor" else _runs._watch.open_roots,  # noqa: SLF001 - nothing public shows it
                }
            )
    notes = (
        "every first answer is wrong, so two requests each; right: the object names the customer of its own "
        "prompt, in upper case; the provider's CPU is in all rows alike"
    )
    report("parse: re-asks at once", rows, notes=notes)


async def _instructor(provider: ProviderServer, names: list[str]) -> list[Any]:
    async with AsyncOpenAI(
        base_url=provider.base_url, api_key="k", max_retries=0, timeout=TIMEOUT_S
    ) as transport:
        client = instructor.from_openai(transport)
        calls = (
            client.chat.completions.create(
                model="m",
                response_model=Reply,
                messages=[{"role": "user", "content": f"I am {name}, who am I?"}],
            )
            for name in names
        )
        found: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
        return found


def _model(provider: ProviderServer) -> ChatOpenAI:
    return ChatOpenAI(
        model="m", base_url=provider.base_url, api_key=SecretStr("k"), max_retries=0, timeout=TIMEOUT_S
    )

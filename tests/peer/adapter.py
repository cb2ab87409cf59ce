"""The pytest plugin that runs instructor's own provider tests on `InstructorParser`.

Instructor's suite asks `instructor.from_provider` for a client and judges the objects that it gives. Here
that client is instructor's own `AsyncInstructor` - its `create`, `messages.create`, `create_iterable` and
so on - around a function that never reaches instructor's providers: a `create` becomes
`InstructorParser(response_model, llm=ChatOpenAI(...))`, a stream its `astream`.

No test is left out or skipped. So the suite exercises: the schemas that we send in four modes, our reading
of the answers, the re-ask (two tests are answered wrongly first), partial objects and items of a stream,
simple types, lists and unions, strict validation, all over real HTTP. It does not judge a model, as a
script answers (`ANSWERS`); nor instructor's own transport; and `response_model=None` asks for no parsing,
so that test sees the bare chat model.
"""

from __future__ import annotations

import importlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, get_args

import instructor
import pytest
from instructor import AsyncInstructor, Mode
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from langchain_prodkit import InstructorParser
from langchain_prodkit.parse.request import Mode as ParserMode
from langchain_prodkit.testing import ProviderServer

PROVIDER: Final = "langchain-prodkit"
MODES: Final[dict[Mode, ParserMode]] = {
    Mode.TOOLS: "tools",
    Mode.JSON: "json",
    Mode.MD_JSON: "text",
    Mode.JSON_SCHEMA: "json_schema",
}
"""Instructor's modes, and what `InstructorParser` calls them."""
TESTS: Final = 28
SKIPPED_FOR_OPENAI: Final = ("test_union", "test_enum", "test_iterable_union_streaming")
"""What instructor's suite skips for its own `openai`, by the capabilities it names; we name all."""
REASKS: Final = 2
"""Answers in each mode that do not fit at first."""

_NYC: Final = {"location": "NYC", "temperature": 20, "units": "celsius"}


def _users(**ages: int) -> list[dict[str, Any]]:
    return [{"name": name, "age": age} for name, age in ages.items()]


def _task(title: str, priority: int) -> dict[str, Any]:
    return {"title": title, "description": title, "priority": priority}


ANSWERS: Final[dict[str, Any]] = {
    "Jason is 25": {"name": "Jason", "age": 25},
    "Alice is 30": _users(Alice=30, Bob=25, Charlie=35),
    "123 Main St": {
        "name": "John Doe",
        "age": 28,
        "address": {"street": "123 Main St", "city": "Springfield", "country": "USA"},
    },
    "iPhone 15": {"name": "iPhone 15 Pro", "price": 999.0, "in_stock": True},
    "Fix bug": _task("Fix bug in login", 9),
    "Update documentation": _task("Update documentation", 5),
    "Review PR": _task("Review PR", 3),
    "Deploy to production": _task("Deploy to production", 10),
    "Say hello": "Hello!",
    "John Smith": {"name": "John Smith", "age": 30},
    "Sarah Johnson": {"name": "Sarah Johnson", "age": 25},
    "the number 42": 42,
    "sky blue": True,
    "hello world": "hello world",
    "Pick one": "red",
    "number or a string": 7,
    "random number": 4,
    "Jason Liu": {"name": "Jason Liu", "age": 30},
    "Create 3 users": _users(Alice=25, Bob=30, Carol=35),
    "Make 2 users": _users(John=20, Jane=22),
    "weather in NYC": [_NYC, {"query": "python tutorials", "category": "web"}],
    "Tom (45)": _users(Tom=45, Jerry=40),
    "John Doe is 30": {"name": "John Doe", "age": 30},
    "Alice is 25": _users(Alice=25, Bob=30, Carol=35),
    "john@example.com": {"email": "john@example.com"},
    "temperature in Paris": {"celsius": 20.0, "location": "Paris"},
    "Jane Smith": {"name": "Jane Smith", "age": 28},
}
"""A phrase of each test's prompt, and the value that a model which understands it gives."""
FIRST: Final[dict[str, Any]] = {
    "John Smith": {"name": "  ", "age": 30},
    "Sarah Johnson": {"name": "Sarah Johnson", "age": 250},
}
"""What such a model says at first, until it is told what is wrong."""


def answer(body: dict[str, Any]) -> str | dict[str, Any]:
    """Answer as a model would: in the form that the request asks for."""
    told = json.dumps(body["messages"])
    phrase = next(phrase for phrase in ANSWERS if phrase in told)
    is_first = not any(message["role"] == "assistant" for message in body["messages"])
    value = FIRST[phrase] if is_first and phrase in FIRST else ANSWERS[phrase]
    if phrase == "Say hello":
        return str(value)
    if not isinstance(value, dict):
        value = {"tasks" if isinstance(value, list) else "content": value}
    if "tools" in body:
        return {"tool_calls": [{"name": body["tools"][0]["function"]["name"], "arguments": value}]}
    text = json.dumps(value)
    return text if "response_format" in body else f"Here you are:\n```json\n{text}\n```"


class Client(AsyncInstructor):
    """Instructor's client, whose calls are made by an `InstructorParser`."""

    def __init__(self, llm: ChatOpenAI, mode: Mode) -> None:
        """Ask `llm` in the way that `mode` means."""
        super().__init__(client=None, create=self._create, mode=mode)
        self._llm = llm

    async def create_with_completion(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """Give the object and the message that it was read from; the object itself carries no mark."""
        result = await self._create(*args, **kwargs, include_raw=True)
        return result["parsed"], result["raw"]

    async def _create(
        self,
        *,
        response_model: Any,
        messages: list[dict[str, Any]],
        max_retries: int = 3,
        context: dict[str, Any] | None = None,
        strict: bool = True,
        hooks: Any = None,
        stream: bool = False,
        include_raw: bool = False,
    ) -> Any:
        if response_model is None:
            return await self._llm.ainvoke(messages)
        parser: InstructorParser[Any] = InstructorParser(
            response_model,
            llm=self._llm,
            mode=MODES[self.mode],
            max_retries=max_retries,
            strict=strict,
            validation_context=context,
            hooks=hooks,
            include_raw=include_raw,
        )
        if not stream:
            return await parser.ainvoke(messages)
        items: AsyncIterator[Any] = parser.astream(messages)
        return items


class Suite:
    """Counts what happened in each mode, and decides whether that is what must happen."""

    def __init__(self, provider: ProviderServer) -> None:
        """Start with no result."""
        self._provider = provider
        self._modes: dict[str, Mode] = {}
        self._outcomes: dict[Mode, Counter[str]] = defaultdict(Counter)
        self._skips: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Remember which mode each test is for."""
        for item in items:
            _, self._modes[item.nodeid] = item.callspec.params["provider_config"]  # type: ignore[attr-defined]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count each test once, as what its worst phase was."""
        mode = self._modes[report.nodeid]
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[mode][report.outcome] += 1
        if report.outcome == "skipped":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self._skips.append(f"skipped in {mode.name}: {report.nodeid.rpartition('::')[2]}: {reason}")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run on anything but the counts that are expected."""
        if self._problems():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the table."""
        terminalreporter.section("instructor's provider tests on InstructorParser")
        for line in (*self._table(), *self._problems()):
            terminalreporter.write_line(line)

    def _reasks(self) -> Iterator[dict[str, Any]]:
        for entry in self._provider.journal:
            if any(message["role"] == "assistant" for message in entry.body["messages"]):
                yield entry.body

    def _table(self) -> Iterator[str]:
        columns = ("passed", "skipped", "failed")
        yield f"{'mode':12}" + "".join(f"{column:>9}" for column in columns)
        for mode in MODES:
            yield f"{mode.name:12}" + "".join(f"{self._outcomes[mode][column]:9}" for column in columns)
        yield from self._skips
        yield f"{', '.join(SKIPPED_FOR_OPENAI)} are in: the suite skips them for its own `openai`"
        yield f"{len(self._provider.journal)} requests, {len(list(self._reasks()))} of them re-asks"

    def _problems(self) -> list[str]:
        problems = [
            f"ERROR: {mode.name} gave {dict(self._outcomes[mode])}, expected {TESTS} passed and nothing else"
            for mode in MODES
            if +self._outcomes[mode] != Counter(passed=TESTS)
        ]
        if (reasks := len(list(self._reasks()))) != REASKS * len(MODES):
            problems.append(f"ERROR: {reasks} re-asks were sent, expected {REASKS} in each mode")
        return problems


def pytest_configure(config: pytest.Config) -> None:
    """Put the provider in place, and enter it in the suite's own tables, once for each mode."""
    provider = ProviderServer(script=answer).start()
    config.add_cleanup(provider.stop)
    config.pluginmanager.register(Suite(provider))
    os.environ["OPENAI_API_KEY"] = "none"
    shared = importlib.import_module("tests.llm.shared_config")
    shared.PROVIDER_CONFIGS[:] = [(f"{PROVIDER}/m", mode, "OPENAI_API_KEY", "openai") for mode in MODES]
    able = importlib.import_module("tests.llm.test_core_providers.capabilities")
    able.PROVIDER_CAPABILITIES[PROVIDER] = set(get_args(able.Capability))

    def from_provider(model: str, *, mode: Mode, async_client: bool) -> Client:
        assert async_client
        llm = ChatOpenAI(model=model, base_url=provider.base_url, api_key=SecretStr("none"), max_retries=0)
        return Client(llm, mode)

    instructor.from_provider = from_provider  # type: ignore[assignment]

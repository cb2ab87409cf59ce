"""What is told about a redaction: kinds, counts and offsets, to callers, tracers and the audit log."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableConfig, RunnableLambda
from pydantic import BaseModel

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import ConfigurationError, RedactionError
from langchain_prodkit.privacy import PresidioRunnable, RedactionReport
from tests.unit_tests.privacy.parts import EchoModel, FailingDetector, NameDetector, echo

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}
VALUE = {"text": "I am Ada Byron", "Ada Byron": ["Art", HumanMessage("Alan Kay and Art")]}


class Seen(BaseCallbackHandler):
    """Keeps everything that callbacks are told of inputs."""

    def __init__(self) -> None:
        self.inputs: list[Any] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **kwargs: Any) -> None:
        """Note it."""
        self.inputs.append((kwargs.get("name"), inputs))

    def on_chain_end(self, outputs: Any, **kwargs: Any) -> None:
        """Note the inputs that a stream's run tells at its end."""
        self.inputs.append(("end", kwargs.get("inputs")))

    def on_chat_model_start(self, serialized: Any, messages: Any, **kwargs: Any) -> None:
        """Note it."""
        self.inputs.append(("model", messages))

    def of(self, *names: str) -> str:
        """Give what the runs of these names were given."""
        return repr([inputs for name, inputs in self.inputs if name in names])


async def test_a_report_says_where_without_saying_what(privacy: PresidioRunnable) -> None:
    """Paths and offsets lead to every hidden value; a key that is data is a star."""
    report = privacy.redaction_report(VALUE)
    assert report == await privacy.aredaction_report(VALUE)
    assert isinstance(report, RedactionReport)
    assert report.entities == {"PERSON": 5}
    places = [(one.path, one.start, one.end) for one in report.hidden]
    assert places == [
        (("text",), 5, 14),
        (("<key>",), 0, 9),
        (("*", 0), 0, 3),
        (("*", 1, "content"), 0, 8),
        (("*", 1, "content"), 13, 16),
    ]
    assert "Ada" not in repr(report) + json.dumps(report.to_dict())
    assert len(privacy.vault) == 0


def test_answers_carry_the_report_when_asked() -> None:
    """With `reports=True` a protected model's answer says what its prompt did not show."""
    privacy = PresidioRunnable(NameDetector(), reports=True)
    safe = privacy.protect(EchoModel(reply=echo, cut=3))
    expected = {
        "entities": {"PERSON": 1},
        "leaves": 1,
        "hidden": [{"path": [0, "content"], "start": 5, "end": 14, "entity": "PERSON"}],
    }
    assert safe.invoke("I am Ada Byron").response_metadata["redaction_report"] == expected
    total: Any = None
    for chunk in safe.stream("I am Ada Byron"):
        total = chunk if total is None else total + chunk
    assert total.response_metadata["redaction_report"] == expected
    plain = PresidioRunnable(NameDetector()).protect(EchoModel(reply=echo))
    assert "redaction_report" not in plain.invoke("I am Ada Byron").response_metadata


async def test_our_runs_show_no_raw_input(privacy: PresidioRunnable) -> None:
    """Redactor, protected model and protected chain tell callbacks nothing of what came in."""
    model = EchoModel(reply=echo)
    chains = {
        "PresidioRunnable": RunnableLambda(lambda x: x) | privacy,
        "model": RunnableLambda(lambda x: x) | privacy.protect(model),
        "ProtectedChain": RunnableLambda(lambda x: x) | privacy.protect(RunnableLambda(lambda x: x) | model),
    }
    for name, chain in chains.items():
        seen = Seen()
        config: RunnableConfig = {"callbacks": [seen]}
        chain.invoke("I am Ada Byron", config)
        await chain.ainvoke("I am Ada Byron", config)
        list(chain.stream("I am Ada Byron", config))
        async for _ in chain.astream("I am Ada Byron", config):
            pass
        shown = seen.of(name)
        assert shown != "[]"
        assert "Ada" not in shown, name
    assert "Ada" not in model.sent
    assert "PERSON_1" in seen.of("model")


async def test_a_parser_behind_a_protected_model_asks_again_with_the_real_prompt(
    privacy: PresidioRunnable,
) -> None:
    """What callbacks are shown is not what a re-ask is built from: placeholders would be escaped."""

    class Person(BaseModel):
        name: str
        age: int

    def reply(messages: Any) -> AIMessage:
        return AIMessage(
            '{"name": "<PERSON_1>"}' if len(messages) == 1 else '{"name": "<PERSON_1>", "age": 3}'
        )

    model = EchoModel(reply=reply)
    safe = privacy.protect(model)
    prompt = ChatPromptTemplate.from_messages([("human", "Who? {text}")])
    chain = prompt | safe | InstructorParser(Person, llm=safe, mode="text")
    assert chain.invoke({"text": "I am Ada Byron"}) == Person(name="Ada Byron", age=3)
    assert (await chain.ainvoke({"text": "I am Ada Byron"})).name == "Ada Byron"
    assert "Ada" not in model.sent
    assert "LITERAL" not in model.sent


async def test_the_audit_log_holds_counts_only(tmp_path: Path) -> None:
    """One JSON line for each redaction, restoration and refusal, from sync and async calls."""
    log = tmp_path / "audit.jsonl"
    privacy = PresidioRunnable(NameDetector(), audit_log=log)
    safe = privacy.protect(EchoModel(reply=echo))
    safe.invoke("I am Ada Byron")
    await safe.ainvoke("I am Ada Byron")
    list(safe.stream("nothing"))
    with pytest.raises(RedactionError):
        PresidioRunnable(FailingDetector(), audit_log=log).invoke("I am Ada Byron")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    events = [line["event"] for line in lines]
    assert events == ["redacted", "restored"] * 3 + ["refused"]
    assert lines[0]["entities"] == {"PERSON": 1}
    assert lines[1]["restored"] == 1
    assert lines[4]["entities"] == {}
    assert lines[6]["error"] == "redaction"
    assert "Ada" not in log.read_text()
    assert oct(log.stat().st_mode)[-3:] == "600"


def test_threads_share_an_audit_log(tmp_path: Path) -> None:
    """Lines of many writers never run into each other."""
    log = tmp_path / "audit.jsonl"
    privacy = PresidioRunnable(NameDetector(), audit_log=log)
    threads = [
        threading.Thread(target=lambda: [privacy.invoke("Ada Byron") for _ in range(20)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in log.read_text().splitlines()]) == 160


def test_what_cannot_be_put_on_record_does_not_happen(tmp_path: Path) -> None:
    """A log that cannot be written stops the call before the model; a bad path stops construction."""
    log = tmp_path / "audit.jsonl"
    model = EchoModel(reply=echo)
    safe = PresidioRunnable(NameDetector(), audit_log=log).protect(model)
    log.unlink()
    log.mkdir()
    with pytest.raises(RedactionError, match="audit"):
        safe.invoke("I am Ada Byron")
    assert model.seen == []
    with pytest.raises(ConfigurationError):
        PresidioRunnable(NameDetector(), audit_log=tmp_path / "no" / "folder.jsonl")

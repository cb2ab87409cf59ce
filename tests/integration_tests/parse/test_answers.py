"""What a provider may do besides answering: refuse, stop early, fail, forget the tool."""

from __future__ import annotations

import pickle
from typing import Any, Literal

import instructor
import pytest
from instructor.core.hooks import Hooks
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.exceptions import ModelError
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.context import collect_runs
from openai import OpenAIError
from pydantic import BaseModel, ValidationInfo, field_validator

from langchain_prodkit import InstructorParser
from langchain_prodkit.errors import StructuredOutputError
from langchain_prodkit.testing import Faults
from tests.integration_tests.parse.conftest import as_asked, in_turn
from tests.unit_tests.parse.models import ActorFilmography, Branch, Flat, Priority, Score

BAD = '{"name": "Brad Pitt", "film_names": ["Seven"]}'
GOOD = '{"name": "BRAD PITT", "film_names": ["Seven"]}'
BRAD = ActorFilmography(name="BRAD PITT", film_names=["Seven"])
ANN = '{"name": "Ann", "age": 30, "city": "Oslo"}'


@pytest.mark.parametrize("mode", ["tools", "json_schema", "text"])
def test_a_refusal_is_an_error_at_once(provider: Any, make_model: Any, mode: Any) -> None:
    """Asking again would not be polite, and would cost."""
    server = provider([{"role": "assistant", "content": None, "refusal": "I must not say."}])
    with pytest.raises(StructuredOutputError) as caught:
        InstructorParser(Flat, llm=make_model(server), mode=mode).invoke("Who is it?")
    assert (caught.value.reason, len(server.journal)) == ("refused", 1)
    assert "must not" not in str(caught.value)


@pytest.mark.parametrize("mode", ["json_schema", "text"])
def test_a_cut_answer_is_an_error_at_once(provider: Any, make_model: Any, mode: Any) -> None:
    """Even where what is left of it could be read."""
    server = provider([ANN + " " * 400])
    with pytest.raises(StructuredOutputError) as caught:
        InstructorParser(Flat, llm=make_model(server, max_tokens=20), mode=mode).invoke("Who is it?")
    assert (caught.value.reason, len(server.journal)) == ("truncated", 1)


def test_a_cut_answer_can_be_asked_for_again(provider: Any, make_model: Any) -> None:
    """With `on_truncated="reask"` the model is told to be brief."""
    server = provider(in_turn(ANN + " " * 400, ANN))
    parser = InstructorParser(Flat, llm=make_model(server, max_tokens=20), mode="text", on_truncated="reask")
    assert parser.invoke("Who is it?").name == "Ann"
    assert "briefly" in server.journal[1].body["messages"][-1]["content"]


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_error_of_the_provider_passes_unchanged(
    make_provider_server: Any, make_model: Any, is_async: bool, caplog: Any
) -> None:
    """It is no bad answer: not asked again, not wrapped, not logged with its text."""
    server = make_provider_server(faults=Faults(script=("error_500",)))
    parser = InstructorParser(Flat, llm=make_model(server))
    with pytest.raises((OpenAIError, ModelError)) as caught:
        await parser.ainvoke("Who?") if is_async else parser.invoke("Who?")
    assert "instructor" not in type(caught.value).__module__
    assert len(server.journal) == 1
    # asyncio reports connections of earlier tests whenever they happen to be collected.
    assert [record.name for record in caplog.records if record.name != "asyncio"] == []


def test_a_mistake_in_a_validator_is_not_hidden(provider: Any, make_model: Any) -> None:
    """An exception that is no verdict on the answer reaches the developer as it is."""

    class Broken(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def fail(cls, value: str) -> str:
            raise KeyError(len(value))

    server = provider(in_turn(ANN))
    with pytest.raises(KeyError):
        InstructorParser(Broken, llm=make_model(server)).invoke("Who?")
    assert len(server.journal) == 1


def test_auto_goes_on_with_text_when_no_tool_call_comes(provider: Any, make_model: Any) -> None:
    """Within the same run, within max_retries, and for good."""

    def script(body: dict[str, Any]) -> str:
        return "" if body.get("tools") else ANN

    server = provider(script)
    parser = InstructorParser(Flat, llm=make_model(server), max_retries=1)
    assert parser.invoke("Who is it?").name == "Ann"
    assert [bool(entry.body.get("tools")) for entry in server.journal] == [True, False]
    parser.invoke("And now?")
    assert len(server.journal) == 3


def test_auto_takes_text_for_a_model_without_tools() -> None:
    """Any chat model will do, and any Runnable that gives a message."""
    model = FakeListChatModel(responses=["no idea", f"```json\n{ANN}\n```"])
    assert InstructorParser(Flat, llm=model).invoke("Who?").name == "Ann"
    echo: Any = RunnableLambda(lambda messages: AIMessage(ANN if "JSON" in str(messages) else ""))
    assert InstructorParser(Flat, llm=echo).invoke("Who?").name == "Ann"


def test_a_binding_keeps_its_arguments_with_tools(provider: Any, make_model: Any) -> None:
    """`model.bind(...)` and `with_fallbacks` are models like any other."""
    server = provider(in_turn(ANN))
    model = make_model(server).bind(seed=7).with_fallbacks([make_model(server)])
    assert InstructorParser(Flat, llm=model).invoke("Who?").name == "Ann"
    assert server.journal[0].body["tools"][0]["function"]["name"] == "Flat"
    bound = make_model(server).bind(seed=7)
    InstructorParser(Flat, llm=bound).invoke("Who?")
    assert server.journal[1].body["seed"] == 7


def test_templates_in_what_users_write_stay_text(provider: Any, make_model: Any) -> None:
    """Neither braces in the question nor a validation context renders anything."""

    class Checked(Flat):
        @field_validator("city")
        @classmethod
        def known(cls, value: str, info: ValidationInfo) -> str:
            assert info.context is not None
            if value not in info.context["cities"]:
                raise ValueError("unknown city")
            return value

    server = provider(in_turn(ANN.replace("Oslo", "Rome"), ANN))
    parser = InstructorParser(Checked, llm=make_model(server), validation_context={"cities": ["Oslo"]})
    assert parser.invoke("{{ cities }} {{ 7*7 }} {% x").city == "Oslo"
    assert server.journal[1].body["messages"][0]["content"] == "{{ cities }} {{ 7*7 }} {% x"


def test_all_attempts_are_in_one_run_tree(provider: Any, make_model: Any) -> None:
    """A re-ask is a child of the parser's run, tagged, with the facts and without the values."""
    server = provider(in_turn(BAD, GOOD))
    usage = UsageMetadataCallbackHandler()
    parser = InstructorParser(ActorFilmography, llm=make_model(server), include_raw=True)
    with collect_runs() as collected:
        result = parser.invoke("Actor: Brad Pitt", {"tags": ["mine"], "callbacks": [usage]})
    [root] = collected.traced_runs
    first, second = root.child_runs
    assert root.name == "InstructorParser"
    assert not any(tag.startswith("retry") for tag in first.tags or [])
    assert {"mine", "retry:attempt:2"} <= set(second.tags or [])
    told = (second.extra or {})["metadata"]
    assert (told["attempt"], told["error_type"], told["fields"]) == (2, "validation", ["name"])
    [counted] = usage.usage_metadata.values()
    assert result["usage"] is not None
    assert counted["total_tokens"] == result["usage"]["total_tokens"]


async def test_events_say_what_was_asked_again_and_mended(provider: Any, make_model: Any) -> None:
    """Codes and counts for `astream_events`, no text."""
    server = provider(in_turn(BAD, GOOD.replace("}", ",}")))
    parser = InstructorParser(ActorFilmography, llm=make_model(server), mode="json_schema")
    events = [e async for e in parser.astream_events("Actor: Brad Pitt") if e["event"] == "on_custom_event"]
    assert [(event["name"], event["data"]) for event in events] == [
        ("prodkit.reasked", {"attempt": 2, "reason": "validation", "fields": ["name"]}),
        ("prodkit.repaired", {"repairs": ["extra_comma"]}),
    ]


def test_hooks_of_instructor_are_told(provider: Any, make_model: Any) -> None:
    """The names and counts that instructor's users know."""
    hooks = Hooks()
    told: list[str] = []
    usage: list[int] = []
    for name in ("completion:kwargs", "completion:response", "parse:error", "completion:last_attempt"):
        hooks.on(name, lambda *_, _name=name, **__: told.append(_name))
    hooks.on("completion:usage", lambda total, **_: usage.append(total.total_tokens))
    server = provider(in_turn(BAD, GOOD))
    parser = InstructorParser(ActorFilmography, llm=make_model(server), hooks=hooks, include_raw=True)
    result = parser.invoke("Actor: Brad Pitt")
    assert told == [
        "completion:kwargs", "completion:response", "parse:error", "completion:kwargs", "completion:response",
    ]  # fmt: skip
    assert result["usage"] is not None
    assert usage[-1] == result["usage"]["total_tokens"]


def test_an_answer_of_unknown_origin_is_asked_again_alone(provider: Any, make_model: Any) -> None:
    """Outside a chain nobody knows the prompt; the trace says so."""
    server = provider(in_turn(GOOD))
    with collect_runs() as collected:
        parser = InstructorParser(ActorFilmography, llm=make_model(server))
        assert parser.invoke(AIMessage(BAD)) == BRAD
    [call] = collected.traced_runs[0].child_runs
    assert (call.extra or {})["metadata"]["prompt_found"] is False


def test_messages_reach_the_model_as_they_are(provider: Any, make_model: Any) -> None:
    """Content blocks and a system message survive; the caller's list is not changed."""
    server = provider([ANN])
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    prompt = [HumanMessage([{"type": "text", "text": "Who?"}, picture])]
    before = prompt[0].model_copy(deep=True)
    InstructorParser(Flat, llm=make_model(server), mode="text").invoke(prompt)
    assert prompt == [before]
    system, user = server.journal[0].body["messages"]
    assert "JSON schema" in system["content"]
    assert user["content"][:2] == before.content


KINDS: list[tuple[Any, str, Any]] = [
    (Branch, '{"label": "a", "children": [{"label": "b"}]}', Branch(label="a", children=[Branch(label="b")])),
    (list[Score], '{"tasks": [{"verdict": "pass", "score": 1}]}', [Score(verdict="pass", score=1)]),
    (int, '{"content": 4}', 4),
    (list[str], '{"content": ["a"]}', ["a"]),
    (Priority, '{"content": "high"}', Priority.HIGH),
    (Literal["a", "b"], '{"content": "b"}', "b"),
    (Flat | Score, f'{{"content": {ANN}}}', Flat(name="Ann", age=30, city="Oslo")),
    (dict[str, int], '{"content": {"a": 1}}', {"a": 1}),
]


@pytest.mark.parametrize("mode", ["tools", "json_schema", "text"])
@pytest.mark.parametrize("kind", KINDS, ids=[str(kind[0]) for kind in KINDS])
def test_every_kind_of_response_model(
    provider: Any, make_model: Any, kind: tuple[Any, str, Any], mode: Any
) -> None:
    """The value is of exactly the type asked for, equal, and pickles; the schema is one object."""
    model, answer, value = kind
    server = provider(lambda body: as_asked(body, answer))
    result = InstructorParser(model, llm=make_model(server), mode=mode).invoke("Go")
    assert result == value
    assert type(result) is type(value)
    assert pickle.loads(pickle.dumps(result)) == value  # noqa: S301 - our own bytes
    body = server.journal[0].body
    if mode == "tools":
        assert body["tools"][0]["function"]["parameters"]["type"] == "object"


def test_maybe_of_instructor(provider: Any, make_model: Any) -> None:
    """Nothing found is an answer too, and false."""
    maybe: Any = instructor.Maybe(Flat)
    server = provider(in_turn('{"result": null, "error": true, "message": "nobody there"}'))
    result = InstructorParser(maybe, llm=make_model(server)).invoke("Who?")
    assert not result
    assert result.message == "nobody there"

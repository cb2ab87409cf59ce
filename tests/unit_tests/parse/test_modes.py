"""How the schema travels: as the model can, as its settings allow, as it turned out to be able."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import ConfigurableField, Runnable, RunnableLambda

from langchain_prodkit import InstructorParser, PresidioRunnable, RateLimitedAsyncChat
from langchain_prodkit.errors import ConfigurationError, StructuredOutputError
from langchain_prodkit.parse.ability import LEARNED
from langchain_prodkit.privacy import PresidioDetector
from tests.unit_tests.parse.models import Flat, Score
from tests.unit_tests.parse.scripted import Answer, Script, Sent, TextModel, ToolModel, by_tool, called

ANN = {"name": "Ann", "age": 30, "city": "Oslo"}
EXPECTED = Flat(**ANN)


class RejectedError(Exception):
    """A 400 as OpenAI's client raises it."""

    status_code = 400

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.body = {"error": {"message": message, "param": param}}


FORCED = "Thinking may not be enabled when tool_choice forces tool use."


def unless_forced(request: Sent) -> Answer:
    """Answer as a thinking model does."""
    if request.arguments.get("tool_choice"):
        return RejectedError(FORCED)
    return by_tool(ANN)(request)


def choices(script: Script) -> list[tuple[list[str], Any]]:
    """Say which tools went along, and which was forced."""
    return [(sent.tools, sent.arguments.get("tool_choice")) for sent in script.sent]


def test_a_model_that_must_not_be_forced_is_left_to_choose() -> None:
    """After one rejected request, remembered for the model and not for the parser."""
    script = Script(unless_forced)
    model = ToolModel(script=script)
    assert InstructorParser(Flat, llm=model).invoke("Who?") == EXPECTED
    assert choices(script) == [(["Flat"], "Flat"), (["Flat"], None)]
    assert InstructorParser(Flat, llm=model.bind(seed=1), max_retries=0).invoke("Who?") == EXPECTED
    assert choices(script)[2:] == [(["Flat"], None)]


@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: model.with_retry()])
def test_a_model_set_to_think_is_never_forced(wrap: Callable[[Any], Any]) -> None:
    """Its settings say so before the first request, also those of a binding."""
    for make in (
        lambda script: ToolModel(script=script, thinking={"type": "enabled"}),
        lambda script: ToolModel(script=script).bind(thinking={"type": "adaptive"}),
    ):
        script = Script(unless_forced)
        assert InstructorParser(Flat, llm=wrap(make(script)), mode="tools").invoke("Who?") == EXPECTED
        assert choices(script) == [(["Flat"], None)]


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ({"tool_calling": False}, (["Flat"], None)),
        ({"tool_calling": True, "tool_choice": False}, (["Flat"], None)),
        ({}, (["Flat"], "Flat")),
    ],
)
def test_what_a_models_profile_says_is_heeded(profile: Any, expected: Any) -> None:
    """LangChain's own description of the model, before anything is tried."""
    script = Script(by_tool(ANN))
    model = ToolModel(script=script, profile=profile)
    assert InstructorParser(Flat, llm=model).invoke("Who?") == EXPECTED
    assert choices(script) == [expected]


def test_a_thinking_model_that_calls_nothing_is_asked_in_text() -> None:
    """Free choice first, then the schema in the prompt."""
    script = Script(lambda request: "I think it is Ann." if request.tools else json.dumps(ANN))
    model = ToolModel(script=script, thinking={"type": "enabled"})
    assert InstructorParser(Flat, llm=model).invoke("Who?") == EXPECTED
    assert choices(script) == [(["Flat"], None), ([], None)]


def test_a_provider_without_tools_gets_text() -> None:
    """A 400 that says so, twice, is followed by a request without any."""
    script = Script(
        lambda request: (
            RejectedError("this model does not support tools") if request.tools else json.dumps(ANN)
        )
    )
    parser = InstructorParser(Flat, llm=ToolModel(script=script), max_retries=0)
    assert parser.invoke("Who?") == EXPECTED
    assert choices(script) == [(["Flat"], "Flat"), (["Flat"], None), ([], None)]


@pytest.mark.parametrize(
    ("error", "question"),
    [
        (RejectedError("maximum context length is 8192 tokens"), "Who?"),
        (RejectedError("cannot read: what is tool_choice"), "what is tool_choice"),
        (RuntimeError("tool_choice is not supported"), "Who?"),
    ],
)
def test_other_errors_are_not_taken_for_it(error: Exception, question: str) -> None:
    """Not another 400, not one that quotes the user, not one without a status."""
    script = Script([error])
    with pytest.raises(type(error)):
        InstructorParser(Flat, llm=ToolModel(script=script)).invoke(question)
    assert len(script.sent) == 1


def test_the_parameter_at_fault_is_enough() -> None:
    """What the provider says besides does not matter."""

    def script(request: Sent) -> Answer:
        forced = request.arguments.get("tool_choice")
        return RejectedError("invalid", "tool_choice") if forced else by_tool(ANN)(request)

    assert InstructorParser(Flat, llm=ToolModel(script=Script(script))).invoke("tool_choice") == EXPECTED


def test_empty_tools_are_remembered_for_the_model_and_forgotten_with_it() -> None:
    """Every later parser on the model starts with text; another model is not judged by it."""
    script = Script(lambda request: "" if request.tools else json.dumps(ANN))
    model: Any = ToolModel(script=script)
    gc.collect()
    before = len(LEARNED)
    assert InstructorParser(Flat, llm=model).invoke("Who?") == EXPECTED
    assert InstructorParser(Score | Flat, llm=model.with_retry(), max_retries=0).invoke("Who?") == EXPECTED
    assert [sent.tools for sent in script.sent] == [["Flat"], [], []]
    assert len(LEARNED) == before + 1
    fresh = Script(by_tool(ANN))
    assert InstructorParser(Flat, llm=ToolModel(script=fresh)).invoke("Who?") == EXPECTED
    assert fresh.sent[0].tools == ["Flat"]
    assert LEARNED.level(model) == "none"
    del model
    gc.collect()
    assert len(LEARNED) <= before


def test_threads_agree_on_what_was_learned() -> None:
    """However many meet the silence at once, each gets its answer, and then nobody sends tools."""
    gate = threading.Barrier(8)

    def answer(request: Sent) -> Answer:
        if request.tools:
            gate.wait(10)
            return ""
        return json.dumps(ANN)

    script = Script(answer)
    model = ToolModel(script=script)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: InstructorParser(Flat, llm=model).invoke("Who?"), range(8)))
    assert results == [EXPECTED] * 8
    InstructorParser(Flat, llm=model).invoke("Who?")
    assert script.sent[-1].tools == []


def test_a_cut_answer_says_nothing_about_tools() -> None:
    """The model did not get to calling; the next request still has them."""
    cut = AIMessage("let me", response_metadata={"finish_reason": "length"})
    script = Script(lambda request: by_tool(ANN)(request) if len(script.sent) > 1 else cut)
    parser = InstructorParser(Flat, llm=ToolModel(script=script), on_truncated="reask")
    assert parser.invoke("Who?") == EXPECTED
    assert [sent.tools for sent in script.sent] == [["Flat"], ["Flat"]]


def _protected(model: Any) -> Any:
    return PresidioRunnable(PresidioDetector(profile="patterns")).protect(model)


def _limited(model: Any) -> Any:
    return RateLimitedAsyncChat(model, requests_per_minute=60_000)


WRAPS: dict[str, Callable[[Any], Runnable[Any, Any]]] = {
    "itself": lambda model: model,
    "bind": lambda model: model.bind(seed=7).with_config(tags=["mine"]),
    "other tools": lambda model: model.bind_tools([Score]),
    "with_retry": lambda model: model.with_retry(stop_after_attempt=2),
    "with_fallbacks": lambda model: model.with_fallbacks([model]),
    "limited": _limited,
    "protected": _protected,
    "all of them": lambda model: (
        _protected(_limited(model)).bind(seed=7).with_retry().with_fallbacks([model])
    ),
    "configurable field": lambda model: model.configurable_fields(thinking=ConfigurableField(id="think")),
    "configurable model": lambda model: model.configurable_alternatives(
        ConfigurableField(id="which"), other=TextModel(script=Script(["no"]))
    ),
    "sequence": lambda model: (
        RunnableLambda(lambda value: value) | model | RunnableLambda(lambda value: value)
    ),
}


@pytest.mark.parametrize("wrap", list(WRAPS.values()), ids=list(WRAPS))
@pytest.mark.parametrize("is_async", [False, True])
async def test_tools_reach_the_model_through_whatever_is_around_it(
    wrap: Callable[[Any], Runnable[Any, Any]], is_async: bool
) -> None:
    """And a bad answer is asked for again through it."""

    def answer(request: Sent) -> Answer:
        return called(("Flat", ANN if len(script.sent) > 1 else {"name": "Ann"}))

    script = Script(answer)
    parser = InstructorParser(Flat, llm=wrap(ToolModel(script=script)))
    assert (await parser.ainvoke("Who?") if is_async else parser.invoke("Who?")) == EXPECTED
    assert choices(script) == [(["Flat"], "Flat")] * 2


def test_the_configuration_of_a_call_picks_the_model() -> None:
    """What the picked model can do decides, for this call."""
    script, other = Script(by_tool(ANN)), Script([json.dumps(ANN)])
    model = ToolModel(script=script).configurable_alternatives(
        ConfigurableField(id="which"), other=TextModel(script=other)
    )
    parser = InstructorParser(Flat, llm=model)
    assert parser.invoke("Who?", {"configurable": {"which": "other"}}) == EXPECTED
    assert parser.invoke("Who?") == EXPECTED
    assert (other.sent[0].tools, script.sent[0].tools) == ([], ["Flat"])


def test_with_a_fallback_that_has_no_tools_all_get_text() -> None:
    """The request has to suit whoever answers."""
    script = Script([json.dumps(ANN)])
    model = ToolModel(script=Script([RuntimeError()])).with_fallbacks([TextModel(script=script)])
    assert InstructorParser(Flat, llm=model).invoke("Who?") == EXPECTED
    assert "JSON schema" in str(script.sent[0].messages[0].content)


def test_parallel_tools_ask_for_every_item_that_does_not_fit() -> None:
    """One bad call spoils the answer: items are never dropped silently."""
    bad = called(("Flat", ANN), ("Score", {"verdict": "maybe"}))
    good = called(("Flat", ANN), ("Score", {"verdict": "pass", "score": 1}))
    script = Script([bad, good])
    kind: Any = Iterable[Flat | Score]
    parser: Runnable[Any, Any] = InstructorParser(kind, llm=ToolModel(script=script), mode="parallel_tools")
    assert parser.invoke("Who?") == [EXPECTED, Score(verdict="pass", score=1)]
    assert choices(script) == [(["Flat", "Score"], "any")] * 2
    assert [message.type for message in script.sent[1].messages] == ["human", "ai", "tool", "tool"]
    assert "call 2, verdict: " in str(script.sent[1].messages[-1].content)


def test_parallel_tools_without_a_call_are_no_empty_list() -> None:
    """The model is asked again, and then it is an error."""
    script = Script(["nothing to do"])
    kind: Any = list[Flat]
    parser: Runnable[Any, Any] = InstructorParser(kind, llm=ToolModel(script=script), mode="parallel_tools")
    with pytest.raises(StructuredOutputError):
        parser.invoke("Who?")
    assert len(script.sent) == 3


@pytest.mark.parametrize(
    ("kind", "model"), [(Flat, ToolModel(script=None)), (list[Flat], TextModel(script=None))]
)
def test_parallel_tools_need_a_list_of_models_and_tools(kind: Any, model: Any) -> None:
    """The mistake is told when the parser is made."""
    with pytest.raises(ConfigurationError):
        InstructorParser(kind, llm=model, mode="parallel_tools")


def test_with_llm_changes_the_model_only() -> None:
    """The rest stays, and what was prepared for the first model is prepared anew."""
    first = InstructorParser(Flat, llm=ToolModel(script=Script([RuntimeError()])), max_retries=0)
    script = Script([json.dumps(ANN)])
    assert first.with_llm(TextModel(script=script)).invoke("Who?") == EXPECTED
    assert first.with_llm(TextModel(script=script)).max_retries == 0

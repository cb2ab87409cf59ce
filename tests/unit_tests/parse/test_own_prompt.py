"""After a model: the answer is judged first, and asked again with the prompt that it came from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tracers.context import collect_runs

from langchain_prodkit import InstructorParser, _runs
from langchain_prodkit.errors import StructuredOutputError
from tests.unit_tests.parse.models import ActorFilmography, Flat
from tests.unit_tests.parse.scripted import Answer, Script, Sent, TextModel, ToolModel, by_tool

ANN = {"name": "Ann", "age": 30, "city": "Oslo"}
EXPECTED = Flat(**ANN)
BAD = json.dumps({"name": "Ann", "age": "x"})
PROMPT = ChatPromptTemplate([("human", "{q}")])
MANY = 1000


def in_capitals_when_corrected(request: Sent) -> Answer:
    """Answer with the actor asked for; right only after a correction, and only if nobody else is named."""
    asked = [str(message.content) for message in request.messages if isinstance(message, HumanMessage)]
    actor = asked[0]
    is_corrected = any("not accepted" in text for text in asked)
    seen = {
        word for message in request.messages for word in str(message.content).split('"') if word[:1] == "a"
    }
    assert {word for word in seen if word[1:].isdecimal()} <= {actor}
    return json.dumps({"name": actor.upper() if is_corrected else actor, "film_names": [actor]})


@pytest.mark.slow
@pytest.mark.parametrize(("place", "count"), [("after", MANY), ("instead", MANY // 10)])
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_thousand_at_once_each_ask_with_their_own_prompt(
    place: str, count: int, is_async: bool
) -> None:
    """Threads and tasks; nothing is left of any of them afterwards."""
    script = Script(in_capitals_when_corrected)
    model = TextModel(script=script)
    parser = InstructorParser(ActorFilmography, llm=model)
    chain = PROMPT | model | parser if place == "after" else PROMPT | parser
    actors = [f"a{number}" for number in range(count)]
    inputs = [{"q": actor} for actor in actors]
    results = await chain.abatch(inputs) if is_async else chain.batch(inputs, {"max_concurrency": 32})
    assert [result.film_names for result in results] == [[actor] for actor in actors]
    assert len(script.sent) == 2 * count
    assert _runs._watch.open_roots == 0
    assert not _runs._watch._root_of


def answers(*texts: str) -> Script:
    """Answer with texts in turn, then with Ann."""
    script = Script([])
    script.answers = lambda request: (
        texts[len(script.sent) - 1] if len(script.sent) <= len(texts) else by_tool(ANN)(request)
    )
    return script


@pytest.mark.parametrize("is_stream", [False, True])
def test_the_text_of_an_answer_is_an_answer(is_stream: bool) -> None:
    """Behind a `StrOutputParser` too: a good one costs no call, a bad one is asked again."""
    for first, calls in ((json.dumps(ANN), 1), (BAD, 2)):
        script = answers(first)
        model = ToolModel(script=script)
        chain = PROMPT | model | StrOutputParser() | InstructorParser(Flat, llm=model)
        value = {"q": "Who?"}
        result = list(chain.stream(value))[-1] if is_stream else chain.invoke(value)
        assert result == EXPECTED
        assert len(script.sent) == calls
    kinds = [message.type for message in script.sent[1].messages]
    assert kinds == ["human", "ai", "human"]
    assert script.sent[1].messages[0].content == "Who?"


@pytest.mark.parametrize("rewritten", ["Who is the Ann of Oslo?", "Extract: {some text}", "name the person"])
def test_a_prompt_that_a_model_wrote_is_a_prompt(rewritten: str) -> None:
    """What holds no field of the response model is asked, not judged."""
    script = answers(rewritten)
    model = ToolModel(script=script)
    chain = PROMPT | model | StrOutputParser() | InstructorParser(Flat, llm=model)
    assert chain.invoke({"q": "Who?"}) == EXPECTED
    assert [message.content for message in script.sent[1].messages] == [rewritten]


def test_a_text_of_somebody_else_is_a_prompt() -> None:
    """Even if it looks like an answer."""
    script = Script(by_tool(ANN))
    assert InstructorParser(Flat, llm=ToolModel(script=script)).invoke(json.dumps(ANN)) == EXPECTED
    assert len(script.sent) == 1


def asked_with(message: AIMessage, *before: Any) -> tuple[list[str], bool]:
    """Parse a bad answer behind other models; gives what was sent, and whether a prompt was found."""
    script = Script([json.dumps(ANN)])
    chain: Any = RunnableLambda(lambda value: value)
    for part in before:
        chain = chain | part
    chain = chain | RunnableLambda(lambda _: message) | InstructorParser(Flat, llm=TextModel(script=script))
    with collect_runs() as collected:
        assert chain.invoke({"q": "another question"}) == EXPECTED
    [run] = [
        child
        for parent in collected.traced_runs[0].child_runs
        for child in parent.child_runs
        if "retry:attempt:2" in (child.tags or [])
    ]
    told = (run.extra or {})["metadata"]
    return [str(sent.content) for sent in script.sent[0].messages], told["prompt_found"]


def test_an_answer_from_elsewhere_is_not_asked_with_another_prompt() -> None:
    """It has an id that no model of this run gave, or no id while several models ran."""
    model = TextModel(script=Script(["a rewritten question"]))
    stored = AIMessage(BAD, id="from-a-store")
    sent, found = asked_with(stored, PROMPT, model)
    assert not found
    assert "another question" not in str(sent)
    sent, found = asked_with(AIMessage(BAD), PROMPT, model, PROMPT, model)
    assert not found
    assert "another question" not in str(sent)


def test_an_answer_that_was_only_edited_keeps_its_prompt() -> None:
    """Without an id, behind the one model that ran."""
    sent, found = asked_with(AIMessage(BAD), PROMPT, TextModel(script=Script([f" {BAD} "])))
    assert found
    assert "another question" in sent


def test_branches_side_by_side_keep_their_prompts() -> None:
    """Two models under one run; each answer knows its own."""
    script = Script(
        lambda request: json.dumps(ANN) if "not accepted" in str(request.messages[-1].content) else BAD
    )
    model = TextModel(script=script)
    branch = InstructorParser(Flat, llm=model)
    both = RunnableParallel(
        one=ChatPromptTemplate([("human", "first")]) | model,
        two=ChatPromptTemplate([("human", "second")]) | model,
    )
    parse = RunnableParallel(one=(lambda r: r["one"]) | branch, two=(lambda r: r["two"]) | branch)
    assert (both | parse).invoke({}) == {"one": EXPECTED, "two": EXPECTED}
    reasked = [sent for sent in script.sent if len(sent.messages) > 1]
    assert sorted(str(sent.messages[1].content) for sent in reasked) == ["first", "second"]


def test_behind_an_agent_the_prompt_is_the_agents() -> None:
    """`create_agent` runs its model deep inside; the answer's id leads there."""
    agents = pytest.importorskip("langchain.agents")
    script = answers(BAD)
    model = ToolModel(script=script)
    agent = agents.create_agent(model, tools=[])
    parser = InstructorParser(Flat, llm=model, max_retries=1)
    chain = agent | RunnableLambda(lambda state: state["messages"][-1]) | parser
    assert chain.invoke({"messages": [HumanMessage("Who?")]}) == EXPECTED
    assert [message.type for message in script.sent[1].messages] == ["human", "ai", "human"]


def test_the_error_after_a_ready_answer_counts_it() -> None:
    """Three answers, two of them asked for here."""
    script = Script([BAD])
    model = TextModel(script=script)
    with pytest.raises(StructuredOutputError) as caught:
        (PROMPT | model | InstructorParser(Flat, llm=model)).invoke({"q": "Who?"})
    assert (caught.value.attempts, len(script.sent)) == (3, 3)

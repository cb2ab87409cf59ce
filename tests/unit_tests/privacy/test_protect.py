"""The protected model: nothing personal reaches it, its answer comes back whole."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import RunnableConfig, RunnableLambda, RunnablePassthrough

from langchain_prodkit.errors import ConfigurationError, UnknownScopeError
from langchain_prodkit.privacy import PresidioRunnable, ProtectedChain, ProtectedChatModel
from tests.unit_tests.privacy.parts import EchoModel, NameDetector, echo

QUESTION = "I am Ada Byron, ask Alan Kay"
ANSWER = f"You said: {QUESTION}"


def _calls(messages: list[BaseMessage]) -> AIMessage:
    """Answer with two tool calls that repeat the question."""
    names = messages[-1].text
    return AIMessage(
        "calling",
        tool_calls=[{"name": "find", "args": {"who": names, "n": n}, "id": str(n)} for n in (1, 2)],
    )


def test_the_model_sees_placeholders_and_the_caller_values(privacy: PresidioRunnable) -> None:
    """Invoke: the prompt is redacted, the answer restored."""
    model = EchoModel(reply=echo)
    assert privacy.protect(model).invoke(QUESTION).content == ANSWER
    assert model.seen[0][0].content == "I am <PERSON_1>, ask <PERSON_2>"


@pytest.mark.parametrize("cut", [1, 2, 5, 100])
async def test_streams_sync_and_async(privacy: PresidioRunnable, cut: int) -> None:
    """Streaming gives the same answer in more than one piece, at any size of piece."""
    model = EchoModel(reply=echo, cut=cut)
    safe = privacy.protect(model)
    sync = list(safe.stream(QUESTION))
    asynchronous = [chunk async for chunk in safe.astream(QUESTION)]
    for chunks in (sync, asynchronous):
        assert "".join(chunk.content for chunk in chunks) == ANSWER
    assert (await safe.ainvoke(QUESTION)).content == ANSWER
    assert "Ada" not in model.sent
    assert cut > 5 or len(sync) > 3


def test_everything_that_reaches_the_model_is_redacted(privacy: PresidioRunnable) -> None:
    """System prompt, history, speaker, tool calls and tool results are redacted, with one numbering."""
    model = EchoModel(reply=echo)
    messages = [
        SystemMessage("You serve Ada Byron"),
        HumanMessage("Hi", name="Ada Byron"),
        AIMessage("", tool_calls=[{"name": "find", "args": {"who": "Alan Kay"}, "id": "1"}]),
        ToolMessage("Alan Kay was found by Ada Byron", tool_call_id="1"),
        HumanMessage([{"type": "text", "text": "Who is Alan Kay?"}]),
    ]
    assert privacy.protect(model).invoke(messages).content == "You said: Who is Alan Kay?"
    assert "Ada" not in model.sent
    assert "Alan" not in model.sent
    system, user, call, result, _ = model.seen[0]
    assert system.content == "You serve <PERSON_1>"
    assert user.name == "PERSON_1"
    assert isinstance(call, AIMessage)
    assert call.tool_calls[0]["args"] == {"who": "<PERSON_2>"}
    assert result.content == "<PERSON_2> was found by <PERSON_1>"


def test_tool_calls_come_back_with_values(privacy: PresidioRunnable) -> None:
    """Bound tools: arguments hold values, whole and streamed."""
    model = EchoModel(reply=_calls, cut=3)
    safe = privacy.protect(model).bind_tools([])
    whole = safe.invoke(QUESTION)
    chunks = list(safe.stream(QUESTION))
    total: Any = sum(chunks[1:], chunks[0])
    for message in (whole, total):
        assert [call["args"] for call in message.tool_calls] == [
            {"who": QUESTION, "n": 1},
            {"who": QUESTION, "n": 2},
        ]
    assert "Ada" not in model.sent


def test_a_bound_model_is_protected_inside_its_binding(privacy: PresidioRunnable) -> None:
    """It reaches through .bind() and keeps what was bound."""
    safe = privacy.protect(EchoModel(reply=echo).bind(stop=["x"]))
    assert isinstance(safe.bound, ProtectedChatModel)
    assert safe.kwargs == {"stop": ["x"]}
    assert safe.invoke(QUESTION).content == ANSWER


def test_a_cache_holds_placeholders_only(privacy: PresidioRunnable) -> None:
    """The cache sits below the redaction, and one entry serves people of different names."""
    cache = InMemoryCache()
    model = EchoModel(reply=echo, cache=cache)
    safe = privacy.protect(model)
    assert safe.invoke("I am Ada Byron").content == "You said: I am Ada Byron"
    assert safe.invoke("I am Alan Kay").content == "You said: I am Alan Kay"
    assert len(model.seen) == 1
    assert "Ada" not in repr(cache._cache)


def test_a_rate_limiter_is_asked_once_a_call(privacy: PresidioRunnable) -> None:
    """The inner model's limiter still works, and is not paid twice."""

    class Counting(BaseRateLimiter):
        count = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            self.count += 1
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            return self.acquire()

    limiter = Counting()
    safe = privacy.protect(EchoModel(reply=echo, rate_limiter=limiter))
    safe.invoke("a")
    list(safe.stream("b"))
    assert limiter.count == 2


async def test_a_chain_streams_and_restores_in_its_own_scope(privacy: PresidioRunnable) -> None:
    """A chain of redactor, prompt, model and restorer streams, sync and async, scoped by its root run."""
    model = EchoModel(reply=echo, cut=2)
    prompt = ChatPromptTemplate.from_messages([("human", "{question}")])
    chain = (
        {"question": RunnablePassthrough()} | privacy | prompt | model | StrOutputParser() | privacy.restore()
    )
    assert chain.invoke(QUESTION) == ANSWER
    assert len(list(chain.stream(QUESTION))) > 3
    assert "".join([chunk async for chunk in chain.astream(QUESTION)]) == ANSWER
    assert chain.batch([QUESTION, "I am Art"]) == [ANSWER, "You said: I am Art"]
    assert "Ada" not in model.sent


async def test_protect_around_a_chain(privacy: PresidioRunnable) -> None:
    """Any Runnable: input redacted, output restored, streams passed through."""
    seen: list[Any] = []

    def work(value: dict[str, str]) -> dict[str, str]:
        seen.append(value)
        return {"answer": f"Hello {value['who']}"}

    safe = privacy.protect(RunnableLambda(work))
    assert isinstance(safe, ProtectedChain)
    assert safe.invoke({"who": "Ada Byron"}) == {"answer": "Hello Ada Byron"}
    assert await safe.ainvoke({"who": "Ada Byron"}) == {"answer": "Hello Ada Byron"}
    assert list(safe.stream({"who": "Art"})) == [{"answer": "Hello Art"}]
    assert seen[0] == {"who": "<PERSON_1>"}
    model = EchoModel(reply=echo, cut=2)
    streaming = privacy.protect(RunnableLambda(lambda x: x) | model | StrOutputParser())
    assert len(list(streaming.stream(QUESTION))) > 3
    assert "".join([chunk async for chunk in streaming.astream(QUESTION)]) == ANSWER
    assert "Ada" not in model.sent


def test_the_same_person_keeps_the_placeholder_over_turns(privacy: PresidioRunnable) -> None:
    """Within a thread numbering goes on; another user's equal thread id starts anew and sees nothing."""
    model = EchoModel(reply=echo)
    safe = privacy.protect(model)
    mine: RunnableConfig = {"configurable": {"user_id": "a", "thread_id": "t"}}
    theirs: RunnableConfig = {"configurable": {"user_id": "b", "thread_id": "t"}}
    safe.invoke("I am Ada Byron", mine)
    safe.invoke("Alan Kay and Ada Byron", mine)
    assert model.seen[1][0].content == "<PERSON_2> and <PERSON_1>"
    assert safe.invoke("say less-than PERSON", theirs).content == "You said: say less-than PERSON"
    tricked = EchoModel(reply=lambda _: AIMessage("<PERSON_1>"))
    assert privacy.protect(tricked).invoke("hi", theirs).content == "<PERSON_1>"
    assert privacy.protect(tricked).invoke("hi", mine).content == "Ada Byron"


def test_a_call_outside_any_run_leaves_nothing_behind(privacy: PresidioRunnable) -> None:
    """Without thread and parent run, the values are erased with the end of the call."""
    safe = privacy.protect(EchoModel(reply=echo))
    safe.invoke(QUESTION)
    list(safe.stream(QUESTION))
    next(safe.stream(QUESTION)).content  # noqa: B018 - dropped in the middle
    assert len(privacy.vault) == 0


def test_restore_outside_any_scope_raises(privacy: PresidioRunnable) -> None:
    """A restorer that shares no scope with its redactor says so instead of returning placeholders."""
    redacted = privacy.invoke("Ada Byron")
    with pytest.raises(UnknownScopeError):
        privacy.restore().invoke(redacted)
    with pytest.raises(UnknownScopeError):
        list(privacy.restore().stream(redacted))


async def test_events_carry_counts_and_offsets_only(privacy: PresidioRunnable) -> None:
    """Event streams show what was hidden, where, and what was restored, as kinds and numbers."""
    safe = privacy.protect(EchoModel(reply=echo))
    chain = RunnableLambda(lambda x: x) | safe
    events = [event async for event in chain.astream_events(QUESTION, version="v2")]
    custom = {event["name"]: event["data"] for event in events if event["event"] == "on_custom_event"}
    assert custom == {
        "prodkit.redacted": {
            "entities": {"PERSON": 2},
            "leaves": 1,
            "hidden": [
                {"path": [0, "content"], "start": 5, "end": 14, "entity": "PERSON"},
                {"path": [0, "content"], "start": 20, "end": 28, "entity": "PERSON"},
            ],
        },
        "prodkit.restored": {"restored": 2, "unknown": 0},
    }


async def test_many_users_at_once_never_mix() -> None:
    """Threads and tasks over many scopes: everybody gets their own name back."""
    names = [f"Name{n}x" for n in range(40)]
    privacy = PresidioRunnable(NameDetector(names))
    model = EchoModel(reply=echo, cut=4)
    safe = privacy.protect(model)

    async def one(n: int) -> bool:
        name = names[n % 40]
        config: RunnableConfig = {"configurable": {"user_id": name, "thread_id": "same"}}
        if n % 3 == 0:
            return bool((await safe.ainvoke(f"I am {name}", config)).content == f"You said: I am {name}")
        if n % 3 == 1:
            answer = await asyncio.to_thread(safe.invoke, f"I am {name}", config)
            return bool(answer.content == f"You said: I am {name}")
        text = "".join([chunk.content async for chunk in safe.astream(f"I am {name}", config)])
        return text == f"You said: I am {name}"

    assert all(await asyncio.gather(*(one(n) for n in range(300))))
    assert "Name" not in model.sent


def test_protect_refuses_what_is_no_runnable(privacy: PresidioRunnable) -> None:
    """A wrong argument is named by its type."""
    with pytest.raises(ConfigurationError, match="str"):
        privacy.protect("model")

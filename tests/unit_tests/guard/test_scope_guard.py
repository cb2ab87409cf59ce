"""An answer that leaks, links out or leaves its scope does not leave, whatever was asked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from pydantic import BaseModel

from langchain_prodkit.errors import ConfigurationError, GuardError, OutputError
from langchain_prodkit.guard import Canary, Scope, ScopeGuard, scoped_prompt
from langchain_prodkit.testing.embeddings import embedding

CANARY = Canary("qzkvwxytrplmabcdefgh")
SYSTEM = scoped_prompt(
    "You answer questions about train tickets of Graz Rail.", topics=["fares", "refunds"], canary=CANARY
)
FINE = "A single fare to Vienna costs 39 euros, and refunds are paid within 14 days."
LEAK = f"My reference is {CANARY.token}."
PICTURE = "Look: ![x](https://evil.example/?d=1)"
CODE = "Here is a Python script: import requests, def main(): a function that prints a program"


class Words(Embeddings):
    """Texts that share words lie close together."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Embed many."""
        return [list(embedding(text, 512)) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Embed one."""
        return list(embedding(text, 512))


class Ticket(BaseModel):
    """An answer in a form."""

    text: str
    number: int = 1


def test_a_good_answer_is_the_very_same_object() -> None:
    """Nothing is copied or changed."""
    guard = ScopeGuard(SYSTEM, canary=CANARY)
    for answer in (FINE, AIMessage(FINE, id="1"), {"text": FINE}, Ticket(text=FINE), [AIMessage(FINE)]):
        assert guard.invoke(answer) is answer
    assert guard.invoke("You're welcome!") == "You're welcome!"
    assert guard.invoke("I'm sorry, I can't help with that.").startswith("I'm sorry")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (LEAK, "canary"),
        (str(SYSTEM.text)[:300], "prompt_leak"),
        (PICTURE, "remote_image"),
        (CODE, "off_scope"),
    ],
)
def test_a_violation_raises_with_codes_and_without_text(answer: str, code: str) -> None:
    """In every shape that an answer can have."""
    guard = ScopeGuard(SYSTEM, canary=CANARY)
    for value in (answer, AIMessage(answer), {"answer": answer}, Ticket(text=answer), [AIMessage(answer)]):
        with pytest.raises(OutputError) as caught:
            guard.invoke(value)
        assert code in caught.value.reasons
        assert "evil" not in str(caught.value)
        assert CANARY.token not in f"{caught.value!r}"


def test_only_the_answer_is_judged() -> None:
    """What users, tools and documents said is not the answer."""
    guard = ScopeGuard(SYSTEM, canary=CANARY)
    value = {
        "messages": [HumanMessage(CODE), ToolMessage(PICTURE, tool_call_id="1"), AIMessage(FINE)],
        "context": [Document(LEAK)],
    }
    assert guard.invoke(value) is value


def test_tool_calls_leak_too() -> None:
    """An answer without a word may send the secret to a tool."""
    call = {"name": "send", "args": {"body": CANARY.token}, "id": "1", "type": "tool_call"}
    message = AIMessage("", tool_calls=[call])
    assert ScopeGuard(SYSTEM, canary=CANARY, on_violation="replace").invoke(message).tool_calls == []
    with pytest.raises(OutputError):
        ScopeGuard(canary=CANARY).invoke(message)


def test_replace_takes_links_out_and_puts_a_refusal_for_the_rest() -> None:
    """The type stays; a message keeps its id; what is in order stays."""
    guard = ScopeGuard(SYSTEM, canary=CANARY, on_violation="replace")
    refusal = "I'm sorry, I can't help with that."
    assert guard.invoke(PICTURE) == "Look: [link removed]"
    assert guard.invoke(AIMessage(LEAK, id="7")) == AIMessage(refusal, id="7")
    assert guard.invoke({"answer": LEAK, "n": 1}) == {"answer": refusal, "n": 1}
    assert guard.invoke(Ticket(text=LEAK)) == Ticket(text=refusal)
    both = guard.invoke([AIMessage(FINE), AIMessage(LEAK)])
    assert [message.content for message in both] == [FINE, refusal]
    twice = f"{PICTURE} and {PICTURE}"
    assert guard.invoke(AIMessage(twice)).content == "Look: [link removed] and Look: [link removed]"
    own = ScopeGuard(SYSTEM, canary=CANARY, on_violation="replace", replacement="No.")
    assert own.invoke(LEAK) == "No."


def test_flag_lets_it_leave_and_says_so() -> None:
    """The verdict is in the metadata of the message."""
    message = ScopeGuard(canary=CANARY, on_violation="flag").invoke(AIMessage(LEAK))
    assert message.content == LEAK
    assert message.response_metadata["prodkit_output"]["reasons"] == ["canary"]
    assert ScopeGuard(canary=CANARY).check(LEAK).codes == ("canary",)


def test_allowed_hosts_may_be_linked() -> None:
    """The app's own pictures and links pass."""
    guard = ScopeGuard(allowed_hosts=["*.graz.example"])
    guard.invoke("![plan](https://img.graz.example/plan.png?line=7&zoom=large)")
    assert ScopeGuard(SYSTEM, check_links=False).check("![x](https://evil.example/x.png)").codes == ()


async def test_embeddings_judge_the_scope() -> None:
    """By contrast with other topics, or by a cut that the app's own answers set."""
    guard = ScopeGuard(Scope("Train tickets of Graz Rail: fares and refunds"), embeddings=Words())
    assert guard.check("The fares of Graz Rail are low, and refunds of tickets are quick.").codes == ()
    assert (await guard.acheck(CODE)).codes == ("off_scope",)
    off = ["The dragon loved the princess in the castle.", "Bake the cake in the oven with butter."]
    fine = ["Graz Rail pays refunds for tickets.", "The fares of the train to Vienna."]
    assert guard.calibrate(fine, off) is guard
    assert guard.calibration is not None
    assert (guard.calibration.kept, guard.calibration.refused) == (1.0, 1.0)
    assert [guard.check(text).codes for text in (*fine, *off)] == [(), (), ("off_scope",), ("off_scope",)]


async def test_a_judge_reads_the_answer_between_borders_and_never_the_question() -> None:
    """It is asked once an answer; what it says decides."""
    seen: list[Any] = []

    class Judge(FakeListChatModel):
        def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            seen.append(messages)
            return super()._call(messages, *args, **kwargs)

    guard = ScopeGuard(SYSTEM, judge=Judge(responses=["IN", "OUT", "Hm."]))
    assert guard.check(FINE).codes == ()
    assert (await guard.acheck(FINE)).codes == ("off_scope",)
    assert len(seen) == 2
    assert FINE in seen[0][1].content
    assert "<untrusted-" in seen[0][1].content
    assert CANARY.token not in str(seen)
    with pytest.raises(GuardError):
        guard.check(FINE)


async def test_a_failing_check_stops_the_answer() -> None:
    """Closed by default; open only where somebody says so."""

    class Broken(Words):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            raise RuntimeError(FINE)

    class Nan(Words):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[float("nan")] * 4 for _ in texts]

    class Short(Words):
        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[1.0, 0.0]]

    for broken in (Broken(), Nan(), Short()):
        guard = ScopeGuard(SYSTEM, embeddings=broken)
        with pytest.raises(GuardError) as caught:
            guard.invoke(FINE)
        assert "Vienna" not in f"{caught.value!r} {caught.value.__cause__!r}"
        with pytest.raises(GuardError):
            await guard.ainvoke(FINE)
        flagging = ScopeGuard(SYSTEM, embeddings=broken, on_error="flag")
        assert flagging.invoke(AIMessage(FINE)).response_metadata["prodkit_output"]["reasons"] == [
            "detector_error"
        ]


async def test_one_event_an_answer() -> None:
    """Codes and numbers, never text."""
    guard = ScopeGuard(SYSTEM, canary=CANARY, on_violation="replace")
    events: list[Any] = [
        e async for e in guard.astream_events(LEAK, version="v2") if e["event"] == "on_custom_event"
    ]
    assert [event["name"] for event in events] == ["prodkit.checked"]
    assert events[0]["data"]["reasons"] == ["canary"]
    assert CANARY.token not in str(events)


def test_the_scope_travels_in_the_message() -> None:
    """One message is the template's part and the guard's scope; braces in it are text."""
    system = scoped_prompt("You explain {templates}.", declines=["poems"], examples=["So they do."])
    prompt = ChatPromptTemplate.from_messages([system, ("human", "{question}")])
    value = prompt.invoke({"question": "What?"})
    assert "{templates}" in value.to_messages()[0].content
    scope = Scope.of(value.to_messages()[0])
    assert (scope.purpose, scope.declines, scope.examples) == (
        "You explain {templates}.", ("poems",), ("So they do.",)
    )  # fmt: skip
    assert "So they do." not in str(system.content)
    assert "poems" in str(system.content)
    assert Scope.of("Tickets.").message().content == scoped_prompt("Tickets.").content


def test_what_makes_no_sense_is_refused() -> None:
    """With the way out in the message."""
    wrong: list[dict[str, Any]] = [
        {"check_links": False},
        {"canary": "word"},
        {"scope": "x", "judge": "gpt"},
        {"judge": FakeListChatModel(responses=["IN"])},
        {"allowed_hosts": ["https://example.com/x"]},
        {"allowed_hosts": "example.com"},
        {"on_violation": "shout"},
        {"scope": ""},
        {"scope": 3},
        {"hold_chars": 1},
    ]
    for arguments in wrong:
        with pytest.raises(ConfigurationError):
            ScopeGuard(**arguments)


async def test_two_hundred_answers_at_once() -> None:
    """Each gets its own verdict."""
    guard = ScopeGuard(SYSTEM, canary=CANARY, on_violation="replace")
    answers = [LEAK if number % 2 else f"{FINE} {number}" for number in range(200)]
    given = await asyncio.gather(*(guard.ainvoke(answer) for answer in answers))
    assert [text == answer for text, answer in zip(given, answers, strict=True)] == [
        number % 2 == 0 for number in range(200)
    ]

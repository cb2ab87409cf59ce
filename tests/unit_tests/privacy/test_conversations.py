"""What a protected model is built into: retrievers, stored history, tools, structured answers."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.chat_history import InMemoryChatMessageHistory
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableConfig, RunnablePassthrough
from langchain_core.runnables.history import RunnableWithMessageHistory
from langchain_core.tools import tool

from langchain_prodkit.privacy import PresidioRunnable
from tests.unit_tests.privacy.parts import EchoModel, NameDetector, echo


class Shelf(BaseRetriever):
    """Finds one document, about somebody whom the question does not name."""

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return [Document(f"Alan Kay answers {query}", metadata={"author": "Art"})]


@pytest.mark.parametrize("operators", ["placeholder", "surrogate"])
async def test_fetched_documents_reach_the_model_redacted(operators: str) -> None:
    """Documents fetched inside the chain are hidden from the model and restored in the answer."""
    privacy = PresidioRunnable(NameDetector(), operators=operators)
    model = EchoModel(reply=echo, cut=3)
    prompt = ChatPromptTemplate.from_template("{docs}\n\n{question}")
    chain = (
        {"docs": Shelf(), "question": RunnablePassthrough()}
        | prompt
        | privacy.protect(model)
        | StrOutputParser()
    )
    answers = [
        chain.invoke("Who is Ada Byron?"),
        await chain.ainvoke("Who is Ada Byron?"),
        "".join(chain.stream("Who is Ada Byron?")),
        "".join([chunk async for chunk in chain.astream("Who is Ada Byron?")]),
    ]
    for answer in answers:
        assert "Alan Kay answers Who is Ada Byron?" in answer
        assert "Art" in answer
    for name in ("Alan Kay", "Ada Byron", "'Art'"):
        assert name not in model.sent


def test_a_stored_history_holds_values_and_the_model_sees_none(privacy: PresidioRunnable) -> None:
    """Turn after turn the stored messages go out redacted, with one numbering a thread."""
    model = EchoModel(reply=echo)
    store: dict[str, InMemoryChatMessageHistory] = {}
    prompt = ChatPromptTemplate.from_messages([MessagesPlaceholder("history"), ("human", "{question}")])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain = RunnableWithMessageHistory(
            prompt | privacy.protect(model),
            lambda thread_id: store.setdefault(thread_id, InMemoryChatMessageHistory()),
            input_messages_key="question",
            history_messages_key="history",
            history_factory_config=[_thread()],
        )
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    chain.invoke({"question": "I am Ada Byron"}, config)
    answer = chain.invoke({"question": "Alan Kay asks for Ada Byron"}, config)
    assert answer.content == "You said: Alan Kay asks for Ada Byron"
    assert [message.content for message in store["t"].messages] == [
        "I am Ada Byron",
        "You said: I am Ada Byron",
        "Alan Kay asks for Ada Byron",
        "You said: Alan Kay asks for Ada Byron",
    ]
    assert [message.content for message in model.seen[1]] == [
        "I am <PERSON_1>",
        "You said: I am <PERSON_1>",
        "<PERSON_2> asks for <PERSON_1>",
    ]


def _thread() -> Any:
    from langchain_core.runnables import ConfigurableFieldSpec  # noqa: PLC0415 - only here

    return ConfigurableFieldSpec(id="thread_id", annotation=str)


@tool
def find(name: str) -> str:
    """Find somebody."""
    return f"{name} lives with Alan Kay"


def test_tools_get_values_and_their_results_go_back_redacted(privacy: PresidioRunnable) -> None:
    """A whole round of a tool: call, result, answer."""

    def reply(messages: Any) -> AIMessage:
        if isinstance(messages[-1], ToolMessage):
            return AIMessage(f"Found: {messages[-1].text}")
        call = {"name": "find", "args": {"name": "<PERSON_1>"}, "id": "1", "type": "tool_call"}
        return AIMessage("", tool_calls=[call])

    model = EchoModel(reply=reply)
    safe = privacy.protect(model).bind_tools([find])
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    messages: list[Any] = [HumanMessage("Find Ada Byron")]
    called = safe.invoke(messages, config)
    assert called.tool_calls[0]["args"] == {"name": "Ada Byron"}
    result = find.invoke(called.tool_calls[0])
    assert safe.invoke([*messages, called, result], config).content == "Found: Ada Byron lives with Alan Kay"
    assert "Ada" not in model.sent
    assert "Alan" not in model.sent

"""Small real chains: a model with usage, retrievers at several depths, and ways to fail."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from langchain_core.tools import StructuredTool
from typing_extensions import override

from langchain_prodkit.evaluation import MLflowEvalCallback

USAGE: Any = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


class EchoModel(BaseChatModel):
    """Answers `echo <last message>`; counts three tokens in and two out."""

    delay_s: float = 0.0
    fails: bool = False
    model: str = "echo-1"

    @property
    @override
    def _llm_type(self) -> str:
        return "echo"

    def _message(self, messages: list[BaseMessage]) -> AIMessage:
        if self.fails:
            raise LeakyError
        return AIMessage(f"echo {messages[-1].text}", usage_metadata=USAGE)

    @override
    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        time.sleep(self.delay_s)
        return ChatResult(generations=[ChatGeneration(message=self._message(messages))])

    @override
    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        await asyncio.sleep(self.delay_s)
        return ChatResult(generations=[ChatGeneration(message=self._message(messages))])

    def _chunks(self, messages: list[BaseMessage]) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content=""))
        for word in self._message(messages).text.split(" "):
            yield ChatGenerationChunk(message=AIMessageChunk(content=f"{word} "))
        yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=USAGE))

    @override
    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages):
            time.sleep(self.delay_s)
            if run_manager:
                run_manager.on_llm_new_token(chunk.message.content, chunk=chunk)
            yield chunk

    @override
    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages):
            await asyncio.sleep(self.delay_s)
            if run_manager:
                await run_manager.on_llm_new_token(chunk.message.content, chunk=chunk)
            yield chunk


class LeakyError(RuntimeError):
    """An error whose message holds what a user wrote, as those of libraries do."""

    code = "leaky"

    def __init__(self) -> None:
        super().__init__("could not answer Ada Byron, ada@example.org")


class Shelf(BaseRetriever):
    """Gives the same documents for every question, with the question in the last one."""

    texts: tuple[str, ...] = ("first page", "second page")

    @override
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        texts = (*self.texts, f"about {query}")
        return [Document(text, id=str(number), metadata={"n": number}) for number, text in enumerate(texts)]


class Chooser(BaseRetriever):
    """Asks another retriever and keeps its first document."""

    inner: BaseRetriever

    @override
    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        return self.inner.invoke(query, config={"callbacks": run_manager.get_child()})[:1]


def joined(documents: list[Document]) -> str:
    """Give the texts of documents, a line each."""
    return "\n".join(document.page_content for document in documents)


def rag(model: BaseChatModel | None = None, retriever: BaseRetriever | None = None) -> Runnable[Any, str]:
    """Make a chain whose retriever runs three levels below the root."""
    context = RunnableLambda(lambda question: question) | (retriever or Shelf()) | joined
    prompt = ChatPromptTemplate.from_messages([("system", "{context}"), ("human", "{question}")])
    filled = {"context": context, "question": RunnablePassthrough()} | prompt
    return filled | (model or EchoModel()) | StrOutputParser()


def stuck(where: str, started: asyncio.Event) -> Runnable[Any, Any]:
    """Make a chain that never gets past its `model`, `retriever`, `tool` or `chain`."""

    async def wait(question: str) -> str:
        """Wait for ever."""
        started.set()
        await asyncio.Event().wait()
        return question

    class StuckModel(EchoModel):
        @override
        async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
            await wait("")
            return await super()._agenerate(messages, *args, **kwargs)

    class StuckShelf(Shelf):
        @override
        async def _aget_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document(await wait(query))]

    pieces: dict[str, Runnable[Any, Any]] = {
        "model": StuckModel(),
        "retriever": StuckShelf(),
        "tool": StructuredTool.from_function(coroutine=wait, name="wait"),
        "chain": RunnableLambda(wait),
    }
    return RunnableLambda(lambda question: question) | pieces[where]


def open_entries(record: MLflowEvalCallback) -> int:
    """Count the runs that a callback still follows."""
    tree = record._tree
    return len(tree) + len(tree._roots) + len(tree._late)


async def settled(record: MLflowEvalCallback) -> None:
    """Wait until langchain-core has reported the ends that it reports from tasks of its own."""
    async with asyncio.timeout(10):
        while open_entries(record):  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.01)

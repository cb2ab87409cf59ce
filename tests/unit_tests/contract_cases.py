"""What the contract suite runs over: every public Runnable, with an input it can be told apart by."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.load.serializable import Serializable
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda, RunnableSequence
from pydantic import BaseModel

from langchain_prodkit import (
    InjectionGuardRunnable,
    InstructorParser,
    PresidioRunnable,
    RateLimitedAsyncChat,
    harden,
)
from langchain_prodkit._harden import HardenedChain
from langchain_prodkit.evaluation import MaxWords, NotEmpty, OutputCheckRunnable
from langchain_prodkit.guard import (
    Canary,
    ConductTracker,
    HeuristicDetector,
    LexicalEmbeddings,
    MemoryConductStore,
    QueryRewriter,
    RelevanceGate,
    Scope,
    ScopeGuard,
    Spotlight,
    delimit,
)
from langchain_prodkit.limits import Budget, LocalLimiter, RetryPolicy
from langchain_prodkit.privacy import (
    MemoryVault,
    PresidioDetector,
    PresidioRestorer,
    ProtectedChain,
    ProtectedChatModel,
)


class Answer(BaseModel):
    """An answer."""

    number: int


class EchoModel(BaseChatModel):
    """Says back what the last message said, word by word when it streams."""

    delay_s: float = 0.0
    as_json: bool = False
    """Answers with the first number of the prompt, as an `Answer`."""

    @property
    def _llm_type(self) -> str:
        return "echo"

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Let `dumps` write it."""
        return True

    def _text(self, messages: list[BaseMessage]) -> str:
        if self.as_json:
            found = re.search(r"#(\d+)", "\n".join(str(message.content) for message in messages))
            return f'{{"number": {found.group(1) if found else 0}}}'
        return str(messages[-1].content)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(self._text(messages)))])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> ChatResult:
        await asyncio.sleep(self.delay_s)
        return self._generate(messages, stop)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for part in re.split(r"(?<= )", self._text(messages)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=part))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: Any = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages):
            await asyncio.sleep(self.delay_s)
            yield chunk


@dataclass(frozen=True)
class Case:
    """One public Runnable and what it does to the number that a test hands in."""

    name: str
    make: Callable[[], Runnable[Any, Any]]
    value: Callable[[int], Any]
    expected: Callable[[int], Any]
    is_serializable: bool = True
    """`dumps` and `loads` can rebuild it; otherwise `dumps` raises the typed error."""
    takes_any: bool = True
    """Any value with text will do as input."""
    bad_inputs: tuple[Any, ...] = (object(), {"a": object()})
    """Inputs it must refuse with a typed error."""
    slow: Callable[[], Runnable[Any, Any]] | None = None
    """The same piece around something that takes a minute, to be cancelled."""


def _mail(number: int) -> str:
    return f"Number #{number} has the mail u{number}@example.com today"


@cache
def _detector() -> PresidioDetector:
    # Loading Presidio's recognizers takes most of a second; the detector keeps nothing but spans.
    return PresidioDetector(profile="patterns")


def _redactor() -> PresidioRunnable:
    return PresidioRunnable(_detector())


def _there_and_back(operators: str = "placeholder") -> Runnable[Any, Any]:
    redact = PresidioRunnable(_detector(), operators=operators)
    return redact | redact.restore()


def _gate() -> RelevanceGate:
    return RelevanceGate(RunnableLambda(_fetched), 0.1, embeddings=LexicalEmbeddings())


def _fetched(question: str) -> list[Document]:
    return [Document(question)]


def _first_document(found: dict[str, Any]) -> str:
    return str(found["context"][0].page_content)


def plain(output: Any) -> Any:
    """Give what can be compared: the text of a message, anything else as it is."""
    return output.content if isinstance(output, BaseMessage) else output


CASES = [
    Case(
        "PresidioRunnable",
        _redactor,
        _mail,
        lambda n: _mail(n).replace(f"u{n}@example.com", "<EMAIL_ADDRESS_1>"),
    ),
    # The two share one vault, which JSON cannot say; a pickle can.
    Case("PresidioRunnable and restore", _there_and_back, _mail, _mail, is_serializable=False),
    Case(
        "PresidioRunnable with surrogates and restore",
        lambda: _there_and_back("surrogate"),
        _mail,
        _mail,
        is_serializable=False,
    ),
    Case(
        "protect(model)",
        lambda: _redactor().protect(EchoModel()),
        _mail,
        _mail,
        takes_any=False,
        slow=lambda: _redactor().protect(EchoModel(delay_s=60)),
    ),
    Case(
        "protect(chain)",
        lambda: _redactor().protect(EchoModel().with_config(run_name="inner") | _content),
        _mail,
        _mail,
        is_serializable=False,
        takes_any=False,
        slow=lambda: _redactor().protect(EchoModel(delay_s=60) | _content),
    ),
    Case("InjectionGuardRunnable", InjectionGuardRunnable, _mail, _mail),
    Case(
        "InjectionGuardRunnable of messages",
        lambda: InjectionGuardRunnable([HeuristicDetector()]),
        lambda n: HumanMessage(_mail(n), id="1"),
        _mail,
    ),
    Case(
        "Spotlight",
        lambda: Spotlight(seed=1),
        _mail,
        lambda n: delimit(_mail(n), seed=1),
        takes_any=False,
    ),
    Case("ScopeGuard", lambda: ScopeGuard("You read out numbers and mails."), _mail, _mail),
    Case(
        "ScopeGuard of messages",
        lambda: ScopeGuard(canary=Canary("qzkvwxytrplmabcdefgh"), on_violation="replace"),
        lambda n: AIMessageChunk(content=_mail(n), id="1"),
        _mail,
        is_serializable=False,
    ),
    Case(
        "OutputCheckRunnable", lambda: OutputCheckRunnable([NotEmpty(), MaxWords(max_words=99)]), _mail, _mail
    ),
    Case(
        "OutputCheckRunnable that replaces",
        lambda: OutputCheckRunnable([MaxWords(max_words=3)], on_failure="replace", fallback="too long"),
        lambda n: AIMessageChunk(content=_mail(n), id="1"),
        lambda _: "too long",
        takes_any=False,
    ),
    Case(
        "RelevanceGate of a chain",
        lambda: _gate().answer_with(RunnableLambda(_first_document)),
        _mail,
        _mail,
        is_serializable=False,
        takes_any=False,
        slow=lambda: _gate().answer_with(RunnableLambda(_first_document) | EchoModel(delay_s=60)),
    ),
    Case(
        "QueryRewriter",
        lambda: QueryRewriter(EchoModel()),
        lambda n: f'{{"has_question": true, "question": "{_mail(n)}"}}',
        _mail,
        takes_any=False,
        slow=lambda: QueryRewriter(EchoModel(delay_s=60)),
    ),
    Case("ConductTracker", lambda: ConductTracker(on_anonymous="pass"), _mail, _mail),
    Case(
        "InjectionGuardRunnable with conduct",
        lambda: InjectionGuardRunnable([HeuristicDetector()], conduct=ConductTracker(on_anonymous="pass")),
        _mail,
        _mail,
    ),
    Case(
        "RateLimitedAsyncChat",
        lambda: RateLimitedAsyncChat(EchoModel(), requests_per_minute=60_000, tokens_per_minute=60_000_000),
        _mail,
        _mail,
        takes_any=False,
        slow=lambda: RateLimitedAsyncChat(EchoModel(delay_s=60), requests_per_minute=60_000),
    ),
    Case(
        "RateLimitedAsyncChat with a budget",
        lambda: RateLimitedAsyncChat(
            EchoModel(), budget=Budget(max_usd=100.0, max_tokens=10**9, prices={"*": {"input": 0.1}})
        ),
        _mail,
        _mail,
        takes_any=False,
        slow=lambda: RateLimitedAsyncChat(EchoModel(delay_s=60), budget=Budget(max_tokens=10**9)),
    ),
    Case(
        "InstructorParser of an answer",
        lambda: InstructorParser(Answer),
        lambda n: f'{{"number": {n}}}',
        lambda n: Answer(number=n),
        is_serializable=False,
        takes_any=False,
    ),
    Case(
        "InstructorParser of a prompt",
        lambda: InstructorParser(Answer, llm=EchoModel(as_json=True), mode="text"),
        lambda n: [HumanMessage(_mail(n))],
        lambda n: Answer(number=n),
        is_serializable=False,
        takes_any=False,
        slow=lambda: InstructorParser(Answer, llm=EchoModel(delay_s=60, as_json=True), mode="text"),
    ),
    Case(
        "harden",
        lambda: harden(
            EchoModel(), privacy=_redactor(), limits={"requests_per_minute": 60_000, "max_concurrency": 500}
        ),
        _mail,
        _mail,
        takes_any=False,
        slow=lambda: harden(EchoModel(delay_s=60), privacy=_redactor()),
    ),
]

SERIALIZABLE: list[type[Serializable]] = [
    Budget,
    ConductTracker,
    EchoModel,
    HardenedChain,
    HeuristicDetector,
    InjectionGuardRunnable,
    LocalLimiter,
    MaxWords,
    MemoryConductStore,
    MemoryVault,
    NotEmpty,
    OutputCheckRunnable,
    PresidioDetector,
    PresidioRestorer,
    PresidioRunnable,
    ProtectedChain,
    ProtectedChatModel,
    QueryRewriter,
    RateLimitedAsyncChat,
    RetryPolicy,
    RunnableSequence,
    Scope,
    ScopeGuard,
    Spotlight,
]
NAMESPACES = ["langchain_prodkit", "tests"]


def _content(message: BaseMessage) -> str:
    return str(message.content)

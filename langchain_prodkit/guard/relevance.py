"""`RelevanceGate`: a question that no document fits is answered without a model, and no poison passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from langchain_core.documents import Document
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSequence
from pydantic import Field, PrivateAttr, ValidationError
from typing_extensions import override

from langchain_prodkit._chat import innermost
from langchain_prodkit._events import GATED, Emit
from langchain_prodkit._runnable import ProdkitRunnable, StreamingRunnable
from langchain_prodkit._steps import END, Call, Next, Open, Out, Steps, StreamSteps, adrive, drive
from langchain_prodkit.errors import ConfigurationError, GuardError, InputTypeError, IrrelevantError
from langchain_prodkit.guard.calibration import Calibration, calibrated
from langchain_prodkit.guard.cascade import OperatingPoint
from langchain_prodkit.guard.purpose import REFUSAL
from langchain_prodkit.guard.retrieval import Retrieval
from langchain_prodkit.guard.runnable import InjectionGuardRunnable
from langchain_prodkit.guard.subject import METADATA_KEY

if TYPE_CHECKING:
    from langchain_prodkit.guard.retrieval import Scored

__all__ = ["GatedChain", "RelevanceGate"]

RELEVANCE_KEY: Final = "prodkit_relevance"


@dataclass(frozen=True, slots=True)
class _Found:
    """What a gate found for one question."""

    documents: list[Document]
    score: float
    is_relevant: bool
    retrieved: int
    dropped: int


class RelevanceGate(ProdkitRunnable[Any, list[Document]]):
    """Retrieves for a question, drops poisoned documents, and stops when none of the rest fits it.

    Stands where the retriever stood. Somebody who wants to misuse a bot asks for something that its
    documents do not hold: such a question gets a refusal, and no model is called.

    ```python
    gate = RelevanceGate(vectorstore).calibrate(questions, out_of_scope=others)
    chain = {"context": gate | join, "question": RunnablePassthrough()} | prompt | model  # raises
    chain = gate.answer_with(prompt | model)  # gives the refusal as the answer
    ```

    Every retrieved document is judged by the guard's detectors before its score counts, so a poisoned
    document that is close to everything opens no gate. What is dropped is counted in the event
    `prodkit.gated`; documents that go on carry their score in `metadata["prodkit_relevance"]`.

    Takes a question as a string, a message, a list of messages (the last user message counts) or a dict
    (`question_key`).

    Raises:
        IrrelevantError: No document reaches `min_score` and `on_irrelevant` is `"raise"`.
        InjectionError: A document is poisoned and `on_injection` is `"raise"`.
        GuardError: Retrieval gave no usable scores, or a detector failed; nothing went on.
        ConfigurationError: There is no `min_score`: give one or calibrate.
    """

    retriever: Any
    """A vector store, a retriever, or any Runnable from a string to documents."""
    min_score: float | None = Field(default=None, allow_inf_nan=False)
    """Score that the best document needs; on the scale of the store, higher is nearer."""
    embeddings: Any = None
    """Measures what a retriever without scores gives: cosine of question and document."""
    k: int = Field(default=4, ge=1)
    """Documents to retrieve from a vector store."""
    search_kwargs: dict[str, Any] = Field(default_factory=dict)
    """More for the search of a vector store, e.g. a filter."""
    scores: Literal["auto", "similarity", "distance"] = "auto"
    """What the numbers of a vector store mean that has no relevance score; `auto` reads it from the order
    of its results. A distance d counts as 1 / (1 + d)."""
    score_key: str | None = None
    """Metadata key under which your retriever puts a relevance score. Whoever writes documents must not
    be able to set it."""
    question_key: str = "question"
    """Where the question stands in a dict."""
    detectors: tuple[Any, ...] | None = None
    """What judges the documents; None for the guard's default detectors."""
    threshold: float | OperatingPoint | None = None
    """The cut for documents, as in `InjectionGuardRunnable`."""
    on_irrelevant: Literal["raise", "flag", "replace"] = "raise"
    """`flag` lets the documents go on and says so in the event; `replace` gives no documents at all."""
    on_injection: Literal["raise", "flag", "replace"] = "replace"
    """`replace` drops poisoned documents; `flag` lets them go on with the verdict in their metadata."""

    calibration: Calibration | None = Field(default=None, exclude=True, repr=False)
    """What `calibrate` found."""

    _guard: InjectionGuardRunnable = PrivateAttr()
    _retrieval: Retrieval = PrivateAttr()

    def __init__(self, retriever: Any, min_score: float | None = None, **kwargs: Any) -> None:
        """Take the retriever and the cut by position, everything else by name.

        Raises:
            ConfigurationError: The first argument retrieves nothing, or an argument makes no sense.
        """
        try:
            super().__init__(retriever=retriever, min_score=min_score, **kwargs)  # type: ignore[call-arg]
        except ValidationError as error:
            fields = ", ".join(sorted({str(e["loc"][0]) for e in error.errors(include_input=False)}))
            raise ConfigurationError(f"RelevanceGate does not understand: {fields}") from None
        self._guard = InjectionGuardRunnable(
            self.detectors,
            threshold=self.threshold,
            on_injection="raise" if self.on_injection == "raise" else "flag",
        )
        self._retrieval = Retrieval(
            retriever,
            embeddings=self.embeddings,
            k=self.k,
            search_kwargs=self.search_kwargs,
            scores=self.scores,
            score_key=self.score_key,
        )

    # -- calibrating -----------------------------------------------------------------------------

    def calibrate(
        self, in_scope: Sequence[str], out_of_scope: Sequence[str] = (), *, keep: float = 0.95
    ) -> Self:
        """Set `min_score` from your own users' questions, and from questions that are not for this bot.

        Args:
            in_scope: Questions that the documents answer; fifty make a cut, five a guess.
            out_of_scope: Questions that they do not answer; without any, the cut lies just under the
                questions in scope.
            keep: Share of `in_scope` that has to get through.

        Returns:
            The gate itself; `calibration` says what the cut does to the questions given here.

        Raises:
            ConfigurationError: There is no question in scope, or `keep` is no share.
        """
        drive(self._calibrating(in_scope, out_of_scope, keep))
        return self

    async def acalibrate(
        self, in_scope: Sequence[str], out_of_scope: Sequence[str] = (), *, keep: float = 0.95
    ) -> Self:
        """Set `min_score` from asynchronous code; see `calibrate`."""
        await adrive(self._calibrating(in_scope, out_of_scope, keep))
        return self

    def _calibrating(self, in_scope: Sequence[str], out_of_scope: Sequence[str], keep: float) -> Steps[None]:
        best: list[float] = []
        for question in (*in_scope, *out_of_scope):
            found = yield from self._retrieval.steps(question, {})
            best.append(max((score for _, score in found), default=0.0))
        self.calibration = calibrated(best[: len(in_scope)], best[len(in_scope) :], keep=keep)
        self.min_score = self.calibration.cut

    # -- running ---------------------------------------------------------------------------------

    def answer_with(self, chain: Any, *, refusal: str = REFUSAL, context_key: str = "context") -> GatedChain:
        """Give a chain that answers questions with documents, and with `refusal` where there are none.

        `chain` gets a dict: the question under `question_key`, the documents under `context_key`, and
        whatever else a dict brought. The refusal is a string, or an `AIMessage` where `chain` ends in a
        chat model.
        """
        return GatedChain(self, chain, refusal=refusal, context_key=context_key)

    def question(self, value: Any) -> str:
        """Find the question in an input.

        Raises:
            InputTypeError: There is none.
        """
        if isinstance(value, Mapping) and self.question_key in value:
            value = value[self.question_key]
        if isinstance(value, PromptValue):
            value = value.to_messages()
        if isinstance(value, list | tuple):
            value = next((item for item in reversed(value) if isinstance(item, HumanMessage)), None)
        if isinstance(value, BaseMessage):
            value = str(value.text)
        if isinstance(value, str):
            return value
        raise InputTypeError(
            "a relevance gate takes a question: a string, messages with one of the user, or a dict that "
            "holds it under question_key"
        )

    def found_steps(self, value: Any, config: RunnableConfig) -> Steps[_Found]:
        """Retrieve, judge and measure; a body for a driver."""
        question = self.question(value)
        if self.min_score is None:
            raise ConfigurationError(
                "this gate has no cut: give min_score, or calibrate(questions) with your own users' questions"
            )
        scored: list[Scored] = yield from self._retrieval.steps(question, config)
        clean, reasons = yield from self._clean(scored, config)
        score = max((score for _, score in clean), default=0.0)
        is_relevant = bool(clean) and score >= self.min_score
        dropped = len(scored) - len(clean)
        data = {
            "is_relevant": is_relevant,
            "score": round(score, 4),
            "cut": self.min_score,
            "retrieved": len(scored),
            "dropped": dropped,
            "reasons": reasons,
        }
        yield Emit(GATED, data, config)
        documents = [
            document.model_copy(update={"metadata": {**document.metadata, RELEVANCE_KEY: score}})
            for document, score in clean
        ]
        return _Found(documents, score, is_relevant, len(scored), dropped)

    def _clean(self, scored: list[Scored], config: RunnableConfig) -> Steps[tuple[list[Scored], list[str]]]:
        """Judge all documents in one go and leave out the poisoned ones."""
        if not scored:
            return [], []
        # A verdict that a document brings along is not ours.
        plain = [
            document.model_copy(
                update={"metadata": {k: v for k, v in document.metadata.items() if k != METADATA_KEY}}
            )
            for document, _ in scored
        ]
        judged = yield Call(self._guard.invoke, self._guard.ainvoke, plain, config)
        if len(judged) != len(scored):
            raise GuardError("the guard lost a document; nothing went on")
        clean: list[Scored] = []
        reasons: list[str] = []
        for document, (_, score) in zip(judged, scored, strict=True):
            verdict = document.metadata.get(METADATA_KEY, {})
            if verdict.get("is_injection"):
                reasons += [code for code in verdict["reasons"] if code not in reasons]
            if not verdict.get("is_injection") or self.on_injection == "flag":
                clean.append((document, score))
        return clean, reasons

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[list[Document]]:
        found = yield from self.found_steps(value, config)
        if found.is_relevant or self.on_irrelevant == "flag":
            return found.documents
        if self.on_irrelevant == "replace":
            return []
        raise self.error(found)

    def error(self, found: _Found) -> IrrelevantError:
        """Give the error for a question that nothing fits."""
        cut = self.min_score or 0.0
        return IrrelevantError(score=found.score, cut=cut, retrieved=found.retrieved, dropped=found.dropped)


class GatedChain(StreamingRunnable[Any, Any]):
    """What `RelevanceGate.answer_with` gives: the chain behind the gate, or a refusal without it."""

    gate: RelevanceGate
    chain: Any
    """Answers from question and documents."""
    refusal: str = REFUSAL
    context_key: str = "context"

    def __init__(self, gate: RelevanceGate, chain: Any, **kwargs: Any) -> None:
        """Put `chain` behind `gate`.

        Raises:
            ConfigurationError: `chain` is no Runnable.
        """
        if not isinstance(chain, Runnable):
            raise ConfigurationError(f"answer_with() takes a Runnable, not a {type(chain).__qualname__}")
        super().__init__(gate=gate, chain=chain, **kwargs)  # type: ignore[call-arg]

    def _refused(self) -> Any:
        last = self.chain.last if isinstance(self.chain, RunnableSequence) else self.chain
        return AIMessage(self.refusal) if isinstance(innermost(last), BaseChatModel) else self.refusal

    def _input(self, value: Any, found: _Found) -> dict[str, Any]:
        rest = dict(value) if isinstance(value, Mapping) else {}
        question = {self.gate.question_key: self.gate.question(value)}
        return {**rest, **question, self.context_key: found.documents}

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        found = yield from self.gate.found_steps(value, config)
        if not found.is_relevant:
            return self._refused()
        return (
            yield Call(self.chain.invoke, self.chain.ainvoke, self._input(value, found), config, **kwargs)
        )

    @override
    def _transform_steps(
        self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> StreamSteps[Any]:
        value = yield Next(chunks)
        if value is END:
            return
        while (chunk := (yield Next(chunks))) is not END:
            value = value + chunk
        found = yield from self.gate.found_steps(value, config)
        if not found.is_relevant:
            yield Out(self._refused())
            return
        stream = yield Open(
            self.chain.stream, self.chain.astream, self._input(value, found), config, **kwargs
        )
        while (chunk := (yield Next(stream))) is not END:
            yield Out(chunk)

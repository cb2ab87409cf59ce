"""`ScopeGuard`: look at the answer alone, and let it leave only when it is in order."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, Final, Literal, Self

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from pydantic import Field, PrivateAttr, ValidationError
from typing_extensions import override

from langchain_prodkit._chat import innermost
from langchain_prodkit._events import CHECKED, Emit
from langchain_prodkit._runnable import StreamingRunnable
from langchain_prodkit._steps import Call, Steps, StreamSteps, adrive, drive
from langchain_prodkit.errors import ConfigurationError, GuardError, OutputError, ProdkitError
from langchain_prodkit.guard.answer import Answer, OutputVerdict
from langchain_prodkit.guard.calibration import Calibration, calibrated
from langchain_prodkit.guard.canary import Canary, Fingerprint
from langchain_prodkit.guard.links import Hosts, risky_links
from langchain_prodkit.guard.output_stream import Stoppable, transformed
from langchain_prodkit.guard.purpose import REFUSAL, Scope
from langchain_prodkit.guard.skeleton import skeleton
from langchain_prodkit.guard.spotlight import delimit
from langchain_prodkit.guard.topics import (
    LexicalEmbeddings,
    TopicMap,
    checked_vector,
    own_texts,
    strange_texts,
)
from langchain_prodkit.guard.verdict import Reason

__all__ = ["ScopeGuard"]

LEXICAL_CUT: Final = 0.2
EMBEDDED_CUT: Final = 0.47
TOPIC_CHARS: Final = 24
"""Shorter answers ("You're welcome!") are about nothing; letters and digits count."""
JUDGE: Final = (
    "You check the answers of a bot. You see its scope and one answer, never the question.\n\n"
    "Scope: {scope}\n\n"
    "Reply with the single word IN when the answer belongs to this scope, or declines, greets or asks back; "
    "reply with the single word OUT when it does anything else."
)


class ScopeGuard(StreamingRunnable[Any, Any]):
    """Looks at the answer alone, without the question, and stops what should not leave.

    An injected question can talk a model into anything, but not this check, which never sees it. It
    finds:

    - `canary`: the planted word of a `Canary`, in the open or encoded;
    - `prompt_leak`: long parts of the system prompt, word for word or nearly so, or encoded;
    - `remote_image`, `data_link`, `active_link`: pictures from other hosts, links that carry data to
      them, `javascript:` and the like (see `guard.links`);
    - `off_scope`: an answer about something else than the bot is for.

    ```python
    system = scoped_prompt("You answer questions about train tickets of Graz Rail.", canary=canary)
    chain = prompt | model | ScopeGuard(system, canary=canary, embeddings=embeddings, on_violation="replace")
    ```

    How `off_scope` is judged: by `judge`, a chat model that is asked about each answer; else by
    `embeddings`, which compare it with purpose, topics and examples on the one side and with what the
    scope declines and usual other topics on the other; `calibrate` replaces that by a cut of your own.
    With neither of the two, shared words alone decide, and only an answer that is plainly about one of a
    dozen and a half other topics is stopped (English ones): a paraphrase passes, and so does a mixed answer.

    Streams: text leaves `hold_chars` characters late, so that what is found had not begun to leave; a
    leak that is longer than that in its encoding is cut off where it is found. Where `off_scope` is
    judged it leaves in steps of `window_chars`. Objects that are no text or message chunks are held to
    the end of the stream. With `on_violation="flag"` nothing is held.

    Judged are AI messages (tool calls included), strings, and the strings in dicts and objects; user and
    system messages, tool results and documents in an output are not the answer.

    Raises:
        OutputError: The answer must not leave and `on_violation` is `"raise"`.
        GuardError: A check failed and `on_error` is `"raise"`.
        InputTypeError: The output holds something whose text cannot be read.
    """

    scope: Scope | None = None
    """What the bot is for; None to leave out `off_scope`."""
    embeddings: Any = None
    """A LangChain `Embeddings`; local ones keep the answer on this machine."""
    judge: Any = None
    """A chat model that reads each answer, or window of a stream; the surest and the dearest way."""
    min_score: float | None = Field(default=None, allow_inf_nan=False)
    """Cosine of the nearest text of the scope that an answer needs; None compares with other topics."""
    on_violation: Literal["raise", "flag", "replace"] = "raise"
    """`flag` lets the answer leave, with the verdict in the event and in
    `response_metadata["prodkit_output"]` of a message. `replace` takes risky links out, and puts
    `replacement` for an answer with any other violation."""
    canary: Any = None
    """The `Canary` that was planted in the system prompt."""
    system_prompt: str | None = Field(default=None, repr=False)
    """Its wording must not leave; taken from `scope` when that is a message."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that links and pictures may point to: `example.com`, or `*.example.com` for all below."""
    check_links: bool = True
    """Whether to look at links and pictures."""
    replacement: str | None = None
    """What stands for an answer that may not leave; None for the scope's refusal."""
    hold_chars: int = Field(default=400, ge=64)
    """Characters of a stream that are held back."""
    window_chars: int = Field(default=600, ge=64)
    """Characters of a stream that are judged for `off_scope` at a time."""
    on_error: Literal["raise", "flag"] = "raise"
    """When a check fails: stop the answer, or let it go on with the reason `detector_error`."""

    calibration: Calibration | None = Field(default=None, exclude=True, repr=False)
    """What `calibrate` found."""

    _hosts: Hosts = PrivateAttr()
    _fingerprint: Fingerprint | None = PrivateAttr(default=None)
    _topics: TopicMap | None = PrivateAttr(default=None)

    def __init__(self, scope: str | Scope | BaseMessage | None = None, **kwargs: Any) -> None:
        """Take the scope (description, `Scope`, or `scoped_prompt`'s message) first, all else by name.

        Raises:
            ConfigurationError: The arguments make no sense, or leave nothing to check.
        """
        if isinstance(kwargs.get("allowed_hosts"), str):
            raise ConfigurationError("allowed_hosts is a list of host names, not one string")
        if isinstance(scope, BaseMessage):
            kwargs.setdefault("system_prompt", str(scope.text))
        try:
            super().__init__(scope=None if scope is None else Scope.of(scope), **kwargs)  # type: ignore[call-arg]
        except ValidationError as error:
            fields = ", ".join(sorted({str(e["loc"][0]) for e in error.errors(include_input=False)}))
            raise ConfigurationError(f"ScopeGuard does not understand: {fields}") from None
        self._prepare()

    def _prepare(self) -> None:
        if not (self.scope or self.canary or self.system_prompt or self.check_links):
            raise ConfigurationError(
                "nothing to check: give a scope, a canary, a system prompt or check_links"
            )
        if self.canary is not None and not isinstance(self.canary, Canary):
            raise ConfigurationError("canary is a Canary; plant it in the system prompt with canary.plant()")
        if self.judge is not None and not isinstance(innermost(self.judge), BaseChatModel):
            raise ConfigurationError("judge is a chat model")
        if self.scope is None and (self.judge is not None or self.embeddings is not None):
            raise ConfigurationError("embeddings and judge need a scope to judge by")
        self._hosts = Hosts(self.allowed_hosts)
        if self.system_prompt:
            fingerprint = Fingerprint(self.system_prompt, allowed=[self.refusal])
            self._fingerprint = None if fingerprint.is_empty else fingerprint

    @property
    def refusal(self) -> str:
        """What stands for an answer that may not leave."""
        return self.replacement or (self.scope.refusal if self.scope else REFUSAL)

    @property
    def judges_scope(self) -> bool:
        """Whether `off_scope` is looked for."""
        return self.scope is not None

    # -- checking --------------------------------------------------------------------------------

    def check(self, text: str) -> OutputVerdict:
        """Judge a text and change nothing; a violation does not raise.

        Raises:
            GuardError: A check failed and `on_error` is `"raise"`.
        """
        return drive(self.verdict_steps(text, text, None))

    async def acheck(self, text: str) -> OutputVerdict:
        """Judge a text from asynchronous code; see `check`."""
        return await adrive(self.verdict_steps(text, text, None))

    def verdict_steps(self, text: str, topic: str, config: RunnableConfig | None) -> Steps[OutputVerdict]:
        """Judge a whole answer; `topic` is what a reader sees of it. A body for a driver."""
        reasons = self.plain_reasons(text)
        score: float | None = None
        if not reasons:
            reasons, score = yield from self.scope_steps(topic, config)
        is_violation = any(reason.code != "detector_error" for reason in reasons)
        return OutputVerdict(is_violation, tuple(reasons), score, len(text))

    def plain_reasons(self, text: str, open_images: set[str] | None = None) -> list[Reason]:
        """Look for leaks and links; needs no model."""
        reasons = []
        for watch in (self.canary, self._fingerprint):
            leak = watch.find(text) if watch is not None else None
            if leak is not None:
                reasons.append(Reason(leak.code, leak.code, 1.0, leak.span, leak.encoding))
        if self.check_links:
            risky = risky_links(text, self._hosts, open_images=open_images)
            reasons += [Reason(code, "links", 1.0, (link.start, link.end)) for code, link in risky]
        return reasons

    def scope_steps(
        self, text: str, config: RunnableConfig | None
    ) -> Steps[tuple[list[Reason], float | None]]:
        """Judge what a text is about; a body for a driver."""
        said = skeleton(text)
        if self.scope is None or len(said) < TOPIC_CHARS or said == skeleton(self.refusal):
            return [], None
        try:
            if self.judge is not None:
                score, cut = (yield from self._asked(text, config)), 0.5
            else:
                score, cut = yield from self._measured(text)
        except Exception as error:
            if self.on_error == "flag":
                return [Reason("detector_error", "scope", 0.0)], None
            if isinstance(error, ProdkitError):
                raise error from None
            raise GuardError(
                f"the scope of an answer could not be judged ({type(error).__qualname__}); it did not leave. "
                "Repair the judge or the embeddings, or pass on_error='flag'."
            ) from None
        if score >= cut:
            return [], score
        return [Reason("off_scope", "scope", 1.0 - max(0.0, min(1.0, score)))], score

    def _asked(self, text: str, config: RunnableConfig | None) -> Steps[float]:
        scope = self.scope or Scope("-")
        said = "\n".join(
            [*own_texts(scope)[: 1 + len(scope.topics)], *(f"Not: {no}" for no in scope.declines)]
        )
        prompt = delimit([SystemMessage(JUDGE.format(scope=said)), HumanMessage(text)], method="border")
        answer = yield Call(self.judge.invoke, self.judge.ainvoke, prompt, config)
        words = re.findall(r"\b(?:IN|OUT)\b", str(answer.text))
        if not words:
            raise GuardError("the judge answered neither IN nor OUT; the answer was not judged")
        return 1.0 if words[-1] == "IN" else 0.0

    def _measured(self, text: str) -> Steps[tuple[float, float]]:
        topics = yield from self._mapped()
        (vector,) = yield from self._embedded([text])
        if self.min_score is not None:
            return topics.nearness(vector), self.min_score
        return topics.contrast(vector), LEXICAL_CUT if self.embeddings is None else EMBEDDED_CUT

    def _mapped(self) -> Steps[TopicMap]:
        if self._topics is None:
            scope = self.scope or Scope("-")
            own, strange = own_texts(scope), strange_texts(scope)
            vectors = yield from self._embedded([*own, *strange])
            self._topics = TopicMap(scope, vectors[: len(own)], vectors[len(own) :])
        return self._topics

    def _embedded(self, texts: Sequence[str]) -> Steps[list[list[float]]]:
        model = LexicalEmbeddings() if self.embeddings is None else self.embeddings
        vectors = yield Call(model.embed_documents, model.aembed_documents, list(texts))
        if len(vectors) != len(texts):
            raise GuardError("the embeddings did not give one vector for each text")
        return [checked_vector(vector) for vector in vectors]

    # -- calibrating -----------------------------------------------------------------------------

    def calibrate(
        self, in_scope: Sequence[str], off_scope: Sequence[str] = (), *, keep: float = 0.95
    ) -> Self:
        """Set `min_score` from answers of your own app, and from answers that it should never give.

        The answers in scope become examples of nothing: they are measured, not remembered. Returns the
        guard itself; `calibration` says what the cut does to the answers given here.

        Raises:
            ConfigurationError: There is no scope, or no answer in scope.
        """
        drive(self._calibrating(in_scope, off_scope, keep))
        return self

    async def acalibrate(
        self, in_scope: Sequence[str], off_scope: Sequence[str] = (), *, keep: float = 0.95
    ) -> Self:
        """Set `min_score` from asynchronous code; see `calibrate`."""
        await adrive(self._calibrating(in_scope, off_scope, keep))
        return self

    def _calibrating(self, in_scope: Sequence[str], off_scope: Sequence[str], keep: float) -> Steps[None]:
        if self.scope is None or self.judge is not None:
            raise ConfigurationError("calibrate() needs a scope, and no judge: it sets a cut for vectors")
        topics = yield from self._mapped()
        vectors = yield from self._embedded([*in_scope, *off_scope])
        near = [topics.nearness(vector) for vector in vectors]
        self.calibration = calibrated(near[: len(in_scope)], near[len(in_scope) :], keep=keep)
        self.min_score = self.calibration.cut

    # -- running ---------------------------------------------------------------------------------

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        answer = Answer(value)
        verdicts = {}
        for part in answer.parts:
            verdicts[part] = yield from self.verdict_steps(answer.text(part), answer.topic(part), config)
        verdict = self.summed(list(verdicts.values()))
        yield Emit(CHECKED, verdict.as_dict(), config)
        if verdict.is_violation and self.on_violation == "raise":
            raise self.error(verdict)
        if verdict.is_violation and self.on_violation == "replace":
            return answer.replaced(verdicts, self.refusal)
        return answer.flagged(verdicts)

    def summed(self, verdicts: Sequence[OutputVerdict]) -> OutputVerdict:
        """Give one verdict on several parts of an answer."""
        scores = [verdict.scope_score for verdict in verdicts if verdict.scope_score is not None]
        return OutputVerdict(
            any(verdict.is_violation for verdict in verdicts),
            tuple(reason for verdict in verdicts for reason in verdict.reasons),
            min(scores, default=None),
            sum(verdict.chars for verdict in verdicts),
        )

    def error(self, verdict: OutputVerdict) -> OutputError:
        """Give the error for a violation."""
        spans = [reason.span for reason in verdict.reasons if reason.span is not None]
        return OutputError(reasons=verdict.codes, spans=spans)

    @override
    def transform(
        self, input: Iterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[Any]:
        source = Stoppable(input)
        yield from super().transform(source, config, source=source, **kwargs)

    @override
    async def atransform(
        self, input: AsyncIterator[Any], config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        source = Stoppable(input)
        async for chunk in super().atransform(source, config, source=source, **kwargs):
            yield chunk

    @override
    def _transform_steps(
        self, chunks: Any, config: RunnableConfig, kwargs: dict[str, Any]
    ) -> StreamSteps[Any]:
        return transformed(self, chunks, config, kwargs["source"])

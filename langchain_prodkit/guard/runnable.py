"""`InjectionGuardRunnable`: judge an input before a model reads it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, Self

from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import Field, ValidationError, field_validator, model_validator
from typing_extensions import override

from langchain_prodkit._events import JUDGED, Emit
from langchain_prodkit._runnable import ProdkitRunnable
from langchain_prodkit._steps import Call, Steps, adrive, drive
from langchain_prodkit.errors import ConfigurationError, InjectionError, ProdkitError
from langchain_prodkit.guard.cascade import OPERATING_POINTS, OperatingPoint, default_detectors
from langchain_prodkit.guard.conduct import ConductTracker
from langchain_prodkit.guard.detection import SETUP_ERRORS, as_detector, checked_scores, detector_failure
from langchain_prodkit.guard.subject import Subject, Unit
from langchain_prodkit.guard.verdict import Detector, Reason, Score, Source, Verdict

__all__ = ["InjectionGuardRunnable"]

CUTS: Final = 3
"""So often passages are cut out of one text; what is an attack even then goes whole."""
REFUSAL: Final = "I can't help with that request."
REMOVED_TEXT: Final = "[removed: this text tried to give instructions]"


class InjectionGuardRunnable(ProdkitRunnable[Any, Any]):
    """Lets an input through only when nothing in it tries to take over the model.

    Give it text, messages, a prompt value, documents, or dicts and lists of them; what goes on has
    the same type. User text, documents and tool results are judged, each with its own cut; system
    and AI messages are trusted. The whole input is judged before anything goes on.

    ```python
    chain = InjectionGuardRunnable() | prompt | model
    rag = InjectionGuardRunnable(input_keys=["question"], untrusted_keys=["context"], on_injection="replace")
    ```

    Every input sends a `prodkit.injection` event with the verdict: codes and numbers, never text.

    Raises:
        InjectionError: The input was judged an attack and `on_injection` is `"raise"`.
        GuardError: A detector failed and `on_error` is `"raise"`; nothing went on.
        InputTypeError: The input holds something whose text cannot be read.
        BannedError: The user is barred; `CoolDownError` for a short while. See `ConductTracker`.
        MissingExtraError: A detector needs an extra that is not installed, whatever `on_error` says.
        ModelFileError: A detector's model file is missing or damaged, whatever `on_error` says.
    """

    detectors: tuple[Any, ...] | None = None
    """Layers in the order they are asked; each next one sees only what is still below the cut. None
    for the default ones. Anything with `run(text)` that raises `ValueError` is taken too."""
    threshold: float | OperatingPoint | dict[Source, float | OperatingPoint] | None = None
    """The cut: a score 0..1, or the name of an operating point; None for `"balanced"` (0.5). A dict gives
    each source (`user`, `document`, `tool`) a cut of its own."""
    source: Source = "user"
    """What a text counts as whose origin the input does not say: a plain str, a field of a dict. Messages
    and documents say it themselves. `"tool"` suits a guard behind a tool or a fetcher."""
    on_injection: Literal["raise", "flag", "replace"] = "raise"
    """`flag` lets the input go on, with the verdict in `response_metadata["prodkit_injection"]` of a
    message or `metadata["prodkit_injection"]` of a document. `replace` puts `replacement` for user
    text and `removed_text` for tool results, and takes poisoned documents out of their list."""
    replacement: str = REFUSAL
    """What stands for poisoned user text with `on_injection="replace"`."""
    removed_text: str = REMOVED_TEXT
    """What stands for poisoned tool results and for documents outside a list."""
    removal: Literal["whole", "span"] = "whole"
    """With `replace`: take out poisoned documents and tool results whole, or put `removed_text` for the
    poisoned passages only. What is left is judged once more, and goes too unless it is harmless."""
    conduct: ConductTracker | None = None
    """Counts attacks by user and stands before the detectors: a barred user's input is refused unread.
    Only user text earns strikes: nobody is banned for a document that somebody else has poisoned."""
    fallback: Runnable[Any, Any] | None = None
    """Called with the original input when it was judged an attack; its output is the output."""
    input_keys: tuple[str, ...] | None = None
    """The keys of a dict that are judged as user text; None for all of them."""
    untrusted_keys: tuple[str, ...] = ()
    """The keys of a dict whose whole content is judged as documents, whoever wrote it."""
    on_error: Literal["raise", "flag"] = "raise"
    """When a detector fails: refuse the input, or let it go on with the reason `detector_error`."""
    max_reasons: int = Field(default=20, ge=1)
    """Reasons kept in a verdict."""

    def __init__(self, detectors: Sequence[Any] | None = None, **kwargs: Any) -> None:
        """Take the detectors as the first argument, everything else by name."""
        if isinstance(detectors, str):
            raise ConfigurationError("detectors is a list of detectors, not a name")
        try:
            super().__init__(detectors=detectors, **kwargs)  # type: ignore[call-arg]
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
            )
            raise ConfigurationError("; ".join(problems)) from None

    @field_validator("detectors")
    @classmethod
    def _are_detectors(cls, value: tuple[Any, ...] | None) -> tuple[Detector, ...] | None:
        if value is None:
            return None
        if not value:
            raise ConfigurationError("detectors is empty: leave it out for the default ones")
        return tuple(map(as_detector, value))

    @field_validator("threshold")
    @classmethod
    def _is_a_cut(cls, value: Any) -> Any:
        for cut in value.values() if isinstance(value, dict) else (value,):
            if isinstance(cut, int | float) and not 0 < cut <= 1:
                raise ValueError(f"threshold is {cut}: a cut lies above 0 and up to 1")
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.fallback is not None and self.on_injection != "raise":
            raise ConfigurationError("fallback= already says what happens: leave out on_injection")
        if self.removal == "span" and self.on_injection != "replace":
            raise ConfigurationError("removal='span' needs on_injection='replace'")
        return self

    # -- judging ---------------------------------------------------------------------------------

    def verdict(self, input: Any) -> Verdict:
        """Judge `input` and change nothing; an attack does not raise.

        Raises:
            GuardError: A detector failed and `on_error` is `"raise"`.
            InputTypeError: The input holds something whose text cannot be read.
        """
        return drive(self._verdict_steps(input))

    async def averdict(self, input: Any) -> Verdict:
        """Judge `input` from asynchronous code; see `verdict`."""
        return await adrive(self._verdict_steps(input))

    def _verdict_steps(self, value: Any) -> Steps[Verdict]:
        subject = self._subject(value)
        judged = yield from self._judged(subject.units)
        return self._summed(subject, judged)

    def _subject(self, value: Any) -> Subject:
        return Subject(
            value,
            input_keys=None if self.input_keys is None else frozenset(self.input_keys),
            untrusted_keys=frozenset(self.untrusted_keys),
            source=self.source,
        )

    def _cut(self, source: Source) -> float:
        cut = self.threshold.get(source) if isinstance(self.threshold, dict) else self.threshold
        return float(cut) if isinstance(cut, int | float) else OPERATING_POINTS[source][cut or "balanced"]

    def _judged(self, units: Sequence[Unit]) -> Steps[list[Verdict]]:
        """Ask the detectors in turn, each once for all units of a source that are not yet decided."""
        verdicts: list[Verdict] = [
            Verdict(is_injection=False, score=0.0, source=unit.source, total_chars=len(unit.text))
            for unit in units
        ]
        detectors = default_detectors() if self.detectors is None else self.detectors
        for detector in detectors:
            by_source: dict[Source, list[int]] = {}
            for index, unit in enumerate(units):
                if unit.text and not verdicts[index].is_injection:
                    by_source.setdefault(unit.source, []).append(index)
            for source, indices in by_source.items():
                texts = [units[index].text for index in indices]
                try:
                    answer = yield Call(detector.score, detector.ascore, texts, source=source)
                    scores = checked_scores(detector, answer, len(texts))
                except Exception as error:  # noqa: BLE001 - a detector may raise anything, with the text in it
                    if self.on_error == "raise" or isinstance(error, SETUP_ERRORS):
                        raise detector_failure(detector, error) from None
                    scores = [Score(0.0, (Reason("detector_error", detector.name, 0.0),), 0) for _ in texts]
                for index, score in zip(indices, scores, strict=True):
                    verdicts[index] = self._added(verdicts[index], units[index], detector.name, score)
        return verdicts

    def _added(self, verdict: Verdict, unit: Unit, layer: str, score: Score) -> Verdict:
        reasons = sorted(
            (*verdict.reasons, *map(unit.located, score.reasons)), key=lambda reason: -reason.score
        )
        is_higher = score.value > verdict.score or not verdict.layer
        return Verdict(
            is_injection=max(score.value, verdict.score) >= self._cut(unit.source),
            score=max(score.value, verdict.score),
            reasons=tuple(reasons[: self.max_reasons]),
            source=unit.source,
            # A cascade's reasons name the layer inside it.
            layer=(score.reasons[0].layer if score.reasons else layer) if is_higher else verdict.layer,
            scanned_chars=score.scanned_chars
            if not verdict.layer
            else min(verdict.scanned_chars, score.scanned_chars),
            total_chars=verdict.total_chars,
        )

    def _summed(self, subject: Subject, verdicts: Sequence[Verdict]) -> Verdict:
        if not verdicts:
            return Verdict(is_injection=False, score=0.0, total_chars=subject.total_chars)
        worst = max(verdicts, key=lambda verdict: (verdict.is_injection, verdict.score))
        reasons = sorted(
            (reason for verdict in verdicts for reason in verdict.reasons), key=lambda reason: -reason.score
        )
        return Verdict(
            is_injection=worst.is_injection,
            score=worst.score,
            reasons=tuple(reasons[: self.max_reasons]),
            source=worst.source,
            layer=worst.layer,
            scanned_chars=sum(verdict.scanned_chars for verdict in verdicts),
            total_chars=subject.total_chars,
        )

    # -- running ---------------------------------------------------------------------------------

    @override
    def _steps(self, value: Any, config: RunnableConfig, **kwargs: Any) -> Steps[Any]:
        (output,) = yield from self._batch_steps([value], [config], **kwargs)
        if isinstance(output, Exception):
            raise output
        return output

    def _batch_steps(
        self, values: Sequence[Any], configs: Sequence[RunnableConfig], **kwargs: Any
    ) -> Steps[list[Any]]:
        """Judge all values together; an exception stands in the place of the output it prevents."""
        outputs: list[Any] = [None] * len(values)
        subjects: dict[int, Subject] = {}
        for index, value in enumerate(values):
            try:
                subject = self._subject(value)
                yield from self._admitted(subject, configs[index])
                subjects[index] = subject
            except ProdkitError as error:
                outputs[index] = error
        units = [unit for subject in subjects.values() for unit in subject.units]
        try:
            judged = iter((yield from self._judged(units)))
            found = {index: {unit: next(judged) for unit in subjects[index].units} for index in subjects}
            rests = yield from self._rests(found.values())
        except ProdkitError as error:
            return [error if index in subjects else outputs[index] for index in range(len(values))]
        refused = []
        for index, subject in subjects.items():
            verdict = self._summed(subject, list(found[index].values()))
            yield Emit(JUDGED, verdict.as_dict(), configs[index])
            try:
                yield from self._struck(found[index], configs[index])
            except ProdkitError as error:
                outputs[index] = error
                continue
            if verdict.is_injection and self.fallback is not None:
                refused.append(index)
            else:
                outputs[index] = self._acted(subject, verdict, found[index], rests)
        if refused and self.fallback is not None:
            answers = yield Call(
                self.fallback.batch,
                self.fallback.abatch,
                [values[index] for index in refused],
                [configs[index] for index in refused],
                return_exceptions=True,
                **kwargs,
            )
            for index, answer in zip(refused, answers, strict=True):
                outputs[index] = answer
        return outputs

    def _admitted(self, subject: Subject, config: RunnableConfig) -> Steps[None]:
        """Refuse a barred user's input before anything is spent on it."""
        if self.conduct is not None:
            texts = [unit.text for unit in subject.units if unit.source == "user"]
            yield from self.conduct.enter_steps(texts, config)

    def _struck(self, verdicts: Mapping[Unit, Verdict], config: RunnableConfig) -> Steps[None]:
        """Count an attack that the user wrote."""
        if self.conduct is not None and any(
            one.is_injection and unit.source == "user" for unit, one in verdicts.items()
        ):
            yield from self.conduct.strike_steps(config)

    def _rests(self, found: Iterable[Mapping[Unit, Verdict]]) -> Steps[dict[Unit, tuple[str, ...]]]:
        """Cut the poisoned passages out of documents and tool results; keep what is harmless then."""
        if self.removal != "span":
            return {}
        poisoned = {
            unit: (unit, verdict)
            for verdicts in found
            for unit, verdict in verdicts.items()
            if verdict.is_injection and unit.source != "user"
        }
        rests: dict[Unit, tuple[str, ...]] = {}
        for _ in range(CUTS):
            cut = {
                unit: texts
                for unit, (now, verdict) in poisoned.items()
                if (texts := now.without(verdict.reasons, self.removed_text)) is not None
            }
            left = [unit.with_texts(texts) for unit, texts in cut.items()]
            again = yield from self._judged(left)
            poisoned = {}
            for (unit, texts), now, verdict in zip(cut.items(), left, again, strict=True):
                if verdict.is_injection:
                    poisoned[unit] = (now, verdict)
                elif "detector_error" not in verdict.codes:
                    rests[unit] = texts
        return rests

    def _acted(
        self,
        subject: Subject,
        verdict: Verdict,
        verdicts: Mapping[Unit, Verdict],
        rests: Mapping[Unit, Sequence[str]],
    ) -> Any:
        noted = {
            unit: one for unit, one in verdicts.items() if one.is_injection or "detector_error" in one.codes
        }
        if verdict.is_injection and self.on_injection == "raise":
            return InjectionError(
                layer=verdict.layer,
                score=verdict.score,
                reasons=verdict.codes,
                spans=[reason.span for reason in verdict.reasons if reason.span is not None],
            )
        if verdict.is_injection and self.on_injection == "replace":
            return subject.replaced(
                [unit for unit in noted if noted[unit].is_injection],
                refusal=self.replacement,
                removed=self.removed_text,
                rests=rests,
            )
        return subject.flagged(noted)

    @override
    def batch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Judge all inputs in one call to each detector; every input is a run of its own."""

        def call(values: list[Any], config: list[RunnableConfig], **extra: Any) -> list[Any]:
            return drive(self._batch_steps(values, config, **extra))

        return self._batch_with_config(
            call,  # type: ignore[arg-type]
            inputs,
            config,
            return_exceptions=return_exceptions,
            **kwargs,
        )

    @override
    async def abatch(
        self,
        inputs: list[Any],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[Any]:
        """Judge all inputs in one call to each detector; every input is a run of its own."""

        async def call(values: list[Any], config: list[RunnableConfig], **extra: Any) -> list[Any]:
            return await adrive(self._batch_steps(values, config, **extra))

        return await self._abatch_with_config(
            call,  # type: ignore[arg-type]
            inputs,
            config,
            return_exceptions=return_exceptions,
            **kwargs,
        )

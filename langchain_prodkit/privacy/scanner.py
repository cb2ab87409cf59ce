"""Runs Presidio recognizers over texts without what `AnalyzerEngine.analyze` does around them.

For each text Presidio chooses recognizers, copies every result deeply, writes explanations nobody reads
and needs tokens even where no context word is at stake: ten times the work of the patterns themselves.
Recognizers that are plain lists of patterns are scanned here; any other is called as Presidio calls it.

Imported late: this module needs presidio-analyzer and spaCy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import spacy
from presidio_analyzer import EntityRecognizer, PatternRecognizer, RecognizerResult
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine

from langchain_prodkit._extras import require
from langchain_prodkit.errors import DetectorTimeoutError
from langchain_prodkit.privacy.context import Context
from langchain_prodkit.privacy.ner import tokenizable
from langchain_prodkit.privacy.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = ["Scanner"]

PATTERN_TIMEOUT_S: Final = 30.0
"""A single pattern that takes longer on one window ends the call: what it would have found is unknown."""
YIELDING_CHARS: Final = 2_000
"""From here on a pattern lets other threads run while it searches."""
_DIGITS: Final = frozenset({
    "CREDIT_CARD", "IBAN_CODE", "PHONE_NUMBER", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN",
    "US_PASSPORT", "US_SSN", "UK_NHS", "UK_NINO", "KR_BRN", "KR_DRIVER_LICENSE", "KR_FRN", "KR_PASSPORT",
    "KR_RRN", "KR_BANK_ACCOUNT",
})  # fmt: skip
_HAS_DIGIT = re.compile(r"\d")


class _Form(NamedTuple):
    search: Any
    score: float


class Scanner:
    """All recognizers of a detector that are no statistical model of ours."""

    def __init__(self, recognizers: Sequence[Any], entities: Sequence[str]) -> None:
        """Compile what is needed once; `entities` are those asked for."""
        self._entities = list(entities)
        self._wanted = frozenset(entities)
        exempt = {word.lower() for one in recognizers for word in one.context or ()}
        self._plain: list[tuple[Callable[[str], Iterable[Span]], Context, str]] = []
        self._readers: list[tuple[Any, Context]] = []
        for one in recognizers:
            context = Context(one.context or (), exempt)
            find = self._finder(one)
            if find is None:
                self._readers.append((one, context))
            else:
                self._plain.append((find, context, _needs(one)))
        self._has_context = any(_is_own(one, "enhance_using_context") for one, _ in self._readers)
        self.needs_tokens = any(not _is_ours(one) for one, _ in self._readers)
        """Whether a recognizer may want spaCy's tokens."""
        self._nlp = _Tokens() if self.needs_tokens else None

    def scan(self, text: str) -> list[Span]:
        """Give what the recognizers that only read the text find in it."""
        has_digit = _HAS_DIGIT.search(text) is not None
        found: list[Span] = []
        for find, context, need in self._plain:
            if (need == "digit" and not has_digit) or (need == "@" and "@" not in text):
                continue
            for span in find(text):
                score = context.boosted(text, span.start, span.score)
                found.append(span if score == span.score else span._replace(score=score))
        return found

    def read(self, text: str, doc: Any, language: str) -> Iterator[Span]:
        """Give what the recognizers find that Presidio hands tokens; `doc` is None for text not yet read."""
        if not self._readers:
            return
        artifacts = None if self._nlp is None else self._nlp.artifacts(text, doc, language)
        results = [
            (one, context, list(one.analyze(text, self._entities, artifacts) or ()))
            for one, context in self._readers
        ]
        for one, context, mine in results:
            if self._has_context and _is_own(one, "enhance_using_context"):
                others = [result for other, _, theirs in results if other is not one for result in theirs]
                kept = one.enhance_using_context(text, mine, others, artifacts, None)
            else:
                kept = mine
            for result in kept:
                if result.entity_type not in self._wanted or result.score <= 0:
                    continue
                is_done = (result.recognition_metadata or {}).get(
                    RecognizerResult.IS_SCORE_ENHANCED_BY_CONTEXT_KEY
                )
                score = result.score if is_done else context.boosted(text, result.start, result.score)
                if score >= _least(one, result.entity_type):
                    yield Span(result.start, result.end, result.entity_type, score)

    def _finder(self, one: Any) -> Callable[[str], Iterable[Span]] | None:
        if _is_own(one, "enhance_using_context"):
            return None
        if _is_ours(one) and hasattr(one, "hits"):
            wanted = self._wanted.intersection(one.supported_entities)
            return lambda text: (Span(*hit) for hit in one.hits(text) if hit.entity in wanted)
        if isinstance(one, PatternRecognizer) and type(one).analyze is PatternRecognizer.analyze:
            return _Patterns(one).find
        return None


class _Patterns:
    """One of Presidio's recognizers that is a list of patterns and a check of what they match."""

    def __init__(self, one: Any) -> None:
        regex = require("regex", extra="privacy")
        flags = one.global_regex_flags
        self._one = one
        self._entity = one.supported_entities[0]
        self._forms = [_Form(regex.compile(form.regex, flags).finditer, form.score) for form in one.patterns]
        self._validate = one.validate_result if _is_own(one, "validate_result") else None
        self._invalidate = one.invalidate_result if _is_own(one, "invalidate_result") else None
        self._least = _least(one, self._entity)

    def find(self, text: str) -> Iterator[Span]:
        """Give each match that passes the check.

        Raises:
            DetectorTimeoutError: A pattern took too long.
        """
        is_long = len(text) > YIELDING_CHARS
        try:
            for form in self._forms:
                for match in form.search(text, timeout=PATTERN_TIMEOUT_S, concurrent=is_long):
                    start, end = match.span()
                    if start < end and (score := self._score(text[start:end], form.score)) > 0:
                        yield Span(start, end, self._entity, score)
        except TimeoutError:
            raise DetectorTimeoutError(
                f"a pattern of {self._one.name} took longer than {PATTERN_TIMEOUT_S:g} s; nothing was sent"
            ) from None

    def _score(self, value: str, score: float) -> float:
        if self._validate is not None:
            is_valid = self._validate(value)
            if is_valid is not None:
                score = EntityRecognizer.MAX_SCORE if is_valid else EntityRecognizer.MIN_SCORE
        if self._invalidate is not None and self._invalidate(value):
            score = EntityRecognizer.MIN_SCORE
        return score if score >= self._least else 0.0


class _Tokens(SpacyNlpEngine):
    """Hands Presidio's recognizers the tokens of a text that we have read, or only cut into words."""

    def __init__(self) -> None:
        super().__init__(ner_model_configuration=NerModelConfiguration())
        self.nlp: Any = {"en": spacy.blank("en")}

    def artifacts(self, text: str, doc: Any, language: str) -> NlpArtifacts:
        if doc is None:
            doc = self.nlp["en"](tokenizable(text))
        self.nlp.setdefault(language, self.nlp["en"])
        return NlpArtifacts(
            entities=list(doc.ents),
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
        )


def _is_ours(one: Any) -> bool:
    return type(one).__module__.startswith("langchain_prodkit.")


def _is_own(one: Any, method: str) -> bool:
    """Say whether a recognizer has a method of its own in the place of Presidio's default."""
    base = PatternRecognizer if isinstance(one, PatternRecognizer) else EntityRecognizer
    return getattr(type(one), method) is not getattr(base, method) or method in vars(one)


def _least(one: Any, entity: str) -> float:
    """Give the lowest score that a recognizer itself lets through."""
    scores = getattr(one, "score_thresholds", None) or {}
    return float(scores.get(entity, scores.get("default", 0.0)))


def _needs(one: Any) -> str:
    """Say what a text must hold for a recognizer to find anything; someone else's may find anything."""
    if not type(one).__module__.startswith(("langchain_prodkit.", "presidio_analyzer.predefined")):
        return ""
    entities = set(one.supported_entities)
    if entities == {"EMAIL_ADDRESS"}:
        return "@"
    return "digit" if entities <= _DIGITS else ""

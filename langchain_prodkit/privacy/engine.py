"""Presidio's analyzer over a lean spaCy pipeline: entities and context words, nothing else.

Presidio asks spaCy for tags, a parse and lemmas, and uses them to find context words around a hit.
Lower-cased tokens do that as well at 0.6 of the time; without any statistical entity a tokenizer is
enough, at 0.04. The model is loaded here and not by Presidio, which would download a missing one.

Imported late: this module needs presidio-analyzer and spaCy.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, MissingModelError
from langchain_prodkit.privacy.ner import STATISTICAL, Ner, installed_model, tokenizable
from langchain_prodkit.privacy.recognizers import pattern_recognizers
from langchain_prodkit.privacy.span import Span, readable, without_overlaps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["Engine"]

WINDOW_CHARS: Final = 20_000
OVERLAP_CHARS: Final = 400


class _NlpEngine(SpacyNlpEngine):
    """A spaCy engine for Presidio that was loaded by us and finds context by lower-cased tokens."""

    def __init__(self, pipelines: Mapping[str, Any], context: set[str]) -> None:
        super().__init__(ner_model_configuration=NerModelConfiguration(model_to_presidio_entity_mapping={}))
        self.nlp: Any = dict(pipelines)
        # Presidio drops stop words from the context, "call" among them.
        self._context = context

    def is_stopword(self, word: str, language: str) -> bool:
        return word not in self._context and bool(super().is_stopword(word, language))

    def artifacts(self, doc: Any, language: str) -> NlpArtifacts:
        return NlpArtifacts(
            entities=[],
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
            scores=[],
        )


class _Enhancer(LemmaContextAwareEnhancer):
    """Presidio's context rule, in logarithmic instead of linear time per hit."""

    def enhance_using_context(
        self, text: str, raw_results: list[Any], *args: Any, **kwargs: Any
    ) -> list[Any]:
        # Most texts hold nothing: what follows copies deeply.
        return super().enhance_using_context(text, raw_results, *args, **kwargs) if raw_results else []

    @staticmethod
    def _find_index_of_match_token(
        word: str,  # noqa: ARG004 - Presidio's signature
        start: int,
        tokens: Any,  # noqa: ARG004
        tokens_indices: list[int],
    ) -> int:
        return max(0, bisect_right(tokens_indices, start) - 1)


class Engine:
    """Everything that is slow to build, once: pipelines, recognizers and Presidio's analyzer."""

    def __init__(
        self,
        *,
        entities: Sequence[str],
        languages: Sequence[str],
        model: str,
        recognizers: Sequence[Any],
        regions: Sequence[str],
        thresholds: Mapping[str, float],
        allow_list: Collection[str],
        is_statistical: bool,
    ) -> None:
        """Load the models and build the recognizers.

        Raises:
            MissingModelError: No spaCy model is installed for a language.
            ConfigurationError: No recognizer finds one of `entities`.
        """
        self._entities = list(entities)
        self._thresholds = thresholds
        self._allow_list = allow_list
        self._languages = tuple(languages)
        main = self._languages[0]
        wanted = STATISTICAL.intersection(entities) if is_statistical else frozenset()
        if any(not isinstance(one, EntityRecognizer) for one in recognizers):
            raise ConfigurationError("recognizers must be Presidio EntityRecognizer objects")
        patterns = [*pattern_recognizers(language=main, entities=entities, regions=regions), *recognizers]
        self._check(entities, patterns, wanted)
        context = {word.lower() for one in patterns for word in one.context or ()}
        if "ko" in self._languages and "PERSON" in wanted:
            require("kiwipiepy", extra="privacy-ko")
        self._readers = [
            Ner(language=language, models=(model,), wanted=wanted)
            for language in self._languages
            if wanted and _has_reader(model, language)
        ]
        self._main = main
        self._blank = spacy.blank("en")
        self._nlp = _NlpEngine({main: self._blank}, context)
        self._analyzer = AnalyzerEngine(
            registry=RecognizerRegistry(recognizers=patterns, supported_languages=[main]),
            nlp_engine=self._nlp,
            supported_languages=[main],
            context_aware_enhancer=_Enhancer(),
        )
        self._pattern_entities = sorted({entity for one in patterns for entity in one.supported_entities})

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, sorted and without overlaps."""
        windows = [(index, start) for index, text in enumerate(texts) for start in _starts(len(text))]
        cut = [readable(texts[index][start : start + WINDOW_CHARS]) for index, start in windows]
        found: list[list[Span]] = [[] for _ in texts]
        docs: list[Any] = []
        for reader in self._readers:
            read = zip(windows, cut, reader.read(cut), strict=True)
            for (index, start), window, (doc, spans) in read:
                found[index] += _inner(spans, start, len(window), len(texts[index]))
                if reader is self._readers[0]:
                    docs.append(doc)
        docs = docs or [self._blank(tokenizable(window)) for window in cut]
        for (index, start), window, doc in zip(windows, cut, docs, strict=True):
            found[index] += _inner(self._patterns(window, doc), start, len(window), len(texts[index]))
        return [self._final(text, spans) for text, spans in zip(texts, found, strict=True)]

    def _patterns(self, text: str, doc: Any) -> Iterable[Span]:
        if not self._pattern_entities:
            return ()
        results = self._analyzer.analyze(
            text,
            self._main,
            entities=self._pattern_entities,
            nlp_artifacts=self._nlp.artifacts(doc, self._main),
        )
        return (Span(one.start, one.end, one.entity_type, one.score) for one in results)

    def _final(self, text: str, spans: Sequence[Span]) -> list[Span]:
        kept = [
            span
            for span in set(spans)
            if span.score >= self._thresholds.get(span.entity, 0.0)
            and text[span.start : span.end] not in self._allow_list
        ]
        return without_overlaps(text, kept)

    def _check(self, entities: Sequence[str], patterns: Sequence[Any], wanted: Collection[str]) -> None:
        known = {entity for one in patterns for entity in one.supported_entities}
        missing = sorted(set(entities) - known - set(wanted))
        if missing:
            raise ConfigurationError(
                f"no recognizer finds {', '.join(missing)}; add one with recognizers=(...)"
            )


def _has_reader(model: str, language: str) -> bool:
    """Say whether a language needs its spaCy model: Korean names are found without one."""
    if language != "ko" or model != "auto":
        return True
    try:
        installed_model(model, language)
    except MissingModelError:
        return False
    return True


def _starts(length: int) -> range:
    if length <= WINDOW_CHARS:
        return range(1 if length else 0)
    return range(0, length - OVERLAP_CHARS, WINDOW_CHARS - OVERLAP_CHARS)


def _inner(spans: Iterable[Span], start: int, length: int, total: int) -> Iterable[Span]:
    """Shift spans to the whole text, without those that a window cut short and its neighbour has whole."""
    is_first, is_last = start == 0, start + length >= total
    for span in spans:
        is_cut = (span.start == 0 and not is_first) or (span.end == length and not is_last)
        if not (is_cut and span.end - span.start < OVERLAP_CHARS):
            yield span._replace(start=span.start + start, end=span.end + start)

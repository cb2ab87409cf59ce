"""Presidio's own answer, for less: its analyzer, its recognizers, its rules, on a leaner spaCy pipeline.

The tagger, the parser and the lemmatizer are left out; they only serve to find context words, which
lower-cased tokens find as well. What differs then: a score here and there, and, rarely, an entity that
the parser's sentence borders would have cut.

Imported late: this module needs presidio-analyzer and spaCy.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.nlp_engine import NerModelConfiguration, NlpArtifacts, SpacyNlpEngine

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.privacy.ner import installed_model, load_pipeline
from langchain_prodkit.privacy.presidio import keep_offline, resolved
from langchain_prodkit.privacy.rules import Rules
from langchain_prodkit.privacy.span import Span, readable
from langchain_prodkit.privacy.windows import Cut, batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["ParityEngine"]

WHOLE: Final = Cut(100_000, 2_000)
"""Presidio reads a text in one piece; so do we, up to a size that memory bears."""


class _NlpEngine(SpacyNlpEngine):
    """A spaCy engine that was loaded by us: Presidio would download a missing model."""

    def __init__(self, pipelines: Mapping[str, Any]) -> None:
        known = NerModelConfiguration()
        labels = {label for nlp in pipelines.values() for label in nlp.get_pipe("ner").labels}
        # Nobody can ask for these; Presidio carries them along and warns about each.
        known.labels_to_ignore = sorted(labels.difference(known.model_to_presidio_entity_mapping or ()))
        super().__init__(ner_model_configuration=known)
        self.nlp: Any = dict(pipelines)

    def _doc_to_nlp_artifact(self, doc: Any, language: str) -> NlpArtifacts:
        entities, scores = self._get_updated_entities(
            self._get_entities(doc), self._get_scores_for_entities(doc)
        )
        return NlpArtifacts(
            entities=entities,
            tokens=doc,
            tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc],
            nlp_engine=self,
            language=language,
            scores=scores,
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


class ParityEngine:
    """What `AnalyzerEngine.analyze` gives with the same model, conflicts left as Presidio leaves them."""

    def __init__(
        self,
        *,
        entities: Sequence[str],
        asked: Sequence[str],
        languages: Sequence[str],
        model: str,
        recognizers: Sequence[Any],
        rules: Rules,
    ) -> None:
        """Load the model and Presidio's default recognizers, and add the caller's.

        Raises:
            MissingModelError: No spaCy model is installed for a language.
            ConfigurationError: No recognizer of Presidio finds one of `entities`.
        """
        self._rules = rules
        self._languages = tuple(languages)
        self._nlp = _NlpEngine({one: load_pipeline(installed_model(model, one)) for one in languages})
        registry = RecognizerRegistry(supported_languages=list(languages))
        registry.load_predefined_recognizers(languages=list(languages), nlp_engine=self._nlp)
        for one in resolved(recognizers, language=languages[0]):
            registry.add_recognizer(one)
        keep_offline(list(registry.recognizers))
        self._analyzer = AnalyzerEngine(
            registry=registry,
            nlp_engine=self._nlp,
            supported_languages=list(languages),
            context_aware_enhancer=_Enhancer(),
        )
        self._of = {
            one: [entity for entity in entities if entity in self._analyzer.get_supported_entities(one)]
            for one in languages
        }
        missing = sorted(set(asked).difference(*self._of.values()))
        if missing:
            raise ConfigurationError(
                f"Presidio finds no {', '.join(missing)} by default; add a recognizer with recognizers=(...) "
                "or choose another profile"
            )

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give Presidio's spans of each text, sorted; those of different entities may overlap."""
        plain = [readable(text) for text in texts]
        found: list[set[Span]] = [set() for _ in texts]
        for batch in batches(WHOLE.windows(plain)):
            for language in self._languages:
                if not self._of[language]:
                    continue
                docs: Any = self._nlp.process_batch(
                    [one.text for one in batch], language, batch_size=len(batch)
                )
                for window, (_, artifacts) in zip(batch, docs, strict=True):
                    spans = self._spans(window.text, language, artifacts)
                    found[window.number].update(window.whole(spans, WHOLE.overlap))
        return [sorted(self._rules.kept(text, spans)) for text, spans in zip(plain, found, strict=True)]

    def _spans(self, text: str, language: str, artifacts: Any) -> Iterator[Span]:
        for one in self._analyzer.analyze(
            text, language, entities=self._of[language], nlp_artifacts=artifacts
        ):
            yield Span(one.start, one.end, one.entity_type, one.score)

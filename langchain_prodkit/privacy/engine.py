"""A detector's models and recognizers, loaded once, and how their answers become one.

Presidio asks spaCy for tags, a parse and lemmas, and uses them to find context words around a hit.
Lower-cased words do that as well; only the entities of the model are computed, and without any
statistical entity no model at all.

Imported late: this module needs presidio-analyzer and spaCy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_prodkit._extras import require
from langchain_prodkit.errors import ConfigurationError, MissingModelError
from langchain_prodkit.privacy.ner import STATISTICAL, Ner, installed_model
from langchain_prodkit.privacy.presidio import finders, resolved
from langchain_prodkit.privacy.recognizers import pattern_recognizers
from langchain_prodkit.privacy.rules import Rules
from langchain_prodkit.privacy.scanner import Scanner
from langchain_prodkit.privacy.span import Span, readable
from langchain_prodkit.privacy.windows import MODEL, PATTERNS, Window, batches

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["Engine"]


class Engine:
    """Everything that is slow to build, once; threads may share it."""

    def __init__(
        self,
        *,
        entities: Sequence[str],
        asked: Sequence[str],
        languages: Sequence[str],
        models: Sequence[str],
        profile: str,
        recognizers: Sequence[Any],
        regions: Sequence[str],
        rules: Rules,
    ) -> None:
        """Load the models and build the recognizers.

        Raises:
            MissingModelError: No spaCy model is installed for a language.
            MissingExtraError: Korean names need the extra `privacy-ko`.
            ConfigurationError: No recognizer finds one of `entities`.
        """
        main = languages[0]
        wanted = STATISTICAL.intersection(asked) if profile != "patterns" else frozenset[str]()
        own = resolved(recognizers, language=main)
        patterns = [*pattern_recognizers(language=main, entities=asked, regions=regions), *own]
        unknown = set(asked) - wanted - _found_by(patterns)
        if unknown:
            patterns += finders(sorted(unknown), language=main)
            _check(unknown - _found_by(patterns))
        if "ko" in languages and "PERSON" in wanted:
            require("kiwipiepy", extra="privacy-ko")
        self._main = main
        self._rules = rules
        self._scanner = Scanner(patterns, entities)
        self._readers = [
            Ner(language=language, models=models, wanted=wanted, profile=profile)
            for language in languages
            if wanted and _has_reader(models, language)
        ]

    def find(self, texts: Sequence[str]) -> list[list[Span]]:
        """Give the spans of each text, sorted and without overlaps."""
        plain = [readable(text) for text in texts]
        found: list[list[Span]] = [[] for _ in texts]
        for window in PATTERNS.windows(plain):
            found[window.number] += window.whole(self._scanner.scan(window.text), PATTERNS.overlap)
        for batch in batches(MODEL.windows(plain)):
            docs = self._read(batch, found)
            for window, doc in zip(batch, docs, strict=True):
                spans = list(self._scanner.read(window.text, doc, self._main))
                found[window.number] += window.whole(spans, MODEL.overlap)
        return [self._rules.final(text, spans) for text, spans in zip(plain, found, strict=True)]

    def _read(self, batch: Sequence[Window], found: list[list[Span]]) -> list[Any]:
        """Add what the models find; give the tokens of the main language's."""
        docs: list[Any] = [None] * len(batch)
        texts = [window.text for window in batch]
        for reader in self._readers:
            for at, (doc, spans) in enumerate(reader.read(texts)):
                found[batch[at].number] += batch[at].whole(spans, MODEL.overlap)
                if reader.language == self._main:
                    docs[at] = doc
        return docs


def _found_by(recognizers: Sequence[Any]) -> set[str]:
    return {entity for one in recognizers for entity in one.supported_entities}


def _check(missing: Collection[str]) -> None:
    if missing:
        raise ConfigurationError(
            f"no recognizer finds {', '.join(sorted(missing))}; add one with recognizers=(...)"
        )


def _has_reader(models: Sequence[str], language: str) -> bool:
    """Say whether a language needs its spaCy model: Korean names are found without one."""
    if language != "ko" or tuple(models) != ("auto",):
        return True
    try:
        installed_model("auto", language)
    except MissingModelError:
        return False
    return True

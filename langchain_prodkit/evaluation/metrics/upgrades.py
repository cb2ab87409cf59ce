"""Metrics that need more than is embedded: modules of `evaluate`, classifiers of `transformers`.

Neither is fetched here: `evaluate` loads a module from its cache, a folder, or (as it does for anybody) the
hub; a classifier is loaded from a folder or the local cache only. Where that fails, every row is skipped and
says why.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from langchain_prodkit._extras import require
from langchain_prodkit.errors import MissingExtraError
from langchain_prodkit.evaluation.metrics.metric import Score
from langchain_prodkit.evaluation.plain import text_of
from langchain_prodkit.evaluation.record import EvalRecord

__all__ = ["EvaluateModule", "TextClassifier"]

_NOT_ALLOWED: Final = re.compile(r"[^A-Za-z0-9_.:-]+")
_MOST_NAME: Final = 100
_WORSE: Final = frozenset({"toxicity", "perplexity", "wer", "cer", "ter", "regard", "honest", "mse", "mae"})
_TOXIC: Final = re.compile(r"toxic|hate|insult|threat|obscen|offens|abus|harass|identity", re.IGNORECASE)
_HARMLESS: Final = re.compile(r"\b(?:non|not|no|neutral|clean|safe)\b|^non|^not", re.IGNORECASE)
_BATCH_TEXTS: Final = 16
_MOST_TOKENS: Final = 512


class _Loaded:
    """A thing that is loaded once, or could not be."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thing: Any = None
        self._why_not: str | None = None

    def get(self, load: Callable[[], Any]) -> tuple[Any, str | None]:
        with self._lock:
            if self._thing is None and self._why_not is None:
                try:
                    self._thing = load()
                except MissingExtraError as error:
                    self._why_not = f"needs {error.module}"
                except Exception as error:  # noqa: BLE001 - the hub, the disk and the module each raise their own
                    self._why_not = f"could not be loaded ({type(error).__name__})"
            return self._thing, self._why_not


@dataclass(frozen=True, slots=True)
class EvaluateModule:
    """A metric or measurement of the library `evaluate`, such as `toxicity` or `bertscore`.

    Needs the package `evaluate` and what the module itself needs, and runs the module's code. A module
    that gives one number for all texts together is asked about each row.
    """

    module: str
    """Its name on the hub, or the path of its script."""
    key: str | None = None
    """Which of its results counts; default the one that is called like the module, else `f1`, `score` or the
    first number."""
    higher_is_better: bool | None = None
    needs: frozenset[str] = frozenset({"output"})
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Handed to `compute`."""
    _loaded: _Loaded = field(default_factory=_Loaded, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.higher_is_better is None:
            object.__setattr__(self, "higher_is_better", self._short not in _WORSE)

    @property
    def name(self) -> str:
        """`evaluate:` and the module, and the key where one is given."""
        key = f".{self.key}" if self.key else ""
        return _NOT_ALLOWED.sub("_", f"evaluate:{self._short}{key}")[:_MOST_NAME]

    @property
    def _short(self) -> str:
        return self.module.replace("\\", "/").rstrip("/").rpartition("/")[2].removesuffix(".py")

    def score(self, row: EvalRecord) -> Score:
        """Ask about one row."""
        return self.score_all([row])[0]

    def score_all(self, rows: Sequence[EvalRecord]) -> list[Score]:
        """Ask about all rows; those without the right answer, if the module wants it, are skipped."""
        module, why_not = self._loaded.get(lambda: require("evaluate", extra="eval").load(self.module))
        if why_not is not None:
            return [Score(skipped=f"{self.name} {why_not}")] * len(rows)
        wants = _wants_references(module)
        scores: list[Score] = [Score(skipped="no expected")] * len(rows)
        places = [at for at, row in enumerate(rows) if not wants or row.expected is not None]
        given = self._together(module, [rows[at] for at in places], wants=wants)
        for at, score in zip(places, given, strict=True):
            scores[at] = score
        return scores

    def _together(self, module: Any, rows: Sequence[EvalRecord], *, wants: bool) -> list[Score]:
        if not rows:
            return []
        answers = [row.answer for row in rows]
        texts: dict[str, Any] = {"predictions": answers}
        if wants:
            texts["references"] = [text_of(row.expected) for row in rows]
        value = self._value(module.compute(**texts, **self.options))
        if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == len(rows):
            return [Score(float(one)) for one in value]
        if len(rows) == 1:
            return [Score(error="no number") if value is None else Score(float(value))]
        return [score for row in rows for score in self._together(module, [row], wants=wants)]

    def _value(self, results: Mapping[str, Any]) -> Any:
        if self.key is not None:
            return results[self.key]
        for name in (self._short, "f1", "score"):
            if name in results:
                return results[name]
        numbers = [value for value in results.values() if isinstance(value, int | float | list)]
        return numbers[0] if numbers else None


@dataclass(frozen=True, slots=True)
class TextClassifier:
    """How much of a label a classifier of `transformers` sees in an answer, 0 to 1; toxic ones by default.

    `model` is a folder or a name in the local cache of the hub: nothing is fetched, and no code of the
    model's is run. Answers are read up to 512 tokens. Needs extra `guard-hf`.
    """

    model: str
    label: str | None = None
    """The label that counts; default the highest of those called toxic, hate, insult and the like."""
    higher_is_better: bool | None = False
    needs: frozenset[str] = frozenset({"output"})
    _loaded: _Loaded = field(default_factory=_Loaded, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """`transformers:` and the model."""
        short = "/".join(self.model.replace("\\", "/").rstrip("/").split("/")[-2:])
        return _NOT_ALLOWED.sub("_", f"transformers:{short}")[:_MOST_NAME]

    def score(self, row: EvalRecord) -> Score:
        """Classify one answer."""
        return self.score_all([row])[0]

    def score_all(self, rows: Sequence[EvalRecord]) -> list[Score]:
        """Classify all answers, some at a time."""
        loaded, why_not = self._loaded.get(self._load)
        if why_not is not None:
            return [Score(skipped=f"{self.name} {why_not}")] * len(rows)
        tokenizer, model, columns = loaded
        if not columns:
            return [Score(skipped=f"{self.name} has no such label; choose one with label=")] * len(rows)
        torch = require("torch", extra="guard-hf")
        scores: list[Score] = []
        for at in range(0, len(rows), _BATCH_TEXTS):
            texts = [row.answer for row in rows[at : at + _BATCH_TEXTS]]
            longest = min(_MOST_TOKENS, getattr(model.config, "max_position_embeddings", _MOST_TOKENS))
            batch = tokenizer(texts, return_tensors="pt", padding=True, truncation=True, max_length=longest)
            with torch.inference_mode():
                logits = model(**batch).logits
            # Labels of which several may be true at once each have a probability of their own.
            is_many = model.config.problem_type == "multi_label_classification" or logits.shape[-1] == 1
            shares = logits.sigmoid() if is_many else logits.softmax(-1)
            scores += [Score(max(float(row[column]) for column in columns)) for row in shares]
        return scores

    def _load(self) -> tuple[Any, Any, list[int]]:
        library = require("transformers", extra="guard-hf")
        tokenizer = library.AutoTokenizer.from_pretrained(self.model, local_files_only=True)
        model = library.AutoModelForSequenceClassification.from_pretrained(self.model, local_files_only=True)
        model.eval()
        names = {int(column): str(name) for column, name in model.config.id2label.items()}
        if self.label is not None:
            columns = [column for column, name in names.items() if name == self.label]
        else:
            columns = [c for c, name in names.items() if _TOXIC.search(name) and not _HARMLESS.search(name)]
        return tokenizer, model, columns


def _wants_references(module: Any) -> bool:
    features = module.features
    first = features[0] if isinstance(features, list) else features
    return "references" in first

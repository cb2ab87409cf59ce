"""The default detectors: cheap layers for all traffic, dear ones for what those leave open."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import ConfigDict, Field, PrivateAttr, ValidationError

from langchain_prodkit._serial import Rebuilt
from langchain_prodkit._steps import Call, Steps, adrive, drive
from langchain_prodkit.errors import ConfigurationError, GuardError
from langchain_prodkit.guard.classifier import EmbeddedClassifier
from langchain_prodkit.guard.heuristics import HeuristicDetector
from langchain_prodkit.guard.ngram import NgramClassifier
from langchain_prodkit.guard.normalize import Reading, readings
from langchain_prodkit.guard.verdict import Detector, Score, Source, texts_of
from langchain_prodkit.guard.windows import WindowedClassifier

__all__ = ["OPERATING_POINTS", "Cascade", "OperatingPoint", "default_detectors", "score_texts"]

OperatingPoint = Literal["precise", "balanced", "sensitive"]

OPERATING_POINTS: Final[Mapping[str, Mapping[str, float]]] = MappingProxyType(
    {
        "auto": MappingProxyType({"precise": 0.67, "balanced": 0.5, "sensitive": 0.19}),
        "user": MappingProxyType({"precise": 0.67, "balanced": 0.5, "sensitive": 0.19}),
        "document": MappingProxyType({"precise": 0.75, "balanced": 0.5, "sensitive": 0.21}),
        "tool": MappingProxyType({"precise": 0.75, "balanced": 0.5, "sensitive": 0.21}),
    }
)
"""Cuts for the default detectors, by source: `precise` for 0.1 % of false alarms (0.2 % in documents),
`balanced` for 1 %, `sensitive` for 5 %.

Measured on the development rows without those written to carry attack words (2,840 harmless texts of
users with 1,588 attacks, 878 harmless documents with 485 attacks), attacks caught / harmless flagged:

| source | `precise` | `balanced` | `sensitive` |
| --- | --- | --- | --- |
| user | 78 % / 0.07 % | 87 % / 1.0 % | 95 % / 5 % |
| document, tool | 80 % / 0.2 % | 95 % / 1.1 % | 99 % / 5 % |
| auto | 78 % / 0.08 % | 88 % / 0.8 % | 96 % / 5 % |

Most of these rows come from the sources that the models were trained on; other texts will be caught
less often. Of sources left out of the training, which the cuts were put by as well, 0.5 flags 0.9 %.
"""

LAYER: Final = "cascade"
CUT: Final = 0.5
PASS_BELOW: Final = 0.0005
"""What the n-gram layer scores lower is not shown to the classifier."""
BLOCK_FROM: Final = 0.995
"""What the n-gram layer scores higher is an attack, whatever the classifier would say."""
NGRAM_SHARE: Final = 0.05
"""How much the n-gram layer's log-odds weigh beside the classifier's."""
SIGNED: Final = 0.5
"""How far towards 1 a text goes whose signature is enough: they are wrong ten times less often than a
classifier that scores as high (2 of 3,718 harmless development rows, against 1,000 of 2,073 attacks)."""
SHIFT: Final = 0.1
"""Added to the mixed log-odds, so that the mix has its 1 % of false alarms at 0.5 again."""
INLINE_CHARS: Final = 5_000
"""Up to this many characters the cheap layers judge on the event loop; more go to a thread."""

_Cheap = tuple[Score, Score, list[Reading]]
"""What signatures and n-grams say of a text, and its readings."""


class Cascade(Rebuilt):
    """Asks cheap layers first, and dear ones only about what those leave open.

    Signatures and the n-gram layer read every text. What they find harmless (`pass_below`) or
    certain (`block_from`, or a signature from 0.5 up) is decided; the classifier reads the rest, and its
    log-odds are mixed with the n-gram layer's. A `judge`, when there is one, rules on what then
    still lies within `grey_band`.

    Raises:
        MissingExtraError: At construction, when the classifier needs an extra that is not installed.
        ModelFileError: When a shipped file is missing or damaged.
        GuardError: A layer failed, or gave something that is no score.
    """

    classifier: Any = None
    """The detector that reads what the cheap layers leave open; None for `EmbeddedClassifier()`."""
    judge: Any = None
    """A `JudgeDetector`, or any other detector; None for no judge."""
    pass_below: float = Field(default=PASS_BELOW, ge=0, lt=CUT)
    """What the n-gram layer scores lower passes at once."""
    block_from: float = Field(default=BLOCK_FROM, ge=CUT, le=1.0)
    """What the n-gram layer scores higher is an attack at once."""
    grey_band: tuple[float, float] = (0.25, 0.9)
    """The scores between which the judge is asked; its ruling replaces them."""
    early_exit: bool = True
    """Off: the classifier reads every text. For measurements, and for those who have the time."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    _signatures: HeuristicDetector = PrivateAttr(default_factory=HeuristicDetector)
    _ngrams: NgramClassifier = PrivateAttr()
    _reader: Detector = PrivateAttr()

    def __init__(self, classifier: Any = None, **kwargs: Any) -> None:
        """Take the classifier as the first argument, everything else by name."""
        try:
            super().__init__(classifier=classifier, **kwargs)
        except ValidationError as error:
            problems = (
                f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)
            )
            raise ConfigurationError("; ".join(problems)) from None
        low, high = self.grey_band
        if not 0 <= low < high <= 1:
            raise ConfigurationError(f"grey_band is {self.grey_band}: two scores, the lower one first")
        for role, detector in (("classifier", classifier), ("judge", self.judge)):
            if detector is not None and not isinstance(detector, Detector):
                raise ConfigurationError(
                    f"{role} is a {type(detector).__qualname__}; a detector has name, score and ascore"
                )
        self._ngrams = NgramClassifier()
        self._reader = EmbeddedClassifier() if classifier is None else classifier

    @property
    def name(self) -> str:
        """The detector's name in errors; reasons name the layer that found them."""
        return LAYER

    def score(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text, one for one."""
        return drive(self._steps(texts, source))

    async def ascore(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text; the event loop goes on while models and long texts are at work."""
        return await adrive(self._steps(texts, source))

    def _steps(self, texts: Sequence[str], source: Source) -> Steps[list[Score]]:
        texts = texts_of(texts)
        cheap = yield Call(self._cheap, self._acheap, texts, source)
        scores = [signs if signs is grams else _highest(signs, grams) for signs, grams, _ in cheap]
        open_ones = [index for index, (signs, grams, _) in enumerate(cheap) if self._is_open(signs, grams)]
        if open_ones:
            # What the texts hide was brought to light above; classifiers of our own take it from here.
            takes_forms = isinstance(self._reader, WindowedClassifier)
            more = {"forms": [cheap[index][2] for index in open_ones]} if takes_forms else {}
            read = yield from _asked(self._reader, [texts[index] for index in open_ones], source, **more)
            for index, score in zip(open_ones, read, strict=True):
                signs, grams, _ = cheap[index]
                scores[index] = _mixed(signs, grams, score)
        low, high = self.grey_band
        grey = [index for index, score in enumerate(scores) if low < score.value < high]
        if self.judge is not None and grey:
            rulings = yield from _asked(self.judge, [texts[index] for index in grey], source)
            for index, ruling in zip(grey, rulings, strict=True):
                scores[index] = _ruled(scores[index], ruling)
        return scores

    def _is_open(self, signs: Score, grams: Score) -> bool:
        if not self.early_exit:
            return True
        return signs.value < CUT and self.pass_below <= grams.value < self.block_from

    def _cheap(self, texts: Sequence[str], source: Source) -> list[_Cheap]:
        return [self._signed(text, source) for text in texts]

    def _signed(self, text: str, source: Source) -> _Cheap:
        forms = list(readings(text))
        signs = self._signatures.score_readings(text, forms, source=source)
        if self.early_exit and signs.value >= CUT:
            signs = replace(signs, value=_certain(signs.value))
            return signs, signs, forms
        return signs, self._ngrams.score_readings(text, forms, source=source), forms

    async def _acheap(self, texts: Sequence[str], source: Source) -> list[_Cheap]:
        if sum(map(len, texts)) > INLINE_CHARS:
            return await asyncio.to_thread(self._cheap, texts, source)
        return self._cheap(texts, source)


def _asked(detector: Detector, texts: list[str], source: Source, **more: Any) -> Steps[list[Score]]:
    """Ask a layer, and refuse an answer that would let a text pass unjudged."""
    scores = yield Call(detector.score, detector.ascore, texts, source=source, **more)
    is_whole = isinstance(scores, list | tuple) and len(scores) == len(texts)
    if not is_whole or not all(isinstance(score, Score) and 0 <= score.value <= 1 for score in scores):
        raise GuardError(f"detector {detector.name!r} did not give one score from 0 to 1 for each text")
    return list(scores)


def _highest(*scores: Score) -> Score:
    reasons = sorted((reason for score in scores for reason in score.reasons), key=lambda one: -one.score)
    return Score(
        max(score.value for score in scores), tuple(reasons), min(score.scanned_chars for score in scores)
    )


def _mixed(signs: Score, grams: Score, read: Score) -> Score:
    odds = NGRAM_SHARE * _log_odds(grams.value) + (1 - NGRAM_SHARE) * _log_odds(read.value) + SHIFT
    value = max(1 / (1 + math.exp(-odds)), _certain(signs.value) if signs.value >= CUT else signs.value)
    all_of_it = _highest(signs, grams, read)
    return Score(value, all_of_it.reasons, all_of_it.scanned_chars)


def _certain(value: float) -> float:
    return value + SIGNED * (1 - value)


def _ruled(score: Score, ruling: Score) -> Score:
    reasons = (*ruling.reasons, *score.reasons) if ruling.value >= CUT else score.reasons
    return Score(ruling.value, reasons, min(score.scanned_chars, ruling.scanned_chars))


def _log_odds(value: float) -> float:
    value = min(max(value, 1e-6), 1 - 1e-6)
    return math.log(value / (1 - value))


@lru_cache(maxsize=1)
def default_detectors() -> tuple[Detector, ...]:
    """Give the detectors that a guard uses when it is told none.

    Raises:
        MissingExtraError: Without extra `guard`. `HeuristicDetector()` and `NgramClassifier()` need none.
        ModelFileError: A shipped file is missing or damaged.
    """
    return (Cascade(),)


def score_texts(texts: Sequence[str], *, source: Source = "auto") -> list[float]:
    """Score texts with the default detectors: 0 harmless .. 1 attack, 0.5 = balanced.

    Raises:
        InputTypeError: `texts` is no list of str.
        MissingExtraError: Without extra `guard`.
        ModelFileError: A shipped file is missing or damaged.
    """
    (detector,) = default_detectors()
    return [score.value for score in detector.score(texts, source=source)]

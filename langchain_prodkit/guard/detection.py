"""What the guard asks of a detector, and what it makes of one that fails."""

from __future__ import annotations

import math
from typing import Any, Final

from langchain_prodkit.errors import (
    ConfigurationError,
    GuardError,
    MissingExtraError,
    MissingModelError,
    ModelFileError,
    ProdkitError,
)
from langchain_prodkit.guard.identifier import IdentifierDetector
from langchain_prodkit.guard.verdict import Detector, Score

__all__ = ["SETUP_ERRORS", "as_detector", "checked_scores", "detector_failure"]

SETUP_ERRORS: Final = (ConfigurationError, MissingExtraError, MissingModelError, ModelFileError)
"""No run of the app will ever judge anything: these are not for `on_error` to wave through."""


def as_detector(value: Any) -> Detector:
    """Take a detector as it is, and an identifier (`run` raises on an attack) as a detector."""
    if isinstance(value, Detector):
        return value
    if callable(getattr(value, "run", None)):
        return IdentifierDetector(value)
    raise ConfigurationError(
        f"a {type(value).__qualname__} is no detector: it needs name, score(texts, source=...) and ascore, "
        "or run(text) that raises ValueError on an attack"
    )


def checked_scores(detector: Detector, scores: Any, count: int) -> list[Score]:
    """Refuse an answer that would let a text pass unjudged."""
    if not isinstance(scores, list | tuple) or len(scores) != count:
        raise GuardError(f"detector {detector.name!r} did not give one score for each of {count} texts")
    for score in scores:
        if not isinstance(score, Score) or not math.isfinite(score.value) or not 0 <= score.value <= 1:
            raise GuardError(f"detector {detector.name!r} gave something that is no score from 0 to 1")
    return list(scores)


def detector_failure(detector: Detector, error: Exception) -> ProdkitError:
    """Turn what a detector raised into an error that repeats none of the text."""
    if isinstance(error, (GuardError, *SETUP_ERRORS)):
        return error
    return GuardError(
        f"detector {detector.name!r} failed with {type(error).__qualname__}; the input was not judged and "
        "did not go on. Repair the detector, or pass on_error='flag' to let inputs go on unjudged."
    )

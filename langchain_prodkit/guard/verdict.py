"""What a detector says about a text, and what the guard says about a whole input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from langchain_prodkit.errors import InputTypeError

__all__ = ["Detector", "Reason", "Score", "Source", "Verdict", "texts_of"]

Source = Literal["auto", "user", "document", "tool"]
"""Where a text comes from; `auto` takes the strictest reading of the other three."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that spoke for an attack; never the text itself."""

    code: str
    """Stable name of what fired, e.g. `override` or `prompt_leak`."""
    layer: str
    """Name of the detector that said so."""
    score: float
    """How much it weighs, 0..1."""
    span: tuple[int, int] | None = None
    """Start and end in the judged text, in characters; None when it concerns the whole text."""
    encoding: str = ""
    """What had to be undone to see it (`base64`, `rot13`, ...); empty for plain sight."""
    leaf: int | None = None
    """Which text of the input, counted as `leaves` lists them; None inside a bare `Score`."""


@dataclass(frozen=True, slots=True)
class Score:
    """One detector's opinion of one text."""

    value: float
    """0.0 harmless .. 1.0 attack, calibrated so that 0.5 is the balanced cut."""
    reasons: tuple[Reason, ...] = ()
    """Heaviest first; empty when nothing fired."""
    scanned_chars: int = 0
    """Characters of the text that were really looked at."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says about one input."""

    is_injection: bool
    """Whether the score reached the cut of its source."""
    score: float
    """0.0 harmless .. 1.0 attack; the highest over all judged texts."""
    reasons: tuple[Reason, ...] = ()
    """What fired, heaviest first. `detector_error` stands here when a detector failed."""
    source: Source = "user"
    """Where the text that decided comes from."""
    layer: str = ""
    """The detector that decided; empty when nothing was judged."""
    scanned_chars: int = 0
    """Characters that every layer it took has looked at."""
    total_chars: int = 0
    """Characters of the whole input, trusted and skipped texts included."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all reasons, each once, heaviest first."""
        return tuple(dict.fromkeys(reason.code for reason in self.reasons))

    def as_dict(self) -> dict[str, Any]:
        """Codes and numbers for events and metadata."""
        return {
            "is_injection": self.is_injection,
            "score": round(self.score, 4),
            "source": self.source,
            "reasons": list(self.codes),
            "layer": self.layer,
            "scanned_chars": self.scanned_chars,
            "total_chars": self.total_chars,
        }


@runtime_checkable
class Detector(Protocol):
    """Anything that can score texts; the guard asks for many at once."""

    @property
    def name(self) -> str:
        """Name of the layer in reasons, errors and events."""
        ...

    def score(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text, one for one."""
        ...

    async def ascore(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text without blocking the event loop."""
        ...


def texts_of(texts: Any) -> list[str]:
    """Give the texts that a detector is to score.

    Raises:
        InputTypeError: One of them is no str. A str alone is refused too: read as a list of its letters,
            any attack would pass.
    """
    if isinstance(texts, str):
        raise InputTypeError("texts is one str: give a list of texts, [text] for a single one")
    try:
        found = list(texts)
    except TypeError:
        raise InputTypeError(f"texts is a {type(texts).__qualname__}: give a list of str") from None
    for index, text in enumerate(found):
        if not isinstance(text, str):
            raise InputTypeError(f"texts[{index}] is a {type(text).__qualname__}: give a list of str")
    return found

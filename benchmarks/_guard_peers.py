"""What the guard is measured against: another library that runs offline, and two plain ways of doing it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any, Final

PATTERNS: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"ignore (all )?(previous|prior|above) (instructions|rules)",
        r"disregard (all )?(previous|prior|above|the)",
        r"forget (everything|all)",
        r"you are now",
        r"act as",
        r"pretend (to be|you are)",
        r"(reveal|show|print|repeat).{0,40}(system )?prompt",
        r"developer mode",
        r"do anything now",
        r"without (any )?(restrictions|filters)",
    )
)
PHRASES: Final = tuple(
    f"{verb} {which} {what}"
    for verb in ("ignore", "disregard", "forget")
    for which in ("all previous", "the above")
    for what in ("instructions", "rules")
)


class Inferwall:
    """inferwall in its lite profile, by `scan_input`, the way its README says; its score is unbounded."""

    def __init__(self) -> None:
        """Import it; the first scan loads its catalogue."""
        import inferwall  # noqa: PLC0415 - a peer may be absent

        self._library: Any = inferwall

    def __call__(self, texts: Sequence[str]) -> list[float]:
        """Give its anomaly scores."""
        return [float(self._library.scan_input(text).score) for text in texts]


def regex_list(texts: Sequence[str]) -> list[float]:
    """Ten case-insensitive patterns as many applications carry them."""
    return [float(any(pattern.search(text) for pattern in PATTERNS)) for text in texts]


def similar_phrases(texts: Sequence[str]) -> list[float]:
    """The likeness of the likest window of four words to a list of known phrases."""
    return [max(map(_similar, _windows(text))) for text in texts]


def _windows(text: str) -> list[str]:
    words = text.lower().split()
    return [" ".join(words[at : at + 4]) for at in range(max(len(words) - 3, 1))]


def _similar(window: str) -> float:
    return max(SequenceMatcher(None, phrase, window).ratio() for phrase in PHRASES)

"""Use an identifier that raises on an attack (langchain-experimental's) as a detector."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.guard.verdict import Reason, Score, Source, texts_of

__all__ = ["Identifier", "IdentifierDetector"]

CUT: Final = 0.5


class Identifier(Protocol):
    """Something like `HuggingFaceInjectionIdentifier`: `run` raises `ValueError` on an attack."""

    def run(self, tool_input: Any, /) -> Any:
        """Give the text back, or raise `ValueError`."""
        ...


class IdentifierDetector:
    """Scores texts by an identifier, one call a text, in a thread from asynchronous code.

    An attack scores at least 0.5: the identifier has already applied its own threshold. Only
    `ValueError` counts as an attack; any other error is a failed detector.
    """

    def __init__(self, identifier: Identifier, *, name: str = "identifier") -> None:
        """Wrap `identifier`; `name` is the layer's name in reasons and events."""
        if not callable(getattr(identifier, "run", None)):
            raise ConfigurationError(
                "an identifier needs a method run(text) that raises ValueError on an attack"
            )
        self.identifier = identifier
        self._name = name

    @property
    def name(self) -> str:
        """The layer's name in reasons, errors and events."""
        return self._name

    def score(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:  # noqa: ARG002 - it knows no sources
        """Score every text, one for one."""
        return [self._one(text) for text in texts_of(texts)]

    async def ascore(self, texts: Sequence[str], *, source: Source = "auto") -> list[Score]:
        """Score every text in a thread: an identifier has no asynchronous form."""
        return await asyncio.to_thread(self.score, texts, source=source)

    def _one(self, text: str) -> Score:
        try:
            self.identifier.run(text)
        except ValueError as error:
            value = max(CUT, min(1.0, float(getattr(error, "score", 1.0))))
            return Score(value, (Reason("identified", self._name, value),), len(text))
        return Score(0.0, (), len(text))

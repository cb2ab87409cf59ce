"""What is traced in these tests: a customer's data, a tool that gives it away, a detector that breaks."""

from __future__ import annotations

from langchain_core.tools import tool

from langchain_prodkit.privacy import PresidioDetector, Span

NAME, MAIL, CARD = "Marianne Silberstein", "m.silberstein@example.com", "4111 1111 1111 1111"
QUESTION = f"My name is {NAME}, write to {MAIL} or charge {CARD}."


class Failing:
    """A detector that works for as long as it is let."""

    is_broken = False

    def __init__(self, inner: PresidioDetector) -> None:
        """Wrap a real detector."""
        self.inner = inner

    def detect(self, texts: list[str]) -> list[list[Span]]:
        """Fail with the text in the message, as careless code does."""
        if self.is_broken:
            raise ValueError(texts[0])
        return self.inner.detect(texts)

    async def adetect(self, texts: list[str]) -> list[list[Span]]:
        """Do the same."""
        return self.detect(texts)


@tool
def look_up(name: str) -> str:
    """Look a customer up."""
    return f"{name} lives with {NAME}, {MAIL}"

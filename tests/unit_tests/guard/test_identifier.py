"""Identifiers that raise on an attack, langchain-experimental's among them, work as detectors."""

from __future__ import annotations

import warnings
from typing import Any, Union

import pytest

from langchain_prodkit.errors import ConfigurationError, GuardError, InjectionError
from langchain_prodkit.guard import IdentifierDetector, InjectionGuardRunnable


class Plain:
    """The least that counts as an identifier."""

    def run(self, text: str) -> str:
        """Raise on the word 'bad', fail on the word 'broken'."""
        if "bad" in text:
            raise ValueError(text)
        if "broken" in text:
            raise RuntimeError(text)
        return text


def pipeline(text: str) -> list[dict[str, Any]]:
    """Answer like a text-classification pipeline of transformers."""
    return [{"label": "INJECTION", "score": 0.97 if "bad" in text else 0.2}]


def test_an_identifier_is_taken_as_a_detector() -> None:
    """It can be given to the guard as it is."""
    guard = InjectionGuardRunnable([Plain()])
    assert guard.invoke("fine") == "fine"
    with pytest.raises(InjectionError, match="identifier") as caught:
        guard.invoke("a bad text")
    assert caught.value.reasons == ("identified",)


async def test_an_identifier_runs_in_a_thread_from_async_code() -> None:
    """Its verdicts are the same."""
    verdict = await InjectionGuardRunnable([Plain()]).averdict("bad")
    assert (verdict.is_injection, verdict.score) == (True, 1.0)


def test_only_value_error_is_an_attack() -> None:
    """Any other error is a failed detector, and the guard stays closed."""
    with pytest.raises(GuardError):
        InjectionGuardRunnable([Plain()]).invoke("broken")


def test_something_without_run_is_refused() -> None:
    """The message says what an identifier needs."""
    with pytest.raises(ConfigurationError, match="run"):
        IdentifierDetector(object())  # type: ignore[arg-type]


def test_the_identifier_of_langchain_experimental_works_and_keeps_its_score() -> None:
    """Its own threshold decides, its score is kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("langchain_experimental.prompt_injection_identifier")
    identifier_class = module.HuggingFaceInjectionIdentifier
    # The class names transformers' Pipeline in an annotation that only a type checker imports.
    identifier_class.model_rebuild(_types_namespace={"Pipeline": Any, "Union": Union})
    guard = InjectionGuardRunnable([IdentifierDetector(identifier_class(model=pipeline), name="protectai")])
    assert guard.invoke("fine") == "fine"
    verdict = guard.verdict("bad")
    assert (verdict.layer, verdict.score) == ("protectai", 0.97)

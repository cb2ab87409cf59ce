"""Anonymizers of langchain-experimental take the place of the detector."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig

from langchain_prodkit.privacy import PresidioRunnable
from langchain_prodkit.privacy.ner import installed_model
from tests.unit_tests.privacy.parts import EchoModel, echo

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t"}}


@pytest.mark.parametrize("kind", ["PresidioAnonymizer", "PresidioReversibleAnonymizer"])
def test_their_anonymizers_find_and_ours_restores(kind: str) -> None:
    """Their analyzer and fields are used; placeholders, scopes and restoring are ours."""
    module = pytest.importorskip("langchain_experimental.data_anonymizer")
    model = installed_model("auto", "en")
    anonymizer: Any = getattr(module, kind)(
        analyzed_fields=["PERSON", "EMAIL_ADDRESS"],
        languages_config={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "en", "model_name": model}],
        },
    )
    privacy = PresidioRunnable(anonymizer)
    text = "Barack Obama writes from bo@example.com, 212-555-0187"
    redacted = privacy.invoke(text, CONFIG)
    assert redacted == "<PERSON_1> writes from <EMAIL_ADDRESS_1>, 212-555-0187"
    assert privacy.restore().invoke(redacted, CONFIG) == text
    seen = EchoModel(reply=echo)
    assert privacy.protect(seen).invoke(text).content == f"You said: {text}"
    assert "Obama" not in seen.sent

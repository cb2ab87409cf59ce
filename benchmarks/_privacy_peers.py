"""The peers of the privacy benchmark: plain Presidio and langchain-experimental, on our model."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["ARTICLE", "ENTITIES", "PATTERN_ENTITIES", "anonymizer", "presidio"]

ARTICLE = (
    "My name is Marie Stephen Leo,\ncall me at (123) 456-7890 or email me at some_fake.address23@gmail.com"
)
ENTITIES = ["PERSON", "PHONE_NUMBER", "EMAIL_ADDRESS", "LOCATION"]
PATTERN_ENTITIES = ["PHONE_NUMBER", "EMAIL_ADDRESS"]


def _configuration() -> dict[str, Any]:
    from langchain_prodkit.privacy.ner import installed_model  # noqa: PLC0415 - imports spaCy

    models = [{"lang_code": "en", "model_name": installed_model("auto", "en")}]
    return {"nlp_engine_name": "spacy", "models": models}


def presidio() -> Any:
    """Build Presidio as its documentation does; its warnings about unmapped labels are not printed."""
    from presidio_analyzer import AnalyzerEngine  # noqa: PLC0415 - the cold start is measured apart
    from presidio_analyzer.nlp_engine import NlpEngineProvider  # noqa: PLC0415

    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    provider = NlpEngineProvider(nlp_configuration=_configuration())
    return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])


def anonymizer(entities: Sequence[str]) -> Callable[[str], str]:
    """Build langchain-experimental's reversible anonymizer; it analyzes and replaces."""
    warnings.filterwarnings("ignore")
    from langchain_experimental.data_anonymizer import (  # noqa: PLC0415 - slow to import
        PresidioReversibleAnonymizer,
    )

    made: Any = PresidioReversibleAnonymizer(
        analyzed_fields=list(entities), languages_config=_configuration(), faker_seed=7
    )

    def anonymize(text: str) -> str:
        made.reset_deanonymizer_mapping()  # it never shrinks: each call would be slower than the last
        return str(made.anonymize(text))

    return anonymize

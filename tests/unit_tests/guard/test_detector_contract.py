"""Every detector that needs no torch keeps the contract."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any, Union

import pytest
from langchain_core.runnables import RunnableLambda
from langchain_openai import ChatOpenAI

from langchain_prodkit.guard import (
    Cascade,
    Detector,
    EmbeddedClassifier,
    HeuristicDetector,
    IdentifierDetector,
    JudgeDetector,
    NgramClassifier,
)
from langchain_prodkit.testing import ProviderServer
from tests.unit_tests.guard.detector_contract import DetectorContract


class TestHeuristics(DetectorContract):
    """The layer of signatures."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Detector:
        """As it ships."""
        return HeuristicDetector()


class TestNgrams(DetectorContract):
    """The n-gram layer."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Detector:
        """As it ships."""
        return NgramClassifier()


class TestEmbedded(DetectorContract):
    """The classifier that ships with the package."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Detector:
        """As it ships."""
        return EmbeddedClassifier()


class TestCascade(DetectorContract):
    """The default detectors."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Detector:
        """As it ships."""
        return Cascade()


class TestEveryLayer(DetectorContract):
    """The cascade without its early exits."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Detector:
        """Every layer reads every text."""
        return Cascade(early_exit=False)


def pipeline(text: str) -> list[dict[str, Any]]:
    """Answer like a text-classification pipeline of transformers."""
    return [{"label": "INJECTION", "score": 0.97 if "gnore all" in text else 0.2}]


class TestIdentifier(DetectorContract):
    """The identifier of langchain-experimental."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Detector:
        """The class itself, with a pipeline that needs no weights."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = pytest.importorskip("langchain_experimental.prompt_injection_identifier")
        identifier_class = module.HuggingFaceInjectionIdentifier
        # The class names transformers' Pipeline in an annotation that only a type checker imports.
        identifier_class.model_rebuild(_types_namespace={"Pipeline": Any, "Union": Union})
        return IdentifierDetector(identifier_class(model=pipeline))


def ruling(body: dict[str, Any]) -> str:
    """Rule as a judge that looks for one phrase."""
    asked = json.JSONDecoder().raw_decode(body["messages"][-1]["content"])[0]
    attack = "gnore all previous" in asked["text"] or "Vergiss alle" in asked["text"]
    return json.dumps({"case": asked["case"], "attack": attack, "confidence": 0.9})


class TestJudge(DetectorContract):
    """A chat model over HTTP as the judge."""

    @pytest.fixture(scope="class")
    @classmethod
    def detector(cls) -> Iterator[Detector]:
        """The judge asks a server on this machine."""
        with ProviderServer(script=ruling) as server:
            llm = ChatOpenAI(model="judge", base_url=server.base_url, api_key="none", max_retries=0)
            yield JudgeDetector(llm)

    def copies(self, detector: Detector) -> list[Detector]:
        """`ChatOpenAI` holds connections, which cannot be copied; a judge over a plain model can."""
        return [JudgeDetector(RunnableLambda(answer_plainly))]


def answer_plainly(messages: Any) -> str:
    """Rule on what a server would be sent."""
    return ruling({"messages": [{"content": messages[-1].content}]})

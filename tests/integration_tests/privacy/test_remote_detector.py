"""`PresidioDetector.remote(url)` against a real HTTP service that runs Presidio's analyzer."""

from __future__ import annotations

import asyncio
import json
import pickle
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.load import dumps, loads
from langchain_core.messages import HumanMessage
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

from langchain_prodkit.errors import (
    ConfigurationError,
    DetectorTimeoutError,
    DetectorUnavailableError,
    InputTypeError,
    RedactionError,
    SerializationError,
)
from langchain_prodkit.privacy import Detector, PresidioDetector, PresidioRunnable, RemoteDetector
from langchain_prodkit.privacy.ner import installed_model
from tests.integration_tests.privacy.analyzer_service import AnalyzerService
from tests.unit_tests.privacy.parts import EchoModel, echo

TEXTS = [
    "My name is Marie Stephen Leo, call me at (123) 456-7890 or a@example.com",
    "",
    "Barack Obama flew to Paris 😀 with \ud800 김철수",
    "nothing here",
]
SECRET = "Marie Stephen Leo"


@pytest.fixture(scope="module")
def engine() -> AnalyzerEngine:
    """Presidio as its image builds it, on the model that is installed."""
    models = [{"lang_code": "en", "model_name": installed_model("auto", "en")}]
    provider = NlpEngineProvider(nlp_configuration={"nlp_engine_name": "spacy", "models": models})
    return AnalyzerEngine(nlp_engine=provider.create_engine(), supported_languages=["en"])


@pytest.fixture
def service(engine: AnalyzerEngine) -> Iterator[AnalyzerService]:
    """A service of its own for each test."""
    with AnalyzerService(engine).running() as running:
        yield running


def _remote(service: AnalyzerService, **settings: Any) -> RemoteDetector:
    settings.setdefault("entities", ["PERSON", "LOCATION", "EMAIL_ADDRESS", "PHONE_NUMBER"])
    return PresidioDetector.remote(service.url, **settings)


async def test_lists_are_read_in_one_request_sync_and_async(service: AnalyzerService) -> None:
    """Duplicates and blanks are not sent, offsets are right behind emoji, both drivers agree."""
    with _remote(service, cache_size=0) as detector:
        assert isinstance(detector, Detector)
        found = await asyncio.to_thread(detector.detect, [*TEXTS, TEXTS[0]])
        assert len(service.requests) == 1
        assert len(service.requests[0]["text"]) == 3
        assert found[4] == found[0]
        values = [
            {text[one.start : one.end] for one in spans} for text, spans in zip(TEXTS, found, strict=False)
        ]
        assert values[0] == {SECRET, "(123) 456-7890", "a@example.com"}
        assert {"Barack Obama", "Paris"} <= values[2]
        assert values[1] == values[3] == set()
        assert await detector.adetect([*TEXTS, TEXTS[0]]) == found
        assert await detector.adetect([*TEXTS, TEXTS[0]]) == found
        await detector.aclose()


def test_what_was_read_is_not_sent_again(service: AnalyzerService) -> None:
    """A chat that sends its history again asks for the new message only."""
    with _remote(service) as detector:
        detector.detect(["I am Ada Byron"])
        detector.detect(["I am Ada Byron", "from Paris"])
    assert [request["text"] for request in service.requests] == [["I am Ada Byron"], ["from Paris"]]


def test_long_texts_go_in_overlapping_windows(service: AnalyzerService) -> None:
    """What lies on a seam is found once and whole, wherever the seam is."""
    mail = "person.name@example.com"
    texts = [" x" * (24_970 + shift) + f" {mail}" + " y" * 30_000 for shift in range(0, 60, 4)]

    def mails(body: dict[str, Any]) -> tuple[int, bytes]:
        kind = {"entity_type": "EMAIL_ADDRESS", "score": 1.0}
        found = [re.finditer(r"[a-z.]+@[a-z.]+", text) for text in body["text"]]
        answer = [[{"start": one.start(), "end": one.end(), **kind} for one in each] for each in found]
        return 200, json.dumps(answer).encode()

    service.behave = mails
    with _remote(service, entities=["EMAIL_ADDRESS"]) as detector:
        for text, spans in zip(texts, detector.detect(texts), strict=True):
            assert [text[one.start : one.end] for one in spans] == [mail]
    assert len(service.requests) > 1
    assert max(len(text) for request in service.requests for text in request["text"]) <= 50_000


def test_settings_and_headers_arrive(service: AnalyzerService) -> None:
    """Entities, language and headers go along; thresholds and lists are applied here."""
    with _remote(
        service,
        entities=["EMAIL_ADDRESS", "PHONE_NUMBER"],
        headers={"Authorization": "Bearer secret"},
        thresholds={"PHONE_NUMBER": 0.9},
        allow_list=["a@example.com"],
        deny_list={"PROJECT": ["Falcon"]},
    ) as detector:
        text = "falcon 212-555-0187 a@example.com b@example.com"
        found = [(text[one.start : one.end], one.entity) for one in detector.detect([text])[0]]
        assert found == [("falcon", "PROJECT"), ("b@example.com", "EMAIL_ADDRESS")]
        assert "secret" not in repr(detector)
        with pytest.raises(SerializationError):
            dumps(detector)
    assert service.requests[0]["language"] == "en"
    assert service.headers[0]["authorization"] == "Bearer secret"


def test_all_entities_are_asked_for_by_asking_for_none(service: AnalyzerService) -> None:
    """Without `entities` the service decides."""
    with PresidioDetector.remote(service.url) as detector:
        assert "DATE_TIME" in {one.entity for one in detector.detect(["on 3 May 2019"])[0]}
        assert detector.entities is None


BAD_ANSWERS: dict[str, tuple[int, Any]] = {
    "error status": (500, {"error": f"cannot read {SECRET}"}),
    "redirect": (307, {}),
    "no json": (200, SECRET),
    "too few lists": (200, []),
    "too many lists": (200, [[], [], [], []]),
    "an object": (200, {"0": []}),
    "no score": (200, [[{"start": 0, "end": 1, "entity_type": "PERSON"}]]),
    "past the end": (200, [[{"start": 0, "end": 10_000, "entity_type": "PERSON", "score": 1.0}]]),
    "backwards": (200, [[{"start": 5, "end": 2, "entity_type": "PERSON", "score": 1.0}]]),
    "no numbers": (200, [[{"start": "0", "end": "1", "entity_type": "PERSON", "score": 1.0}]]),
    "no score at all": (200, [[{"start": 0, "end": 1, "entity_type": "PERSON", "score": float("nan")}]]),
    "no name": (200, [[{"start": 0, "end": 1, "entity_type": None, "score": 1.0}]]),
    "null": (200, None),
}


@pytest.mark.parametrize("case", sorted(BAD_ANSWERS))
async def test_wrong_answers_are_errors_without_text(service: AnalyzerService, case: str) -> None:
    """Whatever the service says, nothing is taken for "no personal data here", and no error quotes it."""
    status, answer = BAD_ANSWERS[case]
    raw = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
    service.behave = lambda _: (status, raw)
    with _remote(service) as detector:
        with pytest.raises(DetectorUnavailableError) as caught:
            await asyncio.to_thread(detector.detect, [TEXTS[0]])
        with pytest.raises(DetectorUnavailableError):
            await detector.adetect([TEXTS[0]])
        assert SECRET not in str(caught.value)
        assert caught.value.is_retryable
        assert caught.value.__cause__ is None
        await detector.aclose()


async def test_a_service_that_is_gone_and_comes_back() -> None:
    """Nothing reaches the model while it is gone; no text in the error."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    model = EchoModel(reply=echo)
    safe = PresidioRunnable(PresidioDetector.remote(url, entities=["PERSON"])).protect(model)
    with pytest.raises(RedactionError) as caught:
        await asyncio.to_thread(safe.invoke, [HumanMessage(TEXTS[0])])
    assert SECRET not in str(caught.value)
    with pytest.raises(RedactionError):
        await safe.ainvoke([HumanMessage(TEXTS[0])])
    assert model.seen == []


@pytest.mark.parametrize("drip_s", [0.0, 0.05])
async def test_a_slow_service_ends_in_a_typed_error(service: AnalyzerService, drip_s: float) -> None:
    """`timeout_s` is for the whole call, also when bytes keep trickling in."""
    gate = asyncio.Event()

    def slow(_: Any) -> tuple[int, bytes]:
        if not drip_s:
            import time  # noqa: PLC0415 - only here

            time.sleep(1.0)
        return 200, b"[[]]" + b" " * 200

    service.behave, service.drip_s = slow, drip_s
    with _remote(service, timeout_s=0.3) as detector:
        with pytest.raises(DetectorTimeoutError):
            await asyncio.to_thread(detector.detect, [TEXTS[0]])
        with pytest.raises(DetectorTimeoutError):
            await detector.adetect([TEXTS[0]])
        service.behave, service.drip_s = None, 0.0
        gate.set()
        assert await asyncio.to_thread(detector.detect, ["nothing here"]) == [[]]
        await detector.aclose()


def test_every_event_loop_has_connections_of_its_own(service: AnalyzerService) -> None:
    """One detector serves loop after loop."""
    detector = _remote(service, cache_size=0)

    async def once() -> Any:
        found = await detector.adetect([TEXTS[0]])
        await detector.aclose()
        return found

    assert asyncio.run(once()) == asyncio.run(once())


async def test_many_calls_run_at_once(service: AnalyzerService) -> None:
    """Fifty waiting calls need no fifty threads here."""
    detector = _remote(service, cache_size=0, timeout_s=60)
    found = await asyncio.gather(*(detector.adetect([f"Barack Obama and {n} more"]) for n in range(50)))
    assert all({one.entity for one in spans[0]} == {"PERSON"} for spans in found)
    await detector.aclose()


def test_it_can_be_written_copied_and_protects_a_model(service: AnalyzerService) -> None:
    """The whole way: the model sees placeholders, the caller sees names."""
    detector = _remote(service)
    for again in (
        loads(dumps(detector), allowed_objects=[RemoteDetector], valid_namespaces=["langchain_prodkit"]),
        pickle.loads(pickle.dumps(detector)),  # noqa: S301 - our own bytes
    ):
        assert dumps(again) == dumps(detector)
        assert again.detect([TEXTS[0]]) == detector.detect([TEXTS[0]])
        again.close()
    model = EchoModel(reply=echo)
    answer = PresidioRunnable(detector).protect(model).invoke([HumanMessage(TEXTS[0])])
    assert SECRET in answer.text
    assert SECRET not in model.sent
    detector.close()


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("ftp://host", {}),
        ("host:3000", {}),
        ("http://host/?a=b", {}),
        ("http://host", {"timeout_s": 0}),
        ("http://host", {"entities": []}),
        ("http://host", {"entities": "PERSON"}),
        ("http://host", {"thresholds": {"PERSON": 2}}),
    ],
)
def test_wrong_settings_are_refused(url: str, settings: dict[str, Any]) -> None:
    """Every mistake is a ConfigurationError at construction."""
    with pytest.raises(ConfigurationError):
        PresidioDetector.remote(url, **settings)


def test_only_lists_of_texts_are_sent(service: AnalyzerService) -> None:
    """A single string is refused before anything is sent."""
    with _remote(service) as detector, pytest.raises(InputTypeError):
        detector.detect("I am Ada Byron")
    assert service.requests == []

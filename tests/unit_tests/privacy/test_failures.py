"""When something fails, nothing goes on and nothing is said about the text."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from langchain_prodkit.errors import ConfigurationError, InputTypeError, RedactionError
from langchain_prodkit.privacy import MemoryVault, PresidioDetector, PresidioRunnable, Scope, Span
from tests.unit_tests.privacy.parts import EchoModel, FailingDetector, NameDetector, echo


class Answering(NameDetector):
    """Answers what it is told to."""

    def __init__(self, answer: Any) -> None:
        """Take the answer."""
        super().__init__()
        self._answer = answer

    def detect(self, texts: Any) -> Any:
        """Give the answer."""
        return self._answer


class BrokenVault(MemoryVault):
    """Fails with the value in its message."""

    def token_for(self, scope: Scope, entity: str, value: str) -> str:
        """Fail."""
        raise OSError(value)


def _whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "privacy",
    [PresidioRunnable(FailingDetector()), PresidioRunnable(NameDetector(), vault=BrokenVault())],
    ids=["detector", "vault"],
)
async def test_a_failure_stops_the_call_and_keeps_the_text_secret(privacy: PresidioRunnable) -> None:
    """Detector or vault: the model is never called, and no traceback repeats the text."""
    model = EchoModel(reply=echo)
    safe = privacy.protect(model)

    async def drain() -> None:
        async for _ in safe.astream("Ada Byron"):
            pass

    for call in (lambda: safe.invoke("Ada Byron"), lambda: list(safe.stream("Ada Byron"))):
        with pytest.raises(RedactionError) as caught:
            call()
        assert "Ada" not in str(caught.value)
        assert "cannot read Ada" not in _whole(caught.value)
    with pytest.raises(RedactionError):
        await safe.ainvoke("Ada Byron")
    with pytest.raises(RedactionError):
        await drain()
    with pytest.raises(RedactionError):
        privacy.invoke("Ada Byron")
    assert model.seen == []


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        [[], []],
        [[Span(0, 99, "PERSON", 1.0)]],
        [[Span(3, 3, "PERSON", 1.0)]],
        [[Span(0, 3, "AGE", 1)]],
        [[1]],
    ],
)
def test_a_detector_that_answers_nonsense_is_not_believed(answer: Any) -> None:
    """Spans outside the text, missing lists, undeclared entities: redaction stops."""
    with pytest.raises(RedactionError):
        PresidioRunnable(Answering(answer)).invoke("Ada Byron")


def test_overlapping_spans_hide_everything_they_cover() -> None:
    """A careless detector's overlaps leave no character of either span."""
    spans = [[Span(0, 8, "PERSON", 0.5), Span(4, 12, "EMAIL", 0.9)]]

    class Overlapping(Answering):
        entities: Any = ("PERSON", "EMAIL")

    redacted = PresidioRunnable(Overlapping(spans)).invoke("aaaaBBBBcccc.")
    assert not set("aBc") & set(redacted.replace("<PERSON_1>", "").replace("<EMAIL_1>", ""))


@pytest.mark.parametrize("value", [None, "", " ", "\ud800 Ada Byron \udfff", 5, [], {}, ("Ada Byron", None)])
def test_odd_values_work(privacy: PresidioRunnable, value: Any) -> None:
    """Nothing, blanks, lone surrogates and numbers pass through the chain and come back."""
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    assert privacy.restore().invoke(privacy.invoke(value, config), config) == value


def test_real_detector_reads_odd_texts(presidio: PresidioDetector) -> None:
    """Lone surrogates, right-to-left and combining characters do not stop Presidio."""
    texts = ["\ud800", "", "mail a@example.com\udfff", "\u202eabc\u202c", "e\u0301" * 50, "\x00"]
    found = presidio.detect(texts)
    assert [span.entity for span in found[2]] == ["EMAIL_ADDRESS"]
    assert not any(found[at] for at in (0, 1, 5))


def test_unreadable_values_are_refused(privacy: PresidioRunnable) -> None:
    """A type whose text cannot be found is an error that names the type only."""
    with pytest.raises(InputTypeError, match="object"):
        privacy.invoke({"a": object()})


def test_binary_blocks_follow_the_policy() -> None:
    """Pictures pass, are dropped, or raise before the model is called."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = HumanMessage([{"type": "text", "text": "Ada Byron"}, image])
    kept, dropped, refused = (
        PresidioRunnable(NameDetector(), on_binary=policy) for policy in ("pass", "drop", "raise")
    )
    assert kept.invoke([message])[0].content == [{"type": "text", "text": "<PERSON_1>"}, image]
    assert dropped.invoke([message])[0].content == [{"type": "text", "text": "<PERSON_1>"}]
    with pytest.raises(InputTypeError):
        refused.invoke([message])


def test_errors_of_the_model_pass_unchanged(privacy: PresidioRunnable) -> None:
    """A provider's error is not a redaction error, and leaves nothing in the vault."""

    def fail(_: Any) -> AIMessage:
        msg = "provider down"
        raise ConnectionError(msg)

    safe = privacy.protect(EchoModel(reply=fail))
    with pytest.raises(ConnectionError, match="provider down"):
        safe.invoke("Ada Byron")
    with pytest.raises(ConnectionError, match="provider down"):
        list(safe.stream("Ada Byron"))
    assert len(privacy.vault) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"on_unknown": "ignore"},
        {"on_error": "replace"},
        {"on_binary": "flag"},
        {"operators": {"PERSON": "hide"}},
        {"operators": ["mask"]},
        {"operators": {"PERSON": {"type": "unheard_of"}}},
        {"detector": object()},
    ],
)
def test_wrong_settings_fail_at_construction(bad: dict[str, Any]) -> None:
    """A misspelt policy never waits for the first request."""
    with pytest.raises(ConfigurationError):
        PresidioRunnable(**bad)

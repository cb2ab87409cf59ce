"""With `redact`, no text leaves memory before it went through the redactor."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableLambda

from langchain_prodkit.evaluation import EvalRecord, MLflowEvalCallback
from langchain_prodkit.evaluation.redaction import redacted, redactor
from tests.unit_tests.evaluation.chains import EchoModel, Shelf, rag

SECRET = "Ada"


@dataclass(frozen=True)
class Span:
    """A span as a detector gives it."""

    start: int
    end: int
    entity: str = "PERSON"


class NameDetector:
    """Finds every `Ada`; counts how often it was asked."""

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, texts: Sequence[str]) -> list[list[Span]]:
        """List the spans of each text."""
        self.calls += 1
        return [
            [Span(at, at + len(SECRET)) for at in range(len(text)) if text.startswith(SECRET, at)]
            for text in texts
        ]


def run_with_secrets(record: MLflowEvalCallback) -> None:
    """Leave the name in every place that a record has."""
    rag(EchoModel(), Shelf(texts=("Ada lives here",))).invoke(
        "I am Ada",
        {"callbacks": [record], "tags": ["Ada"], "metadata": {"who": "Ada"}, "run_name": "for Ada"},
    )
    answer: Runnable[Any, Any] = RunnableLambda(
        lambda x: {"Ada Byron": [HumanMessage(x["to Ada"]), AIMessage("Ada")]}
    )
    answer.invoke({"to Ada": "Ada"}, {"callbacks": [record]})


def everything(record: MLflowEvalCallback) -> str:
    """Give all that a callback hands out, as one text."""
    return "".join(str(row.to_dict()) for row in (*record.records, *record.dataset()))


def test_without_a_redactor_records_are_raw() -> None:
    """The docstring says so; this is the control of the tests below."""
    record = MLflowEvalCallback()
    run_with_secrets(record)
    assert everything(record).count(SECRET) > 20
    assert not record.redacts


def test_a_detector_hides_what_it_finds_in_every_place() -> None:
    """Question, answer, documents, names, tags, metadata, keys, messages: all of it."""
    record = MLflowEvalCallback(redact=NameDetector())
    run_with_secrets(record)
    assert SECRET not in everything(record)
    first, second = record.records
    assert (first.input, first.output) == ("I am <PERSON>", "echo I am <PERSON>")
    assert first.contexts[0].text == "<PERSON> lives here"
    assert (first.tags, first.metadata, first.name) == (("<PERSON>",), {"who": "<PERSON>"}, "for <PERSON>")
    assert second.input == {"to <PERSON>": "<PERSON>"}
    assert second.output["<PERSON> Byron"][0] == {"type": "human", "content": "<PERSON>"}


def test_a_function_may_redact_too() -> None:
    """Any function from text to text will do."""
    record = MLflowEvalCallback(redact=lambda text: text.replace(SECRET, "***"))
    run_with_secrets(record)
    assert SECRET not in everything(record)
    assert record.records[0].input == "I am ***"


def test_redaction_stays_off_the_hot_path() -> None:
    """The chain does not wait for the redactor; whoever asks for the records does, once."""
    detector = NameDetector()
    record = MLflowEvalCallback(redact=detector)
    run_with_secrets(record)
    assert detector.calls == 0
    assert (len(record.records), len(record.records), detector.calls) == (2, 2, 2)


@pytest.mark.parametrize("failure", ["raises", "wrong type", "wrong count"])
def test_a_record_whose_redaction_fails_is_dropped_and_counted(
    failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing raw is kept, and neither the log nor the repr says what it was."""

    class Broken:
        def detect(self, texts: Sequence[str]) -> Any:
            if any("I am Ada" in text for text in texts):
                if failure == "raises":
                    raise ValueError(texts[0])
                return "Ada" if failure == "wrong type" else []
            return [[] for _ in texts]

    record = MLflowEvalCallback(redact=Broken())
    with caplog.at_level(logging.DEBUG):
        RunnableLambda(str).batch(["I am Ada", "fine"], {"callbacks": [record], "max_concurrency": 1})
        assert [row.input for row in record.records] == ["fine"]
    counts = record.statistics()
    assert (counts.sampled, counts.recorded, counts.dropped, counts.held) == (2, 1, 1, 1)
    assert SECRET not in caplog.text + repr(record)


def test_a_redactor_may_come_later_but_never_replaces_another() -> None:
    """`redact_with` covers what is held already; the first redactor stays."""
    record = MLflowEvalCallback()
    run_with_secrets(record)
    assert SECRET in everything(record)
    record.redact_with(NameDetector())
    assert SECRET not in everything(record)
    assert record.redact_with(str.upper).records[0].input == "I am <PERSON>"


@given(
    st.text(max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5),
)
def test_no_character_inside_any_span_survives(text: str, pairs: list[tuple[int, int]]) -> None:
    """Overlapping, nested and touching spans hide all they cover, and nothing else."""
    spans = [Span(min(pair), max(pair), "X") for pair in pairs if pair[0] != pair[1]]

    class Fixed:
        def detect(self, texts: Sequence[str]) -> list[list[Span]]:
            return [spans for _ in texts]

    row = redacted(EvalRecord(id="1", input=text), redactor(Fixed()))
    hidden = {at for span in spans for at in range(span.start, span.end)}
    kept = "".join(character for at, character in enumerate(text) if at not in hidden)
    expected = kept.replace("<X>", "")
    assert str(row.input).replace("<X>", "") == expected


def test_ids_and_contexts_keep_what_joins_need() -> None:
    """The id of a row is no text of a person; the id of a document may be a path with a name."""
    record = MLflowEvalCallback(redact=NameDetector())

    class Named(Shelf):
        def _get_relevant_documents(self, query: str, *, run_manager: Any) -> list[Document]:
            return [Document("page", id="/home/Ada/page")]

    rag(retriever=Named()).invoke("q", {"callbacks": [record]})
    (row,) = record.records
    assert (row.contexts[0].id, row.contexts[0].kind) == ("/home/<PERSON>/page", "document")
    assert len(row.id) == 36

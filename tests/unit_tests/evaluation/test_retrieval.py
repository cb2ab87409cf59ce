"""Retrieval metrics: counted by hand, and as MLflow counts."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation import EvalDataset, EvalRecord, evaluate
from langchain_prodkit.evaluation.metrics import RetrievalNDCG, RetrievalPrecision, RetrievalRecall
from langchain_prodkit.evaluation.record import Context

METRICS = (RetrievalPrecision, RetrievalRecall, RetrievalNDCG)


def _row(found: list[str], relevant: Any, **fields: Any) -> EvalRecord:
    contexts = tuple(Context(f"text of {one}", one) for one in found)
    metadata = {} if relevant is None else {"relevant_ids": relevant}
    return EvalRecord(id="1", output="a", contexts=contexts, metadata=metadata, model_calls=1, **fields)


def _values(row: EvalRecord, k: int) -> list[float | None]:
    return [metric(k).score(row).value for metric in METRICS]


def test_the_values_are_those_counted_by_hand() -> None:
    """Two of three relevant ones found, at ranks 1 and 3 of 4."""
    row = _row(["a", "x", "b", "y"], ["a", "b", "c"])
    dcg, best = 1 + 1 / 2, 1 + 1 / math.log2(3) + 1 / 2
    assert _values(row, 4) == pytest.approx([2 / 4, 2 / 3, dcg / best])
    assert _values(row, 2) == pytest.approx([1 / 2, 1 / 3, 1 / (1 + 1 / math.log2(3))])
    assert _values(_row(["c", "a", "b"], ["a", "b", "c"]), 3) == [1, 1, 1]
    assert _values(_row(["x"], ["a"]), 5) == [0, 0, 0]


def test_nothing_retrieved_and_nothing_relevant() -> None:
    """A run that retrieved nothing scored 0; if that was right, recall and order are perfect."""
    assert _values(_row([], ["a"]), 5) == [0, 0, 0]
    assert _values(_row([], []), 5) == [0, 1, 1]
    assert _values(_row(["a"], []), 5) == [0, 0, 0]


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_known_is_skipped(metric: Any) -> None:
    """No relevant ids, or a hand-written row without contexts: neither right nor wrong."""
    assert metric().score(_row(["a"], None)).skipped == "no relevant_ids"
    hand_written = EvalRecord(id="1", output="a", metadata={"relevant_ids": ["a"]})
    assert metric().score(hand_written).skipped == "no contexts"
    report = evaluate([EvalRecord(id="1", metadata={"relevant_ids": ["a"]})], [metric()])
    assert report.summary[metric().name].reasons == {"no output": 1}


def test_documents_are_known_by_id_source_or_text() -> None:
    """Whatever the data set and the retriever have in common."""
    contexts = [
        {"text": "one  text", "id": "u-1", "metadata": {"source": "a.md"}},
        {"text": "two text", "metadata": {"doc_id": 7}},
        "three text",
        {"text": "a tool's answer", "kind": "tool"},
    ]
    for relevant in (
        ["u-1", 7, {"text": "three text"}],
        ["a.md", "7", {"page_content": " three\ntext"}],
        [{"doc_uri": "a.md"}, {"id": "7"}, {"content": "three text"}],
    ):
        rows = [{"output": "a", "contexts": contexts, "relevant_ids": relevant}]
        (row,) = EvalDataset.from_records(rows).rows
        assert _values(row, 5) == [1, 1, 1]
    (row,) = EvalDataset.from_records(
        [
            {
                "output": "a",
                "contexts": contexts,
                "expected": {"expected_retrieved_context": [{"doc_uri": "a.md"}]},
            }
        ]
    ).rows
    assert _values(row, 1) == [1, 1, 1]
    assert RetrievalRecall().score(_row(["a"], "a")).value == 1


def test_a_relevant_document_of_no_shape_is_an_error_of_the_row() -> None:
    """Not a document that nobody could find."""
    report = evaluate([_row(["a"], [{"title": "a"}])], [RetrievalRecall()])
    assert report.summary["retrieval_recall_at_5"].reasons == {"ValueError": 1}


@given(
    st.lists(st.sampled_from("abcdef"), max_size=8),
    st.lists(st.sampled_from("abcdefgh"), max_size=5),
    st.integers(1, 6),
)
def test_every_value_lies_between_0_and_1(found: list[str], relevant: list[str], k: int) -> None:
    """Repeats, misses and nothing at all included."""
    assert all(value is not None and 0 <= value <= 1 for value in _values(_row(found, relevant), k))


@pytest.mark.parametrize("k", [0, -1, True, 2.0])
def test_k_is_a_number_of_documents(k: Any) -> None:
    """Anything else is said at once."""
    with pytest.raises(ConfigurationError, match="k is"):
        RetrievalNDCG(k)

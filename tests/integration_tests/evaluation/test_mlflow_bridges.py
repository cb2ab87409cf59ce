"""The same metric in MLflow's evaluations and in ours gives the same numbers, and so the other way round."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation import (
    ChatModelJudge,
    Context,
    EvalDataset,
    EvalRecord,
    Metric,
    Score,
    as_mlflow_metric,
    as_mlflow_rows,
    as_mlflow_scorer,
    default_metrics,
    evaluate,
    from_mlflow_metric,
    from_mlflow_scorer,
    metric,
    one_writer,
    relevance,
)
from langchain_prodkit.evaluation.metrics import RetrievalNDCG, RetrievalPrecision, RetrievalRecall, WordCount

mlflow = pytest.importorskip("mlflow")
pd = pytest.importorskip("pandas")

USAGE = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
DATASET = EvalDataset.from_records(
    [
        {
            "question": "How long is the warranty?",
            "answer": "It lasts two years. Keep the receipt.",
            "ground_truth": "Two years.",
            "context": ["The warranty lasts two years."],
            "usage": USAGE,
            "latency_ms": 12.5,
            "relevant_ids": ["d1"],
        },
        {"question": "Where?", "answer": "It lasts two years; keep the receipt.", "ground_truth": "In Graz."},
        {"question": "Who are you?", "answer": "저는 도우미입니다", "ground_truth": None},
        {"question": "Why?", "answer": "", "ground_truth": "Because."},
    ]
)  # fmt: skip


@metric(name="fragile")
def fragile(row: EvalRecord) -> float:
    """Fail on one row."""
    return 1 / len(row.answer)


@pytest.fixture(autouse=True, scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One store for all tests, which takes MLflow seconds to make; nothing is left behind."""
    before = mlflow.get_tracking_uri()
    uri = f"sqlite:///{tmp_path_factory.mktemp('bridges') / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.set_experiment("bridges")
    yield uri
    mlflow.set_tracking_uri(before)


def _metrics() -> list[Metric]:
    return [*default_metrics(), fragile]


def _ours(metrics: list[Metric]) -> dict[str, list[Score]]:
    report = evaluate(DATASET, metrics)
    return {one.name: [row.scores[one.name] for row in report.rows] for one in metrics}


def _equal(theirs: Any, ours: Score) -> bool:
    if ours.value is None:
        return theirs is None or theirs != theirs  # noqa: PLR0124 - NaN
    return abs(float(theirs) - ours.value) <= 1e-9


@pytest.mark.slow
def test_mlflow_models_evaluate_gives_our_scores_row_by_row() -> None:
    """All default metrics, one that needs all rows and one that fails on a row included."""
    frame = pd.DataFrame(
        {
            "question": [row.question for row in DATASET],
            "answer": [row.output for row in DATASET],
            "truth": [row.expected for row in DATASET],
            "passages": [[context.text for context in row.contexts] or None for row in DATASET],
            "usage": [row.usage for row in DATASET],
            "latency_ms": [row.latency_ms for row in DATASET],
            "relevant_ids": [row.metadata.get("relevant_ids") for row in DATASET],
        }
    )
    metrics = _metrics()
    with mlflow.start_run():
        result = mlflow.models.evaluate(
            data=frame,
            predictions="answer",
            targets="truth",
            extra_metrics=[as_mlflow_metric(one) for one in metrics],
            evaluator_config={"col_mapping": {"contexts": "passages"}},
        )
    table = result.tables["eval_results_table"]
    for name, scores in _ours(metrics).items():
        theirs = list(table[f"{name}/score"])
        assert all(map(_equal, theirs, scores)), name
        assert result.metrics[f"{name}/scored"] == sum(score.value is not None for score in scores)
    assert result.metrics["fragile/errors"] == 1
    assert table["fragile/justification"][3] == "error: ZeroDivisionError"
    assert table["ari_grade/justification"][2] == "skipped: not in Latin script"


@pytest.mark.slow
def test_mlflow_genai_evaluate_gives_our_scores_row_by_row() -> None:
    """All rows are kept; what was skipped shows as an error of code SKIPPED and is not counted."""
    metrics = _metrics()
    with one_writer():
        result = mlflow.genai.evaluate(
            data=as_mlflow_rows(DATASET), scorers=[as_mlflow_scorer(one, dataset=DATASET) for one in metrics]
        )
    assert "MLFLOW_GENAI_EVAL_MAX_WORKERS" not in os.environ
    found: dict[tuple[str, str], Any] = {}
    for trace in mlflow.search_traces(run_id=result.run_id, return_type="list"):
        question = trace.data.spans[0].inputs["question"]
        for one in trace.info.assessments:
            if one.feedback is not None:
                found[question, one.name] = one
    for name, scores in _ours(metrics).items():
        for row, score in zip(DATASET, scores, strict=True):
            theirs = found[row.question, name]
            assert _equal(theirs.value, score), name
            code = None if theirs.error is None else theirs.error.error_code
            assert code == (score.error or (score.skipped and "SKIPPED")), name
        values = [score.value for score in scores if score.value is not None]
        mean = sum(values) / len(values) if values else None
        assert result.metrics.get(f"{name}/mean") == (None if mean is None else pytest.approx(mean, abs=1e-9))


def test_a_judge_gives_the_same_in_all_three() -> None:
    """A verdict is a number too."""
    verdict = AIMessage('{"rationale": "to the point", "score": 4, "verdict": "pass", "passed": true}')

    def judged() -> Metric:
        return relevance(ChatModelJudge(GenericFakeChatModel(messages=iter([verdict] * 40))))

    ours = [row.scores[judged().name] for row in evaluate(DATASET, [judged()]).rows]
    frame = pd.DataFrame(
        {"question": [row.question for row in DATASET], "answer": [row.output for row in DATASET]}
    )
    with mlflow.start_run():
        legacy = mlflow.models.evaluate(
            data=frame, predictions="answer", extra_metrics=[as_mlflow_metric(judged())]
        )
    table = legacy.tables["eval_results_table"]
    assert all(map(_equal, table[f"{judged().name}/score"], ours))
    scorer = as_mlflow_scorer(judged())
    for row, score in zip(DATASET, ours, strict=True):
        given = scorer.run(inputs={"question": row.question}, outputs=row.output)
        assert _equal(given.value, score)


def test_a_scorer_without_a_data_set_reads_what_mlflow_shows() -> None:
    """Contexts from the inputs, the right answer and the relevant ids from the expectations."""
    inputs = {"question": "q", "contexts": [{"id": "a", "text": "one"}, {"id": "b", "text": "two"}]}
    expectations = {"expected_response": "one two", "relevant_ids": ["b"]}
    precision = as_mlflow_scorer(RetrievalPrecision()).run(
        inputs=inputs, outputs="one", expectations=expectations
    )
    assert precision.value == 0.5
    skipped = as_mlflow_scorer(RetrievalPrecision()).run(inputs={"question": "q"}, outputs="one")
    assert (skipped.value, skipped.error.error_code) == (None, "SKIPPED")
    assert as_mlflow_scorer(WordCount()).run(inputs=inputs, outputs="one two three").value == 3


def test_metrics_of_mlflow_are_metrics_of_ours() -> None:
    """With the scores that MLflow gives; a metric that it cannot compute is skipped, and says so."""
    match = from_mlflow_metric(
        mlflow.metrics.make_metric(
            eval_fn=lambda predictions, targets, question: mlflow.metrics.MetricValue(
                scores=[
                    len(p) + len(t) + len(q) for p, t, q in zip(predictions, targets, question, strict=True)
                ]
            ),
            greater_is_better=False,
            name="lengths",
        )
    )
    one_number = from_mlflow_metric(
        mlflow.metrics.make_metric(eval_fn=lambda predictions: 1.0, greater_is_better=True, name="whole set")  # noqa: ARG005
    )
    rouge = from_mlflow_metric(mlflow.metrics.rouge1())
    report = evaluate(DATASET, [match, one_number, rouge])
    expected = [
        len(row.answer) + len(row.expected) + len(row.question) if row.expected else None for row in DATASET
    ]
    assert [row.scores["lengths"].value for row in report.rows] == expected
    assert report.summary["lengths"].higher_is_better is False
    assert report.summary["whole_set"].reasons == {"MLflow gives no score a row": 4}
    assert report.summary["rouge1"].n == 0
    with pytest.raises(ConfigurationError, match="no metric"):
        from_mlflow_metric("rouge1")


def test_scorers_of_mlflow_are_metrics_of_ours() -> None:
    """Numbers, yes and no, errors, and the contexts in a trace as its own scorers want them."""
    scorer: Callable[[Any], Any] = mlflow.genai.scorers.scorer
    feedback = mlflow.entities.Feedback

    @scorer
    def is_short(outputs: Any) -> bool:
        return len(outputs) < 10

    @scorer
    def rated(inputs: Any, outputs: Any, expectations: Any) -> Any:
        if not outputs:
            return feedback(error=ValueError("nothing to rate"))
        if expectations is None:
            return None
        return feedback(value="yes" if inputs["question"] else "no", rationale="as asked")

    @scorer
    def retrieved(trace: Any) -> int:
        spans = trace.search_spans(span_type="RETRIEVER")
        return sum(document["page_content"].count("warranty") for span in spans for document in span.outputs)

    @scorer
    def odd(outputs: Any) -> str:
        return f"neither number nor rating: {outputs}"

    report = evaluate(DATASET, [from_mlflow_scorer(one) for one in (is_short, rated, retrieved, odd)])
    scores = {name: [row.scores[name] for row in report.rows] for name in report.summary}
    assert [score.value for score in scores["is_short"]] == [0, 0, 1, 1]
    assert scores["rated"] == [
        Score(1.0, rationale="as asked"),
        Score(1.0, rationale="as asked"),
        Score(skipped="the scorer said nothing"),
        Score(error="ValueError"),
    ]
    assert [score.value for score in scores["retrieved"]] == [1, 0, 0, 0]
    assert report.summary["odd"].reasons == {"no number": 4}
    built_in = from_mlflow_scorer(mlflow.genai.scorers.ResponseLength(max_length=10, unit="chars"))
    assert [row.scores[built_in.name].value for row in evaluate(DATASET, [built_in]).rows] == [0, 0, 1, 1]
    with pytest.raises(ConfigurationError, match="no scorer"):
        from_mlflow_scorer(len)


def test_retrieval_values_are_those_of_mlflow() -> None:
    """All that matters here in one place: repeats, misses, order, more and fewer than k."""
    cases = [
        (["a", "b", "c", "d", "e"], ["a", "c", "z"]),
        (["x", "a", "a", "b"], ["a", "b"]),
        (["a"], ["a", "b", "c"]),
        (["x", "y", "a"], ["a"]),
        ([], ["a"]),
        (["a"], []),
        ([], []),
        (["e", "d", "c", "b", "a", "f", "g"], ["a", "g"]),
    ]
    for k in (1, 3, 5):
        for ours in (RetrievalPrecision(k), RetrievalRecall(k), RetrievalNDCG(k)):
            theirs = getattr(
                mlflow.metrics, ours.name.removeprefix("retrieval_").partition("_")[0] + "_at_k"
            )(k)
            value = theirs.eval_fn(
                pd.Series([found for found, _ in cases]), pd.Series([right for _, right in cases])
            )
            rows = [
                EvalRecord(
                    id=str(number),
                    output="a",
                    contexts=tuple(Context(f"text of {one}", one) for one in found),
                    metadata={"relevant_ids": right},
                    model_calls=1,
                )
                for number, (found, right) in enumerate(cases)
            ]
            assert [ours.score(row).value for row in rows] == pytest.approx(value.scores, abs=1e-6), ours.name

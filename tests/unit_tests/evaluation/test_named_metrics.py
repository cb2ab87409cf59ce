"""Metrics by name, and upgrades that say why they cannot run."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation import EvalDataset, Score, default_metrics, evaluate, metric_named
from langchain_prodkit.evaluation.metrics import Cost, EvaluateModule, RetrievalRecall, TextClassifier

pytestmark = pytest.mark.disable_socket

ROWS: list[dict[str, Any]] = [
    {"question": "a", "answer": "one", "expected": "one"},
    {"question": "b", "answer": "two", "expected": None},
]


def test_every_default_metric_has_a_name_to_ask_for() -> None:
    """What a report shows can be asked for again."""
    for metric in default_metrics():
        assert metric_named(metric.name) == metric
    assert metric_named("retrieval_recall_at_3") == RetrievalRecall(3)
    assert isinstance(metric_named("cost_usd", prices={"*": {"input": 1}}), Cost)
    assert metric_named("words", name="length").name == "length"


@pytest.mark.parametrize(
    "name", ["", "word", "evaluate:", "hub:toxicity", "retrieval_recall_at_0", "mlflow:"]
)
def test_a_name_that_nobody_has_is_refused(name: str) -> None:
    """With the names that there are."""
    with pytest.raises(ConfigurationError, match="rouge_l"):
        metric_named(name)


def test_options_that_a_metric_does_not_take_are_refused() -> None:
    """And so is the want of one."""
    with pytest.raises(ConfigurationError, match="options"):
        metric_named("words", k=3)
    with pytest.raises(ConfigurationError, match="options"):
        metric_named("cost_usd")


def _summary(metric: Any) -> Any:
    return evaluate(EvalDataset.from_records(ROWS), [metric]).summary[metric.name]


def test_an_upgrade_without_its_library_is_skipped_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a green run with a metric missing."""
    for library in ("evaluate", "transformers"):
        monkeypatch.setitem(sys.modules, library, None)
    for name in ("evaluate:toxicity", "transformers:unitary/toxic-bert"):
        summary = _summary(metric_named(name))
        assert (summary.n, summary.skipped) == (0, 2)
        assert name.partition(":")[0] in next(iter(summary.reasons))


class _Module:
    """A module as `evaluate.load` gives them."""

    def __init__(self, results: Any, *, references: bool) -> None:
        self.features = {"predictions": None, "references": None} if references else {"predictions": None}
        self.results = results

    def compute(self, **texts: list[str]) -> Any:
        return self.results(texts)


def _library(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[str]:
    asked: list[str] = []

    def load(name: str) -> Any:
        asked.append(name)
        if isinstance(module, Exception):
            raise module
        return module

    library = ModuleType("evaluate")
    library.__dict__["load"] = load
    monkeypatch.setitem(sys.modules, "evaluate", library)
    return asked


def test_a_module_that_cannot_be_had_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason names the class of the error, whose message may hold anything."""
    asked = _library(monkeypatch, ConnectionError("secret"))
    summary = _summary(metric_named("evaluate:toxicity"))
    assert summary.reasons == {"evaluate:toxicity could not be loaded (ConnectionError)": 2}
    assert asked == ["toxicity"]


def test_modules_that_score_each_text_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toxicity is one of those for which less is better."""
    _library(
        monkeypatch,
        _Module(lambda texts: {"toxicity": [len(t) for t in texts["predictions"]]}, references=False),
    )
    summary = _summary(metric_named("evaluate:toxicity"))
    assert (summary.mean, summary.n, summary.higher_is_better) == (3, 2, False)


def test_modules_that_score_all_texts_together_are_asked_about_each_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row without the right answer is skipped where the module wants one."""
    _library(
        monkeypatch,
        _Module(
            lambda texts: {"other": 0.0, "f1": float(texts["predictions"] == texts["references"])},
            references=True,
        ),
    )
    metric = EvaluateModule("path/to/f1er.py")
    assert metric.name == "evaluate:f1er"
    report = evaluate(EvalDataset.from_records(ROWS), [metric])
    assert [row.scores[metric.name] for row in report.rows] == [Score(1.0), Score(skipped="no expected")]


@pytest.mark.hf
def test_a_classifier_scores_what_its_labels_call_toxic(tmp_path_factory: pytest.TempPathFactory) -> None:
    """From a folder, without a network and without code of the model's."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("model")
    (folder / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\none\ntwo\n")
    transformers.BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=7, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8,
        max_position_embeddings=16, id2label={0: "non-toxic", 1: "toxic"},
        label2id={"non-toxic": 0, "toxic": 1},
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    rows = [{"answer": "one " * 100}, {"answer": ""}]
    toxic, harmless, none = (
        [
            row.scores["transformers:m"]
            for row in evaluate(rows, [_Named(TextClassifier(str(folder), label))]).rows
        ]
        for label in (None, "non-toxic", "no such")
    )
    for left, right in zip(toxic, harmless, strict=True):
        assert (left.value or 0) + (right.value or 0) == pytest.approx(1)
    assert all("label=" in (score.skipped or "") for score in none)


class _Named:
    """Another name, as a folder's is made up by the test."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.name, self.needs, self.higher_is_better = "transformers:m", inner.needs, False

    def score(self, row: Any) -> Score:
        """Ask."""
        score: Score = self.inner.score(row)
        return score

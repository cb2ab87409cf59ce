"""Notebooks and their reviewed twins stay the same, and what is wrong with a pair is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cookbook import pairs

SOURCE = """\
# %% [markdown]
# # A title

# %%
answer = 42

# %%
answer = 42
"""


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Give the notebook of a pair in order."""
    (tmp_path / "01_first.py").write_text(SOURCE, encoding="utf-8")
    assert pairs.write(tmp_path) == [tmp_path / "01_first.ipynb"]
    return tmp_path / "01_first.ipynb"


def _changed(notebook: Path, **cell: Any) -> None:
    """Change the second cell as Jupyter would."""
    content = json.loads(notebook.read_text(encoding="utf-8"))
    content["cells"][1].update(cell)
    notebook.write_text(json.dumps(content), encoding="utf-8")


def test_a_written_pair_is_in_order_and_stays_as_it_is(pair: Path) -> None:
    """Writing twice changes nothing."""
    assert pairs.check(pair.parent) == []
    assert pairs.write(pair.parent) == []


def test_ids_are_the_same_every_time_and_never_twice(pair: Path) -> None:
    """Equal cells differ in their ids, and one changed cell leaves the ids of the others alone."""
    before = [cell["id"] for cell in json.loads(pair.read_text(encoding="utf-8"))["cells"]]
    assert len(set(before)) == 3
    changed = pairs.notebook_of(SOURCE.replace("A title", "Another title"))
    assert [cell["id"] for cell in json.loads(changed)["cells"]][1:] == before[1:]


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ({"execution_count": 1}, "execution counts"),
        (
            {"outputs": [{"output_type": "stream", "name": "stdout", "text": ["42"]}]},
            "holds outputs",
        ),
        ({"id": "0123abcd"}, "other ids"),
        ({"source": ["answer = 43"]}, "says something else"),
    ],
)
def test_what_differs_is_named_with_the_command_that_mends_it(
    pair: Path, cell: dict[str, Any], message: str
) -> None:
    """Each way in which a notebook can drift away is found, and mended by the command named."""
    _changed(pair, **cell)
    (problem,) = pairs.check(pair.parent)
    assert message in problem.message
    assert problem.command.startswith("python -m cookbook.pairs --write")
    pairs.write(pair.parent)
    assert pairs.check(pair.parent) == []


def test_a_missing_twin_is_found_on_either_side(pair: Path) -> None:
    """A file without its other half is a problem, whichever half it is."""
    pair.with_name("02_second.py").write_text(SOURCE, encoding="utf-8")
    pair.with_name("03_third.ipynb").write_text("{}", encoding="utf-8")
    assert [problem.name for problem in pairs.check(pair.parent)] == ["02_second.ipynb", "03_third.ipynb"]


def test_a_broken_notebook_is_found(pair: Path) -> None:
    """A file that is no JSON is said to be none."""
    pair.write_text("<<<<<<< merge", encoding="utf-8")
    (problem,) = pairs.check(pair.parent)
    assert problem.message == "is not a notebook"


def test_the_pairs_of_the_project_are_in_order() -> None:
    """What is committed is what `--write` makes."""
    assert [str(problem) for problem in pairs.check()] == []

"""What README.md shows works, and what it names exists."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_prodkit.cli import app
from langchain_prodkit.testing import ProviderServer

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NAME = "Maria Keller"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


def _desk(body: dict[str, Any]) -> str | dict[str, Any]:
    """Fill in the ticket with the name that reached the provider; as a judge, be content."""
    if "impartial judge" in str(body["messages"]):
        return '{"rationale": "to the point", "score": 5}'
    name = re.search(r"I am ([^.]+)\.", str(body["messages"]))
    assert name
    arguments = {"customer": name.group(1), "problem": "the machine leaks"}
    return {"tool_calls": [{"name": "Ticket", "arguments": arguments}]}


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    """Stand in for the provider whose key the reader has."""
    with ProviderServer(script=_desk) as server:
        yield server


@pytest.fixture(scope="module")
def shown(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Run every python block in order, as a reader would, and give the names they define."""
    names: dict[str, Any] = {"__name__": "readme"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "none")
        patch.setenv("OPENAI_BASE_URL", provider.base_url)
        patch.chdir(tmp_path_factory.mktemp("readme"))
        for block in _blocks("python"):
            exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own text
    return names


def test_the_chain_gives_a_ticket_and_the_provider_never_saw_the_name(
    shown: dict[str, Any], provider: ProviderServer
) -> None:
    """The ten lines do what the sentence below them says."""
    assert shown["ticket"].customer == NAME
    assert "I am <PERSON_1>." in provider.journal_text()
    assert NAME not in provider.journal_text()


def test_the_evaluation_was_written(shown: dict[str, Any]) -> None:
    """The second block ends with a run in an MLflow store."""
    (row,) = shown["record"].records
    assert row.error is None
    assert NAME not in str(row.to_dict())
    assert re.fullmatch(r"[0-9a-f]{32}", shown["run_id"])


def test_the_answers_are_judged_and_gated(shown: dict[str, Any]) -> None:
    """One row is judged, says why it has no faithfulness, and decides nothing."""
    summary = shown["report"].summary
    assert summary["relevance"].mean == 1.0
    assert summary["faithfulness"].reasons == {"no contexts": 1}
    assert shown["verdict"] == "INCONCLUSIVE"


def test_the_test_passes(shown: dict[str, Any], make_provider_server: Callable[..., ProviderServer]) -> None:
    """The test that README shows to users is itself run."""
    shown["test_my_chain_survives_a_bad_day"](make_provider_server)


def test_the_chain_is_as_short_as_promised() -> None:
    """Ten lines of code, imports and the user's own model left out."""
    code = _blocks("python")[0].partition("class Ticket")[2]
    assert len([line for line in code.splitlines()[1:] if line.strip()]) <= 10


def test_every_make_target_exists() -> None:
    """`make x` in README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"demo", "test"} <= named <= targets


def test_every_extra_exists() -> None:
    """Extras in install lines and in the table are extras of the package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = set(project["optional-dependencies"])
    table = README.partition("| extra |")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`[^|]*`) \|", table, re.MULTILINE)
    in_table = {name for cell in cells for name in re.findall(r"`([a-z-]+)`", cell)}
    installed = {name for names in re.findall(r"\[([a-z,-]+)\]\"", README) for name in names.split(",")}
    assert in_table == extras
    assert installed <= in_table


def test_every_command_and_option_exists() -> None:
    """The command line that README shows can be typed, and none of its commands is left out."""
    import typer.main  # noqa: PLC0415 - only here

    group: Any = typer.main.get_command(app)
    lines = re.findall(r"^langchain-prodkit (\w+)([^#\n]*)", "\n".join(_blocks("sh")), re.MULTILINE)
    assert {name for name, _ in lines} == set(group.commands)
    for name, rest in lines:
        command = group.commands[name]
        if hasattr(command, "commands"):
            command = command.commands[rest.split()[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= options


@pytest.mark.parametrize("page", ["README.md", "SECURITY.md", "CHANGELOG.md"])
def test_every_file_linked_exists(page: str) -> None:
    """Links between the pages of the repository lead somewhere."""
    import langchain_prodkit  # noqa: PLC0415

    # The package may be an installed wheel, with no folder of that name beside the pages.
    package = Path(langchain_prodkit.__file__).parent
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        inside = target.startswith(f"{package.name}/")
        assert ((package.parent if inside else ROOT) / target).exists(), target


def test_the_names_of_the_changelog_exist() -> None:
    """Every class and function that CHANGELOG.md announces can be imported from a public module."""
    import langchain_prodkit  # noqa: PLC0415
    from langchain_prodkit import errors, evaluation, guard, limits, parse, privacy, testing  # noqa: PLC0415
    from langchain_prodkit.evaluation import metrics  # noqa: PLC0415

    public = [langchain_prodkit, errors, evaluation, metrics, guard, limits, parse, privacy, testing]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([A-Z]\w+|[a-z]+_[a-z_]+|harden|evaluate|aevaluate)`", text)) - {
        "user_id",
        "thread_id",
        "prodkit_eval",  # a fixture
    }
    assert len(named) > 20
    for name in named:
        assert any(hasattr(module, name) for module in public), name

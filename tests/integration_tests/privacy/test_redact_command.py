"""`langchain-prodkit redact`, as its users meet it: files, pipes, exit codes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from langchain_prodkit.__main__ import main
from tests.integration_tests.redis_server import RedisServer

TEXT = "My name is Emily Carter, call (212) 555-0187.\n\nEmily Carter wrote <PERSON_1>.\n"
ROWS = [["name", "mail", "note"], ["Emily Carter", "emily@example.com", "a, b"], ["x", "bo@example.com", '"']]
LINES = [
    {"who": "Emily Carter", "mail": "emily@example.com", "n": 1, "tags": ["a"]},
    {"meta": {"mail": "bo@example.com"}, "card": 4111111111111111, "emily@example.com": None},
]
KEY = "a key of thirty-two characters.."


ENVIRONMENT = {"COLUMNS": "160", "NO_COLOR": "1", "PRODKIT_VAULT_KEY": KEY, "PRODKIT_OPERATOR_KEY": KEY}


class Done(NamedTuple):
    """What a command left."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run the command in this process, with files for its three streams."""

    def run(*arguments: str | Path, text: str = "", **environment: str) -> Done:
        source = tmp_path / "standard input"
        source.write_text(text)
        with monkeypatch.context() as patch, source.open() as stdin:
            for name, value in (ENVIRONMENT | environment).items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["langchain-prodkit", "redact", *map(str, arguments)])
            patch.setattr(sys, "stdin", stdin)
            capfd.readouterr()
            with pytest.raises(SystemExit) as left:
                main()
        out, errors = capfd.readouterr()
        return Done(int(left.value.code or 0), out, errors)

    return run


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Make one file of each kind."""
    made = {kind: tmp_path / f"in.{kind}" for kind in ("txt", "jsonl", "csv")}
    made["txt"].write_text(TEXT)
    made["jsonl"].write_text("".join(json.dumps(line) + "\n" for line in LINES) + "\n")
    with made["csv"].open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(ROWS)
    return made


def test_there_and_back(run: Run, files: dict[str, Path], tmp_path: Path) -> None:
    """Three kinds of file, one vault: no value is left, and restored they are what they were."""
    out, back, vault = tmp_path / "out", tmp_path / "back", tmp_path / "vault.db"
    done = run(*files.values(), "--out", out, "--vault", vault, "--profile", "patterns", "--report")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    reports = [json.loads(line) for line in done.stderr.splitlines()]
    assert [report["records"] for report in reports] == [1, 2, 2]
    assert reports[1]["entities"] == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 3}
    written = {kind: (out / f"in.{kind}").read_text() for kind in files}
    for text in written.values():
        assert "555-0187" not in text
        assert "@example.com" not in text
    line = json.loads(written["jsonl"].splitlines()[1])
    # One vault, so the address of the first line is the same one in the table and as a key.
    assert line["card"] == "<CREDIT_CARD_1>"
    assert line["meta"] == {"mail": "<EMAIL_ADDRESS_2>"}
    assert "<EMAIL_ADDRESS_1>" in line
    assert written["csv"].splitlines()[0] == "name,mail,note"
    done = run(*(out / f"in.{kind}" for kind in files), "--out", back, "--vault", vault, "--restore")
    assert done.returncode == 0, done.stderr
    for kind in ("txt", "csv"):
        assert (back / f"in.{kind}").read_text() == files[kind].read_text()
    assert [json.loads(one) for one in (back / "in.jsonl").read_text().split("\n") if one] == LINES
    assert b"example.com" not in vault.read_bytes()
    assert oct(vault.stat().st_mode)[-3:] == "600"


def test_names_fields_and_columns(run: Run, files: dict[str, Path]) -> None:
    """Only what is asked for is read; a column that is not there is an error, without text."""
    done = run(files["jsonl"], "--field", "meta.mail", "--profile", "patterns")
    first, second = (json.loads(line) for line in done.stdout.splitlines() if line)
    assert first == LINES[0]
    assert second == LINES[1] | {"meta": {"mail": "<EMAIL_ADDRESS_1>"}}
    done = run(files["csv"], "--column", "note", "--profile", "patterns")
    assert done.stdout == files["csv"].read_text()
    done = run(files["csv"], "--column", "Emily Carter")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Emily" not in done.stderr


def test_a_pipe_in_a_process_of_its_own() -> None:
    """Standard input to standard output, names and all."""
    done = subprocess.run(
        [sys.executable, "-m", "langchain_prodkit", "redact", "--report"],
        input=TEXT,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        env={**os.environ, **ENVIRONMENT},
    )
    assert done.stdout == "My name is <PERSON_1>, call <PHONE_NUMBER_1>.\n\n<PERSON_1> wrote <LITERAL_1>.\n"
    assert json.loads(done.stderr) == {
        "file": "-",
        "records": 1,
        "entities": {"PERSON": 2, "PHONE_NUMBER": 1},
    }


def test_spans_say_where(run: Run, files: dict[str, Path]) -> None:
    """Offsets count from the start of a text, or from that of a field of a record."""
    text = "mail emily@example.com\n" * 2_000
    lines = run("-", "--spans", "--profile", "patterns", text=text).stdout.splitlines()
    spans = [json.loads(line) for line in lines]
    assert len(spans) == 2_000
    assert {text[span["start"] : span["end"]] for span in spans} == {"emily@example.com"}
    lines = run(files["jsonl"], "--spans", "--profile", "patterns").stdout.splitlines()
    first, second, *_ = [json.loads(line) for line in lines]
    assert first == {"record": 0, "path": ["mail"], "start": 0, "end": 17, "entity": "EMAIL_ADDRESS"}
    assert (second["record"], second["path"]) == (1, ["meta", "mail"])


@pytest.mark.parametrize(
    ("operator", "expected"),
    [("mask", "mail *****@*******.***"), ("redact", "mail "), ("hash", None), ("encrypt", None)],
)
def test_operators(run: Run, operator: str, expected: str | None) -> None:
    """For good, keyed, or sealed and readable again with the key alone."""
    done = run("--operator", operator, "--profile", "patterns", text="mail emily@example.com")
    if expected:
        assert done.stdout == expected
    else:
        again = run("--operator", operator, "--profile", "patterns", text="mail emily@example.com")
        assert done.stdout == again.stdout
        assert "emily" not in done.stdout
    if operator == "encrypt":
        assert run("--restore", "--operator", "encrypt", text=done.stdout).stdout == "mail emily@example.com"


def test_failures_say_what_to_do_and_show_no_text(run: Run, files: dict[str, Path], tmp_path: Path) -> None:
    """Exit code 1, one line, no traceback, and no half-written file."""
    vault = tmp_path / "vault.db"
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"mail": "emily@example.com"}\n{"secret" oops\n')
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Zo\xeb".encode("latin-1"))
    assert run(files["txt"], "--vault", vault, "--out", tmp_path / "o.txt").returncode == 0
    cases = [
        (run(broken, "--out", tmp_path / "b"), "line 2"),
        (run(latin, "--out", tmp_path / "b"), "UTF-8"),
        (run(tmp_path / "missing.txt"), "cannot be read"),
        (run(files["txt"], files["csv"]), "--out"),
        (run(files["txt"], "--restore"), "--vault"),
        (run(files["txt"], "--restore", "--vault", tmp_path / "none.db"), "vault file"),
        (run(files["txt"], "--vault", vault, PRODKIT_VAULT_KEY=""), "PRODKIT_VAULT_KEY"),
        (run(tmp_path / "o.txt", "--restore", "--vault", vault, PRODKIT_VAULT_KEY=KEY[::-1]), "another key"),
        (run(files["txt"], "--out", files["txt"]), "overwrite"),
        (run(files["txt"], "--vault", "redis://127.0.0.1:1"), "--thread"),
        (run(files["txt"], "--vault", "redis://127.0.0.1:1", "--thread", "t"), "redis"),
    ]
    for done, expected in cases:
        assert done.returncode == 1, expected
        assert expected in done.stderr
        for secret in ("Traceback", "emily", "oops", "Emily"):
            assert secret not in done.stderr
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.glob(".prodkit-*"))


def test_a_redis_vault_serves_others(run: Run, shared_server: RedisServer) -> None:
    """What one run redacted another restores, by the name of the conversation."""
    told = ("--vault", shared_server.url, "--thread", "files", "--profile", "patterns")
    done = run(*told, text="mail emily@example.com")
    assert done.stdout == "mail <EMAIL_ADDRESS_1>"
    assert run(*told, "--restore", text=done.stdout).stdout == "mail emily@example.com"
    other = run(*told, "--user", "else", text="mail bo@example.com")
    assert run(*told, "--user", "else", "--restore", text=other.stdout).stdout == "mail bo@example.com"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["txt", "jsonl", "csv"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    """Four times the file, the same memory; every value another one."""
    code = (
        "import resource, sys\n"
        "from langchain_prodkit.privacy.command import Job, redact_files\n"
        "from pathlib import Path\n"
        "redact_files(Job(files=[sys.argv[1]], out=Path(sys.argv[2]), profile='patterns'))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    peaks = []
    for size in (5_000, 20_000):
        file = tmp_path / f"{size}.{kind}"
        row = {
            "txt": "mail u{n}@example.com now\n",
            "jsonl": '{{"a": "u{n}@example.com"}}\n',
            "csv": "u{n}@e.com,b\n",
        }
        file.write_text("".join(row[kind].format(n=n) for n in range(size)))
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", code, str(file), str(tmp_path / "out")],
            capture_output=True,
            text=True,
            check=True,
            timeout=170,
        )
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 20_000  # kB

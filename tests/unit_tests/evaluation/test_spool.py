"""Records past the bound go to disk, come back whole, and belong to one process at a time."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import pickle
import signal
import stat
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from langchain_core.runnables import Runnable, RunnableLambda

from langchain_prodkit.errors import ConfigurationError, RecordsFullError
from langchain_prodkit.evaluation import MLflowEvalCallback

SECRET = "Ada"


def ask(record: MLflowEvalCallback, *numbers: int, chain: Runnable[Any, Any] | None = None) -> None:
    """Run a chain once for each number."""
    for number in numbers:
        (chain or RunnableLambda(str)).invoke(number, {"callbacks": [record]})


def inputs(record: MLflowEvalCallback) -> list[Any]:
    """Give the inputs of all records held, in order."""
    return [row.input for row in record.records]


def assert_books_balance(record: MLflowEvalCallback) -> None:
    """What was chosen is recorded, dropped or open."""
    counts = record.statistics()
    assert counts.sampled == counts.recorded + counts.dropped + counts.open


def on_disk(folder: Path) -> str:
    """Give all that stands in the files of a spool."""
    return "".join(path.read_text() for path in sorted(folder.glob("*.jsonl")))


def test_records_past_the_bound_reach_the_disk_and_come_back_in_order(tmp_path: Path) -> None:
    """Nothing is dropped, however fast records come, and memory is freed."""
    record = MLflowEvalCallback(max_pending=10, spool_dir=tmp_path / "spool")
    ask(record, *range(200))
    assert record.flush()
    counts = record.statistics()
    assert (counts.recorded, counts.dropped, counts.held, counts.spooled) == (200, 0, 0, 200)
    assert inputs(record) == list(range(200))
    ask(record, 200, 201)
    assert inputs(record) == list(range(202))
    assert_books_balance(record)


def test_what_comes_back_is_what_was_recorded(tmp_path: Path) -> None:
    """Every field survives the disk, lone surrogates and line ends included."""
    chain: Runnable[Any, Any] = RunnableLambda(lambda _: {"answer": "a\n\u2028\ud800b", "n": 1.5})
    kept, spooled = MLflowEvalCallback(), MLflowEvalCallback(spool_dir=tmp_path)
    chain.invoke({"q": ["x\n", None]}, {"callbacks": [kept, spooled], "tags": ["t"], "metadata": {"m": 1}})
    assert spooled.flush()
    (one,), (two,) = kept.records, spooled.records
    assert (one.input, one.output, one.tags, one.metadata) == (two.input, two.output, two.tags, two.metadata)


def test_a_handed_over_record_leaves_the_disk(tmp_path: Path) -> None:
    """`dataset(clear=True)` gives each record once and removes its file."""
    record = MLflowEvalCallback(max_pending=2, spool_dir=tmp_path)
    ask(record, *range(7))
    assert [row.input for row in record.dataset(clear=True)] == list(range(7))
    assert (record.records, on_disk(tmp_path)) == ((), "")
    ask(record, 7)
    assert [row.input for row in record.dataset(clear=True)] == [7]


def test_files_are_for_this_user_alone(tmp_path: Path) -> None:
    """They hold what users wrote."""
    record = MLflowEvalCallback(spool_dir=tmp_path / "a" / "spool")
    ask(record, 1)
    record.close()
    (path,) = (tmp_path / "a" / "spool").glob("*.jsonl")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_only_redacted_text_reaches_the_disk(tmp_path: Path) -> None:
    """The redactor works in the writer's thread, never in the caller's."""
    threads = set()

    def redact(text: str) -> str:
        threads.add(threading.current_thread().name)
        return text.replace(SECRET, "***")

    record = MLflowEvalCallback(max_pending=3, spool_dir=tmp_path, redact=redact)
    for _ in range(9):
        RunnableLambda(str).invoke("I am Ada", {"callbacks": [record]})
    run = uuid.uuid4()
    RunnableLambda(str).invoke("I am Ada", {"callbacks": [record], "run_id": run})
    assert record.flush()
    record.feedback(run, "helpful", value=False, rationale="Ada got the wrong answer")
    assert record.flush()
    assert SECRET not in on_disk(tmp_path)
    assert on_disk(tmp_path).count("***") >= 20
    assert threads == {"prodkit-eval-writer"}
    assert record.records[-1].feedback[0].rationale == "*** got the wrong answer"


def test_lines_that_no_redactor_saw_are_redacted_when_they_are_read(tmp_path: Path) -> None:
    """A callback with a redactor hands out nothing raw, even what a process without one left."""
    raw = MLflowEvalCallback(spool_dir=tmp_path)
    RunnableLambda(str).invoke("I am Ada", {"callbacks": [raw]})
    raw.close()
    careful = MLflowEvalCallback(spool_dir=tmp_path, redact=lambda text: text.replace(SECRET, "***"))
    assert inputs(careful) == ["I am ***"]


def test_a_successor_takes_up_what_was_left_and_nobody_else_does(tmp_path: Path) -> None:
    """What a living callback holds is its own; what a closed one left goes to the first that asks."""
    first = MLflowEvalCallback(spool_dir=tmp_path)
    ask(first, 1, 2)
    first.flush()
    other = MLflowEvalCallback(spool_dir=tmp_path)
    assert inputs(other) == []
    first.close()
    ask(other, 3)
    assert inputs(other) == [1, 2, 3]
    assert (other.statistics().taken_up, other.statistics().recorded) == (2, 1)
    assert_books_balance(other)
    assert inputs(MLflowEvalCallback(spool_dir=tmp_path)) == []
    assert inputs(first) == []


def test_a_closed_callback_can_still_be_read(tmp_path: Path) -> None:
    """Unless a successor came."""
    with MLflowEvalCallback(spool_dir=tmp_path) as record:
        ask(record, 1, 2)
    assert record.statistics().spooled == 2
    assert inputs(record) == [1, 2]
    assert record.statistics().taken_up == 0


def test_a_line_that_a_crash_cut_short_is_lost_alone(tmp_path: Path) -> None:
    """The lines before it, and what comes later, are read."""
    record = MLflowEvalCallback(spool_dir=tmp_path)
    ask(record, 1, 2)
    record.close()
    (path,) = tmp_path.glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    later = MLflowEvalCallback(spool_dir=tmp_path)
    ask(later, 3)
    assert inputs(later) == [1, 3]
    later.close()
    assert inputs(MLflowEvalCallback(spool_dir=tmp_path)) == [1, 3]


def test_files_of_another_kind_do_no_harm(tmp_path: Path) -> None:
    """Whatever somebody puts there."""
    (tmp_path / "notes.jsonl").write_bytes(
        b'\xff\xfe\n[1]\n{"id": 7}\n{"id": "x", "contexts": 5}\n\n{"id": "y"}\n'
    )
    (tmp_path / "empty.jsonl").touch()
    assert [row.id for row in MLflowEvalCallback(spool_dir=tmp_path).records] == ["y"]


def test_dropping_starts_only_when_the_spool_is_full(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The oldest are kept, the new ones counted, and the log says so once."""
    record = MLflowEvalCallback(max_pending=5, spool_dir=tmp_path, max_spool_bytes=3000)
    with caplog.at_level(logging.WARNING):
        for number in range(60):
            ask(record, number)
            record.flush()
    counts = record.statistics()
    assert counts.dropped > 0
    assert (counts.held, counts.spooled + counts.held + counts.dropped) == (5, 60)
    assert inputs(record) == list(range(60 - counts.dropped))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 3000
    assert len([entry for entry in caplog.records if "the spool is full" in entry.message]) == 1
    assert_books_balance(record)
    record.dataset(clear=True)
    ask(record, 99)
    assert inputs(record) == [99]


def test_the_oldest_may_go_instead(tmp_path: Path) -> None:
    """`drop_oldest` keeps what is new, on disk and in memory."""
    record = MLflowEvalCallback(
        max_pending=5, spool_dir=tmp_path, max_spool_bytes=6000, on_full="drop_oldest"
    )
    for number in range(60):
        ask(record, number)
        record.flush()
    kept = inputs(record)
    assert kept == list(range(60 - len(kept), 60))
    assert record.statistics().dropped == 60 - len(kept) > 0
    assert_books_balance(record)
    memory = MLflowEvalCallback(max_pending=3, on_full="drop_oldest")
    ask(memory, *range(8))
    assert (inputs(memory), memory.statistics().dropped) == ([5, 6, 7], 5)
    assert_books_balance(memory)


def test_a_chain_may_be_stopped_instead() -> None:
    """`raise` refuses a run before it starts, and a failed run keeps its own error."""
    calls: list[int] = []

    def note(number: int) -> None:
        calls.append(number)

    chain: Runnable[Any, Any] = RunnableLambda(note)
    record = MLflowEvalCallback(max_pending=2, on_full="raise")
    ask(record, 1, 2, chain=chain)
    with pytest.raises(RecordsFullError):
        ask(record, 3, chain=chain)
    assert calls == [1, 2]
    record.dataset(clear=True)
    ask(record, 4, chain=chain)
    assert inputs(record) == [4]
    assert_books_balance(record)


def test_a_record_larger_than_the_spool_does_not_block_the_others(tmp_path: Path) -> None:
    """It is dropped and counted."""
    record = MLflowEvalCallback(max_pending=1, spool_dir=tmp_path, max_spool_bytes=2000)
    ask(record, 1, chain=RunnableLambda(lambda _: "x" * 5000))
    ask(record, 2)
    assert record.flush()
    assert (inputs(record), record.statistics().dropped) == ([2], 1)
    assert_books_balance(record)


def test_a_disk_that_refuses_loses_nothing_that_fits_in_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder vanished: records wait in memory, and go to disk when it is back."""
    folder = tmp_path / "spool"
    record = MLflowEvalCallback(max_pending=4, spool_dir=folder)
    folder.rmdir()
    with caplog.at_level(logging.WARNING):
        ask(record, 1, 2, 3)
        assert not record.flush()
    assert "the spool cannot be written (No such file or directory)" in caplog.text
    assert inputs(record) == [1, 2, 3]
    folder.mkdir()
    assert record.flush()
    assert (inputs(record), record.statistics().spooled) == ([1, 2, 3], 3)


def test_flush_gives_up_after_its_time_and_the_work_goes_on(tmp_path: Path) -> None:
    """A slow redactor does not hang the one who waits."""
    go = threading.Event()

    def slow(text: str) -> str:
        go.wait(10)
        return text

    record = MLflowEvalCallback(spool_dir=tmp_path, redact=slow)
    ask(record, 1)
    RunnableLambda(str).invoke("one", {"callbacks": [record]})
    assert not record.flush(timeout_s=0.01)
    go.set()
    assert record.flush()
    assert record.statistics().spooled == 2


def test_a_callback_that_is_gone_leaves_its_records(tmp_path: Path) -> None:
    """Nobody closed it, and the process goes on."""
    record = MLflowEvalCallback(spool_dir=tmp_path)
    ask(record, 1, 2)
    del record
    gc.collect()
    successor = MLflowEvalCallback(spool_dir=tmp_path)
    give_up_s = time.monotonic() + 20
    while inputs(successor) != [1, 2]:
        assert time.monotonic() < give_up_s
        time.sleep(0.01)


def test_no_thread_runs_that_nothing_needs(tmp_path: Path) -> None:
    """Neither without a spool and a redactor, nor before there is anything to write."""

    def writers() -> int:
        return sum(thread.name == "prodkit-eval-writer" for thread in threading.enumerate())

    before = writers()
    bare = MLflowEvalCallback()
    lazy = MLflowEvalCallback(spool_dir=tmp_path, redact=str.lower, max_pending=5)
    ask(bare, 1, 2)
    ask(lazy, 1, 2)
    assert inputs(bare) == [1, 2]
    assert writers() == before
    assert inputs(lazy) == [1, 2]
    assert writers() == before + 1


def test_a_pickle_holds_settings_and_no_records(tmp_path: Path) -> None:
    """The copy starts empty and writes files of its own."""
    record = MLflowEvalCallback(spool_dir=tmp_path, max_pending=3, on_full="drop_oldest", always_keep=None)
    RunnableLambda(str).invoke("secret words", {"callbacks": [record]})
    data = pickle.dumps(record)
    assert b"secret words" not in data
    copy = pickle.loads(data)  # noqa: S301 - made in the line above
    ask(copy, 5)
    assert (inputs(copy), inputs(record)) == ([5], ["secret words"])
    assert copy.__reduce__() == record.__reduce__()


def test_settings_of_the_spool_are_checked_at_once(tmp_path: Path) -> None:
    """Not at the first record."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="spool_dir"):
        MLflowEvalCallback(spool_dir=tmp_path / "file")
    wrong: list[Any] = [{"max_spool_bytes": 0}, {"on_full": "panic"}, {"max_record_bytes": 3}]
    for arguments in wrong:
        with pytest.raises(ConfigurationError):
            MLflowEvalCallback(**arguments)


def test_two_runs_of_one_id_are_two_rows(tmp_path: Path) -> None:
    """Callers may choose a run's id, and choose it twice."""
    for record in (MLflowEvalCallback(), MLflowEvalCallback(spool_dir=tmp_path)):
        run = uuid.uuid4()
        for number in (1, 2):
            RunnableLambda(str).invoke(number, {"callbacks": [record], "run_id": run})
        record.flush()
        assert [row.id for row in record.dataset()] == [str(run), f"{run}#2"]
        assert len(record.dataset(clear=True)) == 2
        assert record.records == ()


CHILD = """
import os, signal, sys
from langchain_core.runnables import RunnableLambda
from langchain_prodkit.evaluation import MLflowEvalCallback
hide = lambda text: text.replace("Ada", "***")
record = MLflowEvalCallback(spool_dir=sys.argv[1], max_pending=10, redact=hide)
for number in range(25):
    RunnableLambda(str).invoke(f"Ada {number}", {"callbacks": [record]})
if sys.argv[2] == "kill":
    record.flush()
    RunnableLambda(str).invoke("only in memory", {"callbacks": [record]})
    os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "forget":
    del record
"""


@pytest.mark.parametrize("end", ["exit", "kill", "forget"])
def test_the_next_process_takes_up_what_the_last_one_left(tmp_path: Path, end: str) -> None:
    """A process that ends brings everything to disk, redacted; a killed one loses what was in memory."""
    done = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", CHILD, str(tmp_path), end],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == (-signal.SIGKILL if end == "kill" else 0), done.stderr
    assert SECRET not in on_disk(tmp_path)
    assert inputs(MLflowEvalCallback(spool_dir=tmp_path)) == [f"*** {number}" for number in range(25)]


def _in_a_child(record: MLflowEvalCallback, queue: Any) -> None:
    counts = record.statistics()
    queue.put((counts.seen, counts.held, counts.spooled, inputs(record)))
    ask(record, 100, 101)


@pytest.mark.parametrize("how", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_child_process_starts_empty_and_leaves_its_own(tmp_path: Path, how: str) -> None:
    """What the parent holds is sent by the parent; what the child recorded is on disk when it ends."""
    record = MLflowEvalCallback(spool_dir=tmp_path, max_pending=3)
    ask(record, *range(8))
    record.flush()
    ask(record, 8)
    context: Any = multiprocessing.get_context(how)
    queue = context.Queue()
    child = context.Process(target=_in_a_child, args=(record, queue))
    child.start()
    assert queue.get(timeout=60) == (0, 0, 0, [])
    child.join(60)
    assert child.exitcode == 0
    assert inputs(record) == [*range(8), 100, 101, 8]
    assert on_disk(tmp_path).count("\n") == 10

"""Work on a store that went away is given up, and puts things in order by itself."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from langchain_prodkit.errors import StoreError
from langchain_prodkit.evaluation import watch
from langchain_prodkit.evaluation.watch import Abandoned, watched


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask often."""
    monkeypatch.setattr(watch, "EVERY_S", 0.02)
    monkeypatch.setattr(watch, "GRACE_S", 0.02)


@pytest.fixture
def gone() -> str:
    """Give the address of a server that is not there."""
    with closing(socket.create_server(("127.0.0.1", 0))) as once:
        return f"http://127.0.0.1:{once.getsockname()[1]}"


@pytest.fixture
def alive() -> Iterator[str]:
    """Give the address of a server that says it is well."""

    class Well(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Well) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_work_on_a_store_that_is_gone_ends_and_tidies_up(gone: str) -> None:
    """The caller gets its error while a request still hangs; afterwards no further one is sent."""
    hangs, tidied = threading.Event(), threading.Event()
    sent: list[str] = []

    def work(proceed: Callable[[], None]) -> None:
        try:
            proceed()
            sent.append("first")
            assert hangs.wait(10)
            proceed()
            sent.append("second")
        except Abandoned:
            tidied.set()
            raise

    with pytest.raises(StoreError, match="tracking_uri="):
        watched(gone, work)
    hangs.set()
    assert tidied.wait(10)
    assert sent == ["first"]


def test_work_that_was_done_after_all_is_no_error(gone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the caller would write everything a second time."""
    monkeypatch.setattr(watch, "GRACE_S", 10.0)
    late = threading.Event()

    def work(proceed: Callable[[], None]) -> str:
        while True:
            try:
                proceed()
            except Abandoned:
                late.set()
                return "done"

    assert watched(gone, work) == "done"
    assert late.is_set()


def test_slow_work_on_a_store_that_lives_may_take_its_time(alive: str) -> None:
    """Slow is not gone."""

    def work(proceed: Callable[[], None]) -> str:
        threading.Event().wait(0.3)
        proceed()
        return "done"

    assert watched(alive, work) == "done"


def test_what_the_work_raises_is_raised(alive: str) -> None:
    """As it is."""

    def work(proceed: Callable[[], None]) -> None:
        proceed()
        raise KeyError

    with pytest.raises(KeyError):
        watched(alive, work)


def test_a_file_is_worked_on_in_the_same_thread(tmp_path: object) -> None:
    """It locks for a bounded time by itself."""
    assert watched(f"sqlite:///{tmp_path}/x.db", lambda _: threading.get_ident()) == threading.get_ident()

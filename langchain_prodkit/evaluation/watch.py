"""Work on a store that may go away: it ends within seconds, whatever MLflow's retries would do."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from langchain_prodkit.errors import StoreError
from langchain_prodkit.evaluation import store

__all__ = ["Abandoned", "watched"]

T = TypeVar("T")

EVERY_S: Final = 2.0
"""How often a store that owes an answer is asked whether it lives."""
PATIENCE: Final = 2
"""After so many questions in a row without an answer, it does not."""
GRACE_S: Final = 5.0
"""How long work that was given up may take to put things in order."""


class Abandoned(BaseException):
    """Raised inside work that was given up, at its next step."""


def watched(uri: str, work: Callable[[Callable[[], None]], T]) -> T:
    """Do `work`, and give up when the store at `uri` no longer answers.

    MLflow repeats a failed request for minutes and offers no limit but environment variables of the
    whole process. So the work runs in a thread of its own, and this one asks the store how it is. When
    it gives up, the work stops at its next step, as soon as MLflow's current request lets it, and puts
    in order what it can reach: it calls the function it is given before each request.

    A sqlite file is not watched: it locks for a bounded time by itself.

    Raises:
        StoreError: The store is gone.
        BaseException: Whatever the work raises.
    """
    if not store.is_remote(uri):
        return work(_go_on)
    given_up = threading.Event()
    done = threading.Event()
    result: list[T] = []
    raised: list[BaseException] = []

    def proceed() -> None:
        if given_up.is_set():
            raise Abandoned

    def body() -> None:
        try:
            result.append(work(proceed))
        except BaseException as error:  # noqa: BLE001 - handed over below
            raised.append(error)
        finally:
            done.set()

    context: Any = contextvars.copy_context()
    # A daemon: an interpreter that ends does not wait for MLflow's retries.
    threading.Thread(target=context.run, args=(body,), name="prodkit-mlflow", daemon=True).start()
    try:
        _wait(uri, done)
    except BaseException as error:
        given_up.set()
        done.wait(GRACE_S)
        if not (isinstance(error, StoreError) and result):
            raise
    if raised:
        raise raised[0]
    return result[0]


def _wait(uri: str, done: threading.Event) -> None:
    silent = 0
    while not done.wait(EVERY_S):
        try:
            store.ready(uri)
        except StoreError:
            silent += 1
            if silent >= PATIENCE:
                raise
        else:
            silent = 0


def _go_on() -> None:
    """Say yes."""

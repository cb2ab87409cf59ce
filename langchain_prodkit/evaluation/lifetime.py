"""Forks and ends: what becomes of a callback's records when the process does not just go on."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from langchain_prodkit.evaluation.pending import PendingRecords

__all__ = ["leave_at_the_end", "start_over_in_forks", "watch_child"]


class Forked(Protocol):
    """Something that must not go on in a forked process as if nothing had happened."""

    def start_over_after_fork(self) -> None:
        """Begin empty; runs in the child, before anything else."""
        ...


_living: Final[weakref.WeakSet[Any]] = weakref.WeakSet()
"""Python can register what happens after a fork, but cannot unregister it: so once, for all of them."""
_leaving: Final[set[PendingRecords]] = set()
"""Records whose callback is gone, on their way to the disk: the interpreter must not end before."""


def start_over_in_forks(owner: Forked) -> None:
    """Have `owner` start over in every process forked from this one, as long as it lives."""
    _living.add(owner)


def leave_at_the_end(owner: object, pending: PendingRecords) -> None:
    """Bring records to disk when `owner` is gone, or the interpreter ends."""
    weakref.finalize(owner, _leave, pending)


def watch_child(pending: PendingRecords) -> None:
    """Bring records to disk at the end of a child of `multiprocessing`, which skips the usual hooks."""
    util: Any = sys.modules.get("multiprocessing.util")
    process: Any = sys.modules.get("multiprocessing.process")
    if util is None or process is None or process.parent_process() is None:
        return
    leave = weakref.WeakMethod(pending.leave)

    def end() -> None:
        method = leave()
        if method is not None:
            method()

    util.Finalize(None, end, exitpriority=0)


def _leave(pending: PendingRecords) -> None:
    # While the interpreter ends, no thread may be started and none is waited for.
    if threading.main_thread().is_alive():
        _leaving.add(pending)
        pending.leave_soon(lambda: _leaving.discard(pending))
    else:
        pending.leave()


def _leave_all() -> None:
    for pending in list(_leaving):
        pending.leave()


atexit.register(_leave_all)


def _renew() -> None:
    _leaving.clear()
    for owner in list(_living):
        owner.start_over_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)

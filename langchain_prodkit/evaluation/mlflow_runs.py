"""Runs that were begun and never finished: they are marked as failed, and their traces removed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import threading
import time
from typing import Any, Final

from langchain_prodkit.evaluation.mlflow_traces import MOST_LISTED

__all__ = ["SOURCE", "WRITER", "close_abandoned", "undo", "writer"]

SOURCE: Final = "langchain_prodkit.evaluation"
"""What our runs are tagged with as their source."""
WRITER: Final = "prodkit.writer"
"""Tag of a run: who writes it."""

_LONG_AGO_S: Final = 3600.0


def writer() -> str:
    """Name this thread of this process on this machine, as a hash: it writes one run at a time."""
    name = f"{socket.gethostname()}/{os.getpid()}/{threading.get_ident()}"
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def close_abandoned(client: Any, experiment_id: str, by: str) -> None:
    """Mark what was left unfinished as failed: by this writer, or by anybody long ago.

    A store that goes away midway leaves a run behind that nobody can mark then.
    """
    running = client.search_runs(
        [experiment_id], f"attributes.status = 'RUNNING' and tags.`mlflow.source.name` = '{SOURCE}'"
    )
    long_ago_ms = (time.time() - _LONG_AGO_S) * 1000
    for run in running:
        if run.data.tags.get(WRITER) == by or run.info.start_time < long_ago_ms:
            undo(client, run.info.run_id, experiment_id)


def undo(client: Any, run_id: str, experiment_id: str) -> None:
    """Mark a run as failed and remove its traces, as far as the store lets us."""
    with contextlib.suppress(Exception):
        client.set_terminated(run_id, "FAILED")
        while True:
            found = client.search_traces(
                locations=[experiment_id], run_id=run_id, include_spans=False, max_results=MOST_LISTED
            )
            ids = [trace.info.trace_id for trace in found]
            if not ids or not client.delete_traces(experiment_id, trace_ids=ids):
                return

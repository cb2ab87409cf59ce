"""`eval ui`: MLflow's own pages for the store that evaluations were written to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Final

import typer

from langchain_prodkit._eval.exits import INCONCLUSIVE, PASS
from langchain_prodkit.errors import ConfigurationError

__all__ = ["run_ui"]

STARTS_WITHIN_S: Final = 120.0
_STOPS_WITHIN_S: Final = 10.0
_POLL_S: Final = 0.2
DEFAULT_EXPERIMENT: Final = "langchain-prodkit"


def run_ui(*, port: int, tracking_uri: str | None, experiment: str | None) -> int:
    """Serve the store on 127.0.0.1 until Ctrl-C, and say where the evaluations are."""
    name = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or DEFAULT_EXPERIMENT
    given = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
    if given and given.startswith(("http://", "https://")):
        # It is served already.
        typer.echo(_page(given.rstrip("/"), name))
        return PASS
    from langchain_prodkit.evaluation.store import (  # noqa: PLC0415 - loads MLflow
        load_mlflow,
        resolved,
        sqlite_path,
    )

    uri = resolved(load_mlflow(), tracking_uri)
    path = sqlite_path(uri)
    if path is not None and not path.is_file():
        msg = f"there is no MLflow store at {path}; give --tracking-uri the one that was written to"
        raise ConfigurationError(msg)
    _free(port)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", uri, "--workers", "1"),
    ]
    if path is not None:
        command += ["--default-artifact-root", (path.absolute().parent / "mlartifacts").as_uri()]
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", **os.environ}
    # Ended from outside it must not leave the server behind, which has a group of its own so that its workers
    # end with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = subprocess.Popen(  # noqa: S603
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        if not _is_up(server, address):
            typer.echo("eval: MLflow's server did not start", err=True)
            return INCONCLUSIVE
        typer.echo(_page(address, name))
        typer.echo("Ctrl-C ends it.")
        sys.stdout.flush()
        server.wait()
    except KeyboardInterrupt:
        return PASS
    finally:
        _stop(server)
    typer.echo("eval: MLflow's server ended", err=True)
    return INCONCLUSIVE


def _page(address: str, experiment: str) -> str:
    query = urllib.parse.urlencode({"experiment_name": experiment})
    try:
        url = f"{address}/api/2.0/mlflow/experiments/get-by-name?{query}"
        with urllib.request.urlopen(url, timeout=_STOPS_WITHIN_S) as answer:  # noqa: S310 - http(s) only
            found = str(json.load(answer)["experiment"]["experiment_id"])
    except (OSError, ValueError, KeyError):
        # Nothing was written there yet, or a login stands before it: the list of experiments is close.
        return f"{address}/#/experiments"
    return f"{address}/#/experiments/{found}/evaluation-runs"


def _free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            msg = f"port {port} is taken; give --port another one"
            raise ConfigurationError(msg) from None


def _is_up(server: subprocess.Popen[bytes], address: str) -> bool:
    until = time.monotonic() + STARTS_WITHIN_S
    while server.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=1):  # noqa: S310
                return True
        except (OSError, urllib.error.URLError):
            time.sleep(_POLL_S)
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    """End the server and the workers that it started."""
    if os.name == "nt":  # pragma: no cover
        server.terminate()
    else:
        for sort in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(server.pid, sort)
                server.wait(_STOPS_WITHIN_S)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue
            else:
                return

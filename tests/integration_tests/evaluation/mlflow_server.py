"""A real `mlflow server` on the loopback, for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

START_S = 400.0
SETTINGS = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class MlflowServer:
    """`mlflow server --host 127.0.0.1` over a store of its own; ends with all its workers."""

    def __init__(self, folder: Path, backend: str | None = None) -> None:
        """Start it on a free port; `backend` is a store other than a new sqlite file in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        self.folder = folder
        self.uri = f"http://127.0.0.1:{port}"
        self.backend = backend or f"sqlite:///{folder / 'mlflow.db'}"
        self._command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
            "--workers", "1", "--backend-store-uri", self.backend,
            "--artifacts-destination", str(folder / "artifacts"),
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it (anew) and wait until it answers."""
        # A session of its own, so that its workers can be ended with it.
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter
                self._command,
                cwd=self.folder,
                env={**os.environ, **SETTINGS},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_S
        while not self.answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.stop()
                raise RuntimeError((self.folder / "server.log").read_text()[-2000:])
            time.sleep(0.2)

    def answers(self) -> bool:
        """Tell whether somebody is at home."""
        try:
            with urllib.request.urlopen(f"{self.uri}/health", timeout=2):  # noqa: S310 - http
                return True
        except OSError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, workers included."""
        process = self._process
        self._process = None
        if process is None:
            return
        for one in (how, signal.SIGKILL):
            try:
                os.killpg(process.pid, one)
                process.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
            if one is signal.SIGKILL:
                break

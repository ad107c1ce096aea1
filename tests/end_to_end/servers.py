"""Servers of applications for end-to-end tests: gunicorn and uvicorn, each in a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests import processes
from tests.end_to_end.node import ROOT
from tests.processes import PATIENCE


class Server:
    """A server of *application*, ``module:name`` below ``tests.end_to_end.served``, on a Unix socket."""

    def __init__(self, kind: str, application: str, path: Path) -> None:
        self.kind = kind
        self.application = f"tests.end_to_end.served.{application}"
        self.path = path
        self.log = path.with_suffix(".log")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> str:
        """What ``to`` names."""
        return f"http+unix:{self.path}"

    def start(self) -> Server:
        """Start it, and wait until it listens."""
        if self.kind == "uvicorn":
            command = ["uvicorn", self.application, "--uds", str(self.path), "--log-level", "warning"]
        else:
            command = ["gunicorn", self.application, "--bind", f"unix:{self.path}", "--threads", "4"]
            command += ["--worker-tmp-dir", str(self.path.parent), "--keep-alive", "2"]
        self.path.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            self.process = processes.start(
                [sys.executable, "-m", *command], stdout=log, stderr=log, cwd=ROOT, env=environment
            )
        until = time.monotonic() + PATIENCE
        while not self._listens():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"{self.kind} did not start:\n{self.log.read_text()}")
            time.sleep(0.05)
        self.path.chmod(0o666)
        return self

    def _listens(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.path))
            except OSError:
                return False
            return True

    def kill(self) -> None:
        """End it without a word."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def stop(self) -> None:
        """End it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()

"""A real node for tests: ``twistd edge`` on port 0, in a directory of its own."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests import processes

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = processes.PATIENCE


class UnixConnection(http.client.HTTPConnection):
    """A client's HTTP connection over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Open the connection."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class RunningNode:
    """A node in a process of its own, from :meth:`start` to :meth:`stop`; its output is in :attr:`log`."""

    def __init__(
        self, *options: str, workers: int = 2, listen: tuple[str, ...] = ("tcp:0:interface=127.0.0.1",)
    ) -> None:
        # Not in trial's directory: the path of a Unix socket may have 107 bytes.
        self.directory = Path(tempfile.mkdtemp(prefix="edge-"))
        self.site = self.directory / "site"
        self.state = self.directory / "state"
        self.site.mkdir(parents=True, exist_ok=True)
        self.log = self.directory / "log"
        self.options = [*options, "--workers", str(workers)]
        for endpoint in listen:
            self.options += ["--listen", endpoint.replace("DIR", str(self.directory))]
        self.process: subprocess.Popen[bytes] | None = None
        #: Whether it is told of the site.
        self.has_webroot = True
        #: What comes before the command: where it runs.
        self.prefix: tuple[str, ...] = ()
        self.python = sys.executable
        #: What twistd is told, as opposed to ``twistd edge``.
        self.twistd_options: tuple[str, ...] = ()
        #: Variables of its environment beside ours.
        self.environment: dict[str, str] = {}

    def write(self, name: str, body: bytes, modified: float | None = None) -> None:
        """Put a file into the site, as a deploy does: whole, and dated *modified* (Unix seconds)."""
        path = self.site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self.directory / "new"
        new.write_bytes(body)
        if modified is not None:
            os.utime(new, (modified, modified))
        new.replace(path)

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process and do not wait for it."""
        code = "import sys; from twisted.scripts.twistd import run; sys.argv[0] = 'twistd'; run()"
        command = [
            *self.prefix,
            self.python,
            "-c",
            code,
            "--nodaemon",
            f"--pidfile={self.directory}/pid",
            *self.twistd_options,
            "edge",
        ]
        command += ["--webroot", str(self.site)] if self.has_webroot else []
        command += ["--state-dir", str(self.state), "--arena-mib", "16"]
        command += ["--table-entries", "4096", *self.options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}
        with self.log.open("ab") as log:
            self.process = processes.start(command, stdout=log, stderr=log, cwd=ROOT, env=environment)
        return self.process

    def start(self) -> RunningNode:
        """Start and wait until it is ready."""
        self.spawn()
        self.wait_for(lambda: self.state_of() == "ready" and self.workers_ready(), "it is ready")
        return self

    def clean_up(self) -> None:
        """Stop the node and remove its directory."""
        try:
            if self.process is not None:
                self.stop()
        finally:
            shutil.rmtree(self.directory)

    def stop(self) -> int:
        """Send SIGTERM and wait for the end; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(PATIENCE)
            raise AssertionError(f"the node did not end:\n{self.log.read_text()}") from None

    def wait_for(self, condition: Any, what: str) -> None:
        """Poll until *condition* returns something true; :exc:`AssertionError` with the log if never.

        What it looks at may not be there yet, or be half written: that is not so, so far.
        """
        until, pause, last = time.monotonic() + PATIENCE, 0.01, ""
        while time.monotonic() < until:
            try:
                if condition():
                    return
                last = ""
            except (OSError, http.client.HTTPException, LookupError, TypeError, ValueError) as error:
                last = f" (at last: {error!r})"
            if self.process is not None and self.process.poll() is not None:
                break
            # Ever more slowly: what is asked takes the processor from what is waited for.
            time.sleep(pause)
            pause = min(1.2 * pause, 0.1)
        raise AssertionError(f"waited in vain until {what}{last}:\n{self.log.read_text()}")

    @property
    def urls(self) -> list[str]:
        """URLs of its listeners, in the order of its options."""
        return json.loads((self.state / "listening.json").read_text())["urls"]  # type: ignore[no-any-return]

    @property
    def port(self) -> int:
        """TCP port of the first listener."""
        return int(self.urls[0].rsplit(":", 1)[1])

    def state_of(self) -> str:
        """The node's state ("ready", ...), as the admin API says."""
        return str(self.admin("GET", "/status")[1]["state"])

    def connect(self) -> http.client.HTTPConnection:
        """A client's new connection to the first listener."""
        host = urlsplit(self.urls[0]).hostname or ""
        if host == "localhost":  # which may be ::1 first
            host = "127.0.0.1"
        return http.client.HTTPConnection(host, self.port, timeout=PATIENCE)

    def ask(
        self, path: str, headers: dict[str, str] | None = None, method: str = "GET", body: bytes | None = None
    ) -> Any:
        """Send a request over a new connection: (status, headers, body)."""
        return exchange(self.connect(), path, headers, method, body)

    def admin(self, method: str, path: str, content: object = None) -> tuple[int, Any]:
        """Ask the admin API on its Unix socket: (status, JSON)."""
        connection = UnixConnection(str(self.state / "admin.sock"))
        body = json.dumps(content).encode() if content is not None else None
        status, _, answer = exchange(connection, path, None, method, body)
        return status, json.loads(answer)

    def metric(self, name: str, label: str = "") -> float:
        """The sum of all samples whose line begins with *name*, and has *label* if that is given."""
        _, _, text = exchange(UnixConnection(str(self.state / "admin.sock")), "/.edge/metrics")
        lines = [line for line in text.decode().splitlines() if line.startswith(name) and label in line]
        assert lines, f"no metric {name}"
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    def workers_ready(self) -> bool:
        """Whether all workers are ready."""
        return all(worker["state"] == "ready" for worker in self.admin("GET", "/status")[1]["workers"])

    def replaced(self, *victims: int) -> bool:
        """Whether all workers are ready and none of them is one of *victims*, at one moment."""
        workers = self.admin("GET", "/status")[1]["workers"]
        return all(worker["state"] == "ready" and worker["pid"] not in victims for worker in workers)

    def worker_pids(self) -> list[int]:
        """Process ids of the workers, in order."""
        return [worker["pid"] for worker in self.admin("GET", "/status")[1]["workers"]]


@cache
def shared(make: Callable[[], RunningNode]) -> RunningNode:
    """The node that *make* makes, started; one for all who ask for it, until this process ends."""
    node = make()
    atexit.register(node.clean_up)
    return node.start()


def exchange(
    connection: http.client.HTTPConnection,
    path: str,
    headers: dict[str, str] | None = None,
    method: str = "GET",
    body: bytes | None = None,
    keep: bool = False,
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send one request over *connection*: (status, headers, body)."""
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    content = answer.read()
    if not keep:
        connection.close()
    return answer.status, answer.headers, content

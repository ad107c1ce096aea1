"""A cluster of four real nodes for the tests in a browser, driven over standard input and output.

``python -m tests.end_to_end.browser_cluster FOLDER`` serves *FOLDER*, which only n1 is given; over HTTPS if
TEST_TLS in the environment names a folder of :mod:`ops.localhost_authority`.  It prints a line of JSON when
all are ready::

    [{"name": "n1", "url": "http://localhost:PORT"}, ...]

and then executes commands, lines of JSON that are each answered by one: ``{"do": "kill", "node": "n2"}``,
"stop" (SIGTERM), "pause", "resume", "start", "purge" ("paths"), "publish" (everything, purged paths too),
"slow" (its workers run a tenth of the time until "resume"), "bytes": received and sent so far by the fast
path, "traffic": and by Twisted, WebSockets too, "handshakes": of TLS since it was started, by their kind,
none of one that has ended, and "log": all requests that the node has answered since the last look.
Ends with its input.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import ssl
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests import processes
from tests.end_to_end.cluster import RunningCluster, free_port
from tests.end_to_end.node import PATIENCE, RunningNode, exchange

#: Where requests of this program itself come from; browsers come from 127.0.0.1.
OURSELVES = "127.0.0.2"


class BrowserCluster(RunningCluster):
    """Nodes n1 .. n4 on ports that are known beforehand, with access logs."""

    def __init__(self, folder: str, *options: str) -> None:
        self._folder = folder
        self._options = options
        tls = os.environ.get("TEST_TLS")
        self._web = Path(tls).absolute() if tls else None
        self._ports = [free_port() for _ in range(4)]
        super().__init__(4)
        #: Bytes of each access log that were looked at.
        self._read = [0] * 4
        self._healthy = threading.Event()
        self._slowness: threading.Thread | None = None

    def make(self, number: int, *options: str) -> RunningNode:
        """The node at *number*, from 0."""
        port, kind = self._ports[number], "tcp"
        files = ""
        if self._web is not None:
            kind, files = "tls", f":privateKey={self._web}/server.pem:certKey={self._web}/server.pem"
        node = RunningNode(
            *options, *self._options, f"--public-url={self._url(port)}", workers=1,
            listen=tuple(f"{kind}:{port}{files}:interface={one}" for one in ("127.0.0.1", "\\:\\:1")),
        )  # fmt: skip
        node.options.append(f"--access-log={node.directory}/access.log")
        if number == 0:
            node.options.append(f"--webroot={self._folder}")
        return node

    def _url(self, port: int) -> str:
        return f"http{'s' if self._web is not None else ''}://localhost:{port}"

    def description(self) -> list[dict[str, str]]:
        """Name and URL of each node, as the tests are told."""
        return [{"name": f"n{number + 1}", "url": self._url(port)} for number, port in enumerate(self._ports)]

    def execute(self, command: dict[str, Any]) -> Any:
        """Execute one command of a test; its answer."""
        number = int(command["node"][1:]) - 1
        node = self.nodes[number]
        process = node.process
        assert process is not None
        match command["do"]:
            case "kill":
                pids = [process.pid, *_children(process.pid)]
                for pid in pids:
                    _signal(pid, signal.SIGKILL)
                process.wait(10)
            case "stop":
                node.stop()
            case "pause" | "resume" as what:
                self._end_slowness()
                for pid in [process.pid, *_children(process.pid)]:
                    _signal(pid, signal.SIGSTOP if what == "pause" else signal.SIGCONT)
            case "slow":
                pids = _children(process.pid)
                self._slowness = threading.Thread(target=self._slow_down, args=(pids,), daemon=True)
                self._slowness.start()
            case "start":
                node.start()
            case "purge":
                return node.admin("POST", "/purge", {"paths": command["paths"]})
            case "publish":
                return node.admin("POST", "/publish", {"webroot": None})
            case "bytes":
                return _bytes(node, 'path="fast"')
            case "traffic":
                return _bytes(node, "path=")
            case "handshakes":
                if process.poll() is not None:
                    return {"full": 0, "resumed": 0}
                name = "edge_tls_handshakes_total{"
                return {kind: int(node.metric(name, f'result="{kind}"')) for kind in ("full", "resumed")}
            case "log":
                return self._log(number)
        return "done"

    def _slow_down(self, pids: list[int]) -> None:
        """Let *pids* run a tenth of the time."""
        while not self._healthy.is_set():
            for number, seconds in ((signal.SIGSTOP, 0.045), (signal.SIGCONT, 0.005)):
                for pid in pids:
                    _signal(pid, number)
                time.sleep(seconds)

    def _end_slowness(self) -> None:
        if self._slowness is not None:
            self._healthy.set()
            processes.join(self._slowness)
            self._slowness = None
            self._healthy.clear()

    def _log(self, number: int) -> list[dict[str, Any]]:
        """What the node has answered since the last look.

        The log is written behind the answers, in their order: a request of our own marks its end.
        """
        node = self.nodes[number]
        found: list[dict[str, Any]] = []
        try:
            where: dict[str, Any] = {"port": self._ports[number], "timeout": PATIENCE}
            connection = http.client.HTTPConnection("127.0.0.1", **where, source_address=(OURSELVES, 0))
            if self._web is not None:
                context = ssl.create_default_context(cafile=str(self._web / "ca.pem"))
                connection = http.client.HTTPSConnection(
                    "127.0.0.1", **where, source_address=(OURSELVES, 0), context=context
                )
            exchange(connection, "/.edge/load")
        except OSError:  # it is down: what it has written is all
            found += self._lines(number)
        else:
            node.wait_for(lambda: self._marked(number, found), "our own request is in the access log")
        return [one for one in found if one["peer"] != OURSELVES]

    def _marked(self, number: int, found: list[dict[str, Any]]) -> bool:
        """Whether our own request is there; what is new comes into *found*."""
        found += self._lines(number)
        return any(one["peer"] == OURSELVES for one in found)

    def _lines(self, number: int) -> list[dict[str, Any]]:
        """New lines of the log, up to the last whole one."""
        path = Path(self.nodes[number].directory, "access.log")
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self._read[number])
            lines = [line for line in file.read().splitlines(keepends=True) if line.endswith(b"\n")]
        self._read[number] += sum(map(len, lines))
        return [json.loads(line) for line in lines]


def _bytes(node: RunningNode, label: str) -> int:
    """What went in and out above TCP, by the ways that *label* chooses."""
    return sum(int(node.metric(f"edge_{way}_bytes_total{{", label)) for way in ("received", "sent"))


def _children(pid: int) -> list[int]:
    """Process ids of the children of *pid*."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _signal(pid: int, number: int) -> None:
    """Send a signal, unless the process is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def main(arguments: list[str]) -> None:
    """Start the cluster, and execute what comes in until it ends."""
    cluster = BrowserCluster(*arguments)
    try:
        cluster.start()
        print(json.dumps(cluster.description()), flush=True)
        for line in sys.stdin:
            print(json.dumps(cluster.execute(json.loads(line))), flush=True)
    finally:
        cluster.clean_up()


if __name__ == "__main__":
    main(sys.argv[1:])

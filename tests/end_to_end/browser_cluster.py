"""Four real nodes for the tests in a browser, driven over standard input and output.

``python -m tests.end_to_end.browser_cluster FOLDER`` serves *FOLDER*, which only n1 is given.  It prints a
line of JSON when all are ready::

    [{"name": "n1", "url": "http://localhost:PORT"}, ...]

and then obeys lines of JSON, each answered by one: ``{"do": "kill", "node": "n2"}``, "stop" (SIGTERM),
"pause", "resume", "start", "purge" ("paths"), "slow" (its workers run a tenth of the time until "resume"),
"bytes": received and sent so far, and "log": the requests that the node has answered since the last look.
Ends with its input.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.end_to_end.cluster import RunningCluster, free_port
from tests.end_to_end.node import RunningNode, UnixConnection, exchange


class BrowserCluster(RunningCluster):
    """Nodes on ports that are known beforehand, with access logs."""

    def __init__(self, folder: str, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._ports = [free_port() for _ in range(4)]
        super().__init__(4)
        self.read = [0] * 4
        self._healthy = threading.Event()
        self._slowness: threading.Thread | None = None

    def make(self, number: int, *options: str) -> RunningNode:
        """The node at *number*, from 0."""
        port = self._ports[number]
        node = RunningNode(
            *options, *self._options, f"--public-url=http://localhost:{port}", workers=1,
            listen=(f"tcp:{port}:interface=127.0.0.1", f"tcp:{port}:interface=\\:\\:1"),
        )  # fmt: skip
        node.options.append(f"--access-log={node.directory}/access.log")
        if number == 0:
            node.options.append(f"--webroot={self._folder}")
        return node

    def told(self) -> list[dict[str, str]]:
        """What the tests need to know."""
        return [
            {"name": f"n{number + 1}", "url": f"http://localhost:{port}"}
            for number, port in enumerate(self._ports)
        ]

    def obey(self, command: dict[str, Any]) -> Any:
        """Do what a test asks for."""
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
            case "bytes":
                return _bytes(node)
            case "log":
                return self._log(number, node)
        return "done"

    def _slow_down(self, pids: list[int]) -> None:
        while not self._healthy.is_set():
            for number, seconds in ((signal.SIGSTOP, 0.045), (signal.SIGCONT, 0.005)):
                for pid in pids:
                    _signal(pid, number)
                time.sleep(seconds)

    def _end_slowness(self) -> None:
        if self._slowness is not None:
            self._healthy.set()
            self._slowness.join()
            self._slowness = None
            self._healthy.clear()

    def _log(self, number: int, node: RunningNode) -> list[dict[str, Any]]:
        time.sleep(0.3)  # the log is written every now and then
        path = Path(node.directory, "access.log")
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(self.read[number])
            lines = file.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        self.read[number] += sum(map(len, whole))
        return [json.loads(line) for line in whole]


def _bytes(node: RunningNode) -> int:
    """What went in and out of the fast path, where all but sockets and mounted resources is answered."""
    _, _, text = exchange(UnixConnection(str(node.state / "admin.sock")), "/.edge/metrics")
    found = re.findall(rb'^edge_(?:received|sent)_bytes_total\{.*path="fast".*\} (\S+)$', text, re.MULTILINE)
    return sum(int(float(one)) for one in found)


def _children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def main(arguments: list[str]) -> None:
    """See the module's docstring."""
    cluster = BrowserCluster(*arguments)
    try:
        cluster.start()
        print(json.dumps(cluster.told()), flush=True)
        for line in sys.stdin:
            print(json.dumps(cluster.obey(json.loads(line))), flush=True)
    finally:
        cluster.clean_up()


if __name__ == "__main__":
    main(sys.argv[1:])

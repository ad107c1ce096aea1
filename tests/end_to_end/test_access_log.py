"""The access log of real nodes: rotation under load, workers that are killed, lines whoever answers."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests import processes
from tests.end_to_end.node import RunningNode

#: What differs from one answer to the next.
MOVING = ("time", "duration", "worker")


class LoggingNode(RunningNode):
    """A node with an access log in its directory."""

    def __init__(self, *options: str, workers: int = 2) -> None:
        super().__init__(workers=workers)
        self.access = self.directory / "access.log"
        self.options += ["--access-log", str(self.access), *options]
        self.write("index.html", b"<h1>hello</h1>\n")

    def records(self, path: Path | None = None) -> list[dict[str, Any]]:
        """The lines of a log of JSON."""
        path = path or self.access
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def targets(self, path: Path | None = None) -> list[str]:
        """What was asked for."""
        return [one["target"] for one in self.records(path)]


class Client(threading.Thread):
    """Asks one node for ``/?NAME-NUMBER``, one after the other; *answered*: those with an answer."""

    def __init__(self, node: LoggingNode, name: str) -> None:
        super().__init__(daemon=True)
        self.answered: list[str] = []
        self.failed = 0
        self._port, self._label = node.port, name
        self._over = threading.Event()
        self.start()

    def run(self) -> None:
        """Until it is told to end."""
        number = 0
        connection = HTTPConnection("127.0.0.1", self._port, timeout=processes.PATIENCE)
        while not self._over.is_set():
            number += 1
            target = f"/?{self._label}-{number}"
            try:
                connection.request("GET", target, headers={"Accept-Encoding": "gzip"})
                connection.getresponse().read()
                self.answered.append(target)
            except (OSError, HTTPException):
                self.failed += 1
                connection.close()
            if number % 50 == 0:
                connection.close()  # so that all workers are asked
        connection.close()

    def end(self) -> None:
        """Ask no more."""
        self._over.set()
        processes.join(self)


def go_on(node: LoggingNode, clients: list[Client], count: int) -> None:
    """Wait until *clients* have so many answers more."""
    wanted = sum(len(client.answered) for client in clients) + count
    node.wait_for(lambda: sum(len(client.answered) for client in clients) >= wanted, "they are answered")


class AccessLogTests(SynchronousTestCase):
    """Two workers."""

    def start(self, *options: str, workers: int = 2) -> LoggingNode:
        """A node that logs."""
        node = LoggingNode(*options, workers=workers)
        self.addCleanup(node.clean_up)
        node.start()
        return node

    def test_rotation_under_load_loses_no_line(self) -> None:
        """Nor tears one: renamed again and again, by SIGUSR1 and SIGHUP in turn."""
        node = self.start()
        clients = [Client(node, str(number)) for number in range(4)]
        files = []
        for number in range(6):
            go_on(node, clients, 20)
            files.append(node.directory / f"access.log.{number}")
            node.access.rename(files[-1])
            assert node.process is not None
            node.process.send_signal(signal.SIGHUP if number % 2 else signal.SIGUSR1)
            node.wait_for(node.access.exists, "it goes on in a new file")
        for client in clients:
            client.end()
        answered = sorted(target for client in clients for target in client.answered)
        self.assertEqual(sum(client.failed for client in clients), 0)
        node.wait_for(
            lambda: (
                len([one for path in (*files, node.access) for one in node.targets(path)]) >= len(answered)
            ),
            "all lines are there",
        )
        logged = sorted(one for path in (*files, node.access) for one in node.targets(path))
        self.assertEqual(logged, answered)

    def test_a_worker_that_is_killed_leaves_whole_lines(self) -> None:
        """Every answer that a client has is in the log, and all lines are whole."""
        node = self.start()
        clients = [Client(node, str(number)) for number in range(4)]
        for _ in range(3):
            go_on(node, clients, 20)
            victim = node.worker_pids()[0]
            os.kill(victim, signal.SIGKILL)
            node.wait_for(lambda victim=victim: node.replaced(victim), "another")
        for client in clients:
            client.end()
        answered = {target for client in clients for target in client.answered}
        node.wait_for(lambda: answered <= set(node.targets()), "all lines are there")

    def test_whoever_answers_the_lines_are_the_same(self) -> None:
        """C, its twin, Twisted alone: with what is asked of each."""
        lines = []
        agent = {"Accept-Encoding": "gzip", "User-Agent": 'a "quoted" agent\x9b', "Referer": "http://x/\\"}
        for fast_path in ("native", "python", "off"):
            node = self.start("--fast-path", fast_path, workers=1)
            node.ask("/", agent)
            node.ask("/?x=" + "y" * 3000, {**agent, "Host": "example.org"})
            node.ask("/", agent, method="HEAD")
            node.ask("/none")
            node.ask("/", method="PUT", body=b"x")
            with socket.create_connection(("127.0.0.1", node.port), processes.PATIENCE) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\x1b[2J: no\r\n\r\n")
                while connection.recv(4096):
                    pass
            node.wait_for(lambda node=node: len(node.records()) == 6, "all lines are there")
            records = node.records()
            self.assertEqual(
                [one["status"] for one in records], [200, 200, 200, 404, 405, 400], node.access.read_text()
            )
            self.assertEqual((records[0]["cache"], records[0]["bytes"], records[2]["bytes"]), ("hit", 15, 0))
            self.assertEqual((records[1]["host"], records[1]["truncated"]), ("example.org", ["target"]))
            self.assertEqual(records[0]["user_agent"], agent["User-Agent"])
            self.assertTrue(all(0 <= one["duration"] < 60 for one in records))
            port = str(node.port)
            for one in records:
                one["host"] = one.get("host", "").replace(port, "PORT")
            lines.append([{key: one[key] for key in one if key not in MOVING} for one in records])
        self.assertEqual(lines[0], lines[2])
        self.assertEqual(lines[1], lines[2])

    def test_combined_on_standard_output_of_what_the_fast_path_does_not_answer(self) -> None:
        """Of a node in one process, too."""
        options = (
            "--access-log",
            "-",
            "--access-log-format",
            "combined",
            "--access-log-requests",
            "handed-off",
        )
        node = self.start(*options, "--access-log-requests", "handed-off", workers=0)
        node.ask("/", {"User-Agent": "x/1", "Accept-Encoding": "gzip"})
        node.ask("/none", {"User-Agent": "x/2"})
        node.wait_for(lambda: '"x/2"\n' in node.log.read_text(), "the line")
        self.assertNotIn('"x/1"', node.log.read_text())

    def test_a_pipe_whose_reader_comes_later(self) -> None:
        """The node starts, says so, and holds nobody up."""
        node = LoggingNode()
        self.addCleanup(node.clean_up)
        os.mkfifo(node.access)
        node.start()
        node.ask("/?early")
        node.wait_for(
            lambda: "it is a pipe that nobody reads; start its reader" in node.log.read_text(), "said"
        )
        with open(node.access) as reader:
            self.assertEqual(json.loads(reader.readline())["target"], "/?early")
        self.assertEqual(node.ask("/?later")[0], 200)

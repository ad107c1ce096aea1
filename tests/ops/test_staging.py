"""The staging cluster: order of starts, restarts, ends; and once with real nodes."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from ops.ports import loopback_addresses
from ops.staged_cluster import LOOK_SECONDS, STOP_SECONDS, Cluster
from ops.staged_node import RESTART_SECONDS, Node
from ops.staging import main
from tests import processes
from tests.end_to_end.cluster import free_ports
from tests.processes import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


class FakeProcess:
    """A stand-in for a process, ended by the test."""

    def __init__(self, protocol: Node, pid: int) -> None:
        self.protocol = protocol
        self.pid = pid
        self.signals: list[int] = []

    def signalProcess(self, number: int) -> None:
        self.signals.append(number)

    def end(self, number: int | None = None) -> None:
        reason = ProcessDone(0) if number is None else ProcessTerminated(signal=number)
        self.protocol.processEnded(Failure(reason))


class FakeReactor(Clock):
    """A clock that also records what is spawned."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []

    def spawnProcess(self, protocol: Node, *arguments: Any, **options: Any) -> FakeProcess:
        self.processes.append(FakeProcess(protocol, 100 + len(self.processes)))
        return self.processes[-1]


class ClusterTests(SynchronousTestCase):
    """A cluster of two nodes that are not real, on the test's clock."""

    def setUp(self) -> None:
        self.patch(sys, "stdout", io.StringIO())
        self.patch(sys, "stderr", io.StringIO())
        self.reactor = FakeReactor()
        self.ready: set[int] = set()
        self.nodes = [Node(f"n{n}", n, ["twistd"], self.reactor) for n in (1, 2)]
        self.cluster = Cluster(self.nodes, self.is_ready, self.reactor)
        self.running = Deferred.fromCoroutine(self.cluster.run())

    async def is_ready(self, port: int) -> bool:
        return port in self.ready

    def look(self) -> None:
        self.reactor.advance(LOOK_SECONDS)

    def start_all(self) -> None:
        self.ready = {1, 2}
        self.look()
        self.look()

    @property
    def said(self) -> str:
        return sys.stdout.getvalue()  # type: ignore[attr-defined, no-any-return]

    def started(self) -> list[str]:
        return [process.protocol.name for process in self.reactor.processes]

    def test_all_start_at_once_and_none_is_told_before_all_are_ready(self) -> None:
        self.look()
        self.assertEqual(self.started(), ["n1", "n2"])
        self.ready = {1}
        self.look()
        self.assertNotIn("http://", self.said)

    def test_urls_are_told_when_all_are_ready(self) -> None:
        self.start_all()
        self.assertTrue(
            self.said.endswith("n1  http://localhost:1\nn2  http://localhost:2\nCtrl-C stops them.\n")
        )

    def test_lines_of_nodes_have_their_name_before_them(self) -> None:
        self.nodes[0].childDataReceived(1, b"one\ntw")
        self.nodes[0].childDataReceived(2, b"o\n")
        self.assertEqual(self.said, "n1 | one\nn1 | two\n")

    def test_a_node_that_dies_is_started_again(self) -> None:
        self.start_all()
        self.reactor.processes[1].end(signal.SIGKILL)
        self.assertIn("n2 | [staging] process 101 was killed by SIGKILL: starting another", self.said)
        self.reactor.advance(RESTART_SECONDS)
        self.assertEqual(self.started(), ["n1", "n2", "n2"])
        self.assertEqual(self.nodes[1].pid, 102)

    def test_a_node_that_dies_before_it_was_ready_ends_all(self) -> None:
        self.ready = {1}
        self.look()
        self.reactor.processes[1].end()
        self.look()
        self.assertEqual(self.reactor.processes[0].signals, [signal.SIGTERM])
        self.reactor.processes[0].end()
        self.assertEqual(self.successResultOf(self.running), 1)
        self.assertIn("n2 did not start", sys.stderr.getvalue())  # type: ignore[attr-defined]

    def test_asked_to_stop_it_ends_every_node_and_then_itself(self) -> None:
        self.start_all()
        self.cluster.ask_to_stop()
        self.assertEqual([process.signals for process in self.reactor.processes], [[signal.SIGTERM]] * 2)
        self.reactor.processes[0].end()
        self.assertNoResult(self.running)
        self.reactor.processes[1].end()
        self.assertEqual(self.successResultOf(self.running), 0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_asked_while_starting_it_stops_what_has_started(self) -> None:
        self.cluster.ask_to_stop()
        self.look()
        for process in self.reactor.processes:
            self.assertEqual(process.signals, [signal.SIGTERM])
            process.end()
        self.assertEqual(self.successResultOf(self.running), 0)

    def test_nodes_that_do_not_end_in_time_are_killed(self) -> None:
        self.start_all()
        self.cluster.ask_to_stop()
        self.reactor.processes[0].end()
        self.reactor.advance(STOP_SECONDS)
        self.assertEqual(self.reactor.processes[0].signals, [signal.SIGTERM])
        self.assertEqual(self.reactor.processes[1].signals, [signal.SIGTERM, signal.SIGKILL])

    def test_asked_twice_it_kills_at_once(self) -> None:
        self.start_all()
        self.cluster.ask_to_stop()
        self.cluster.ask_to_stop()
        self.assertEqual(self.reactor.processes[0].signals, [signal.SIGTERM, signal.SIGKILL])

    def test_a_node_that_waits_to_be_started_again_stays_away(self) -> None:
        self.start_all()
        self.reactor.processes[0].end(signal.SIGKILL)
        self.cluster.ask_to_stop()
        self.reactor.processes[1].end()
        self.assertEqual(self.successResultOf(self.running), 0)
        self.reactor.advance(RESTART_SECONDS)
        self.assertEqual(self.started(), ["n1", "n2"])


class CommandTests(SynchronousTestCase):
    """Usage: what is said before anything starts."""

    def setUp(self) -> None:
        self.patch(sys, "stderr", io.StringIO())

    def test_a_site_that_is_not_there(self) -> None:
        error = self.assertRaises(SystemExit, main, ["--site", "/no/such/site"])
        self.assertEqual(error.code, 2)
        self.assertIn("--site /no/such/site: there is no such folder", sys.stderr.getvalue())  # type: ignore[attr-defined]

    def test_a_port_in_use(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertEqual(main(["--base-port", str(port), "--folder", self.mktemp()]), 1)
        self.assertIn(f"port {port} is in use", sys.stderr.getvalue())  # type: ignore[attr-defined]


class ProcessTests(TestCase):
    """The staging cluster as users start it: four real nodes."""

    def lines(self, process: subprocess.Popen[str]) -> Iterator[str]:
        assert process.stdout is not None
        for line in process.stdout:
            self.output.append(line)
            yield line

    def await_line(self, text: str) -> None:
        """Read until a line has *text*; the process's own bound ends it."""
        if not any(text in line for line in self.reader):
            self.fail(f"ended without {text!r}:\n" + "".join(self.output))

    def start(self, folder: str, *options: str) -> subprocess.Popen[str]:
        """Start a cluster with a small site in *folder*, that of :attr:`base`."""
        site = Path(folder, "site")
        site.mkdir()
        (site / "index.html").write_text("<p>hello</p>")
        self.base = free_ports(4, *loopback_addresses())
        self.output: list[str] = []
        command = [
            "timeout",
            str(2 * PATIENCE),
            sys.executable,
            "-m",
            "ops.staging",
            "--site",
            str(site),
            *options,
        ]
        command += [f"--base-port={self.base}", f"--folder={folder}/s", "--"]
        command += ["--table-entries=4096", "--arena-mib=16"]
        process = processes.start(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.reader = self.lines(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        """End *process*, if it has not ended."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()

    def test_it_serves_restarts_what_is_killed_and_stops_on_ctrl_c(self) -> None:
        with tempfile.TemporaryDirectory(prefix="edge-") as folder:
            process = self.start(folder)
            try:
                self.await_line("Ctrl-C stops them.")
                for port in range(self.base, self.base + 4):
                    with urllib.request.urlopen(f"http://localhost:{port}/", timeout=PATIENCE) as answer:
                        self.assertEqual(answer.read(), b"<p>hello</p>")
                os.kill(int(Path(folder, "s", "n3", "lock").read_text()), signal.SIGKILL)
                self.await_line("was killed by SIGKILL: starting another")
                self.await_line("#info] ready")
                # timeout(1) passes it on.
                process.send_signal(signal.SIGINT)
                list(self.reader)
                self.assertEqual(process.wait(PATIENCE), 0, "".join(self.output))
            finally:
                self.end(process)

    def test_nodes_end_with_what_started_them_however_that_ends(self) -> None:
        with tempfile.TemporaryDirectory(prefix="edge-") as folder:
            process = self.start(folder)
            try:
                self.await_line("Ctrl-C stops them.")
                pids = [int(Path(folder, "s", f"n{n}", "lock").read_text()) for n in range(1, 5)]
                nodes = [psutil.Process(pid) for pid in pids]
                (staging,) = psutil.Process(process.pid).children()
                staging.kill()  # timeout(1) ends with it, and ends nobody
                left = psutil.wait_procs(nodes, timeout=PATIENCE)[1]
                for node in left:
                    node.kill()
                self.assertEqual(left, [])
            finally:
                self.end(process)

    def test_with_tls_all_are_at_https_for_who_trusts_what_is_printed(self) -> None:
        with tempfile.TemporaryDirectory(prefix="edge-") as folder:
            process = self.start(folder, "--tls")
            try:
                self.await_line("Ctrl-C stops them.")
                said = "".join(self.output)
                [authority] = re.findall(r"curl --cacert (\S+)", said)
                context = ssl.create_default_context(cafile=authority)
                origins = {f"https://localhost:{port}" for port in range(self.base, self.base + 4)}
                for origin in origins:
                    self.assertIn(f"  {origin}\n", said)
                    asked = urllib.request.Request(
                        f"{origin}/", headers={"Origin": f"https://localhost:{self.base}"}
                    )
                    with urllib.request.urlopen(asked, timeout=PATIENCE, context=context) as answer:
                        self.assertEqual(answer.read(), b"<p>hello</p>")
                        self.assertEqual(answer.headers["Access-Control-Allow-Origin"], "*")
                with urllib.request.urlopen(
                    f"{origin}/.edge/load", timeout=PATIENCE, context=context
                ) as answer:
                    self.assertEqual({one["url"] for one in json.load(answer)["nodes"]}, origins)
            finally:
                self.end(process)

"""edge-app/1 to a program of its own that was written from the document: ``to = "unix:PATH"``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests import processes
from tests.end_to_end import plain_service
from tests.end_to_end.hosting import HostingNode


class PlainServiceTests(SynchronousTestCase):
    """``plain_service.py`` behind a node."""

    def setUp(self) -> None:
        self.node = HostingNode(workers=2)
        self.addCleanup(self.node.clean_up)
        self.path = self.node.directory / "service.sock"
        self.serve()
        self.node.options += ["--app", f"/s=unix:{self.path}"]
        self.node.start()

    def serve(self) -> None:
        """Start the program."""
        self.path.unlink(missing_ok=True)
        command = [sys.executable, str(Path(plain_service.__file__)), str(self.path)]
        self.service = processes.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.end, self.service)
        self.assertEqual(processes.first_line(self.service), b"listening\n")

    def end(self, service: subprocess.Popen[bytes]) -> None:
        """End the program."""
        assert service.stdin is not None and service.stdout is not None
        service.stdin.close()
        service.stdout.close()
        service.wait(processes.PATIENCE)

    def test_all_of_it(self) -> None:
        ask = self.node.ask
        status, fields, body = ask("/s/a?b=c")
        self.assertEqual((status, body), (200, b"GET /s/a?b=c 0 bytes"))
        self.assertEqual(fields["Content-Type"], "text/plain")
        self.assertEqual(ask("/s/p", method="POST", body=b"x" * 500_000)[2], b"POST /s/p 500000 bytes")
        self.assertEqual(ask("/s/big")[2], b"0123456789abcdef" * (3 * plain_service.WINDOW // 16))
        self.assertEqual(ask("/s/changed", method="POST")[2], b"settled by all but 0")
        with connect(f"ws://127.0.0.1:{self.node.port}/s/ws") as talk:
            assert talk.response is not None
            self.assertEqual(talk.response.headers["x-opened"], "yes")
            talk.send("hello")
            self.assertEqual(talk.recv(), "olleh")
            talk.send(b"bye")
            self.assertEqual(talk.recv(), b"eyb")
            self.assertRaises(ConnectionClosed, talk.recv)
        self.assertEqual(ask("/s/drain")[2], b"draining")
        self.assertEqual(ask("/s/a")[2], b"GET /s/a 0 bytes")

    def test_what_breaks_the_rules_is_said_and_the_next_question_is_answered(self) -> None:
        node = self.node
        self.assertEqual(node.ask("/s/lies")[0], 502)
        node.says("more bytes (19) than its head said (10)")
        self.assertEqual(node.ask("/s/garbage", method="POST")[0], 502)
        node.says("a frame of 1213486160 bytes; 1 to 262144 are possible; the connection is closed")
        node.wait_for(lambda: node.ask("/s/a")[0] == 200, "it is asked again")
        self.assertEqual(node.ask("/s/gone", method="POST")[0], 502)
        self.assertIn(node.ask("/s/a")[0], (502, 503))
        self.service.wait(processes.PATIENCE)
        node.wait_for(
            lambda: "is the application running, and does it listen there?" in node.said(), "it is said"
        )
        self.assertEqual(node.ask("/index.html")[0], 200)
        self.serve()
        node.wait_for(lambda: node.ask("/s/a")[0] == 200, "it is there again")

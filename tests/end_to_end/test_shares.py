"""A node with few descriptors, and clients who take all that they can: others are served."""

from __future__ import annotations

import contextlib
import resource
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from twisted.trial.unittest import SynchronousTestCase

from tests.end_to_end.node import PATIENCE, RunningNode

_BATCH = b"POST /.edge/revalidate HTTP/1.1\r\nHost: x\r\nContent-Length: 131072\r\n\r\n" + b"a" * 131_000
_UPLOAD = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n14000\r\n" + b"a" * 70_000


class _Hanging(BaseHTTPRequestHandler):
    """Answers at once, but what is below /hang not before the end."""

    ended = threading.Event()

    def do_GET(self) -> None:
        if self.path.startswith("/hang"):
            self.ended.wait(PATIENCE)
        with contextlib.suppress(OSError):
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"hello\n")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class QueueTests(SynchronousTestCase):
    """A node before a server of which some answers never begin."""

    def setUp(self) -> None:
        """Of its 100 unanswered requests no address has more than it leaves."""
        _Hanging.ended.clear()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Hanging)
        server.daemon_threads = True
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(_Hanging.ended.set)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.node = RunningNode(workers=1)
        self.addCleanup(self.node.clean_up)
        file = self.node.directory / "edge.toml"
        to = f"http://127.0.0.1:{server.server_port}"
        file.write_text(f'[[app]]\nname = "shop"\nat = "/"\nto = "{to}"\nqueue = 100\n')
        self.node.options = [*self.node.options, "--config", str(file)]
        self.node.start()

    def asks(self, path: str, address: str) -> socket.socket:
        """A connection of *address* on which *path* was asked for."""
        connection = socket.create_connection(("127.0.0.1", self.node.port), PATIENCE, (address, 0))
        self.addCleanup(connection.close)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return connection

    def test_hundreds_of_unanswered_requests_of_one_address_leave_the_queue_to_others(self) -> None:
        hoard = [self.asks(f"/hang?{number}", "127.0.0.2") for number in range(300)]
        refused = 0
        for connection in hoard[50:]:
            refused += connection.recv(100).startswith(b"HTTP/1.1 503 ")
        self.assertEqual(refused, 250)
        for number in range(20):
            asked = self.asks(f"/hello?{number}", "127.0.0.3")
            self.assertTrue(asked.recv(100).startswith(b"HTTP/1.1 200 "))
        log = self.node.log.read_text()
        self.assertIn("shop: 50 of its 50 unanswered requests are of one address", log)
        self.assertNotIn("Traceback", log)


class SharesTests(SynchronousTestCase):
    """One worker, and 1,600 descriptors: 1,176 connections, and not as many files again."""

    def setUp(self) -> None:
        """A node that serves one page."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.node = RunningNode(workers=1)
        self.node.prefix = ("prlimit", "--nofile=1600:1600")
        self.addCleanup(self.node.clean_up)
        self.node.write("index.html", b"<p>here</p>")
        self.node.start()

    def hoard(self, count: int, addresses: int, data: bytes) -> list[socket.socket]:
        """Connections of so many addresses, each with as much of *data* as is taken."""
        made = []
        for number in range(count):
            connection = socket.socket()
            self.addCleanup(connection.close)
            connection.bind((f"127.0.0.{2 + number % addresses}", 0))
            connection.settimeout(PATIENCE)
            with contextlib.suppress(OSError):
                connection.connect(("127.0.0.1", self.node.port))
                connection.setblocking(False)
                connection.send(data)
            made.append(connection)
        return made

    def served(self) -> int:
        """How many of twenty others get the page."""
        count = 0
        for _ in range(20):
            source = ("127.0.0.250", 0)
            with (
                contextlib.suppress(OSError),
                socket.create_connection(("127.0.0.1", self.node.port), PATIENCE, source) as connection,
            ):
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                count += connection.recv(100).startswith(b"HTTP/1.1 200 ")
        return count

    def test_one_address_that_fills_the_buffers_is_refused_and_that_is_said(self) -> None:
        self.hoard(500, 1, _BATCH)
        self.assertEqual(self.served(), 20)
        self.node.wait_for(lambda: "--connections-per-address 0" in self.node.log.read_text(), "it is said")
        self.assertNotIn("Traceback", self.node.log.read_text())

    def test_a_thousand_uploads_leave_descriptors_to_others_and_to_the_node(self) -> None:
        self.hoard(1000, 200, _UPLOAD)
        self.assertEqual(self.served(), 20)
        self.assertEqual(self.node.state_of(), "ready")
        self.node.write("new.html", b"<p>new</p>")
        self.node.wait_for(lambda: self.node.ask("/new.html")[0] == 200, "what is new is published")
        self.assertNotIn("Traceback", self.node.log.read_text())
